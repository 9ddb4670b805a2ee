"""The exam: what each part of a run is worth, on tasks that it neither trained on nor chose a checkpoint by.

exam/NAME.jsonl    a line a task, as they end; NAME is base, start, sft, stage-1, ...
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import ValidationError

from lite.errors import UsageError
from lite.records import Record, Stop, Task
from lite.run import cut_half_line
from lite.train.rollouts import Rollout
from lite.train.signals import services

_TOLD = 10  # times that progress is said


class Mark(Record):
    """What came of one task."""

    task: str
    capability: str
    hops: int
    value: float | None  # 0 to 1; None: it failed through no fault of the policy's, and counts for nothing
    stop: Stop
    answered: bool
    visits: int
    searches: int
    queries: int  # that the tools answered
    pages: int
    tokens: int  # that it wrote


def sit(
    tasks: Sequence[Task],
    path: Path,
    roll: Callable[[Sequence[Task]], Iterable[Rollout]],
    tell: Callable[[str], None],
) -> list[Mark]:
    """Try each task that has no mark yet and write its mark; all marks.

    Args:
        tasks: the exam's.
        path: of the marks; what is there stays.
        roll: tries tasks, once each and greedily; not called when none is left.
        tell: takes a line now and then.
    """
    path.parent.mkdir(exist_ok=True)
    with path.open("ab+") as file:
        cut_half_line(file.fileno())
        marks = read_marks(path)
        done = {mark.task for mark in marks}
        left = [task for task in tasks if task.id not in done]
        every = -(-len(tasks) // _TOLD)
        for rollout in roll(left) if left else ():
            marks.append(_mark(rollout))
            file.write(marks[-1].to_json().encode() + b"\n")
            file.flush()
            if len(marks) % every == 0:
                tell(f"exam of {path.stem}: {len(marks)} of {len(tasks)} tasks")
    return marks


def _mark(rollout: Rollout) -> Mark:
    task, trajectory = rollout.attempt.task, rollout.trajectory
    calls = [turn.call.tool for turn in trajectory.turns if turn.call is not None]
    return Mark(
        task=task.id,
        capability=task.capability or "all",
        hops=task.hops or 1,
        value=trajectory.reward.value if trajectory.reward else None,
        stop=trajectory.stop,
        answered=trajectory.answered,
        **services([trajectory]),
        visits=calls.count("visit"),
        searches=calls.count("search"),
        tokens=sum(turn.completion_tokens for turn in trajectory.turns),
    )


def read_marks(path: Path) -> list[Mark]:
    """The marks of an exam so far; a line in the making counts for nothing.

    Raises:
        UsageError: naming the line that is no mark.
    """
    marks = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                marks.append(Mark.from_json(line))
            except ValidationError:
                raise UsageError(f"{path}, line {number} is no mark of an exam: remove the line to go on") from None
    return marks


def line_of(name: str, marks: Sequence[Mark]) -> dict[str, Any]:
    """An exam as it stands in a line of metrics. Accuracy is the mean over capabilities."""
    shares = by_capability(marks)
    return {
        "exam": name,
        "tasks": len(marks),
        "failed": sum(mark.value is None for mark in marks),
        "queries": sum(mark.queries for mark in marks),
        "pages": sum(mark.pages for mark in marks),
        "accuracy": fmean(shares.values()) if shares else 0.0,
        "by_capability": shares,
    }


def by_capability(marks: Iterable[Mark]) -> dict[str, float]:
    """Accuracy of each capability of which a task was marked."""
    values: dict[str, list[float]] = {}
    for mark in marks:
        if mark.value is not None:
            values.setdefault(mark.capability, []).append(mark.value)
    return {name: fmean(found) for name, found in sorted(values.items())}
