"""The fact store of a world: what its tables and first lines say, one row a fact, in `facts.sqlite`.

`facts` has a row for every cell (`tbl`, `row`, `col` say where; `subject` is what the row is about) and for every
statement of a page about its own subject (`tbl` is null). `start` and `end` are characters of the page's text.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lite.errors import WorldError
from lite.index.generation import sync

FILE = "facts.sqlite"
FORMAT = 4
_SCHEMA = """
create table about (key text primary key, value text);
create table pages (id integer primary key, url text unique, title text, name text, bare text);
create table tables (id integer primary key, page int, nth int, heading text, header text, rows int, subject int,
  label text);
create table facts (page int, tbl int, row int, col int, subject text, subject_url text, relation text, value text,
  link text, kind text, number real, unit text, start int, end int);
"""
_INDEXES = """
create index pages_bare on pages (bare);
create index tables_page on tables (page);
create index tables_label on tables (label);
create index facts_table on facts (tbl) where tbl is not null;
create index facts_page on facts (page) where tbl is null;
create index facts_link on facts (link) where link != '' and tbl is not null;
create index facts_subject on facts (subject_url) where subject_url != '' and tbl is not null;
"""


class PageRow(NamedTuple):
    """A page: what it is about (`name`), and that name folded and without its brackets (`bare`)."""

    id: int
    url: str
    title: str
    name: str
    bare: str


class TableRow(NamedTuple):
    """The `nth` table of a page; `heading` and `header` are JSON lists; `subject` is the column that names its rows
    (-1: none); `label` is the folded title and heading by which a question can name it.
    """

    id: int
    page: int
    nth: int
    heading: str
    header: str
    rows: int
    subject: int
    label: str


class FactRow(NamedTuple):
    """One fact; see the module."""

    page: int
    tbl: int | None
    row: int | None
    col: int | None
    subject: str
    subject_url: str
    relation: str
    value: str
    link: str
    kind: str
    number: float | None
    unit: str
    start: int
    end: int


class FactWriter:
    """Writes a whole store; nothing is there before `finish`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._part.unlink(missing_ok=True)
        self._db = sqlite3.connect(self._part, isolation_level=None)
        for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -65536"):
            self._db.execute(f"pragma {pragma}")
        self._db.executescript(_SCHEMA)
        self._db.execute("begin")

    def add(self, page: PageRow, tables: Iterable[TableRow], facts: Iterable[FactRow]) -> None:
        """Add a page with what it says."""
        self._db.execute("insert into pages values (?, ?, ?, ?, ?)", page)
        self._db.executemany("insert into tables values (?, ?, ?, ?, ?, ?, ?, ?)", tables)
        self._db.executemany("insert into facts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", facts)

    def finish(self, about: dict[str, str]) -> None:
        """Index, describe and publish the store in one step."""
        self._db.executemany("insert into about values (?, ?)", about.items())
        self._db.execute("commit")
        self._db.executescript(_INDEXES)
        self._db.execute("analyze")
        self._db.close()
        sync(self._part)
        self._part.replace(self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._db.close()
        self._part.unlink(missing_ok=True)


class FactStore:
    """A finished store, open for reading in the thread that opened it.

    Raises:
        WorldError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
            self._db.execute("pragma mmap_size = 1073741824")
            self.about: dict[str, str] = dict(self._db.execute("select key, value from about").fetchall())
        except sqlite3.Error as error:
            raise WorldError(f"{path} cannot be read ({error}): remove it, and it is made again") from None

    def _all(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise WorldError(f"{self.path} cannot be read ({error}): remove it, and it is made again") from None

    def table_ids(self) -> list[int]:
        """Every table's id, in the order of pages."""
        return [key for (key,) in self._all("select id from tables order by id")]

    def stating(self) -> list[int]:
        """Ids of the pages that state something of their subject, in order."""
        return [key for (key,) in self._all("select distinct page from facts where tbl is null order by page")]

    def row_counts(self) -> dict[int, int]:
        """How many tables have so many rows."""
        return dict(self._all("select rows, count(*) from tables group by rows"))

    def table(self, key: int) -> TableRow:
        """The table with id `key`."""
        return TableRow(*self._all("select * from tables where id = ?", (key,))[0])

    def cells(self, key: int) -> list[FactRow]:
        """The facts of a table, row by row."""
        return [FactRow(*row) for row in self._all("select * from facts where tbl = ? order by row, col", (key,))]

    def page(self, key: int) -> PageRow:
        """The page with id `key`."""
        return PageRow(*self._all("select * from pages where id = ?", (key,))[0])

    def page_at(self, url: str) -> PageRow | None:
        """The page stored under exactly `url`."""
        rows = self._all("select * from pages where url = ?", (url,))
        return PageRow(*rows[0]) if rows else None

    def statements(self, page: int) -> list[FactRow]:
        """What a page states of its own subject."""
        rows = self._all("select * from facts where page = ? and tbl is null order by start, relation", (page,))
        return [FactRow(*row) for row in rows]

    def stated_by(self) -> list[tuple[str, str]]:
        """(URL, relation) of every number that a page states of its subject, in order."""
        return self._all(
            """select url, relation from facts f join pages p on p.id = f.page
            where tbl is null and kind = 'number' order by p.id, start"""
        )

    def named(self, bare: str) -> list[PageRow]:
        """Pages about something of this folded name."""
        return [PageRow(*row) for row in self._all("select * from pages where bare = ? order by id", (bare,))]

    def labelled(self, label: str) -> list[TableRow]:
        """Tables that a question would call the same."""
        return [TableRow(*row) for row in self._all("select * from tables where label = ? order by id", (label,))]

    def tables_of(self, page: int) -> list[TableRow]:
        """Tables of a page."""
        return [TableRow(*row) for row in self._all("select * from tables where page = ? order by nth", (page,))]

    def about_subject(self, url: str, limit: int = 400) -> list[FactRow]:
        """Facts of tables whose rows are about the page at `url`."""
        rows = self._all(
            """select * from facts where subject_url = ? and subject_url != '' and tbl is not null
            order by rowid limit ?""",
            (url, limit),
        )
        return [FactRow(*row) for row in rows]

    def linking(self, url: str, limit: int = 200) -> list[FactRow]:
        """Cells that link to the page at `url`."""
        rows = self._all(
            "select * from facts where link = ? and link != '' and tbl is not null order by rowid limit ?", (url, limit)
        )
        return [FactRow(*row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Pages, tables, facts of tables, statements."""
        sql = {
            "pages": "select count(*) from pages",
            "tables": "select count(*) from tables",
            "facts in tables": "select count(*) from facts where tbl is not null",
            "statements": "select count(*) from facts where tbl is null",
        }
        return {name: self._all(text)[0][0] for name, text in sql.items()}

    def relations(self, limit: int) -> list[tuple[str, int]]:
        """The commonest relations of statements."""
        return self._all(
            "select relation, count(*) from facts where tbl is null group by 1 order by 2 desc, 1 limit ?", (limit,)
        )

    def look(self, subject: str, limit: int) -> Iterator[FactRow]:
        """Facts whose subject is named so."""
        rows = self._all(
            "select * from facts where subject = ? collate nocase order by rowid limit ?", (subject, limit)
        )
        yield from (FactRow(*row) for row in rows)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
