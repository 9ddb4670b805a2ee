"""Direct retrieval, 1 -> 1: one table or page states it. With descriptions for names, the same over several hops."""

from collections.abc import Iterator
from random import Random

from lite.tasks.compose import describe_deeply, usable
from lite.tasks.draft import Draft, Unit
from lite.tasks.ground import Ground
from lite.tasks.sheet import Column, Sheet, cell_fits, says
from lite.tasks.statements import bare_name
from lite.tasks.tables import Cell
from lite.tasks.values import phrase
from lite.tasks.wording import about_page, asked, source, value_of

CAPABILITY = "direct"
PAGES = True  # statements too, not only tables
_CELLS = 6  # of a table, that are tried in one pass


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
        if not answerable(row[column.at], column) or not says(row[sheet.subject], sheet.columns[sheet.subject]):
            continue
        if rng.random() < 0.6:
            yield from _beyond(rng.choice(row), ground, rng)
            yield from _row_described(sheet, row, column, ground, rng)
        subject = row[sheet.subject]
        yield _draft(sheet, column, subject.text, subject.text, rng)


def _beyond(cell: Cell, ground: Ground, rng: Random) -> Iterator[Draft]:
    """What the page states that a cell links to; the page is described, not named."""
    if cell.link:
        yield from _described(cell.link, ground, rng)


def _row_described(sheet: Sheet, row: tuple[Cell, ...], column: Column, ground: Ground, rng: Random) -> Iterator[Draft]:
    subject = row[sheet.subject]
    if not subject.link:
        return
    seen = describe_deeply(subject.link, ground, rng, frozenset({(sheet.url, sheet.nth)}))
    if seen:
        yield _draft(sheet, column, seen.node, seen.phrase, rng, (subject.text, *seen.hidden))


def _draft(  # a question has so many parts
    sheet: Sheet,
    column: Column,
    key: object,
    named: str,
    rng: Random,
    hidden: tuple[str, ...] = (),
) -> Draft:
    core = value_of(named, column, sheet, rng)
    node = {
        "op": "find",
        "table": [sheet.url, sheet.nth],
        "where": [[sheet.header[sheet.subject], "is", key]],
        "get": column.header,
    }
    return Draft(CAPABILITY, asked(core, source(sheet, rng), rng), node, hidden, unit=column.unit, form="cell")


def answerable(cell: Cell, column: Column) -> bool:
    """Whether a cell can be an answer."""
    if column.noun and column.noun.one == "date":
        return False  # of what?
    return cell_fits(cell, column) and (cell.value.kind != "text" or says(cell, column))


def _of_page(url: str, ground: Ground, rng: Random) -> Iterator[Draft]:
    stated = list(ground.statements(url).items())
    rng.shuffle(stated)
    name = ground.named_alone(url)
    for relation, item in stated[:_CELLS]:
        if item.value.kind == "several" or (item.value.kind == "text" and not phrase(item.text)):
            continue
        if rng.random() < 0.7:
            yield from _described(url, ground, rng)
        if rng.random() < 0.6:
            continue  # most pages are described by no table: without this, few tasks would take several hops
        question = about_page(relation, item.value.kind, name, rng) if name else None
        if name and question:
            node = {"op": "fact", "page": url, "relation": relation}
            yield Draft(CAPABILITY, question, node, form="statement")


def _described(url: str, ground: Ground, rng: Random) -> Iterator[Draft]:
    """One statement of a page that a table describes."""
    stated = [pair for pair in ground.statements(url).items() if pair[1].value.kind != "text" or phrase(pair[1].text)]
    if not stated:
        return
    relation, item = rng.choice(stated)
    seen = describe_deeply(url, ground, rng, frozenset())
    question = about_page(relation, item.value.kind, seen.phrase, rng) if seen else None
    if seen and question:
        node = {"op": "fact", "page": seen.node, "relation": relation}
        hidden = (*seen.hidden, bare_name(ground.title_of(url)))
        yield Draft(CAPABILITY, question, node, hidden, form="statement")
