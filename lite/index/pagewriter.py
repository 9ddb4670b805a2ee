"""The source of truth, written: a whole `pages.sqlite`, or changes to a copy of one.

Nothing here is durable before `finish`: the file belongs to a generation that nobody reads yet, and a killed writer
starts over. What a change leaves is what a build of the same pages would have made, but for the ids.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Self

import zstandard

from lite.index.pages import APPLICATION_ID, BATCH, find
from lite.index.staging import SettledPage
from lite.index.text import links
from lite.index.urls import url_key, without_fragment

Names = dict[str, tuple[int, bool]]  # URL -> (page id, whether it is an alias)


class PageWriter:
    """Writes pages; made by `new` or `over`. Call `remove` for what goes, `add` for what comes, then `finish`."""

    def __init__(
        self, db: sqlite3.Connection, dictionary: zstandard.ZstdCompressionDict | None, *, fresh: bool
    ) -> None:
        self._db, self._fresh = db, fresh
        self._compress = zstandard.ZstdCompressor(level=3, dict_data=dictionary).compress
        self._unpack = zstandard.ZstdDecompressor(dict_data=dictionary).decompress
        self._before: Names = {}
        self._added: set[int] = set()
        self._rows: list[tuple[int, str, str, bytes, int, bytes]] = []
        self._spellings: list[tuple[str, str, bool, int]] = []
        self._links: list[tuple[int, str, str]] = []
        self._outlinks: list[tuple[int, int]] = []
        for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -65536"):
            self._db.execute(f"pragma {pragma}")
        self._db.execute("create temp table raw_links (src int, url text, anchor text)")
        self._db.execute("begin")

    @classmethod
    def new(cls, path: Path, sample: Sequence[bytes]) -> Self:
        """Begin a store in `path`; a file that is there is replaced.

        Args:
            path: the file.
            sample: texts to train the compression dictionary on; a world of short pages shrinks by a third.
        """
        path.unlink(missing_ok=True)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("pragma page_size = 8192")
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        _make_tables(db)
        dictionary = _train(sample)
        if dictionary:
            db.execute("insert into dictionary values (?)", (dictionary.as_bytes(),))
        return cls(db, dictionary, fresh=True)

    @classmethod
    def over(cls, path: Path) -> Self:
        """Begin to change the store in `path`, a copy of a finished one."""
        db = sqlite3.connect(path, isolation_level=None)
        row = db.execute("select data from dictionary").fetchone()
        return cls(db, zstandard.ZstdCompressionDict(row[0]) if row else None, fresh=False)

    # ------------------------------------------------------------ changes

    def remove(self, pages: Collection[int]) -> None:
        """Take out these pages with all their names; those that come back, changed, are added again."""
        for page in pages:
            names = self._names(page)
            self._before |= names
            ((body,),) = self._db.execute("select body from pages where id = ?", (page,))
            gone = {(_outlink(url), page) for url, _ in links(self._unpack(body).decode())}
            self._db.executemany("delete from outlinks where key = ? and src = ?", gone)
            self._db.executemany("delete from spellings where key = ? and url = ?", [(url_key(n), n) for n in names])
            self._db.execute("delete from aliases where page = ?", (page,))
            self._db.execute("delete from links where src = ?", (page,))
            self._db.execute("delete from pages where id = ?", (page,))

    def _names(self, page: int) -> Names:
        names: Names = {
            url: (page, False) for (url,) in self._db.execute("select url from pages where id = ?", (page,))
        }
        aliases = self._db.execute("select url from aliases where page = ?", (page,))
        return names | {url: (page, True) for (url,) in aliases}

    def add(self, page: SettledPage) -> None:
        """Add a page; its links are kept by URL until every page is known."""
        body = self._compress(page.text.encode())
        self._rows.append((page.id, page.url, page.title, page.hash, len(page.text), body))
        self._spell(page.url, page.id, alias=False)
        if not self._fresh:
            self._added.add(page.id)
        found = list(links(page.text))
        self._links.extend((page.id, target, anchor) for target, anchor in found)
        self._outlinks.extend({(_outlink(target), page.id) for target, _ in found})
        if len(self._rows) >= BATCH:
            self._flush()

    def _spell(self, url: str, page: int, *, alias: bool) -> None:
        key = url_key(url)
        if key != url:
            self._spellings.append((key, url, alias, page))

    def _flush(self) -> None:
        self._db.executemany("insert into pages values (?, ?, ?, ?, ?, ?)", self._rows)
        self._db.executemany("insert into spellings values (?, ?, ?, ?)", self._spellings)
        self._db.executemany("insert into raw_links values (?, ?, ?)", self._links)
        self._db.executemany("insert or ignore into outlinks values (?, ?)", self._outlinks)
        self._rows, self._spellings, self._links, self._outlinks = [], [], [], []

    # ------------------------------------------------------------ finish

    def finish(self, aliases: Iterable[tuple[str, int, str]]) -> None:
        """Add the aliases of the pages that were added, resolve the links, and close the file."""
        self._flush()
        for url, page, title in aliases:
            self._db.execute("insert into aliases values (?, ?, ?)", (url, page, title))
            self._spell(url, page, alias=True)
        self._flush()
        if not self._fresh:
            self._collect_touched_links()
        self._db.execute("create index if not exists aliases_page on aliases (page)")
        self._resolve_links()
        self._db.execute("create index if not exists links_dst on links (dst)")
        self._db.execute("commit")
        self._db.execute("analyze")
        self._db.execute("pragma journal_mode = delete")
        self._db.close()

    def _collect_touched_links(self) -> None:
        """The links of every other page that has one to a URL which came, went or changed its page, to resolve anew."""
        after: Names = {}
        for page in self._added:
            after |= self._names(page)
        changed = {url for url, _ in self._before.items() ^ after.items()}
        touched: set[int] = set()
        for key in {_outlink(url) for url in changed}:
            touched |= {page for (page,) in self._db.execute("select src from outlinks where key = ?", (key,))}
        for page in sorted(touched - self._added):
            ((body,),) = self._db.execute("select body from pages where id = ?", (page,))
            self._db.execute("delete from links where src = ?", (page,))
            rows = ((page, target, anchor) for target, anchor in links(self._unpack(body).decode()))
            self._db.executemany("insert into raw_links values (?, ?, ?)", rows)

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
        found = ((url, hit[0]) for (url,) in rest if (hit := find(self._db, url)))
        self._db.executemany("insert into found values (?, ?)", found)
        self._db.execute(
            """insert or ignore into links select src, page, anchor from raw_links join found using (url)
            where page != src order by raw_links.rowid"""
        )


def _make_tables(db: sqlite3.Connection) -> None:
    import sqlite_utils  # here, because it loads pandas where that is installed

    store = sqlite_utils.Database(db)
    store.table("dictionary").create({"data": bytes})
    columns = {"id": int, "url": str, "title": str, "hash": bytes, "chars": int, "body": bytes}
    store.table("pages").create(columns, pk="id", not_null=set(columns))
    store.table("pages").create_index(["url"], unique=True)
    for table in (
        "aliases (url text primary key, page int not null, title text)",
        "spellings (key text, url text, alias int not null, page int not null, primary key (key, url))",
        "links (src int, dst int, anchor text, primary key (src, dst))",
        # Every link by a hash of where it points, so that it is found again when that page comes or goes.
        "outlinks (key int, src int, primary key (key, src))",
    ):
        db.execute(f"create table {table} without rowid")


def _outlink(url: str) -> int:
    """What all spellings of a URL, and all its fragments, share: 64 bits."""
    key = url_key(without_fragment(url))
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=8).digest(), signed=True)


def _train(sample: Sequence[bytes]) -> zstandard.ZstdCompressionDict | None:
    """A dictionary pays from some hundred pages on; fewer are not enough to train one."""
    if len(sample) < 500 or sum(map(len, sample)) < 200_000:
        return None
    return zstandard.train_dictionary(64_000, list(sample))
