"""The encyclopedia: prose about countries, capitals, US states and languages. science.py has the elements."""

from collections.abc import Iterator

from . import text as t
from .links import Links
from .model import City, Continent, Country, Facts, Language, State
from .reading import slug
from .science import verb
from .text import Page, choose

# Names that are easily taken for each other; a state of the United States is written as US-GA.
CONFUSED = {
    "Australia or Austria": "AU AT", "Congo": "CD CG", "Dominica": "DM DO", "Georgia": "GE US-GA", "Guiana": "GF GY",
    "Guinea": "GN GQ GW PG", "Iran or Iraq": "IR IQ", "Korea": "KP KR", "Mali or Malawi": "ML MW",
    "Mauritania or Mauritius": "MR MU", "Niger or Nigeria": "NE NG", "Saint Martin": "MF SX", "Samoa": "AS WS",
    "Slovakia or Slovenia": "SK SI", "Sudan": "SD SS", "Virgin Islands": "VG VI", "Virginia": "US-VA US-WV",
    "Carolina": "US-NC US-SC", "Dakota": "US-ND US-SD",
}  # fmt: skip


class Encyclopedia:
    """The articles on places and languages, pages for names easily confused, and indexes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)

    def pages(self) -> Iterator[Page]:
        """Every page of the site, in a fixed order."""
        f = self.facts
        yield from (self._country(c) for c in f.countries.values())
        yield from (self._capital(c, f.countries[c.country]) for c in f.cities.values() if c.capital)
        yield from (self._continent(c) for c in f.continents.values())
        yield from (self._state(s) for s in f.states.values())
        yield from (self._language(x) for x in f.languages.values())
        yield from self._confusions()
        yield from self._indexes()

    # ------------------------------------------------------------ places

    def _country(self, c: Country) -> Page:
        f, to = self.facts, self.to
        the = t.upper(c.the)
        where = to.continent(c.continent)
        lead = {
            "country": choose(c.iso, f"{the} is a country in {where}.", f"**{c.name}** is a country of {where}.",
                              f"{the} lies in {where}."),
            "territory": f"**{c.name}** is a territory that GeoNames counts with {where}.",
            "area": f"**{c.name}** is a disputed area that GeoNames counts with {where}.",
        }[c.noun]  # fmt: skip
        if c.aliases:
            lead += f" It is also written {t.listed(list(c.aliases))}."
        return t.page(
            to.country_url(c),
            c.name,
            f"# {c.name}",
            lead + " " + self._capital_sentence(c),
            "## Neighbours\n\n" + self._neighbours(c),
            "## People and language\n\n" + self._people(c),
            "## Money\n\n" + self._money(c),
            self._largest(c),
            self._element_notes(c),
            "## Elsewhere\n\n"
            + t.bullets(
                [
                    t.link(f"Data sheet of {c.the}", to.sheet_url(c)) + ", Statistics Office",
                    t.link(f"Codes and clocks of {c.the}", to.codes_url(c)) + ", Almanac",
                    *(
                        [t.link(f"Places in {c.the}", to.places_url(c)) + ", Gazetteer"]
                        if c.iso in f.in_country
                        else []
                    ),
                ]
            ),
        )

    def _capital_sentence(self, c: Country) -> str:
        capital = self.to.capital(c)
        if not capital:
            return ""
        return choose(
            c.iso + "capital",
            f"The capital is {capital}.",
            f"Its capital is {capital}.",
            f"It is governed from its capital, {capital}." if c.noun == "country" else f"Its capital is {capital}.",
            f"{capital} is the capital.",
        )

    def _neighbours(self, c: Country) -> str:
        names = [self.to.the_country(n) for n in c.neighbours]
        if not names:
            return choose(
                c.iso + "alone",
                f"The atlas knows of no land border of {c.the}.",
                f"No land border is listed for {c.the}.",
            )
        return choose(
            c.iso + "borders",
            f"{t.upper(c.the)} borders {t.listed(names)}.",
            f"On land, {c.the} meets {t.count(len(names), 'neighbour')}: {t.listed(names)}.",
            f"Its land borders are with {t.listed(names)}.",
        )

    def _people(self, c: Country) -> str:
        said = []
        if c.population:
            said.append(
                choose(
                    c.iso + "people",
                    f"GeoNames puts the population at {t.number(c.population)}.",
                    f"About {_round(c.population)} people live here ({t.number(c.population)} by GeoNames).",
                    f"The population is {t.number(c.population)}.",
                )
            )
        if c.languages:
            names = [self.to.language(x) for x in c.languages]
            said.append(
                choose(
                    c.iso + "tongue",
                    f"Official language: {names[0]}." if len(names) == 1 else f"Official languages: {t.listed(names)}.",
                    f"{t.listed(names)} {'has' if len(names) == 1 else 'have'} official standing.",
                    f"The official language is {names[0]}."
                    if len(names) == 1
                    else f"The official languages are {t.listed(names)}.",
                )
            )
        return " ".join(said) or "The atlas has no figures for its people."

    def _money(self, c: Country) -> str:
        if not c.currency:
            return "The atlas has no currency for it."
        others = len(self.facts.by_currency[c.currency]) - 1
        name = self.to.currency(c.currency)
        said = choose(
            c.iso + "money",
            f"The currency is the {name} ({c.currency}).",
            f"One pays in the {name}, code {c.currency}.",
            f"Prices are in the {name} ({c.currency}).",
        )
        if not others:
            return f"{said} No other country or territory of the atlas uses it."
        return (
            f"{said} {t.upper(t.count(others, 'other country or territory', 'other countries and territories'))} "
            + ("uses it too." if others == 1 else "use it too.")
        )

    def _largest(self, c: Country) -> str:
        cities = self.facts.in_country.get(c.iso, [])[:4]
        if len(cities) < 2:
            return ""
        named = [f"{self.to.city(x)} ({t.number(x.population)})" for x in cities]
        return "## Cities\n\n" + choose(
            c.iso + "cities",
            f"The largest cities in the gazetteer are {t.listed(named)}.",
            f"By population, the gazetteer puts {t.listed(named)} first.",
        )

    def _element_notes(self, c: Country) -> str:
        notes = []
        for e in self.facts.elements.values():
            if ("country", c.iso) in e.named:
                notes.append(f"The element {self.to.element(e)} is named after {c.the}.")
            if c.iso in e.places and e.year and e.how in ("discovered", "isolated", "synthesised"):
                notes.append(f"{t.upper(self.to.element(e))} was {verb(e)} here in {e.year}.")
        if not notes:
            return ""
        return "## In the history of chemistry\n\n" + (" ".join(notes) if len(notes) < 4 else t.bullets(notes))

    def _capital(self, city: City, c: Country) -> Page:
        to = self.to
        airports = self.facts.airports_of.get(city.id, [])
        zone = self.facts.zones[city.zone]
        lead = choose(
            f"{city.id}lead",
            f"{city.name} is the capital of {to.the_country(c.iso)}.",
            f"**{city.name}**, the capital of {to.the_country(c.iso)}, has {t.number(city.population)} inhabitants.",
            f"The capital of {to.the_country(c.iso)} is {city.name}.",
        )  # fmt: skip
        if t.number(city.population) not in lead:
            lead += " " + choose(
                f"{city.id}people",
                f"It has {t.number(city.population)} inhabitants.",
                f"Its population is given as {t.number(city.population)}.",
            )
        largest = self.facts.in_country[c.iso][0]
        if largest.id == city.id:
            lead += " It is the most populous city of the country in the gazetteer." if c.noun == "country" else ""
        else:
            lead += f" It is not the most populous city there; in the gazetteer that is {to.city(largest)}."
        flights = t.listed([f"{to.airport(a)} ({a.iata})" for a in airports]) if airports else ""
        return t.page(
            to.capital_url(city),
            f"{city.name} (capital of {c.the})",
            f"# {city.name}",
            lead,
            "## Setting\n\n"
            + choose(
                f"{city.id}where",
                f"The city lies at {t.degrees(city.lat, city.lon)}.",
                f"Its coordinates are {t.degrees(city.lat, city.lon)}.",
            )
            + f" Clocks follow {to.zone(city.zone)}, {t.clock(zone)}.",
            f"## Flying there\n\nScheduled flights serve {t.count(len(airports), 'airport')}: {flights}."
            if airports
            else "",
            f"See also the {t.link('gazetteer entry of ' + city.name, to.city_url(city))}.",
        )

    def _continent(self, c: Continent) -> Page:
        members = self.facts.by_continent[c.code]
        noun = {n: [m for m in members if m.noun == n] for n in ("country", "territory", "area")}
        return t.page(
            self.to.continent_url(c),
            c.name,
            f"# {c.name}",
            f"The atlas counts {t.count(len(noun['country']), 'country', 'countries')} and "
            f"{t.count(len(noun['territory']), 'territory', 'territories')} with {c.name}, after the GeoNames table. "
            + self._first(members),
            "## Countries\n\n"
            + t.table(
                ["Country", "Capital"],
                [(self.to.country(m.iso), self.to.capital(m) or t.DASH) for m in noun["country"]],
            ),
            "## Territories\n\n" + t.bullets(self.to.country(m.iso) for m in noun["territory"])
            if noun["territory"]
            else "",
            "## Disputed areas\n\n" + t.bullets(self.to.country(m.iso) for m in noun["area"]) if noun["area"] else "",
            "Figures: "
            + t.link("population", f"{t.STATISTICS}/population/{c.slug}")
            + ", "
            + t.link("area and density", f"{t.STATISTICS}/area/{c.slug}")
            + ".",
        )

    def _first(self, members: list[Country]) -> str:
        crowd, land = max(members, key=lambda m: m.population or 0), max(members, key=lambda m: m.area or 0)
        if crowd is land:
            return f"The most populous, and the largest by area, is {self.to.the_country(crowd.iso)}."
        most, largest = self.to.the_country(crowd.iso), self.to.the_country(land.iso)
        return f"The most populous is {most}; the largest by area is {largest}."

    def _state(self, s: State) -> Page:
        cities = self.facts.in_state.get(s.code, [])
        rows = [(self.to.city(c), t.number(c.population), len(self.facts.airports_of.get(c.id, []))) for c in cities]
        named = [e for e in self.facts.elements.values() if ("state", s.code) in e.named]
        what = "The District of Columbia is the federal district" if s.code == "DC" else f"{s.name} is a state"
        return t.page(
            self.to.state_url(s.code),
            f"{s.name} (United States)",
            f"# {s.name}",
            f"{what} of {self.to.the_country('US')}, with the postal code {s.code}. "
            + choose(
                s.code,
                f"It is divided into {t.count(s.counties, 'county or equivalent', 'counties or equivalents')}.",
                f"The number of its counties and county equivalents is {s.counties}.",
            ),
            " ".join(f"The element {self.to.element(e)} is named after it." for e in named),
            "## Cities in the gazetteer\n\n" + t.table(["City", "Population", "Airports"], rows) if rows else "",
        )

    def _language(self, x: Language) -> Page:
        where = self.facts.by_language[x.code]
        names = [self.to.the_country(c.iso) for c in where]
        own = f" Its speakers call it {x.own}." if x.own else ""
        many = t.count(len(where), "country or territory", "countries and territories")
        lead = choose(
            x.code,
            f"{x.name} has official standing in {many} of the atlas.",
            f"{x.name} (language code {x.code}) is an official language in {many}.",
            f"The atlas lists {many} in which {x.name} is official.",
        )
        by_continent = [
            f"{self.to.continent(code)}: " + t.listed([self.to.country(c.iso) for c in where if c.continent == code])
            for code in self.facts.continents
            if any(c.continent == code for c in where)
        ]
        body = t.bullets(by_continent) if len(where) > 3 else f"It is official in {t.listed(names)}."
        return t.page(
            self.to.language_url(x.code),
            f"{x.name} language",
            f"# {x.name}",
            lead + own,
            "## Where it is official\n\n" + body,
            f"Language code: {x.code}. See the almanac's {t.link('list of languages', t.ALMANAC + '/languages')}.",
        )

    # ------------------------------------------------------------ indexes

    def _confusions(self) -> Iterator[Page]:
        f, to = self.facts, self.to
        pages = {name: [self._told_apart(code) for code in codes.split()] for name, codes in CONFUSED.items()}
        for c in f.countries.values():
            if c.capital_id and f.cities[c.capital_id].name == c.name:
                city = f.cities[c.capital_id]
                capital = (
                    f"{t.link(c.name, to.capital_url(city))}, the city, with {t.number(city.population)} inhabitants"
                )
                pages[c.name] = [self._told_apart(c.iso), capital]
        yield t.page(
            f"{t.ENCYCLOPEDIA}/disambiguation",
            "Names easily confused",
            "# Names easily confused",
            "Articles of the encyclopedia whose names are alike.",
            t.bullets(
                t.link(name, f"{t.ENCYCLOPEDIA}/disambiguation/{slug(name)}") for name in sorted(pages, key=slug)
            ),
        )
        for name, meanings in pages.items():
            yield t.page(
                f"{t.ENCYCLOPEDIA}/disambiguation/{slug(name)}",
                f"{name} (disambiguation)",
                f"# {name}",
                choose(
                    name, f"{name} may mean:", "Several articles go by this name or one like it:", "Not to be confused:"
                ),
                t.bullets(meanings),
            )

    def _told_apart(self, code: str) -> str:
        if code.startswith("US-"):
            return f"{self.to.state(code[3:])}, a state of {self.to.the_country('US')}"
        c = self.facts.countries[code]
        what = f"{self.to.country(code)}, a {c.noun} in {self.facts.continents[c.continent].name}"
        return f"{what} with the capital {c.capital}" if c.capital else what

    def _indexes(self) -> Iterator[Page]:
        f, to = self.facts, self.to
        letters = sorted({c.slug[0] for c in f.countries.values()})
        yield t.page(
            f"{t.ENCYCLOPEDIA}/",
            "Encyclopedia",
            "# The encyclopedia of the atlas",
            "Articles on countries and territories, their capitals and languages, the states of the United States, "
            "the chemical elements and those who found them.",
            "## Continents\n\n" + t.bullets(to.continent(c) for c in f.continents),
            "## Indexes\n\n"
            + t.bullets(
                [t.link(f"Countries: {x.upper()}", f"{t.ENCYCLOPEDIA}/index/{x}") for x in letters]
                + [t.link(name, f"{t.ENCYCLOPEDIA}/index/{slug(name)}") for name in ("Elements", "People", "US states")]
                + [t.link("Names easily confused", f"{t.ENCYCLOPEDIA}/disambiguation")]
            ),
            "Other sites: "
            + t.listed([t.link(n, u + "/") for n, u in (("Gazetteer", t.GAZETTEER), ("Statistics Office", t.STATISTICS),
                                                        ("Almanac", t.ALMANAC), ("Handbook", t.HANDBOOK))])
            + ".",
        )  # fmt: skip
        for x in letters:
            these = sorted((c for c in f.countries.values() if c.slug[0] == x), key=lambda c: c.slug)
            yield t.page(
                f"{t.ENCYCLOPEDIA}/index/{x}",
                f"Countries and territories: {x.upper()}",
                f"# Countries and territories: {x.upper()}",
                f"Articles on countries and territories whose names begin with {x.upper()}.",
                t.bullets(f"{to.country(c.iso)}, {to.continent(c.continent)}" for c in these),
            )
        yield t.page(
            f"{t.ENCYCLOPEDIA}/index/us-states",
            "Index of US states",
            "# States of the United States",
            t.bullets(to.state(s) for s in f.states),
        )


def _round(n: int) -> str:
    if n >= 950_000:
        return f"{n / 1_000_000:.1f} million".replace(".0 ", " ")
    return t.number(round(n, -3) if n >= 10_000 else round(n, -2))
