"""`lite world`: build a world and look after it."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from lite.cli.options import as_json, folder, new_file


@click.group()
def world() -> None:
    """Build a world and look at it."""


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """How sources are read, for `build` and `add`."""
    options = (
        click.option("--limit", type=click.IntRange(min=1), help="Only the first so many pages."),
        click.option("--layout", help="Of JSONL and Parquet: flat, dolma, serper, or url=NAME,title=NAME,text=NAME."),
        click.option("--base-url", help="URL of the folder, for HTML and Markdown files that name none."),
        click.option("--date", help="The world's date (YYYY-MM-DD), which the agent is told."),
    )
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


@world.command("build")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", required=True, type=folder, help="Folder of the new world.")
@click.option(
    "--embedder",
    default="none",
    show_default=True,
    metavar="NAME|none",
    help="Sentence-transformers model; NAME@int8 is five times as quick.",
)
@click.option("--vectors", type=click.Choice(["page", "passage"]), default="page", show_default=True, help="One each.")
@click.option("--drop-near-duplicates", "near", is_flag=True, help="Keep one of pages that nearly are the same.")
@click.option("--min-chars", type=click.IntRange(min=0), default=0, help="Leave shorter pages out (upstream: 1000).")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Leave out other languages; repeatable.")
@click.option("--include", multiple=True, metavar="PATTERN", help="Only URLs that fit, like 'https://x.org/*'.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="No URLs that fit; may be given again.")
@reading
def world_build(sources: tuple[str, ...], out: Path, near: bool, **options: Any) -> None:
    """Build a world from files and folders of pages.

    JSONL (.gz, .zst), HTML, Markdown and text, in folders and archives; Parquet, WARC, ZIM. Killed, the same command
    goes on where it stopped.
    """
    from lite import console
    from lite.world import World

    options["near_duplicates"] = "drop" if near else "keep"
    with console.ProgressView("pages") as view:
        built = World.build(sources, out, progress=view.stage_of_build, **options)
    with built:
        console.show_info(built.info())
    _say_passed_over(sources, out)


@world.command("add")
@click.argument("directory", type=folder, metavar="DIR")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@reading
def world_add(directory: Path, sources: tuple[str, ...], **options: Any) -> None:
    """Add pages to a world; those whose URL it has take their place.

    What the build was told to leave out is left out here too. Who has the world open goes on reading it as it was.
    """
    from lite import console
    from lite.world import World

    with World.open(directory) as opened, console.ProgressView("pages") as view:
        before = opened.info()
        changed = opened.add(sources, progress=view.stage_of_build, **options)
    with changed:
        console.show_change(before, changed.info())
    _say_passed_over(sources, directory)


def _say_passed_over(sources: Sequence[str], out: Path) -> None:
    """A line for the files in folders that no reader knows, so that nobody looks for a PDF in the world."""
    from lite import console
    from lite.corpus import passed_over

    kinds = sum((passed_over(source, without=out) for source in sources), Counter())
    if kinds:
        most = [f"{count} {kind or 'without an ending'}" for kind, count in kinds.most_common(5)]
        most += ["..."] if len(kinds) > 5 else []
        console.note(f"passed over, being of kinds that lite cannot read: {', '.join(most)}")


@world.command("remove")
@click.argument("directory", type=folder, metavar="DIR")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
def world_remove(directory: Path, urls: tuple[str, ...]) -> None:
    """Remove pages from a world, under all their names."""
    from lite import console
    from lite.world import World

    with World.open(directory) as opened, opened.remove(urls) as changed:
        console.show_change(opened.info(), changed.info())


@world.command("compact")
@click.argument("directory", type=folder, metavar="DIR")
def world_compact(directory: Path) -> None:
    """Write a world anew from its pages: smaller, and without a trace of what was removed."""
    from lite import console
    from lite.world import World

    with World.open(directory) as opened, console.ProgressView("pages") as view:
        before = opened.info()
        changed = opened.compact(progress=view.stage_of_build)
    with changed:
        console.show_change(before, changed.info())


@world.command("export")
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--out", required=True, type=new_file, help="A .jsonl, .jsonl.gz or .jsonl.zst file.")
def world_export(directory: Path, out: Path) -> None:
    """Write a world's pages to a file that builds the same world again."""
    from lite import console
    from lite.corpus.export import write_pages
    from lite.world import World

    with World.open(directory) as opened:
        count = write_pages(opened.pages.named(), out)
    console.say(f"{count:,} pages in {out}")


@world.command("info")
@click.argument("directory", type=folder, metavar="DIR")
@as_json
def world_info(directory: Path, as_json: bool) -> None:
    """Say what a world holds."""
    from lite import console
    from lite.world import World

    with World.open(directory) as opened:
        info = opened.info()
    if as_json:
        console.show_json(info.model_dump(mode="json"))
    else:
        console.show_info(info)


@world.command("check")
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--repair", is_flag=True, help="Rebuild what is damaged from the pages, drop unfinished additions.")
def world_check(directory: Path, repair: bool) -> None:
    """Compare a world's indexes with its pages, byte by byte."""
    from lite import console
    from lite.errors import WorldError
    from lite.world import World

    if repair:
        with console.ProgressView("pages") as view:
            mended = World.repair(directory, progress=view.stage_of_build)
        for fault in mended:
            console.say(f"mended: {fault}", "yellow")
    with World.open(directory) as opened:
        faults = opened.check()
    for fault in faults:
        console.say(fault, "red")
    if faults:
        raise WorldError(
            f"{directory} is damaged ({len(faults)} faults): `lite world check {directory} --repair` rebuilds what is "
            "derived from its pages"
        )
    console.say(f"{directory} is sound.", "green")
