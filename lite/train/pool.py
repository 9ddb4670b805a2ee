"""What a stage trains on: a pool of tasks, rated by the policy as it is, less those it always or never solves."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lite.curriculum import select
from lite.errors import UsageError
from lite.recipe import StageSettings
from lite.records import Task
from lite.train.draw import Drawer
from lite.train.rollouts import Attempt, Rollout
from lite.train.signals import services

Roll = Callable[[Sequence[Attempt]], Iterable[Rollout]]


def choose(stage: StageSettings, tasks: Sequence[Task], roll: Roll, seed: int) -> tuple[list[Task], dict[str, Any]]:
    """The tasks of a stage, each with the reason (`why`) that it is in, and what was found, for the metrics.

    Raises:
        UsageError: the filter is none, or keeps nothing.
    """
    if not stage.rated:
        kept = select(tasks, keep=stage.keep) if stage.keep else list(tasks)
        told: dict[str, Any] = {"kept": len(kept)} if stage.keep else {}
        of = f"{len(tasks)}"
    else:
        rated, told = _rated(stage, Drawer(tasks, stage.capabilities, seed).next(stage.pool), roll, seed)
        kept = select(rated, keep=stage.keep)
        told |= {"rated": len(rated), "kept": len(kept)}
        of = f"{len(rated)} (right of {stage.tries}: {told['histogram']})"
    if not kept:
        raise UsageError(
            f"no task of {of} fits stages.keep = {stage.keep!r}: begin with a longer cold start, or keep others"
        )
    lost = sorted({_kind(task) for task in tasks} - {_kind(task) for task in kept})
    return kept, told | ({"without": lost} if lost else {})


def _rated(stage: StageSettings, pool: Sequence[Task], roll: Roll, seed: int) -> tuple[list[Task], dict[str, Any]]:
    right: dict[str, list[float]] = {task.id: [] for task in pool}
    asked: Counter[str] = Counter()
    for rollout in roll([Attempt(task, n, seed) for task in pool for n in range(stage.tries)]):
        asked.update(services([rollout.trajectory]))
        reward = rollout.trajectory.reward
        if reward is not None and reward.value is not None:
            right[rollout.attempt.task.id].append(reward.value)
    counts = {name: sum(value == 1.0 for value in values) for name, values in right.items()}
    rated = [task.model_copy(update={"tries": len(right[task.id]), "correct": counts[task.id]}) for task in pool]
    return rated, {"histogram": [list(counts.values()).count(n) for n in range(stage.tries + 1)], **asked}


def _kind(task: Task) -> str:
    return task.capability or "all"
