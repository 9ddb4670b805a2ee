"""Which pages do not exist for a task: leak-proof, because search and visit ask the same question here.

A masked URL hides the pages at all its spellings (`http` and `https` may be two), under every alias, and every page
whose text nearly is that of one of them. A fragment is part of a page's identity: `…/page` hides no `…/page#section`,
and `…/page#*` hides the page with all its sections.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from lite.index import near
from lite.index.pages import PageStore
from lite.records import listed

WITH_SECTIONS = "#*"
_KEPT = 256  # masks that are remembered


class Masks:
    """The masks of one generation; `hidden` is remembered, for a task asks it at every call.

    Args:
        pages: its page store.
        signatures: the file of its signatures.
    """

    def __init__(self, pages: PageStore, signatures: Path) -> None:
        self._pages, self._signatures = pages, signatures
        self._resolved = lru_cache(_KEPT)(self._resolve)

    def hidden(self, mask: str | Sequence[str]) -> frozenset[int]:
        """Ids of the pages that these URLs hide; URLs of no page hide nothing."""
        return self._resolved(listed(mask)) if mask else frozenset()

    def _resolve(self, mask: tuple[str, ...]) -> frozenset[int]:
        named: set[int] = set()
        for url in map(str.strip, mask):
            page = url.removesuffix(WITH_SECTIONS)
            named |= self._pages.spelled(page, sections=page != url)
        if not named:
            return frozenset()
        signatures = near.Signatures(self._signatures, self._pages.last)
        return frozenset(named.union(*(self._alike(key, signatures) for key in named)))

    def _alike(self, key: int, signatures: near.Signatures) -> list[int]:
        text = self._pages.page(key).text
        found = (other for other in signatures.candidates(signatures.rows[key - 1]) if other != key)
        return [other for other in found if near.similarity(text, self._pages.page(other).text) >= near.ALIKE]
