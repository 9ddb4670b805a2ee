"""The parts of one generation, written together: page store, lexical index, signatures; then the vectors."""

import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from lite.index import generation, near
from lite.index.embedding import Encoder, Unit, embed_missing
from lite.index.generation import LEXICAL, PAGES, SIGNATURES, VECTORS
from lite.index.lexical import LexicalWriter
from lite.index.manifest import Embedding, Policy, WorldInfo
from lite.index.near import Bands, SignatureWriter, signature
from lite.index.pages import PageStore
from lite.index.pagewriter import PageWriter
from lite.index.staging import SettledPage, Staging

Report = Callable[[int, int], None]  # called now and then with (pages done, of how many)
SAMPLE = 2000  # pages the compression dictionary is trained on
_REPORTED = 1000  # pages between two reports


class PartsWriter:
    """Writes pages into a generation that nobody reads yet. What goes is removed before what comes is added.

    Args:
        folder: of the generation.
        sample: texts to train the compression dictionary on for a new generation; None to change the parts in it.
        progress: called now and then with the pages added so far.
    """

    def __init__(
        self, folder: Path, sample: Sequence[bytes] | None, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        new = sample is not None
        if new:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        else:
            near.Signatures(folder / SIGNATURES, last_page(folder))  # a page without one would be hidden by no mask
        self._pages = PageWriter.new(folder / PAGES, sample) if new else PageWriter.over(folder / PAGES)
        self._lexical = LexicalWriter(folder / LEXICAL, new=new)
        self._signatures = SignatureWriter(folder / SIGNATURES)
        self._progress, self._added = progress, 0

    def remove(self, pages: Collection[int]) -> None:
        """Take these pages out."""
        self._pages.remove(pages)
        self._lexical.remove(pages)
        self._signatures.remove(pages)

    def add(self, page: SettledPage, bands: Bands | None = None) -> None:
        """Add a page; `bands` is its signature where that is known."""
        self._pages.add(page)
        self._lexical.add(page.id, page.titles, page.text)
        self._signatures.put(page.id, signature(page.text) if bands is None else bands)
        self._added += 1
        if self._added % _REPORTED == 0:
            self._progress(self._added)

    def finish(self, aliases: Iterable[tuple[str, int, str]]) -> None:
        """Add the aliases of the pages that were added, and close the parts."""
        self._pages.finish(aliases)
        self._lexical.finish()
        self._signatures.finish()
        self._progress(self._added)


def write(
    staging: Staging, base: WorldInfo | None, before: Path | None, folder: Path, policy: Policy, progress: Report
) -> bool:
    """Settle what is staged, and write the generation `folder` that follows from it; False where nothing would change.

    Args:
        staging: every record, read.
        base: the world that is changed; None for a new one.
        before: its generation.
        folder: where the new one is written, from the start.
        policy: says whether near-duplicates are dropped.
        progress: told how far the writing is.
    """
    store = PageStore(before / PAGES) if before else None
    staging.settle(before / PAGES if before else None)
    if policy.near_duplicates == "drop":
        _drop_near_duplicates(staging, before, store)
    gone, kept, total = staging.gone(), staging.kept(), staging.total()
    if not gone and not total:
        return False
    if before:
        generation.derive(before, folder, (PAGES, LEXICAL, SIGNATURES, VECTORS))
    parts = PartsWriter(folder, None if before else staging.sample(SAMPLE), lambda done: progress(done, total))
    parts.remove([*gone, *kept])
    retitled = []
    for page in staging.pages(store):
        if page.id in kept and store and store.page(page.id).title != page.title:
            retitled.append(page.id)
        parts.add(page)
    parts.finish(staging.aliases())
    if base and base.embedding:
        from lite.index.vectors import VectorWriter

        VectorWriter(folder, base.embedding.dim).remove([*gone, *retitled])
    generation.make_durable(folder)
    return True


def embed(folder: Path, encoder: Encoder, unit: Unit, progress: Report) -> Embedding:
    """Give every page of a generation its vectors; killed and called again, it goes on. `progress` as for `write`."""
    from lite.index.vectors import VectorWriter

    vectors = VectorWriter(folder, encoder.dim)
    with closing(PageStore(folder / PAGES)) as store:
        embed_missing(store, vectors, encoder, unit, progress)
    return Embedding(name=encoder.name, fingerprint=encoder.fingerprint, dim=encoder.dim, index=vectors.finish())


def _drop_near_duplicates(staging: Staging, before: Path | None, store: PageStore | None) -> None:
    """Make the URLs of near-duplicates names of the page that came first: of one that was there, else by URL."""
    first = store.last if store else 0
    fresh = staging.hashes(above=first)
    rows = np.zeros((first + len(fresh), near.BANDS), np.uint32)
    if before:
        rows[:first] = near.Signatures(before / SIGNATURES, first).rows[:first]
        rows[[key - 1 for key in staging.gone()]] = 0  # what is replaced is no reason to drop what replaces it
    for key in fresh:
        rows[key - 1] = signature(staging.text(key))

    def text(row: int) -> str:
        return store.page(row + 1).text if store and row < first else staging.text(row + 1)

    def content(row: int) -> bytes:
        return store.page(row + 1).hash if store and row < first else fresh[row + 1]

    same = near.groups(rows, text, settled=first)
    staging.put("near_duplicates", len(same))
    staging.merge([(fresh[row + 1], content(root)) for row, root in same.items()])


def last_page(folder: Path | None) -> int:
    """The highest id of a generation; 0 where there is none."""
    if folder is None:
        return 0
    with closing(PageStore(folder / PAGES)) as store:
        return store.last


def near_duplicates(folder: Path, *, above: int = 0) -> int:
    """How many pages of a generation with ids above `above` nearly are a page that came before them."""
    signatures = near.Signatures(folder / SIGNATURES)
    with closing(PageStore(folder / PAGES)) as store:
        return len(near.groups(np.asarray(signatures.rows), lambda row: store.page(row + 1).text, settled=above))
