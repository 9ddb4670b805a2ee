"""Statistics: values of several rows or pages put through a calculation, or the row that a calculation picks."""

from collections.abc import Iterator
from random import Random
from urllib.parse import unquote

from lite.tasks.compose import usable
from lite.tasks.derive import Node
from lite.tasks.draft import Draft, Unit
from lite.tasks.enumeration import known_of_all
from lite.tasks.ground import Ground
from lite.tasks.nouns import Noun, key_noun
from lite.tasks.sheet import Column, Sheet, cell_fits, says
from lite.tasks.values import phrase, same_text
from lite.tasks.wording import PARTICIPLES, asked, condition, counts, source

CAPABILITY = "statistics"
_LOOKED_AT = 200  # peers that are tried for something in common
_APART = 30  # times: more is not put side by side
PAGES = True  # statements too, not only tables
_PLACES = {2: "second", 3: "third", 4: "fourth"}
_ROUNDED = 0.0101  # of a mean or a ratio to two decimal places the last digit may be off by one
_LEAST_RATIO = 1.2  # of what is nearly the same no one asks how many times it is the other
_MOST_ROWS = 25  # a sum of more is a test of patience


def offers(unit: Unit, ground: Ground, rng: Random) -> Iterator[Draft]:
    """Calculations on a table, on the pages of its rows, and on the statements of two pages of one kind."""
    sheet = unit.sheet
    if sheet is None:
        yield from _of_pages(unit.url, ground, rng)
        return
    if not usable(sheet, ground):
        return
    makers = [_two_rows, _picked, _summed, _years_apart, _by_page]
    rng.shuffle(makers)
    for make in makers:
        yield from make(sheet, ground, rng)


def _cell(sheet: Sheet, name: str, column: Column) -> Node:
    return _rows(sheet, [[sheet.header[sheet.subject], "is", name]], column)


def _rows(sheet: Sheet, where: list[list[object]], column: Column) -> Node:
    return {"op": "find", "table": [sheet.url, sheet.nth], "where": where, "get": column.header}


def _measured(sheet: Sheet, rng: Random) -> list[Column]:
    columns = [column for column in sheet.value_columns() if column.compares]
    rng.shuffle(columns)
    return columns[:2]


def _two_rows(sheet: Sheet, _: Ground, rng: Random) -> Iterator[Draft]:
    if sheet.columns[sheet.subject].kind == "year":
        return  # "the population of 2001" is no one's
    for column in _measured(sheet, rng):
        assert column.noun is not None  # noqa: S101
        one, other = rng.sample(range(len(sheet.rows)), 2)
        a, b = (sheet.rows[at][sheet.subject].text for at in (one, other))
        values = [sheet.rows[at][column.at].value.number or 0.0 for at in (one, other)]
        if not (phrase(a) and phrase(b)) or values[0] == values[1]:
            continue
        noun = column.noun.one
        if values[0] < values[1]:
            a, b, values = b, a, values[::-1]
        if (
            rng.random() < 0.7
            or column.noun.sort != "count"
            or column.unit == "%"
            or not values[1]
            or not _LEAST_RATIO <= values[0] / values[1] <= 100
        ):
            if counts(sheet, column):
                core = rng.choice(
                    (
                        f"how many more {noun} does {a} have than {b}",
                        f"what is the difference in {noun} between {a} and {b}",
                    )
                )
            else:
                core = rng.choice((
                    f"what is the difference between the {noun} of {a} and that of {b}",
                    f"by how much does the {noun} of {a} exceed that of {b}",
                ))  # fmt: skip
            node = {"op": "difference", "of": [_cell(sheet, a, column), _cell(sheet, b, column)]}
            yield _draft(sheet, core, node, rng, column.unit, "difference")
        else:
            core = f"to two decimal places, the {noun} of {a} is how many times that of {b}"
            if counts(sheet, column):
                core = f"to two decimal places, {a} has how many times as many {noun} as {b}"
            node = {"op": "ratio", "of": [_cell(sheet, a, column), _cell(sheet, b, column)]}
            yield _draft(sheet, core, node, rng, "", "ratio", _ROUNDED)


def _draft(  # a question has so many parts
    sheet: Sheet,
    core: str,
    node: Node,
    rng: Random,
    unit: str,
    form: str,
    within: float | None = None,
) -> Draft:
    return Draft(CAPABILITY, asked(core, source(sheet, rng), rng), node, (), within, unit, form)


def _clauses(sheet: Sheet, rng: Random) -> list[tuple[list[list[object]], str]]:
    """Conditions that several rows meet, no condition among them."""
    found: list[tuple[list[list[object]], str]] = [([], "")]
    for column in sheet.value_columns():
        if column.kind == "text" and not column.distinct:
            cells = [row[column.at] for row in sheet.rows]
            shown = {cell.text for cell in cells if says(cell, column) and cell_fits(cell, column)}
            texts = [cell.text for cell in cells]
            for value in sorted(text for text in shown if 3 <= texts.count(text) < len(texts))[:2]:
                where: list[list[object]] = [[column.header, "is", value]]
                found.append((where, condition(column, "is", value, sheet, rng)))
    rng.shuffle(found)
    return found


def _picked(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    """The row with the most, the least, or the second or third most."""
    rows = sheet.rows_are
    if sheet.columns[sheet.subject].kind != "text" or rows.one == "entry" or not ground.whole(sheet):
        return
    for column in _measured(sheet, rng):
        assert column.noun is not None  # noqa: S101
        noun = column.noun.one
        for where, clause in _clauses(sheet, rng)[:2]:
            find: Node = {**_rows(sheet, where, column), "get": sheet.header[sheet.subject]}
            among = f" among the {rows.many} {clause}" if clause else ""
            op = rng.choice(("most", "least", "rank"))
            node: Node = {"op": op, "of": find, "by": column.header}
            high, low = ("most", "fewest") if counts(sheet, column) else big_and_small(noun)
            rank = low if op == "least" else high
            if op == "rank":
                node["n"] = rng.choice(sorted(_PLACES))
                rank = f"{_PLACES[node['n']]} {rank}"
            core = rng.choice(
                (
                    f"which {rows.one} has the {rank} {noun}{among}",
                    f"{'who' if rows.sort == 'person' else 'what'} is the {rows.one} with the {rank} {noun}{among}",
                )
            )
            yield _draft(sheet, core, node, rng, "", op)


def _summed(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    rows = sheet.rows_are
    if rows.one == "entry" or not ground.whole(sheet):
        return
    for column in _measured(sheet, rng):
        assert column.noun is not None  # noqa: S101
        noun = column.noun.one
        for where, clause in _clauses(sheet, rng)[:2]:
            tail = f" {clause}" if clause else " listed"
            node: Node = {"op": "mean", "of": _rows(sheet, where, column)}
            if len(sheet.rows) > _MOST_ROWS and not clause:
                continue
            if column.noun.sort == "count" and column.unit != "%" and rng.random() < 0.6:
                node["op"] = "sum"
                be = "are" if noun.endswith("s") and not noun.endswith("ss") else "is"
                core = rng.choice((
                    f"what {be} the total {noun} of all the {rows.many}{tail}",
                    f"what do the figures for {noun} of the {rows.many}{tail} add up to",
                ))  # fmt: skip
                if counts(sheet, column):
                    core = rng.choice((f"how many {noun} do all the {rows.many}{tail} have in total", core))
                yield _draft(sheet, core, node, rng, column.unit, "sum")
            else:
                if counts(sheet, column):
                    noun = f"number of {noun}"
                core = rng.choice((
                    f"what is the mean {noun} of the {rows.many}{tail}, to two decimal places",
                    f"what is the average {noun} of the {rows.many}{tail}, to two decimal places",
                ))  # fmt: skip
                yield _draft(sheet, core, node, rng, column.unit, "mean", _ROUNDED)


def _years_apart(sheet: Sheet, _: Ground, rng: Random) -> Iterator[Draft]:
    """Years between two events of a table."""
    columns = [c for c in sheet.value_columns() if c.noun and c.kind == "year" and c.noun.sort == "event"]
    if not columns or sheet.columns[sheet.subject].kind != "text":
        return
    column = rng.choice(columns)
    assert column.noun is not None  # noqa: S101
    one, other = rng.sample(range(len(sheet.rows)), 2)
    a, b = (sheet.rows[at][sheet.subject].text for at in (one, other))
    years = [sheet.rows[at][column.at].value.number or 0.0 for at in (one, other)]
    if years[0] == years[1] or not (phrase(a) and phrase(b)):
        return
    if years[0] < years[1]:
        a, b = b, a
    verb = column.noun.one
    did = f"did {a} die" if verb == "died" else f"was {a} {verb}"
    node = {"op": "difference", "of": [_cell(sheet, a, column), _cell(sheet, b, column)]}
    yield _draft(sheet, f"how many years after {b} {did}", node, rng, "", "years apart")


_LARGE = {"area", "population", "capacity", "attendance", "enrollment", "enrolment", "margin", "budget"}
_GREAT = {"length", "width", "height", "depth", "weight", "mass", "distance", "diameter", "span", "wingspan"}
_EXTREMES = {  # relation -> (most, least): what the row with the latest or largest, and the earliest or smallest, is
    "born": ("was born last", "was born first"),
    "died": ("died last", "died first"),
    "year of release": ("came out last", "came out first"),
}


def _by_page(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    """The row whose own page states the most or the least: that table and all those pages are needed."""
    rows, subject = sheet.rows_are, sheet.header[sheet.subject]
    if sheet.columns[sheet.subject].kind != "text" or rows.one == "entry" or not ground.whole(sheet):
        return
    for where, clause, chosen in _groups(sheet, rng):
        for relation in known_of_all(chosen, ground):
            most, least = extreme_words(relation)
            if not most or not _same_kind(chosen, relation, ground):
                continue
            op = rng.choice(("most", "least"))
            find: Node = {"op": "find", "table": [sheet.url, sheet.nth], "where": where, "get": subject}
            node: Node = {"op": op, "of": find, "by": ["of", subject, relation]}
            verb = most if op == "most" else least
            of = f"{rows.many} {clause} in {source(sheet, rng)}" if clause else f"{rows.many} in {source(sheet, rng)}"
            question = rng.choice(
                (f"Of the {of}, which one {verb}?", f"Among the {of}, which one {verb}?", f"Which of the {of} {verb}?")
            )
            yield Draft(CAPABILITY, question, node, form=f"{op} by page")


def _groups(sheet: Sheet, rng: Random) -> Iterator[tuple[list[list[object]], str, Sheet]]:
    """Rows that meet a condition, as a sheet of their own."""
    for where, clause in _clauses(sheet, rng)[:4]:
        rows = sheet.rows
        for column, _, value in where:
            at = sheet.header.index(str(column))
            rows = tuple(row for row in rows if row[at].text == value)
        if 3 <= len(rows) <= 10:
            yield where, clause, Sheet(sheet.url, sheet.title, sheet.nth, sheet.heading, sheet.header, rows)


def _same_kind(sheet: Sheet, relation: str, ground: Ground) -> bool:
    found = [ground.stated(row[sheet.subject].link, relation) for row in sheet.rows]
    kinds = {(item.value.kind, item.value.unit) for item in found if item}
    return len(kinds) == 1 and kinds.pop()[0] in {"date", "year", "number"}


def big_and_small(noun: str) -> tuple[str, str]:
    """What the most and the least of an amount are called."""
    last = noun.rpartition(" ")[2]
    if last in _LARGE:
        return "largest", "smallest"
    return ("greatest", "smallest") if last in _GREAT else ("highest", "lowest")


def extreme_words(relation: str) -> tuple[str, str]:
    """Clauses for the latest or largest and for the earliest or smallest of a relation; "" where there is none."""
    if relation in _EXTREMES:
        return _EXTREMES[relation]
    if relation in PARTICIPLES:
        return f"was {relation} last", f"was {relation} first"
    if relation.startswith("population at the "):
        return f"had the largest {relation}", f"had the smallest {relation}"
    noun = key_noun(relation)
    if noun and noun.sort in {"count", "measure"}:
        high, low = big_and_small(noun.one)
        return f"has the {high} {noun.one}", f"has the {low} {noun.one}"
    return "", ""


def _of_pages(url: str, ground: Ground, rng: Random) -> Iterator[Draft]:
    """What two or three pages of one kind state, put together."""
    name = ground.named_alone(url)
    if not name:
        return
    for relation, item in sorted(ground.statements(url).items()):
        noun = _amount(relation)
        if item.value.kind != "number" or noun is None:
            continue
        peers = _near(url, name, ground.peers(url, relation))
        if ", " not in name:
            rng.shuffle(peers)
            peers = [peer for peer in peers[:_LOOKED_AT] if _share(url, peer, ground)]
        for peer in rng.sample(peers, min(2, len(peers))):
            other, name_of = ground.stated(peer, relation), ground.named_alone(peer)
            if not other or not name_of or other.value.kind != "number" or other.value.unit != item.value.unit:
                continue
            if not _comparable(item.value.number or 0, other.value.number or 0):
                continue
            yield from _pair(
                relation,
                noun,
                [(url, name, item.value.number or 0), (peer, name_of, other.value.number or 0)],
                item.value.unit,
                rng,
            )


def _comparable(one: float, other: float) -> bool:
    """Whether a person would put two amounts side by side: a city and a hamlet are not added up."""
    return 0 < max(abs(one), abs(other)) <= _APART * min(abs(one), abs(other))


def _near(url: str, name: str, peers: list[str]) -> list[str]:
    """Pages like this one: those of the same place ("…, Ohio") where it names one, else those that name none."""
    place = name.rpartition(", ")[2] if ", " in name else ""
    tail = f",_{place.replace(' ', '_')}"
    bare = {peer: unquote(peer).partition("#")[0] for peer in peers if peer != url}
    return [peer for peer, address in bare.items() if (address.endswith(tail) if place else ",_" not in address)]


def _share(url: str, peer: str, ground: Ground) -> bool:
    """Whether two pages state one same name: of their county, their country, their series."""
    here, there = ground.statements(url), ground.statements(peer)
    return any(
        item.value.kind == "text" and name in there and same_text(there[name].text) == same_text(item.text)
        for name, item in here.items()
    )


def _amount(relation: str) -> Noun | None:
    if relation.startswith("population at the "):
        return Noun(relation, "", "count")
    noun = key_noun(relation)
    return noun if noun and noun.sort in {"count", "measure"} else None


def _pair(relation: str, noun: Noun, pages: list[tuple[str, str, float]], unit: str, rng: Random) -> Iterator[Draft]:
    (a_url, a, high), (b_url, b, low) = sorted(pages, key=lambda page: -page[2])
    if high == low:
        return
    facts = [{"op": "fact", "page": page, "relation": relation} for page in (a_url, b_url)]
    shapes: list[tuple[str, str, float | None]] = [
        ("difference", f"What is the difference between the {noun.one} of {a} and that of {b}?", None),
        ("difference", f"By how much does the {noun.one} of {a} exceed that of {b}?", None),
    ]
    if noun.sort == "count":
        shapes.append(("sum", f"What do the figures for the {noun.one} of {a} and {b} add up to?", None))
        shapes.append(("sum", f"Taken together, what is the {noun.one} of {a} and {b}?", None))
    if low > 0 and high / low >= _LEAST_RATIO:
        shapes.append(
            ("ratio", f"To two decimal places, the {noun.one} of {a} is how many times that of {b}?", _ROUNDED)
        )
    op, question, within = rng.choice(shapes)
    yield Draft(
        CAPABILITY,
        question,
        {"op": op, "of": facts},
        (),
        within,
        "" if op == "ratio" else unit,
        f"{op} of pages",
    )
