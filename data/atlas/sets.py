"""Questions on several pages at once: the one thing that meets several conditions, and all that meet one."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, permutations

from . import text as t
from .corrections import UNSETTLED_CAPITAL
from .links import is_institution
from .model import Continent, Country, Currency, Element, Language
from .questions import Maker, Question
from .reading import slug

BORDERS = {"section": "Neighbours", "links": "/country/"}  # how a checker finds the members on the page again
SPOKEN = {"section": "Where it is official", "links": "/country/"}
FOUND = {"section": "Elements", "links": "/element/"}


class Aggregation(Maker):
    """Aggregation: several constraints from different pages that exactly one thing meets."""

    def questions(self) -> Iterator[Question]:
        """All of them, kind by kind."""
        yield from self._between()
        yield from self._tongues()
        yield from self._credited()
        yield from self._in_group()
        yield from self._money()

    def _meet(
        self,
        kind: str,
        about: list[str],
        wordings: list[str],
        answers: list[str],
        pages: list[str],
        entities: list[str],
    ) -> Question:
        """Each of the pages says the answer, among others."""
        steps = [[url, answers[0]] for url in pages]
        return Question(
            kind, tuple(about), t.choose("".join(about), *wordings), answers, pages, "aggregation", 2, entities,
            {"op": "lookup", "steps": steps},
        )  # fmt: skip

    def _between(self) -> Iterator[Question]:
        """The only country that borders both of two."""
        countries = self.facts.countries
        for a, b in combinations([c for c in self.countries if c.noun == "country"], 2):
            both = [countries[n] for n in a.neighbours if n in b.neighbours]
            if len(both) != 1 or both[0] not in self.countries or both[0].noun != "country":
                continue
            c = both[0]
            wordings = [
                f"Which country borders both {a.the} and {b.the}?",
                f"What is the one country that has a land border with {a.the} as well as with {b.the}?",
                f"Driving overland from {a.the} to {b.the} through a single country, which one do I cross?",
            ]
            if b.iso in a.neighbours:
                wordings = [f"Which country shares a land border with {a.the} and also with {b.the}?"]
            pages = [self.to.country_url(a), self.to.country_url(b)]
            yield self._meet("between", [a.iso3, b.iso3], wordings, [c.name, *c.aliases], pages, self.keys(a, b, c))

    def _tongues(self) -> Iterator[Question]:
        """The only country or territory where two languages are official."""
        by_language = self.facts.by_language
        for x, y in combinations(self.facts.languages.values(), 2):
            both = [c for c in by_language[x.code] if y.code in c.languages]
            if len(both) != 1 or both[0] not in self.countries or 1 in (len(by_language[k.code]) for k in (x, y)):
                continue
            wordings = [
                f"In which country or territory are both {x.name} and {y.name} official languages?",
                f"Where do {x.name} and {y.name} both have official standing?",
            ]
            pages = [self.to.language_url(k.code) for k in (x, y)]
            answers = [both[0].name, *both[0].aliases]
            yield self._meet("tongues", [x.code, y.code], wordings, answers, pages, self.keys(both[0]))

    def _credited(self) -> Iterator[Question]:
        """Who found both of two elements."""
        for a, b in combinations(self.dated, 2):
            both = [p for p in a.discoverers if p in b.discoverers]
            if len(both) == 1 and a.how == b.how and not is_institution(both[0]):
                wordings = [
                    f"Who is credited with both {a.name} and {b.name}?",
                    f"Which scientist had a part in finding {a.name} as well as {b.name}?",
                ]
                pages = [self.to.element_url(e) for e in (a, b)]
                keys = [f"element:{e.symbol}" for e in (a, b)]
                yield self._meet("credited", [a.symbol, b.symbol], wordings, self.person(both[0]), pages, keys)

    def _in_group(self) -> Iterator[Question]:
        """The only element of a group that was found in a country."""
        members: dict[tuple[int, str], list[Element]] = defaultdict(list)
        for e in self.dated:
            if e.group and len(e.places) == 1:
                members[e.group, e.places[0]].append(e)
        for (group, iso), (e, *more) in members.items():
            if more:
                continue
            c = self.facts.countries[iso]
            wordings = [
                f"Which element of group {group} does the Handbook list among those found in {c.the}?",
                f"Of the elements that the Handbook lists as found in {c.the}, which one is in group {group}?",
            ]
            pages = [f"{t.HANDBOOK}/discoveries/in/{c.slug}", f"{t.HANDBOOK}/group/{group}"]
            keys = [f"element:{e.symbol}", *self.keys(c)]
            yield self._meet("group-place", [e.symbol], wordings, [e.name, e.symbol], pages, keys)

    def _money(self) -> Iterator[Question]:
        """The only neighbour of a country that has a certain currency, itself used elsewhere too."""
        f = self.facts
        for c in [c for c in self.countries if len(c.neighbours) > 1 and c.noun == "country"]:
            by_money: dict[str, list[Country]] = defaultdict(list)
            for n in c.neighbours:
                by_money[f.countries[n].currency or ""].append(f.countries[n])
            for code, (only, *more) in by_money.items():
                if more or not code or len(f.by_currency[code]) < 2 or only not in self.countries:
                    continue
                name = f.currencies[code].name
                wordings = [
                    f"Which neighbour of {c.the} uses the {name}?",
                    f"Among the countries and territories that border {c.the}, which one pays in the {name}?",
                ]
                pages = [self.to.country_url(c), self.to.currency_url(code)]
                answers = [only.name, *only.aliases]
                yield self._meet("neighbour-money", [c.iso3, code], wordings, answers, pages, self.keys(c, only))


class Enumeration(Maker):
    """Enumeration: count or list the members that satisfy a condition."""

    def questions(self) -> Iterator[Question]:
        """All of them, kind by kind."""
        f = self.facts
        for c in self.countries:
            yield from self._neighbours(c)
            yield from self._found_in(c)
        for x in f.currencies.values():
            yield from self._users(x)
        for x in f.languages.values():
            yield from self._speakers(x)
        for x in f.continents.values():
            yield from self._larger(x)
        for who in f.people:
            yield from self._credits(who)
        yield from self._groups()
        yield from self._centuries()
        yield from self._places()

    def _count(
        self, kind: str, about: str, wordings: list[str], items: list[str], url: str, entities: list[str], **how: object
    ) -> Question:
        """`how` tells a checker where on the page the members stand."""
        answers = [f"{len(items)}", t.words(len(items))]
        return Question(
            kind, (about,), t.choose(about, *wordings), answers, [url], "enumeration", 1, entities,
            {"op": "count", "page": url, "items": items, **how},
        )  # fmt: skip

    def _list(
        self, kind: str, about: str, wordings: list[str], items: list[str], url: str, entities: list[str], **how: object
    ) -> Question:
        answers = [t.listed(list(order)) for order in permutations(items)]
        return Question(
            kind, (about,), t.choose(about, *wordings), answers, [url], "enumeration", 1, entities,
            {"op": "list", "page": url, "items": items, **how},
        )  # fmt: skip

    def _settled(self, countries: list[Country]) -> bool:
        return 2 <= len(countries) <= 3 and not {c.iso for c in countries} & UNSETTLED_CAPITAL

    def _neighbours(self, c: Country) -> Iterator[Question]:
        others = [self.facts.countries[n] for n in c.neighbours]
        names, url = [n.name for n in others], self.to.country_url(c)
        if len(names) > 2:
            wordings = [
                f"How many countries and territories border {c.the} on land?",
                f"How many land neighbours does {c.the} have?",
            ]
            yield self._count("neighbours", c.iso3, wordings, names, url, self.keys(c), **BORDERS)
        if self._settled(others):
            wordings = [
                f"Which countries or territories border {c.the}? Name all of them.",
                f"Name all the land neighbours of {c.the}.",
            ]
            yield self._list("neighbour-list", c.iso3, wordings, names, url, self.keys(c, *others), **BORDERS)

    def _users(self, x: Currency) -> Iterator[Question]:
        users = self.facts.by_currency[x.code]
        wordings = [
            f"How many countries and territories use the {x.name}, by the almanac?",
            f"In how many countries and territories does the almanac find the {x.name} in use?",
        ]
        if len(users) > 2:
            names, key = [c.name for c in users], [f"currency:{x.code}"]
            yield self._count("currency-users", x.code, wordings, names, self.to.currency_url(x.code), key, table=True)

    def _speakers(self, x: Language) -> Iterator[Question]:
        users, url, key = self.facts.by_language[x.code], self.to.language_url(x.code), f"language:{x.code}"
        names = [c.name for c in users]
        if len(users) > 3:
            wordings = [
                f"In how many countries and territories does the encyclopedia list {x.name} as official?",
                f"How many countries and territories have {x.name} as an official language, by the encyclopedia?",
            ]
            yield self._count("language-users", x.code, wordings, names, url, [key], **SPOKEN)
        if self._settled(users):
            wordings = [
                f"In which countries or territories is {x.name} an official language? Name all of them.",
                f"{x.name} is official in more than one place. In which, by the encyclopedia?",
            ]
            yield self._list("language-list", x.code, wordings, names, url, [key, *self.keys(*users)], **SPOKEN)

    def _larger(self, x: Continent) -> Iterator[Question]:
        members = self.facts.by_continent[x.code]
        for limit, words in PEOPLE.items():
            names = [c.name for c in members if (c.population or 0) > limit]
            if 2 < len(names) < len(members) - 2:
                who = "how many countries and territories"
                wordings = [
                    f"In the Statistics Office's table for {x.name}, {who} have more than {words} inhabitants?",
                    f"By the Statistics Office, {who} of {x.name} have over {words} inhabitants?",
                ]
                url, key = f"{t.STATISTICS}/population/{x.slug}", [f"people:{x.code}:{limit}"]
                how = {"column": "Population", "above": limit}
                yield self._count("populous", f"{x.code}-{limit}", wordings, names, url, key, **how)
        for limit in (1_000, 10_000, 100_000, 500_000, 1_000_000):
            names = [c.name for c in members if (c.area or 0) > limit]
            if 2 < len(names) < len(members) - 2:
                size = f"larger than {t.number(limit)} square kilometres"
                wordings = [
                    f"How many entries of the Statistics Office's area table for {x.name} are {size}?",
                    f"Of the countries and territories of {x.name}, how many are {size}, by the Statistics Office?",
                ]
                url, key = f"{t.STATISTICS}/area/{x.slug}", [f"area:{x.code}:{limit}"]
                how = {"column": "Area (km²)", "above": limit}
                yield self._count("large", f"{x.code}-{limit}", wordings, names, url, key, **how)

    def _credits(self, who: str) -> Iterator[Question]:
        found = self.facts.people[who]
        names, url, key = [e.name for e in found], self.to.person_url(who), [f"person:{who}"]
        if any(e not in self.dated for e in found):
            return
        if len(found) > 2:
            wordings = [
                f"With how many elements is {who} credited in the encyclopedia?",
                f"How many elements did {who} have a part in finding?",
            ]
            yield self._count("person-elements", who, wordings, names, url, key, **FOUND)
        if len(found) == 2:
            wordings = [
                f"Which two elements are credited to {who}?",
                f"Name the two elements that {who} had a part in finding.",
            ]
            yield self._list("person-list", who, wordings, names, url, key, **FOUND)

    def _found_in(self, c: Country) -> Iterator[Question]:
        names = [e.name for e in self.dated if c.iso in e.places]
        wordings = [
            f"How many elements does the Handbook list as found in what is today {c.the}?",
            f"Of how many elements does the Handbook say that they were found in {c.the}?",
        ]
        if len(names) > 1:
            url = f"{t.HANDBOOK}/discoveries/in/{c.slug}"
            yield self._count("found-in", c.iso3, wordings, names, url, [f"found:{c.iso}"], table=True)

    def _groups(self) -> Iterator[Question]:
        for n in (n for n in range(1, 19) if n != 3):  # tables differ on who belongs to group 3
            known = [e for e in self.elements if e.group == n and e.melting is not None]
            for limit in (0, 500, 1000, 2000, 3000):
                names = [e.name for e in known if (e.melting or 0) > limit]
                if not 1 < len(names) < len(known):
                    continue
                hot = f"above {t.number(limit)} °C"
                wordings = [
                    f"How many elements of group {n} have a melting point {hot} in the Handbook?",
                    f"In the Handbook's table of group {n}, how many elements melt {hot}?",
                ]
                url, key = f"{t.HANDBOOK}/group/{n}", [f"group:{n}:{limit}"]
                how = {"column": "Melting point (°C)", "above": limit}
                yield self._count("group-melting", f"{n}-{limit}", wordings, names, url, key, **how)

    def _centuries(self) -> Iterator[Question]:
        for century in (18, 19, 20, 21):
            names = [e.name for e in self.dated if e.century == century]
            wordings = [
                f"How many elements does the Handbook date to the {t.rank(century)} century?",
                f"How many elements were found in the {t.rank(century)} century, going by the Handbook's list?",
            ]
            url = f"{t.HANDBOOK}/discoveries/century-{century}"
            yield self._count("century", f"{century}", wordings, names, url, [f"century:{century}"], table=True)

    def _places(self) -> Iterator[Question]:
        f = self.facts
        for city in f.cities.values():
            names = [a.name for a in f.airports_of.get(city.id, [])]
            if len(names) > 1 and self.settled(city):
                label = f.city_label(city)
                wordings = [
                    f"How many airports does the gazetteer list for {label}?",
                    f"By how many airports in the gazetteer is {label} served?",
                ]
                url = self.to.city_url(city)
                yield self._count("city-airports", f"{city.id}", wordings, names, url, self.home(city), table=True)
        for name, members in f.families.items():
            wordings = [
                f"How many currencies called {name} does the almanac have?",
                f"How many different currencies of the almanac are called {name}?",
            ]
            if len(members) > 2:
                names, url = [x.name for x in members], f"{t.ALMANAC}/currencies/{slug(name)}"
                yield self._count("currency-family", name, wordings, names, url, [f"family:{name}"], table=True)
        for name, cities in f.by_name.items():
            wordings = [
                f"How many cities called {name} are in the gazetteer?",
                f"How many different cities of the gazetteer bear the name {name}?",
            ]
            if len(cities) > 2:
                labels, url = [f.city_label(c) for c in cities], f"{t.GAZETTEER}/name/{slug(name)}"
                yield self._count("same-name", name, wordings, labels, url, [f"name:{name}"], links="/city/")


PEOPLE = {
    100_000: "100,000",
    1_000_000: "one million",
    10_000_000: "ten million",
    50_000_000: "50 million",
    100_000_000: "100 million",
}
