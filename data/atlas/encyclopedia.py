"""The encyclopedia: prose about countries, capitals, US states, languages, elements and who found them."""

from collections.abc import Iterator

from . import text as t
from .links import Links, is_institution
from .model import City, Continent, Country, Element, Facts, Language, State
from .sources import slug
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
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)

    def pages(self) -> Iterator[Page]:
        f = self.facts
        yield from (self.country(c) for c in f.countries.values())
        yield from (self.capital(c, f.countries[c.country]) for c in f.cities.values() if c.capital)
        yield from (self.continent(c) for c in f.continents.values())
        yield from (self.state(s) for s in f.states.values())
        yield from (self.language(x) for x in f.languages.values())
        yield from (self.element(e) for e in f.elements.values())
        yield from (self.person(name) for name in f.people)
        yield from self.confusions()
        yield from self.indexes()

    # ------------------------------------------------------------ places

    def country(self, c: Country) -> Page:
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
        cities = self.facts.in_country.get(c.iso, [])[:5]
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
                notes.append(f"{t.upper(self.to.element(e))} was {_verb(e)} here in {e.year}.")
        if not notes:
            return ""
        return "## In the history of chemistry\n\n" + (" ".join(notes) if len(notes) < 4 else t.bullets(notes))

    def capital(self, city: City, c: Country) -> Page:
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
            "## Flying there\n\n"
            + f"The gazetteer lists {t.count(len(airports), 'airport')} with scheduled flights: "
            + f"{t.listed([f'{to.airport(a)} ({a.iata})' for a in airports])}."
            if airports
            else "",
            f"See also the {t.link('gazetteer entry of ' + city.name, to.city_url(city))}.",
        )

    def continent(self, c: Continent) -> Page:
        members = self.facts.by_continent[c.code]
        noun = {n: [m for m in members if m.noun == n] for n in ("country", "territory", "area")}
        inhabited = sorted((m for m in members if m.population), key=lambda m: -(m.population or 0))
        return t.page(
            self.to.continent_url(c),
            c.name,
            f"# {c.name}",
            f"The atlas counts {t.count(len(noun['country']), 'country', 'countries')} and "
            f"{t.count(len(noun['territory']), 'territory', 'territories')} with {c.name}, after the GeoNames table. "
            f"The most populous is {self.to.the_country(inhabited[0].iso)}; "
            f"the largest by area is {self.to.the_country(max(members, key=lambda m: m.area or 0).iso)}.",
            "## Countries\n\n"
            + t.table(
                ["Country", "Capital"],
                [(self.to.country(m.iso), self.to.capital(m) or "–") for m in noun["country"]],
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

    def state(self, s: State) -> Page:
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

    def language(self, x: Language) -> Page:
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

    # ------------------------------------------------------------ elements

    def element(self, e: Element) -> Page:
        to = self.to
        article = "an" if e.series[0] in "aeiou" else "a"
        kind = e.series.rstrip("s")
        lead = choose(
            e.symbol,
            f"**{t.upper(e.name)}** is a chemical element with the symbol {e.symbol} and atomic number {e.number}.",
            f"{t.upper(e.name)}, symbol {e.symbol}, is the element with atomic number {e.number}.",
            f"The chemical element {e.name} has the atomic number {e.number}; its symbol is {e.symbol}.",
        )
        if e.also:
            lead += f" The name is also spelt {e.also}."
        place = f"group {e.group}" if e.group else "no numbered group"
        return t.page(
            to.element_url(e),
            t.upper(e.name),
            f"# {t.upper(e.name)}",
            f"{lead} It is {article} {kind} in period {e.period} and {place} of the periodic table"
            + (", and all its isotopes are radioactive." if e.radioactive else "."),
            "## Discovery\n\n" + self._discovery(e) if self._discovery(e) else "",
            "## Name\n\n" + self._name(e),
            "## Properties\n\n" + _properties(e) if _properties(e) else "",
            f"The {t.link('data sheet of ' + e.name, to.data_url(e))} in the Handbook has the figures.",
        )

    def _discovery(self, e: Element) -> str:
        if e.how == "antiquity":
            return choose(
                e.symbol + "old",
                "It has been known since antiquity; nobody is credited with its discovery.",
                "People have known it since ancient times, so it has no recorded discoverer.",
            )
        if not e.discoverers:
            return ""
        who = t.listed([self.to.person(p) for p in e.discoverers])
        where = t.listed([self.to.the_country(p) for p in e.places]) if e.places else ""
        if e.how == "-" or not e.year:
            return f"Its discovery is credited to {who}; histories differ on the details."
        shared = " The work was done in " + where + "." if where else ""
        return (
            choose(
                e.symbol + "found",
                f"It was {_verb(e)} in {e.year} by {who}.",
                f"{who} {_verb(e)} it in {e.year}.",
                f"Credit for it goes to {who}, who {_verb(e)} it in {e.year}.",
            )
            + shared
        )

    def _name(self, e: Element) -> str:
        said = choose(e.symbol + "name", f"The name comes from {e.origin}.", f"It takes its name from {e.origin}.")
        pages = [u for u in (self.to.named_after(*n) for n in e.named) if u]
        if pages:
            said += f" See {t.listed(pages)}."
        return said

    def person(self, name: str) -> Page:
        found = self.facts.people[name]
        dated = [e for e in found if e.year and e.how != "-"]
        undated = [e for e in found if e not in dated]
        namesakes = [e for e in self.facts.elements.values() if any(w == name for _, w in e.named)]
        others = sorted({p for e in found for p in e.discoverers if p != name})
        what = "is an institution" if is_institution(name) else "is remembered as a scientist"
        many = t.count(len(found), "element")
        lead = choose(
            slug(name),
            f"{name} {what} credited with {many}.",
            f"The discovery of {many} is credited to {name}, alone or with others.",
            f"In the history of the elements, {name} stands for {many}.",
        )
        said = [
            f"{t.upper(self.to.element(e))} ({e.symbol}) was {_verb(e)} in {e.year}"
            + (
                f" with {t.listed([self.to.person(p) for p in e.discoverers if p != name])}"
                if len(e.discoverers) > 1
                else ""
            )
            + f", in {t.listed([self.to.the_country(p) for p in e.places])}."
            for e in dated
        ]
        said += [f"{t.upper(self.to.element(e))} ({e.symbol}): histories differ on the details." for e in undated]
        return t.page(
            self.to.person_url(name),
            name,
            f"# {name}",
            lead,
            "## Elements\n\n" + (t.bullets(said) if len(said) > 1 else said[0]),
            "## Shared credit\n\n" + t.bullets(self.to.person(p) for p in others) if others else "",
            " ".join(f"The element {self.to.element(e)} is named in honour of {name}." for e in namesakes),
            f"See the Handbook's {t.link('list of discoveries', t.HANDBOOK + '/discoveries')}.",
        )

    # ------------------------------------------------------------ indexes

    def confusions(self) -> Iterator[Page]:
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

    def indexes(self) -> Iterator[Page]:
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
            f"{t.ENCYCLOPEDIA}/index/elements",
            "Index of elements",
            "# Index of elements",
            t.bullets(f"{to.element(e)} ({e.symbol})" for e in sorted(f.elements.values(), key=lambda e: e.name)),
        )
        yield t.page(
            f"{t.ENCYCLOPEDIA}/index/people",
            "Index of people and institutions",
            "# People and institutions",
            t.bullets(
                f"{to.person(name)}: {t.listed([e.name for e in found])}"
                for name, found in sorted(f.people.items(), key=lambda p: slug(p[0].split()[-1]))
            ),
        )
        yield t.page(
            f"{t.ENCYCLOPEDIA}/index/us-states",
            "Index of US states",
            "# States of the United States",
            t.bullets(to.state(s) for s in f.states),
        )


def _verb(e: Element) -> str:
    return {"isolated": "first isolated", "synthesised": "first made"}.get(e.how, "discovered")


def _round(n: int) -> str:
    if n >= 950_000:
        return f"{n / 1_000_000:.1f} million".replace(".0 ", " ")
    return t.number(round(n, -3) if n >= 10_000 else round(n, -2))


def _properties(e: Element) -> str:
    said = []
    if e.melting is not None:
        said.append(f"It melts at {t.temperature(e.melting)}")
        if e.boiling is not None:
            said[0] += f" and boils at {t.temperature(e.boiling)}"
        said[0] += "."
    if e.density is not None:
        said.append(f"Its density is {e.density:g} grams per cubic centimetre.")
    return " ".join(said)
