"""`lite serve`, `lite mcp`, `lite ui`: a world for other programs and for people."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from lite.cli.options import folder
from lite.errors import UsageError


def listening(port: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Where a server listens: on this machine only, unless it is told otherwise."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--allow", multiple=True, metavar="NAME", help="A Host name to answer to; may be repeated."),
            click.option("--port", default=port, show_default=True, type=click.IntRange(0, 65535), help="0: any free."),
            click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
        ):
            command = option(command)
        return command

    return add


def _tell(address: str) -> None:
    from lite import console

    console.note(f"listening on {address} (Ctrl-C stops it)")


@click.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--api", default="environment", show_default=True, help="environment, inference, search-r1 or serper.")
@listening(8018)
def serve(directory: Path, **options: Any) -> None:
    """Serve a world over HTTP, in one of four interfaces that clients already speak."""
    from lite.serve.http import serve as run_server

    run_server(directory, ready=_tell, **options)


@click.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--http", is_flag=True, help="Streamable HTTP instead of standard input and output.")
@click.option("--mask", multiple=True, metavar="URL", help="Hide this page; may be given again.")
@listening(8019)
def mcp(directory: Path, **options: Any) -> None:
    """Serve a world's two tools by the Model Context Protocol."""
    from lite.serve.mcp import serve_mcp

    given = click.get_current_context().get_parameter_source
    for name in () if options["http"] else ("host", "port", "allow"):
        if given(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name} is of a server that listens: add --http, or leave it out")
    if not options["http"]:  # a thread that waits for standard input cannot be ended, and Python would wait for it
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
    serve_mcp(directory, ready=_tell, **options)


@click.command()
@click.argument("directory", type=folder, metavar="DIR")
@listening(8020)
def ui(directory: Path, **options: Any) -> None:
    """Open a window on a world: search it and read it in a browser."""
    from lite.serve.ui import show

    show(directory, ready=_tell, **options)
