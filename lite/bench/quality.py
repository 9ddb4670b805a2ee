"""`lite bench search`: how well, and how fast, a world finds the pages that are known to answer questions."""

import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
from pydantic import Field

from lite.bench.metrics import interval, ndcg, recall, reciprocal_rank
from lite.bench.questions import Question, read_questions
from lite.errors import UsageError
from lite.records import Record
from lite.world import World

Way = Literal["lexical", "dense", "hybrid", "weighted"]
WAYS: tuple[Way, ...] = ("lexical", "dense", "hybrid", "weighted")
_DEEP = 100
_SEEN = 10


class Measure(Record):
    """A mean over the questions, and where it lies with probability 0.95."""

    mean: float
    low: float
    high: float


class Row(Record):
    """What one way of searching found. `first` measures stand only where the questions have a first page."""

    way: Way
    stopwords: bool
    rerank: str | None = None
    measures: dict[str, Measure]
    p50: float  # milliseconds a query, k = 10, the answer remembered from no earlier one
    p95: float
    cpu: float  # milliseconds of all threads
    left_out: int = 0  # queries whose dense leg was left out, most of their words being unknown to the embedder


class SearchReport(Record):
    """`lite bench search`: a row for each way of searching."""

    world: str
    pages: int
    digest: str
    index_id: str
    embedder: str | None
    index: str | None
    vectors: str | None = None  # one a page, or one a passage
    questions: str
    asked: int
    absent: int = 0  # questions none of whose pages are in the world: asked, and in no mean
    missing: int = 0  # further pages that are not in the world: they count as not found
    rows: tuple[Row, ...] = Field(default_factory=tuple)


def bench_search(
    world: str | Path,
    questions: str | Path,
    *,
    ways: Sequence[Way] = (),
    stopwords: Sequence[bool] = (False,),
    rerank: str | None = None,
    weights: tuple[float, float] | None = None,
    limit: int | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> SearchReport:
    """Ask every question in every way the world has.

    Args:
        world: its folder.
        questions: a JSONL file, for `read_questions`.
        ways: "lexical", "dense", "hybrid" (by reciprocal ranks), "weighted"; all that the world has by default.
        stopwords: whether the English function words of a query are looked up; both can be measured.
        rerank: a cross-encoder that orders the best hits.
        weights: of lexical and dense scores, for "weighted".
        limit: only the first so many questions.
        progress: called with (what is measured, questions done, questions in all).

    Raises:
        UsageError: the questions cannot be read, none of their pages is in the world, or it has no such way.
    """
    asked = read_questions(questions, limit)
    with World.open(world) as opened:
        info = opened.info()
        chosen = _chosen(ways, dense=info.embedding is not None, path=opened.path)
        if weights and "weighted" not in chosen:
            raise UsageError(
                "weights are of the weighted way, which is not measured: "
                + ("add --mode weighted" if info.embedding else f"{opened.path} has no vectors")
            )
        placed = [question.within(opened.resolve) for question in asked]
    present = [question for question, missing in placed if missing < len(question.relevant)]
    if not present:
        raise UsageError(f"no page that {questions} names is in {world}: give the questions of this world")
    rows = []
    for way, kept in product(chosen, stopwords):
        settings = _settings(way, kept, rerank, weights)
        name = f"{way}{', stopwords' if kept else ''}"
        with World.open(world) as fresh:  # it remembers no answer
            rows.append(_ask(fresh, present, way, settings, lambda done, name=name: progress(name, done, len(present))))
    return SearchReport(
        world=str(world),
        pages=info.pages,
        digest=info.digest,
        index_id=info.index_id,
        embedder=info.embedding.name if info.embedding else None,
        index=info.embedding.index if info.embedding else None,
        vectors=info.settings.policy.vectors if info.embedding else None,
        questions=str(questions),
        asked=len(asked),
        absent=len(asked) - len(present),
        missing=sum(missing for question, missing in placed if missing < len(question.relevant)),
        rows=tuple(rows),
    )


def _chosen(ways: Sequence[Way], *, dense: bool, path: Path) -> list[Way]:
    if ways and not dense and set(ways) != {"lexical"}:
        raise UsageError(f"{path} has no vectors: measure lexical, or build it with --embedder")
    return [way for way in WAYS if (way in ways or not ways) and (dense or way == "lexical")]


def _settings(way: Way, stopwords: bool, rerank: str | None, weights: tuple[float, float] | None) -> dict[str, Any]:  # noqa: FBT001  # one of the settings
    settings: dict[str, Any] = {"mode": "hybrid" if way == "weighted" else way, "stopwords": stopwords}
    if way == "weighted":
        settings |= {"fusion": "weighted"} | ({"weights": weights} if weights else {})
    return settings | ({"rerank": rerank} if rerank else {})


def _ask(
    world: World, questions: Sequence[Question], way: Way, settings: dict[str, Any], told: Callable[[int], None]
) -> Row:
    world.search("warm up", _SEEN, **settings)  # the embedder is loaded when it is first needed
    world.embed(["warm up"])
    shallow, times, left_out = [], [], 0
    cpu = time.process_time()
    for done, question in enumerate(questions, 1):
        began = time.perf_counter()
        results = world.search(question.query, _SEEN, **settings)
        times.append(1000 * (time.perf_counter() - began))
        shallow.append([hit.url for hit in results])
        left_out += results.mode != settings["mode"]
        told(done)
    cpu = 1000 * (time.process_time() - cpu) / len(questions)
    deep = [[hit.url for hit in world.search(each.query, _DEEP, **settings)] for each in questions]
    p50, p95 = np.percentile(times, (50, 95))
    return Row(
        way=way,
        stopwords=settings["stopwords"],
        rerank=settings.get("rerank"),
        measures=_measures(questions, shallow, deep),
        p50=round(float(p50), 3),
        p95=round(float(p95), 3),
        cpu=round(cpu, 3),
        left_out=left_out,
    )


def _measures(
    questions: Sequence[Question], shallow: Sequence[list[str]], deep: Sequence[list[str]]
) -> dict[str, Measure]:
    pairs = list(zip(questions, shallow, deep, strict=True))
    values = {
        "nDCG@10": [ndcg(top, each.relevant, 10) for each, top, _ in pairs],
        "recall@10": [recall(top, each.relevant, 10) for each, top, _ in pairs],
        "recall@100": [recall(long, each.relevant, 100) for each, _, long in pairs],
        "any@1": [recall(top, each.relevant, 1) > 0 for each, top, _ in pairs],
        "any@10": [recall(top, each.relevant, 10) > 0 for each, top, _ in pairs],
        "all@10": [recall(top, each.relevant, 10) == 1 for each, top, _ in pairs],
        "MRR@10": [reciprocal_rank(top, each.relevant) for each, top, _ in pairs],
    }
    if all(each.first for each in questions):
        values["first@1"] = [each.first in top[:1] for each, top, _ in pairs]
        values["first@10"] = [each.first in top for each, top, _ in pairs]
    return {name: _measure(found) for name, found in values.items()}


def _measure(values: Sequence[float]) -> Measure:
    low, high = interval(values)
    return Measure(mean=round(fmean(values), 4), low=round(low, 4), high=round(high, 4))


def rows_of(report: SearchReport) -> list[list[str]]:
    """The report as a table: a column for each way; intervals of 95 % in brackets."""
    names = list(dict.fromkeys(name for row in report.rows for name in row.measures))
    table = [["", *(_title(row) for row in report.rows)]]
    for name in names:
        found = [row.measures[name] for row in report.rows]
        table.append([name, *(f"{each.mean:.3f} [{each.low:.3f}-{each.high:.3f}]" for each in found)])
    times = ([f"{name} ms", *(f"{getattr(row, name):.2f}" for row in report.rows)] for name in ("p50", "p95", "cpu"))
    return [*table, *times]


def _title(row: Row) -> str:
    return ", ".join([row.way, *(["stopwords"] if row.stopwords else []), *([row.rerank] if row.rerank else [])])


def remarks(report: SearchReport) -> list[str]:
    """What a reader of the figures has to know, a line each."""
    vectors = f"{report.embedder}, one a {report.vectors}, {report.index}" if report.embedder else "none"
    said = [
        f"{report.world}: {report.pages:,} pages, digest {report.digest}, index {report.index_id}, vectors {vectors}",
        f"{report.questions}: {report.asked:,} questions; latency at 10 hits, each question once",
    ]
    if report.absent:
        said.append(f"{report.absent:,} questions have no page in this world and are left out")
    if report.missing:
        said.append(f"{report.missing:,} further pages are not in this world and count as not found")
    said += [
        f"{row.way}: the dense leg was left out for {row.left_out:,} questions, most of their words being unknown to it"
        for row in report.rows
        if row.left_out
    ]
    return said
