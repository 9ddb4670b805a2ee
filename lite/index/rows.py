"""The rows of a large vector table once more, in files that a search maps: what its candidates are scored by.

LanceDB reads a row in some tens of microseconds: the 72 that a hybrid search compares cost it more than finding them
among a million. From a mapped file all of them take a tenth of a millisecond.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lite.errors import WorldError

FOLDER = "vectors.rows"
_PLACES, _VECTORS = "places.npy", "vectors.npy"
_HEAD, _PIECE = 1 << 10, 1 << 20  # bytes: of a file, its header within them; of zeros written at a time

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # row ids, pages, vectors


class RowsDamaged(WorldError):
    """The files are missing or damaged; the table itself may be sound."""

    def __init__(self, folder: Path, why: object) -> None:
        super().__init__(f"{folder / FOLDER} is damaged ({why}): `lite world check --repair` makes it anew")


class Rows:
    """Vectors by LanceDB's row id, as half-precision numbers: a cosine is off by less than 0.0001.

    Raises:
        RowsDamaged: the files are missing, or do not hold `count` rows.
    """

    def __init__(self, folder: Path, count: int) -> None:
        try:
            places = np.load(folder / FOLDER / _PLACES)
            self._vectors = np.load(folder / FOLDER / _VECTORS, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise RowsDamaged(folder, error) from None
        if places.shape != (count, 2) or len(self._vectors) != count:
            raise RowsDamaged(folder, f"{len(places)} places and {len(self._vectors)} vectors for {count} rows")
        self._ids, self._pages = np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])

    def scored(self, ids: np.ndarray, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(pages, cosines) of the rows with these ids."""
        places = np.searchsorted(self._ids, ids.astype(np.int64))  # of one type: numpy else converts all of them
        rows = self._vectors[places].astype(np.float32)
        return self._pages[places], np.einsum("ij,j->i", rows, vector) / np.sqrt(np.einsum("ij,ij->i", rows, rows))

    def same(self, batch: Batch) -> bool:
        """Whether the files have these rows as they are."""
        ids, pages, vectors = batch
        places = np.searchsorted(self._ids, ids.astype(np.int64)).clip(max=len(self._ids) - 1)
        found = (self._ids[places] == ids) & (self._pages[places] == pages)
        return bool(found.all() and (self._vectors[places] == vectors.astype(np.float16)).all())


def write_rows(folder: Path, count: int, dim: int, batches: Iterable[Batch]) -> None:
    """Write `count` rows in place of what was there before."""
    (folder / FOLDER).mkdir(exist_ok=True)
    drafts = {name: folder / FOLDER / f"{name}.new" for name in (_PLACES, _VECTORS)}
    places = np.empty((count, 2), np.int64)
    vectors = np.lib.format.open_memmap(drafts[_VECTORS], "w+", np.float16, (count, dim))
    _take_room(drafts[_VECTORS])
    end = 0
    for ids, pages, rows in batches:
        start, end = end, end + len(ids)
        places[start:end, 0], places[start:end, 1], vectors[start:end] = ids, pages, rows
    vectors.flush()
    order = np.argsort(places[:, 0])
    if (order[:-1] > order[1:]).any():
        vectors[:] = vectors[order]
    with drafts[_PLACES].open("wb") as file:
        np.save(file, places[order])
    for name, draft in drafts.items():
        draft.replace(folder / FOLDER / name)


def _take_room(path: Path) -> None:
    """Have the disk give a mapped file all its room now: what it refuses later would end the process by a signal."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        head = file.read(_HEAD)
        file.seek(0)
        file.write(head)
        for start in range(len(head), size, _PIECE):  # macOS has no such call
            file.write(bytes(min(_PIECE, size - start)))
