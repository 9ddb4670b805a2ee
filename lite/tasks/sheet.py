"""A table as a question sees it: which column names its rows, what each column is called, and what can be built on."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from lite.tasks.nouns import Noun, header_unit, noun, row_noun
from lite.tasks.tables import Cell, Table
from lite.tasks.values import phrase, same_text

_TOTAL = re.compile(
    r"(?:grand |sub-?)?totals?\b|averages?\b|overall\b|sum\b|all\b.*\btotal|mean\b|median\b|others?\b|rest of\b"
    r"|world(?:wide)?$|global$|total",
    re.IGNORECASE,
)
_VOLATILE = re.compile(
    r"\b(?:current(?:ly)?|present|upcoming|active|as of|to date|incumbents?|remaining|future|planned|now|today|latest"
    r"|recent|ongoing|proposed|standings|roster|squad|schedule)\b",
    re.IGNORECASE,
)
_DATED = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
# What rows have, however different they are: a game is no opponent.
_BESIDE = {"opponent", "home team", "away team", "visiting team", "result", "score"}
_NAMES = {"person", "thing", "place", "name", "winner"}


@dataclass(frozen=True)
class Column:
    """Column `at` of a sheet. `kind` is the one kind of all its cells, "" where they differ or some are empty."""

    at: int
    header: str
    noun: Noun | None
    kind: str
    unit: str
    distinct: bool  # no two cells say the same

    @property
    def compares(self) -> bool:
        """Whether its values are amounts in one unit, which have an order that means something."""
        return self.noun is not None and self.kind == "number" and self.noun.sort in {"count", "measure"}


@dataclass(frozen=True)
class Sheet:
    """A table with its page. `subject` is the column that names the rows, -1 where none does."""

    url: str
    title: str
    nth: int
    heading: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    people: bool = False  # the pages that its rows link to are people's

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns, left to right."""
        repeated = {name for name, count in Counter(self.header).items() if count > 1}
        return tuple(self._column(at, name, repeated) for at, name in enumerate(self.header))

    def _column(self, at: int, header: str, repeated: set[str]) -> Column:
        cells = [row[at].value for row in self.rows]
        kinds = {cell.kind for cell in cells}
        units = {cell.unit for cell in cells}
        kind = kinds.pop() if len(kinds) == 1 and len(units) == 1 else ""
        if kind in {"empty", "odd", "several"}:
            kind = ""
        unit = (units.pop() if len(units) == 1 else "") or (header_unit(header) if kind == "number" else "")
        texts = {same_text(cell.text) for cell in cells}
        called = None if header in repeated else noun(header, self.title)
        if called and called.sort == "count" and called.one.endswith("s") and not unit:
            whole = all((cell.number or 0.0).is_integer() for cell in cells)
            kind = kind if whole else ""  # 26,849.185 passengers are a slip of the pen
        return Column(at, header, called, kind, unit, len(texts) == len(cells))

    @cached_property
    def subject(self) -> int:
        """The column that names the rows: the leftmost whose cells are all different names; else different years."""
        named = [column for column in self.columns if column.noun and column.noun.sort in _NAMES]
        coded = [column for column in self.columns if column.noun and column.noun.sort == "code"]
        for column in (*named, *coded):
            if column.noun and (column.noun.one in _BESIDE or self._of_event(column)):
                continue
            cells = [row[column.at] for row in self.rows]
            words = sum(cell.value.kind == "text" for cell in cells)
            if column.distinct and 2 * words > len(cells):
                numbered = sum(bool(re.match(r"\d+[. ]", cell.text)) for cell in cells)
                left = self.columns[: column.at]
                if any(other.noun and other.noun.sort == "name" for other in left):
                    return -1  # they have names, and some share one: the towns that they lie in are not what they are
                nameless = any(not other.noun and other.distinct and other.kind == "text" for other in left)
                if column.kind != "text" or 2 * numbered > len(cells) or nameless:
                    return -1  # it names the rows, but a cell cannot be read, all are numbered, or others name them
                return column.at
        for column in self.columns:
            if column.noun and column.distinct and column.kind == "year" and column.noun.sort == "time":
                return column.at
        return -1

    def _of_event(self, column: Column) -> bool:
        """Whether a place is only where the rows' events were held."""
        held = column.noun is not None and (column.noun.sort == "place" or column.noun.one in {"venue", "stadium"})
        nouns = (other.noun.one.rpartition(" ")[2] for other in self.columns[: column.at] if other.noun)
        return held and any(one in _EVENTS for one in nouns)

    @cached_property
    def rows_are(self) -> Noun:
        """What the rows are."""
        found = row_noun(self.header[self.subject], (self.title, *self.heading))
        if self.people and found.sort not in {"person", "winner"}:
            return PEOPLE  # "Sports - Basketball" lists people
        if found.one == "title" and self.heading:
            return next((kind for what, kind in _TITLES if what.fullmatch(self.heading[-1])), found)
        return found

    @cached_property
    def label(self) -> str:
        """What a question can call it by, folded."""
        return " | ".join(same_text(part) for part in (self.title, *self.heading))

    @cached_property
    def sound(self) -> bool:
        """Whether its rows are plain records: no dividing rows, no totals, none of it bound to the day."""
        if len(self.rows) < 3 or self.subject < 0 or not self.title:
            return False
        for row in self.rows:
            texts = [cell.text for cell in row]
            if (len(row) > 2 and len(set(texts)) == 1) or sum(map(bool, texts)) < 2:
                return False
            if _TOTAL.match(texts[0]) or _TOTAL.match(texts[self.subject]):
                return False
            if self.rows_are.sort == "person" and _several_people(texts[self.subject]):
                return False
            if _words(self.title) and _words(texts[self.subject]) == _words(self.title):
                return False  # the whole among its parts
        return not self.volatile and not any(map(self._adds_up, self.columns))

    def _adds_up(self, column: Column) -> bool:
        """Whether one row's amount is that of all the others together: a total, whatever it is called."""
        if not column.compares or len(self.rows) < 4:
            return False
        amounts = [row[column.at].value.number or 0.0 for row in self.rows]
        return max(amounts) > 0 and abs(2 * max(amounts) - sum(amounts)) <= 0.001 * max(amounts)

    @property
    def volatile(self) -> bool:
        """Whether it changes with the day: "current members", where no year says which."""
        told = " ".join((self.title, *self.heading, self.header[self.subject]))
        return bool(_VOLATILE.search(told)) and not _DATED.search(self.title)

    @cached_property
    def year(self) -> int | None:
        """The year that the title gives, where it gives one."""
        years = {int(found) for found in _DATED.findall(self.title)}
        return years.pop() if len(years) == 1 else None

    def value_columns(self) -> list[Column]:
        """Columns that something can be asked of: named, not the subject, and fit for what the rows are."""
        rows = self.rows_are
        found = [c for c in self.columns if c.noun and c.at != self.subject and suits(c.noun, rows)]
        if rows.one in {"team", "club"}:
            found = [replace(c, noun=_GROUND) if c.noun and c.noun.one == "capacity" else c for c in found]
        return found


_EVENTS = {"competition", "tournament", "event", "race", "meeting", "championship", "match", "game"}
_GROUND = Noun("stadium capacity", "", "count")  # a team has none of its own
_TITLES = (  # titles under such a heading are
    (re.compile(r"(?:feature |selected |short )?films?", re.IGNORECASE), Noun("film", "films")),
    (re.compile(r"television(?: series)?|tv", re.IGNORECASE), Noun("television show", "television shows")),
    (re.compile(r"video games?", re.IGNORECASE), Noun("video game", "video games")),
)
PEOPLE = Noun("person", "people", "person")
_NOT_PERSONAL = {"type", "source", "result", "version", "date", "title"}
_LIVES = {"born", "died", "elected", "appointed", "ordained", "consecrated", "inducted", "inaugurated", "commissioned"}
_PARTICLES = re.compile(
    r"\b(?:de|da|do|dos|del|della|di|la|le|van|von|der|den|al|el|bin|ibn|ben|of|the|y|e|st)\b|[.'\u2019-]|\b(?:Jr|Sr|II|III|IV)\b"
)


def suits(column: Noun, rows: Noun) -> bool:
    """Whether rows can have it: an artist is not "released", a bridge is not "born"."""
    if rows.sort == "person" and column.one in _NOT_PERSONAL:
        return False
    if column.sort != "event":
        return rows.sort != "place" or "capacity" not in column.one
    return (
        (column.one in _LIVES)
        if rows.sort == "person"
        else (column.one not in {"born", "ordained"} and rows.sort != "name")
    )


def _several_people(text: str) -> bool:
    """Whether a cell names more than one person; between some the line breaks are lost."""
    return bool(set(text) & set(",/&;")) or " and " in text or (len(text.split()) > 4 and not _PARTICLES.search(text))


def _words(text: str) -> set[str]:
    return {word for word in same_text(text).split() if len(word) > 3}


_COUNTRIES = {"country", "nation", "nationality", "state", "home state"}
_CODE = re.compile(r"(?!(?:USA?|UK|UAE|USSR)$)[A-Z]{2,3}")
_ONE_CODE = re.compile(r"[\w.+-]+")
_DIGIT = re.compile(r"\d")


def says(cell: Cell, column: Column) -> bool:
    """Whether a cell's text can stand in a question or an answer as what its column says it is."""
    text = cell.text
    if not phrase(text) or column.noun is None or "(" in text:
        return False
    if column.noun.one in _COUNTRIES and _CODE.fullmatch(text):
        return False  # "JPN" for Japan
    if column.noun.sort == "code" and not _ONE_CODE.fullmatch(text):
        return False  # "CPT/FACT", "AG5 SP5"
    if column.noun.one == "position" and _DIGIT.search(text):
        return False  # "DNF-11"
    if column.noun.sort in {"thing", "winner"} and ", " in text and not cell.link:
        return False  # "Rhein-Neckar Löwen, Paris Saint-Germain"
    if column.noun.sort == "person":  # "Roger Black Carol Vorderman" are two, "Day, Arkansas" is more than a name
        if any(char.isdigit() or char in ",/()&" for char in text):
            return False
        return len(text.split()) < 4 or bool(_PARTICLES.search(text))
    if column.noun.sort == "thing" and (not cell.link or column.noun.one == "team") and len(text.split()) > 4:
        return bool(_PARTICLES.search(text)) or not text.istitle()  # three people of a team, their line breaks lost
    return True


def cell_fits(cell: Cell, column: Column) -> bool:
    """Whether a cell is of the sort that its column is: no name in a column of dates, no number in one of names."""
    if column.noun is None or cell.value.kind in {"empty", "odd", "several"}:
        return False
    amounts = column.noun.sort in {"count", "measure"}
    if cell.value.kind == "number":
        return amounts or column.noun.sort == "code"
    if amounts:
        return False
    timed = cell.value.kind in {"date", "year"}
    return timed == (column.noun.sort in {"event", "time"})


def sheet_of(url: str, title: str, name: str, table: Table) -> Sheet:
    """The sheet of a page's table; a first heading that only repeats what the page is about is left out."""
    heading = table.heading
    if heading and same_text(heading[0]) in {same_text(name), same_text(title)}:
        heading = heading[1:]
    parts = tuple(part.strip() for title in heading for part in re.split(r"\s+-- ", title) if part.strip())
    return Sheet(url, title, table.nth, parts, table.header, table.rows)
