"""Tasks x model x world -> a table. Resumable: what a killed run has finished is not run again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import Field, ValidationError

from lite.drive import Listener, drive, from_anywhere, manifest, open_model, start
from lite.errors import ModelError, UsageError
from lite.models import Model
from lite.recipe import EvalSettings
from lite.records import Record, Stop, Task, Trajectory
from lite.reward import grade
from lite.run import Run, digest, read_manifest
from lite.world import World

_HOPELESS = 5  # failed tasks in a row after which an evaluation stops: the server is down, the world is gone


class Report(Record):
    """What an evaluation found. Shares are of all tasks graded; a failed trajectory is counted, never graded."""

    model: str
    world: str  # content digest
    tasks: int
    graded: int
    exact: float
    f1: float
    answered: int
    stops: dict[str, int]
    failed: dict[str, int]
    turns: float  # mean a trajectory
    malformed_turns: int
    repaired_turns: int
    tool_calls: dict[str, int]
    tool_errors: int
    shortened: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float
    model_seconds: float
    tool_seconds: float
    by_capability: dict[str, dict[str, float]] = Field(default_factory=dict)


def read_tasks(path: str | Path) -> list[Task]:
    """The tasks of a JSONL file. Raises UsageError naming the first line that is not one."""
    file = Path(path)
    tasks: list[Task] = []
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    tasks.append(_task(line, f"{file}, line {number}"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}): name a JSONL file of tasks") from None
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
    """Try every task once and grade it; a task that failed is tried again by the next call.

    Writes `trajectories.jsonl`, `report.json` and `report.md` into `out`.

    Args:
        tasks: a JSONL file of tasks.
        world, model: open ones, or the folder and the name to open them by.
        out: the run's folder. If it holds a run of the same settings, that run goes on where it stopped.
        listener: told each turn as it happens.
        progress: called with (tasks done, tasks in all).
        settings: any other field of `lite.recipe.EvalSettings`: `limit`, `width`, `context`, `limits`, …

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
    with ExitStack() as stack:
        if not isinstance(world, World):
            world = stack.enter_context(World.open(world))
        asked = digest("\n".join(task.to_json() for task in chosen))
        run = stack.enter_context(Run.start(out, manifest(settings, world, settings.model) | {"tasks_digest": asked}))
        done = {one.task_id for one in run.trajectories() if one.stop is not Stop.FAILED}
        todo = [task for task in chosen if task.id not in done]
        if progress:
            progress(len(chosen) - len(todo), len(chosen))
        if todo:
            model = open_model(stack, model, settings)
            failures, hopeless = 0, max(_HOPELESS, settings.width + 1)
            for count, trajectory in enumerate(_attempt(todo, world, model, settings, listener), 1):
                run.append(trajectory)
                failures = failures + 1 if trajectory.stop is Stop.FAILED else 0
                if failures == hopeless:
                    raise ModelError(
                        f"{failures} tasks failed one after the other ({trajectory.error}): mend that, then run the "
                        "same command; what is done is kept and failed tasks are tried again"
                    )
                if progress:
                    progress(len(chosen) - len(todo) + count, len(chosen))
        report = summarise(chosen, list(run.trajectories()), model=settings.model, world=world.digest)
        run.write("report.json", report.model_dump_json(indent=2))
        run.write("report.md", as_markdown(report))
    return report


def _attempt(
    tasks: Sequence[Task], world: World, model: Model, settings: EvalSettings, listener: Listener | None
) -> Iterator[Trajectory]:
    episodes = (start(task, world, model, settings) for task in tasks)
    for index, trajectory in drive(episodes, model, width=settings.width, listener=listener):
        yield trajectory.model_copy(update={"reward": grade(tasks[index], trajectory)})


def summarise(tasks: Sequence[Task], trajectories: Iterable[Trajectory], *, model: str, world: str) -> Report:
    """Count what happened: the latest trajectory of each of `tasks`; those of other tasks are left out."""
    capability = {task.id: task.capability for task in tasks}
    chosen = list({one.task_id: one for one in trajectories if one.task_id in capability}.values())
    graded = [one for one in chosen if one.reward is not None and one.reward.value is not None]
    turns = [turn for one in chosen for turn in one.turns]
    groups: dict[str, list[Trajectory]] = {}
    for one in graded:
        groups.setdefault(capability[one.task_id] or "", []).append(one)
    return Report(
        model=model,
        world=world,
        tasks=len(chosen),
        graded=len(graded),
        exact=_mean(graded, "exact"),
        f1=_mean(graded, "f1"),
        answered=sum(one.answered for one in chosen),
        stops=dict(Counter(one.stop.value for one in chosen)),
        failed=dict(Counter(one.failed for one in chosen if one.failed)),
        turns=round(len(turns) / max(1, len(chosen)), 2),
        malformed_turns=sum(turn.malformed is not None for turn in turns),
        repaired_turns=sum(bool(turn.repairs) for turn in turns),
        tool_calls=dict(Counter(turn.call.tool for turn in turns if turn.call)),
        tool_errors=sum(turn.tool_error for turn in turns),
        shortened=sum(turn.shortened for turn in turns),
        prompt_tokens=sum(turn.prompt_tokens for turn in turns),
        cached_tokens=sum(turn.cached_tokens for turn in turns),
        completion_tokens=sum(turn.completion_tokens for turn in turns),
        seconds=round(sum(one.seconds for one in chosen), 1),
        model_seconds=round(sum(turn.model_seconds for turn in turns), 1),
        tool_seconds=round(sum(turn.tool_seconds for turn in turns), 3),
        by_capability={
            name: {"tasks": len(group), "exact": _mean(group, "exact"), "f1": _mean(group, "f1")}
            for name, group in sorted(groups.items())
            if name
        },
    )


def _mean(graded: Sequence[Trajectory], part: str) -> float:
    return round(fmean([one.reward.parts[part] for one in graded if one.reward]), 4) if graded else 0.0


def rows(report: Report) -> list[tuple[str, str]]:
    """The report as (what, figure) lines, in the order a reader asks for them."""

    def counts(values: dict[str, Any]) -> str:
        return ", ".join(f"{name} {count}" for name, count in sorted(values.items())) or "none"

    turns = max(1, round(report.turns * report.tasks))
    lines = [
        ("tasks", f"{report.tasks} ({report.graded} graded, {report.answered} answered)"),
        ("exact match", f"{report.exact:.1%}"),
        ("F1", f"{report.f1:.3f}"),
        ("ended by", counts(report.stops)),
        ("failed (not graded)", counts(report.failed)),
        ("turns a task", f"{report.turns:.1f}"),
        (
            "malformed turns",
            f"{report.malformed_turns} ({report.malformed_turns / turns:.0%}), {report.repaired_turns} repaired",
        ),
        ("tool calls", f"{counts(report.tool_calls)} ({report.tool_errors} refused, {report.shortened} shortened)"),
        (
            "tokens",
            f"{report.prompt_tokens:,} in ({report.cached_tokens:,} from the cache), {report.completion_tokens:,} out",
        ),
        ("seconds", f"{report.seconds:,.1f} ({report.model_seconds:,.1f} model, {report.tool_seconds:,.2f} tools)"),
        ("model seconds a turn", f"{report.model_seconds / turns:.1f}"),
    ]
    lines += [
        (f"  {name}", f"{group['exact']:.1%} of {group['tasks']:.0f} (F1 {group['f1']:.3f})")
        for name, group in report.by_capability.items()
    ]
    return lines


def as_markdown(report: Report) -> str:
    """The report as a Markdown table."""
    body = "\n".join(f"| {what} | {figure} |" for what, figure in rows(report))
    return f"# {report.model}\n\nWorld {report.world}.\n\n| | |\n|---|---|\n{body}\n"
