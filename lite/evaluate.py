"""Tasks x model x world -> a table. Resumable: what a killed run has finished is not run again."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lite.corpus.streams import filled_lines
from lite.drive import Listener, drive, from_anywhere, manifest, open_model, start
from lite.errors import ModelError, UsageError
from lite.models import Model
from lite.recipe import EvalSettings
from lite.records import Stop, Task, Trajectory
from lite.report import Report, as_markdown, summarise
from lite.reward import grade
from lite.run import Run, digest, read_manifest
from lite.world import World

_HOPELESS = 5  # failed tasks in a row after which an evaluation stops: the server is down, the world is gone


def read_tasks(path: str | Path) -> list[Task]:
    """The tasks of a JSONL file, packed or not. Raises UsageError naming the first line that is not one."""
    file = Path(path)
    tasks = [_task(line, f"{file}, line {number}") for number, line in filled_lines(file)]
    if not tasks:
        raise UsageError(f'{file} holds no tasks: each line is {{"id", "question", "answers"}}')
    double = [name for name, count in Counter(task.id for task in tasks).items() if count > 1]
    if double:
        raise UsageError(f"{file} has the id {double[0]!r} more than once: give every task its own")
    return tasks


def _task(line: bytes, where: str) -> Task:
    try:
        return Task.from_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        raise UsageError(f"{where} is no task ({field}: {first['msg'].lower()}): mend or remove the line") from None


def tasks_digest(tasks: Sequence[Task]) -> str:
    """A fingerprint of what is asked, for a manifest."""
    return digest("\n".join(task.to_json() for task in tasks))


def evaluate(
    tasks: str | Path,
    *,
    world: World | str | Path,
    model: Model | str,
    out: str | Path,
    listener: Listener | None = None,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Report:
    """Try every task and grade it; an attempt that failed is made again by the next call.

    Writes `trajectories.jsonl`, `report.json` and `report.md` into `out`.

    Args:
        tasks: a JSONL file of tasks.
        world, model: open ones, or the folder and the name to open them by.
        out: the run's folder. If it holds a run of the same settings, that run goes on where it stopped.
        listener: told each turn as it happens.
        progress: called with (attempts done, attempts in all).
        settings: any other field of `lite.recipe.EvalSettings`: `limit`, `attempts`, `width`, `limits`, …

    Raises:
        UsageError: the tasks cannot be read, or `out` holds a run with other settings.
    """
    named = {
        "tasks": from_anywhere(tasks),
        "world": from_anywhere(world.path if isinstance(world, World) else world),
        "model": model if isinstance(model, str) else model.name,
    }
    return _evaluate(EvalSettings.read(named | settings), out, world, model, listener, progress)


def evaluate_again(
    out: str | Path, *, listener: Listener | None = None, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Go on with (or report once more on) the run in `out`, everything taken from its manifest."""
    recorded = read_manifest(out)
    if recorded is None or "tasks" not in recorded["settings"]:
        raise UsageError(f"{out} is not the run of an evaluation: give the folder of lite eval --out")
    known = {key: value for key, value in recorded["settings"].items() if key in EvalSettings.model_fields}
    settings = EvalSettings.read(known)
    return _evaluate(settings, out, settings.world, settings.model, listener, progress)


def _evaluate(
    settings: EvalSettings,
    out: str | Path,
    world: World | str | Path,
    model: Model | str,
    listener: Listener | None,
    progress: Callable[[int, int], None] | None,
) -> Report:
    chosen = read_tasks(settings.tasks)[: settings.limit]
    if settings.attempts > 1 and settings.sampling.temperature == 0:
        raise UsageError(f"{settings.attempts} attempts at temperature 0 are all the same: raise it, or make one")
    with ExitStack() as stack:
        if not isinstance(world, World):
            world = stack.enter_context(World.open(world))
        asked = {"tasks_digest": tasks_digest(chosen)}
        run = stack.enter_context(Run.start(out, manifest(settings, world, settings.model) | asked))
        done = {(one.task_id, one.attempt) for one in run.trajectories() if one.stop is not Stop.FAILED}
        todo = [(task, n) for task in chosen for n in range(settings.attempts) if (task.id, n) not in done]
        total = len(chosen) * settings.attempts
        if progress:
            progress(total - len(todo), total)
        if todo:
            model = open_model(stack, model, settings)
            attempts = _attempt(todo, world, model, settings, run, listener)
            for count, _ in enumerate(attempts, 1):
                if progress:
                    progress(total - len(todo) + count, total)
        report = summarise(
            chosen,
            list(run.trajectories()),
            model=settings.model,
            world=world.digest,
            attempts=settings.attempts,
            prices=settings.prices,
        )
        run.write("report.json", report.model_dump_json(indent=2))
        run.write("report.md", as_markdown(report))
    return report


def _attempt(
    todo: Sequence[tuple[Task, int]],
    world: World,
    model: Model,
    settings: EvalSettings,
    run: Run,
    listener: Listener | None,
) -> Iterator[Trajectory]:
    """Carry out attempts, grade and record them. Ends when one after the other fails: the server is down."""
    failures, hopeless = 0, max(_HOPELESS, settings.width + 1)
    with run.journal() as journal:
        episodes = (start(task, world, model, settings, attempt=attempt) for task, attempt in todo)
        for index, ended in drive(episodes, model, width=settings.width, listener=listener, journal=journal):
            trajectory = ended.model_copy(update={"reward": grade(todo[index][0], ended)})
            run.append(trajectory)
            if trajectory.stop is Stop.FAILED:  # it stays in the journal, and goes on where it failed
                failures += 1
            else:
                failures = 0
                journal.end(f"{trajectory.task_id}/{trajectory.attempt}")
            if failures == hopeless:
                raise ModelError(
                    f"{failures} tasks failed one after the other ({trajectory.error}): mend that, then run the "
                    "same command; what is done is kept and failed tasks are tried again"
                )
            yield trajectory
