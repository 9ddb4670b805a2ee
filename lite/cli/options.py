"""Arguments that several commands take alike."""

from pathlib import Path

import click

folder = click.Path(path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
