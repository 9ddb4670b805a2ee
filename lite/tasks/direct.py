"""Direct retrieval, 1 -> 1: one table or page states it. With descriptions for names, the same over several hops."""

from collections.abc import Iterator
from random import Random

from lite.tasks.compose import describe, usable
from lite.tasks.draft import Draft, Unit
from lite.tasks.ground import Ground
from lite.tasks.sheet import Column, Sheet
from lite.tasks.tables import Cell
from lite.tasks.values import phrase
from lite.tasks.wording import about_page, asked, source, value_of

CAPABILITY = "direct"
PAGES = True  # statements too, not only tables
_CELLS = 6  # of a table, that are tried in one pass
_DEPTHS = (1, 1, 1, 1, 2, 2, 3)  # descriptions of one, two and three look-ups


def offers(unit: Unit, ground: Ground, rng: Random) -> Iterator[Draft]:
    """A cell of a table, or a statement of a page, asked for by name or by description."""
    if unit.sheet is not None:
        yield from _of_table(unit.sheet, ground, rng)
    else:
        yield from _of_page(unit.url, ground, rng)


def _of_table(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    columns = sheet.value_columns()
    if not columns or not usable(sheet, ground):
        return
    for _ in range(_CELLS):
        row, column = rng.choice(sheet.rows), rng.choice(columns)
        if not answerable(row[column.at], column) or not phrase(row[sheet.subject].text):
            continue
        if rng.random() < 0.4:
            yield from _row_described(sheet, row, column, ground, rng)
        subject = row[sheet.subject]
        yield _draft(sheet, column, subject.text, subject.text, rng, about=(subject.text, row[column.at].text))


def _row_described(
    sheet: Sheet, row: tuple[Cell, ...], column: Column, ground: Ground, rng: Random
) -> Iterator[Draft]:
    subject = row[sheet.subject]
    if not subject.link:
        return
    seen = describe(subject.link, ground, rng, rng.choice(_DEPTHS), frozenset({(sheet.url, sheet.nth)}))
    if seen:
        about = (subject.text, row[column.at].text, *seen.about)
        yield _draft(sheet, column, seen.node, seen.phrase, rng, about, (subject.text, *seen.hidden))


def _draft(  # noqa: PLR0913, PLR0917  # a question has so many parts
    sheet: Sheet, column: Column, key: object, named: str, rng: Random, about: tuple[str, ...], hidden: tuple[str, ...] = ()
) -> Draft:
    timed = sheet.columns[sheet.subject].kind == "year"
    core = value_of(named, column, sheet.rows_are, rng, timed)
    node = {
        "op": "find",
        "table": [sheet.url, sheet.nth],
        "where": [[sheet.header[sheet.subject], "is", key]],
        "get": column.header,
    }
    return Draft(CAPABILITY, asked(core, source(sheet, rng), rng), node, hidden, about, unit=column.unit, form="cell")


def answerable(cell: Cell, column: Column) -> bool:
    """Whether a cell can be an answer."""
    value = cell.value
    if value.kind in {"empty", "odd", "several"} or column.noun is None:
        return False
    if value.kind == "number":
        return column.noun.sort in {"count", "measure", "code"}
    if column.noun.sort in {"count", "measure"}:
        return False
    return value.kind in {"year", "date"} or (value.kind == "text" and phrase(value.text) and column.noun.sort != "event")


def _of_page(url: str, ground: Ground, rng: Random) -> Iterator[Draft]:
    stated = list(ground.statements(url).items())
    rng.shuffle(stated)
    name = ground.named_alone(url)
    for relation, item in stated[:_CELLS]:
        if item.value.kind == "text" and not phrase(item.text):
            continue
        if rng.random() < 0.7:
            seen = describe(url, ground, rng, rng.choice(_DEPTHS), frozenset())
            question = about_page(relation, item.value.kind, seen.phrase, rng) if seen else None
            if seen and question:
                node = {"op": "fact", "page": seen.node, "relation": relation}
                hidden = (*seen.hidden, *([name] if name else []))
                yield Draft(CAPABILITY, question, node, hidden, (*seen.about, item.text), form="statement")
                continue
        question = about_page(relation, item.value.kind, name, rng) if name else None
        if name and question:
            node = {"op": "fact", "page": url, "relation": relation}
            yield Draft(CAPABILITY, question, node, (), (name, item.text), form="statement")
