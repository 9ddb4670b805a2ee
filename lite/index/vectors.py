"""Vectors of pages in LanceDB: exact search in a small world, a compressed index in a large one.

A row is (page, vector): one a page, or several where pages are embedded by passage. LanceDB writes new files and
changes none, so a folder made of hard links to another's files can be changed without the other's readers noticing.
"""

import os
import shutil
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

os.environ.setdefault("LANCEDB_LOG", "error")  # read at import; it else warns of every empty partition of an index
import lancedb
from lancedb.background_loop import LOOP

from lite.errors import WorldError, one_line
from lite.index.rows import FOLDER, Batch, Rows, write_rows

EXACT_UP_TO = 40_000_000  # numbers (160 MB; 104,000 rows of 384): up to here a scan takes some milliseconds
_TABLE = "vectors"
_FILE = "vectors.lance"
_INDEX = "vector_idx"
_DELETED = 10_000  # ids a predicate
_PARTS = 8  # an index that has been appended to more often is made anew
PROBES = 55  # partitions a search looks into: at a million rows a fifth of them
_CANDIDATES = 1.25  # times the rows asked for
_TIES = 1000  # rows that may follow the k-th for having its score
_BATCH = 2048  # rows
_DIGITS = 6  # of a score; float32 holds no more, and what it cannot tell apart shall be a tie


class VectorWriter:
    """Changes the vectors in `folder`. What a call returned from is durable; a killed writer loses that call only.

    One writer at a time. Ids may have gaps and come in any order.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._folder = folder
        self._schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), dim))])
        self._table: Any = lancedb.connect(folder).create_table(_TABLE, schema=self._schema, exist_ok=True)

    def present(self) -> np.ndarray:
        """Ids of the pages that have their rows: int64, ascending, each once."""
        return _pages(self._table)

    def add(self, pages: Sequence[int], vectors: np.ndarray) -> None:
        """Append rows, all of them or none.

        Args:
            pages: the page of each row. All rows of a page belong into one call: who is present is complete.
            vectors: float32, len(pages) x dim, unit length.
        """
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, self._schema.field("vector").type.list_size)
        self._table.add(pa.table({"id": pa.array(pages, pa.int64()), "vector": column}, schema=self._schema))

    def remove(self, pages: Collection[int]) -> None:
        """Delete all rows of these pages; ids that have none are passed over. More than 10,000 take several steps."""
        ids = sorted(pages)
        if len(ids) > 1000:
            self._table.optimize()  # a predicate is evaluated fragment by fragment: minutes in an unmerged table
        for start in range(0, len(ids), _DELETED):
            self._table.delete(f"id in ({', '.join(map(str, ids[start : start + _DELETED]))})")

    def finish(self) -> str:
        """Merge the fragments, build the index the size asks for, remove old versions. Can be called again.

        Returns:
            The kind of the index for `world.json`: `exact` or `ivf-rq4`.
        """
        self._table.optimize()
        kind = self._index()
        if kind == "exact":
            shutil.rmtree(self._folder / FOLDER, ignore_errors=True)
        else:
            dim = self._schema.field("vector").type.list_size
            write_rows(self._folder, self._table.count_rows(), dim, _batches(self._table))
        with warnings.catch_warnings():  # that readers of older versions would fail: they have a folder of their own
            warnings.simplefilter("ignore", UserWarning)
            self._table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        return kind

    def _index(self) -> str:
        rows = self._table.count_rows()
        indexed = _indexed(self._table)
        if _scanned(self._table, rows):
            if indexed:
                self._table.drop_index(_INDEX)
            return "exact"
        if indexed and self._table.index_stats(_INDEX).num_indices <= _PARTS:
            return "ivf-rq4"  # optimize() has brought it up to date
        size = _partition_size(rows)
        while size < rows:
            if self._partition(size):
                return "ivf-rq4"
            size *= 4
        return "exact"

    def _partition(self, size: int) -> bool:
        """Build the index; False when there are too few different vectors for so many partitions."""
        from lancedb.index import IvfRq

        # target_partition_size, never num_partitions: only the first survives optimize().
        config = IvfRq(distance_type="cosine", num_bits=4, target_partition_size=size)
        try:
            self._table.create_index("vector", config=config, replace=True, name=_INDEX)
        except RuntimeError as error:
            if "duplicate" not in str(error) or "partitions" not in str(error):
                raise
            return False
        return True


class VectorIndex:
    """Read access. LanceDB does not survive a fork: open it in the process that uses it.

    Attributes:
        count: rows.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / _FILE).is_dir():
            raise WorldError(f"{folder} has no {_FILE}: build the world again with --embedder")
        self._table: Any = lancedb.connect(folder).open_table(_TABLE)
        self.count: int = self._table.count_rows()
        self._exact = _Exact(self._table) if self.count and _scanned(self._table, self.count) else None
        self._rows: Rows | None = None
        if self.count and not self._exact:
            self._rows, self._probed = Rows(folder, self.count), LOOP.run(_opened(folder))

    def present(self) -> np.ndarray:
        """Ids of the pages that have rows: int64, ascending, each once."""
        return _pages(self._table)

    def faults(self) -> list[str]:
        """What is wrong with the rows themselves, a line each: all must be readable, and of unit length."""
        wrong = 0
        try:
            for _, _, rows in _batches(self._table):
                wrong += int((~(np.abs(np.linalg.norm(rows, axis=1) - 1) < 1e-2)).sum())
        except (RuntimeError, OSError, ValueError) as error:
            return [f"{_FILE} cannot be read ({one_line(error)})"]
        return [f"{wrong} vectors of {_FILE} are not of unit length"] if wrong else []

    def faults_of_rows(self) -> list[str]:
        """What is wrong with the rows' mapped files, where the index is one that needs them."""
        if self._rows is None or all(map(self._rows.same, _batches(self._table))):
            return []
        return [f"{FOLDER} is damaged: it holds other rows than {_FILE}"]

    def search(self, vector: np.ndarray, k: int, *, hidden: Collection[int] = ()) -> list[tuple[int, float]]:
        """The `k` nearest pages as (id, cosine similarity), by the best row of each; equal ones in the order of ids.

        Pages whose score equals that of the last are all there, so there can be more than `k`: whoever has a better
        order for them than that of ids may cut. Scores have six digits.

        Args:
            vector: float32 of the index's dimension, unit length.
            k: how many pages.
            hidden: pages that do not appear.
        """
        if not self.count:
            return []
        if self._exact:
            return self._exact.search(np.asarray(vector, np.float32), k, hidden)
        limit = k + len(hidden) + 8
        while True:
            rows = self._probe(vector, limit)
            best = _best(rows, hidden)
            if len(best) > k or len(rows) < limit or limit >= self.count:
                return _cut(best, k)
            limit *= 2

    def _probe(self, vector: np.ndarray, limit: int) -> list[tuple[int, float]]:
        """The best `limit` rows, as far as the index can tell: it estimates, so a quarter more are compared."""
        assert self._rows is not None  # noqa: S101  # there are rows, and no scan
        found = LOOP.run(_candidates(self._probed, vector, int(_CANDIDATES * limit)))
        pages, scores = self._rows.scored(found, np.asarray(vector, np.float32))
        best = np.argsort(-scores, kind="stable")[:limit]
        return list(zip(pages[best].tolist(), np.round(scores[best].astype(np.float64), _DIGITS).tolist(), strict=True))


async def _opened(folder: Path) -> Any:
    return await (await lancedb.connect_async(folder)).open_table(_TABLE)


async def _candidates(table: Any, vector: np.ndarray, limit: int) -> np.ndarray:
    """The ids of the rows that the index holds for the nearest.

    As one coroutine: the synchronous query goes to LanceDB's loop and back five times, which costs a millisecond.
    """
    query = table.query().nearest_to(vector).distance_type("cosine").nprobes(PROBES).limit(limit)
    return (await query.select(["_distance"]).with_row_id().to_arrow())["_rowid"].to_numpy()


def _batches(table: Any) -> Iterator[Batch]:
    """All rows, some thousands at a time."""
    for batch in table.search().select(["id", "vector"]).with_row_id(True).to_batches(_BATCH):
        vectors = batch["vector"].flatten().to_numpy().reshape(batch.num_rows, -1)
        yield batch["_rowid"].to_numpy(), batch["id"].to_numpy(), vectors


def copy_renumbered(old: Path, new: Path, dim: int, ids: Mapping[int, int]) -> None:
    """Copy the rows of the vectors in `old` to those in `new`, under new ids; rows of pages that have none stay."""
    writer = VectorWriter(new, dim)
    for _, pages, rows in _batches(lancedb.connect(old).open_table(_TABLE)):
        kept = np.array([page in ids for page in pages.tolist()], bool)
        if kept.any():
            writer.add([ids[page] for page in pages[kept].tolist()], rows[kept])


class _Exact:
    """All vectors in memory, in the order of pages."""

    def __init__(self, table: Any) -> None:
        rows, dim = table.count_rows(), table.schema.field("vector").type.list_size
        ids, matrix, end = np.empty(rows, np.int64), np.empty((rows, dim), np.float32), 0
        # Batch by batch: Arrow keeps for itself what a whole table took, which would be three times the matrix.
        for _, pages, vectors in _batches(table):
            start, end = end, end + len(pages)
            ids[start:end], matrix[start:end] = pages, vectors
        order = np.argsort(ids, kind="stable")
        self._matrix = matrix if (order[:-1] < order[1:]).all() else matrix[order]
        self._pages, self._starts = np.unique(ids[order], return_index=True)

    def search(self, vector: np.ndarray, k: int, hidden: Collection[int]) -> list[tuple[int, float]]:
        # einsum, not BLAS: each row is summed the same way, whatever the number of threads.
        scores = np.einsum("ij,j->i", self._matrix, vector)
        if len(self._starts) < len(scores):
            scores = np.maximum.reduceat(scores, self._starts)
        scores = np.round(scores.astype(np.float64), _DIGITS)
        if hidden:
            scores[np.isin(self._pages, list(hidden))] = -np.inf
        shown = min(k, len(scores) - int(np.isneginf(scores).sum()))
        if shown < 1:
            return []
        last = np.partition(scores, -shown)[-shown]
        chosen = np.flatnonzero(scores >= last)
        pairs = zip(self._pages[chosen].tolist(), scores[chosen].tolist(), strict=True)
        return _cut(sorted(pairs, key=lambda hit: (-hit[1], hit[0])), shown)


def _best(rows: Iterable[tuple[int, float]], hidden: Collection[int]) -> list[tuple[int, float]]:
    """The best row of every page that is not hidden, best first, equal ones in the order of ids."""
    found: dict[int, float] = {}
    for page, score in rows:
        if page not in hidden:
            found[page] = max(score, found.get(page, -2.0))
    return sorted(found.items(), key=lambda hit: (-hit[1], hit[0]))


def _cut(ranked: list[tuple[int, float]], k: int) -> list[tuple[int, float]]:
    """The first `k`, and those that have the score of the last."""
    end = min(k, len(ranked))
    while end and end < min(len(ranked), k + _TIES) and ranked[end][1] == ranked[k - 1][1]:
        end += 1
    return ranked[:end]


def _pages(table: Any) -> np.ndarray:
    return np.unique(table.search().select(["id"]).to_arrow()["id"].to_numpy())


def _partition_size(rows: int) -> int:
    # Few large partitions: each one looked into costs as much as scanning some hundred of its rows.
    return 1250 if rows < 500_000 else 4000


def _scanned(table: Any, rows: int) -> bool:
    """Whether a table of this size is searched by going through all of it in memory."""
    return rows * table.schema.field("vector").type.list_size <= EXACT_UP_TO


def _indexed(table: Any) -> bool:
    return any(index.name == _INDEX for index in table.list_indices())
