"""Where every thing of the atlas stands on each site, and links there."""

from . import text as t
from .model import Airport, City, Continent, Country, Element, Facts
from .sources import slug


class Links:
    """URLs by site: `country` is the encyclopedia's page, `sheet` the statistics office's, and so on."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.zones = {c.zone for c in facts.cities.values()} | {a.zone for a in facts.airports.values()}

    def country_url(self, c: Country) -> str:
        return f"{t.ENCYCLOPEDIA}/country/{c.slug}"

    def country(self, iso: str) -> str:
        c = self.facts.countries[iso]
        return t.link(c.name, self.country_url(c))

    def the_country(self, iso: str) -> str:
        c = self.facts.countries[iso]
        return f"{'the ' if c.the != c.name else ''}{self.country(iso)}"

    def sheet_url(self, c: Country) -> str:
        return f"{t.STATISTICS}/country/{c.iso3.lower()}"

    def sheet(self, iso: str) -> str:
        c = self.facts.countries[iso]
        return t.link(c.name, self.sheet_url(c))

    def codes_url(self, c: Country) -> str:
        return f"{t.ALMANAC}/country/{c.iso.lower()}"

    def codes(self, iso: str) -> str:
        c = self.facts.countries[iso]
        return t.link(c.name, self.codes_url(c))

    def places_url(self, c: Country) -> str:
        return f"{t.GAZETTEER}/places/{c.iso.lower()}"

    def places(self, iso: str) -> str:
        c = self.facts.countries[iso]
        return t.link(c.name, self.places_url(c))

    def continent(self, code: str) -> str:
        c = self.facts.continents[code]
        return t.link(c.name, self.continent_url(c))

    def continent_url(self, c: Continent) -> str:
        return f"{t.ENCYCLOPEDIA}/continent/{c.slug}"

    def city_url(self, c: City) -> str:
        return f"{t.GAZETTEER}/city/{c.country.lower()}/{c.slug}"

    def city(self, c: City) -> str:
        return t.link(c.name, self.city_url(c))

    def capital_url(self, c: City) -> str:
        return f"{t.ENCYCLOPEDIA}/capital/{c.slug}-{c.country.lower()}"

    def capital(self, country: Country) -> str | None:
        """The capital, linked to its article where there is one."""
        if country.capital_id is None:
            return country.capital
        city = self.facts.cities[country.capital_id]
        return t.link(city.name, self.capital_url(city))

    def state_url(self, code: str) -> str:
        return f"{t.ENCYCLOPEDIA}/us-state/{self.facts.states[code].slug}"

    def state(self, code: str) -> str:
        return t.link(self.facts.states[code].name, self.state_url(code))

    def airport_url(self, a: Airport) -> str:
        return f"{t.GAZETTEER}/airport/{a.iata.lower()}"

    def airport(self, a: Airport) -> str:
        return t.link(a.name, self.airport_url(a))

    def zone_url(self, name: str) -> str:
        return f"{t.ALMANAC}/time-zone/{slug(name)}"

    def zone(self, name: str) -> str:
        return t.link(name, self.zone_url(name)) if name in self.zones else name

    def currency_url(self, code: str) -> str:
        return f"{t.ALMANAC}/currency/{code.lower()}"

    def currency(self, code: str) -> str:
        return t.link(self.facts.currencies[code].name, self.currency_url(code))

    def language_url(self, code: str) -> str:
        return f"{t.ENCYCLOPEDIA}/language/{slug(self.facts.languages[code].name)}"

    def language(self, code: str) -> str:
        return t.link(self.facts.languages[code].name, self.language_url(code))

    def element_url(self, e: Element) -> str:
        return f"{t.ENCYCLOPEDIA}/element/{e.slug}"

    def element(self, e: Element) -> str:
        return t.link(e.name, self.element_url(e))

    def data_url(self, e: Element) -> str:
        return f"{t.HANDBOOK}/element/{e.symbol.lower()}"

    def data(self, e: Element) -> str:
        return t.link(e.name, self.data_url(e))

    def person_url(self, name: str) -> str:
        kind = "institution" if is_institution(name) else "people"
        return f"{t.ENCYCLOPEDIA}/{kind}/{slug(name)}"

    def person(self, name: str) -> str:
        return t.link(name, self.person_url(name))

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
        if kind == "city":
            place, name = what.split("/")
            iso, _, state = place.partition("-")
            found = [
                c for c in self.facts.by_name.get(name, ()) if c.country == iso and (not state or c.state == state)
            ]
            return self.city(found[0]) if found else None
        return None


def is_institution(name: str) -> bool:
    return name in {"RIKEN"} or "Laboratory" in name or "Institute" in name or "Centre" in name
