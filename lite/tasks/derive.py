"""A derivation is how an answer follows from pages: a small tree, as JSON, that a program can carry out.

    {"op": "find", "table": [url, n], "where": [[column, is, what], …], "get": column}    the cells of the rows that fit
    {"op": "fact", "page": url or node, "relation": name}                                   what a page states of itself
    {"op": "count" | "list", "of": node}
    {"op": "members", "of": fact}                                                           the parts of a stated list
    {"op": "sum" | "mean" | "difference" | "ratio", "of": [node, …]}
    {"op": "most" | "least" | "rank", "of": find, "by": column, "n": place}                 the row whose value is such
    {"op": "meet", "of": [node, …]}       several each; in all of them, exactly one
    {"op": "agree", "of": [node, …]}      one each, and the same
    {"op": "newer", "of": [node, node]}   one each, and not the same: that of the later table counts, which is second
    {"op": "official", "of": [node, node]}                  likewise: what a thing's own page states counts, second

`n` counts the tables of a page from 0. `is` is one of is, >, <, in (a year). A column may be ["of", column, relation]:
what the page that the cell links to states. `what` may be a node of its own. What cannot be settled from the pages,
or not in one way only, raises Underivable: there is no answer then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any, Protocol

from lite.tasks.chinese import chinese_members
from lite.tasks.sheet import Sheet
from lite.tasks.values import Value, same_text

Node = dict[str, Any]


class Underivable(Exception):  # it is no error: the derivation gives no answer
    """Why a derivation gives no answer."""


@dataclass(frozen=True)
class Item:
    """A value with the page it links to and the place it stands at."""

    value: Value
    link: str
    url: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The value as it is written."""
        return self.value.text

    def same(self, other: "Item") -> bool:
        """Whether both name the same thing."""
        one, another = same_text(self.text), same_text(other.text)
        if one == another:
            return not (self.link and other.link and self.link != other.link)
        # Links to one page in other words: a redirect leads from a part to its whole, so the words have to agree too.
        words = set(one.split()), set(another.split())
        return bool(self.link) and self.link == other.link and (words[0] <= words[1] or words[1] <= words[0])


class Source(Protocol):
    """Where tables and statements are read from: the fact store, or the pages themselves."""

    def sheet(self, url: str, nth: int) -> Sheet | None:
        """The `nth` table of the page at `url`, its links resolved."""
        ...

    def stated(self, url: str, relation: str) -> Item | None:
        """What the page at `url` states of itself."""
        ...


@dataclass
class Answer:
    """What a derivation gives: items, or one number with its unit; and every place that it rests on."""

    items: list[Item] = field(default_factory=list)
    number: float | None = None
    unit: str = ""
    rests_on: list[Item] = field(default_factory=list)

    def one(self) -> Item:
        """The single item, however often it stands there."""
        first = self.items[0] if self.items else None
        if first is None:
            raise Underivable("nothing fits")
        if any(same_text(first.text) != same_text(other.text) or not first.same(other) for other in self.items[1:]):
            raise Underivable("more than one fits")
        return first


def derive(node: Node, source: Source) -> Answer:
    """Carry out a derivation. Raises Underivable; and for what is no derivation, too."""
    try:
        return _OPS[node["op"]](node, source)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Underivable(f"not a derivation ({type(error).__name__}: {error})") from None


def _find(node: Node, source: Source) -> Answer:
    sheet, rows, rests = fitting(node, source)
    get = sheet.header.index(node["get"])
    items = [_item(sheet, row[get]) for row in rows]
    if any(item.value.kind in {"empty", "odd", "several"} for item in items):
        raise Underivable("a cell that is asked for cannot be read in one way")
    return Answer(items, rests_on=[*rests, *items])


def fitting(node: Node, source: Source) -> tuple[Sheet, list[Any], list[Item]]:
    """The table, its rows that meet every condition, and what shows it."""
    url, nth = node["table"]
    sheet = source.sheet(url, nth)
    if sheet is None:
        raise Underivable(f"there is no table {nth} on {url}")
    rows, rests = list(sheet.rows), []
    through = [part for part in node["where"] if not isinstance(part[0], str)]
    for column, how, what in [part for part in node["where"] if isinstance(part[0], str)]:
        at = sheet.header.index(column)
        wanted: Any = what
        if isinstance(what, dict):
            known = derive(what, source)
            wanted = known.one()
            rests.extend(known.rests_on)
        rows = [row for row in rows if _fits(_item(sheet, row[at]), how, wanted)]
        if isinstance(wanted, str) and len({row[at].link for row in rows} - {""}) > 1:
            raise Underivable(f"{wanted!r} is written the same and links to several pages")
        rests.extend(_item(sheet, row[at]) for row in rows)
    for (_, column, relation), how, what in through:
        at = sheet.header.index(column)
        kept = []
        for row in rows:
            stated = source.stated(row[at].link, relation) if row[at].link else None
            if stated is None:
                raise Underivable(f"the {relation} of {row[at].text} is not known")
            rests.append(stated)  # those that do not fit are evidence too: without them others might
            if _fits(stated, how, what):
                kept.append(row)
        rows = kept
    return sheet, rows, rests


def _item(sheet: Sheet, cell: Any) -> Item:
    return Item(cell.value, cell.link, sheet.url, cell.start, cell.end)


def _fits(item: Item, how: str, wanted: Any) -> bool:
    value = item.value
    if how == "is":
        if isinstance(wanted, Item):
            fits = item.same(wanted)
            if not fits and same_text(item.text) == same_text(wanted.text):
                raise Underivable(f"{item.text!r} is written the same and links elsewhere")
            if not fits and item.link and item.link == wanted.link:
                raise Underivable(f"{item.text!r} links to the page of {wanted.text!r}, in other words")
            return fits
        return _is(item, str(wanted))
    if value.number is None or value.kind not in {"number", "year", "date", "rank"}:
        raise Underivable(f"{item.text!r} cannot be compared")
    if how == "in":
        return _year(value) == int(wanted)
    number = _year(value) if value.kind == "date" else value.number
    if how == ">":
        return number > float(wanted)
    if how == "<":
        return number < float(wanted)
    raise Underivable(f"no comparison is called {how!r}")


def _is(item: Item, wanted: str) -> bool:
    """Equal as names. A cell that only contains the name, or is contained in it, might be meant too: no answer then."""
    said, asked = same_text(item.text), same_text(wanted)
    if said == asked:
        return True
    if item.value.kind in {"text", "several", "odd"} and asked and said:
        one, other = f" {said} ", f" {asked} "
        if one in other or other in one:
            raise Underivable(f"{item.text!r} may be meant by {wanted!r} too")
    return False


def _year(value: Value) -> int:
    return date.fromordinal(int(value.number or 1)).year if value.kind == "date" else int(value.number or 0)


def _fact(node: Node, source: Source) -> Answer:
    page, rests = node["page"], []
    if isinstance(page, dict):
        known = derive(page, source)
        rests = known.rests_on
        page = known.one().link
        if not page:
            raise Underivable("the step before leads to no page")
    found = source.stated(page, node["relation"])
    if found is None:
        raise Underivable(f"{page} does not state its {node['relation']}")
    return Answer([found], rests_on=[*rests, found])


def _several(node: Node, source: Source) -> Answer:
    known = derive(node["of"], source)
    unique: list[Item] = []
    for item in known.items:
        twins = [other for other in unique if same_text(item.text) == same_text(other.text)]
        if any(item.link and item.link == other.link and other not in twins for other in unique):
            raise Underivable("one page under two names: whether they are one or two is not said")
        if not twins:
            unique.append(item)
    if node["op"] == "list":
        return Answer(unique, rests_on=known.rests_on)
    return Answer(number=float(len(unique)), rests_on=known.rests_on)


def _members(node: Node, source: Source) -> Answer:
    known = derive(node["of"], source)
    said = known.one()
    parts = chinese_members(said.text)
    items = [Item(Value("text", part), "", said.url, said.start, said.end) for part in parts]
    return Answer(items, rests_on=known.rests_on)


def _numbers(node: Node, source: Source) -> tuple[list[float], str, list[Item], set[str]]:
    items, rests = [], []
    for part in node["of"] if isinstance(node["of"], list) else [node["of"]]:
        known = derive(part, source)
        items += known.items
        rests += known.rests_on
    kinds = {item.value.kind for item in items}
    units = {item.value.unit for item in items}
    if not items or not kinds <= {"number", "year", "date"} or len(units) > 1:
        raise Underivable("the values are not numbers in one unit")
    return [float(item.value.number or 0) for item in items], units.pop(), rests, kinds


def _calculate(node: Node, source: Source) -> Answer:
    values, unit, rests, kinds = _numbers(node, source)
    op = node["op"]
    if "date" in kinds:
        raise Underivable("dates are not calculated with")
    if op == "sum":
        result = sum(values)
    elif op == "mean":
        result = sum(values) / len(values)
    elif len(values) != 2:
        raise Underivable(f"a {op} is of two values")
    elif op == "difference":
        result = abs(values[0] - values[1])
    elif not values[1]:
        raise Underivable("a ratio to zero")
    else:
        result, unit = values[0] / values[1], ""
    if kinds == {"year"} and op != "difference":
        raise Underivable(f"the {op} of years means nothing")
    return Answer(number=round(result, 6), unit="" if kinds == {"year"} else unit, rests_on=rests)


def _ordered(node: Node, source: Source) -> Answer:
    sheet, rows, rests = fitting(node["of"], source)
    get, by = sheet.header.index(node["of"]["get"]), node["by"]
    pairs = []
    for row in rows:
        if isinstance(by, str):
            key = _item(sheet, row[sheet.header.index(by)])
        else:
            cell = row[sheet.header.index(by[1])]
            stated = source.stated(cell.link, by[2]) if cell.link else None
            if stated is None:
                raise Underivable(f"the {by[2]} of {cell.text} is not known")
            key = stated
        if key.value.number is None or key.value.kind not in {"number", "year", "date"}:
            raise Underivable(f"{key.text!r} cannot be compared")
        pairs.append((key.value.number, _item(sheet, row[get]), key))
    if len({key.value.unit for _, _, key in pairs}) > 1 or len({key.value.kind for _, _, key in pairs}) > 1:
        raise Underivable("the values are not in one unit")
    pairs.sort(key=lambda pair: pair[0], reverse=node["op"] != "least" and node.get("order") != "least")
    place = int(node.get("n", 1)) - 1
    if len(pairs) < 2 or not 0 <= place < len(pairs) or sum(pair[0] == pairs[place][0] for pair in pairs) > 1:
        raise Underivable("two share the place that is asked for")
    if any(a[0] == b[0] for a, b in pairwise(pairs[: place + 1])):
        raise Underivable("two share a place before the one that is asked for")
    return Answer([pairs[place][1]], rests_on=[*rests, *(part for pair in pairs for part in pair[1:])])


def _together(node: Node, source: Source) -> Answer:
    known = [derive(part, source) for part in node["of"]]
    rests = [item for one in known for item in one.rests_on]
    if node["op"] == "meet":
        return Answer([_met(known)], rests_on=rests)
    first, *others = [one.one() for one in known]
    agree = all(first.same(other) or _equal(first, other) for other in others)
    if agree != (node["op"] == "agree"):
        raise Underivable("the sources disagree" if node["op"] == "agree" else "the sources agree")
    if node["op"] == "agree":
        return Answer([first], rests_on=rests)
    if node["op"] == "official":
        if node["of"][1]["op"] != "fact":
            raise Underivable("the second source is not the thing's own page")
        return Answer([others[-1]], rests_on=rests)
    years = [_sheet_year(part, source) for part in node["of"]]
    if years[0] >= years[1]:
        raise Underivable("the first source is not the older one")
    return Answer([others[-1]], rests_on=rests)


def _met(known: list[Answer]) -> Item:
    """The one item that all the lists have."""
    common = [item for item in known[0].items if all(any(item.same(o) for o in k.items) for k in known[1:])]
    found = Answer(common).one()
    for item in known[0].items:  # a name that the other list has in other words: a second answer, perhaps
        for other in (other for one in known[1:] for other in one.items):
            if item.same(other) or found.same(item):
                continue
            _is(other, item.text)
            if item.link and item.link == other.link:
                raise Underivable("a second one is in both, under two names")
    return found


def _equal(one: Item, other: Item) -> bool:
    a, b = one.value, other.value
    return a.number is not None and (a.kind, a.number, a.unit) == (b.kind, b.number, b.unit)


def _sheet_year(node: Node, source: Source) -> int:
    sheet = source.sheet(*node["table"])
    if sheet is None or sheet.year is None:
        raise Underivable("a source has no year")
    return sheet.year


_OPS = {
    "find": _find,
    "fact": _fact,
    "members": _members,
    "count": _several,
    "list": _several,
    "sum": _calculate,
    "mean": _calculate,
    "difference": _calculate,
    "ratio": _calculate,
    "most": _ordered,
    "least": _ordered,
    "rank": _ordered,
    "meet": _together,
    "agree": _together,
    "newer": _together,
    "official": _together,
}


def tables_in(node: Any) -> list[tuple[str, int]]:
    """Every table that a derivation names, in order."""
    return list(dict.fromkeys((part["table"][0], part["table"][1]) for part in nodes(node) if part.get("op") == "find"))


def nodes(node: Any) -> list[Node]:
    """A derivation and all the nodes in it, outermost first."""
    if isinstance(node, dict):
        return [node, *(inner for part in node.values() for inner in nodes(part))]
    if isinstance(node, list):
        return [inner for part in node for inner in nodes(part)]
    return []


_OVER_ALL = {"count", "list", "sum", "mean", "most", "least", "rank", "meet"}


def over_all(node: Node) -> bool:
    """Whether the answer would be another one if a table had more rows that fit."""
    if node.get("op") == "find":
        return any(not isinstance(column, str) for column, _, _ in node["where"])
    return node.get("op") in _OVER_ALL


def hops(node: Node) -> int:
    """How many look-ups have to follow each other, or be put together: 1 is one table or one page."""
    if node["op"] == "find":
        steps = [hops(what) for _, _, what in node["where"] if isinstance(what, dict)]
        through = any(not isinstance(column, str) for column, _, _ in node["where"])
        return 1 + max(steps, default=0) + through
    if node["op"] == "fact":
        return 1 + (hops(node["page"]) if isinstance(node["page"], dict) else 0)
    parts: Sequence[Node] = node["of"] if isinstance(node["of"], list) else [node["of"]]
    deepest = max(hops(part) for part in parts)
    return max(deepest + (not isinstance(node.get("by", ""), str)), len(_places(node)) if len(parts) > 1 else 0)


def _places(node: Node) -> set[Any]:
    pages = {part["page"] for part in nodes(node) if part.get("op") == "fact" and isinstance(part["page"], str)}
    return {*tables_in(node), *pages}
