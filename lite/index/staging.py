"""Where records are collected before they can be settled: `build.sqlite`, gone when the world is finished.

Which of two texts one URL keeps, and which URL names an exact duplicate, must not depend on the order of the sources.
So everything is collected first and settled at the end: the smaller content hash wins a URL, and the smallest URL
names a text. What is added to a world wins over what it holds, and the names of every text it touches are settled
anew: the world is then what one build of all its records would have made. Progress is stored in the transaction of
the records it counts, so a killed build goes on where it was.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from lite.index.pages import PageStore
from lite.records import Broken, Page, storable

NAMED = 20  # broken records that are kept by name; the others are counted by reason


KINDS = 100  # reasons that are counted by themselves: most name what they refuse, and may be as many as the records
OTHER = "other reasons"


class Filtered(NamedTuple):
    """A page that the world's policy leaves out: counted by reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class SettledPage:
    """A page as the world will hold it. In a new world ids count from 1 in the order of the URLs.

    A page keeps its id as long as it keeps its text; what is added has ids above all that were there.
    """

    id: int
    url: str
    title: str
    hash: bytes
    text: str
    titles: str  # with those of its exact duplicates, one a line


def text_hash(text: str) -> bytes:
    """The content hash that finds exact duplicates: BLAKE2b of the UTF-8 text, 16 bytes."""
    return blake2b(text.encode(), digest_size=16).digest()


def tally(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Two counts of reasons together: the first `KINDS` reasons by name, all the others as one."""
    out = dict(counts)
    for reason, count in more.items():
        name = reason if reason in out or len(out) < KINDS else OTHER
        out[name] = out.get(name, 0) + count
    return out


class Staging:
    """The collected records of one build, in `path`; created when missing."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path.resolve().as_uri(), uri=True, isolation_level=None)
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        try:
            self._prepare()
        except BaseException:  # a full disk: nobody gets this object to close, and its lock would stay
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("pragma locking_mode = exclusive")  # no shared memory file, which a full disk would break
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma cache_size = -65536")
        with self._db:
            self._db.execute("begin immediate")
            self._make_tables()

    def _make_tables(self) -> None:
        import sqlite_utils  # here, because it loads pandas where that is installed

        db = sqlite_utils.Database(self._db)
        db.table("meta").create({"name": str, "value": str}, pk="name", if_not_exists=True)
        db.table("broken").create({"source": str, "place": str, "reason": str}, if_not_exists=True)
        # Only ever appended to, so that a batch costs what it is long; sorting is left to `settle`.
        db.table("texts").create({"id": int, "body": bytes}, pk="id", if_not_exists=True)
        columns = {"id": int, "url": str, "title": str, "hash": bytes}
        db.table("records").create(columns, pk="id", if_not_exists=True)

    # ------------------------------------------------------------ progress

    def get(self, name: str, default: Any = None) -> Any:
        """The value kept under `name`."""
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def put(self, name: str, value: Any) -> None:
        """Keep `value` (JSON) under `name`; durable when this returns, unless a batch is open."""
        self._db.execute("insert or replace into meta values (?, ?)", (name, json.dumps(value)))

    def clear(self) -> None:
        """Forget everything."""
        with self._db:
            self._db.execute("begin immediate")
            for table in ("meta", "broken", "texts", "records"):
                self._db.execute(f"delete from {table}")  # noqa: S608  # names of ours

    # ------------------------------------------------------------ collecting

    def add(self, records: Sequence[Page | Broken | Filtered], progress: tuple[str, Any]) -> None:
        """One transaction: the records of a batch and the progress that counts them."""
        pages = [record for record in records if isinstance(record, Page)]
        broken = [record for record in records if isinstance(record, Broken)]
        first = self.get("records", 0) + 1
        texts, rows = [], []
        for number, page in enumerate(pages, first):
            text = storable(page.text)
            texts.append((number, self._compress(text.encode())))
            rows.append((number, storable(page.url), storable(page.title), text_hash(text)))
        with self._db:
            self._db.execute("begin immediate")
            self._db.executemany("insert into texts values (?, ?)", texts)
            self._db.executemany("insert into records values (?, ?, ?, ?)", rows)
            self._add_broken(broken)
            left_out = Counter(record.reason for record in records if isinstance(record, Filtered))
            if left_out:
                self.put("filtered", Counter(self.get("filtered", {})) + left_out)
            self.put("records", first - 1 + len(pages))
            self.put(*progress)

    def mark(self) -> None:
        """Remember the state before a source, for `rewind`."""
        names = [name for (name,) in self._db.execute("select name from meta where name != 'mark'")]
        rows = self._db.execute("select count(*) from broken").fetchone()[0]
        self.put("mark", {"meta": {name: self.get(name) for name in names}, "broken": rows})

    def rewind(self) -> None:
        """Forget everything that was added since the last `mark`: half a source would be read twice, or not at all."""
        mark = self.get("mark")
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute("delete from meta where name != 'mark'")
            for name, value in mark["meta"].items():
                self.put(name, value)
            for table in ("texts", "records"):
                self._db.execute(f"delete from {table} where id > ?", (self.get("records", 0),))  # noqa: S608  # ours
            self._db.execute("delete from broken where rowid > ?", (mark["broken"],))

    def _add_broken(self, broken: Sequence[Broken]) -> None:
        if not broken:
            return
        self.put("broken", tally(self.get("broken", {}), Counter(record.reason for record in broken)))
        kept = self._db.execute("select count(*) from broken").fetchone()[0]
        named = [(record.source, record.where, record.reason) for record in broken[: NAMED - kept]]
        self._db.executemany("insert into broken values (?, ?, ?)", named)

    # ------------------------------------------------------------ settling

    def settle(self, base: Path | None = None) -> None:
        """Decide what changes in the page store `base`, or what a new one holds.

        Done again from the start when it was interrupted.
        """
        self._attach(base)
        with self._db:
            self._db.execute("begin immediate")
            for table in ("winners", "changed"):
                self._db.execute(f"drop table if exists {table}")
            self._db.execute(
                """create table winners as select url, title, hash, id, rivals from (
                select *, row_number() over by_text as place, min(hash) over of_url != max(hash) over of_url as rivals
                from records window of_url as (partition by url),
                by_text as (partition by url order by hash, title, id)) where place = 1"""
            )
            self._db.execute(
                """create table changed as select w.url, w.title, w.hash, w.id, coalesce(p.hash, o.hash) as was,
                coalesce(p.title, a.title) as titled from winners w left join base.pages p on p.url = w.url
                left join base.aliases a on a.url = w.url left join base.pages o on o.id = a.page"""
            )
            self._name()

    def _attach(self, base: Path | None) -> None:
        if base is None:
            self._db.execute("attach ':memory:' as base")
            self._db.execute("create table base.pages (id integer primary key, url text unique, title, hash)")
            self._db.execute("create table base.aliases (url text primary key, page int, title)")
        else:
            self._db.execute("attach ? as base", (f"{base.resolve().as_uri()}?immutable=1",))

    def _name(self) -> None:
        """Settle the names of every text that `changed` touches."""
        for table in ("held", "names", "settled"):
            self._db.execute(f"drop table if exists {table}")
        self._db.execute("delete from changed where hash = was and title = titled")
        self._db.execute(  # the pages of the base whose text gains or loses a name
            """create table held as select id, hash from base.pages
            where hash in (select hash from changed union select was from changed)"""
        )
        self._db.execute("create table names (url text primary key, title text, hash blob, id int)")
        self._db.execute("insert into names select url, title, hash, id from changed")
        self._db.execute(
            """insert or ignore into names select url, title, hash, null from base.pages where id in
            (select id from held) union all
            select a.url, a.title, h.hash, null from held h join base.aliases a on a.page = h.id"""
        )
        self._db.execute(
            "create table settled (id integer primary key, url text, title text, hash blob, titles text, text int)"
        )
        self._db.execute(
            """insert into settled select coalesce(h.id, (select coalesce(max(id), 0) from base.pages)
            + row_number() over (partition by h.id is null order by g.url)), g.url, n.title, g.hash, g.titles, g.text
            from (select hash, min(url) as url, max(id) as text, group_concat(title, char(10)) as titles
                  from (select * from names order by hash, url) group by hash) g
            join names n on n.url = g.url left join held h on h.hash = g.hash order by 1"""
        )
        self._db.execute("create index settled_by_hash on settled (hash)")

    def gone(self) -> list[int]:
        """Ids of the pages of the base that have no name any more."""
        rows = self._db.execute("select id from held where hash not in (select hash from settled) order by id")
        return [key for (key,) in rows]

    def kept(self) -> set[int]:
        """Ids of the settled pages that the base has too, under other names or titles."""
        return {key for (key,) in self._db.execute("select h.id from held h join settled s on s.hash = h.hash")}

    def pages(self, base: PageStore | None = None) -> Iterator[SettledPage]:
        """The settled pages in the order of their ids; `base` has the texts that were not read anew."""
        rows = self._db.execute(
            """select s.id, s.url, s.title, s.hash, s.titles, t.body
            from settled s left join texts t on t.id = s.text order by s.id"""
        )
        for key, url, title, content, titles, body in rows:
            if body is None:
                assert base is not None  # noqa: S101  # a page without a text of its own came from there
                text = base.page(key).text
            else:
                text = self._decompress(body).decode()
            yield SettledPage(key, url, title, content, text, titles)

    def total(self) -> int:
        """How many pages are settled."""
        return self._db.execute("select count(*) from settled").fetchone()[0]

    def hashes(self, *, above: int) -> dict[int, bytes]:
        """The content hashes of the settled pages with ids above `above`, by id."""
        return dict(self._db.execute("select id, hash from settled where id > ? order by id", (above,)))

    def text(self, key: int) -> str:
        """The text of the settled page `key`, which was read anew."""
        row = self._db.execute("select t.body from settled s join texts t on t.id = s.text where s.id = ?", (key,))
        return self._decompress(row.fetchone()[0]).decode()

    def merge(self, same: Iterable[tuple[bytes, bytes]]) -> None:
        """Give up texts for others, (hash, hash of the other): their URLs become names of those."""
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute("create index if not exists changed_hash on changed (hash)")
            self._db.executemany("update changed set hash = ?2, id = null where hash = ?1", same)
            self._name()

    def aliases(self) -> Iterable[tuple[str, int, str]]:
        """(URL, page id, title) of every other name of a settled page, in the order of their URLs."""
        return self._db.execute(
            "select n.url, s.id, n.title from names n join settled s on s.hash = n.hash where n.url != s.url order by 1"
        )

    def sample(self, count: int) -> list[bytes]:
        """About `count` texts spread evenly over the settled pages."""
        rows = self._db.execute(
            "select t.body from settled s join texts t on t.id = s.text where s.id % ? = 0 order by s.id",
            (max(1, self.total() // count),),
        )
        return [self._decompress(body) for (body,) in rows]

    def counts(self) -> dict[str, Any]:
        """What was read, once it is settled: records, those whose URL came before, URLs with two texts, broken ones,
        pages that were left out, near-duplicates where they were dropped, and what changes, in URLs.
        """
        urls, rivals = self._db.execute("select count(*), coalesce(sum(rivals), 0) from winners").fetchone()
        updated, added = self._db.execute("select count(was), count(*) - count(was) from changed").fetchone()
        records = self.get("records", 0)
        broken = [Broken(source=s, where=w, reason=r) for s, w, r in self._db.execute("select * from broken")]
        dropped = {"near_duplicates": alike} if (alike := self.get("near_duplicates")) is not None else {}
        return dropped | {
            "records": records,
            "repeated": records - urls,
            "conflicts": rivals,
            "broken": self.get("broken", {}),
            "broken_first": broken,
            "filtered": self.get("filtered", {}),
            "change": {"added": added, "updated": updated},
        }

    def close(self) -> None:
        """Close the file; what was added is kept."""
        self._db.close()
