"""How fast worlds are made: each stage over the bare library that does its work, and pages a second of every source."""

import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from lite.bench.formats import WRITERS, write_jsonl
from lite.bench.timing import Spent, measured
from lite.corpus import read_pages
from lite.index.bare import write_text_index
from lite.index.lexical import LexicalWriter
from lite.index.pages import StoredPage
from lite.records import Page, Record
from lite.world import World


class Rate(Record):
    """Pages a second, ours and of the bare way; ratios are ours over bare, so more is better."""

    name: str
    pages: int
    per_second: float
    per_cpu_second: float
    bare_per_second: float | None = None
    bare_per_cpu_second: float | None = None
    ratio: float | None = None  # median over the rounds, by the clock
    cpu_ratio: float | None = None  # likewise, by CPU time


def lexical_builds(pages: Sequence[StoredPage], rounds: int) -> list[Rate]:
    """The lexical index alone, and a whole build from JSONL, over Tantivy with its own English tokenizer.

    The whole build also reads, unpacks, settles duplicates, stores and signs every page; the bare one beside it reads
    the same file and indexes it.
    """
    with tempfile.TemporaryDirectory(prefix="lite-bench-") as made:
        folder = Path(made)
        source = write_jsonl(pages, folder)

        def stage(at: Path) -> None:
            writer = LexicalWriter(at, new=True)
            for page in pages:
                writer.add(page.id, page.title, page.text)
            writer.finish()

        def bare(at: Path) -> None:
            write_text_index(at, ((page.id, page.title, page.text) for page in pages))

        def whole(at: Path) -> None:
            World.build(source, at, date="2026-01-01").close()

        def bare_whole(at: Path) -> None:
            records = (record for record in read_pages(source) if isinstance(record, Page))
            write_text_index(at, ((number, record.title, record.text) for number, record in enumerate(records, 1)))

        return [
            _rate("lexical index over bare Tantivy", len(pages), stage, bare, folder, rounds),
            _rate("whole lexical build over read + bare Tantivy", len(pages), whole, bare_whole, folder, rounds),
        ]


def embedded_build(pages: Sequence[StoredPage], embedder: str, rounds: int) -> list[Rate]:
    """The stage of a build that embeds (encode, write, index), and a whole build, over one `encode` of the same texts.

    Each round has pages of its own, for it is the slowest of all measurements.
    """
    from lite.index.embedding import embed_missing, texts_of
    from lite.index.pages import PageStore
    from lite.index.vectors import VectorWriter
    from lite.models.embed import load_embedder

    encoder = load_embedder(embedder)
    encoder.encode(["warm up"])
    spent: dict[str, list[tuple[Spent, Spent]]] = {"embedding stage": [], "whole embedded build": []}
    with tempfile.TemporaryDirectory(prefix="lite-bench-") as made:
        for number in range(rounds):
            folder = Path(made) / str(number)
            folder.mkdir()
            share = pages[number::rounds]
            source = write_jsonl(share, folder)
            World.build(source, folder / "lexical", date="2026-01-01").close()
            texts = [text for page in share for text in texts_of(page.title, page.text, "page")]
            (found,) = (folder / "lexical").rglob("pages.sqlite")
            store = PageStore(found)

            def stage(store: PageStore = store, folder: Path = folder) -> None:
                writer = VectorWriter(folder / "vectors", encoder.dim)
                embed_missing(store, writer, encoder, "page", lambda *_: None)
                writer.finish()

            def whole(source: Path = source, folder: Path = folder) -> None:
                World.build(source, folder / "dense", embedder=embedder, date="2026-01-01").close()

            def bare(texts: Sequence[str] = texts) -> None:
                encoder.encode(texts)

            order = (stage, bare, whole) if number % 2 else (whole, bare, stage)
            took = {work: _spent(work) for work in order}
            spent["embedding stage"].append((took[stage], took[bare]))
            spent["whole embedded build"].append((took[whole], took[bare]))
            store.close()
    return [_of(f"{name} over bare encode", len(pages) // rounds, pairs) for name, pairs in spent.items()]


def sources(pages: Sequence[StoredPage], rounds: int) -> list[Rate]:
    """Pages a second out of every kind of source whose library is installed: read alone, and built into a world."""
    out = []
    with tempfile.TemporaryDirectory(prefix="lite-bench-") as made:
        for name, (write, library) in WRITERS.items():
            if library and find_spec(library) is None:
                continue
            folder = Path(made) / name
            folder.mkdir()
            source = write(pages, folder)
            reading = [_spent(lambda source=source: [*read_pages(source)]) for _ in range(rounds)]
            building = _spent(lambda source=source, at=folder / "world": World.build(source, at).close())
            out.append(_of(f"{name}, read", len(pages), [(one, None) for one in reading]))
            out.append(_of(f"{name}, built into a lexical world", len(pages), [(building, None)]))
    return out


def _rate(
    name: str,
    pages: int,
    ours: Callable[[Path], None],
    bare: Callable[[Path], None],
    folder: Path,
    rounds: int,
) -> Rate:
    pairs = []
    for number in range(rounds):
        at = folder / f"{name} {number}"
        took = {
            work: _spent(lambda work=work, at=at: work(at.with_suffix(".ours" if work is ours else ".bare")))
            for work in ((ours, bare) if number % 2 == 0 else (bare, ours))
        }
        pairs.append((took[ours], took[bare]))
    return _of(name, pages, pairs)


def _spent(work: Callable[[], object]) -> Spent:
    with measured() as timer:
        work()
    return timer.spent


def _of(name: str, pages: int, pairs: Sequence[tuple[Spent, Spent | None]]) -> Rate:
    both = [(ours, bare) for ours, bare in pairs if bare]
    rate = Rate(
        name=name,
        pages=pages,
        per_second=round(pages / median(ours.wall for ours, _ in pairs), 1),
        per_cpu_second=round(pages / max(median(ours.cpu for ours, _ in pairs), 1e-9), 1),
    )
    if not both:
        return rate
    return rate.model_copy(
        update={
            "bare_per_second": round(pages / median(bare.wall for _, bare in both), 1),
            "bare_per_cpu_second": round(pages / max(median(bare.cpu for _, bare in both), 1e-9), 1),
            "ratio": round(median(bare.wall / ours.wall for ours, bare in both), 3),
            "cpu_ratio": round(median(bare.cpu / max(ours.cpu, 1e-9) for ours, bare in both), 3),
        }
    )
