"""`lite world`: build a world and look after it."""

from pathlib import Path
from typing import Any

import click

from lite.cli.options import as_json, folder


@click.group()
def world() -> None:
    """Build a world and look at it."""


@world.command("build")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", required=True, type=folder, help="Folder of the new world.")
@click.option("--embedder", default="none", show_default=True, metavar="NAME|none", help="Sentence-transformers model.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many pages.")
@click.option("--layout", help="Layout of JSONL records: flat, dolma or serper; recognised by itself.")
@click.option("--base-url", help="URL of the folder, for HTML and Markdown files that name none.")
@click.option("--date", help="The world's date (YYYY-MM-DD), which the agent is told; today by itself.")
def world_build(sources: tuple[str, ...], out: Path, **options: Any) -> None:
    """Build a world from JSONL files (.gz, .zst) and folders of HTML or Markdown."""
    from lite import console
    from lite.world import World

    with console.ProgressView("pages") as view:
        built = World.build(sources, out, progress=view.stage_of_build, **options)
    with built:
        console.show_info(built.info())


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
def world_check(directory: Path) -> None:
    """Compare a world's indexes with its pages, byte by byte."""
    from lite import console
    from lite.errors import WorldError
    from lite.world import World

    with World.open(directory) as opened:
        faults = opened.check()
    for fault in faults:
        console.say(fault, "red")
    if faults:
        raise WorldError(f"{directory} is damaged ({len(faults)} faults): build it again from its sources")
    console.say(f"{directory} is sound.", "green")
