"""`lite ask` and `lite eval`: a model researches in a world."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from lite.cli.options import as_json, folder
from lite.errors import ModelError, UsageError

_LIMITS = {
    "max_turns": "turns",
    "max_seconds": "seconds",
    "turn_tokens": "turn_tokens",
    "memory": "memory",
    "visit_mode": "visit_mode",
    "strict": "strict",
}
_MODELS = (
    "smollm2, llamacpp:FILE.gguf (either with +ADAPTER.gguf), transformers:FOLDER, openai:NAME@URL, scripted:FILE, "
    "replay:RUN."
)
_VISITS = ("extract", "llm", "read")
_MEMORIES = ("stop", "keep-last", "summarise", "summarise-model")


def agent_options(command: Callable[..., None]) -> Callable[..., None]:
    """The settings of an episode, the same for `ask` and `eval`; what is not given keeps its default of recipe.py."""
    options = (
        click.option("--model", metavar="SPEC", help=_MODELS),
        click.option("--agent", metavar="NAME", help="A trained agent whole: atlas, or a TOML file like it."),
        click.option("--max-turns", type=click.IntRange(min=1), help="Turns before an answer is asked for."),
        click.option("--turn-tokens", type=click.IntRange(min=16), help="The most one turn may write."),
        click.option(
            "--max-seconds",
            type=click.FloatRange(min=0, min_open=True),
            help="After them it has to answer.",
        ),
        click.option("--context", type=click.IntRange(min=256), help="The model's window in tokens."),
        click.option("--memory", type=click.Choice(_MEMORIES), help="What happens when the window fills."),
        click.option("--strict", is_flag=True, default=None, help="Repair nothing: such a turn is unreadable."),
        click.option("--tools", type=click.Choice(["all", "search"]), help="search: no page can be visited."),
        click.option("--visit-mode", type=click.Choice(_VISITS), help="llm, read: the model itself reads a page."),
        click.option("--grammar", is_flag=True, default=None, help="Hold each turn to the protocol (llama.cpp)."),
        click.option("--native-tools", is_flag=True, default=None, help="Calls by the server's own protocol (openai)."),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads of a model in this process."),
        click.option("--temperature", type=click.FloatRange(min=0), help="0 is greedy."),
        click.option("--top-k", type=click.IntRange(min=0), help="Of the likeliest tokens; 0: of all."),
        click.option("--seed", type=int, help="Of the sampling."),
        click.option("--prompt", type=folder, help="A file that replaces the system prompt."),
    )
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def settings_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as fields of `lite.recipe.NamedAgent` (or EvalSettings), over those of --agent."""
    given = {name: value for name, value in options.items() if value is not None}
    whole: dict[str, Any] = {"limits": {}, "sampling": {}}
    if "agent" in given:
        from lite.agents import named_agent

        whole |= named_agent(given.pop("agent")).model_dump(exclude_unset=True)
    limits = {field: given.pop(name) for name, field in _LIMITS.items() if name in given}
    sampling = {name: given.pop(name) for name in ("temperature", "top_k", "seed") if name in given}
    if "prompt" in given:
        given["prompt"] = str(given["prompt"])
    return whole | given | {"limits": whole["limits"] | limits, "sampling": whole["sampling"] | sampling}


@click.command()
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

    settings = settings_of(options)
    model = settings.pop("model", None) or no_model()
    with ExitStack() as stack:
        opened = stack.enter_context(World.open(directory))
        run = journal = None
        if save is not None:
            run = stack.enter_context(Run.start(save, drive.manifest(AgentSettings.read(settings), opened, model)))
            journal = stack.enter_context(run.journal())
        view = None if as_json else stack.enter_context(EpisodeView(full=full))
        trajectory = drive.ask(opened, question, model=model, listener=view, journal=journal, **settings)
        if run is not None and journal is not None:
            run.append(trajectory)
            if not trajectory.failed:  # what failed goes on where it failed, when it is asked again
                journal.end(drive.key_of(question))
    if as_json:
        console.show_json(trajectory.model_dump(mode="json"))
    if trajectory.failed:
        raise ModelError(f"the {trajectory.failed} failed ({trajectory.error}): mend that and ask again")


def no_model() -> NoReturn:
    """Raise the line that says what to add."""
    raise UsageError("no model is named: add --model smollm2 or --agent atlas (lite doctor says what is there)")


@click.command("eval")
@click.argument("tasks_or_run", type=folder, metavar="TASKS.jsonl|RUN")
@click.option("--world", "directory", type=folder, metavar="DIR", help="The world to research in.")
@click.option("--out", type=folder, metavar="RUN", help="Folder of the run; one that is there goes on.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="Only the first so many tasks.")
@click.option("-k", "attempts", type=click.IntRange(min=1), help="Attempts at each task: pass@k and majority@k.")
@click.option("--width", type=click.IntRange(min=1), help="Tasks under way together.")
@agent_options
@as_json
def evaluate_command(
    tasks_or_run: Path, directory: Path | None, out: Path | None, as_json: bool, **options: Any
) -> None:
    """Try every task, grade the answers, print a table. A killed run goes on where it stopped.

    `lite eval RUN` takes everything from the run's manifest.
    """
    from lite import console
    from lite.evaluate import evaluate, evaluate_again
    from lite.report import rows

    with console.ProgressView("tasks") as view:

        def progress(done: int, total: int) -> None:
            view.update("evaluating", done, total, done)

        if tasks_or_run.is_dir():
            if any(value is not None for value in (directory, out, *options.values())):
                raise UsageError(f"{tasks_or_run} is a folder, and a run has its settings in it: give no other options")
            report = evaluate_again(tasks_or_run, progress=progress)
        elif not tasks_or_run.exists():
            raise UsageError(f"there is no {tasks_or_run}: give a file of tasks, or the folder of a run")
        else:
            settings = settings_of(options)
            needed = {"--world": directory, "--model": settings.get("model"), "--out": out}
            if missing := [name for name, value in needed.items() if value is None]:
                raise UsageError(f"an evaluation needs {', '.join(missing)}: see lite eval --help")
            settings |= {"world": directory, "out": out}
            report = evaluate(tasks_or_run, progress=progress, **settings)
    if as_json:
        console.show_json(report.model_dump(mode="json"))
    else:
        console.table(rows(report), title=f"{report.model} in world {report.world[:12]}")
    failed = sum(report.failed.values())
    if failed == report.trajectories > 0:
        raise ModelError(f"every task failed ({report.failure}): mend that, then run the same command")
    if failed:
        console.note(f"{failed} tries failed; the same command makes them again")
