"""From a task's derivation to the look-ups that settle it: what to search for, which page to visit, what must be seen.

A plan knows the pages beforehand, from the world's fact store; whoever carries it out (`lite.train.expert`) may use
only what it has been shown by then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lite.records import Task
from lite.tasks.derive import Item, Node, Underivable, derive, fitting
from lite.tasks.ground import Ground
from lite.tasks.nouns import Noun, key_noun
from lite.tasks.sheet import Sheet
from lite.tasks.statements import bare_name
from lite.tasks.values import plain_number

_MOST_PAGES = 4  # of the rows of one table that are visited one by one
_CALCULATED = {"sum", "mean", "difference", "ratio"}
_COMPARED = {"agree", "newer", "official"}
_ORDERED = {"most", "least", "rank"}
_DATES = {  # what an event's participle is called as a thing to look for
    "born": "date of birth",
    "died": "date of death",
    "listed": "date of listing",
    "released": "release date",
    "founded": "founding date",
    "established": "date of establishment",
    "formed": "date of formation",
    "incorporated": "date of incorporation",
    "built": "date of construction",
    "constructed": "date of construction",
    "opened": "opening date",
    "completed": "completion date",
    "launched": "launch date",
    "created": "date of creation",
}


class Unplanned(Exception):  # it is no error: some tasks take more than a demonstration should show
    """Why no plan is made for a task."""


@dataclass(frozen=True)
class Look:
    """One look-up.

    Attributes:
        url, title: the page.
        wanted: what is looked for, as the goal of a visit.
        queries: what a person would type; the last one is for when another has missed.
        vague: what somebody in a hurry would type.
        needs: texts that the visit has to show.
        says: what the page says, once it has been seen.
        listed: names among which the next look-up searches, as far as they are seen here.
        among: whether the goal names those seen before.
        place: what a thought adds where the same is looked for on several pages.
        after: whether it can only be made once those before it have been seen.
    """

    url: str
    title: str
    wanted: str
    queries: tuple[str, ...]
    vague: tuple[str, ...]
    needs: tuple[str, ...]
    says: str
    listed: tuple[str, ...] = ()
    among: bool = False
    place: str = ""
    after: bool = False


@dataclass(frozen=True)
class Plan:
    """The look-ups in order, what follows from them ("" where the last one says it all), and the answer."""

    looks: tuple[Look, ...]
    conclusion: str
    answer: str


class Planner:
    """Plans tasks of one world from its fact store."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def plan(self, task: Task) -> Plan:
        """The plan of a task. Raises Unplanned for one that has no derivation, or would take too many visits."""
        node = task.derivation
        if not node or not task.answers:
            raise Unplanned("no derivation")
        try:
            looks = self._looks(node)
            conclusion, answer = self._conclude(node, task)
        except (Underivable, KeyError, ValueError, IndexError, TypeError) as error:
            raise Unplanned(f"its derivation does not hold in this world ({error})") from None
        return Plan(tuple(looks), conclusion, answer)

    # ------------------------------------------------------------ look-ups

    def _looks(self, node: Node) -> list[Look]:
        op = node["op"]
        if op == "find":
            return self._table(node)
        if op == "fact":
            page = node["page"]
            before = self._looks(page) if isinstance(page, dict) else []
            url = derive(page, self._ground).one().link if isinstance(page, dict) else page
            return [*before, replace(self._page(url, node["relation"]), after=bool(before))]
        if op in {"count", "list"}:
            return self._table(node["of"], several=True)
        if op in _ORDERED:
            return self._table(node["of"], several=True, by=node["by"])
        if op == "meet":
            return self._lists(node)
        parts = node["of"]
        if op in _COMPARED:
            return [look for part in parts for look in self._source(part)]
        if isinstance(parts, dict):
            return self._table(parts, several=True) if parts["op"] == "find" else self._looks(parts)
        return _joined(look for part in parts for look in self._looks(part))

    def _source(self, part: Node) -> list[Look]:
        """The look-ups of one of several sources for the same thing: each is called by its page."""
        *before, look = self._looks(part)
        said = derive(part, self._ground).one().text
        return [*before, replace(look, place=f" on the page {look.title}", says=f"{look.title} says {said}.")]

    def _page(self, url: str, relation: str) -> Look:
        found = self._ground.stated(url, relation)
        page = self._ground.store.page_at(url)
        if found is None or page is None:
            raise Underivable(f"{url} does not state its {relation}")
        name, called = bare_name(page.name), _called(relation)
        return Look(
            url=url,
            title=page.title or name,
            wanted=f"{called} of {name}",
            queries=(f"{called} of {name}", f"what is the {called} of {name}", name, f"{name} {called}"),
            vague=(called, f"{called} list", f"{called} by name"),
            needs=(found.text,),
            says=f"{_one(called)} of {name}: {found.text}.",
        )

    def _table(self, node: Node, *, several: bool = False, by: Any = None) -> list[Look]:
        """The look-ups of a `find`: of what its conditions need, of the table, of pages that its rows link to."""
        before = [look for _, _, what in node["where"] if isinstance(what, dict) for look in self._looks(what)]
        plain = {**node, "where": [part for part in node["where"] if isinstance(part[0], str)]}
        sheet, rows, _ = fitting(plain, self._ground)
        through = [part[0] for part in node["where"] if not isinstance(part[0], str)]
        through += [by] if isinstance(by, list) else []
        many = several or bool(through)  # what the pages of the rows say is not known yet
        wanted, conditions = self._wanted(plain, sheet, several=many, by=by)
        named = [sheet.header[sheet.subject]] if many and sheet.subject >= 0 else []
        columns = dict.fromkeys(
            [*named, node["get"], *(part[0] for part in plain["where"]), *([by] if _text(by) else [])]
        )
        shown = [[row[sheet.header.index(name)].value.text for name in columns] for row in rows]
        told = [_entry(texts) for texts in shown]
        amounts = [part for part in plain["where"] if part[1] in "<>"]
        look = self._on(sheet, wanted, conditions)
        look = replace(
            look,
            after=bool(before),
            needs=tuple(dict.fromkeys(text for texts in shown for text in texts))
            + tuple(text for part in amounts for text in self._nearest(sheet, part)),
            says=f"{look.title}: {'; '.join(told)}." if many or not told else f"{_one(wanted)}: {shown[0][0]}.",
        )
        return [*before, look, *self._followed(node, sheet, rows, through, all_of_them=several)]

    def _on(self, sheet: Sheet, wanted: str, conditions: Sequence[str]) -> Look:
        """A look at a table's page."""
        heading = " ".join(sheet.heading)
        named = " ".join(conditions)
        # A large page is outdone by those that link to it, but for its columns; a short title is best left alone.
        last = f"{heading} {' '.join(sheet.header[:4])}" if heading else ""
        rest = [part for part in (heading, named, wanted, "", last) if part or not last] + [last]
        queries = tuple(dict.fromkeys(" ".join(f"{sheet.title} {part}".split()) for part in reversed(rest)))[::-1]
        vague = tuple(dict.fromkeys(text for text in (heading.lower(), wanted, named) if text and text != sheet.title))
        return Look(sheet.url, sheet.title, wanted, queries, vague, (), "")

    def _wanted(self, node: Node, sheet: Sheet, *, several: bool, by: Any) -> tuple[str, list[str]]:
        """What a table is read for, and the values that name its rows."""
        rows = sheet.rows_are
        many, get = rows.many or f"{rows.one} entries", _column(sheet, node["get"])
        subject = sheet.header[sheet.subject] if sheet.subject >= 0 else None
        phrases, values, own = [], [], None
        for column, how, what in node["where"]:
            value = derive(what, self._ground).one().text if isinstance(what, dict) else what
            value = plain_number(value) if isinstance(value, float) else str(value)
            called = _column(sheet, column) if _text(column) else _called(column[2])
            own = value if column == subject else own
            phrases.append(f"{called} {({'>': 'above ', '<': 'below ', 'in': 'in '}).get(how, '')}{value}")
            values += [value] if how == "is" and _text(column) else []
        with_them = f" with {' and '.join(phrases)}" if phrases else ""
        if several:
            compared = [column for column, how, _ in node["where"] if how != "is" and _text(column)]
            figure = by if _text(by) else compared[0] if compared else None if node["get"] == subject else node["get"]
            asked = f"{_column(sheet, figure)} of the {many}" if figure else many
            return (asked if compared else asked + with_them), values
        if own is not None and len(phrases) == 1:
            return f"{get} of {own}", values
        return (f"{rows.one}{with_them}" if node["get"] == subject else f"{get}{with_them}"), values

    def _nearest(self, sheet: Sheet, condition: Sequence[Any]) -> list[str]:
        """The value that just fails a comparison: seen, it shows that the list ends there."""
        at, over = sheet.header.index(condition[0]), condition[1] == ">"
        values = [row[at].value for row in sheet.rows]
        out = [one for one in values if one.number is not None and (one.number <= condition[2]) == over]
        out = [one for one in out if one.number != condition[2] or over]
        return [(max if over else min)(out, key=lambda one: one.number or 0.0).text] if out else []

    def _followed(
        self, node: Node, sheet: Sheet, rows: Sequence[Any], through: Sequence[Any], *, all_of_them: bool
    ) -> list[Look]:
        """The pages of a table's rows, each looked at: all, or as far as the one that is sought."""
        if not through:
            return []
        if len(rows) > _MOST_PAGES:
            raise Unplanned(f"more than {_MOST_PAGES} pages of one table's rows")
        _, right, _ = fitting(node, self._ground)
        looks: list[Look] = []
        for row in rows:
            looks += [self._page(row[sheet.header.index(column)].link, relation) for _, column, relation in through]
            if not all_of_them and row in right:
                break
        return [replace(look, after=nth == 0) for nth, look in enumerate(looks)]

    def _lists(self, node: Node) -> list[Look]:
        """Two lists that meet in one: the shorter one first, then those names in the longer one."""
        met = derive(node, self._ground).one()
        parts = sorted(node["of"], key=lambda part: len(derive(part, self._ground).items))
        looks: list[Look] = []
        for nth, part in enumerate(parts):
            *before, look = self._table(part, several=True)
            names = dict.fromkeys(item.text for item in derive(part, self._ground).items)
            own = next(item.text for item in derive(part, self._ground).items if item.same(met))
            says = f"{look.title} has it too." if nth else ""
            listed = tuple(names) if nth == 0 else ()
            place = f" on the page {look.title}"
            looks += [
                *before,
                replace(look, place=place, needs=(own,), says=says, listed=listed, among=nth > 0, after=nth > 0),
            ]
        return looks

    # ------------------------------------------------------------ conclusions

    def _conclude(self, node: Node, task: Task) -> tuple[str, str]:
        """What follows from everything seen, in words, and the answer."""
        op, answer, found = node["op"], task.answers[0], derive(node, self._ground)
        if op == "list":
            answer = "; ".join(item.text for item in found.items)
            return f"All of them: {answer}.", answer
        if op == "count":
            names = dict.fromkeys(item.text for item in derive(node["of"], self._ground).items)
            return f"{', '.join(names)}: that makes {answer}.", answer
        if op in _CALCULATED:
            return self._calculation(node, answer), answer
        if found.items and found.one().text in task.answers:
            answer = found.one().text  # as it stands on the page
        said = {
            "meet": f"{answer} is in both lists.",
            "agree": f"Both say {answer}.",
            "newer": f"They differ; the later one counts: {answer}.",
            "official": f"They differ; its own page counts: {answer}.",
            "most": f"The highest is that of {answer}.",
            "least": f"The lowest is that of {answer}.",
            "rank": f"In that order, number {node.get('n')} is {answer}.",
        }
        return said.get(op, ""), answer

    def _calculation(self, node: Node, answer: str) -> str:
        parts = node["of"] if isinstance(node["of"], list) else [node["of"]]
        items: list[Item] = [item for part in parts for item in derive(part, self._ground).items]
        texts = [item.text for item in items]
        if node["op"] == "difference":
            texts = [item.text for item in sorted(items, key=lambda item: -(item.value.number or 0.0))]
        sign = {"sum": " + ", "mean": " + ", "difference": " - ", "ratio": " / "}[node["op"]]
        if node["op"] == "mean":
            return f"({sign.join(texts)}) / {len(texts)} = {answer}."
        return f"{sign.join(texts)} = {answer}."


def _joined(looks: Iterable[Look]) -> list[Look]:
    """Look-ups in turn; two at the same page are one."""
    found: list[Look] = []
    for look in looks:
        same = next((n for n, other in enumerate(found) if other.url == look.url), None)
        if same is None:
            found.append(look)
        else:
            other = found[same]
            says = f"{other.says.removesuffix('.')}; {look.says.removeprefix(f'{look.title}: ')}"
            wanted = f"{other.wanted} and the {look.wanted}"
            found[same] = replace(other, wanted=wanted, needs=(*other.needs, *look.needs), says=says)
    return found


def _one(wanted: str) -> str:
    return wanted[0].upper() + wanted[1:]


def _entry(texts: Sequence[str]) -> str:
    first, *rest = texts
    return f"{first} ({', '.join(rest)})" if rest else first


def _text(column: Any) -> bool:
    return isinstance(column, str)


def _called(relation: str) -> str:
    if relation in _DATES:
        return _DATES[relation]
    if relation.startswith("college "):
        return f"{relation} team"
    return _plain(key_noun(relation), relation)


def _column(sheet: Sheet, name: str) -> str:
    return _plain(sheet.columns[sheet.header.index(name)].noun, name)


def _plain(noun: Noun | None, name: str) -> str:
    if noun is None:
        return name.lower()
    return _DATES.get(noun.one, f"date {noun.one}") if noun.sort == "event" else noun.one
