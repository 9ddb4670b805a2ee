"""Where a build collects records before it can settle them: `build.sqlite`, gone when the world is finished.

Which of two texts one URL keeps, and which URL names an exact duplicate, must not depend on the order of the sources.
So everything is collected first and settled at the end: the smaller content hash wins a URL, and the smallest URL
names a text. Progress is stored in the transaction of the records it counts, so a killed build goes on where it was.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import zstandard

from lite.records import Broken, Page

NAMED = 20  # broken records that are kept by name; the others are counted by reason


@dataclass(frozen=True, slots=True)
class SettledPage:
    """A page as the world will hold it. Ids count from 1 in the order of the URLs."""

    id: int
    url: str
    title: str
    hash: bytes
    text: str
    titles: str  # with those of its exact duplicates, one a line


def text_hash(text: str) -> bytes:
    """The content hash that finds exact duplicates: BLAKE2b of the UTF-8 text, 16 bytes."""
    return blake2b(text.encode(), digest_size=16).digest()


def storable(text: str) -> str:
    """`text` without lone surrogates, which no UTF-8 file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Staging:
    """The collected records of one build, in `path`; created when missing."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma locking_mode = exclusive")  # no shared memory file, which a full disk would break
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma cache_size = -65536")
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
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

    def add(self, records: Sequence[Page | Broken], progress: tuple[str, Any]) -> None:
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
        counts = Counter(self.get("broken", {})) + Counter(record.reason for record in broken)
        self.put("broken", counts)
        kept = self._db.execute("select count(*) from broken").fetchone()[0]
        named = [(record.source, record.where, record.reason) for record in broken[: NAMED - kept]]
        self._db.executemany("insert into broken values (?, ?, ?)", named)

    # ------------------------------------------------------------ settling

    def settle(self) -> int:
        """Decide names and aliases; the number of pages. Done again from the start when it was interrupted."""
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute("drop table if exists winners")
            self._db.execute("drop table if exists settled")
            self._db.execute(
                """create table winners as select url, title, hash, id, rivals from (
                select *, row_number() over by_text as place, min(hash) over of_url != max(hash) over of_url as rivals
                from records window of_url as (partition by url),
                by_text as (partition by url order by hash, title, id)) where place = 1"""
            )
            self._db.execute(
                "create table settled (id integer primary key, url text, title text, hash blob, titles text, text int)"
            )
            # Beside a lone min(), SQLite takes the other columns from the row that has the minimum.
            self._db.execute(
                """insert into settled (url, title, hash, titles, text)
                select min(url), title, hash, group_concat(title, char(10)), id from winners group by hash order by 1"""
            )
            self._db.execute("create index settled_by_hash on settled (hash)")
        return self._db.execute("select count(*) from settled").fetchone()[0]

    def pages(self) -> Iterator[SettledPage]:
        """The settled pages in the order of their ids, which is the order of their URLs."""
        rows = self._db.execute(
            """select s.id, s.url, s.title, s.hash, s.titles, t.body
            from settled s join texts t on t.id = s.text order by s.id"""
        )
        for key, url, title, content, titles, body in rows:
            yield SettledPage(key, url, title, content, self._decompress(body).decode(), titles)

    def aliases(self) -> Iterable[tuple[str, int, str]]:
        """(URL, page id, title) of every exact duplicate, in the order of their URLs."""
        return self._db.execute(
            """select w.url, s.id, w.title from winners w join settled s on s.hash = w.hash
            where w.url != s.url order by w.url"""
        )

    def sample(self, count: int) -> list[bytes]:
        """About `count` texts spread evenly over the settled pages."""
        total = self._db.execute("select count(*) from settled").fetchone()[0]
        rows = self._db.execute(
            "select t.body from settled s join texts t on t.id = s.text where s.id % ? = 0 order by s.id",
            (max(1, total // count),),
        )
        return [self._decompress(body) for (body,) in rows]

    def counts(self) -> dict[str, Any]:
        """What was read, once it is settled: records, those whose URL came before, URLs with two texts, broken ones."""
        urls, rivals = self._db.execute("select count(*), coalesce(sum(rivals), 0) from winners").fetchone()
        records = self.get("records", 0)
        broken = [Broken(source=s, where=w, reason=r) for s, w, r in self._db.execute("select * from broken")]
        return {
            "records": records,
            "repeated": records - urls,
            "conflicts": rivals,
            "broken": self.get("broken", {}),
            "broken_first": broken,
        }

    def close(self) -> None:
        """Close the file; what was added is kept."""
        self._db.close()
