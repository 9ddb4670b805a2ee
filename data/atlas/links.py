"""Where every thing of the atlas stands on each site, and links there."""

from . import text as t
from .model import Airport, City, Continent, Country, Element, Facts
from .reading import slug


class Links:
    """URLs by site: `country` is the encyclopedia's page, `sheet` the statistics office's, and so on."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.zones = {c.zone for c in facts.cities.values()} | {a.zone for a in facts.airports.values()}

    def country_url(self, c: Country) -> str:
        """The article in the encyclopedia."""
        return f"{t.ENCYCLOPEDIA}/country/{c.slug}"

    def country(self, iso: str) -> str:
        """A link to the article."""
        c = self.facts.countries[iso]
        return t.link(c.name, self.country_url(c))

    def the_country(self, iso: str) -> str:
        """A link to the article, with the article English puts before the name."""
        c = self.facts.countries[iso]
        return f"{'the ' if c.the != c.name else ''}{self.country(iso)}"

    def sheet_url(self, c: Country) -> str:
        """The statistics office's data sheet."""
        return f"{t.STATISTICS}/country/{c.iso3.lower()}"

    def sheet(self, iso: str) -> str:
        """A link to the data sheet."""
        c = self.facts.countries[iso]
        return t.link(c.name, self.sheet_url(c))

    def codes_url(self, c: Country) -> str:
        """The almanac's page of codes and clocks."""
        return f"{t.ALMANAC}/country/{c.iso.lower()}"

    def codes(self, iso: str) -> str:
        """A link to the page of codes and clocks."""
        c = self.facts.countries[iso]
        return t.link(c.name, self.codes_url(c))

    def places_url(self, c: Country) -> str:
        """The gazetteer's list of places in a country."""
        return f"{t.GAZETTEER}/places/{c.iso.lower()}"

    def places(self, iso: str) -> str:
        """A link to the list of places."""
        c = self.facts.countries[iso]
        return t.link(c.name, self.places_url(c))

    def continent(self, code: str) -> str:
        """A link to the article."""
        c = self.facts.continents[code]
        return t.link(c.name, self.continent_url(c))

    def continent_url(self, c: Continent) -> str:
        """The article in the encyclopedia."""
        return f"{t.ENCYCLOPEDIA}/continent/{c.slug}"

    def city_url(self, c: City) -> str:
        """The gazetteer's entry."""
        return f"{t.GAZETTEER}/city/{c.country.lower()}/{c.slug}"

    def city(self, c: City) -> str:
        """A link to the entry."""
        return t.link(c.name, self.city_url(c))

    def capital_url(self, c: City) -> str:
        """The encyclopedia's article on a capital."""
        return f"{t.ENCYCLOPEDIA}/capital/{c.slug}-{c.country.lower()}"

    def capital(self, country: Country) -> str | None:
        """The capital, linked to its article where there is one."""
        if country.capital_id is None:
            return country.capital
        city = self.facts.cities[country.capital_id]
        return t.link(city.name, self.capital_url(city))

    def state_url(self, code: str) -> str:
        """The article on a state of the United States."""
        return f"{t.ENCYCLOPEDIA}/us-state/{self.facts.states[code].slug}"

    def state(self, code: str) -> str:
        """A link to the article."""
        return t.link(self.facts.states[code].name, self.state_url(code))

    def airport_url(self, a: Airport) -> str:
        """The gazetteer's entry."""
        return f"{t.GAZETTEER}/airport/{a.iata.lower()}"

    def airport(self, a: Airport) -> str:
        """A link to the entry."""
        return t.link(a.name, self.airport_url(a))

    def zone_url(self, name: str) -> str:
        """The almanac's page of a time zone."""
        return f"{t.ALMANAC}/time-zone/{slug(name)}"

    def zone(self, name: str) -> str:
        """A link to the page, or the bare name of a zone that no city of the atlas follows."""
        return t.link(name, self.zone_url(name)) if name in self.zones else name

    def currency_url(self, code: str) -> str:
        """The almanac's page."""
        return f"{t.ALMANAC}/currency/{code.lower()}"

    def currency(self, code: str) -> str:
        """A link to the page."""
        return t.link(self.facts.currencies[code].name, self.currency_url(code))

    def language_url(self, code: str) -> str:
        """The article in the encyclopedia."""
        return f"{t.ENCYCLOPEDIA}/language/{slug(self.facts.languages[code].name)}"

    def language(self, code: str) -> str:
        """A link to the article."""
        return t.link(self.facts.languages[code].name, self.language_url(code))

    def element_url(self, e: Element) -> str:
        """The article in the encyclopedia."""
        return f"{t.ENCYCLOPEDIA}/element/{e.slug}"

    def element(self, e: Element) -> str:
        """A link to the article."""
        return t.link(e.name, self.element_url(e))

    def data_url(self, e: Element) -> str:
        """The handbook's data sheet."""
        return f"{t.HANDBOOK}/element/{e.symbol.lower()}"

    def data(self, e: Element) -> str:
        """A link to the data sheet."""
        return t.link(e.name, self.data_url(e))

    def person_url(self, name: str) -> str:
        """The article on a person or an institution."""
        kind = "institution" if is_institution(name) else "people"
        return f"{t.ENCYCLOPEDIA}/{kind}/{slug(name)}"

    def person(self, name: str) -> str:
        """A link to the article."""
        return t.link(name, self.person_url(name))

    def the_person(self, name: str) -> str:
        """A link inside a sentence: some institutions need an article."""
        return f"{'the ' if name.startswith(WITH_ARTICLE) else ''}{self.person(name)}"

    def named_after(self, kind: str, what: str) -> str | None:
        """A link to what an element is named after, where the atlas has a page of it."""
        if kind == "country":
            return self.the_country(what)
        if kind == "continent":
            return self.continent(what)
        if kind == "state":
            return self.state(what)
        if kind in ("person", "institution"):
            return self.person(what)
        if kind == "city" and (city := self.named_city(what)):
            return self.city(city)
        return None

    def named_city(self, what: str) -> City | None:
        """The city that elements.tsv writes as `DE/Darmstadt` or `US-CA/Berkeley`."""
        place, name = what.split("/")
        iso, _, state = place.partition("-")
        here = (c for c in self.facts.by_name.get(name, ()) if c.country == iso and (not state or c.state == state))
        return next(here, None)


WITH_ARTICLE = ("GSI", "Joint Institute")


def is_institution(name: str) -> bool:
    """Whether a discoverer is an institution and no person."""
    return name == "RIKEN" or "Laboratory" in name or "Institute" in name or "Centre" in name
