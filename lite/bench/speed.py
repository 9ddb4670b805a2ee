"""`lite bench world`: what the world's own code costs over the libraries it stands on, and what it bears."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from lite.bench.building import Rate, embedded_build, lexical_builds, sources
from lite.bench.memory import Memory, memory_of
from lite.bench.sample import calls_of, pages_of, queries_of
from lite.bench.serving import Calls, in_process, over_http
from lite.bench.timing import Comparison, compare
from lite.errors import UsageError
from lite.index.bare import BarePages, BareText, BareVectors, parts_of
from lite.records import Record
from lite.world import Mode, World

PARTS = ("search", "visit", "build", "sources", "calls", "memory")
_LEGS = 50  # ranks of each leg that hybrid search fuses
_WARM = 20  # queries that come before those that are timed


class Sizes(Record):
    """How much is measured. The defaults take some minutes in a world of a million pages."""

    queries: int = Field(default=500, ge=1)
    visits: int = Field(default=2000, ge=1)
    pages: int = Field(default=5000, ge=1)  # of the builds
    embedded: int = Field(default=300, ge=1)  # pages of the embedded build
    files: int = Field(default=1000, ge=1)  # pages of each kind of source
    calls: int = Field(default=2000, ge=1)
    rounds: int = Field(default=3, ge=1)


class WorldReport(Record):
    """`lite bench world`."""

    world: str
    pages: int
    digest: str
    index_id: str
    embedder: str | None
    index: str | None
    queries: str
    comparisons: tuple[Comparison, ...]
    rates: tuple[Rate, ...]
    calls: tuple[Calls, ...]
    memory: tuple[Memory, ...]


def bench_world(
    path: str | Path,
    *,
    questions: str | Path | None = None,
    parts: Sequence[str] = PARTS,
    sizes: Sizes | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> WorldReport:
    """Measure the world in the folder `path`.

    Args:
        path: its folder.
        questions: a JSONL file whose queries are asked; by default they are made from the world's pages.
        parts: of `PARTS`, what is measured.
        sizes: how much.
        progress: called with (what is measured, parts done, parts in all).

    Raises:
        UsageError: there is no such part.
        WorldError: the world cannot be opened.
    """
    if unknown := set(parts) - set(PARTS):
        raise UsageError(f"no part is called {min(unknown)!r}: use {', '.join(PARTS)}")
    run = _Run(Path(path), questions, sizes or Sizes())
    found: dict[str, list[Any]] = {name: [] for name in PARTS}
    chosen = [name for name in PARTS if name in parts]
    for number, name in enumerate(chosen):
        progress(name, number, len(chosen))
        found[name] = getattr(run, name)()
    progress("done", len(chosen), len(chosen))
    info = run.info
    return WorldReport(
        world=str(path),
        pages=info.pages,
        digest=info.digest,
        index_id=info.index_id,
        embedder=info.embedding.name if info.embedding else None,
        index=info.embedding.index if info.embedding else None,
        queries=str(questions) if questions else "made from the pages",
        comparisons=tuple(found["search"] + found["visit"]),
        rates=tuple(found["build"] + found["sources"]),
        calls=tuple(found["calls"]),
        memory=tuple(found["memory"]),
    )


def parted(queries: list[str], asked: int) -> tuple[list[str], list[str]]:
    """The queries that warm up and those that are timed, which a world must not remember: of too few, half and half."""
    cut = len(queries) - min(_WARM, max(len(queries) - asked, len(queries) // 2))
    return queries[cut:], queries[:cut]


class _Run:
    def __init__(self, path: Path, questions: str | Path | None, sizes: Sizes) -> None:
        self._path, self._sizes = path, sizes
        self._folder, self.info = parts_of(path)
        self._modes: tuple[Mode, ...] = ("lexical", "hybrid") if self.info.embedding else ("lexical",)
        with World.open(path) as world:
            most = max(sizes.queries + _WARM, sizes.calls)
            self._queries = queries_of(world.pages, most, questions)
            self._calls = calls_of(world.pages, self._queries[: sizes.calls])
            self._pages = pages_of(world.pages, max(sizes.visits, sizes.pages, sizes.embedded, sizes.files))

    def search(self) -> list[Comparison]:
        """Searches over the bare libraries: the legs of a hybrid search are as deep as fusion needs them."""
        text = BareText(self._folder)
        queries = self._queries[: self._sizes.queries + _WARM]
        terms = {query: BareText.terms(query) for query in queries}
        out = []
        with World.open(self._path) as world:
            out.append(
                self._compared(
                    "lexical search over bare Tantivy",
                    lambda query: world.search(query, mode="lexical"),
                    lambda query: text.search(terms[query], 10),
                    queries,
                )
            )
        if self.info.embedding:
            out += self._hybrid(text, queries, terms)
        return out

    def _hybrid(self, text: BareText, queries: list[str], terms: dict[str, list[str]]) -> list[Comparison]:
        from lite.models.embed import load_embedder

        built = self.info.embedding
        assert built is not None  # noqa: S101  # asked before
        encoder, vectors = load_embedder(built.name), BareVectors(self._folder, built.index)
        known = dict(zip(queries, encoder.encode(queries, "query"), strict=True))

        def parts(query: str) -> None:
            text.search(terms[query], _LEGS)
            vectors.search(encoder.encode([query], "query")[0], _LEGS)

        def parts_but_embedding(query: str) -> None:
            text.search(terms[query], _LEGS)
            vectors.search(known[query], _LEGS)

        out = []
        with World.open(self._path) as world:
            pairs = (
                ("hybrid search over the sum of its parts", lambda query: world.search(query, mode="hybrid"), parts),
                (
                    "the same without the embedding",
                    lambda query: world.search(query, mode="hybrid", vector=known[query]),
                    parts_but_embedding,
                ),
                (
                    "dense search over bare vectors, without the embedding",
                    lambda query: world.search(query, mode="dense", vector=known[query]),
                    lambda query: vectors.search(known[query], 10),
                ),
            )
            out += [self._compared(name, ours, bare, queries) for name, ours, bare in pairs]
            out.append(
                self._compared(
                    "embedding a query over the bare embedder",
                    lambda query: world.embed([query]),
                    lambda query: encoder.encode([query], "query"),
                    queries,
                )
            )
        return out

    def _compared(self, name: str, ours: Any, bare: Any, queries: list[str]) -> Comparison:
        warm, timed = parted(queries, self._sizes.queries)
        for query in warm:
            ours(query)
            bare(query)
        return compare(name, ours, bare, timed, self._sizes.rounds)

    def visit(self) -> list[Comparison]:
        """Visits over a bare read of the same row."""
        pages = self._pages[: self._sizes.visits]
        bare = BarePages(self._folder)
        goals = {page.url: self._queries[number % len(self._queries)] for number, page in enumerate(pages)}
        with World.open(self._path) as world:
            out = [
                compare(
                    "visit, raw, over a bare SQLite read",
                    lambda url: world.visit(url, mode="raw"),
                    bare.read,
                    [page.url for page in pages],
                    self._sizes.rounds,
                )
            ]
        with World.open(self._path) as world:  # one that has read none of these pages
            out.append(
                compare(
                    "visit, extract for a goal, over a bare SQLite read",
                    lambda url: world.visit(url, goals[url]),
                    bare.read,
                    [page.url for page in pages],
                    self._sizes.rounds,
                )
            )
        bare.close()
        return out

    def build(self) -> list[Rate]:
        """Builds over the bare libraries."""
        pages, rounds = self._pages[: self._sizes.pages], self._sizes.rounds
        out = lexical_builds(pages, rounds)
        if self.info.embedding:
            out += embedded_build(self._pages[: self._sizes.embedded], self.info.embedding.name, rounds)
        return out

    def sources(self) -> list[Rate]:
        """Pages a second of every kind of source."""
        return sources(self._pages[: self._sizes.files], self._sizes.rounds)

    def calls(self) -> list[Calls]:
        """Tool calls a second."""
        ways: list[tuple[Mode, int]] = [(mode, count) for mode in self._modes for count in (1, 2)]
        here = [in_process(self._path, self._calls, mode, count) for mode, count in ways]
        return here + [over_http(self._path, self._calls, mode, count) for mode, count in ways]

    def memory(self) -> list[Memory]:
        """Memory of a process that answers."""
        return [memory_of(self._path, self._calls, mode) for mode in self._modes]
