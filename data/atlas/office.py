"""The statistics office: a data sheet a country, tables by continent, rankings."""

from collections.abc import Callable, Iterator

from . import text as t
from .links import Links
from .model import Continent, Country, Facts
from .text import Page, choose

Figure = Callable[[Country], float | None]


class StatisticsOffice:
    """The data sheets and tables."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)
        self.population = _order(facts, lambda c: c.population)
        self.area = _order(facts, lambda c: c.area)
        self.density = _order(facts, lambda c: c.density)

    def pages(self) -> Iterator[Page]:
        """Every page of the site, in a fixed order."""
        f = self.facts
        yield from (self._sheet(c) for c in f.countries.values())
        for continent in f.continents.values():
            yield self._by_population(continent)
            yield self._by_area(continent)
        yield from self._rankings()
        yield self._borders()
        yield self._largest_cities()
        yield self._states()
        yield self._front()

    def _sheet(self, c: Country) -> Page:
        f, to = self.facts, self.to
        continent = f.continents[c.continent]
        pairs = [
            ("Continent", to.continent(c.continent)),
            ("Population", t.number(c.population) if c.population else None),
            ("World rank by population", self._rank(self.population, c)),
            ("Area", f"{t.number(c.area)} km²" if c.area else None),
            ("World rank by area", self._rank(self.area, c)),
            ("Population density", f"{t.number(c.density)} per km²" if c.density else None),
            ("Land neighbours", str(len(c.neighbours))),
            ("Cities in the gazetteer", str(len(f.in_country.get(c.iso, [])))),
        ]
        return t.page(
            to.sheet_url(c),
            f"{c.name}: data sheet",
            f"# {c.name}: data sheet",
            choose(
                c.iso + "sheet",
                f"Key figures for {to.the_country(c.iso)}.",
                f"What the office publishes about {to.the_country(c.iso)}.",
                f"{t.upper(c.the)} in figures; the encyclopedia has {t.link('an article', to.country_url(c))}.",
            ),
            "## Figures\n\n" + t.facts(pairs),
            self._share(c, continent),
            "## Codes\n\n" + t.table(["ISO 2-letter", "ISO 3-letter"], [(c.iso, c.iso3)]),
            "Tables: "
            + t.listed(
                [
                    t.link(f"population of {continent.name}", _population_url(continent)),
                    t.link(f"area and density in {continent.name}", _area_url(continent)),
                ]
            )
            + ".",
        )

    def _share(self, c: Country, continent: Continent) -> str:
        total = sum(x.population or 0 for x in self.facts.by_continent[continent.code])
        share = 100 * (c.population or 0) / total
        if share < 0.1:
            return ""
        return choose(
            c.iso + "share",
            f"{t.upper(c.the)} has {share:.1f} % of the population of {continent.name} in our tables.",
            f"Of all inhabitants of {continent.name} in our tables, {share:.1f} % live here.",
        )

    def _rank(self, order: list[Country], c: Country) -> str | None:
        return f"{t.rank(order.index(c) + 1)} of {len(order)}" if c in order else None

    def _by_population(self, continent: Continent) -> Page:
        rows = [c for c in self.population if c.continent == continent.code]
        total = sum(c.population or 0 for c in rows)
        return t.page(
            _population_url(continent),
            f"Population of {continent.name} by country",
            f"# Population of {continent.name} by country",
            f"{t.upper(t.count(len(rows), 'country or territory', 'countries and territories'))}, together "
            f"{t.number(total)} inhabitants. Figures are those of GeoNames.",
            t.table(
                ["Rank", "Country or territory", "Capital", "Population"],
                [
                    (i, self.to.sheet(c.iso), c.capital or t.DASH, t.number(c.population or 0))
                    for i, c in enumerate(rows, 1)
                ],
            ),
        )

    def _by_area(self, continent: Continent) -> Page:
        rows = [c for c in self.area if c.continent == continent.code]
        total = sum(c.area or 0 for c in rows)
        return t.page(
            _area_url(continent),
            f"Area and population density in {continent.name}",
            f"# Area and population density in {continent.name}",
            f"Together the {len(rows)} countries and territories of the table cover {t.number(total)} km².",
            t.table(
                ["Country or territory", "Area (km²)", "Density (per km²)"],
                [
                    (self.to.sheet(c.iso), t.number(c.area or 0), t.number(c.density) if c.density else t.DASH)
                    for c in rows
                ],
            ),
        )

    def _rankings(self) -> Iterator[Page]:
        people, area, density = self.population, self.area, self.density
        kinds: list[tuple[str, str, list[Country], Figure]] = [
            ("most-populous", "Most populous countries and territories", people, lambda c: c.population),
            ("least-populous", "Least populous countries and territories", people[::-1], lambda c: c.population),
            ("largest", "Largest countries and territories (km²)", area, lambda c: c.area),
            ("smallest", "Smallest countries and territories (km²)", area[::-1], lambda c: c.area),
            ("most-crowded", "Most crowded countries and territories (per km²)", density, lambda c: c.density),
            ("least-crowded", "Least crowded countries and territories (per km²)", density[::-1],
             lambda c: c.density),
        ]  # fmt: skip
        for name, title, order, figure in kinds:
            yield t.page(
                f"{t.STATISTICS}/ranking/{name}",
                title,
                f"# {title}",
                t.table(
                    ["Rank", "Country or territory", "Continent", "Value"],
                    [
                        (i, self.to.sheet(c.iso), self.to.continent(c.continent), t.number(figure(c) or 0))
                        for i, c in enumerate(order[:50], 1)
                    ],
                ),
            )

    def _borders(self) -> Page:
        rows = sorted(self.facts.countries.values(), key=lambda c: (-len(c.neighbours), c.slug))
        return t.page(
            f"{t.STATISTICS}/land-borders",
            "Countries and territories by number of land neighbours",
            "# Land neighbours",
            "How many other countries and territories each one borders on land; those that border none are left out.",
            t.table(
                ["Country or territory", "Neighbours"],
                [(self.to.sheet(c.iso), len(c.neighbours)) for c in rows if c.neighbours],
            ),
        )

    def _largest_cities(self) -> Page:
        cities = sorted(self.facts.cities.values(), key=lambda c: (-c.population, c.id))[:120]
        return t.page(
            f"{t.STATISTICS}/cities/largest",
            "Largest cities",
            "# The largest cities",
            "The 120 most populous cities of the gazetteer, as GeoNames counts them: some by the city proper, some by "
            "the urban area.",
            t.table(
                ["Rank", "City", "Country", "Population"],
                [
                    (i, self.to.city(c), self.to.sheet(c.country), t.number(c.population))
                    for i, c in enumerate(cities, 1)
                ],
            ),
        )

    def _states(self) -> Page:
        rows = sorted(self.facts.states.values(), key=lambda s: (-s.counties, s.name))
        return t.page(
            f"{t.STATISTICS}/us-states",
            "States of the United States by number of counties",
            "# States of the United States by number of counties",
            "Counties and county equivalents (parishes, boroughs, independent cities).",
            t.table(
                ["State", "Code", "Counties", "Cities in the gazetteer"],
                [(self.to.state(s.code), s.code, s.counties, len(self.facts.in_state.get(s.code, []))) for s in rows],
            ),
        )

    def _front(self) -> Page:
        named = ["most-populous", "largest", "most-crowded", "least-populous", "smallest", "least-crowded"]
        rows = []
        for c in self.facts.continents.values():
            members = self.facts.by_continent[c.code]
            rows.append(
                (
                    self.to.continent(c.code),
                    len(members),
                    t.link(t.number(sum(m.population or 0 for m in members)), _population_url(c)),
                    t.link(t.number(sum(m.area or 0 for m in members)), _area_url(c)),
                )
            )
        return t.page(
            f"{t.STATISTICS}/",
            "Statistics Office",
            "# The statistics office of the atlas",
            "Figures on countries and territories, after GeoNames. Antarctica is not counted.",
            t.table(["Continent", "Countries and territories", "Population", "Area (km²)"], rows),
            "## Rankings\n\n"
            + t.bullets(
                [t.link(n.replace("-", " "), f"{t.STATISTICS}/ranking/{n}") for n in named]
                + [
                    t.link("land neighbours", f"{t.STATISTICS}/land-borders"),
                    t.link("largest cities", f"{t.STATISTICS}/cities/largest"),
                    t.link("states of the United States", f"{t.STATISTICS}/us-states"),
                ]
            ),
            "## Data sheets\n\n" + t.bullets(self.to.sheet(iso) for iso in self.facts.countries),
        )


def _order(facts: Facts, figure: Figure) -> list[Country]:
    known = [c for c in facts.countries.values() if figure(c)]
    return sorted(known, key=lambda c: (-(figure(c) or 0), c.slug))


def _population_url(c: Continent) -> str:
    return f"{t.STATISTICS}/population/{c.slug}"


def _area_url(c: Continent) -> str:
    return f"{t.STATISTICS}/area/{c.slug}"
