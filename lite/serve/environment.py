"""`--api environment`: the search server that LiteResearcher trains against, and its browse call.

The field names are upstream's, `milvus_time` included: here it is the time in our own indexes, in seconds.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lite.records import Call, Results
from lite.serve.endpoint import Count, Endpoint, Reply, Request, Text, Texts, Urls
from lite.serve.engine import Engine, Found, Refusal
from lite.tools import Toolset
from lite.world import WEIGHTS

SearchType = Literal["hybrid", "dense", "sparse"]
_MODES = {"hybrid": None, "dense": "dense", "sparse": "lexical"}
_TYPES: dict[str, SearchType] = {"hybrid": "hybrid", "dense": "dense", "lexical": "sparse"}
_MISS = "Cache miss: the page is not in this world"  # upstream's client counts these by their first two words


class _Settings(Request):
    limit: Count = 10
    search_type: SearchType = Field("hybrid", description="hybrid: the best this world has, which the reply names.")
    sparse_weight: float | None = Field(None, ge=0, le=2, description="Given, scores are weighted; else ranks fused.")
    dense_weight: float | None = Field(None, ge=0, le=2, description="See sparse_weight.")
    phrase: bool = Field(False, description="The whole query is one phrase: its words one after the other; sparse.")

    @property
    def weights(self) -> tuple[float, float] | None:
        """Of sparse and dense scores; None where ranks are fused."""
        if self.sparse_weight is None and self.dense_weight is None:
            return None
        sparse, dense = self.sparse_weight, self.dense_weight
        return WEIGHTS[0] if sparse is None else sparse, WEIGHTS[1] if dense is None else dense


class Search(_Settings):
    """One query."""

    query: Text


class BatchSearch(_Settings):
    """Many queries, embedded together."""

    queries: Texts


class Result(Reply):
    """One hit."""

    link: str
    title: str
    snippet: str
    score: float


class _How(Reply):
    search_time: float
    embedding_time: float
    milvus_time: float
    search_type: SearchType
    sparse_weight: float
    dense_weight: float
    fusion: Literal["rrf", "weighted"]
    notes: list[str]
    server_id: str = "literesearcher-lite"
    vector_dtype: str
    index_type: str


class Searched(_How):
    """The hits of one query, best first. Times are seconds; `search_type` is the one that ran."""

    results: list[Result]
    total: int


class QueryResults(Reply):
    """The hits of one query of several."""

    query: str
    results: list[Result]
    total: int


class BatchSearched(_How):
    """The hits of each query, in the order of the queries."""

    query_results: list[QueryResults]
    total_queries: int


class Url(Request):
    """One URL."""

    url: Text = Field(min_length=1)


class UrlList(Request):
    """Several URLs."""

    urls: Urls


class Exists(Reply):
    """Whether there is such a page."""

    exists: bool
    url: str


class Existing(Reply):
    """Which of the URLs there are pages for. `total` counts the URLs asked for, `found` the pages."""

    results: dict[str, bool]
    total: int
    found: int
    query_time: float


class FullText(Reply):
    """A whole page, as Markdown."""

    found: bool
    url: str
    title: str
    text: str


class Browse(Request):
    """A page to read, and what for."""

    url: Text = Field(min_length=1)
    goal: Text = ""
    question: Text | None = Field(None, description="What upstream's training client calls the goal.")

    @model_validator(mode="after")
    def _one_goal(self) -> Self:
        if self.goal and self.question is not None:
            raise ValueError("goal and question are the same thing: give one of them")
        return self


class Browsed(Reply):
    """What the model is shown. Every page comes from the closed copy (`from_cache`), or is missing from it."""

    success: bool
    result: str
    from_cache: bool
    error: str


def search(engine: Engine, request: Search) -> Searched:
    """Search for one query."""
    found = _find(engine, request, [request.query])
    hits = _results(found.results[0])
    return Searched(results=hits, total=len(hits), **_how(engine, request, found))


def batch_search(engine: Engine, request: BatchSearch) -> BatchSearched:
    """Search for many queries at once."""
    found = _find(engine, request, request.queries)
    each = []
    for query, results in zip(request.queries, found.results, strict=True):
        hits = _results(results)
        each.append(QueryResults(query=query, results=hits, total=len(hits)))
    return BatchSearched(query_results=each, total_queries=len(each), **_how(engine, request, found))


def check_url(engine: Engine, request: Url) -> Exists:
    """Say whether there is a page at a URL."""
    return Exists(exists=engine.known([request.url], request.mask)[request.url], url=request.url)


def batch_check_url(engine: Engine, request: UrlList) -> Existing:
    """Say which of many URLs there are pages for."""
    start = perf_counter()
    known = engine.known(request.urls, request.mask)
    seconds = perf_counter() - start
    return Existing(results=known, total=len(request.urls), found=sum(known.values()), query_time=seconds)


def web_parser(engine: Engine, request: Url) -> FullText:
    """Give the whole text of a page."""
    page = engine.world.visit(request.url, mode="raw", mask=request.mask)
    return FullText(found=page.found, url=page.url, title=page.title, text=page.evidence)


def browse(engine: Engine, request: Browse) -> Browsed:
    """Read a page with a goal, and give the text that a model is shown."""
    arguments = {"url": [request.url], "goal": request.goal or request.question or ""}
    seen = Toolset(engine.world, mask=request.mask).run(Call(tool="visit", arguments=arguments))
    there = bool(seen.read)
    error = "" if there else _MISS if seen.ok else seen.text  # upstream's client counts the misses
    return Browsed(success=there, result=seen.text, from_cache=there, error=error)


def _find(engine: Engine, request: _Settings, queries: Sequence[str]) -> Found:
    if request.search_type == "dense" and engine.info.embedding is None:
        raise Refusal(422, "search_type: this world has no vectors for dense search: ask for sparse or hybrid")
    if request.phrase and request.search_type == "dense":
        raise Refusal(422, "phrase: a phrase cannot be looked for among vectors: ask for sparse or hybrid")
    mode = "lexical" if request.phrase else _MODES[request.search_type]
    settings: dict[str, Any] = {} if request.weights is None else {"fusion": "weighted", "weights": request.weights}
    return engine.search(queries, request.limit, mode, mask=request.mask, phrase=request.phrase, **settings)


def _results(results: Results) -> list[Result]:
    return [Result(link=hit.url, title=hit.title, snippet=hit.snippet, score=hit.score) for hit in results]


def _how(engine: Engine, request: _Settings, found: Found) -> dict[str, Any]:
    """What a reply says of the search itself; a batch in which one query ran hybrid counts as hybrid."""
    modes = {results.mode for results in found.results}
    sparse, dense = request.weights or (1.0, 1.0)  # fused ranks count alike
    built = engine.info.embedding
    return {
        "search_time": found.embedding + found.looking,
        "embedding_time": found.embedding,
        "milvus_time": found.looking,
        "search_type": "hybrid" if "hybrid" in modes else _TYPES[found.results[0].mode],
        "sparse_weight": sparse,
        "dense_weight": dense,
        "fusion": "weighted" if request.weights else "rrf",
        "notes": list(dict.fromkeys(note for results in found.results for note in results.notes)),
        "vector_dtype": "float32" if built else "none",
        "index_type": built.index if built else "none",
    }


ENDPOINTS = (
    Endpoint("/search", Search, Searched, search),
    Endpoint("/batch_search", BatchSearch, BatchSearched, batch_search),
    Endpoint("/check_url", Url, Exists, check_url),
    Endpoint("/batch_check_url", UrlList, Existing, batch_check_url),
    Endpoint("/web_parser", Url, FullText, web_parser),
    Endpoint("/query", Browse, Browsed, browse),
)
