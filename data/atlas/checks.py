"""Questions that hold claims against pages, and questions that reckon with the values of several pages."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from . import text as t
from .links import is_institution
from .model import Airport, Continent, Country, Element
from .questions import Maker, Question
from .science import verb


class Verification(Maker):
    """Verification: claims to hold against pages, and which of two things a pair of pages puts first."""

    def questions(self) -> Iterator[Question]:
        """All of them, kind by kind."""
        for c in self.capitals:
            yield from self._claims(c)
        for c in self.countries:
            yield from self._odd_neighbour(c)
        for who, found in self.facts.people.items():
            yield from self._odd_element(who, found)
        for a, b in combinations(self.dated, 2):
            yield from self._first(a, b)
        yield from self._higher()

    def _verify(
        self,
        kind: str,
        about: list[str],
        wordings: list[str],
        answers: list[str],
        pages: list[str],
        entities: list[str],
        derivation: dict[str, Any],
    ) -> Question:
        words = t.choose("".join(about), *wordings)
        return Question(kind, tuple(about), words, answers, pages, "verification", 2, entities, derivation)

    def _claims(self, c: Country) -> Iterator[Question]:
        """Three statements about a country, one of them true of a neighbour instead."""
        n = next((x for iso in c.neighbours if (x := self.facts.countries[iso]) in self.capitals), None)
        if not n or len(c.calling) != 1 or len(n.calling) != 1:
            return
        true = {"capital": c.capital, "calling code": c.calling[0], "internet domain": c.tld}
        other = {"capital": n.capital, "calling code": n.calling[0], "internet domain": n.tld}
        wrong = t.choose("wrong" + c.iso, *true)
        said = {**true, wrong: other[wrong]}
        if not all(said.values()) or true[wrong] == other[wrong]:
            return
        claims = [f"the {k} {v}" for k, v in said.items()]
        wordings = [
            f"Someone wrote that {c.the} has {t.listed(claims)}. One of the three is wrong: which?",
            f"A note on {c.the} says: {', '.join(f'{k} {v}' for k, v in said.items())}. Which of the three is false?",
        ]
        pages = [self.to.country_url(c), self.to.codes_url(c)]
        right = [v for k, v in said.items() if k != wrong]
        answers = [wrong, f"the {wrong}", str(said[wrong])]
        derivation = {"op": "claims", "pages": pages, "true": right, "false": said[wrong]}
        yield self._verify("claims", [c.iso3], wordings, answers, pages, self.keys(c), derivation)

    def _odd_neighbour(self, c: Country) -> Iterator[Question]:
        """Which of three does not border a country; the odd one borders one of its neighbours."""
        known = {x.iso: x for x in self.countries if x.noun == "country"}
        near = [known[n] for n in c.neighbours if n in known]
        far = sorted({x for n in near for x in n.neighbours if x in known} - {c.iso, *c.neighbours})
        if len(near) < 2 or not far:
            return
        odd = known[far[len(c.name) % len(far)]]
        names = [x.the for x in sorted([*near[:2], odd], key=lambda x: x.name)]
        wordings = [
            f"{t.upper(t.listed(names))}: which of these does not border {c.the}?",
            f"Which one of {names[0]}, {names[1]} or {names[2]} has no land border with {c.the}?",
        ]
        pages = [self.to.country_url(c), self.to.country_url(odd)]
        derivation = {"op": "claims", "pages": pages[:1], "true": [x.name for x in near[:2]], "false": odd.name}
        answers = [odd.name, *odd.aliases]
        yield self._verify("odd-neighbour", [c.iso3], wordings, answers, pages, self.keys(c, odd), derivation)

    def _odd_element(self, who: str, found: list[Element]) -> Iterator[Question]:
        """Which of three elements someone did not find; the odd one is of the same years."""
        if len(found) < 2 or any(e not in self.dated for e in found) or is_institution(who):
            return
        year = found[0].year or 0
        others = [e for e in self.dated if who not in e.discoverers and abs((e.year or 0) - year) < 40]
        for odd in others:
            three = sorted([*found[:2], odd], key=lambda e: e.name)
            wordings = [
                f"Which of the elements {t.listed([e.name for e in three])} is not credited to {who}?",
                f"{t.upper(t.listed([e.name for e in three]))}: which of these did {who} have no part in finding?",
            ]
            pages, keys = [self.to.person_url(who), self.to.element_url(odd)], [f"element:{e.symbol}" for e in three]
            true = [f"({e.symbol})" for e in found[:2]]
            derivation = {"op": "claims", "pages": pages[:1], "true": true, "false": f"({odd.symbol})"}
            answers = [odd.name, odd.symbol]
            yield self._verify("odd-element", [who, odd.symbol], wordings, answers, pages, keys, derivation)

    def _first(self, a: Element, b: Element) -> Iterator[Question]:
        apart = (a.year or 0) - (b.year or 0)
        if not 0 < abs(apart) <= 5 or a.how != b.how:
            return
        first, done = (a if apart < 0 else b), verb(a).replace("first ", "")
        wordings = [
            f"Which was {done} earlier, {a.name} or {b.name}?",
            f"{t.upper(a.name)} or {b.name}: which of the two was {done} first?",
        ]
        values = [[self.to.element_url(e), f"{e.year}", e.name] for e in (a, b)]
        keys = [f"element:{e.symbol}" for e in (a, b)]
        pages, derivation = [v[0] for v in values], {"op": "least", "operands": values}
        about, answers = [a.symbol, b.symbol], [first.name, first.symbol]
        yield self._verify("first", about, wordings, answers, pages, keys, derivation)

    def _higher(self) -> Iterator[Question]:
        by_country: dict[str, list[Airport]] = defaultdict(list)
        for a in self.facts.airports.values():
            if self.settled(self.facts.cities[a.city]) and a.elevation > 100 and a.country != "US":
                by_country[a.country].append(a)
        for iso, airports in by_country.items():
            for a, b in zip(airports[::2], airports[1::2], strict=False):
                if abs(a.elevation - b.elevation) < 20:
                    continue
                high = a if a.elevation > b.elevation else b
                wordings = [
                    f"Which of the two airports lies higher above sea level, {a.name} or {b.name}?",
                    f"Between {a.name} and {b.name}, which one has the greater elevation?",
                ]
                values = [[self.to.airport_url(x), t.number(x.elevation), x.name] for x in (a, b)]
                pages, derivation = [v[0] for v in values], {"op": "greatest", "operands": values}
                about, keys, answers = [a.iata, b.iata], [f"country:{iso}"], [high.name, high.iata]
                yield self._verify("higher", about, wordings, answers, pages, keys, derivation)


class Statistics(Maker):
    """Statistics: a calculation over values of several pages, or a place in a table."""

    def questions(self) -> Iterator[Question]:
        """All of them, kind by kind."""
        yield from self._neighbours()
        for a, b in combinations(self.dated, 2):
            yield from self._years(a, b)
        for a, b in combinations([e for e in self.elements if e.melting is not None and e.group], 2):
            yield from self._melting(a, b)
        ready = [c for c in self.capitals if c.noun == "country" and self.capital_of(c).population > 500_000]
        for a, b in combinations(ready, 2):
            yield from self._clocks(a, b)
        for x in self.facts.continents.values():
            yield from self._ranks(x, "population", "Population")
            yield from self._ranks(x, "area", "Area (km²)")
        yield from self._elevations()

    def _reckon(
        self,
        kind: str,
        about: list[str],
        wordings: list[str],
        value: str,
        operands: list[list[str]],
        entities: list[str],
        op: str,
    ) -> Question:
        words, pages = t.choose("".join(about), *wordings), [o[0] for o in operands]
        derivation = {"op": op, "operands": operands}
        return Question(kind, tuple(about), words, [value], pages, "statistics", len(operands), entities, derivation)

    def _neighbours(self) -> Iterator[Question]:
        for c in self.countries:
            for n in (self.facts.countries[iso] for iso in c.neighbours):
                if n.iso > c.iso and n in self.countries and c.population and n.population and c.area and n.area:
                    yield self._together(c, n, c.population, n.population)
                    yield self._area_gap(c, n, c.area, n.area)

    def _together(self, c: Country, n: Country, one: int, other: int) -> Question:
        wordings = [
            f"Taking the Statistics Office's figures, how many people live in {c.the} and {n.the} together?",
            f"What do the populations of {c.the} and {n.the} add up to in the Statistics Office's data sheets?",
        ]
        values = [[self.to.sheet_url(c), t.number(one)], [self.to.sheet_url(n), t.number(other)]]
        return self._reckon(
            "together", [c.iso3, n.iso3], wordings, t.number(one + other), values, self.keys(c, n), "sum"
        )

    def _area_gap(self, c: Country, n: Country, one: int, other: int) -> Question:
        wordings = [
            f"By how many square kilometres do {c.the} and {n.the} differ in area, by the Statistics Office?",
            f"What is the difference in area between {c.the} and {n.the}, in km², in the Statistics Office's data?",
        ]
        values, gap = [[self.to.sheet_url(c), t.number(one)], [self.to.sheet_url(n), t.number(other)]], abs(one - other)
        return self._reckon(
            "area-gap", [c.iso3, n.iso3], wordings, t.number(gap), values, self.keys(c, n), "difference"
        )

    def _years(self, a: Element, b: Element) -> Iterator[Question]:
        gap = abs((a.year or 0) - (b.year or 0))
        if a.how == b.how == "discovered" and gap > 5 and a.period == b.period:
            wordings = [
                f"How many years lie between the discoveries of {a.name} and {b.name}?",
                f"By how many years do the discoveries of {a.name} and {b.name} differ?",
            ]
            values = [[self.to.element_url(e), f"{e.year}"] for e in (a, b)]
            keys = [f"element:{e.symbol}" for e in (a, b)]
            yield self._reckon("years-between", [a.symbol, b.symbol], wordings, f"{gap}", values, keys, "difference")

    def _melting(self, a: Element, b: Element) -> Iterator[Question]:
        if a.group != b.group or a.melting is None or b.melting is None:
            return
        gap = round(abs(a.melting - b.melting), 1)
        wordings = [
            f"By how many degrees Celsius do the melting points of {a.name} and {b.name} differ in the Handbook?",
            f"What is the difference between the melting points of {a.name} and {b.name}, in degrees Celsius?",
        ]
        values = [[self.to.data_url(e), t.temperature(e.melting or 0)] for e in (a, b)]
        keys = [f"element:{e.symbol}" for e in (a, b)]
        shown = t.temperature(gap).removesuffix(" °C")
        yield self._reckon("melting-gap", [a.symbol, b.symbol], wordings, shown, values, keys, "difference")

    def _clocks(self, a: Country, b: Country) -> Iterator[Question]:
        f, x, y = self.facts, self.capital_of(a), self.capital_of(b)
        minutes = abs(f.zones[x.zone].standard - f.zones[y.zone].standard)
        if minutes < 120:
            return
        one, other = f.city_label(x), f.city_label(y)
        wordings = [
            f"In standard time, by how many hours do the clocks of {one} and {other} differ?",
            f"How many hours apart are {one} and {other}, going by standard time?",
        ]
        values = [[self.to.capital_url(z), t.offset(f.zones[z.zone].standard)] for z in (x, y)]
        yield self._reckon(
            "hours-apart", [a.iso3, b.iso3], wordings, f"{minutes / 60:g}", values, self.keys(a, b), "hours"
        )

    def _ranks(self, x: Continent, kind: str, column: str) -> Iterator[Question]:
        """Who comes second, third and so on in a continent's table."""

        def value(c: Country) -> int:
            return (c.population if kind == "population" else c.area) or 0

        order = sorted(self.facts.by_continent[x.code], key=lambda c: -value(c))
        url = f"{t.STATISTICS}/{kind}/{x.slug}"
        for i, name in enumerate(ORDINALS, 2):
            c = order[i - 1]
            if c not in self.countries or value(c) in (value(order[i - 2]), value(order[i])):
                continue
            most = f"{name} most populous" if kind == "population" else f"{name} largest by area"
            wordings = [
                f"Which country or territory of {x.name} is the {most} in the Statistics Office's table?",
                f"In {x.name}, which country or territory comes {name} by {kind}, going by the Statistics Office?",
            ]
            words = t.choose(x.code + name + kind, *wordings)
            derivation = {"op": "rank", "page": url, "column": column, "rank": i}
            about, answers = (x.code, f"{i}"), [c.name, *c.aliases]
            yield Question(f"rank-{kind}", about, words, answers, [url], "statistics", 1, self.keys(c), derivation)

    def _elevations(self) -> Iterator[Question]:
        for city in self.facts.cities.values():
            for a, b in combinations(self.facts.airports_of.get(city.id, []), 2):
                if a.elevation == b.elevation or not self.settled(city):
                    continue
                gap = t.number(abs(a.elevation - b.elevation))
                wordings = [
                    f"What is the difference in elevation, in feet, between {a.name} and {b.name}?",
                    f"By how many feet do {a.name} and {b.name} differ in elevation?",
                ]
                values = [[self.to.airport_url(z), f"{t.number(z.elevation)} ft"] for z in (a, b)]
                yield self._reckon(
                    "elevation-gap", [a.iata, b.iata], wordings, gap, values, self.home(city), "difference"
                )


ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
