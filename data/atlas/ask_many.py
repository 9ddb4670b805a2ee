"""Questions whose answer rests on several pages or on a whole table: aggregation, enumeration, verification, statistics."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, permutations

from . import text as t
from .model import Country, Element
from .questions import UNSETTLED_CAPITAL, Maker, Question, verb
from .text import choose


class Aggregation(Maker):
    """Several constraints from different pages that exactly one thing meets."""

    def questions(self) -> Iterator[Question]:
        yield from self._between()
        yield from self._tongues()
        yield from self._credited()
        yield from self._money()

    def _meet(
        self, kind: str, about: tuple[str, ...], question: str, answers: list[str], steps: list[list[str]], entities: list[str], hops: int
    ) -> Question:
        evidence = [u for u, _ in steps]
        return Question(kind, about, question, answers, evidence, "aggregation", hops, entities, {"op": "lookup", "steps": steps})

    def _between(self) -> Iterator[Question]:
        """The only country that borders both of two."""
        f, to = self.facts, self.to
        for a, b in combinations([c for c in self.countries if c.noun == "country"], 2):
            both = [n for n in a.neighbours if n in b.neighbours]
            if len(both) != 1 or f.countries[both[0]] not in self.countries:
                continue
            c = f.countries[both[0]]
            words = choose(
                a.iso + b.iso,
                f"Which country borders both {a.the} and {b.the}?",
                f"What is the one country that has a land border with {a.the} as well as with {b.the}?",
                f"Driving overland from {a.the} to {b.the} through a single country, which one do I cross?",
            )
            if b.iso in a.neighbours:
                words = f"Which country shares a land border with {a.the} and also with {b.the}?"
            steps = [[to.country_url(a), c.name], [to.country_url(b), c.name]]
            yield self._meet("between", (a.iso3, b.iso3), words, [c.name, *c.aliases], steps, self._keys(a, b, c), 2)

    def _keys(self, *countries: Country) -> list[str]:
        return [f"country:{c.iso}" for c in countries]

    def _tongues(self) -> Iterator[Question]:
        """The only country or territory where two languages are official."""
        f, to = self.facts, self.to
        for x, y in combinations(f.languages.values(), 2):
            both = [c for c in f.by_language[x.code] if y.code in c.languages]
            if len(both) == 1 and both[0] in self.countries and min(len(f.by_language[k.code]) for k in (x, y)) > 1:
                c = both[0]
                words = choose(
                    x.code + y.code,
                    f"In which country or territory are both {x.name} and {y.name} official languages?",
                    f"Where do {x.name} and {y.name} both have official standing?",
                )
                steps = [[to.language_url(k.code), c.name] for k in (x, y)]
                yield self._meet("tongues", (x.code, y.code), words, [c.name, *c.aliases], steps, self._keys(c), 2)

    def _credited(self) -> Iterator[Question]:
        """Who found both of two elements; what someone found in a group of the table."""
        f, to = self.facts, self.to
        for a, b in combinations(self.dated, 2):
            both = [p for p in a.discoverers if p in b.discoverers]
            if len(both) == 1 and a.how == b.how and "of" not in both[0] and "Laboratory" not in both[0]:
                words = choose(
                    a.symbol + b.symbol,
                    f"Who is credited with both {a.name} and {b.name}?",
                    f"Which scientist had a part in finding {a.name} as well as {b.name}?",
                )
                steps = [[to.element_url(e), both[0]] for e in (a, b)]
                keys = [f"element:{e.symbol}" for e in (a, b)]
                yield self._meet("credited", (a.symbol, b.symbol), words, [both[0], both[0].split()[-1]], steps, keys, 2)
        in_group: dict[tuple[int, str], list[Element]] = defaultdict(list)
        for e in self.dated:
            if e.group and len(e.places) == 1:
                in_group[e.group, e.places[0]].append(e)
        for (group, iso), these in in_group.items():
            if len(these) == 1:
                e, c = these[0], f.countries[iso]
                words = choose(
                    e.symbol,
                    f"Which element of group {group} does the Handbook list among those found in {c.the}?",
                    f"Of the elements found in {c.the}, which one stands in group {group} of the periodic table?",
                )
                pages = [f"{t.HANDBOOK}/discoveries/in/{c.slug}", f"{t.HANDBOOK}/group/{group}"]
                yield self._meet("group-place", (e.symbol,), words, [e.name, e.symbol], [[u, e.name] for u in pages], [f"element:{e.symbol}"], 2)

    def _money(self) -> Iterator[Question]:
        """The only neighbour of a country with a certain currency."""
        f, to = self.facts, self.to
        for c in self.countries:
            by_money: dict[str, list[Country]] = defaultdict(list)
            for n in c.neighbours:
                other = f.countries[n]
                if other.currency:
                    by_money[other.currency].append(other)
            for code, users in by_money.items():
                only = users[0]
                if len(users) == 1 and len(f.by_currency[code]) > 1 and only in self.countries and c.noun == "country":
                    name = f.currencies[code].name
                    words = choose(
                        c.iso + code,
                        f"Which neighbour of {c.the} uses the {name}?",
                        f"Among the countries that border {c.the}, which one pays in the {name}?",
                    )
                    steps = [[to.country_url(c), only.name], [to.currency_url(code), only.name]]
                    yield self._meet("neighbour-money", (c.iso3, code), words, [only.name, *only.aliases], steps, self._keys(c, only), 2)


class Enumeration(Maker):
    """Count or list the members that satisfy a condition."""

    def questions(self) -> Iterator[Question]:
        yield from self._countries()
        yield from self._thresholds()
        yield from self._elements()
        yield from self._places()

    def _count(self, kind: str, about: str, question: str, items: list[str], url: str, entities: list[str], **how: object) -> Question:
        derivation = {"op": "count", "page": url, "items": items, **how}
        return Question(kind, (about,), question, _counted(len(items)), [url], "enumeration", 1, entities, derivation)

    def _list(self, kind: str, about: str, question: str, items: list[str], url: str, entities: list[str]) -> Question:
        answers = [t.listed(list(order)) for order in permutations(items)]
        derivation = {"op": "list", "page": url, "items": items}
        return Question(kind, (about,), question, answers, [url], "enumeration", 1, entities, derivation)

    def _countries(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for c in self.countries:
            names = [f.countries[n].name for n in c.neighbours]
            url, key = to.country_url(c), [f"country:{c.iso}"]
            if len(names) > 2:
                words = choose(c.iso, f"How many countries and territories border {c.the} on land?",
                               f"How many land neighbours does {c.the} have?")  # fmt: skip
                yield self._count("neighbours", c.iso3, words, names, url, key)
            if 2 <= len(names) <= 3 and not set(c.neighbours) & UNSETTLED_CAPITAL:
                words = choose(c.iso, f"Which countries or territories border {c.the}? Name all of them.",
                               f"Name all the land neighbours of {c.the}.")  # fmt: skip
                yield self._list("neighbour-list", c.iso3, words, names, url, key)
        for code, users in f.by_currency.items():
            x = f.currencies[code]
            url = to.currency_url(code)
            if len(users) > 2:
                words = choose(code, f"How many countries and territories use the {x.name}?",
                               f"In how many countries and territories is the {x.name} the currency?")  # fmt: skip
                yield self._count("currency-users", code, words, [c.name for c in users], url, [f"currency:{code}"], table=True)
            if 2 <= len(users) <= 3 and not {c.iso for c in users} & UNSETTLED_CAPITAL:
                words = f"Which countries or territories use the {x.name}? Name all of them."
                yield self._list("currency-list", code, words, [c.name for c in users], url, [f"currency:{code}"])
        for code, users in f.by_language.items():
            x = f.languages[code]
            if len(users) > 3:
                words = choose(code, f"In how many countries and territories does the encyclopedia list {x.name} as official?",
                               f"How many countries and territories have {x.name} as an official language, by the "
                               "encyclopedia?")  # fmt: skip
                yield self._count("language-users", code, words, [c.name for c in users], to.language_url(code), [f"language:{code}"])
            if 2 <= len(users) <= 3 and not {c.iso for c in users} & UNSETTLED_CAPITAL:
                words = f"In which countries or territories is {x.name} an official language? Name all of them."
                yield self._list("language-list", code, words, [c.name for c in users], to.language_url(code), [f"language:{code}"])

    def _thresholds(self) -> Iterator[Question]:
        f = self.facts
        for x in f.continents.values():
            members = f.by_continent[x.code]
            for people in (100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000):
                these = [c for c in members if (c.population or 0) > people]
                if 2 < len(these) < len(members) - 2:
                    words = choose(
                        f"{x.code}{people}",
                        f"In the Statistics Office's table for {x.name}, how many countries and territories have more than "
                        f"{_words(people)} inhabitants?",
                        f"How many countries and territories of {x.name} have over {_words(people)} inhabitants, by the "
                        "Statistics Office?",
                    )
                    yield self._above("populous", x.code, people, words, [c.name for c in these],
                                      f"{t.STATISTICS}/population/{x.slug}", "Population")  # fmt: skip
            for area in (1_000, 10_000, 100_000, 500_000, 1_000_000):
                these = [c for c in members if (c.area or 0) > area]
                if 2 < len(these) < len(members) - 2:
                    words = (
                        f"How many countries and territories in the Statistics Office's area table for {x.name} are larger "
                        f"than {t.number(area)} square kilometres?"
                    )
                    yield self._above("large", x.code, area, words, [c.name for c in these],
                                      f"{t.STATISTICS}/area/{x.slug}", "Area (km²)")  # fmt: skip

    def _above(self, kind: str, code: str, limit: int, words: str, items: list[str], url: str, column: str) -> Question:
        q = self._count(kind, f"{code}-{limit}", words, items, url, [f"table:{kind}:{code}:{limit}"], column=column, above=limit)
        return q

    def _elements(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for who, found in f.people.items():
            if len(found) > 2 and all(e in self.dated for e in found):
                words = choose(who, f"With how many elements is {who} credited in the encyclopedia?",
                               f"How many elements did {who} have a part in finding?")  # fmt: skip
                yield self._count("person-elements", who, words, [t.upper(e.name) for e in found], to.person_url(who), [f"person:{who}"])
            if len(found) == 2 and all(e in self.dated for e in found):
                words = choose(who, f"Which two elements are credited to {who}?", f"Name the two elements that {who} had a part in finding.")
                yield self._list("person-list", who, words, [e.name for e in found], to.person_url(who), [f"person:{who}"])
        for c in self.countries:
            these = [e for e in self.dated if c.iso in e.places]
            if len(these) > 1:
                words = f"How many elements does the Handbook list as found in what is today {c.the}?"
                url = f"{t.HANDBOOK}/discoveries/in/{c.slug}"
                yield self._count("found-in", c.iso3, words, [e.name for e in these], url, [f"found:{c.iso}"], table=True)
        for n in range(1, 19):
            these = [e for e in self.elements if e.group == n and e.melting is not None]
            for limit in (0, 500, 1000, 2000, 3000):
                hot = [e for e in these if (e.melting or 0) > limit]
                if 1 < len(hot) < len(these):
                    words = f"How many elements of group {n} have a melting point above {t.number(limit)} °C in the Handbook?"
                    url = f"{t.HANDBOOK}/group/{n}"
                    yield self._count("group-melting", f"{n}-{limit}", words, [e.name for e in hot], url, [f"table:group:{n}:{limit}"],
                                      column="Melting point (°C)", above=limit)  # fmt: skip
        for century in (18, 19, 20):
            these = [e for e in self.dated if ((e.year or 0) - 1) // 100 + 1 == century]
            words = f"How many elements does the Handbook date to the {t.rank(century)} century?"
            url = f"{t.HANDBOOK}/discoveries/century-{century}"
            yield self._count("century", f"{century}", words, [e.name for e in these], url, [f"century:{century}"], table=True)

    def _places(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for city in f.cities.values():
            airports = f.airports_of.get(city.id, [])
            if len(airports) > 1 and self.settled(city):
                label = f.city_label(city)
                words = choose(f"{city.id}", f"How many airports does the gazetteer list for {label}?",
                               f"By how many airports in the gazetteer is {label} served?")  # fmt: skip
                yield self._count("city-airports", f"{city.id}", words, [a.name for a in airports], to.city_url(city), self.home(city), table=True)
        for name, cities in f.by_name.items():
            if len(cities) > 2:
                words = f"How many cities called {name} are in the gazetteer?"
                labels = [f.city_label(c) for c in cities]
                yield self._count("same-name", name, words, labels, f"{t.GAZETTEER}/name/{_slug(name)}", [f"name:{name}"])


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
            said = {"capital": (c.capital, n.capital), "calling code": (c.calling[0], n.calling[0]), "domain": (c.tld, n.tld)}
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
            derivation = {"op": "claims", "pages": pages, "true": [v for k, v in shown.items() if k != wrong], "false": false}
            answers = [wrong, f"the {wrong}", str(false)]
            yield Question("claims", (c.iso3,), words, answers, pages, "verification", 2, [f"country:{c.iso}"], derivation)

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
            yield Question("odd-neighbour", (c.iso3,), words, answers, evidence, "verification", 2, [f"country:{c.iso}"], derivation)

    def _odd_element(self) -> Iterator[Question]:
        to = self.to
        for who, found in self.facts.people.items():
            dated = [e for e in found if e in self.dated]
            if len(dated) < 2 or len(dated) != len(found) or "of" in who:
                continue
            others = [e for e in self.dated if who not in e.discoverers and abs((e.year or 0) - (dated[0].year or 0)) < 20]
            if not others:
                continue
            odd = others[len(who) % len(others)]
            three = sorted([*dated[:2], odd], key=lambda e: e.name)
            words = f"Which of the elements {t.listed([e.name for e in three])} is not credited to {who}?"
            derivation = {"op": "claims", "pages": [to.person_url(who)], "true": [e.symbol for e in dated[:2]], "false": f"({odd.symbol})"}
            keys = [f"element:{e.symbol}" for e in three]
            evidence = [to.person_url(who), to.element_url(odd)]
            yield Question("odd-element", (who,), words, [odd.name, odd.symbol], evidence, "verification", 2, keys, derivation)

    def _first(self) -> Iterator[Question]:
        to = self.to
        for a, b in combinations(self.dated, 2):
            if 0 < abs((a.year or 0) - (b.year or 0)) <= 3 and a.how == b.how:
                first = a if (a.year or 0) < (b.year or 0) else b
                words = choose(
                    a.symbol + b.symbol,
                    f"Which was {verb(a)} earlier, {a.name} or {b.name}?",
                    f"{t.upper(a.name)} or {b.name}: which of the two was {verb(a)} first?".replace("first first", "first"),
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
        by_country: dict[str, list] = defaultdict(list)
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

    def _sum(self, kind: str, about: tuple[str, ...], question: str, value: str, operands: list[list[str]], entities: list[str], op: str) -> Question:
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
            if a.how == b.how == "discovered" and 5 < (gap := abs((a.year or 0) - (b.year or 0))) and a.group == b.group and a.group:
                words = choose(
                    a.symbol + b.symbol,
                    f"How many years lie between the discoveries of {a.name} and {b.name}?",
                    f"By how many years do the discoveries of {a.name} and {b.name} differ?",
                )
                values = [[to.element_url(e), f"{e.year}"] for e in (a, b)]
                yield self._sum("years-between", (a.symbol, b.symbol), words, f"{gap}", values, [f"element:{e.symbol}" for e in (a, b)], "difference")
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
            yield self._sum("hours-apart", (a.iso3, b.iso3), words, hours, values, [f"country:{c.iso}" for c in (a, b)], "hours")

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


def _words(n: int) -> str:
    return {100_000: "100,000", 1_000_000: "one million", 10_000_000: "ten million", 50_000_000: "50 million",
            100_000_000: "100 million"}[n]  # fmt: skip


def _counted(n: int) -> list[str]:
    """A count as digits and, where the pages would, in words."""
    return [f"{n}", t.count(n, "")[:-1].strip()] if n <= 12 else [f"{n}"]


def _slug(name: str) -> str:
    from .sources import slug

    return slug(name)
