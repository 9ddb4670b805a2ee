"""Chains of two or three pages in which the things on the way are described and not named."""

from collections.abc import Iterator

from . import text as t
from .links import is_institution
from .model import Airport, City, Country, Element
from .questions import Maker, Question, bare
from .science import verb

UNASKED = {"CY"}  # copper's name only goes back to the island
Step = tuple[str, str]  # a page, and what it is there to say


class MultiHop(Maker):
    """Multi-hop: each page leads to the next, and the last one states the answer."""

    def questions(self) -> Iterator[Question]:
        """All of them, by where the chain begins."""
        for c in self.capitals:
            yield from self._from_capital(c, self.capital_of(c))
            yield from self._from_domain(c, self.capital_of(c))
        for a in self.facts.airports.values():
            city, c = self.facts.cities[a.city], self.facts.countries[a.country]
            if self.settled(city) and c.noun == "country":
                yield from self._from_airport(a, city)
                yield from self._through_airport(a, city, c)
        for e in self.elements:
            yield from self._from_name(e)
        for e in self.dated:
            yield from self._from_discovery(e)
            yield from self._from_discoverer(e)
        yield from self._from_currencies()

    def _chain(
        self, kind: str, about: str, wordings: list[str], answers: list[str], steps: list[Step], entities: list[str]
    ) -> Question:
        return Question(
            kind, (about,), t.choose(about, *wordings), answers, [url for url, _ in steps], "multihop", len(steps),
            entities, {"op": "lookup", "steps": [list(s) for s in steps]},
        )  # fmt: skip

    def _from_capital(self, c: Country, city: City) -> Iterator[Question]:
        if city.name.split(maxsplit=1)[0] in c.name or len(self.facts.by_name[city.name]) > 1:
            return  # the capital would name its country, or another city
        first, keys = (self.to.capital_url(city), c.name), self.keys(c)
        if c.currency:
            wordings = [
                f"What is the currency of the country or territory whose capital is {city.name}?",
                f"I am flying to {city.name}. Which currency is used in the country or territory it is the capital of?",
            ]
            money = self.money(c.currency)
            steps = [first, (self.to.country_url(c), money[0])]
            yield self._chain("capital-currency", c.iso3, wordings, money, steps, keys)
        if len(c.calling) == 1:
            wordings = [
                f"Which calling code does one dial for the country or territory that has {city.name} as its capital?",
                f"What is the telephone code of the country or territory governed from {city.name}?",
            ]
            code = c.calling[0]
            steps = [first, (self.to.codes_url(c), code)]
            yield self._chain("capital-calling", c.iso3, wordings, [code, code[1:]], steps, keys)
        if c.area:
            office = "does the Statistics Office give for the country or territory"
            wordings = [
                f"What area, in km², {office} whose capital is {city.name}?",
                f"How many square kilometres {office} governed from {city.name}?",
            ]
            area = t.number(c.area)
            steps = [first, (self.to.sheet_url(c), area)]
            yield self._chain("capital-area", c.iso3, wordings, [area, f"{area} km²"], steps, keys)

    def _from_domain(self, c: Country, city: City) -> Iterator[Question]:
        if not c.tld or c.noun != "country":
            return
        wordings = [
            f"Web addresses of one country end in {c.tld}. What is its capital?",
            f"Which city is the capital of the country with the internet domain {c.tld}?",
        ]
        steps = [(f"{t.ALMANAC}/internet-domains", c.name), (self.to.country_url(c), city.name)]
        yield self._chain("domain-capital", c.iso3, wordings, [city.name], steps, self.keys(c))
        wordings = [
            f"How many inhabitants does the capital of the country with the internet domain {c.tld} have?",
            f"One country has the internet domain {c.tld}. What is the population of its capital?",
        ]
        people = t.number(city.population)
        steps = [*steps, (self.to.capital_url(city), people)]
        yield self._chain("domain-capital-population", c.iso3, wordings, [people], steps, self.keys(c))

    def _from_airport(self, a: Airport, city: City) -> Iterator[Question]:
        gives = "does the gazetteer give for the city"
        wordings = [
            f"How many inhabitants {gives} served by the airport with the IATA code {a.iata}?",
            f"What population {gives} whose airport has the ICAO code {a.icao}?",
        ]
        people = t.number(city.population)
        steps = [(self.to.airport_url(a), city.name), (self.to.city_url(city), people)]
        yield self._chain("airport-city", a.iata, wordings, [people], steps, self.home(city))

    def _through_airport(self, a: Airport, city: City, c: Country) -> Iterator[Question]:
        """From an airport to its country."""
        first, home = (self.to.airport_url(a), c.name), self.home(city)
        if c.currency and c.iso != "US" and c.name not in a.name:
            wordings = [
                f"My ticket says {a.iata}. Which currency will I need in the country where I land?",
                f"Which currency is used in the country where {a.name} lies?",
            ]
            money = self.money(c.currency)
            steps = [first, (self.to.country_url(c), money[0])]
            yield self._chain("airport-currency", a.iata, wordings, money, steps, home)
        if c not in self.capitals or not c.capital:
            return
        if not city.capital:
            wordings = [
                f"What is the capital of the country in which the airport with the ICAO code {a.icao} lies?",
                f"The airport with the IATA code {a.iata} is not in a capital. What is the capital of its country?",
            ]
            steps = [first, (self.to.country_url(c), c.capital)]
            yield self._chain("airport-capital", a.iata, wordings, [c.capital], steps, home)
        elif len(c.calling) == 1:
            which = "What is the calling code of the country"
            wordings = [
                f"The airport with the IATA code {a.iata} serves a capital. {which} governed from there?",
                f"{which} whose capital is served by the airport with the ICAO code {a.icao}?",
            ]
            code = c.calling[0]
            steps = [(first[0], city.name), (self.to.capital_url(city), c.name), (self.to.codes_url(c), code)]
            yield self._chain("airport-capital-calling", a.iata, wordings, [code, code[1:]], steps, home)

    def _from_name(self, e: Element) -> Iterator[Question]:
        for kind, what in e.named:
            if kind == "country" and what not in UNASKED:
                yield from self._namesake_country(e, self.facts.countries[what])
            if kind == "city" and (city := self.to.named_city(what)):
                yield from self._namesake_city(e, city)

    def _namesake_country(self, e: Element, c: Country) -> Iterator[Question]:
        keys, first = [f"element:{e.symbol}", *self.keys(c)], (self.to.element_url(e), c.name)
        if c.population:
            people = t.number(c.population)
            wordings = [
                f"How many people, by the Statistics Office, live in the country that {e.name} is named after?",
                f"What population does the Statistics Office give for the country after which {e.name} is named?",
            ]
            steps = [first, (self.to.sheet_url(c), people)]
            yield self._chain("namesake-population", e.symbol, wordings, [people], steps, keys)
        if c in self.capitals and c.capital:
            wordings = [
                f"What is the capital of the country after which the element with the symbol {e.symbol} is named?"
            ]
            steps = [(self.to.data_url(e), e.name), first, (self.to.country_url(c), c.capital)]
            yield self._chain("namesake-capital", e.symbol, wordings, [c.capital], steps, keys)
        if c.currency:
            money = self.money(c.currency)
            wordings = [f"Which currency is used in the country after which {e.name} is named?"]
            yield self._chain(
                "namesake-currency", e.symbol, wordings, money, [first, (self.to.country_url(c), money[0])], keys
            )

    def _namesake_city(self, e: Element, city: City) -> Iterator[Question]:
        which = e.name if city.name[:4].lower() not in e.name else f"element {e.number}"
        keys, c = [f"element:{e.symbol}", *self.home(city)], self.facts.countries[city.country]
        first, people = (self.to.element_url(e), city.name), t.number(city.population)
        wordings = [
            f"What population does the gazetteer give for the city that {which} is named after?",
            f"How many people live, by the gazetteer, in the city after which {which} is named?",
        ]
        yield self._chain(
            "namesake-city", e.symbol, wordings, [people], [first, (self.to.city_url(city), people)], keys
        )
        if c.currency:
            money = self.money(c.currency)
            wordings = [f"In which currency does one pay in the country of the city after which {which} is named?"]
            steps = [first, (self.to.city_url(city), c.name), (self.to.country_url(c), money[0])]
            yield self._chain("namesake-city-currency", e.symbol, wordings, money, steps, keys)

    def _from_discovery(self, e: Element) -> Iterator[Question]:
        """From an element to the country where it was found."""
        c = self.facts.countries[e.places[0]]
        if len(e.places) > 1 or c not in self.capitals or not c.capital or not c.tld:
            return
        url, keys = self.to.element_url(e), [f"element:{e.symbol}", *self.keys(c)]
        wordings = [
            f"What is the capital of the country in which {e.name} was {verb(e)}?",
            f"{t.upper(e.name)} was {verb(e)} in a country whose capital is which city?",
        ]
        steps = [(url, c.name), (self.to.country_url(c), c.capital)]
        yield self._chain("element-capital", e.symbol, wordings, [c.capital], steps, keys)
        number = f"the element with the atomic number {e.number}"
        wordings = [
            f"What is the internet domain of the country where {number} was {verb(e)}?",
            f"In which internet domain do the web addresses of the country end where {number} was {verb(e)}?",
        ]
        steps = [(self.to.data_url(e), e.name), (url, c.name), (self.to.codes_url(c), c.tld)]
        yield self._chain("number-place-domain", e.symbol, wordings, [c.tld, c.tld[1:]], steps, keys)

    def _from_discoverer(self, e: Element) -> Iterator[Question]:
        if len(e.discoverers) != 1 or is_institution(e.discoverers[0]):
            return
        who, keys = e.discoverers[0], [f"element:{e.symbol}"]
        found = self.facts.people[who]
        if e.melting is not None and len(found) > 1 and [x.year for x in found].count(e.year) == 1:
            wordings = [
                f"At how many degrees Celsius does the element that {who} {verb(e)} in {e.year} melt?",
                f"What is the melting point, in °C, of the element {verb(e)} by {who} in {e.year}?",
            ]
            steps = [(self.to.person_url(who), f"({e.symbol})"), (self.to.data_url(e), t.temperature(e.melting))]
            answers = bare(t.temperature(e.melting))
            yield self._chain("person-year-melting", e.symbol, wordings, answers, steps, keys)
        others = [x for x in found if x is not e]
        if len(others) == 1 and others[0] in self.dated:
            wordings = [
                f"Which other element is credited to the person who {verb(e)} {e.name}?",
                f"The one who {verb(e)} {e.name} is credited with one more element. Which?",
            ]
            steps = [(self.to.element_url(e), who), (self.to.person_url(who), others[0].name)]
            answers = [others[0].name, others[0].symbol]
            yield self._chain("other-element", e.symbol, wordings, answers, steps, keys)

    def _from_currencies(self) -> Iterator[Question]:
        for x in self.facts.currencies.values():
            users = self.facts.by_currency[x.code]
            c = users[0]
            if len(users) == 1 and c in self.countries and c.noun == "country" and c.population:
                wordings = [
                    f"By the Statistics Office, how many people live in the one country whose currency is {x.code}?",
                    f"Only one country pays in {x.code}. What is its population in the Statistics Office's data sheet?",
                ]
                people = t.number(c.population)
                steps = [(self.to.currency_url(x.code), c.name), (self.to.sheet_url(c), people)]
                yield self._chain("currency-population", x.code, wordings, [people], steps, self.keys(c))
