"""Questions that hold claims against pages, and questions that reckon with values of several pages."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from . import text as t
from .links import is_institution
from .model import Airport
from .questions import Maker, Question, verb
from .text import choose


class Verification(Maker):
    """Claims to hold against pages, and which of two things a pair of pages puts first."""

    def questions(self) -> Iterator[Question]:
        yield from self._claims()
        yield from self._odd_neighbour()
        yield from self._odd_element()
        yield from self._first()
        yield from self._higher()

    def _claims(self) -> Iterator[Question]:
        """Three statements about a country, one of them true of a neighbour instead."""
        to, f = self.to, self.facts
        for c in self.capitals:
            others = [f.countries[n] for n in c.neighbours if f.countries[n] in self.capitals]
            if not others or len(c.calling) != 1 or not c.tld or not c.currency:
                continue
            n = others[0]
            wrong = choose("wrong" + c.iso, "capital", "calling code", "domain")
            said = {
                "capital": (c.capital, n.capital),
                "calling code": (c.calling[0], n.calling[0]),
                "domain": (c.tld, n.tld),
            }
            true, false = said[wrong]
            if not false or true == false or len(n.calling) != 1:
                continue
            shown = {k: (v[1] if k == wrong else v[0]) for k, v in said.items()}
            words = choose(
                c.iso,
                f"Someone wrote that {c.the} has the capital {shown['capital']}, the calling code {shown['calling code']} and "
                f"the internet domain {shown['domain']}. One of the three is wrong: which?",
                f"A note on {c.the} says: capital {shown['capital']}, calling code {shown['calling code']}, internet domain "
                f"{shown['domain']}. Which of the three is false?",
            )
            pages = [to.country_url(c), to.codes_url(c)]
            derivation = {
                "op": "claims",
                "pages": pages,
                "true": [v for k, v in shown.items() if k != wrong],
                "false": false,
            }
            answers = [wrong, f"the {wrong}", str(false)]
            yield Question(
                "claims", (c.iso3,), words, answers, pages, "verification", 2, [f"country:{c.iso}"], derivation
            )

    def _odd_neighbour(self) -> Iterator[Question]:
        """Which of three does not border a country; the odd one borders one of its neighbours."""
        to, f = self.to, self.facts
        for c in self.countries:
            near = [n for n in c.neighbours if f.countries[n] in self.countries and f.countries[n].noun == "country"]
            far = sorted({x for n in near for x in f.countries[n].neighbours} - {c.iso, *c.neighbours})
            far = [x for x in far if f.countries[x] in self.countries and f.countries[x].noun == "country"]
            if len(near) < 2 or not far:
                continue
            odd = f.countries[far[len(c.name) % len(far)]]
            three = sorted([f.countries[n] for n in near[:2]] + [odd], key=lambda x: x.name)
            names = [x.the for x in three]
            words = choose(
                c.iso,
                f"{t.upper(t.listed(names))}: which of these does not border {c.the}?",
                f"Which one of {t.listed(names).replace(' and ', ' or ')} has no land border with {c.the}?",
            )
            true = [f.countries[n].name for n in near[:2]]
            derivation = {"op": "claims", "pages": [to.country_url(c)], "true": true, "false": odd.name}
            evidence = [to.country_url(c), to.country_url(odd)]
            answers = [odd.name, *odd.aliases]
            yield Question(
                "odd-neighbour", (c.iso3,), words, answers, evidence, "verification", 2, self._keys(c, odd), derivation
            )

    def _odd_element(self) -> Iterator[Question]:
        to = self.to
        for who, found in self.facts.people.items():
            dated = [e for e in found if e in self.dated]
            if len(dated) < 2 or len(dated) != len(found) or is_institution(who):
                continue
            others = [
                e for e in self.dated if who not in e.discoverers and abs((e.year or 0) - (dated[0].year or 0)) < 20
            ]
            if not others:
                continue
            odd = others[len(who) % len(others)]
            three = sorted([*dated[:2], odd], key=lambda e: e.name)
            words = f"Which of the elements {t.listed([e.name for e in three])} is not credited to {who}?"
            derivation = {
                "op": "claims",
                "pages": [to.person_url(who)],
                "true": [e.symbol for e in dated[:2]],
                "false": f"({odd.symbol})",
            }
            keys = [f"element:{e.symbol}" for e in three]
            evidence = [to.person_url(who), to.element_url(odd)]
            yield Question(
                "odd-element", (who,), words, [odd.name, odd.symbol], evidence, "verification", 2, keys, derivation
            )

    def _first(self) -> Iterator[Question]:
        to = self.to
        for a, b in combinations(self.dated, 2):
            if 0 < abs((a.year or 0) - (b.year or 0)) <= 3 and a.how == b.how:
                first = a if (a.year or 0) < (b.year or 0) else b
                words = choose(
                    a.symbol + b.symbol,
                    f"Which was {verb(a)} earlier, {a.name} or {b.name}?",
                    f"{t.upper(a.name)} or {b.name}: which of the two was {verb(a)} first?".replace(
                        "first first", "first"
                    ),
                )
                if a.how == "isolated":
                    words = f"Which was isolated earlier, {a.name} or {b.name}?"
                if a.how == "synthesised":
                    words = f"Which was made earlier, {a.name} or {b.name}?"
                values = [[to.element_url(e), f"{e.year}", e.name] for e in (a, b)]
                keys = [f"element:{e.symbol}" for e in (a, b)]
                yield Question("first", (a.symbol, b.symbol), words, [first.name, first.symbol], [v[0] for v in values],
                               "verification", 2, keys, {"op": "least", "operands": values})  # fmt: skip

    def _higher(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        by_country: dict[str, list[Airport]] = defaultdict(list)
        for a in f.airports.values():
            if self.settled(f.cities[a.city]) and a.elevation > 100:
                by_country[a.country].append(a)
        for iso, airports in by_country.items():
            for a, b in zip(airports[::2], airports[1::2], strict=False):
                if abs(a.elevation - b.elevation) < 20 or iso == "US":
                    continue
                high = a if a.elevation > b.elevation else b
                words = choose(
                    a.iata + b.iata,
                    f"Which of the two airports lies higher above sea level, {a.name} or {b.name}?",
                    f"Between {a.name} and {b.name}, which one has the greater elevation?",
                )
                values = [[to.airport_url(x), t.number(x.elevation), x.name] for x in (a, b)]
                yield Question("higher", (a.iata, b.iata), words, [high.name, high.iata], [v[0] for v in values],
                               "verification", 2, [f"country:{iso}"], {"op": "greatest", "operands": values})  # fmt: skip


class Statistics(Maker):
    """A calculation over values from several pages."""

    def questions(self) -> Iterator[Question]:
        yield from self._neighbours()
        yield from self._elements()
        yield from self._clocks()
        yield from self._ranks()
        yield from self._airports()

    def _sum(
        self,
        kind: str,
        about: tuple[str, ...],
        question: str,
        value: str,
        operands: list[list[str]],
        entities: list[str],
        op: str,
    ) -> Question:
        return Question(kind, about, question, [value], [o[0] for o in operands], "statistics", len(operands), entities,
                        {"op": op, "operands": operands})  # fmt: skip

    def _neighbours(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for c in self.countries:
            for iso in c.neighbours:
                n = f.countries[iso]
                if iso < c.iso or n not in self.countries or not all((c.population, n.population, c.area, n.area)):
                    continue
                keys = [f"country:{c.iso}", f"country:{iso}"]
                about = (c.iso3, n.iso3)
                people = [[to.sheet_url(x), t.number(x.population or 0)] for x in (c, n)]
                area = [[to.sheet_url(x), t.number(x.area or 0)] for x in (c, n)]
                total = t.number((c.population or 0) + (n.population or 0))
                words = choose(
                    c.iso + iso,
                    f"Taking the Statistics Office's figures, how many people live in {c.the} and {n.the} together?",
                    f"What do the populations of {c.the} and {n.the} add up to in the Statistics Office's data sheets?",
                )
                yield self._sum("together", about, words, total, people, keys, "sum")
                gap = t.number(abs((c.area or 0) - (n.area or 0)))
                words = choose(
                    c.iso + iso,
                    f"By how many square kilometres do {c.the} and {n.the} differ in area, by the Statistics Office?",
                    f"What is the difference in area between {c.the} and {n.the}, in km², in the Statistics Office's data?",
                )
                yield self._sum("area-gap", about, words, gap, area, keys, "difference")

    def _elements(self) -> Iterator[Question]:
        to = self.to
        for a, b in combinations(self.dated, 2):
            if (
                a.how == b.how == "discovered"
                and 5 < (gap := abs((a.year or 0) - (b.year or 0)))
                and a.group == b.group
                and a.group
            ):
                words = choose(
                    a.symbol + b.symbol,
                    f"How many years lie between the discoveries of {a.name} and {b.name}?",
                    f"By how many years do the discoveries of {a.name} and {b.name} differ?",
                )
                values = [[to.element_url(e), f"{e.year}"] for e in (a, b)]
                yield self._sum(
                    "years-between",
                    (a.symbol, b.symbol),
                    words,
                    f"{gap}",
                    values,
                    [f"element:{e.symbol}" for e in (a, b)],
                    "difference",
                )
        for a, b in combinations([e for e in self.elements if e.melting is not None and e.group], 2):
            if a.group == b.group and a.period + 1 == b.period:
                gap = round(abs((a.melting or 0) - (b.melting or 0)), 1)
                words = choose(
                    a.symbol + b.symbol,
                    f"By how many degrees Celsius do the melting points of {a.name} and {b.name} differ in the Handbook?",
                    f"What is the difference between the melting points of {a.name} and {b.name}, in degrees Celsius?",
                )
                values = [[to.data_url(e), t.temperature(e.melting or 0)] for e in (a, b)]
                yield self._sum("melting-gap", (a.symbol, b.symbol), words, f"{gap:,g}" if gap < 1000 else t.number(gap), values,
                                [f"element:{e.symbol}" for e in (a, b)], "difference")  # fmt: skip

    def _clocks(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        ready = [c for c in self.capitals if c.noun == "country" and self.capital_of(c).population > 500_000]
        for a, b in combinations(ready, 2):
            x, y = self.capital_of(a), self.capital_of(b)
            minutes = abs(f.zones[x.zone].standard - f.zones[y.zone].standard)
            if minutes < 120 or x.zone not in to.zones:
                continue
            hours = f"{minutes / 60:g}"
            one, other = f.city_label(x), f.city_label(y)
            words = choose(
                a.iso + b.iso,
                f"In standard time, by how many hours do the clocks of {one} and {other} differ?",
                f"How many hours apart are {one} and {other}, going by standard time?",
            )
            values = [[to.capital_url(z), t.offset(f.zones[z.zone].standard)] for z in (x, y)]
            yield self._sum(
                "hours-apart", (a.iso3, b.iso3), words, hours, values, [f"country:{c.iso}" for c in (a, b)], "hours"
            )

    def _ranks(self) -> Iterator[Question]:
        f = self.facts
        words = ["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
        for x in f.continents.values():
            for kind, column, path in (("population", "Population", "population"), ("area", "Area (km²)", "area")):
                value = (lambda c: c.population or 0) if kind == "population" else (lambda c: c.area or 0)
                order = sorted(f.by_continent[x.code], key=lambda c: -value(c))
                for i, name in enumerate(words, 2):
                    c = order[i - 1]
                    if c not in self.countries or value(c) in (value(order[i - 2]), value(order[i])):
                        continue
                    said = f"{name} most populous" if kind == "population" else f"{name} largest by area"
                    question = choose(
                        x.code + name + kind,
                        f"Which country or territory of {x.name} is the {said} in the Statistics Office's table?",
                        f"In {x.name}, which country or territory comes {name} by {kind}, going by the Statistics Office?",
                    )
                    url = f"{t.STATISTICS}/{path}/{x.slug}"
                    yield Question(f"rank-{kind}", (x.code, f"{i}"), question, [c.name, *c.aliases], [url], "statistics", 1,
                                   [f"country:{c.iso}"], {"op": "rank", "page": url, "column": column, "rank": i})  # fmt: skip

    def _airports(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for city in f.cities.values():
            for a, b in combinations(f.airports_of.get(city.id, []), 2):
                if a.elevation == b.elevation or not self.settled(city):
                    continue
                gap = t.number(abs(a.elevation - b.elevation))
                words = f"What is the difference in elevation, in feet, between {a.name} and {b.name}?"
                values = [[to.airport_url(z), f"{t.number(z.elevation)} ft"] for z in (a, b)]
                yield self._sum("elevation-gap", (a.iata, b.iata), words, gap, values, self.home(city), "difference")
