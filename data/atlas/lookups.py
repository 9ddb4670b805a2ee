"""Questions that one page answers, and chains of pages in which the things on the way are described, not named."""

from collections.abc import Iterator

from . import text as t
from .links import is_institution
from .model import Country, Element
from .questions import Maker, Question, bare, verb
from .text import choose


class Direct(Maker):
    """Direct retrieval: one page states the answer."""

    def questions(self) -> Iterator[Question]:
        for c in self.countries:
            yield from self._country(c)
        yield from self._places()
        yield from self._chemistry()

    def _one(
        self,
        kind: str,
        about: str,
        question: str,
        answers: list[str],
        url: str,
        entities: list[str],
        said: str | None = None,
    ) -> Question:
        steps = [[url, said or answers[0]]]
        return Question(
            kind, (about,), question, answers, [url], "direct", 1, entities, {"op": "lookup", "steps": steps}
        )

    def _country(self, c: Country) -> Iterator[Question]:
        to, the, key = self.to, c.the, c.iso
        entity = [f"country:{c.iso}"]
        if c in self.capitals:
            words = choose(key, f"What is the capital of {the}?", f"Which city is the capital of {the}?",
                           f"Name the capital of {the}.")  # fmt: skip
            yield self._one("capital", c.iso3, words, [c.capital or ""], to.country_url(c), entity)
        if c.population and c.noun == "country":
            words = choose(
                key,
                f"According to the Statistics Office, how many people live in {the}?",
                f"What population does the Statistics Office give for {the}?",
                f"How many inhabitants does {the} have, by the Statistics Office's data sheet?",
            )
            yield self._one("population", c.iso3, words, [t.number(c.population)], to.sheet_url(c), entity)
        if c.area and c.noun == "country":
            words = choose(
                key,
                f"What is the area of {the} in square kilometres, as the Statistics Office gives it?",
                f"How many square kilometres does {the} cover according to the Statistics Office?",
            )
            area = t.number(c.area)
            yield self._one("area", c.iso3, words, [area, f"{area} km²"], to.sheet_url(c), entity)
        if c.currency:
            name = self.facts.currencies[c.currency].name
            words = choose(key, f"What currency is used in {the}?", f"In which currency does one pay in {the}?",
                           f"What is the money of {the} called?")  # fmt: skip
            yield self._one("currency", c.iso3, words, [name, c.currency], to.country_url(c), entity)
        if len(c.calling) == 1:
            words = choose(key, f"What is the international calling code of {the}?",
                           f"Which code do I dial to telephone {the}?")  # fmt: skip
            code = c.calling[0]
            yield self._one("calling", c.iso3, words, [code, code[1:]], to.codes_url(c), entity)
        if c.tld:
            words = choose(key, f"What is the internet country domain of {the}?",
                           f"Which top-level domain belongs to {the}?")  # fmt: skip
            yield self._one("domain", c.iso3, words, [c.tld, c.tld[1:]], to.codes_url(c), entity)
        words = f"What is the three-letter ISO 3166 code of {the}?"
        yield self._one("iso3", c.iso3, words, [c.iso3], to.sheet_url(c), entity)
        if len(c.languages) == 1:
            name = self.facts.languages[c.languages[0]].name
            yield self._one(
                "language", c.iso3, f"What is the official language of {the}?", [name], to.country_url(c), entity
            )

    def _places(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for city in f.cities.values():
            if not self.settled(city):
                continue
            label, home = f.city_label(city), self.home(city)
            words = choose(
                f"{city.id}",
                f"What population does the gazetteer give for {label}?",
                f"How many people live in {label}, according to the gazetteer?",
                f"Look up the number of inhabitants of {label} in the gazetteer.",
            )
            url = to.city_url(city)
            yield self._one("city-population", f"{city.id}", words, [t.number(city.population)], url, home)
            words = choose(
                f"{city.id}",
                f"Which time zone of the tz database does {label} follow?",
                f"What is the name of the time zone (such as Europe/Paris) of {label}?",
            )
            if "Paris" not in label and not city.zone.endswith(city.name):
                yield self._one("city-zone", f"{city.id}", words, [city.zone], url, home)
        for a in f.airports.values():
            city = f.cities[a.city]
            if not self.settled(city):
                continue
            home, url = self.home(city), to.airport_url(a)
            label = a.name
            words = choose(a.iata, f"Which city does the airport with the IATA code {a.iata} serve?",
                           f"My luggage tag says {a.iata}. Which city's airport is that?")  # fmt: skip
            yield self._one("iata", a.iata, words, [city.name], url, home)
            words = choose(
                a.iata, f"What is the ICAO code of {label}?", f"Which four-letter ICAO code does {label} have?"
            )
            yield self._one("icao", a.iata, words, [a.icao], url, home)
            feet = t.number(a.elevation)
            words = choose(a.iata, f"How many feet above sea level is {label} ({a.iata})?",
                           f"What is the elevation of {label} in feet?")  # fmt: skip
            yield self._one("elevation", a.iata, words, [feet, f"{feet} ft"], url, home, f"{feet} ft")
            if a.longest and a.runways > 1:
                feet = t.number(a.longest)
                words = f"How long, in feet, is the longest runway at {label}?"
                yield self._one("runway", a.iata, words, [feet, f"{feet} ft"], url, home, f"{feet} ft")
        for s in f.states.values():
            if s.code != "DC":
                words = choose(s.code, f"How many counties or county equivalents does the US state of {s.name} have?",
                               f"Into how many counties (or equivalents) is {s.name} divided?")  # fmt: skip
                url = f"{t.STATISTICS}/us-states"
                said = f"{s.code} | {s.counties}"
                yield self._one("counties", s.code, words, [f"{s.counties}"], url, [f"state:{s.code}"], said)

    def _chemistry(self) -> Iterator[Question]:
        to = self.to
        for e in self.elements:
            entity, sheet, name = [f"element:{e.symbol}"], to.data_url(e), e.name
            if e.melting is not None:
                words = choose(e.symbol, f"At how many degrees Celsius does {name} melt?",
                               f"What is the melting point of {name} in °C?")  # fmt: skip
                yield self._one("melting", e.symbol, words, bare(t.temperature(e.melting)), sheet, entity)
            if e.density is not None:
                words = f"What density does the Handbook give for {name}, in grams per cubic centimetre?"
                yield self._one("density", e.symbol, words, [f"{e.density:g}", f"{e.density:g} g/cm³"], sheet, entity)
            yield self._one("cas", e.symbol, f"What is the CAS number of {name}?", [e.cas], sheet, entity)
            yield self._one("symbol", e.symbol, f"Which symbol stands for {name} in the periodic table?", [e.symbol], sheet,
                            entity, f"Symbol | {e.symbol}")  # fmt: skip
        for e in self.dated:
            entity = [f"element:{e.symbol}"]
            url = to.element_url(e)
            words = choose(
                e.symbol, f"In which year was {e.name} {verb(e)}?", f"When was {e.name} {verb(e)}? Give the year."
            )
            yield self._one("year", e.symbol, words, [f"{e.year}"], url, entity)
            if len(e.discoverers) == 1 and not is_institution(e.discoverers[0]):
                words = choose(e.symbol, f"Who {verb(e)} {e.name}?",
                               f"Which scientist is credited with the discovery of {e.name}?"
                               if e.how == "discovered" else f"Who was the first to {_infinitive(e)} {e.name}?")  # fmt: skip
                yield self._one("discoverer", e.symbol, words, _names(e.discoverers[0]), url, entity)


class MultiHop(Maker):
    """Chains of two or three pages; what lies between is described and not named."""

    def questions(self) -> Iterator[Question]:
        yield from self._from_capitals()
        yield from self._from_airports()
        yield from self._from_elements()
        yield from self._from_codes()

    def _chain(
        self,
        kind: str,
        about: str,
        question: str,
        answers: list[str],
        steps: list[tuple[str, str]],
        entities: list[str],
    ) -> Question:
        return Question(
            kind,
            (about,),
            question,
            answers,
            [url for url, _ in steps],
            "multihop",
            len(steps),
            entities,
            {"op": "lookup", "steps": [list(s) for s in steps]},
        )

    def _from_capitals(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for c in self.capitals:
            city = self.capital_of(c)
            if city.name.split()[0] in c.name or len(f.by_name[city.name]) > 1:
                continue
            first = (to.capital_url(city), c.name)
            entity = [f"country:{c.iso}"]
            if c.currency:
                name = f.currencies[c.currency].name
                words = choose(
                    c.iso,
                    f"What is the currency of the country or territory whose capital is {city.name}?",
                    f"I am flying to {city.name}. Which currency do they use in the country it is the capital of?",
                )
                yield self._chain(
                    "capital-currency", c.iso3, words, [name, c.currency], [first, (to.country_url(c), name)], entity
                )
            if len(c.calling) == 1:
                words = f"Which calling code does one dial for the country or territory that has {city.name} as its capital?"
                code = c.calling[0]
                yield self._chain(
                    "capital-calling", c.iso3, words, [code, code[1:]], [first, (to.codes_url(c), code)], entity
                )
            if c.area:
                area = t.number(c.area)
                words = choose(
                    c.iso,
                    f"By the Statistics Office, how large in square kilometres is the country or territory governed "
                    f"from {city.name}?",
                    f"What area, in km², does the Statistics Office give for the country or territory whose capital is "
                    f"{city.name}?",
                )
                yield self._chain(
                    "capital-area", c.iso3, words, [area, f"{area} km²"], [first, (to.sheet_url(c), area)], entity
                )

    def _from_airports(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for a in f.airports.values():
            city, c = f.cities[a.city], f.countries[a.country]
            if not self.settled(city) or c.noun != "country":
                continue
            first, home = (to.airport_url(a), city.name), self.home(city)
            people = t.number(city.population)
            words = choose(
                a.iata,
                f"How many inhabitants does the gazetteer give for the city served by the airport with IATA code {a.iata}?",
                f"What is the population, in the gazetteer, of the city whose airport has the ICAO code {a.icao}?",
            )
            yield self._chain("airport-city", a.iata, words, [people], [first, (to.city_url(city), people)], home)
            if c.currency and c.iso != "US":
                name = f.currencies[c.currency].name
                words = choose(
                    a.iata,
                    f"My ticket says {a.iata}. Which currency will I need in the country where I land?",
                    f"Which currency is used in the country where {a.name} lies?",
                )
                if c.name not in words:
                    yield self._chain("airport-currency", a.iata, words, [name, c.currency],
                                      [(to.airport_url(a), c.name), (to.country_url(c), name)], home)  # fmt: skip
            if c in self.capitals and not city.capital:
                capital = c.capital or ""
                words = f"What is the capital of the country in which the airport with the ICAO code {a.icao} lies?"
                yield self._chain("airport-capital", a.iata, words, [capital],
                                  [(to.airport_url(a), c.name), (to.country_url(c), capital)], home)  # fmt: skip
            if c in self.capitals and city.capital and len(c.calling) == 1:
                words = (
                    f"The airport with the IATA code {a.iata} serves a capital. What is the calling code of the country "
                    "governed from there?"
                )
                steps = [first, (to.capital_url(city), c.name), (to.codes_url(c), c.calling[0])]
                yield self._chain(
                    "airport-capital-calling", a.iata, words, [c.calling[0], c.calling[0][1:]], steps, home
                )

    def _from_elements(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for e in self.elements:
            url, entity = to.element_url(e), f"element:{e.symbol}"
            for kind, what in e.named:
                if kind == "country" and what not in UNASKED:
                    yield from self._namesake(e, f.countries[what])
            if e.melting is not None and e in self.dated and len(e.discoverers) == 1:
                who = e.discoverers[0]
                same = [x for x in f.people[who] if x.year == e.year]
                if len(same) == 1 and len(f.people[who]) > 1:
                    words = f"At how many degrees Celsius does the element that {who} {verb(e)} in {e.year} melt?"
                    steps = [(to.person_url(who), f"({e.symbol})"), (to.data_url(e), t.temperature(e.melting))]
                    yield self._chain(
                        "person-year-melting", e.symbol, words, bare(t.temperature(e.melting)), steps, [entity]
                    )
            if e in self.dated and len(e.places) == 1 and f.countries[e.places[0]] in self.capitals:
                c = f.countries[e.places[0]]
                words = choose(
                    e.symbol,
                    f"What is the capital of the country in which {e.name} was {verb(e)}?",
                    f"{t.upper(e.name)} was {verb(e)} in a country whose capital is which city?",
                )
                steps = [(url, c.name), (to.country_url(c), c.capital or "")]
                yield self._chain(
                    "element-capital", e.symbol, words, [c.capital or ""], steps, [entity, *self._keys(c)]
                )
                if c.tld:
                    words = f"Which internet domain has the country where the element with atomic number {e.number} was {verb(e)}?"
                    steps = [(to.data_url(e), e.name), (url, c.name), (to.codes_url(c), c.tld)]
                    yield self._chain(
                        "number-place-domain", e.symbol, words, [c.tld, c.tld[1:]], steps, [entity, *self._keys(c)]
                    )
            others = [x for x in f.people.get(e.discoverers[0], []) if x is not e] if len(e.discoverers) == 1 else []
            if len(others) == 1 and others[0].year and others[0].how != "-" and e.how != "-":
                o = others[0]
                words = choose(
                    e.symbol,
                    f"Which other element is credited to the person who {verb(e)} {e.name}?",
                    f"The one who {verb(e)} {e.name} is credited with one more element. Which?",
                )
                if not is_institution(e.discoverers[0]):
                    steps = [(url, e.discoverers[0]), (to.person_url(e.discoverers[0]), t.upper(o.name))]
                    yield self._chain("other-element", e.symbol, words, [o.name, o.symbol], steps, [entity])
        yield from self._namesake_cities()

    def _namesake(self, e: Element, c: Country) -> Iterator[Question]:
        f, to = self.facts, self.to
        entity, url = [f"element:{e.symbol}", *self._keys(c)], to.element_url(e)
        if c.population:
            people = t.number(c.population)
            words = f"How many people, by the Statistics Office, live in the country that {e.name} is named after?"
            yield self._chain(
                "namesake-population", e.symbol, words, [people], [(url, c.name), (to.sheet_url(c), people)], entity
            )
        if c in self.capitals:
            words = f"What is the capital of the country after which the element with the symbol {e.symbol} is named?"
            steps = [(to.data_url(e), e.name), (url, c.name), (to.country_url(c), c.capital or "")]
            yield self._chain("namesake-capital", e.symbol, words, [c.capital or ""], steps, entity)
        if c.currency:
            name = f.currencies[c.currency].name
            words = f"Which currency is used in the country after which {e.name} is named?"
            yield self._chain(
                "namesake-currency",
                e.symbol,
                words,
                [name, c.currency],
                [(url, c.name), (to.country_url(c), name)],
                entity,
            )

    def _namesake_cities(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for e in self.elements:
            for kind, what in e.named:
                if kind != "city":
                    continue
                place, name = what.split("/")
                iso = place.partition("-")[0]
                which = e.name if name[:4].lower() not in e.name else f"element {e.number}"
                city = next(c for c in f.by_name[name] if c.country == iso)
                people = t.number(city.population)
                words = choose(
                    e.symbol,
                    f"What population does the gazetteer give for the city that {which} is named after?",
                    f"How many people live, by the gazetteer, in the city after which {which} is named?",
                )
                steps = [(to.element_url(e), name), (to.city_url(city), people)]
                yield self._chain(
                    "namesake-city", e.symbol, words, [people], steps, [f"element:{e.symbol}", *self.home(city)]
                )
                c = f.countries[iso]
                if c.currency:
                    money = f.currencies[c.currency].name
                    words = f"In which currency does one pay in the country of the city after which {which} is named?"
                    steps = [(to.element_url(e), name), (to.city_url(city), c.name), (to.country_url(c), money)]
                    yield self._chain(
                        "namesake-city-currency",
                        e.symbol,
                        words,
                        [money, c.currency],
                        steps,
                        [f"element:{e.symbol}", *self.home(city)],
                    )

    def _from_codes(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for x in f.currencies.values():
            users = f.by_currency[x.code]
            c = users[0]
            if len(users) == 1 and c in self.countries and c.population:
                people = t.number(c.population)
                words = choose(
                    x.code,
                    f"How many people live in the only country that uses the currency with the code {x.code}, by the "
                    "Statistics Office?",
                    f"Only one country pays in {x.code}. What is its population in the Statistics Office's data sheet?",
                )
                if c.noun == "country":
                    steps = [(to.currency_url(x.code), c.name), (to.sheet_url(c), people)]
                    yield self._chain("currency-population", x.code, words, [people], steps, [f"country:{c.iso}"])
        for c in self.capitals:
            if c.tld and c.noun == "country" and c.capital:
                words = choose(c.iso, f"Web addresses of one country end in {c.tld}. What is its capital?",
                               f"Which city is the capital of the country with the internet domain {c.tld}?")  # fmt: skip
                city = self.capital_of(c)
                if c.capital:
                    people = t.number(city.population)
                    steps = [(f"{t.ALMANAC}/internet-domains", c.name), (to.country_url(c), c.capital)]
                    yield self._chain("domain-capital", c.iso3, words, [c.capital], steps, [f"country:{c.iso}"])
                    words = (
                        f"How many inhabitants does the capital of the country with the internet domain {c.tld} have?"
                    )
                    steps.append((to.capital_url(city), people))
                    yield self._chain("domain-capital-population", c.iso3, words, [people], steps, [f"country:{c.iso}"])


UNASKED = {"CY"}  # copper's name only goes back to the island


def _infinitive(e: Element) -> str:
    return {"isolated": "isolate", "synthesised": "make"}.get(e.how, "discover")


def _names(name: str) -> list[str]:
    """A person's name in full, and the surname alone."""
    return [name, name.split()[-1]] if " " in name else [name]
