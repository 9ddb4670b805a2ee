"""A finished world made anew from its own pages: some removed, all rewritten, or what is derived from them repaired."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from lite.errors import UsageError, WorldError
from lite.index import generation, lock, manifest, near
from lite.index.account import account
from lite.index.build import STAGING, published, remove_staging, tidy
from lite.index.check import faults_of
from lite.index.collect import Progress
from lite.index.disk import writable
from lite.index.embedding import Encoder
from lite.index.generation import LEXICAL, PAGES, SIGNATURES, VECTORS, folder_of
from lite.index.manifest import Change, Embedding, WorldInfo
from lite.index.pages import PageStore
from lite.index.parts import SAMPLE, PartsWriter, embed
from lite.index.staging import SettledPage

Report = Callable[[Progress], None]


def remove(world: Path, urls: Sequence[str]) -> None:
    """Take the pages at these URLs out of a world, with all their other names.

    Raises:
        UsageError: one of them is no page of it; then none is removed.
        WorldError: another process is writing the world, or an addition to it is unfinished.
    """
    with _held(world) as info:
        before, folder = folder_of(world, info.generation), folder_of(world, info.generation + 1)
        with closing(PageStore(before / PAGES)) as store:
            pages = {url: store.find(url) for url in urls}
            unknown = [url for url, page in pages.items() if page is None]
            if unknown:
                raise UsageError(
                    f"{unknown[0]} is not in {world}, and nothing was removed: `lite search` finds its URL"
                )
            gone = sorted({page[0] for page in pages.values() if page})
            names = sum(1 + len(store.aliases_of(page)) for page in gone)
            if len(gone) == info.pages:
                raise UsageError(f"that is every page of {world}, and nothing was removed: remove the folder itself")
        if not gone:
            return
        generation.derive(before, folder, (PAGES, LEXICAL, SIGNATURES, VECTORS))
        parts = PartsWriter(folder, None)
        parts.remove(gone)
        parts.finish(())
        embedding = info.embedding
        if embedding:
            from lite.index.vectors import VectorWriter

            vectors = VectorWriter(folder, embedding.dim)
            vectors.remove(gone)
            embedding = embedding.model_copy(update={"index": vectors.finish()})
        _publish(world, folder, account(folder, info, embedding, Change(operation="remove", removed=names)))


def compact(world: Path, report: Report) -> None:
    """Write a world anew from its pages, as one build would have made it: what was removed leaves every statistic.

    Raises:
        WorldError: another process is writing the world, or an addition to it is unfinished.
    """
    with _held(world) as info:
        folder = _rewrite(world, info, report, vectors=True, known=True)
        embedding = info.embedding
        if embedding:
            from lite.index.vectors import VectorWriter

            embedding = embedding.model_copy(update={"index": VectorWriter(folder, embedding.dim).finish()})
        _publish(world, folder, account(folder, info, embedding, Change(operation="compact")))


def repair(world: Path, encoder: Callable[[], Encoder], report: Report) -> list[str]:
    """Rebuild from its pages what of a world is damaged; what was wrong, a line each.

    An unfinished addition is dropped, and so is what belongs to no finished generation.

    Raises:
        WorldError: the pages themselves are damaged, or another process is writing the world.
    """
    with writable(world), lock.writing(world):
        info = manifest.read(world)
        try:
            staged = (world / STAGING).exists() and not published(world, info)
        except WorldError:  # it is damaged, and goes
            staged = True
        tidy(world, info)
        found = faults_of(folder_of(world, info.generation), info)
        wrong = [line for lines in found.values() for line in lines]
        if found["pages"]:
            raise WorldError(f"the pages of {world} are damaged ({wrong[0]}): copy the world again, or build it again")
        if wrong:
            folder = _rewrite(world, info, report, vectors=not found["unreadable"], known=False)
            embedding = info.embedding and _embedded(world, info, folder, encoder, report)
            _publish(world, folder, account(folder, info, embedding, Change(operation="repair")))
        return [*wrong, *(["an unfinished addition was dropped"] if staged else [])]


def _embedded(world: Path, info: WorldInfo, folder: Path, encoder: Callable[[], Encoder], report: Report) -> Embedding:
    """The vectors that the new generation lacks, where it lacks any, by the embedder that made the others."""
    loaded = encoder()
    assert info.embedding is not None  # noqa: S101  # the caller has looked
    if loaded.fingerprint != info.embedding.fingerprint:
        raise WorldError(
            f"{world} was built with another version of {loaded.name}: install that one, and run this again"
        )
    return embed(
        folder, loaded, info.settings.policy.vectors, lambda done, total: report(Progress("embed", done, done, total))
    )


@contextmanager
def _held(world: Path) -> Iterator[WorldInfo]:
    """Hold a finished world for writing."""
    with writable(world), lock.writing(world):
        info = manifest.read(world)
        if (world / STAGING).exists() and not published(world, info):
            raise WorldError(
                f"{world} holds an unfinished addition: run that `lite world add` again to finish it, or drop it by "
                f"`lite world check {world} --repair`"
            )
        remove_staging(world)
        yield info


def _publish(world: Path, folder: Path, info: WorldInfo) -> None:
    generation.make_durable(folder)
    manifest.write(info, world)
    tidy(world, info)


def _rewrite(world: Path, info: WorldInfo, report: Report, *, vectors: bool, known: bool) -> Path:
    """The next generation, every part written from the pages of this one; ids count anew in the order of URLs.

    Args:
        world: whose next generation it is.
        info: its account.
        report: told how far the writing is.
        vectors: whether those of this generation are taken over.
        known: whether its signatures are, with any damage they have.
    """
    before, folder = folder_of(world, info.generation), folder_of(world, info.generation + 1)
    with closing(PageStore(before / PAGES)) as store:
        order = store.by_url()
        step = max(1, len(order) // SAMPLE)
        sample = [store.page(key).text.encode() for n, key in enumerate(order, 1) if n % step == 0]
        parts = PartsWriter(folder, sample, lambda done: report(Progress("write", done, done, len(order))))
        ids = {key: n for n, key in enumerate(order, 1)}
        rows = near.Signatures(before / SIGNATURES, store.last).rows if known else None
        for key, n in ids.items():
            page = store.page(key)
            bands = None if rows is None else rows[key - 1]
            parts.add(SettledPage(n, page.url, page.title, page.hash, page.text, store.titles_of(key)), bands)
        parts.finish((url, ids[page], title) for url, page, title in store.aliases())
    if vectors and info.embedding:
        from lite.index.vectors import copy_renumbered

        copy_renumbered(before, folder, info.embedding.dim, ids)
    return folder
