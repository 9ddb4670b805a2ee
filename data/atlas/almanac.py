"""The almanac: codes and clocks of each country, currencies, calling codes, time zones, comparisons, lists."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from . import text as t
from .corrections import YEAR
from .links import Links
from .model import Country, Currency, Facts, Zone
from .reading import slug
from .text import Page, choose


class Almanac:
    """The pages of codes, clocks, money and calling codes, comparisons and lists."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)
        self.pairs = self._pairs()

    def pages(self) -> Iterator[Page]:
        """Every page of the site, in a fixed order."""
        f = self.facts
        yield from (self._codes(c) for c in f.countries.values())
        yield from (self._currency(x) for x in f.currencies.values())
        yield from (self._zone(f.zones[name]) for name in sorted(self.to.zones))
        yield from self._calling_codes()
        yield from self._comparisons()
        yield from self._lists()
        yield from self._families()
        yield from self._offsets()
        yield self._front()

    def _codes(self, c: Country) -> Page:
        to = self.to
        calling = t.listed([t.link(x, _calling_url(x)) for x in c.calling]) if c.calling else None
        lead = choose(
            c.iso + "codes",
            f"What to write on letters and dial on telephones to {to.the_country(c.iso)}, and what time it is there.",
            f"Codes, money and clocks of {to.the_country(c.iso)}.",
            f"A page for travellers to {to.the_country(c.iso)}.",
        )
        return t.page(
            to.codes_url(c),
            f"{c.name}: codes and clocks",
            f"# {c.name}: codes and clocks",
            lead,
            t.table(
                ["What", "Value"],
                [
                    (k, v)
                    for k, v in [
                        ("ISO 3166 two-letter code", c.iso),
                        ("ISO 3166 three-letter code", c.iso3),
                        ("Internet domain", c.tld),
                        ("Calling code", calling),
                        ("Currency", f"{to.currency(c.currency)} ({c.currency})" if c.currency else None),
                        ("Capital", to.capital(c)),
                    ]
                    if v
                ],
            ),
            self._clocks(c),
            " ".join(
                f"See also: {t.link(f'{a.name} and {b.name} compared', _comparison_url(a, b))}."
                for a, b in self.pairs
                if c in (a, b)
            ),
        )

    def _clocks(self, c: Country) -> str:
        zones = [f"{self.to.zone(z)} ({t.clock(self.facts.zones[z])})" for z in c.zones]
        if not zones:
            return ""
        return "## Clocks\n\n" + (t.bullets(zones) if len(zones) > 1 else f"One time zone: {zones[0]}.")

    def _currency(self, x: Currency) -> Page:
        users = self.facts.by_currency[x.code]
        family = x.name.split()[-1].lower() if x.name.split()[-1].lower() in self.facts.families else ""
        rows = [(self.to.country(c.iso), self.to.continent(c.continent), self.to.capital(c) or t.DASH) for c in users]
        many = t.count(len(users), "country or territory", "countries and territories")
        lead = choose(
            x.code,
            f"The {x.name}, code {x.code}, is money in {many} of the atlas.",
            f"{x.code} is the ISO 4217 code of the {x.name}. {t.upper(many)} use{'s' if len(users) == 1 else ''} it.",
            f"The {x.name} ({x.code}) is the currency of {many}.",
        )
        only = f"It is used in {self.to.the_country(users[0].iso)}, whose capital is {self.to.capital(users[0])}."
        if len(users) == 1 and not users[0].capital:
            only = f"It is used in {self.to.the_country(users[0].iso)}."
        return t.page(
            self.to.currency_url(x.code),
            x.name,
            f"# {x.name} ({x.code})",
            lead,
            only if len(users) == 1 else t.table(["Country or territory", "Continent", "Capital"], rows),
            f"See also {t.link('all currencies', t.ALMANAC + '/currencies')}"
            + (
                f" and {t.link('those called ' + family, t.ALMANAC + '/currencies/' + slug(family))}."
                if family
                else "."
            ),
        )

    def _zone(self, z: Zone) -> Page:
        f, to = self.facts, self.to
        cities = f.by_zone.get(z.name, [])
        airports = [a for a in f.airports.values() if a.zone == z.name]
        users = [c for c in f.countries.values() if z.name in c.zones]
        change = "Clocks stay the same all year." if z.summer is None else f"In summer they show {t.offset(z.summer)}."
        shown = cities[:25]
        return t.page(
            to.zone_url(z.name),
            f"Time zone {z.name}",
            f"# {z.name}",
            choose(
                z.name,
                f"Clocks in the zone {z.name} show {t.offset(z.standard)} in winter. {change}"
                if z.summer is not None
                else f"Clocks in the zone {z.name} show {t.offset(z.standard)}. {change}",
                f"Standard time in {z.name} is {t.offset(z.standard)}. {change}",
            )
            + f" (Rules of {YEAR}.)",
            f"The zone is listed for {t.listed([to.the_country(c.iso) for c in users])}." if users else "",
            f"## Cities\n\nThe gazetteer puts {t.count(len(cities), 'city', 'cities')} in this zone"
            + (f"; the {len(shown)} most populous are" if len(cities) > len(shown) else "")
            + ":\n\n"
            + t.bullets(f"{to.city(c)}, {f.countries[c.country].name}" for c in shown)
            if cities
            else "",
            f"## Airports\n\n{t.listed([f'{to.airport(a)} ({a.iata})' for a in airports[:20]])}." if airports else "",
            f"Other zones with the same standard time: {t.link(t.offset(z.standard), _offset_url(z.standard))}.",
        )

    def _calling_codes(self) -> Iterator[Page]:
        by_code: dict[str, list[Country]] = defaultdict(list)
        for c in self.facts.countries.values():
            for code in c.calling:
                by_code[code].append(c)
        for code, users in sorted(by_code.items()):
            many = t.listed([self.to.the_country(c.iso) for c in users])
            yield t.page(
                _calling_url(code),
                f"Calling code {code}",
                f"# {code}",
                choose(
                    code,
                    f"{code} is the telephone calling code of {many}.",
                    f"Calls to {many} begin with {code}.",
                    f"Dial {code} for {many}.",
                ),
                t.table(
                    ["Country or territory", "Internet domain", "Capital"],
                    [(self.to.codes(c.iso), c.tld or t.DASH, self.to.capital(c) or t.DASH) for c in users],
                ),
            )
        for head in sorted({code[:2] for code in by_code}):
            yield t.page(
                f"{t.ALMANAC}/calling-codes/{head[1:]}",
                f"Calling codes that begin with {head}",
                f"# Calling codes that begin with {head}",
                t.table(
                    ["Code", "Country or territory"],
                    [
                        (t.link(code, _calling_url(code)), t.listed([self.to.codes(c.iso) for c in users]))
                        for code, users in sorted(by_code.items())
                        if code.startswith(head)
                    ],
                ),
            )

    def _comparisons(self) -> Iterator[Page]:
        return (self._comparison(a, b) for a, b in self.pairs)

    def _pairs(self) -> list[tuple[Country, Country]]:
        """Neighbours to hold side by side; nobody is in more than two pairs."""
        used: Counter[str] = Counter()
        pairs = []
        for c in self.facts.countries.values():
            for n in (self.facts.countries[iso] for iso in c.neighbours):
                full = all((c.population, n.population, c.area, n.area, c.capital, n.capital))
                if c.iso < n.iso and full and used[c.iso] < 1 and used[n.iso] < 2:
                    used.update((c.iso, n.iso))
                    pairs.append((c, n))
        return pairs

    def _comparison(self, a: Country, b: Country) -> Page:
        to = self.to
        more, fewer = (a, b) if (a.population or 0) >= (b.population or 0) else (b, a)
        larger, smaller = (a, b) if (a.area or 0) >= (b.area or 0) else (b, a)
        both = [to.language(x) for x in a.languages if x in b.languages]
        pairs = [
            ("Capital", to.capital(a), to.capital(b)),
            ("Population", t.number(a.population or 0), t.number(b.population or 0)),
            ("Area (km²)", t.number(a.area or 0), t.number(b.area or 0)),
            ("Currency", *(to.currency(x.currency) if x.currency else t.DASH for x in (a, b))),
            ("Calling code", *(", ".join(x.calling) or t.DASH for x in (a, b))),
        ]
        return t.page(
            _comparison_url(a, b),
            f"{a.name} and {b.name} compared",
            f"# {a.name} and {b.name} compared",
            f"{t.upper(to.the_country(a.iso))} and {to.the_country(b.iso)} share a land border. "
            + choose(
                a.iso + b.iso,
                f"{t.upper(more.the)} has more inhabitants; {larger.the} is larger."
                if more is not larger
                else f"{t.upper(more.the)} has more inhabitants and the larger area.",
                f"The larger of the two is {larger.the}, and {more.the} is the more populous."
                if more is not larger
                else f"The larger of the two, and the more populous, is {larger.the}.",
                f"{t.upper(fewer.the)} has fewer inhabitants, and {smaller.the} the smaller area."
                if more is not larger
                else f"{t.upper(fewer.the)} has fewer inhabitants and the smaller area.",
            ),
            t.table(["What", a.name, b.name], pairs),
            f"Official in both: {t.listed(both)}." if both else "",
        )

    def _lists(self) -> Iterator[Page]:
        f, to = self.facts, self.to
        yield t.page(
            f"{t.ALMANAC}/currencies",
            "Currencies of the world",
            "# Currencies of the world",
            t.table(
                ["Code", "Currency", "Countries and territories"],
                [(x.code, to.currency(x.code), len(f.by_currency[x.code])) for x in f.currencies.values()],
            ),
        )
        by_count = sorted(f.languages.values(), key=lambda x: (-len(f.by_language[x.code]), x.name))
        yield t.page(
            f"{t.ALMANAC}/languages",
            "Official languages",
            "# Languages by the number of places where they are official",
            t.table(
                ["Language", "Code", "Countries and territories"],
                [(to.language(x.code), x.code, len(f.by_language[x.code])) for x in by_count],
            ),
        )
        yield t.page(
            f"{t.ALMANAC}/internet-domains",
            "Internet domains of countries",
            "# Internet domains of countries",
            t.table(
                ["Domain", "Country or territory"],
                [(c.tld, to.codes(c.iso)) for c in sorted(f.countries.values(), key=lambda c: c.tld or "") if c.tld],
            ),
        )
        alone = [c for c in f.countries.values() if c.noun == "country" and not c.neighbours]
        yield t.page(
            f"{t.ALMANAC}/without-land-borders",
            "Countries without land borders",
            "# Countries without land borders",
            "Territories and disputed areas are left out.",
            t.bullets(f"{to.country(c.iso)} ({f.continents[c.continent].name})" for c in alone),
        )

    def _front(self) -> Page:
        f, to = self.facts, self.to
        links = [("currencies", "Currencies"), ("languages", "Languages"), ("internet-domains", "Internet domains"),
                 ("without-land-borders", "Countries without land borders")]  # fmt: skip
        return t.page(
            f"{t.ALMANAC}/",
            "Almanac",
            "# The almanac of the atlas",
            "Codes, clocks, money and languages, and neighbours compared.",
            "## Lists\n\n"
            + t.bullets(
                [t.link(name, f"{t.ALMANAC}/{path}") for path, name in links]
                + [t.link(f"Currencies called {x}", f"{t.ALMANAC}/currencies/{slug(x)}") for x in f.families]
                + [t.link(f"Calling codes +{d}…", f"{t.ALMANAC}/calling-codes/{d}") for d in range(1, 10)]
            ),
            "## Clocks\n\n"
            + t.bullets(t.link(t.offset(m), _offset_url(m)) for m in sorted({f.zones[z].standard for z in to.zones})),
            "## Countries and territories\n\n" + t.bullets(to.codes(iso) for iso in f.countries),
        )

    def _families(self) -> Iterator[Page]:
        """Currencies that share a name, such as all that are called dollar."""
        for name, members in self.facts.families.items():
            rows = [(x.code, self.to.currency(x.code), len(self.facts.by_currency[x.code])) for x in members]
            yield t.page(
                f"{t.ALMANAC}/currencies/{slug(name)}",
                f"Currencies called {name}",
                f"# Currencies called {name}",
                f"The almanac has {t.count(len(members), 'currency', 'currencies')} of this name.",
                t.table(["Code", "Currency", "Countries and territories"], rows),
            )

    def _offsets(self) -> Iterator[Page]:
        by_offset: dict[int, list[Zone]] = defaultdict(list)
        for name in sorted(self.to.zones):
            by_offset[self.facts.zones[name].standard].append(self.facts.zones[name])
        for minutes, zones in sorted(by_offset.items()):
            yield t.page(
                _offset_url(minutes),
                f"Time zones at {t.offset(minutes)}",
                f"# {t.offset(minutes)}",
                f"{t.upper(t.count(len(zones), 'time zone'))} of the almanac {'keeps' if len(zones) == 1 else 'keep'} "
                f"{t.offset(minutes)} as standard time (rules of {YEAR}).",
                t.table(
                    ["Zone", "Summer time"],
                    [(self.to.zone(z.name), "no" if z.summer is None else t.offset(z.summer)) for z in zones],
                ),
            )


def _comparison_url(a: Country, b: Country) -> str:
    return f"{t.ALMANAC}/compare/{a.slug}-and-{b.slug}"


def _calling_url(code: str) -> str:
    return f"{t.ALMANAC}/calling-code/{slug(code)}"


def _offset_url(minutes: int) -> str:
    return f"{t.ALMANAC}/clock/{slug(t.offset(minutes).replace(t.MINUS, 'minus-').replace('+', 'plus-'))}"
