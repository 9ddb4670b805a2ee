"""The gazetteer: cities and airports, where they lie, and which of them share a name."""

from collections.abc import Iterator

from . import text as t
from .links import Links
from .model import Airport, City, Country, Facts
from .places import LARGE
from .reading import kilometres, slug
from .text import Page, choose


class Gazetteer:
    """The entries of cities and airports, lists by country, cities of one name, and indexes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)
        self.spots = sorted(facts.cities.values(), key=lambda c: c.id)

    def pages(self) -> Iterator[Page]:
        """Every page of the site, in a fixed order."""
        f = self.facts
        yield from (self._city(c) for c in f.cities.values())
        yield from (self._airport(a) for a in f.airports.values())
        yield from (self._places(c) for c in f.countries.values() if c.iso in f.in_country)
        yield from (self._namesakes(name, cities) for name, cities in f.by_name.items() if len(cities) > 1)
        yield from self._indexes()

    def _city(self, c: City) -> Page:
        f, to = self.facts, self.to
        country = f.countries[c.country]
        where = (f"{to.state(c.state)}, " if c.state and c.state != "DC" else "") + to.the_country(c.country)
        key = f"{c.id}"
        lead = choose(
            key,
            f"{c.name} is a city in {where}.",
            f"**{c.name}**, {where}.",
            f"The city of {c.name} lies in {where}.",
            f"{c.name} ({where}) has {t.number(c.population)} inhabitants.",
        )
        place = f.in_country[c.country].index(c) + 1
        order = "the most populous" if place == 1 else f"the {t.rank(place)} most populous"
        if c.capital:
            lead += f" It is the capital of {country.the}."
        if len(f.in_country[c.country]) > 1 and (place <= 4 or c.population >= LARGE):
            lead += f" Of the cities in {country.the} that the gazetteer lists, it is {order}."
        same = [x for x in f.by_name[c.name] if x.id != c.id]
        aside = ""
        if same:
            aside = "Not to be confused with " + t.listed(
                [t.link(f.city_label(x), to.city_url(x)) for x in same]
            ) + f"; see {t.link('places of this name', _same_url(c.name))}."  # fmt: skip
        return t.page(
            to.city_url(c),
            f.city_label(c),
            f"# {c.name}",
            aside,
            lead,
            t.facts(
                [
                    ("Country", to.country(c.country)),
                    ("State", to.state(c.state) if c.state else None),
                    ("Population", t.number(c.population)),
                    ("Coordinates", t.degrees(c.lat, c.lon)),
                    ("Time zone", to.zone(c.zone)),
                    ("Encyclopedia", t.link(c.name, to.capital_url(c)) if c.capital else None),
                ]
            ),
            "## Airports\n\n" + self._airports(c) if f.airports_of.get(c.id) else "",
            self._near(c),
            f"More {t.link('places in ' + country.the, to.places_url(country))}.",
        )

    def _airports(self, c: City) -> str:
        airports = self.facts.airports_of[c.id]
        if len(airports) == 1:
            a = airports[0]
            return choose(
                f"{c.id}air",
                f"{self.to.airport(a)} ({a.iata}) serves the city.",
                f"The city's airport is {self.to.airport(a)}, IATA code {a.iata}.",
            )
        rows = [(self.to.airport(a), a.iata, a.icao) for a in airports]
        return t.table(["Airport", "IATA", "ICAO"], rows)

    def _near(self, c: City) -> str:
        here = (c.lat, c.lon)
        near = [x for x in self.spots if x.id != c.id and abs(x.lat - c.lat) < 4]
        by_distance = sorted((kilometres(here, (x.lat, x.lon)), x.id, x) for x in near)[:3]
        if not by_distance:
            return ""
        named = [f"{self.to.city(x)} ({t.number(round(km))} km)" for km, _, x in by_distance]
        return f"Nearest cities in the gazetteer, as the crow flies: {t.listed(named)}."

    def _airport(self, a: Airport) -> Page:
        f, to = self.facts, self.to
        city = f.cities[a.city]
        serves = f"{to.city(city)}, {to.country(a.country)}"
        metres = t.number(round(a.elevation * 0.3048))
        key = a.iata
        lead = choose(
            key,
            f"{a.name} serves {serves}.",
            f"**{a.name}** is an airport at {serves}.",
            f"The city of {serves}, is served by {a.name}.",
        )
        codes = choose(
            key + "codes",
            f"Its IATA code is {a.iata} and its ICAO code {a.icao}.",
            f"Timetables call it {a.iata}; air traffic control calls it {a.icao}.",
            f"IATA knows it as {a.iata}, ICAO as {a.icao}.",
        )
        others = [x for x in f.airports_of[a.city] if x.iata != a.iata]
        runway = None
        if a.runways and a.longest:
            runway = f"{t.count(a.runways, 'runway')}, " + ("" if a.runways == 1 else "the longest ")
            runway += f"{t.number(a.longest)} ft" + (" long" if a.runways == 1 else "")
        return t.page(
            to.airport_url(a),
            f"{a.name} ({a.iata})",
            f"# {a.name}",
            f"{lead} {codes}",
            t.facts(
                [
                    ("City", to.city(city)),
                    ("Country", to.country(a.country)),
                    ("Region", a.region),
                    ("Elevation", f"{t.number(a.elevation)} ft ({metres} m) above sea level"),
                    ("Runways in 2022", runway),
                    ("Coordinates", t.degrees(a.lat, a.lon)),
                    ("Time zone", to.zone(a.zone)),
                ]
            ),
            f"Also serving {city.name}: {t.listed([to.airport(x) for x in others])}." if others else "",
        )

    def _places(self, c: Country) -> Page:
        f, to = self.facts, self.to
        cities = f.in_country[c.iso]
        airports = sorted((a for a in f.airports.values() if a.country == c.iso), key=lambda a: a.iata)
        by_city = [
            (to.city(x) + (f", {f.states[x.state].name}" if x.state else ""), t.number(x.population), to.zone(x.zone))
            for x in cities
        ]
        by_code = [(a.iata, to.airport(a), to.city(f.cities[a.city]), t.number(a.elevation)) for a in airports]
        return t.page(
            to.places_url(c),
            f"Places in {c.the}",
            f"# Places in {c.the}",
            f"The gazetteer lists {t.count(len(cities), 'city', 'cities')} and {t.count(len(airports), 'airport')} in "
            f"{to.the_country(c.iso)}.",
            "## Cities by population\n\n" + t.table(["City", "Population", "Time zone"], by_city),
            "## Airports\n\n" + t.table(["IATA", "Airport", "City", "Elevation (ft)"], by_code) if airports else "",
        )

    def _namesakes(self, name: str, cities: list[City]) -> Page:
        rows = [
            f"{t.link(self.facts.city_label(c), self.to.city_url(c))}: "
            + (f"{self.facts.states[c.state].name}, " if c.state else "")
            + f"{self.to.country(c.country)}, population {t.number(c.population)}"
            for c in cities
        ]
        return t.page(
            _same_url(name),
            f"{name} (places of this name)",
            f"# {name}",
            f"{t.upper(t.count(len(cities), 'city', 'cities'))} of the gazetteer {'is' if len(cities) == 1 else 'are'} "
            f"called {name}.",
            t.bullets(rows),
        )

    def _indexes(self) -> Iterator[Page]:
        f, to = self.facts, self.to
        letters = sorted({a.iata[0] for a in f.airports.values()})
        shared = sorted(name for name, cities in f.by_name.items() if len(cities) > 1)
        yield t.page(
            f"{t.GAZETTEER}/",
            "Gazetteer",
            "# The gazetteer of the atlas",
            f"{t.number(len(f.cities))} cities and {t.number(len(f.airports))} airports with scheduled flights. City "
            "populations and coordinates are those of GeoNames; an airport is listed when two tables agree on it.",
            "## By country\n\n" + t.bullets(to.places(iso) for iso in f.countries if iso in f.in_country),
            "## Indexes\n\n"
            + t.bullets(
                [
                    t.link("Cities that share a name", f"{t.GAZETTEER}/same-name"),
                    t.link("Largest cities", f"{t.STATISTICS}/cities/largest"),
                    t.link("Highest airports", f"{t.GAZETTEER}/highest-airports"),
                    *(t.link(f"IATA codes: {x}", f"{t.GAZETTEER}/iata/{x.lower()}") for x in letters),
                ]
            ),
        )
        yield from self._codes(letters)
        yield t.page(
            f"{t.GAZETTEER}/same-name",
            "Cities that share a name",
            "# Cities that share a name",
            t.bullets(f"{t.link(name, _same_url(name))} ({len(f.by_name[name])})" for name in shared),
        )
        highest = sorted(f.airports.values(), key=lambda a: (-a.elevation, a.iata))[:60]
        yield t.page(
            f"{t.GAZETTEER}/highest-airports",
            "Highest airports",
            "# The highest airports of the gazetteer",
            t.table(
                ["Rank", "Airport", "IATA", "Country", "Elevation (ft)"],
                [
                    (i, to.airport(a), a.iata, to.country(a.country), t.number(a.elevation))
                    for i, a in enumerate(highest, 1)
                ],
            ),
        )

    def _codes(self, letters: list[str]) -> Iterator[Page]:
        f, to = self.facts, self.to
        for letter in letters:
            these = [a for a in f.airports.values() if a.iata[0] == letter]
            yield t.page(
                f"{t.GAZETTEER}/iata/{letter.lower()}",
                f"IATA codes: {letter}",
                f"# IATA codes that begin with {letter}",
                t.table(
                    ["IATA", "ICAO", "Airport", "City"],
                    [(a.iata, a.icao, to.airport(a), to.city(f.cities[a.city])) for a in these],
                ),
            )


def _same_url(name: str) -> str:
    return f"{t.GAZETTEER}/name/{slug(name)}"
