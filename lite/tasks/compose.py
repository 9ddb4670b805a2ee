"""Multi-hop composition: an entity in a question is replaced by a description that another table gives of it.

It is done backwards from the answer, and again for the entity in the description, up to `depth` times; the names that
are replaced must not be said. With at most three descriptions and the answer's own page, a task has at most 8 nodes.
"""

from random import Random
from typing import NamedTuple

from lite.index.facts import FactRow
from lite.tasks.derive import Node
from lite.tasks.draft import holds
from lite.tasks.ground import Ground
from lite.tasks.sheet import Sheet, cell_fits, says
from lite.tasks.values import phrase
from lite.tasks.wording import condition, source

Place = tuple[str, int]
_DEPTHS = (1, 1, 2, 3, 3)
_TRIES = 8  # mentions of an entity that are looked at
_LABEL = 110  # characters of title and headings: a caption of twenty names is no name for a table
_HUB = 30  # mentions: what is mentioned more often (a country, a year) is no link that a reader would think of


class Description(NamedTuple):
    """`phrase` means one entity and does not name it; `node` finds it; `hidden` are the names that it replaces."""

    phrase: str
    node: Node
    hidden: tuple[str, ...]
    places: frozenset[Place]


def usable(sheet: Sheet, ground: Ground) -> bool:
    """Whether questions may be built on a table."""
    return sheet.sound and len(sheet.label) <= _LABEL and ground.nameable(sheet)


def describe_deeply(url: str, ground: Ground, rng: Random, avoid: frozenset[Place]) -> Description | None:
    """A description that takes up to three look-ups: where there is none of so many, one of fewer."""
    for depth in range(rng.choice(_DEPTHS), 0, -1):
        if seen := describe(url, ground, rng, depth, avoid):
            return seen
    return None


def describe(url: str, ground: Ground, rng: Random, depth: int, avoid: frozenset[Place]) -> Description | None:
    """A description of the page at `url` that takes `depth` look-ups, by tables that are not in `avoid`."""
    mentions = ground.store.linking(url, _HUB + 1)
    if len(mentions) > _HUB:
        return None
    for fact in rng.sample(mentions, min(_TRIES, len(mentions))):
        assert fact.tbl is not None  # noqa: S101  # a fact of a table
        sheet = ground.by_id(fact.tbl)
        if (sheet.url, sheet.nth) in avoid or not usable(sheet, ground):
            continue
        make = _by_row if fact.col == sheet.subject else _by_column
        made = make(fact, sheet, ground, rng, depth, avoid)
        if made and _finds(made.node, url, ground):
            return made
    return None


def _finds(node: Node, url: str, ground: Ground) -> bool:
    found = holds(node, ground)
    return bool(found and found.items) and all(item.link == url for item in found.items)


def _by_row(
    fact: FactRow, sheet: Sheet, ground: Ground, rng: Random, depth: int, avoid: frozenset[Place]
) -> Description | None:
    """A value that only this row has, as "the player whose club is X in table T"; X may be described in its turn."""
    assert fact.row is not None  # noqa: S101
    if sheet.rows_are.one == "entry":
        return None
    place = (sheet.url, sheet.nth)
    columns = sheet.value_columns()
    rng.shuffle(columns)
    for column in columns:
        cell = sheet.rows[fact.row][column.at]
        if not says(cell, column) or cell.value.kind not in {"text", "date", "year"} or not cell_fits(cell, column):
            continue
        what: Node | str = cell.text
        said, hidden, places = cell.text, (fact.value,), frozenset({place})
        if depth > 1:
            inner = describe(cell.link, ground, rng, depth - 1, avoid | {place}) if cell.link else None
            if inner is None:
                continue
            what, said = inner.node, inner.phrase
            hidden, places = (fact.value, cell.text, *inner.hidden), places | inner.places
        where = [[column.header, "is", what]]
        node = {"op": "find", "table": [*place], "where": where, "get": sheet.header[sheet.subject]}
        if _finds(node, fact.link, ground):
            one, clause, here = sheet.rows_are.one, condition(column, "is", said, sheet, rng), source(sheet, rng)
            # A long clause goes last: "… listed for X in table T in table U" is read wrongly.
            words = f"the {one} in {here} {clause}" if depth > 1 else f"the {one} {clause} in {here}"
            return Description(words, node, hidden, places)
    return None


def _by_column(
    fact: FactRow, sheet: Sheet, ground: Ground, rng: Random, depth: int, avoid: frozenset[Place]
) -> Description | None:
    """A cell of a named row, as "the captain listed for X in table T"; X may be described in its turn."""
    assert fact.row is not None  # noqa: S101
    assert fact.col is not None  # noqa: S101
    column, subject = sheet.columns[fact.col], sheet.rows[fact.row][sheet.subject]
    if (
        column.noun is None
        or column.noun.sort not in {"person", "thing", "place", "winner"}
        or not phrase(subject.text)
    ):
        return None
    if not says(sheet.rows[fact.row][fact.col], column):
        return None
    place = (sheet.url, sheet.nth)
    where: Node | str = subject.text
    named, hidden, places = subject.text, (fact.value,), frozenset({place})
    if depth > 1:
        inner = describe(subject.link, ground, rng, depth - 1, avoid | {place}) if subject.link else None
        if inner is None:
            return None
        where, named = inner.node, inner.phrase
        hidden, places = (*hidden, subject.text, *inner.hidden), places | inner.places
    node = {
        "op": "find",
        "table": [sheet.url, sheet.nth],
        "where": [[sheet.header[sheet.subject], "is", where]],
        "get": column.header,
    }
    if depth > 1:
        words = f"the {column.noun.one} that {source(sheet, rng)} gives for {named}"
    else:
        words = f"the {column.noun.one} listed for {named} in {source(sheet, rng)}"
    return Description(words, node, hidden, places)
