"""Enumeration, 1 -> many: the members of a table that meet a condition, listed or counted."""

from collections import Counter
from collections.abc import Iterator
from random import Random

from lite.tasks.chinese import chinese_questions
from lite.tasks.compose import describe_deeply, usable
from lite.tasks.derive import Node
from lite.tasks.draft import Draft, Unit, holds
from lite.tasks.ground import Ground
from lite.tasks.nouns import Noun
from lite.tasks.sheet import Column, Sheet, cell_fits, says
from lite.tasks.values import phrase, plain_number, same_text
from lite.tasks.wording import condition, source, through

CAPABILITY = "enumeration"
PAGES = True  # lists in prose too
_MOST = 8  # members that a list may have
_PAGES = 7  # rows whose own pages are needed: with the table's page, a task has at most 8
_ROUND = 100  # steps of 1, 5, 10, 50 ...: the most that still make a round number
_MADE = {  # who made it, and of what that is asked: the album of a film has no director
    "director": {"film", "movie", "title", "show", "series", "documentary", "entry"},
    "author": {"book", "novel", "play", "title", "film", "story"},
    "artist": {"album", "song", "single", "title", "track"},
}


def offers(unit: Unit, ground: Ground, rng: Random) -> Iterator[Draft]:
    """Lists and counts of a table's rows, by what the table says or by what the pages of its rows say."""
    sheet = unit.sheet
    if sheet is None:
        yield from _stated(unit.url, ground, rng)
        return
    if not usable(sheet, ground) or sheet.columns[sheet.subject].kind != "text" or len(sheet.rows) < 4:
        return
    if not ground.whole(sheet) or sheet.rows_are.one == "entry":
        return
    makers = [_by_value, _by_amount, _by_page, _by_described]
    rng.shuffle(makers)
    for make in makers:
        yield from make(sheet, ground, rng)


def _draft(  # a question has so many parts
    sheet: Sheet,
    where: list[list[object]],
    clause: str,
    rng: Random,
    hidden: tuple[str, ...] = (),
    *,
    apart: bool = False,
) -> Draft:
    """A list or a count. `apart`: the table does not say what the clause says; then, and where the clause is long, the
    table is named first.
    """
    find: Node = {
        "op": "find",
        "table": [sheet.url, sheet.nth],
        "where": where,
        "get": sheet.header[sheet.subject],
    }
    listed = rng.random() < 0.6
    rows = sheet.rows_are
    where_it_is = source(sheet, rng)
    told = apart or bool(hidden)
    lists, counts = (_apart_lists, _apart_counts) if told else (_lists, _counts)
    question = rng.choice((lists if listed else counts)(rows, clause, where_it_is))
    node = {"op": "list" if listed else "count", "of": find}
    return Draft(CAPABILITY, question, node, hidden, form="list" if listed else "count")


def _lists(rows: Noun, clause: str, here: str) -> tuple[str, ...]:
    capital = here[0].upper() + here[1:]
    return (
        f"List all the {rows.many} {clause} in {here}.",
        f"Which {rows.many} {clause} does {here} include?",
        f"What are all the {rows.many} {clause}, according to {here}?",
        f"Going by {here}, which {rows.many} {clause} are there? Name them all.",
        f"Name every one of the {rows.many} {clause} that {here} gives.",
        f"{capital} lists several {rows.many} {clause}. Which are they?",
    )


def _counts(rows: Noun, clause: str, here: str) -> tuple[str, ...]:
    return (
        f"How many {rows.many} {clause} does {here} include?",
        f"How many {rows.many} {clause} are there in {here}?",
        f"According to {here}, how many {rows.many} {clause} are there?",
        f"In {here}, what is the number of {rows.many} {clause}?",
        f"Counting the {rows.many} {clause} in {here}, how many are there?",
    )


def _apart_lists(rows: Noun, clause: str, here: str) -> tuple[str, ...]:
    return (
        f"List all the {rows.many} in {here} {clause}.",
        f"Name every one of the {rows.many} in {here} {clause}.",
        f"Of the {rows.many} in {here}, list all those {clause}.",
    )


def _apart_counts(rows: Noun, clause: str, here: str) -> tuple[str, ...]:
    return (
        f"Of the {rows.many} in {here}, how many are there {clause}?",
        f"Among the {rows.many} in {here}, how many are there {clause}?",
        f"Take the {rows.many} in {here}: how many are there {clause}?",
    )


def _stated(url: str, ground: Ground, rng: Random) -> Iterator[Draft]:
    """A closed list in a page's prose."""
    name = ground.named_alone(url)
    for relation, item in ground.statements(url).items():
        if item.value.kind == "several" and name:
            question = rng.choice(chinese_questions(relation)).format(name)
            fact: Node = {"op": "fact", "page": url, "relation": relation}
            node: Node = {"op": "list", "of": {"op": "members", "of": fact}}
            yield Draft(CAPABILITY, question, node, form="list in prose")


def _fits(count: int, total: int) -> bool:
    return 2 <= count <= _MOST and count * 3 <= total * 2


def _by_value(sheet: Sheet, _: Ground, rng: Random) -> Iterator[Draft]:
    columns = [column for column in sheet.value_columns() if column.kind == "text" and not column.distinct]
    rng.shuffle(columns)
    for column in columns[:2]:
        values = Counter(row[column.at].text for row in sheet.rows)
        shown = {
            row[column.at].text
            for row in sheet.rows
            if says(row[column.at], column) and cell_fits(row[column.at], column)
        }
        fitting = [value for value, count in sorted(values.items()) if _fits(count, len(sheet.rows)) and value in shown]
        for value in rng.sample(fitting, min(2, len(fitting))):
            yield _draft(sheet, [[column.header, "is", value]], condition(column, "is", value, sheet, rng), rng)


def _by_amount(sheet: Sheet, _: Ground, rng: Random) -> Iterator[Draft]:
    columns = [column for column in sheet.value_columns() if column.compares or _dated(column)]
    rng.shuffle(columns)
    for column in columns[:2]:
        bound = _bound(sheet, column, rng)
        if bound:
            how, number, said = bound
            yield _draft(sheet, [[column.header, how, number]], condition(column, how, said, sheet, rng), rng)


def _dated(column: Column) -> bool:
    return column.noun is not None and column.noun.sort == "event" and column.kind in {"year", "date"}


def _bound(sheet: Sheet, column: Column, rng: Random) -> tuple[str, float, str] | None:
    """A round number that parts the rows without standing among them; or a year in which several fall."""
    cells = [row[column.at].value for row in sheet.rows]
    if column.kind in {"year", "date"}:
        years = Counter(cell.text[-4:] if cell.text[-4:].isdigit() else cell.text[:4] for cell in cells)
        fitting = sorted(year for year, count in years.items() if _fits(count, len(cells)) and year.isdigit())
        if not fitting:
            return None
        year = rng.choice(fitting)
        return "in", float(year), year
    numbers = sorted(cell.number or 0.0 for cell in cells)
    place = rng.randint(2, min(_MOST, len(numbers) - 1))
    how, low, high = (
        (">", numbers[-place - 1], numbers[-place]) if rng.random() < 0.6 else ("<", numbers[place - 1], numbers[place])
    )
    number = _round_between(low, high)
    if number is None or not _fits(place, len(numbers)):
        return None
    unit = column.unit
    said = plain_number(number)
    return (
        how,
        number,
        f"{unit}{said}"
        if unit in {"$", "€", "£", "¥"}
        else f"{said}{'' if unit == '%' else ' ' if unit else ''}{unit}",
    )


def _round_between(low: float, high: float) -> float | None:
    """The roundest whole number strictly between, if there is one that a person would name: not 372 or 59,200."""
    for step in (10**6, 5 * 10**5, 10**5, 5 * 10**4, 10**4, 5000, 1000, 500, 100, 50, 10, 5, 1):
        number = (low // step + 1) * step
        if low < number < high:
            return float(number) if abs(number) <= _ROUND * step else None
    return None


def _by_page(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    """By what the page of each row states: the table and every one of those pages are needed."""
    for relation in known_of_all(sheet, ground):
        years = [_year(ground, row[sheet.subject].link, relation) for row in sheet.rows]
        counts = Counter(years)
        fitting = [value for value, count in sorted(counts.items()) if value and _fits(count, len(years))]
        for value in rng.sample(fitting, min(2, len(fitting))):
            how = "in" if value.isdigit() else "is"
            clause = through(relation, how, value)
            column = sheet.header[sheet.subject]
            if clause:
                wanted: object = float(value) if how == "in" else value
                yield _draft(sheet, [[["of", column, relation], how, wanted]], clause, rng, apart=True)


def known_of_all(sheet: Sheet, ground: Ground) -> list[str]:
    """Relations that the page of every row states and no column of the table does; of few rows, for all are read."""
    links = [row[sheet.subject].link for row in sheet.rows]
    if not 0 < len(links) <= _PAGES or not all(links):
        return []
    known = set(ground.statements(links[0]))
    for link in links[1:]:
        known &= set(ground.statements(link))
        if not known:
            return []
    shown = {
        same_text(name) for column in sheet.columns for name in (column.header, column.noun.one if column.noun else "")
    }
    rows = sheet.rows_are.one.rpartition(" ")[2]
    return sorted(
        relation for relation in known if same_text(relation) not in shown and rows in _MADE.get(relation, {rows})
    )


def _year(ground: Ground, url: str, relation: str) -> str:
    item = ground.stated(url, relation)
    if item is None:
        return ""
    if item.value.kind in {"date", "year"}:
        found = [part for part in item.text.replace("-", " ").split() if len(part) == 4 and part.isdigit()]
        return found[0] if found else ""
    return item.text if item.value.kind == "text" and phrase(item.text) and not item.text.isdigit() else ""


def _by_described(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    """By a value that is itself described, not named."""
    columns = [
        column
        for column in sheet.value_columns()
        if not column.distinct and column.noun and column.noun.sort != "event"
    ]
    rng.shuffle(columns)
    for column in columns[:2]:
        values = Counter(row[column.at].link for row in sheet.rows if row[column.at].link)
        fitting = [value for value, count in sorted(values.items()) if _fits(count, len(sheet.rows))]
        for url in rng.sample(fitting, min(2, len(fitting))):
            seen = describe_deeply(url, ground, rng, frozenset({(sheet.url, sheet.nth)}))
            if seen and holds(seen.node, ground):
                yield _draft(
                    sheet,
                    [[column.header, "is", seen.node]],
                    condition(column, "is", seen.phrase, sheet, rng),
                    rng,
                    seen.hidden,
                )
