"""World -> fact store: every page read once, its tables and statements written down with the place they stand at."""

import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from lite.errors import UsageError
from lite.index.facts import FILE, FORMAT, FactRow, FactStore, FactWriter, PageRow, TableRow
from lite.index.lock import writing
from lite.shipped import cache_dir
from lite.tasks.sheet import Sheet, sheet_of
from lite.tasks.statements import Statement, bare_name, read_statements, subject_of
from lite.tasks.tables import read_tables
from lite.tasks.values import same_text
from lite.world import World

Told = Callable[[int, int], None]


def read_page(url: str, title: str, text: str) -> tuple[str, list[Sheet], list[Statement], int]:
    """What a page is about, its tables, its statements, and how many tables were broken."""
    name = subject_of(title, text)
    tables, broken = read_tables(text) if "|" in text else ([], 0)
    statements = read_statements(text, bare_name(name), tables)
    return name, [sheet_of(url, title or name, name, table) for table in tables], statements, broken


def store_path(world: World) -> Path:
    """Where the fact store of `world` lies: beside its pages, or in the cache when that folder is read-only."""
    if os.access(world.path, os.W_OK):
        return world.path / FILE
    return cache_dir() / "facts" / f"{world.digest}.sqlite"


def fact_store(world: World, progress: Told | None = None) -> FactStore:
    """The fact store of `world`, made first if it is not there or is of other pages.

    Raises:
        WorldError: it has to be made, and another process is writing the world (or, of read-only worlds, a store).
    """
    path = store_path(world)
    if found := _made(world, path):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path.parent):
        found = _made(world, path)  # by the process that held the lock before
        if found is None:
            _make(world, path, progress)
    return found or FactStore(path)


def _made(world: World, path: Path) -> FactStore | None:
    """The store at `path`, where it is one of these pages."""
    if not path.exists():
        return None
    store = FactStore(path)
    if store.about.get("world") == world.digest and store.about.get("format") == str(FORMAT):
        return store
    store.close()
    return None


def _make(world: World, path: Path, progress: Told | None) -> None:
    writer = FactWriter(path)
    total = world.info().pages
    broken = tables = 0
    resolve = lru_cache(500_000)(world.resolve)
    try:
        for count, page in enumerate(world.pages.pages(), 1):
            name, sheets, statements, bad = read_page(page.url, page.title, page.text)
            broken += bad
            row = PageRow(page.id, page.url, page.title, name, same_text(bare_name(name)))
            rows = [_table_row(tables + n, page.id, sheet) for n, sheet in enumerate(sheets)]
            facts = [_statement(page.id, page.url, name, one, resolve) for one in statements]
            for key, sheet in enumerate(sheets, tables):
                facts.extend(_cells(page.id, key, sheet, resolve))
            writer.add(row, rows, facts)
            tables += len(sheets)
            if progress and count % 500 == 0:
                progress(count, total)
        if progress:
            progress(total, total)
    except BaseException:
        writer.abandon()
        raise
    writer.finish({"world": world.digest, "format": str(FORMAT), "broken tables": str(broken)})


def _table_row(key: int, page: int, sheet: Sheet) -> TableRow:
    heading, header = (json.dumps(part, ensure_ascii=False) for part in (sheet.heading, sheet.header))
    return TableRow(key, page, sheet.nth, heading, header, len(sheet.rows), sheet.subject, sheet.label)


def _statement(page: int, url: str, name: str, one: Statement, resolve: Callable[[str], str | None]) -> FactRow:
    value, link = one.value, (resolve(one.link) or "") if one.link else ""
    kind, number, unit = value.kind, value.number, value.unit
    return FactRow(
        page, None, None, None, name, url, one.relation, value.text, link, kind, number, unit, one.start, one.end
    )


def _cells(page: int, key: int, sheet: Sheet, resolve: Callable[[str], str | None]) -> Iterator[FactRow]:
    for number, row in enumerate(sheet.rows):
        about = row[sheet.subject] if sheet.subject >= 0 else None
        subject, subject_url = (about.text, (resolve(about.link) or "") if about.link else "") if about else ("", "")
        for col, cell in enumerate(row):
            value, link = cell.value, (resolve(cell.link) or "") if cell.link else ""
            yield FactRow(
                page, key, number, col, subject, subject_url, sheet.header[col],
                value.text, link, value.kind, value.number, value.unit, cell.start, cell.end,
            )  # fmt: skip


def require_facts(store: FactStore, world: Path) -> None:
    """Say plainly that nothing can be made."""
    counts = store.counts()
    if not counts["facts in tables"] and not counts["statements"]:
        raise UsageError(
            f"{world} states nothing that a task could be made of (no tables, no key-value lines, no sentences of a "
            "known pattern): give it other pages"
        )
