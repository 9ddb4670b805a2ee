"""Cross-verification: two independent chains that must agree; or two sources that do not, and a rule that decides."""

from collections.abc import Iterator
from random import Random

from lite.tasks.aggregation import contradict, groups, neighbours, same_row
from lite.tasks.compose import usable
from lite.tasks.derive import Node
from lite.tasks.direct import answerable
from lite.tasks.draft import Draft, Unit, holds
from lite.tasks.ground import Ground
from lite.tasks.sheet import Column, Sheet
from lite.tasks.tables import Cell
from lite.tasks.values import phrase
from lite.tasks.wording import counted, has_one, source

CAPABILITY = "verification"
_ROWS = 5  # of a table, that are tried
# What a thing keeps from year to year, so that two years' tables can be said to disagree on it.
_LASTING = {"capacity", "population", "area", "height", "length", "elevation", "stadium", "ground", "location", "city"}


def offers(unit: Unit, ground: Ground, rng: Random) -> Iterator[Draft]:
    """Two tables on one thing, and a table with the thing's own page."""
    sheet = unit.sheet
    if sheet is None or not usable(sheet, ground) or sheet.columns[sheet.subject].kind != "text":
        return
    if sheet.rows_are.one == "entry":
        return
    makers = [_two_tables, _own_page]
    rng.shuffle(makers)
    for make in makers:
        yield from make(sheet, ground, rng)


def _two_tables(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    for other in neighbours(sheet, ground, rng)[:4]:
        pairs = [(row, twin) for row in sheet.rows for twin in other.rows if _same(sheet, row, other, twin)]
        for row, twin in rng.sample(pairs, min(_ROWS, len(pairs))):
            yield from _same_value(sheet, row, other, twin, ground, rng)
        yield from _singled_out_twice(sheet, other, ground, rng)


def _same(one: Sheet, row: tuple[Cell, ...], other: Sheet, twin: tuple[Cell, ...]) -> bool:
    return same_row(one, row, other, twin) and not contradict(one, row, other, twin)


def _find(sheet: Sheet, name: str, column: Column) -> Node:
    where = [[sheet.header[sheet.subject], "is", name]]
    return {"op": "find", "table": [sheet.url, sheet.nth], "where": where, "get": column.header}


def _same_value(
    sheet: Sheet, row: tuple[Cell, ...], other: Sheet, twin: tuple[Cell, ...], ground: Ground, rng: Random
) -> Iterator[Draft]:
    """Both tables have a column of the same name for the same thing."""
    for column in sheet.value_columns():
        if column.noun and column.noun.sort == "time":
            continue  # the year of an award in one table is no year of the same thing in another
        match = [c for c in other.value_columns() if c.noun and column.noun and c.noun.one == column.noun.one]
        if not match or not answerable(row[column.at], column) or not answerable(twin[match[0].at], match[0]):
            continue
        names = row[sheet.subject].text, twin[other.subject].text
        if not all(map(phrase, names)):
            continue
        older, newer = sheet, other
        nodes = [_find(sheet, names[0], column), _find(other, names[1], match[0])]
        if sheet.year and other.year and sheet.year > other.year:
            older, newer, nodes = other, sheet, nodes[::-1]
        if column.noun and column.noun.sort == "count" and not _lasts(column):
            continue  # as many wins in one cup as in another is chance
        if holds({"op": "agree", "of": nodes}, ground):
            question = _agreeing(names[0], column, source(sheet, rng), source(other, rng), rng)
            yield Draft(CAPABILITY, question, {"op": "agree", "of": nodes}, unit=column.unit, form="two agree")
        elif _lasts(column) and holds({"op": "newer", "of": nodes}, ground):
            question = _newer(names[0], column, source(older, rng), source(newer, rng), rng)
            yield Draft(CAPABILITY, question, {"op": "newer", "of": nodes}, unit=column.unit, form="newer")


def _lasts(column: Column) -> bool:
    return column.noun is not None and column.noun.one.rpartition(" ")[2] in _LASTING


def _agreeing(name: str, column: Column, one: str, other: str, rng: Random) -> str:
    noun = column.noun.one if column.noun else ""
    if column.noun and column.noun.sort == "event":
        return f"{one[0].upper()}{one[1:]} and {other} agree on {_when(name, noun)}. When was that?"
    if column.noun and counted(column.noun):
        return f"{one[0].upper()}{one[1:]} and {other} agree on how many {noun} {name} has. How many is that?"
    if column.noun and column.noun.sort == "person":
        return f"{one[0].upper()}{one[1:]} and {other} name the same {noun} for {name}. Who is it?"
    of = "of" if column.noun and has_one(column.noun) else "for"
    return rng.choice((
        f"Which {noun} do both {one} and {other} give for {name}?",
        f"{one[0].upper()}{one[1:]} and {other} agree on the {noun} {of} {name}. What is it?",
        f"Which {noun} for {name} appears both in {one} and in {other}?",
        f"Checking {one} against {other}, which {noun} do they both give for {name}?",
    ))  # fmt: skip


def _when(name: str, participle: str) -> str:
    return f"when {name} died" if participle == "died" else f"when {name} was {participle}"


def _newer(name: str, column: Column, older: str, newer: str, rng: Random) -> str:
    noun = column.noun.one if column.noun else ""
    return rng.choice((
        f"The {noun} of {name} differs between {older} and {newer}. Going by the more recent of the two, what is it?",
        f"{older[0].upper()}{older[1:]} and {newer} disagree on the {noun} of {name}; what does the later one say?",
        f"What is the {noun} of {name} according to the newer of these two, which disagree: {older}, or {newer}?",
    ))  # fmt: skip


def _singled_out_twice(sheet: Sheet, other: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    """A value that only one row has, in each of two tables, and both rows are about one thing."""
    firsts, seconds = groups(sheet, rng, 1, 1), groups(other, rng, 1, 1)
    tried = 0
    for where, clause, part in firsts:
        for other_where, other_clause, other_part in seconds:
            if not _same(sheet, part.rows[0], other, other_part.rows[0]):
                continue
            node: Node = {"op": "agree", "of": [_only(sheet, where), _only(other, other_where)]}
            if holds(node, ground):
                question = _twice(sheet, clause, other, other_clause, rng)
                yield Draft(CAPABILITY, question, node, form="singled out twice")
            tried += 1
            break
        if tried >= 3:
            return


def _only(sheet: Sheet, where: list[list[object]]) -> Node:
    return {"op": "find", "table": [sheet.url, sheet.nth], "where": where, "get": sheet.header[sheet.subject]}


def _twice(sheet: Sheet, clause: str, other: Sheet, other_clause: str, rng: Random) -> str:
    one = sheet.rows_are.one
    first, second = f"the {one} {clause} in {source(sheet, rng)}", f"the one {other_clause} in {source(other, rng)}"
    it, meant = ("Who is it", "Who") if sheet.rows_are.sort == "person" else ("Which is it", "Which one")
    return rng.choice((
        f"{first[0].upper()}{first[1:]} and {second} are the same. {it}?",
        f"Which {one} is both {first} and {second}?",
        f"Two sources single out one {one}: it is {first}, and it is {second}. {meant} is meant?",
    ))  # fmt: skip


def _own_page(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    """What the table says of a thing against what the thing's own page says."""
    rows = [row for row in sheet.rows if row[sheet.subject].link and phrase(row[sheet.subject].text)]
    for row in rng.sample(rows, min(len(rows), 3 * _ROWS)):
        page = row[sheet.subject].link
        stated = ground.statements(page)
        for column in sheet.value_columns():
            relation = _stated_as(column, stated.keys())
            if not relation or not answerable(row[column.at], column):
                continue
            name = row[sheet.subject].text
            nodes: list[Node] = [_find(sheet, name, column), {"op": "fact", "page": page, "relation": relation}]
            assert column.noun is not None  # noqa: S101  # value columns have a name
            event = column.noun.sort == "event"
            what = _when(name, column.noun.one) if event else f"the {column.noun.one} of {name}"
            here = source(sheet, rng)
            for op in ("agree", "official"):
                node: Node = {"op": op, "of": nodes}
                # Where two name another director, they are likely to mean two works of one name.
                if (op == "agree" or event or _lasts(column)) and holds(node, ground):
                    question = _checked(op, what, name, here, rng, event=event)
                    yield Draft(CAPABILITY, question, node, unit=column.unit, form=f"own page: {op}")


def _stated_as(column: Column, relations: object) -> str:
    assert column.noun is not None  # noqa: S101
    for relation in relations:  # type: ignore[attr-defined]
        if relation.lower() == column.noun.one.lower():
            return relation
    return ""


def _checked(op: str, what: str, name: str, here: str, rng: Random, *, event: bool) -> str:  # its words
    capital = f"{here[0].upper()}{here[1:]}"
    if event:  # "for when X died" is no English
        if op == "agree":
            return f"{capital} and the page on {name} itself agree on {what}. When was that?"
        return f"{capital} and the page on {name} itself differ on {what}. What does the latter say?"
    if op == "agree":
        return rng.choice((
            f"{here[0].upper()}{here[1:]} and the page on {name} itself agree on {what}. What do they say?",
            f"Checked against the page on {name} itself, what does {here} give for {what}?",
            f"For {what}, which answer is given both by {here} and by the page on {name} itself?",
        ))  # fmt: skip
    return rng.choice((
        f"{here[0].upper()}{here[1:]} and the page on {name} itself differ on {what}. What does the latter say?",
        f"On {what}, {here} does not match the page on {name} itself. What does the latter say?",
    ))  # fmt: skip
