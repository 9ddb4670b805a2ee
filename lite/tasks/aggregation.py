"""Aggregation, many clues -> 1: each clue leaves several; from different tables or pages, together they leave one."""

from collections import Counter
from collections.abc import Iterator
from random import Random

from lite.reward import tokens
from lite.tasks.compose import usable
from lite.tasks.derive import Node
from lite.tasks.draft import Draft, Unit
from lite.tasks.enumeration import known_of_all
from lite.tasks.ground import Ground
from lite.tasks.nouns import Noun, key_noun
from lite.tasks.sheet import Sheet, cell_fits, says
from lite.tasks.tables import Cell
from lite.tasks.values import phrase, same_text
from lite.tasks.wording import condition, predicate, source, through

CAPABILITY = "aggregation"
_OTHERS = 4  # other tables that are looked at


def offers(unit: Unit, ground: Ground, rng: Random) -> Iterator[Draft]:
    """A table's condition with what the rows' pages state; and two tables that share one row."""
    sheet = unit.sheet
    if sheet is None or not usable(sheet, ground) or sheet.columns[sheet.subject].kind != "text":
        return
    if sheet.rows_are.one == "entry" or not ground.whole(sheet):
        return  # "which entry" asks a reader for nothing in particular
    makers = [_with_pages, _with_table]
    rng.shuffle(makers)
    for make in makers:
        yield from make(sheet, ground, rng)


def groups(sheet: Sheet, rng: Random, least: int, most: int) -> list[tuple[list[list[object]], str, Sheet]]:
    """Conditions that `least` to `most` rows meet, as (where, clause for one row, those rows)."""
    found: list[tuple[list[list[object]], str, Sheet]] = []
    for column in sheet.value_columns():
        if column.noun is None or column.kind not in {"text", "year"}:
            continue
        texts = [row[column.at].text for row in sheet.rows]
        counts = Counter(map(same_text, texts))
        for value in dict.fromkeys(texts):
            if least <= counts[same_text(value)] <= most:
                rows = tuple(row for row in sheet.rows if same_text(row[column.at].text) == same_text(value))
                if not says(rows[0][column.at], column) or not cell_fits(rows[0][column.at], column):
                    continue
                part = Sheet(sheet.url, sheet.title, sheet.nth, sheet.heading, sheet.header, rows)
                found.append(([[column.header, "is", value]], condition(column, "is", value, sheet, rng), part))
    rng.shuffle(found)
    return found


def _with_pages(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    subject = sheet.header[sheet.subject]
    times = {column.header for column in sheet.columns if column.noun and column.noun.sort == "time"}
    for where, clause, part in groups(sheet, rng, 2, 7)[:6]:
        for relation in known_of_all(part, ground):
            if (known := key_noun(relation)) and known.sort == "code":
                continue  # the symbol of an element leaves nothing to the other clue
            if relation == "year of release" and any(column in times for column, _, _ in where):
                continue  # "the film of 2008 that came out in 2009": two pages disagree, and no one would ask
            clues = [_clue(ground, row[sheet.subject].link, relation) for row in part.rows]
            told = {word for _, _, what in where for word in tokens(str(what))}  # a clue says something else
            alone = [clue for clue in clues if clue[1] and clues.count(clue) == 1 and not told & set(tokens(clue[1]))]
            if not alone:
                continue
            how, value = rng.choice(alone)
            second = through(relation, how, value)
            if not second:
                continue
            wanted: object = float(value) if how == "in" else value
            node: Node = {
                "op": "find",
                "table": [sheet.url, sheet.nth],
                "where": [*where, [["of", subject, relation], how, wanted]],
                "get": subject,
            }
            one = sheet.rows_are.one
            many, then, here = sheet.rows_are.many, predicate(second), source(sheet, rng)
            question = rng.choice((  # the table says the clause and not the rest
                f"Which {one} {clause} in {here} {then}?",
                f"Which of the {many} {clause} in {here} {then}?",
                f"Of the {many} {clause} in {here}, which one {then}?",
                f"Among the {many} {clause} in {here}, which one {then}?",
            ))  # fmt: skip
            yield Draft(CAPABILITY, question, node, form=f"table and {relation}")


def _clue(ground: Ground, url: str, relation: str) -> tuple[str, str]:
    item = ground.stated(url, relation)
    if item is None:
        return "is", ""
    if item.value.kind in {"date", "year"}:
        years = [part for part in item.text.replace("-", " ").split() if len(part) == 4 and part.isdigit()]
        return "in", years[0] if years else ""
    return "is", item.text if item.value.kind == "text" and phrase(item.text) else ""


def _with_table(sheet: Sheet, ground: Ground, rng: Random) -> Iterator[Draft]:
    others = [other for other in neighbours(sheet, ground, rng) if ground.whole(other)]
    for other in others[:_OTHERS]:
        parts = [([], "", sheet), *groups(sheet, rng, 2, 12)]
        for where, clause, part in parts[:6]:
            for other_where, other_clause, other_part in [([], "", other), *groups(other, rng, 2, 12)][:6]:
                shared = _shared(part, other_part)
                if len(shared) != 1 or min(len(part.rows), len(other_part.rows)) < 2:
                    continue
                node: Node = {"op": "meet", "of": [_find(sheet, where), _find(other, other_where)]}
                yield Draft(CAPABILITY, _meeting(sheet, clause, other, other_clause, rng), node, form="two tables")
                break


def _find(sheet: Sheet, where: list[list[object]]) -> Node:
    return {"op": "find", "table": [sheet.url, sheet.nth], "where": where, "get": sheet.header[sheet.subject]}


def _meeting(sheet: Sheet, clause: str, other: Sheet, other_clause: str, rng: Random) -> str:
    one, many = sheet.rows_are.one, sheet.rows_are.many
    here, there = source(sheet, rng), source(other, rng)
    person = sheet.rows_are.sort == "person"
    it, who, one_is = ("Who is it", "Who", "Who") if person else ("Which is it", "What", "Which one")
    if not clause and not other_clause:
        return rng.choice((
            f"Which {one} is listed both in {here} and in {there}?",
            f"Only one {one} appears both in {here} and in {there}. {one_is} is it?",
            f"{who} is the one {one} that {here} and {there} have in common?",
        ))  # fmt: skip
    first = f"the {many} {clause} in {here}" if clause else f"the {many} in {here}"
    second = f"the {many} {other_clause} in {there}" if other_clause else f"those in {there}"
    return rng.choice((
        f"Which {one} is both among {first} and among {second}?",
        f"Comparing {first} with {second}, which {one} is in both groups?",
        f"Exactly one {one} belongs both to {first} and to {second}. {it}?",
    ))  # fmt: skip


def alike(one: Noun, other: Noun) -> bool:
    """Whether rows of two tables are of one kind: films that were submitted by a country are no teams of a country."""
    return one.one == other.one or (one.sort == other.sort == "person")


def related(one: str, other: str) -> bool:
    """Whether two pages are of one matter: most tables of countries share some, but who would compare a cross-country
    race with a contest of gymnasts?
    """
    words = [
        {word for word in same_text(title).split() if len(word) > 3 and not word.isdigit()} for title in (one, other)
    ]
    return words[0] == words[1] or len(words[0] & words[1]) > 1


def neighbours(sheet: Sheet, ground: Ground, rng: Random) -> list[Sheet]:
    """Other tables with a row about the same thing: by links, or (where there are none) on the same page."""
    tables: dict[int, None] = {}
    for row in rng.sample(sheet.rows, min(5, len(sheet.rows))):
        link = row[sheet.subject].link
        for fact in ground.store.about_subject(link, 40) if link else []:
            if fact.tbl is not None:
                tables[fact.tbl] = None
    if not tables:
        page = ground.store.page_at(sheet.url)
        tables = {found.id: None for found in ground.store.tables_of(page.id)} if page else {}
    chosen = list(tables)
    rng.shuffle(chosen)
    found = [ground.by_id(key) for key in chosen[:12]]
    return [
        other
        for other in found
        if (other.url, other.nth) != (sheet.url, sheet.nth)
        and usable(other, ground)
        and alike(sheet.rows_are, other.rows_are)
        and (sheet.rows_are.sort != "place" or related(sheet.title, other.title))
        and other.columns[other.subject].kind == "text"
    ]


def _shared(one: Sheet, other: Sheet) -> list[str]:
    """What both list; nothing, where one of them may be two things of one name."""
    found: list[str] = []
    for row in one.rows:
        for twin in other.rows:
            if same_row(one, row, other, twin):
                if contradict(one, row, other, twin):
                    return []
                found.append(twin[other.subject].text)
    return found


def same_row(one: Sheet, row: tuple[Cell, ...], other: Sheet, twin: tuple[Cell, ...]) -> bool:
    """Whether two rows go by one name or lead to one page."""
    here, there = row[one.subject], twin[other.subject]
    return (bool(here.link) and here.link == there.link) or same_text(here.text) == same_text(there.text)


def contradict(one: Sheet, row: tuple[Cell, ...], other: Sheet, twin: tuple[Cell, ...]) -> bool:
    """Whether rows of one name, without links to tell, are said to be in two places, or (of a work) of two years."""
    if row[one.subject].link and row[one.subject].link == twin[other.subject].link:
        return False
    telling = {"place"} if one.rows_are.sort == "person" else {"place", "time"}
    return any(
        same_text(row[column.at].text) != same_text(twin[match.at].text)
        for column in one.columns
        for match in other.columns
        if column.noun
        and match.noun
        and column.noun.one == match.noun.one
        and (column.noun.sort in telling or column.noun.one == "sport")
    )
