"""The source of truth: every page with its text, its other names and its links, in `pages.sqlite`."""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from lite.errors import WorldError
from lite.index.staging import SettledPage, storable
from lite.index.text import links
from lite.index.urls import url_key, without_fragment

APPLICATION_ID = 0x4C495445  # "LITE", in the file's header
_BATCH = 1000
_SELECT = "select id, url, title, hash, body from pages"


class StoredPage(NamedTuple):
    """A page as it is stored; every index knows it by `id`."""

    id: int
    url: str
    title: str
    hash: bytes
    text: str


class _Reader(threading.local):
    """One thread's connection; `pid` tells a forked child that it needs its own."""

    pid = 0
    db: sqlite3.Connection
    unpack: zstandard.ZstdDecompressor


class PageStore:
    """Read access to `pages.sqlite` from any number of threads and processes.

    Raises:
        WorldError: the file cannot be read, or is not a page store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = _Reader()
        self._dictionary: zstandard.ZstdCompressionDict | None = None
        with self._sound():
            with closing(sqlite3.connect(self._uri, uri=True)) as db:
                found = db.execute("pragma application_id").fetchone()[0]
                row = db.execute("select data from dictionary").fetchone()
            if row:
                self._dictionary = zstandard.ZstdCompressionDict(row[0])
        if found != APPLICATION_ID:
            raise WorldError(f"{path} is not the page store of a world: build the world again")

    @property
    def _uri(self) -> str:
        return f"{self._path.resolve().as_uri()}?mode=ro"

    @property
    def _db(self) -> sqlite3.Connection:
        mine = self._reader
        if mine.pid != os.getpid():
            mine.db = sqlite3.connect(self._uri, uri=True, isolation_level=None)
            mine.db.execute("pragma mmap_size = 2147418112")
            mine.unpack = _decompressor(self._dictionary)
            mine.pid = os.getpid()
        return mine.db

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """Damage, in whatever words SQLite and Zstandard have for it, is one clear line."""
        try:
            yield
        except _DAMAGE as error:
            said = str(error) or type(error).__name__
            raise WorldError(
                f"{storable(str(self._path))} cannot be read ({said}): copy the world again, or build it again"
            ) from None

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._sound():
            return self._db.execute(sql, values).fetchall()

    def _each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        with self._sound():
            cursor = self._db.execute(sql, values)
        while True:
            with self._sound():
                rows = cursor.fetchmany(_BATCH)
            if not rows:
                return
            yield from rows

    # ------------------------------------------------------------ one page

    def find(self, url: str) -> tuple[int, str] | None:
        """(id, stored URL) of the page or alias that `url` names: as it is, else in another spelling.

        The fragment is dropped only when the full URL is unknown in every spelling.
        """
        with self._sound():
            return _find(self._db, storable(url))

    def page(self, key: int) -> StoredPage:
        """The page with id `key`. Raises KeyError when there is none."""
        rows = self._all(f"{_SELECT} where id = ?", (key,))
        if not rows:
            raise KeyError(key)
        return self._stored(rows[0])

    def _stored(self, row: tuple[int, str, str, bytes, bytes]) -> StoredPage:
        with self._sound():
            return StoredPage(*row[:4], self._reader.unpack.decompress(row[4]).decode())

    def several(self, keys: Sequence[int]) -> dict[int, StoredPage]:
        """The pages with these ids, those that there are."""
        marks = ",".join("?" * len(keys))
        rows = self._all(f"{_SELECT} where id in ({marks})", keys)
        return {row[0]: self._stored(row) for row in rows}

    def urls(self, keys: Sequence[int]) -> dict[int, str]:
        """The URLs of the pages with these ids."""
        marks = ",".join("?" * len(keys))
        return dict(self._all(f"select id, url from pages where id in ({marks})", keys))  # noqa: S608  # only ?

    # ------------------------------------------------------------ all pages

    def pages(self, after: int = 0) -> Iterator[StoredPage]:
        """Every page with an id above `after`, in the order of ids."""
        for row in self._each(f"{_SELECT} where id > ? order by id", (after,)):
            yield self._stored(row)

    def aliases(self) -> Iterator[tuple[str, int, str]]:
        """(URL, page id, title) of every other name of a page, in the order of the URLs."""
        return self._each("select url, page, title from aliases order by url")

    def records(self) -> Iterator[tuple[str, str, bytes]]:
        """(URL, title, content hash) of every page in the order of URLs, then of every alias likewise."""
        yield from self._each("select url, title, hash from pages order by url")
        yield from self._each(
            "select a.url, a.title, p.hash from aliases a join pages p on p.id = a.page order by a.url"
        )

    def links(self, key: int) -> list[tuple[str, str]]:
        """(URL, anchor) of the pages of this world that page `key` links to, in the order of their URLs."""
        return self._all("select url, anchor from links join pages on id = dst where src = ? order by dst", (key,))

    def linking(self, key: int, limit: int) -> list[tuple[str, str]]:
        """(URL, anchor) of the first `limit` pages that link to page `key`, in the order of their URLs."""
        return self._all(
            "select url, anchor from links join pages on id = src where dst = ? order by src limit ?", (key, limit)
        )

    def aliases_of(self, key: int) -> list[str]:
        """The other URLs of page `key`, in order."""
        return [url for (url,) in self._all("select url from aliases where page = ? order by url", (key,))]

    def duplicates(self, limit: int) -> list[tuple[str, str, int]]:
        """(URL, title, number of other URLs) of the `limit` pages that have most of them."""
        return self._all(
            """select url, p.title, n from (select page, count(*) as n from aliases group by page
            order by n desc, page limit ?) join pages p on id = page order by n desc, page""",
            (limit,),
        )

    def addresses(self) -> Iterator[str]:
        """The URL of every page, in order; reads the index of URLs only."""
        return (url for (url,) in self._each("select url from pages order by url"))

    def titles(self, start: str, end: str, limit: int) -> list[tuple[str, str]]:
        """(URL, title) of the first `limit` pages whose URLs are at least `start` and below `end`, in order."""
        return self._all(
            "select url, title from pages where url >= ? and url < ? order by url limit ?", (start, end, limit)
        )

    def counts(self) -> dict[str, int]:
        """Rows: pages, aliases, links; and the characters of all texts."""
        tables = {name: self._all(f"select count(*) from {name}")[0][0] for name in _TABLES}  # noqa: S608  # ours
        return tables | {"chars": self._all("select coalesce(sum(chars), 0) from pages")[0][0]}

    def close(self) -> None:
        """Close this thread's connection; those of other threads go with them."""
        if self._reader.pid == os.getpid():
            self._reader.db.close()
            self._reader.pid = 0


_TABLES = ("pages", "aliases", "links")
# TypeError and ValueError: a row's parts are of other kinds, or no UTF-8; MemoryError: a length was damaged.
_DAMAGE = (sqlite3.Error, zstandard.ZstdError, TypeError, ValueError, MemoryError)


def _find(db: sqlite3.Connection, url: str) -> tuple[int, str] | None:
    for form in dict.fromkeys((url, without_fragment(url))):
        key = url_key(form)
        for name in dict.fromkeys((form, key)):
            page = _one(db, "select id from pages where url = ?", name)
            page = page or _one(db, "select page from aliases where url = ?", name)
            if page:
                return page, name
        page = _one(db, "select page from spellings where key = ?", key)
        if page:
            return page, _one(db, "select url from pages where id = ?", page)
    return None


def _one(db: sqlite3.Connection, sql: str, value: Any) -> Any:
    row = db.execute(sql, (value,)).fetchone()
    return row[0] if row else None


def _decompressor(dictionary: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(dict_data=dictionary) if dictionary else zstandard.ZstdDecompressor()


class PageWriter:
    """Writes a whole `pages.sqlite`, ids ascending. Not durable before `finish`: a killed writer starts over.

    Args:
        path: the file; one that is there is replaced.
        sample: texts to train the compression dictionary on; a world of short pages shrinks by a third.
    """

    def __init__(self, path: Path, sample: Sequence[bytes]) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("page_size = 8192", "journal_mode = off", "synchronous = off", "cache_size = -65536"):
            self._db.execute(f"pragma {pragma}")
        self._db.execute(f"pragma application_id = {APPLICATION_ID}")
        self._make_tables()
        dictionary = _train(sample)
        if dictionary:
            self._db.execute("insert into dictionary values (?)", (dictionary.as_bytes(),))
        compressor = (
            zstandard.ZstdCompressor(level=3, dict_data=dictionary) if dictionary else zstandard.ZstdCompressor(level=3)
        )
        self._compress = compressor.compress
        self._rows: list[tuple[int, str, str, bytes, int, bytes]] = []
        self._spellings: list[tuple[str, int]] = []
        self._links: list[tuple[int, str, str]] = []
        self._db.execute("begin")

    def _make_tables(self) -> None:
        import sqlite_utils  # here, because it loads pandas where that is installed

        db = sqlite_utils.Database(self._db)
        db.table("dictionary").create({"data": bytes})
        columns = {"id": int, "url": str, "title": str, "hash": bytes, "chars": int, "body": bytes}
        db.table("pages").create(columns, pk="id", not_null=set(columns))
        db.table("pages").create_index(["url"], unique=True)
        self._db.execute("create table aliases (url text primary key, page int not null, title text) without rowid")
        self._db.execute("create table spellings (key text primary key, page int not null) without rowid")
        self._db.execute(
            "create table links (src int, dst int, anchor text, primary key (src, dst)) without rowid",
        )
        self._db.execute("create temp table raw_links (src int, url text, anchor text)")

    def add(self, page: SettledPage) -> None:
        """Add a page; its links are kept by URL until every page is known."""
        body = self._compress(page.text.encode())
        self._rows.append((page.id, page.url, page.title, page.hash, len(page.text), body))
        self._spell(page.url, page.id)
        self._links.extend((page.id, target, anchor) for target, anchor in links(page.text))
        if len(self._rows) >= _BATCH:
            self._flush()

    def _spell(self, url: str, page: int) -> None:
        key = url_key(url)
        if key != url:
            self._spellings.append((key, page))

    def _flush(self) -> None:
        self._db.executemany("insert into pages values (?, ?, ?, ?, ?, ?)", self._rows)
        self._db.executemany("insert or ignore into spellings values (?, ?)", self._spellings)
        self._db.executemany("insert into raw_links values (?, ?, ?)", self._links)
        self._rows, self._spellings, self._links = [], [], []

    def finish(self, aliases: Iterable[tuple[str, int, str]]) -> None:
        """Add the aliases, resolve the links, and make the file durable."""
        self._flush()
        for url, page, title in aliases:
            self._db.execute("insert into aliases values (?, ?, ?)", (url, page, title))
            self._spell(url, page)
        self._flush()
        self._db.execute("create index aliases_page on aliases (page)")
        self._resolve_links()
        self._db.execute("commit")
        self._db.execute("analyze")
        self._db.execute("pragma synchronous = full")
        self._db.execute("pragma journal_mode = delete")
        self._db.close()
        sync(self._path)

    def _resolve_links(self) -> None:
        """Keep the links between pages of this world: exact URLs in one join, other spellings singly."""
        self._db.execute(
            """insert or ignore into links select src, coalesce(p.id, a.page) as dst, anchor from raw_links r
            left join pages p on p.url = r.url left join aliases a on a.url = r.url
            where dst is not null and dst != src order by r.rowid"""
        )
        rest = self._db.execute(
            """select distinct url from raw_links r where not exists (select 1 from pages p where p.url = r.url)
            and not exists (select 1 from aliases a where a.url = r.url) order by url"""
        ).fetchall()
        self._db.execute("create temp table found (url text primary key, page int) without rowid")
        found = ((url, hit[0]) for (url,) in rest if (hit := _find(self._db, url)))
        self._db.executemany("insert into found values (?, ?)", found)
        self._db.execute(
            """insert or ignore into links select src, page, anchor from raw_links join found using (url)
            where page != src order by raw_links.rowid"""
        )


def _train(sample: Sequence[bytes]) -> zstandard.ZstdCompressionDict | None:
    """A dictionary pays from some hundred pages on; fewer are not enough to train one."""
    if len(sample) < 500 or sum(map(len, sample)) < 200_000:
        return None
    return zstandard.train_dictionary(64_000, list(sample))


def sync(path: Path) -> None:
    """Make `path` (a file or a folder's entries) durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
