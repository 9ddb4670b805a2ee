"""The dense half of a world: its embedder, loaded when it is first needed, and its vectors."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lite.errors import WorldError
from lite.index.embedding import Encoder
from lite.index.manifest import Embedding

if TYPE_CHECKING:  # a lexical world loads no LanceDB
    from lite.index.vectors import VectorIndex


class _Open(NamedTuple):
    encoder: Encoder
    vectors: "VectorIndex"
    process: int


class Dense:
    """Vectors of queries, and the pages nearest to them. Safe for threads.

    Args:
        built: what the vectors were made with.
        folder: of the generation they lie in.
        load: loads the embedder.
        world: where the world is, for messages.
    """

    def __init__(self, built: Embedding, folder: Path, load: Callable[[], Encoder], world: Path) -> None:
        self.name = built.name
        self._built, self._folder, self._load, self._world = built, folder, load, world
        self._open: _Open | None = None
        self._loading = Lock()

    def embed(self, queries: Sequence[str]) -> list[np.ndarray]:
        """A unit vector for each query, computed together."""
        return list(self._ready().encoder.encode(queries, kind="query"))

    def unknown_share(self, query: str) -> float:
        """The share of the query's tokens that the embedder does not know."""
        return self._ready().encoder.unknown_share(query)

    def search(self, query: str, k: int, hidden: frozenset[int], vector: Any = None) -> list[tuple[int, float]]:
        """The pages nearest to a query, or to its `vector` where that is made already, as `VectorIndex.search`."""
        if not query.strip():
            return []
        vector = self.embed([query])[0] if vector is None else vector
        return self._ready().vectors.search(vector, k, hidden=hidden)

    def _ready(self) -> _Open:
        """The embedder, loaded and compared when it is first needed, and the vectors."""
        with self._loading:
            if self._open is None:
                self._open = self._opened()
        if self._open.process != os.getpid():
            raise WorldError(f"{self._world} was opened before this process forked: open it again after the fork")
        return self._open

    def _opened(self) -> _Open:
        from lite.index.vectors import VectorIndex

        encoder = self._load()
        if encoder.fingerprint != self._built.fingerprint:
            raise WorldError(
                f"{self._world} was built with another version of {self.name} ({self._built.fingerprint}, here "
                f"{encoder.fingerprint}): install that one, build the world again, or search with --mode lexical"
            )
        return _Open(encoder, VectorIndex(self._folder), os.getpid())
