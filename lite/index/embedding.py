"""What of a page is embedded, and the loop that embeds what has no vector yet. Killed and called again, it goes on."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from lite.index.pages import PageStore, StoredPage
from lite.index.text import Passage, passages, plain, words

if TYPE_CHECKING:  # a lexical world loads no LanceDB
    from lite.index.vectors import VectorWriter

Unit = Literal["page", "passage"]
_ROWS = 256  # texts embedded, and made durable, at a time; all of one page at least
_STEPS = 2000  # about the most; each rewrites the list of those before it, 4,000 leave 700 MB of such lists
_WORDS = 200  # of an embedded passage: some 260 tokens of English, what small embedders read


class Encoder(Protocol):
    """What a world needs of an embedder (`lite.models.embed` has them)."""

    name: str
    dim: int
    fingerprint: str

    def encode(self, texts: Sequence[str], kind: Literal["passage", "query"] = "passage") -> np.ndarray:
        """Unit vectors, float32, one row a text."""
        ...

    def unknown_share(self, text: str) -> float:
        """The share of the text's tokens that the embedder does not know."""
        ...


def texts_of(title: str, text: str, unit: Unit) -> list[str]:
    """What is embedded of a page: one text, or one for every passage of about 200 words, each with the title."""
    if unit == "page":
        return [f"{title}\n{plain(text)}"]  # an address of a link takes the room of ten words and means nothing
    return [f"{title}\n{piece}" for piece in _packed(passages(text))] or [title]


def embed_missing(
    store: PageStore,
    vectors: "VectorWriter",
    encoder: Encoder,
    unit: Unit,
    progress: Callable[[int, int], None],
) -> None:
    """Give every page of `store` its vectors, and remove those of pages the store no longer has.

    A page whose text has changed keeps its old vectors unless it got a new id or `vectors.remove` was called before.

    Args:
        progress: called after each durable step with (pages that have vectors, pages of the store).
    """
    wanted = np.array(store.ids(), np.int64)
    present = vectors.present()
    gone = np.setdiff1d(present, wanted, assume_unique=True)
    if len(gone):
        vectors.remove(gone.tolist())
    missing = np.setdiff1d(wanted, present, assume_unique=True)
    done = len(wanted) - len(missing)
    stream = (store.page(key) for key in missing.tolist())
    for pages in _batches(stream, unit, max(_ROWS, len(missing) // _STEPS)):
        keys = [page for page, texts in pages for _ in texts]
        vectors.add(keys, encoder.encode([text for _, texts in pages for text in texts], kind="passage"))
        done += len(pages)
        progress(done, len(wanted))


def _batches(pages: Iterator[StoredPage], unit: Unit, size: int) -> Iterator[list[tuple[int, list[str]]]]:
    """(page id, its texts) in groups of `size` texts, or of all that their last page has."""
    held: list[tuple[int, list[str]]] = []
    rows = 0
    for page in pages:
        texts = texts_of(page.title, page.text, unit)
        held.append((page.id, texts))
        rows += len(texts)
        if rows >= size:
            yield held
            held, rows = [], 0
    if held:
        yield held


def _packed(found: Sequence[Passage]) -> Iterator[str]:
    """Passages of one section joined to about `_WORDS` words, under its heading; rows of a table under its header."""
    held: list[str] = []
    room = 0
    before: Passage | None = None
    for passage in found:
        size = words(passage.text)
        same = before is not None and (passage.heading, passage.header) == (before.heading, before.header)
        if held and (size > room or not same):
            yield "\n".join(held)
            held = []
        if not held:
            held = [part for part in (passage.heading, plain(passage.header)) if part]
            room = _WORDS
        held.append(plain(passage.text))
        room -= size
        before = passage
    if held:
        yield "\n".join(held)
