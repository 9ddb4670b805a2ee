"""The source of truth, read: every page with its text, its other names and its links, in `pages.sqlite`."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import zstandard

from lite.errors import WorldError
from lite.index.urls import url_key, without_fragment
from lite.records import Page, storable

APPLICATION_ID = 0x4C495445  # "LITE", in the file's header
BATCH = 1000  # rows
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


class _Sound:
    """Damage, in whatever words SQLite and Zstandard have for it, is one clear line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, _DAMAGE):
            said = str(error) or type(error).__name__
            raise WorldError(
                f"{storable(str(self._path))} cannot be read ({said}): copy the world again, or build it again"
            ) from None


class PageStore:
    """Read access to `pages.sqlite` from any number of threads and processes.

    Raises:
        WorldError: the file cannot be read, or is not a page store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sound = _Sound(path)
        self._reader = _Reader()
        self._dictionary: zstandard.ZstdCompressionDict | None = None
        with self._sound:
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

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._sound:
            return self._db.execute(sql, values).fetchall()

    def _each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        with self._sound:
            cursor = self._db.execute(sql, values)
        while True:
            with self._sound:
                rows = cursor.fetchmany(BATCH)
            if not rows:
                return
            yield from rows

    # ------------------------------------------------------------ one page

    def find(self, url: str) -> tuple[int, str] | None:
        """(id, stored URL) of the page or alias that `url` names: as it is, else in another spelling.

        The fragment is dropped only when the full URL is unknown in every spelling.
        """
        with self._sound:
            return find(self._db, storable(url))

    def named_by(self, url: str) -> tuple[StoredPage, str] | None:
        """The page that `url` names and its stored URL, as `find`; a page's own URL takes one statement."""
        own = self._all(f"{_SELECT} where url = ?", (storable(url),))
        if own:
            return self._stored(own[0]), own[0][1]
        found = self.find(url)
        return (self.page(found[0]), found[1]) if found else None

    def page(self, key: int) -> StoredPage:
        """The page with id `key`. Raises KeyError when there is none."""
        rows = self._all(f"{_SELECT} where id = ?", (key,))
        if not rows:
            raise KeyError(key)
        return self._stored(rows[0])

    def _stored(self, row: tuple[int, str, str, bytes, bytes]) -> StoredPage:
        with self._sound:
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

    def titles_of(self, key: int) -> str:
        """The titles of page `key` and of its aliases, one a line in the order of URLs: what lexical search knows."""
        rows = self._all(
            """select url, title from pages where id = ?1 union all
            select url, title from aliases where page = ?1 order by 1""",
            (key,),
        )
        return "\n".join(title for _, title in rows)

    def spelled(self, url: str, *, sections: bool = False) -> set[int]:
        """Ids of all pages with a name that is a spelling of `url`; `find` gives one of them.

        A fragment is dropped only when no name has it; with `sections` always, and the pages at every `url#fragment`
        are there too.
        """
        url = storable(url)
        if sections:
            key = url_key(without_fragment(url))
            return self._under("{0} = ? or ({0} >= ? and {0} < ?)", (key, f"{key}#", f"{key}$"))
        forms = dict.fromkeys((url, without_fragment(url)))
        return next((found for form in forms if (found := self._under("{0} = ?", (url_key(form),)))), set())

    def _under(self, names: str, values: Sequence[str]) -> set[int]:
        """Ids of the pages with names whose keys fulfil a condition: a name that is its own key has no spelling."""
        places = (("pages", "id", "url"), ("aliases", "page", "url"), ("spellings", "page", "key"))
        queries = (f"select {page} from {table} where {names.format(name)}" for table, page, name in places)  # noqa: S608
        return {key for query in queries for (key,) in self._all(query, values)}

    # ------------------------------------------------------------ all pages

    @property
    def last(self) -> int:
        """The highest id; 0 in an empty store."""
        return self._all("select coalesce(max(id), 0) from pages")[0][0]

    def ids(self) -> list[int]:
        """The id of every page, ascending."""
        return [key for (key,) in self._all("select id from pages order by id")]

    def by_url(self) -> list[int]:
        """The id of every page, in the order of the URLs."""
        return [key for (key,) in self._all("select id from pages order by url")]

    def pages(self, after: int = 0) -> Iterator[StoredPage]:
        """Every page with an id above `after`, in the order of ids."""
        for row in self._each(f"{_SELECT} where id > ? order by id", (after,)):
            yield self._stored(row)

    def aliases(self) -> Iterator[tuple[str, int, str]]:
        """(URL, page id, title) of every other name of a page, in the order of the URLs."""
        return self._each("select url, page, title from aliases order by url")

    def named(self) -> Iterator[Page]:
        """Every page under its URL, then under each alias with that one's title."""
        for page in self.pages():
            yield Page(url=page.url, title=page.title, text=page.text)
        for url, key, title in self.aliases():
            yield Page(url=url, title=title, text=self.page(key).text)

    def records(self) -> Iterator[tuple[str, str, bytes]]:
        """(URL, title, content hash) of every page in the order of URLs, then of every alias likewise."""
        yield from self._each("select url, title, hash from pages order by url")
        yield from self._each(
            "select a.url, a.title, p.hash from aliases a join pages p on p.id = a.page order by a.url"
        )

    def links(self, key: int) -> list[tuple[str, str]]:
        """(URL, anchor) of the pages of this world that page `key` links to, in the order of their URLs."""
        return self._all("select url, anchor from links join pages on id = dst where src = ? order by url", (key,))

    def linking(self, key: int, limit: int) -> list[tuple[str, str]]:
        """(URL, anchor) of the first `limit` pages that link to page `key`, in the order of their URLs."""
        return self._all(
            "select url, anchor from links join pages on id = src where dst = ? order by url limit ?", (key, limit)
        )

    def aliases_of(self, key: int) -> list[str]:
        """The other URLs of page `key`, in order."""
        return [url for (url,) in self._all("select url from aliases where page = ? order by url", (key,))]

    def duplicates(self, limit: int) -> list[tuple[str, str, int]]:
        """(URL, title, number of other URLs) of the `limit` pages that have most of them."""
        return self._all(
            """select url, p.title, n from (select page, count(*) as n from aliases group by page)
            join pages p on id = page order by n desc, url limit ?""",
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


def find(db: sqlite3.Connection, url: str) -> tuple[int, str] | None:
    """`PageStore.find` on an open database."""
    if page := _one(db, "select id from pages where url = ?", url):  # as most are named
        return page, url
    for form in dict.fromkeys((url, without_fragment(url))):
        key = url_key(form)
        for name in dict.fromkeys((form, key)):
            page = _one(db, "select id from pages where url = ?", name)
            page = page or _one(db, "select page from aliases where url = ?", name)
            if page:
                return page, name
        page = _one(db, "select page from spellings where key = ? order by alias, url limit 1", key)
        if page:
            return page, _one(db, "select url from pages where id = ?", page)
    return None


def _one(db: sqlite3.Connection, sql: str, value: Any) -> Any:
    row = db.execute(sql, (value,)).fetchone()
    return row[0] if row else None


def _decompressor(dictionary: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(dict_data=dictionary) if dictionary else zstandard.ZstdDecompressor()
