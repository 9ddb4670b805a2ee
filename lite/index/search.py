"""What a world shows of the pages that its indexes found: the order of equal scores, snippets, evidence.

Ids are no part of any answer: a page that was added later has another one than a new build would give it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from math import log
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

from lite.errors import WorldError
from lite.index.extract import Reading, extract, snippet
from lite.index.fusion import Ranking, by_url
from lite.index.lexical import LexicalIndex, phrase_terms, query_terms
from lite.index.pages import PageStore, StoredPage
from lite.records import Hit

Mode = Literal["hybrid", "lexical", "dense"]
Fusion = Literal["rrf", "weighted"]
_KEPT = 512  # pages whose passages are kept in memory


class Question(NamedTuple):
    """All that a search is asked for: the key under which its answer is remembered."""

    query: str
    k: int
    mode: Mode | None
    mask: tuple[str, ...]
    fusion: Fusion
    weights: tuple[float, ...]
    stopwords: bool
    phrase: bool
    rerank: str | None
    rerank_depth: int


class _Open(NamedTuple):
    page: StoredPage
    reading: Reading


class Reader:
    """Reads the pages of one world, for searches and visits. Safe for threads.

    Args:
        pages: its page store.
        lexical: its lexical index, which knows how rare a term is.
        path: where the world is, for messages.
    """

    def __init__(self, pages: PageStore, lexical: LexicalIndex, path: Path) -> None:
        self._pages, self._lexical, self._path = pages, lexical, path
        self._kept: OrderedDict[int, _Open] = OrderedDict()
        self._lock = Lock()
        self._idf = lru_cache(100_000)(self._inverse_frequency)

    def settled(self, ranking: Ranking, k: int) -> list[tuple[int, float]]:
        """The best `k` of a ranking, equal scores in the order of URLs."""
        return by_url(ranking, k, self._pages.urls)

    def hits(self, ranking: Ranking, query: str, *, phrase: bool = False) -> tuple[Hit, ...]:
        """The pages of a ranking, each with the passage that answers `query`."""
        asked = [term for term in phrase_terms(query) if term] if phrase else query_terms(query, stopwords=False)
        found = self._open([key for key, _ in ranking])
        return tuple(
            Hit(
                url=page.url,
                title=page.title,
                snippet=snippet(reading, asked, self._idf, phrase=phrase),
                score=round(score, 6),
            )
            for (page, reading), (_, score) in zip(found, ranking, strict=True)
        )

    def evidence(self, key: int, goal: str, words: int) -> tuple[str, str, str]:
        """(title, evidence, summary): what a reader with `goal` takes from a page."""
        page, reading = self._open([key])[0]
        return page.title, *extract(reading, query_terms(goal, stopwords=False), self._idf, words)

    def _open(self, keys: Sequence[int]) -> list[_Open]:
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        missing = [key for key in keys if key not in found]
        if missing:
            fresh = {key: _Open(page, Reading(page.text)) for key, page in self._pages.several(missing).items()}
            gone = next((key for key in missing if key not in fresh), None)
            if gone is not None:
                raise WorldError(
                    f"{self._path} is damaged (an index names page {gone}, which is missing): copy it or build it again"
                )
            found |= fresh
            with self._lock:
                self._kept |= fresh
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return [found[key] for key in keys]

    def _inverse_frequency(self, term: str) -> float:
        pages, having = self._lexical.count, self._lexical.frequency(term)
        return log(1 + (pages - having + 0.5) / (having + 0.5))
