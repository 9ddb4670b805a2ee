"""Questions on several pages at once: the one thing that meets several conditions, and all that meet one."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, permutations

from . import text as t
from .links import is_institution
from .model import Country, Element
from .questions import UNSETTLED_CAPITAL, Maker, Question
from .sources import slug
from .text import choose


class Aggregation(Maker):
    """Several constraints from different pages that exactly one thing meets."""

    def questions(self) -> Iterator[Question]:
        yield from self._between()
        yield from self._tongues()
        yield from self._credited()
        yield from self._money()

    def _meet(
        self,
        kind: str,
        about: tuple[str, ...],
        question: str,
        answers: list[str],
        steps: list[list[str]],
        entities: list[str],
        hops: int,
    ) -> Question:
        evidence = [u for u, _ in steps]
        return Question(
            kind, about, question, answers, evidence, "aggregation", hops, entities, {"op": "lookup", "steps": steps}
        )

    def _between(self) -> Iterator[Question]:
        """The only country that borders both of two."""
        f, to = self.facts, self.to
        for a, b in combinations([c for c in self.countries if c.noun == "country"], 2):
            both = [n for n in a.neighbours if n in b.neighbours]
            if len(both) != 1 or f.countries[both[0]] not in self.countries or f.countries[both[0]].noun != "country":
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
            if len(both) == 1 and a.how == b.how and not is_institution(both[0]):
                words = choose(
                    a.symbol + b.symbol,
                    f"Who is credited with both {a.name} and {b.name}?",
                    f"Which scientist had a part in finding {a.name} as well as {b.name}?",
                )
                steps = [[to.element_url(e), both[0]] for e in (a, b)]
                keys = [f"element:{e.symbol}" for e in (a, b)]
                yield self._meet(
                    "credited", (a.symbol, b.symbol), words, [both[0], both[0].split()[-1]], steps, keys, 2
                )
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
                    f"Of the elements that the Handbook lists as found in {c.the}, which one is in group {group}?",
                )
                pages = [f"{t.HANDBOOK}/discoveries/in/{c.slug}", f"{t.HANDBOOK}/group/{group}"]
                yield self._meet(
                    "group-place",
                    (e.symbol,),
                    words,
                    [e.name, e.symbol],
                    [[u, e.name] for u in pages],
                    [f"element:{e.symbol}", f"country:{iso}"],
                    2,
                )

    def _money(self) -> Iterator[Question]:
        """The only neighbour of a country with a certain currency."""
        f, to = self.facts, self.to
        for c in [c for c in self.countries if len(c.neighbours) > 1]:
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
                    yield self._meet(
                        "neighbour-money",
                        (c.iso3, code),
                        words,
                        [only.name, *only.aliases],
                        steps,
                        self._keys(c, only),
                        2,
                    )


class Enumeration(Maker):
    """Count or list the members that satisfy a condition."""

    def questions(self) -> Iterator[Question]:
        yield from self._countries()
        yield from self._thresholds()
        yield from self._elements()
        yield from self._places()

    def _count(
        self, kind: str, about: str, question: str, items: list[str], url: str, entities: list[str], **how: object
    ) -> Question:
        derivation = {"op": "count", "page": url, "items": items, **how}
        return Question(kind, (about,), question, _counted(len(items)), [url], "enumeration", 1, entities, derivation)

    def _list(
        self, kind: str, about: str, question: str, items: list[str], url: str, entities: list[str], **how: object
    ) -> Question:
        answers = [t.listed(list(order)) for order in permutations(items)]
        derivation = {"op": "list", "page": url, "items": items, **how}
        return Question(kind, (about,), question, answers, [url], "enumeration", 1, entities, derivation)

    def _countries(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for c in self.countries:
            names = [f.countries[n].name for n in c.neighbours]
            url, key = to.country_url(c), [f"country:{c.iso}"]
            if len(names) > 2:
                words = choose(c.iso, f"How many countries and territories border {c.the} on land?",
                               f"How many land neighbours does {c.the} have?")  # fmt: skip
                yield self._count("neighbours", c.iso3, words, names, url, key, section="Neighbours", links="/country/")
            if 2 <= len(names) <= 3 and not set(c.neighbours) & UNSETTLED_CAPITAL:
                words = choose(c.iso, f"Which countries or territories border {c.the}? Name all of them.",
                               f"Name all the land neighbours of {c.the}.")  # fmt: skip
                yield self._list("neighbour-list", c.iso3, words, names, url, key + [f"country:{n}" for n in c.neighbours],
                                 section="Neighbours", links="/country/")  # fmt: skip
        for code, users in f.by_currency.items():
            x = f.currencies[code]
            url = to.currency_url(code)
            if len(users) > 2:
                words = choose(code, f"How many countries and territories use the {x.name}, by the almanac?",
                               f"In how many countries and territories does the almanac find the {x.name} in use?")  # fmt: skip
                yield self._count(
                    "currency-users", code, words, [c.name for c in users], url, [f"currency:{code}"], table=True
                )
        for code, users in f.by_language.items():
            x = f.languages[code]
            if len(users) > 3:
                words = choose(code, f"In how many countries and territories does the encyclopedia list {x.name} as official?",
                               f"How many countries and territories have {x.name} as an official language, by the "
                               "encyclopedia?")  # fmt: skip
                yield self._count("language-users", code, words, [c.name for c in users], to.language_url(code), [f"language:{code}"],
                                  section="Where it is official", links="/country/")  # fmt: skip
            if 2 <= len(users) <= 3 and not {c.iso for c in users} & UNSETTLED_CAPITAL:
                words = choose(code, f"In which countries or territories is {x.name} an official language? Name all of them.",
                               f"{x.name} is official in more than one place. In which, by the encyclopedia?")  # fmt: skip
                yield self._list("language-list", code, words, [c.name for c in users], to.language_url(code), [f"language:{code}", *self._keys(*users)],
                                 section="Where it is official", links="/country/")  # fmt: skip

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
        q = self._count(
            kind, f"{code}-{limit}", words, items, url, [f"table:{kind}:{code}:{limit}"], column=column, above=limit
        )
        return q

    def _elements(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for who, found in f.people.items():
            if len(found) > 2 and all(e in self.dated for e in found):
                words = choose(who, f"With how many elements is {who} credited in the encyclopedia?",
                               f"How many elements did {who} have a part in finding?")  # fmt: skip
                yield self._count("person-elements", who, words, [t.upper(e.name) for e in found], to.person_url(who), [f"person:{who}"],
                                  section="Elements", links="/element/")  # fmt: skip
            if len(found) == 2 and all(e in self.dated for e in found):
                words = choose(
                    who,
                    f"Which two elements are credited to {who}?",
                    f"Name the two elements that {who} had a part in finding.",
                )
                yield self._list("person-list", who, words, [e.name for e in found], to.person_url(who), [f"person:{who}"],
                                  section="Elements", links="/element/")  # fmt: skip
        for c in self.countries:
            these = [e for e in self.dated if c.iso in e.places]
            if len(these) > 1:
                words = choose(c.iso, f"How many elements does the Handbook list as found in what is today {c.the}?",
                               f"Of how many elements does the Handbook say that they were found in {c.the}?")  # fmt: skip
                url = f"{t.HANDBOOK}/discoveries/in/{c.slug}"
                yield self._count(
                    "found-in", c.iso3, words, [e.name for e in these], url, [f"found:{c.iso}"], table=True
                )
        for n in (n for n in range(1, 19) if n != 3):  # tables differ on who belongs to group 3
            these = [e for e in self.elements if e.group == n and e.melting is not None]
            for limit in (0, 500, 1000, 2000, 3000):
                hot = [e for e in these if (e.melting or 0) > limit]
                if 1 < len(hot) < len(these):
                    words = choose(
                        f"{n}{limit}",
                        f"How many elements of group {n} have a melting point above {t.number(limit)} °C in the Handbook?",
                        f"In the Handbook's table of group {n}, how many elements melt above {t.number(limit)} °C?",
                    )
                    url = f"{t.HANDBOOK}/group/{n}"
                    yield self._count("group-melting", f"{n}-{limit}", words, [e.name for e in hot], url, [f"table:group:{n}:{limit}"],
                                      column="Melting point (°C)", above=limit)  # fmt: skip
        for century in (18, 19, 20):
            these = [e for e in self.dated if e.century == century]
            words = f"How many elements does the Handbook date to the {t.rank(century)} century?"
            url = f"{t.HANDBOOK}/discoveries/century-{century}"
            yield self._count(
                "century", f"{century}", words, [e.name for e in these], url, [f"century:{century}"], table=True
            )

    def _places(self) -> Iterator[Question]:
        f, to = self.facts, self.to
        for city in f.cities.values():
            airports = f.airports_of.get(city.id, [])
            if len(airports) > 1 and self.settled(city):
                label = f.city_label(city)
                words = choose(f"{city.id}", f"How many airports does the gazetteer list for {label}?",
                               f"By how many airports in the gazetteer is {label} served?")  # fmt: skip
                yield self._count(
                    "city-airports",
                    f"{city.id}",
                    words,
                    [a.name for a in airports],
                    to.city_url(city),
                    self.home(city),
                    table=True,
                )
        for name, members in f.families.items():
            if len(members) > 2:
                words = choose(name, f"How many currencies called {name} does the almanac have?",
                               f"How many different currencies of the almanac are called {name}?")  # fmt: skip
                url = f"{t.ALMANAC}/currencies/{slug(name)}"
                yield self._count(
                    "currency-family", name, words, [x.name for x in members], url, [f"family:{name}"], table=True
                )
        for name, cities in f.by_name.items():
            if len(cities) > 2:
                words = choose(name, f"How many cities called {name} are in the gazetteer?",
                               f"How many different cities of the gazetteer bear the name {name}?")  # fmt: skip
                labels = [f.city_label(c) for c in cities]
                yield self._count("same-name", name, words, labels, f"{t.GAZETTEER}/name/{slug(name)}", [f"name:{name}"],
                                  links="/city/")  # fmt: skip


def _words(n: int) -> str:
    return {100_000: "100,000", 1_000_000: "one million", 10_000_000: "ten million", 50_000_000: "50 million",
            100_000_000: "100 million"}[n]  # fmt: skip


def _counted(n: int) -> list[str]:
    """A count as digits and, where the pages would, in words."""
    return [f"{n}", t.count(n, "")[:-1].strip()] if n <= 12 else [f"{n}"]
