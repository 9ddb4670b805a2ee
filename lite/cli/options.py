"""Arguments that several commands take alike."""

import os
from pathlib import Path
from typing import Any

import click


class _NewFile(click.Path):
    """A file to be written in the end: what cannot be one is refused before the work, not after it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if not above.is_dir():
            self.fail(f"{above} is no folder, so that nothing can be written in it", param, ctx)
        return path


new_file = _NewFile(dir_okay=False, writable=True, path_type=Path)
folder = click.Path(path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
