"""One vector a page in LanceDB: exact search in a small world, a compressed index in a large one."""

import warnings
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa

from lite.errors import WorldError

EXACT_BELOW = 50_000  # rows; up to here a scan in memory takes some milliseconds, and it is exact
_TABLE = "vectors"
_FILE = "vectors.lance"


class VectorWriter:
    """Appends vectors in the order of ids. What `add` returned from is durable; a killed writer goes on after it."""

    def __init__(self, folder: Path, dim: int) -> None:
        self._schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), dim))])
        self._table = lancedb.connect(folder).create_table(_TABLE, schema=self._schema, exist_ok=True)

    @property
    def last(self) -> int:
        """The highest id that has its vector; 0 when there is none. Ids count from 1 without gaps."""
        return self._table.count_rows()

    def add(self, pages: Sequence[int], vectors: np.ndarray) -> None:
        """Append one vector a page; `vectors` is float32, len(pages) x dim, unit length."""
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        self._table.add(pa.table({"id": pa.array(pages, pa.int64()), "vector": column}, schema=self._schema))

    def finish(self) -> str:
        """Merge the fragments and build the index the size asks for; its name is what `world.json` records."""
        self._table.optimize()
        rows = self._table.count_rows()
        if rows >= EXACT_BELOW:
            from lancedb.index import IvfRq

            # target_partition_size, never num_partitions: only the first survives optimize().
            size = 320 if rows < 500_000 else 1000
            self._table.create_index(
                "vector", config=IvfRq(distance_type="cosine", num_bits=4, target_partition_size=size), replace=True
            )
        with warnings.catch_warnings():  # that readers of older versions would fail: nobody reads an unfinished world
            warnings.simplefilter("ignore", UserWarning)
            self._table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        return "exact" if rows < EXACT_BELOW else "ivf-rq4"


class VectorIndex:
    """Read access. LanceDB does not survive a fork: open it in the process that uses it."""

    def __init__(self, folder: Path) -> None:
        if not (folder / _FILE).is_dir():
            raise WorldError(f"{folder} has no {_FILE}: build the world again with --embedder")
        self._table: Any = lancedb.connect(folder).open_table(_TABLE)
        self.count: int = self._table.count_rows()
        if self.count < EXACT_BELOW:
            self._ids, self._matrix = self._all()

    def search(self, vector: np.ndarray, k: int, *, hidden: Collection[int] = ()) -> list[tuple[int, float]]:
        """The `k` nearest pages as (id, cosine similarity), equal ones in the order of ids.

        `vector` is float32 of the index's dimension, unit length. `hidden` ids do not appear.
        """
        limit = k + len(hidden) + 8
        pairs = self._scanned(vector, limit) if self.count < EXACT_BELOW else self._probed(vector, limit)
        hits = [(page, score) for page, score in pairs if page not in hidden]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k]

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        """Every id, ascending, and every vector in that order."""
        found = self._table.to_arrow().sort_by("id")
        flat = found["vector"].combine_chunks().flatten().to_numpy()
        return found["id"].to_numpy(), np.ascontiguousarray(flat.reshape(found.num_rows, -1), dtype=np.float32)

    def _scanned(self, vector: np.ndarray, limit: int) -> list[tuple[int, float]]:
        # einsum, not BLAS: each row is summed the same way, whatever the number of threads.
        scores = np.einsum("ij,j->i", self._matrix, np.asarray(vector, np.float32))
        best = np.argsort(-scores, kind="stable")[:limit]
        return list(zip(self._ids[best].tolist(), scores[best].tolist(), strict=True))

    def _probed(self, vector: np.ndarray, limit: int) -> list[tuple[int, float]]:
        query = self._table.search(vector).distance_type("cosine").nprobes(200).refine_factor(2)
        found = query.limit(limit).select(["id", "_distance"]).to_arrow()
        return [
            (page, 1.0 - distance)
            for page, distance in zip(found["id"].to_pylist(), found["_distance"].to_pylist(), strict=True)
        ]
