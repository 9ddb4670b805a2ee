"""Near-duplicates: pages that share four fifths of their runs of five words.

A page's signature is 64 minhashes of its runs of words (Broder 1997), folded into 16 bands of four: two pages at
Jaccard 0.8 share a band with probability 0.9998, at 0.5 with 0.64. Bands only propose; the texts themselves decide.
What a reader sees counts: a mirror with links to its own host is a copy, whatever their targets.
Signatures are kept in one file, a row of 64 bytes a page, so that a mask finds the copies of a page in any world.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite.errors import WorldError
from lite.index.text import apart, plain

ALIKE = 0.8  # Jaccard similarity from which two texts are near-duplicates
_RUN = 5  # words
BANDS, _ROWS = 16, 4
_SLICE = 4096  # runs hashed at a time, so that a page of millions of words takes no more memory than others
_PIECE = 1 << 16  # bytes whose words are hashed at a time

Words = NDArray[np.uint64]
Bands = NDArray[np.uint32]  # (16,); (pages, 16)

_random = np.random.Generator(np.random.PCG64(20260417))
_FACTORS = _random.integers(1, 2**63, BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)
_RUN_FACTORS = _random.integers(1, 2**63, _RUN, dtype=np.uint64) | np.uint64(1)
_BAND_FACTORS = _random.integers(1, 2**63, _ROWS, dtype=np.uint64) | np.uint64(1)
_HIGH = np.uint64(32)
_PRIME = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_MIX = np.uint64(0xD6E8FEB86659FD93)
_POWERS = np.multiply.accumulate(np.full(_PIECE, _PRIME, np.uint64))
_INVERSE = np.multiply.accumulate(np.full(_PIECE, pow(_PRIME, -1, 2**64), np.uint64))


def signature(text: str) -> Bands:
    """The 16 bands of a text, shape (16,), uint32; equal texts have equal ones. Never all zero."""
    least = np.full(BANDS * _ROWS, 2**64 - 1, np.uint64)
    runs = _runs(text)
    for start in range(0, len(runs), _SLICE):
        mixed = runs[start : start + _SLICE, None] * _FACTORS  # modulo 2^64: the high bits are the well mixed ones
        np.minimum(least, mixed.min(axis=0), out=least)
    bands = ((least >> _HIGH).reshape(BANDS, _ROWS) * _BAND_FACTORS).sum(axis=1) >> _HIGH
    return bands.astype(np.uint32) | np.uint32(1)  # zero is a row without a page


def similarity(one: str, other: str) -> float:
    """The Jaccard similarity of two texts' runs of five words, 0 to 1."""
    first, second = np.unique(_runs(one)), np.unique(_runs(other))
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


def _runs(text: str) -> Words:
    """A hash of each run of five words, in order; of all the words where there are fewer."""
    words = _words(text)
    if len(words) < _RUN:
        words = np.concatenate([words, np.zeros(_RUN - len(words), np.uint64)])
    count = len(words) - _RUN + 1
    runs = words[:count] * _RUN_FACTORS[0]
    for n in range(1, _RUN):
        runs += words[n : n + count] * _RUN_FACTORS[n]
    return runs


def _words(text: str) -> Words:
    """A hash of each word, in order: what stands between spaces, and every hanzi; case and links do not count.

    The hash of bytes b is the sum of b[i] * p^i modulo 2^64, which sums from the beginning of the text give for all
    words at once. A word that lies across the end of a piece of 65,536 bytes counts as two.
    """
    data = np.frombuffer(apart(plain(text)).lower().encode("utf-8", "replace"), np.uint8)
    found = [np.zeros(0, np.uint64)]
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        edges = np.flatnonzero(np.diff(piece > 32, prepend=False, append=False))  # what stands above the space
        sums = np.zeros(len(piece) + 1, np.uint64)
        np.cumsum(piece * _POWERS[: len(piece)], out=sums[1:])
        found.append((sums[edges[1::2]] - sums[edges[::2]]) * _INVERSE[edges[::2]])
    words = np.concatenate(found)
    return (words ^ (words >> _HIGH)) * _MIX


# ---------------------------------------------------------------- a world's signatures


class Signatures:
    """The signatures of a world's pages in `path`, row id - 1; a row of zeros where there is no page.

    Raises:
        WorldError: the file is missing, or lacks rows of pages up to the id `last`.
    """

    def __init__(self, path: Path, last: int = 0) -> None:
        size = path.stat().st_size // (4 * BANDS) if path.exists() else -1
        if size < last:
            what = "is missing" if size < 0 else f"has {size} rows for {last} pages"
            mend = f"`lite world check {path.parent.parent} --repair` makes it anew"
            raise WorldError(f"{path} {what}: {mend}")
        self.rows = np.memmap(path, np.uint32, "r", shape=(size, BANDS)) if size else np.zeros((0, BANDS), np.uint32)

    def candidates(self, bands: Bands) -> list[int]:
        """Ids of the pages that share a band with `bands`."""
        return (np.flatnonzero((self.rows == bands).any(axis=1)) + 1).tolist()


class SignatureWriter:
    """Writes rows of the file in `path`, which is made when it is missing; not durable before `finish`."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("r+b")

    def put(self, page: int, bands: Bands) -> None:
        """Set the row of a page."""
        self._file.seek((page - 1) * 4 * BANDS)
        self._file.write(bands.astype("<u4").tobytes())

    def remove(self, pages: Iterable[int]) -> None:
        """Clear the rows of these pages."""
        for page in pages:
            self.put(page, np.zeros(BANDS, np.uint32))

    def finish(self) -> None:
        """Close the file."""
        self._file.close()


# ---------------------------------------------------------------- groups


def groups(rows: Bands, text: Callable[[int], str], *, settled: int = 0) -> dict[int, int]:
    """Which rows are near-duplicates: row -> the first row of its group, for every row that is not the first itself.

    Groups are closed: where a is like b and b like c, all three are one. Rows of zeros belong to none.

    Args:
        rows: signatures, shape (pages, 16).
        text: gives the text of a row.
        settled: so many rows at the beginning are not compared with each other.
    """
    root = np.arange(len(rows))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = int(root[row])
        return row

    for one, other in _pairs(rows, settled):
        first, second = sorted((find(one), find(other)))
        if first != second and second >= settled and similarity(text(one), text(other)) >= ALIKE:
            root[second] = first
    shared = np.flatnonzero(root != np.arange(len(rows)))
    return {int(row): find(int(row)) for row in shared}


def _pairs(rows: Bands, settled: int) -> Iterator[tuple[int, int]]:
    """Pairs of rows that share a band: each row with the one before it in its band, and with the band's first."""
    for band in range(BANDS):
        column = np.ascontiguousarray(rows[:, band])
        among = np.flatnonzero(np.isin(column, column[settled:])) if settled else np.arange(len(column))
        order = among[np.argsort(column[among], kind="stable")]
        edges = np.flatnonzero(np.diff(column[order])) + 1
        for start, end in pairwise([0, *edges.tolist(), len(order)]):
            if end - start > 1 and column[order[start]]:
                group = order[start:end].tolist()
                yield from pairwise(group)
                yield from ((group[0], row) for row in group[2:])
