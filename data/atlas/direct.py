"""Direct retrieval: questions that one page answers."""

from collections.abc import Iterator

from . import text as t
from .links import is_institution
from .model import Airport, City, Country, Element
from .questions import Maker, Question, bare
from .science import verb


class Direct(Maker):
    """Direct retrieval: one page states the answer."""

    def questions(self) -> Iterator[Question]:
        """All of them, country by country, place by place, element by element."""
        f = self.facts
        for c in self.countries:
            yield from self._country(c)
            yield from self._figures(c)
        for city in f.cities.values():
            if self.settled(city):
                yield from self._city(city)
        for a in f.airports.values():
            if self.settled(f.cities[a.city]):
                yield from self._airport(a)
        yield from self._counties()
        for e in self.elements:
            yield from self._element(e)
        for e in self.dated:
            yield from self._discovery(e)

    def _one(
        self,
        kind: str,
        about: str,
        wordings: list[str],
        answers: list[str],
        url: str,
        entities: list[str],
        said: str = "",
    ) -> Question:
        """`said` is how the page puts the answer, where that differs from the first accepted spelling."""
        return Question(
            kind, (about,), t.choose(about, *wordings), answers, [url], "direct", 1, entities,
            {"op": "lookup", "steps": [[url, said or answers[0]]]},
        )  # fmt: skip

    def _country(self, c: Country) -> Iterator[Question]:
        the, about, keys = c.the, c.iso3, self.keys(c)
        article, codes = self.to.country_url(c), self.to.codes_url(c)
        if c in self.capitals and c.capital:
            wordings = [
                f"What is the capital of {the}?",
                f"Which city is the capital of {the}?",
                f"Name the capital of {the}.",
            ]
            yield self._one("capital", about, wordings, [c.capital], article, keys)
        if c.currency:
            wordings = [
                f"What currency is used in {the}?",
                f"In which currency does one pay in {the}?",
                f"What is the money of {the} called?",
            ]
            yield self._one("currency", about, wordings, self.money(c.currency), article, keys)
        if len(c.calling) == 1:
            wordings = [
                f"What is the international calling code of {the}?",
                f"Which code do I dial to telephone {the}?",
            ]
            yield self._one("calling", about, wordings, [c.calling[0], c.calling[0][1:]], codes, keys)
        if c.tld:
            wordings = [
                f"What is the internet country domain of {the}?",
                f"Which top-level domain belongs to {the}?",
            ]
            yield self._one("domain", about, wordings, [c.tld, c.tld[1:]], codes, keys)
        if len(c.languages) == 1:
            wordings = [f"What is the official language of {the}?"]
            name = self.facts.languages[c.languages[0]].name
            yield self._one("language", about, wordings, [name], article, keys)

    def _figures(self, c: Country) -> Iterator[Question]:
        the, about, keys, sheet = c.the, c.iso3, self.keys(c), self.to.sheet_url(c)
        if c.population and c.noun == "country":
            wordings = [
                f"According to the Statistics Office, how many people live in {the}?",
                f"What population does the Statistics Office give for {the}?",
                f"How many inhabitants does {the} have, by the Statistics Office's data sheet?",
            ]
            yield self._one("population", about, wordings, [t.number(c.population)], sheet, keys)
        if c.area and c.noun == "country":
            wordings = [
                f"What is the area of {the} in square kilometres, as the Statistics Office gives it?",
                f"How many square kilometres does {the} cover according to the Statistics Office?",
            ]
            area = t.number(c.area)
            yield self._one("area", about, wordings, [area, f"{area} km²"], sheet, keys)
        yield self._one("iso3", about, [f"What is the three-letter ISO 3166 code of {the}?"], [c.iso3], sheet, keys)

    def _city(self, city: City) -> Iterator[Question]:
        label, about, url = self.facts.city_label(city), f"{city.id}", self.to.city_url(city)
        wordings = [
            f"What population does the gazetteer give for {label}?",
            f"How many people live in {label}, according to the gazetteer?",
            f"Look up the number of inhabitants of {label} in the gazetteer.",
        ]
        yield self._one("city-population", about, wordings, [t.number(city.population)], url, self.home(city))
        wordings = [
            f"Which time zone of the tz database does {label} follow?",
            f"What is the name of the time zone (such as Europe/Paris) of {label}?",
        ]
        if city.zone != "Europe/Paris" and not city.zone.endswith(city.name):
            yield self._one("city-zone", about, wordings, [city.zone], url, self.home(city))

    def _airport(self, a: Airport) -> Iterator[Question]:
        city, url = self.facts.cities[a.city], self.to.airport_url(a)
        home = self.home(city)
        wordings = [
            f"Which city does the airport with the IATA code {a.iata} serve?",
            f"My luggage tag says {a.iata}. Which city's airport is that?",
        ]
        yield self._one("iata", a.iata, wordings, [city.name], url, home)
        wordings = [f"What is the ICAO code of {a.name}?", f"Which four-letter ICAO code does {a.name} have?"]
        yield self._one("icao", a.iata, wordings, [a.icao], url, home)
        wordings = [
            f"How many feet above sea level is {a.name} ({a.iata})?",
            f"What is the elevation of {a.name} in feet?",
        ]
        feet = t.number(a.elevation)
        yield self._one("elevation", a.iata, wordings, [feet, f"{feet} ft"], url, home, f"{feet} ft")
        if a.longest and a.runways > 1:
            feet = t.number(a.longest)
            wordings = [
                f"How long, in feet, was the longest runway of {a.name} in 2022?",
                f"In 2022, what was the length of the longest runway at {a.name}, in feet?",
            ]
            yield self._one("runway", a.iata, wordings, [feet, f"{feet} ft"], url, home, f"{feet} ft")

    def _counties(self) -> Iterator[Question]:
        url = f"{t.STATISTICS}/us-states"
        for s in self.facts.states.values():
            wordings = [
                f"How many counties or county equivalents does the US state of {s.name} have?",
                f"Into how many counties (or equivalents) is {s.name} divided?",
            ]
            if s.code not in ("DC", "CT"):  # Connecticut has put planning regions in the place of its counties
                keys, said = [f"state:{s.code}"], f"{s.code} | {s.counties}"
                yield self._one("counties", s.code, wordings, [f"{s.counties}"], url, keys, said)

    def _element(self, e: Element) -> Iterator[Question]:
        keys, sheet = [f"element:{e.symbol}"], self.to.data_url(e)
        if e.melting is not None:
            wordings = [
                f"At how many degrees Celsius does {e.name} melt?",
                f"What is the melting point of {e.name} in °C?",
            ]
            yield self._one("melting", e.symbol, wordings, bare(t.temperature(e.melting)), sheet, keys)
        if e.density is not None:
            wordings = [f"What density does the Handbook give for {e.name}, in grams per cubic centimetre?"]
            yield self._one("density", e.symbol, wordings, [f"{e.density:g}", f"{e.density:g} g/cm³"], sheet, keys)
        yield self._one("cas", e.symbol, [f"What is the CAS number of {e.name}?"], [e.cas], sheet, keys)
        wordings = [f"Which symbol stands for {e.name} in the periodic table?"]
        yield self._one("symbol", e.symbol, wordings, [e.symbol], sheet, keys, f"Symbol | {e.symbol}")

    def _discovery(self, e: Element) -> Iterator[Question]:
        keys, url = [f"element:{e.symbol}"], self.to.element_url(e)
        wordings = [f"In which year was {e.name} {verb(e)}?", f"When was {e.name} {verb(e)}? Give the year."]
        yield self._one("year", e.symbol, wordings, [f"{e.year}"], url, keys)
        if len(e.discoverers) == 1 and not is_institution(e.discoverers[0]):
            wordings = [f"Who {verb(e)} {e.name}?", f"Which scientist {verb(e)} {e.name}?"]
            yield self._one("discoverer", e.symbol, wordings, self.person(e.discoverers[0]), url, keys)
