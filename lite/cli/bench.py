"""`lite bench`: how well a world searches, and how fast it is."""

from pathlib import Path
from typing import Any

import click

from lite.cli.options import as_json, folder, new_file

_PARTS = ("search", "visit", "build", "sources", "calls", "memory")  # as lite.bench.speed has them


@click.group()
def bench() -> None:
    """Measure a world: what its search finds, and what it costs."""


@bench.command("search")
@click.argument("directory", type=folder, metavar="DIR")
@click.argument("questions", type=folder, metavar="QUESTIONS.jsonl")
@click.option("--mode", "ways", multiple=True, type=click.Choice(["lexical", "dense", "hybrid", "weighted"]))
@click.option("--stopwords", type=click.Choice(["drop", "keep", "both"]), default="drop", show_default=True)
@click.option("--weights", nargs=2, type=float, metavar="LEXICAL DENSE", help="Of the scores, for weighted.")
@click.option("--rerank", metavar="MODEL", help="Cross-encoder (a folder or a cached name) that orders the best 50.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="Only the first so many questions.")
@click.option("--out", type=new_file, metavar="REPORT.md", help="Write the report there too.")
@as_json
def bench_search(
    directory: Path, questions: Path, ways: Any, stopwords: str, out: Path | None, as_json: bool, **options: Any
) -> None:
    """Ask a world questions whose pages are known, in every way it can search.

    A line of QUESTIONS.jsonl is {"id","query","relevant":[urls]} or {"id","question","evidence":[urls]}; of evidence
    the first page is also measured alone. Intervals are of 95 %, by bootstrap over the questions.
    """
    from lite import console
    from lite.bench import quality
    from lite.bench.report import markdown, write

    kept = {"drop": (False,), "keep": (True,), "both": (False, True)}[stopwords]
    with console.ProgressView("questions") as view:
        report = quality.bench_search(
            directory,
            questions,
            ways=ways,
            stopwords=kept,
            progress=lambda name, done, total: view.update(name, done, total, done),
            **options,
        )
    table, remarks = quality.rows_of(report), quality.remarks(report)
    if as_json:
        console.show_json(report.model_dump(mode="json"))
    else:
        console.show_grid(table, remarks)
    if out is not None:
        write(out, markdown("lite bench search", [table], remarks))


@bench.command("world")
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--questions", type=folder, metavar="QUESTIONS.jsonl", help="Ask these; else queries made from pages.")
@click.option("--part", "parts", multiple=True, type=click.Choice(_PARTS), help="Only this; may be given again.")
@click.option("--queries", type=click.IntRange(min=1), help="Searches that are timed.  [500]")
@click.option("--visits", type=click.IntRange(min=1), help="Visits that are timed.  [2000]")
@click.option("--pages", type=click.IntRange(min=1), help="Pages of the builds.  [5000]")
@click.option("--embedded", type=click.IntRange(min=1), help="Pages of the embedded build.  [300]")
@click.option("--files", type=click.IntRange(min=1), help="Pages of each kind of source.  [1000]")
@click.option("--calls", type=click.IntRange(min=1), help="Tool calls.  [2000]")
@click.option("--rounds", type=click.IntRange(min=1), help="Turns of the two sides of a ratio.  [3]")
@click.option("--out", type=new_file, metavar="REPORT.md", help="Write the report there too.")
@as_json
def bench_world(
    directory: Path, questions: Path | None, parts: Any, out: Path | None, as_json: bool, **sizes: Any
) -> None:
    """Measure what a world costs over the libraries it stands on, and how much it bears.

    Searches, visits and builds over bare Tantivy, LanceDB, SQLite and the embedder, in turns within this run; pages a
    second from JSONL, HTML, WARC and ZIM; tool calls a second in this process and over HTTP; memory.
    """
    from lite import console
    from lite.bench import speed, tables
    from lite.bench.report import markdown, write

    given = speed.Sizes(**{name: size for name, size in sizes.items() if size is not None})
    with console.ProgressView("parts") as view:
        report = speed.bench_world(
            directory,
            questions=questions,
            parts=parts or speed.PARTS,
            sizes=given,
            progress=lambda name, done, total: view.update(name, done, total, done),
        )
    remarks, found = tables.remarks(report), tables.tables_of(report)
    if as_json:
        console.show_json(report.model_dump(mode="json"))
    for number, table in enumerate(() if as_json else found):
        console.show_grid(table, () if number else remarks)
        console.say()
    if out is not None:
        write(out, markdown("lite bench world", found, remarks))
