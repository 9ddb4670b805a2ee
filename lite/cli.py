"""The `lite` command. Each command imports its stage when it is called, so that `lite --help` is instant.

A fault that a person can mend is one line on stderr and exit status 2; Ctrl-C is one line and 130.
"""

import errno
import functools
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lite import __version__
from lite.errors import LiteError, ModelError, UsageError

_MENDABLE = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some space, then run the same command again",
    errno.EACCES: "choose a file or folder that you may use",
    errno.EPERM: "choose a file or folder that you may use",
    errno.EROFS: "choose a folder that can be written",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def main() -> None:
    """Entry point of the `lite` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; a mendable fault is printed as one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a page may hold what the terminal's encoding does not
    try:
        status = lite.main(arguments, prog_name="lite", standalone_mode=False)
        sys.stdout.flush()
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
        name = f" ({error.filename})" if error.filename else ""
        return _fail(f"{error.strerror}{name}: {_MENDABLE[error.errno]}")
    return status if isinstance(status, int) else 0


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

    Build a world from pages, look into it with search and visit, ask a question, evaluate a model.
    """


folder = click.Path(path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


# ---------------------------------------------------------------- world


@lite.group()
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


# ---------------------------------------------------------------- the two tools


@lite.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.argument("query")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of hits.")
@click.option("--mode", type=click.Choice(["hybrid", "lexical", "dense"]), help="Hybrid where the world has vectors.")
@click.option("--mask", multiple=True, metavar="URL", help="Hide this page; may be given again.")
@as_json
def search(directory: Path, query: str, k: int, mode: Any, mask: tuple[str, ...], as_json: bool) -> None:
    """Search a world."""
    from lite import console
    from lite.world import World

    with World.open(directory) as opened:
        results = opened.search(query, k, mode=mode, mask=mask)
    if as_json:
        console.show_json(results.model_dump(mode="json"))
    else:
        console.show_results(results)


@lite.command()
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


# ---------------------------------------------------------------- the agent


_LIMITS = {"max_turns": "turns", "max_seconds": "seconds", "turn_tokens": "turn_tokens"}


def agent_options(command: Callable[..., None]) -> Callable[..., None]:
    """The settings of an episode, the same for `ask` and `eval`; what is not given keeps its default of recipe.py."""
    options = (
        click.option("--model", metavar="SPEC", help="smollm2, llamacpp:FILE.gguf, openai:NAME@URL, scripted:FILE."),
        click.option("--max-turns", type=click.IntRange(min=1), help="Turns before an answer is asked for."),
        click.option("--turn-tokens", type=click.IntRange(min=16), help="The most one turn may write."),
        click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), help="Time for one question."),
        click.option("--context", type=click.IntRange(min=256), help="The model's window in tokens."),
        click.option("--grammar", is_flag=True, default=None, help="Hold each turn to the protocol (llama.cpp)."),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads of the model (llama.cpp)."),
        click.option("--temperature", type=click.FloatRange(min=0), help="0 is greedy."),
        click.option("--seed", type=int, help="Of the sampling."),
        click.option("--prompt", type=folder, help="A file that replaces the system prompt."),
    )
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as fields of `lite.recipe.AgentSettings` (or EvalSettings)."""
    given = {name: value for name, value in options.items() if value is not None}
    limits = {field: given.pop(name) for name, field in _LIMITS.items() if name in given}
    sampling = {name: given.pop(name) for name in ("temperature", "seed") if name in given}
    if "prompt" in given:
        given["prompt"] = str(given["prompt"])
    return given | {"limits": limits, "sampling": sampling}


@lite.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.argument("question")
@agent_options
@click.option("--save", type=folder, metavar="RUN", help="Append the trajectory to RUN/trajectories.jsonl.")
@click.option("--full", is_flag=True, help="Show every observation whole.")
@as_json
def ask(directory: Path, question: str, save: Path | None, full: bool, as_json: bool, **options: Any) -> None:
    """Research a question in a world, and show each step."""
    from contextlib import ExitStack

    from lite import console, drive
    from lite.recipe import AgentSettings
    from lite.run import Run
    from lite.watch import EpisodeView
    from lite.world import World

    model = options.pop("model") or _no_model()
    settings = _settings(options)
    with ExitStack() as stack:
        opened = stack.enter_context(World.open(directory))
        run = None
        if save is not None:
            run = stack.enter_context(Run.start(save, drive.manifest(AgentSettings.read(settings), opened, model)))
        view = None if as_json else stack.enter_context(EpisodeView(full=full))
        trajectory = drive.ask(opened, question, model=model, listener=view, **settings)
        if run is not None:
            run.append(trajectory)
    if as_json:
        console.show_json(trajectory.model_dump(mode="json"))
    if trajectory.failed:
        raise ModelError(f"the {trajectory.failed} failed ({trajectory.error}): mend that and ask again")


def _no_model() -> str:
    raise UsageError("no model is named: add --model smollm2 (lite doctor says what is there)")


@lite.command("eval")
@click.argument("tasks_or_run", type=folder, metavar="TASKS.jsonl|RUN")
@click.option("--world", "directory", type=folder, metavar="DIR", help="The world to research in.")
@click.option("--out", type=folder, metavar="RUN", help="Folder of the run; one that is there goes on.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="Only the first so many tasks.")
@click.option("--width", type=click.IntRange(min=1), help="Tasks run in step.")
@agent_options
@as_json
def evaluate_command(
    tasks_or_run: Path, directory: Path | None, out: Path | None, as_json: bool, **options: Any
) -> None:
    """Try every task, grade the answers, print a table. A killed run goes on where it stopped.

    `lite eval RUN` takes everything from the run's manifest.
    """
    from lite import console
    from lite.evaluate import evaluate, evaluate_again, rows

    with console.ProgressView("tasks") as view:

        def progress(done: int, total: int) -> None:
            view.update("evaluating", done, total, done)

        if tasks_or_run.is_dir():
            if any(value is not None for value in (directory, out, *options.values())):
                raise UsageError(f"{tasks_or_run} is a folder, and a run has its settings in it: give no other options")
            report = evaluate_again(tasks_or_run, progress=progress)
        else:
            needed = {"--world": directory, "--model": options["model"], "--out": out}
            if missing := [name for name, value in needed.items() if value is None]:
                raise UsageError(f"an evaluation needs {', '.join(missing)}: see lite eval --help")
            named = {"world": directory, "out": out, "model": options.pop("model")}
            report = evaluate(tasks_or_run, progress=progress, **named, **_settings(options))
    if as_json:
        console.show_json(report.model_dump(mode="json"))
    else:
        console.table(rows(report), title=f"{report.model} in world {report.world[:12]}")


# ---------------------------------------------------------------- doors for other programs


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


@lite.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--api", default="environment", show_default=True, help="environment, inference, search-r1 or serper.")
@listening(8018)
def serve(directory: Path, **options: Any) -> None:
    """Serve a world over HTTP, in one of four interfaces that clients already speak."""
    from lite.serve.http import serve as run_server

    run_server(directory, ready=_tell, **options)


@lite.command()
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--http", is_flag=True, help="Streamable HTTP instead of standard input and output.")
@click.option("--mask", multiple=True, metavar="URL", help="Hide this page; may be given again.")
@listening(8019)
def mcp(directory: Path, **options: Any) -> None:
    """Serve a world's two tools by the Model Context Protocol."""
    from lite.serve.mcp import serve_mcp

    serve_mcp(directory, ready=_tell, **options)


@lite.command()
@click.argument("directory", type=folder, metavar="DIR")
@listening(8020)
def ui(directory: Path, **options: Any) -> None:
    """Open a window on a world: search it and read it in a browser."""
    from lite.serve.ui import show

    show(directory, ready=_tell, **options)


# ---------------------------------------------------------------- the installation


@lite.command()
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


@lite.command()
@click.option("--dir", "directory", type=folder, help="Where the world and the run are kept.")
@click.option("-n", "count", default=5, show_default=True, type=click.IntRange(min=1), help="Questions to ask.")
def demo(directory: Path | None, count: int) -> None:
    """Build the shipped world with vectors, and research a few of its questions with SmolLM2-135M."""
    from lite.demo import demonstrate

    demonstrate(directory, count)


if __name__ == "__main__":
    main()
