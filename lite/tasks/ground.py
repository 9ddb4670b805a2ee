"""What makers and checks stand on: the fact store with its tables as sheets, and the same read from the pages."""

import json
import re
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from lite.index.facts import FactRow, FactStore, PageRow, TableRow
from lite.tasks.derive import Item
from lite.tasks.facts import read_page
from lite.tasks.sheet import Sheet
from lite.tasks.statements import Statement, bare_name
from lite.tasks.tables import Cell
from lite.tasks.values import Value, same_text
from lite.world import World

_SPIKE = (50, 5)  # tables that end at one number of rows, and how many times as many as end near it: it is no chance


class Ground:
    """The fact store as a `Source`, with what makers look up in it. For one thread."""

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self._peers: dict[tuple[str, str], list[str]] | None = None
        self.by_id = lru_cache(3000)(self._by_id)
        self.page = lru_cache(100_000)(store.page)
        self._page_at = lru_cache(100_000)(store.page_at)
        self._stated = lru_cache(50_000)(self._all_stated)
        self._labels = lru_cache(50_000)(lambda label: len(store.labelled(label)))
        self._alike = lru_cache(50_000)(store.named)

    # ------------------------------------------------------------ the Source of derivations

    def sheet(self, url: str, nth: int) -> Sheet | None:
        """The `nth` table of the page at `url`."""
        page = self._page_at(url)
        found = [row for row in self.store.tables_of(page.id) if row.nth == nth] if page else []
        return self.by_id(found[0].id) if found else None

    def stated(self, url: str, relation: str) -> Item | None:
        """What the page at `url` states of itself."""
        return self._stated(url).get(relation)

    # ------------------------------------------------------------ for makers

    def statements(self, url: str) -> dict[str, Item]:
        """All that the page at `url` states of itself, by relation."""
        return self._stated(url)

    def named_alone(self, url: str) -> str | None:
        """A name that means the page at `url` and no other of this world; None where there is none."""
        page = self._page_at(url)
        if page is None or not page.bare:
            return None
        name = bare_name(page.name)
        if "(" in page.name and not re.search(r"\([A-Z][A-Za-z]{0,2}\)$", page.name):
            return None  # "College Hall (New Jersey)": where there is one, there are others outside this world
        others = [other for other in self._alike(page.bare) if other.id != page.id]
        return name if all(_same_subject(page, other) for other in others) else None

    def title_of(self, url: str) -> str:
        """What the page at `url` is about, "" where there is none."""
        page = self._page_at(url)
        return page.name if page else ""

    def names_a_page(self, name: str) -> bool:
        """Whether a page is about something of this (folded) name."""
        return bool(self._alike(name))

    def nameable(self, sheet: Sheet) -> bool:
        """Whether title and heading mean this table and no other."""
        return self._labels(sheet.label) == 1

    @cached_property
    def cut_at(self) -> int | None:
        """The number of rows that the source of this world's tables stopped at, where it did: of longer ones the rest
        is missing, and nothing tells the whole ones among those of just that length.
        """
        counts = self.store.row_counts()
        least, times = _SPIKE
        found = [
            rows
            for rows, count in counts.items()
            if count >= max(least, *(times * counts.get(rows + near, 0) for near in (-3, -2, -1, 1, 2, 3)))
        ]
        return max(found, default=None)

    def whole(self, sheet: Sheet) -> bool:
        """Whether a table has all its rows, as far as can be told."""
        return len(sheet.rows) != self.cut_at

    def peers(self, url: str, relation: str) -> list[str]:
        """Pages of the same folder of the same site that state the same relation, in order."""
        if self._peers is None:
            self._peers = {}
            for page, name in self.store.stated_by():
                self._peers.setdefault((page.rpartition("/")[0], name), []).append(page)
        return self._peers.get((url.rpartition("/")[0], relation), [])

    def _by_id(self, key: int) -> Sheet:
        row = self.store.table(key)
        page = self.page(row.page)
        sheet = _sheet(row, page, self.store.cells(key))
        links = [cells[sheet.subject].link for cells in sheet.rows] if sheet.subject >= 0 else []
        born = sum(bool(link) and "born" in self.statements(link) for link in links)
        return replace(sheet, people=True) if links and 2 * born >= len(links) else sheet

    def _all_stated(self, url: str) -> dict[str, Item]:
        page = self._page_at(url)
        return {row.relation: _item(row, url) for row in self.store.statements(page.id)} if page else {}


def _same_subject(one: PageRow, other: PageRow) -> bool:
    """Whether two pages of one name are about one thing: the same address but for the fragment, or the same full name
    on another site.
    """
    if one.url.partition("#")[0] == other.url.partition("#")[0]:
        return True
    return one.name == other.name and one.url.split("/")[2:3] != other.url.split("/")[2:3]


def _sheet(row: TableRow, page: PageRow, cells: list[FactRow]) -> Sheet:
    rows: list[list[Cell]] = [[] for _ in range(row.rows)]
    for fact in cells:
        assert fact.row is not None  # noqa: S101  # a fact of a table
        rows[fact.row].append(Cell(_value(fact), fact.link, fact.start, fact.end))
    header, heading = json.loads(row.header), json.loads(row.heading)
    title = page.title or page.name
    return Sheet(page.url, title, row.nth, tuple(heading), tuple(header), tuple(map(tuple, rows)))


def _value(fact: FactRow) -> Value:
    kind: Any = fact.kind
    return Value(kind, fact.value, fact.number, fact.unit)


def _item(fact: FactRow, url: str) -> Item:
    return Item(_value(fact), fact.link, url, fact.start, fact.end)


class Pages:
    """The same read afresh from the pages of a world: what a check must agree with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.read = lru_cache(256)(self._read)
        self._resolve = lru_cache(100_000)(world.resolve)

    def sheet(self, url: str, nth: int) -> Sheet | None:
        """The `nth` table of the page at `url`."""
        for sheet in self.read(url)[1]:
            if sheet.nth == nth:
                return sheet
        return None

    def stated(self, url: str, relation: str) -> Item | None:
        """What the page at `url` states of itself."""
        for one in self.read(url)[2]:
            if one.relation == relation:
                return Item(one.value, self._resolved(one.link), url, one.start, one.end)
        return None

    def text(self, url: str) -> str:
        """The page's text, "" where there is none."""
        return self.read(url)[3]

    def _read(self, url: str) -> tuple[str, list[Sheet], list[Statement], str]:
        seen = self._world.visit(url, mode="raw")
        if not seen.found or self._world.resolve(url) != url:
            return "", [], [], ""
        name, sheets, statements, _ = read_page(url, seen.title, seen.evidence)
        return name, [self._linked(sheet) for sheet in sheets], statements, seen.evidence

    def _linked(self, sheet: Sheet) -> Sheet:
        rows = tuple(tuple(cell._replace(link=self._resolved(cell.link)) for cell in row) for row in sheet.rows)
        return Sheet(sheet.url, sheet.title, sheet.nth, sheet.heading, sheet.header, rows)

    def _resolved(self, link: str) -> str:
        return (self._resolve(link) or "") if link else ""


def folded(name: str) -> str:
    """A name as the fact store compares it."""
    return same_text(bare_name(name))
