"""`lite search` and `lite visit`: the agent's two tools from the shell."""

from pathlib import Path
from typing import Any

import click

from lite.cli.options import as_json, folder
from lite.errors import UsageError


@click.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.argument("query")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of hits.")
@click.option("--mode", type=click.Choice(["hybrid", "lexical", "dense"]), help="Hybrid where the world has vectors.")
@click.option("--rerank", metavar="MODEL", help="Cross-encoder (a folder or a cached name) that orders the best 50.")
@click.option("--mask", multiple=True, metavar="URL", help="Hide this page; may be given again.")
@click.option("--phrase", is_flag=True, help="Only pages with the words of QUERY one after the other.")
@click.option("--stopwords", is_flag=True, help="Look up its English function words too: slower, seldom better.")
@as_json
def search(directory: Path, query: str, k: int, as_json: bool, **options: Any) -> None:
    """Search a world."""
    from lite import console
    from lite.world import World

    with World.open(directory) as opened:
        results = opened.search(query, k, **options)
        unknown = [url for url in options["mask"] if not (url.endswith("#*") or opened.resolve(url))]
    if unknown:
        console.note(f"no page of {directory} is at {', '.join(unknown)}: that hides nothing")
    if as_json:
        console.show_json(results.model_dump(mode="json"))
    else:
        console.show_results(results)


@click.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.argument("url")
@click.option("--goal", default="", help="What to look for; without it, the head of the page.")
@click.option("--words", default=400, show_default=True, type=click.IntRange(min=20), help="Words of evidence.")
@click.option("--raw", is_flag=True, help="The whole page.")
@as_json
def visit(directory: Path, url: str, goal: str, words: int, raw: bool, as_json: bool) -> None:
    """Read a page of a world."""
    from lite import console
    from lite.world import World

    with World.open(directory) as opened:
        seen = opened.visit(url, goal, words=words, mode="raw" if raw else "extract")
        near = [] if seen.found else opened.nearest(url, 1)
    if as_json:
        console.show_json(seen.model_dump(mode="json"))
    elif seen.found:
        console.show_visit(seen)
    if not seen.found:
        hint = f"the nearest is {near[0]}" if near else f"lite search {directory} QUERY shows what is"
        raise UsageError(f"{url} is not in {directory}: {hint}")
