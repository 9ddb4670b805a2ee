"""The `lite` command. Each command imports its stage when it is called, so that `lite --help` is instant.

A fault that a person can mend is one line on stderr and exit status 2; Ctrl-C is one line and 130, a TERM signal 143.
"""

import errno
import io
import os
import signal
import sys
from typing import Any, Never

import click

from lite import __version__
from lite.cli.agent import ask, evaluate_command
from lite.cli.bench import bench
from lite.cli.chat import chat, replay
from lite.cli.doors import mcp, serve, ui
from lite.cli.installation import demo, doctor
from lite.cli.look import search, visit
from lite.cli.tasks import tasks
from lite.cli.train import export, report, train
from lite.cli.world import world
from lite.errors import LiteError

_MENDABLE = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some space, then run the same command again",
    errno.EACCES: "choose a file or folder that you may use",
    errno.EPERM: "choose a file or folder that you may use",
    errno.EROFS: "choose a folder that can be written",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    **dict.fromkeys(
        (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENOENT),
        "look at the path, and at the order of the arguments",
    ),
}


class _Terminated(BaseException):
    """A TERM signal came; no handler of errors, or of Ctrl-C, is meant for it."""


def main() -> None:
    """Entry point of the `lite` command."""
    signal.signal(signal.SIGTERM, _terminate)  # else worker processes and their locks would be left to others
    try:
        status = run(sys.argv[1:])
    except _Terminated:
        status = _fail("terminated", status=143)
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; a mendable fault is printed as one line."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a page may hold what the terminal's encoding does not
    try:
        status = lite.main(arguments, prog_name="lite", standalone_mode=False)
        _flush()
    except LiteError as error:
        return _fail(str(error))
    except click.UsageError as error:
        return _misused(error)
    except click.ClickException as error:
        return _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", status=130)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in _MENDABLE:
            raise
        named = str(error.filename or "")
        name = f" ({named[:80]}{'...' * (len(named) > 80)})" if named else ""
        return _fail(f"{error.strerror}{name}: {_MENDABLE[error.errno]}")
    return status if isinstance(status, int) else 0


def _flush() -> None:
    if sys.stdout is not None:  # the shell may have closed it
        sys.stdout.flush()


def _terminate(*_: Any) -> Never:
    raise _Terminated


def _misused(error: click.UsageError) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the help
        click.echo(error.format_message(), err=True)
        return 2
    path = error.ctx.command_path if error.ctx else "lite"
    return _fail(f"{error.format_message().rstrip('.')}: see {path} --help")


def _fail(message: str, status: int = 2) -> int:
    line = " ".join("".join(char if char.isprintable() else " " for char in message).split())
    click.echo(f"error: {line}", err=True)
    return status


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="literesearcher-lite")
def lite() -> None:
    """A deep-research agent and the closed web it lives in, on one machine.

    Build a world from pages, look into it with search and visit, make tasks from it, ask a question, evaluate a model.
    """


for command in (
    world,
    tasks,
    train,
    report,
    export,
    search,
    visit,
    ask,
    chat,
    evaluate_command,
    replay,
    bench,
    serve,
    mcp,
    ui,
    doctor,
    demo,
):
    lite.add_command(command)
