"""`lite doctor` and `lite demo`."""

from pathlib import Path

import click

from lite.cli.options import as_json, folder
from lite.errors import UsageError


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Say what is installed, what is missing, and the command that adds it."""
    import dataclasses

    from lite import console
    from lite.doctor import examine

    diagnosis = examine()
    if as_json:
        console.show_json(dataclasses.asdict(diagnosis))
    else:
        console.show_diagnosis(diagnosis)
    if not diagnosis.usable:
        raise UsageError("the base installation is incomplete: the first command above completes it")


@click.command()
@click.option("--dir", "directory", type=folder, help="Where the world and the run are kept.")
@click.option("-n", "count", default=5, show_default=True, type=click.IntRange(min=1), help="Questions to ask.")
def demo(directory: Path | None, count: int) -> None:
    """Build the shipped world with vectors, and research a few of its questions with SmolLM2-135M."""
    from lite.demo import demonstrate

    demonstrate(directory, count)
