"""The virtual world: a closed copy of the web with a search engine and a browser that give the same answer twice."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from lite.errors import UsageError, WorldError
from lite.index import build as building
from lite.index import generation, manifest, revise
from lite.index.check import faults_of
from lite.index.collect import Progress
from lite.index.dense import Dense
from lite.index.fusion import fuse
from lite.index.lexical import LexicalIndex
from lite.index.manifest import Policy, WorldInfo
from lite.index.masking import Masks
from lite.index.pages import PageStore
from lite.index.search import Fusion, Mode, Question, Reader
from lite.index.sources import settings_of
from lite.index.urls import url_words
from lite.records import Results, Visit, listed, storable

WEIGHTS = (0.7, 1.0)  # lexical and dense, as upstream
_DEPTH = 50  # ranks of each leg that fusion looks at
_ANSWERS = 1024  # whole results that are kept in memory: rollouts of one task ask alike
_LEGS = 8  # lexical halves of hybrid searches that run beside their dense halves

__all__ = ["Progress", "World", "WorldInfo"]


class World:
    """A finished world, open for reading. Safe for threads; a process that forks opens its own afterwards.

    Made by `World.build` or `World.open`; a context manager.
    """

    def __init__(self, path: Path, info: WorldInfo, held: int) -> None:
        self.path = path
        self._info = info
        self._held: int | None = held  # keeps our generation on disk while others make the next ones
        self._folder = generation.folder_of(path, info.generation)
        self._pages = PageStore(self._folder / generation.PAGES)
        self._lexical = LexicalIndex(self._folder / generation.LEXICAL)
        self._masks = Masks(self._pages, self._folder / generation.SIGNATURES)
        self._reader = Reader(self._pages, self._lexical, path)
        self._answer = lru_cache(_ANSWERS)(self._search)
        self._beside = ThreadPoolExecutor(_LEGS, "lite-lexical")  # starts no thread before it is needed: forks are safe
        built = info.embedding
        self._dense = Dense(built, self._folder, _loader(built.name), path) if built else None

    # ------------------------------------------------------------ open and close

    @classmethod
    def build(  # noqa: PLR0913  # every setting of a build, by its name
        cls,
        sources: str | Path | Sequence[str | Path],
        out: str | Path,
        *,
        embedder: str = "none",
        vectors: Literal["page", "passage"] = "page",
        near_duplicates: Literal["keep", "drop"] = "keep",
        min_chars: int = 0,
        languages: str | Sequence[str] = (),
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        limit: int | None = None,
        layout: str | None = None,
        base_url: str | None = None,
        date: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Build a world from `sources` in the folder `out` and open it.

        An interrupted build goes on where it stopped; the same build of a finished world does nothing.

        Args:
            sources: files or folders of pages (`lite.corpus.read_pages` says which).
            out: a new or empty folder.
            embedder: "none" for a lexical world, else a name that `lite.models.embed.load_embedder` knows.
            vectors: one a page, or one a passage of about 200 words.
            near_duplicates: "drop" makes the URLs of pages that nearly are another one names of that one.
            min_chars: shorter pages are left out.
            languages: ISO 639 codes; pages in other languages are left out (extra `lang`).
            include: shell patterns; URLs that fit none of them are left out.
            exclude: shell patterns; URLs that fit one of them are left out.
            limit: stop after this many pages.
            layout: of JSONL sources, when it is not recognised.
            base_url: address of files that name none.
            date: the world's date, YYYY-MM-DD; by default that of SOURCE_DATE_EPOCH, else today's.
            progress: called with how far the build is.

        Raises:
            UsageError: a source or an argument cannot be used.
            WorldError: `out` holds something else, or another process is writing it.
            MissingExtra: the embedder's library is not installed.
        """
        given = [sources] if isinstance(sources, str | Path) else list(sources)
        from lite.models.embed import placed

        policy = Policy(
            embedder=placed(embedder),
            vectors=vectors,
            near_duplicates=near_duplicates,
            min_chars=min_chars,
            languages=listed(languages),
            include=listed(include),
            exclude=listed(exclude),
        )
        settings = settings_of(given, Path(out), policy, limit=limit, layout=layout, base_url=base_url)
        encoder = None if embedder == "none" else _loader(policy.embedder)
        building.build(given, Path(out), settings, encoder=encoder, dated=date, progress=progress)
        return cls.open(out)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the finished world in the folder `path`.

        Raises:
            WorldError: there is no world, it is not finished, or this version cannot read it.
        """
        folder = Path(path)
        if storable(str(folder)) != str(folder):
            raise WorldError(f"{storable(str(folder))} is no valid UTF-8: give the folder of the world another name")
        if not folder.is_dir():
            raise WorldError(f"{folder} is not a folder: build a world with `lite world build SOURCE --out {folder}`")
        if not (folder / manifest.FILE).exists() and (unfinished := building.interrupted(folder)):
            raise WorldError(unfinished)
        info, held = manifest.hold(folder)
        return cls(folder, info, held)

    def close(self) -> None:
        """Close the files. The world cannot be used afterwards."""
        self._beside.shutdown(wait=False)
        self._pages.close()
        self._dense = None
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ what it is

    @property
    def digest(self) -> str:
        """The content digest: equal for worlds of the same pages."""
        return self._info.digest

    @property
    def index_id(self) -> str:
        """The id of the indexes: equal where searches answer alike."""
        return self._info.index_id

    @property
    def date(self) -> str:
        """The date of the world, YYYY-MM-DD."""
        return self._info.built

    @property
    def pages(self) -> PageStore:
        """The pages themselves, with their links and aliases."""
        return self._pages

    def info(self) -> WorldInfo:
        """The world's own account, with its path and the bytes of its parts on disk."""
        sizes = manifest.sizes(self._folder)
        return self._info.model_copy(update={"path": str(self.path), "sizes": sizes})

    def check(self) -> list[str]:
        """What is wrong with the world, a line each; empty when pages, indexes and digest agree."""
        return [line for lines in faults_of(self._folder, self._info).values() for line in lines]

    # ------------------------------------------------------------ change

    def add(
        self,
        sources: str | Path | Sequence[str | Path],
        *,
        limit: int | None = None,
        layout: str | None = None,
        base_url: str | None = None,
        date: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """The world with the pages of `sources` added, opened; this one stays as it was until it is closed.

        A page whose URL the world has takes its place where title or text differ; pages that are the same change
        nothing. What the build left out is left out here too. Killed, the same call goes on.

        Args and errors are those of `build`; the world keeps its date unless one is given.
        """
        given = [sources] if isinstance(sources, str | Path) else list(sources)
        policy = self._info.settings.policy
        settings = settings_of(given, self.path, policy, limit=limit, layout=layout, base_url=base_url)
        encoder = _loader(policy.embedder) if self._info.embedding else None
        building.add(given, self.path, settings, encoder=encoder, dated=date, progress=progress)
        return self.open(self.path)

    def remove(self, urls: str | Sequence[str]) -> Self:
        """The world without the pages at these URLs, under any of their names, opened; this one stays as it was.

        Raises:
            UsageError: one of them is no page of the world; then none is removed.
            WorldError: another process is writing the world, or an addition to it is unfinished.
        """
        revise.remove(self.path, listed(urls))
        return self.open(self.path)

    def compact(self, *, progress: Callable[[Progress], None] = lambda _: None) -> Self:
        """The world as one build of its pages would have made it, opened: what was removed leaves every statistic.

        Vectors are kept; only their index is made anew.
        """
        revise.compact(self.path, progress)
        return self.open(self.path)

    @staticmethod
    def repair(path: str | Path, *, progress: Callable[[Progress], None] = lambda _: None) -> list[str]:
        """Rebuild from the pages of the world in `path` what else of it is damaged, and drop unfinished additions.

        Returns:
            What was wrong, a line each.

        Raises:
            WorldError: there is no world, or its pages themselves are damaged.
        """
        folder = Path(path)
        return revise.repair(folder, _loader(manifest.read(folder).settings.policy.embedder), progress)

    # ------------------------------------------------------------ search

    def search(  # noqa: PLR0913  # every option of a search, by its name
        self,
        query: str,
        k: int = 10,
        *,
        mode: Mode | None = None,
        mask: str | Sequence[str] = (),
        fusion: Fusion = "rrf",
        weights: tuple[float, float] = WEIGHTS,
        stopwords: bool = False,
        phrase: bool = False,
        rerank: str | None = None,
        rerank_depth: int = 50,
        vector: Any = None,
    ) -> Results:
        """The `k` pages that fit `query` best. Any text is a query; only its words count.

        Args:
            query: what to look for.
            k: how many hits, at least 1.
            mode: "hybrid", "lexical" or "dense"; by default hybrid where the world has vectors, else lexical.
            mask: URLs that do not exist for this search, in any spelling and under any alias.
            fusion: how hybrid joins its two rankings, "rrf" or "weighted".
            weights: of the lexical and the dense scores, for "weighted".
            stopwords: True also looks up the query's English function words: several times slower, seldom better.
            phrase: the whole query is one phrase: only pages with its words one after the other, in any of their
                forms, or with exactly its Chinese characters. A lexical search.
            rerank: a cross-encoder, for `lite.models.rerank.load_reranker`, that puts the best hits in its own order
                by their snippets, and gives them its scores.
            rerank_depth: how many hits it looks at; at least `k`.
            vector: the query's own, where `embed` has made it already.

        Raises:
            UsageError: the mode is not available in this world, or an argument is out of range.
            WorldError: the embedder is not the one the world was built with.
            ModelError: there is no such cross-encoder on this machine.
        """
        if k < 1:
            raise UsageError(f"{k} hits were asked for: ask for 1 or more")
        if phrase and mode not in {None, "lexical"}:
            raise UsageError(f"a phrase cannot be looked for in {mode} mode: use lexical, or leave the mode out")
        mode, hidden, balance = "lexical" if phrase else mode, listed(mask), tuple(weights)
        asked = Question(
            storable(query), k, mode, hidden, fusion, balance, stopwords, phrase, rerank, max(rerank_depth, k)
        )
        return self._answer(asked) if vector is None else self._search(asked, vector)

    def _search(self, asked: Question, vector: Any = None) -> Results:
        query, k = asked.query, asked.rerank_depth if asked.rerank else asked.k
        mode, notes = self._mode(query, asked.mode)
        hidden = self._masks.hidden(asked.mask)
        lexical = partial(self._lexical.search, query, hidden=hidden, stopwords=asked.stopwords)
        if self._dense is None or mode == "lexical":
            found = lexical(k, phrase=asked.phrase)
        elif mode == "dense":
            found = self._dense.search(query, k, hidden, vector)
        else:
            depth = max(k, _DEPTH)
            leg = self._beside.submit(lexical, depth)
            dense = self._reader.settled(self._dense.search(query, depth, hidden, vector), depth)
            found = fuse(self._reader.settled(leg.result(), depth), dense, asked.fusion, asked.weights)
        hits = self._reader.hits(self._reader.settled(found, k), query, phrase=asked.phrase)
        if asked.rerank:
            from lite.models.rerank import reranked

            hits = reranked(hits, query, asked.rerank)[: asked.k]
        return Results(query=query, mode=mode, hits=hits, notes=notes)

    def _mode(self, query: str, asked: Mode | None) -> tuple[Mode, tuple[str, ...]]:
        """The mode that will run, and why it is not the one asked for."""
        if asked not in {None, "hybrid", "lexical", "dense"}:
            raise UsageError(f"no search mode is called {asked!r}: use hybrid, lexical or dense")
        if self._dense is None:
            if asked in {"hybrid", "dense"}:
                raise UsageError(
                    f"{self.path} has no vectors for {asked} search: use lexical, or build it with --embedder"
                )
            return "lexical", ()
        mode = asked or "hybrid"
        if mode == "lexical" or not query.strip():
            return mode, ()
        if self._dense.unknown_share(query) <= 0.5:
            return mode, ()
        name = self._dense.name
        if mode == "dense":
            return mode, (f"most of the query is unknown to {name}: the ranking means little",)
        return "lexical", (f"most of the query is unknown to {name}: dense search was left out",)

    def embed(self, queries: Sequence[str]) -> list[Any]:
        """A vector for each query, for `search(..., vector=...)`; None for all of them in a world without vectors.

        Computed together, which is several times faster than one by one, and agrees with that to rounding.

        Raises:
            WorldError: the embedder is not the one the world was built with.
        """
        if self._dense is None or not queries:
            return [None] * len(queries)
        return list(self._dense.embed([storable(query) for query in queries]))

    # ------------------------------------------------------------ visit

    def visit(
        self,
        url: str,
        goal: str = "",
        *,
        words: int = 400,
        mask: str | Sequence[str] = (),
        mode: Literal["extract", "raw"] = "extract",
    ) -> Visit:
        """What a reader with `goal` takes from the page at `url`; `found` is False when there is none.

        Args:
            url: of a page or an alias, in any spelling; a fragment is dropped only when the full URL is unknown.
            goal: what to look for; without one the head of the page is shown.
            words: the most words of evidence, about.
            mask: URLs that do not exist for this visit.
            mode: "extract" for the passages that serve the goal, "raw" for the whole text.

        Raises:
            UsageError: an argument is out of range.
        """
        if words < 1:
            raise UsageError(f"{words} words of evidence were asked for: ask for 1 or more")
        if mode not in {"extract", "raw"}:
            raise UsageError(f"no visit mode is called {mode!r}: use extract or raw")
        url, goal = storable(url), storable(goal)
        hidden = self._masks.hidden(mask)
        if mode == "raw":
            page, name = self._pages.named_by(url) or (None, "")
            if page and page.id not in hidden:
                return Visit(url=name, goal=goal, title=page.title, evidence=page.text, mode="raw")
        else:
            key, name = self._pages.find(url) or (0, "")
            if key and key not in hidden:
                title, evidence, summary = self._reader.evidence(key, goal, words)
                return Visit(url=name, goal=goal, title=title, evidence=evidence, summary=summary)
        return Visit(url=url, goal=goal, found=False, mode=mode)

    def resolve(self, url: str, *, mask: str | Sequence[str] = ()) -> str | None:
        """The URL under which the page at `url` is stored, None when there is none or `mask` hides it."""
        found = self._pages.find(url)
        if not found or found[0] in self._masks.hidden(mask):
            return None
        return self._pages.urls([found[0]])[found[0]]

    def nearest(self, url: str, k: int = 3, *, mask: str | Sequence[str] = ()) -> list[str]:
        """URLs of the `k` pages whose titles fit the words of an unknown `url` best."""
        hits = self._reader.settled(self._lexical.by_title(url_words(url), k, hidden=self._masks.hidden(mask)), k)
        known = self._pages.urls([page for page, _ in hits])
        return [known[page] for page, _ in hits]


def _loader(name: str) -> Callable[[], Any]:
    from lite.models.embed import load_embedder

    return lambda: load_embedder(name)
