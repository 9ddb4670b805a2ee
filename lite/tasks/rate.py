"""How hard is a task for a model? pass@k by real rollouts, and as many tries closed-book: without the tools.

A task that the model answers from memory teaches it no searching. Resumable: every try is written down as it ends.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lite.dialect import parse_turn
from lite.drive import drive, from_anywhere, manifest, open_model, start
from lite.errors import ModelError, UsageError
from lite.evaluate import read_tasks
from lite.models import Model
from lite.recipe import EvalSettings
from lite.records import Fault, Generate, Message, Record, Reply, Stop, Task, Trajectory, Turn
from lite.reward import grade
from lite.run import Run, digest
from lite.tasks.files import write_tasks
from lite.world import World

_FROM_MEMORY = """\
Answer the question from what you know. There are no tools. Think once, then give the answer, which holds only words, \
numbers or a phrase:
<think>your thinking</think>
<answer>your answer</answer>"""
_HOPELESS = 5  # failed tries in a row after which it stops
_BATCH = 8  # closed-book questions asked at once

Progress = Callable[[str, int, int], None]


class Rating(Record):
    """What the tries of a set of tasks came to: how many tasks had 0, 1, … k right; and closed-book likewise."""

    tasks: int
    k: int
    correct: dict[int, int]
    closed_correct: dict[int, int]
    failed: int


def rate(
    tasks: str | Path,
    *,
    world: str | Path,
    model: str,
    out: str | Path,
    k: int = 8,
    closed: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Rating:
    """Try every task `k` times with the tools and `closed` times without, and write the tasks with their counts.

    Each task gets `tries`, `correct`, `closed_tries` and `closed_correct`. The tries themselves are in `OUT.run`; the
    same call goes on there.

    Args:
        closed: closed-book tries; None for `k`.
        progress: called with (what is being done, tries done, tries in all).
        settings: any other field of `lite.recipe.EvalSettings`.

    Raises:
        UsageError: the tasks cannot be read, `OUT.run` holds a run of other settings, or the tries would be one.
        ModelError: the model fails one try after the other.
    """
    named = {"tasks": from_anywhere(tasks), "world": from_anywhere(world), "model": model}
    chosen = EvalSettings.read(named | settings)
    todo = read_tasks(chosen.tasks)[: chosen.limit]
    if k < 1:
        raise UsageError(f"{k} tries were asked for: ask for 1 or more")
    from_memory = k if closed is None else closed
    if (most := max(k, from_memory)) > 1 and chosen.sampling.temperature == 0:
        raise UsageError(f"{most} tries at temperature 0 are all the same: raise it (--temperature 0.6), or make one")
    out = Path(out)
    with ExitStack() as stack:
        opened = stack.enter_context(World.open(world))
        told = manifest(chosen, opened, model)
        told |= {"k": k, "tasks_digest": digest("\n".join(task.to_json() for task in todo))}
        folder = out.with_name(f"{out.name}.run")
        run = stack.enter_context(Run.start(folder / "rollouts", told))
        book = stack.enter_context(Run.start(folder / "closed-book", told | {"closed": closed}))
        loaded = open_model(stack, model, chosen)
        _fill(run, _pairs(todo, k, run), lambda pairs: _rollouts(pairs, opened, loaded, chosen), "rating", progress)
        _fill(
            book,
            _pairs(todo, from_memory, book),
            lambda pairs: _from_memory(pairs, loaded, chosen),
            "closed book",
            progress,
        )
        grades, closed_grades = _grades(run, k), _grades(book, from_memory)
        rated = [_rated(task, grades.get(task.id, []), closed_grades.get(task.id, []), k) for task in todo]
    write_tasks(rated, out)
    return summary(rated, k)


_Pair = tuple[Task, int]


def _pairs(tasks: Sequence[Task], k: int, run: Run) -> tuple[list[_Pair], int]:
    """The tries that are still to be made, attempt by attempt; and how many there are in all."""
    done = {(one.task_id, one.attempt) for one in run.trajectories() if one.stop is not Stop.FAILED}
    pairs = [(task, attempt) for task in tasks for attempt in range(k)]
    return [pair for pair in pairs if (pair[0].id, pair[1]) not in done], len(pairs)


def _fill(
    run: Run,
    work: tuple[list[_Pair], int],
    attempts: Callable[[list[_Pair]], Iterable[Trajectory]],
    stage: str,
    progress: Progress | None,
) -> None:
    pairs, total = work
    failures = 0
    if progress:
        progress(stage, total - len(pairs), total)
    for count, trajectory in enumerate(attempts(pairs), 1):
        run.append(trajectory)
        failures = failures + 1 if trajectory.stop is Stop.FAILED else 0
        if failures > max(_HOPELESS, _BATCH):
            raise ModelError(
                f"{failures} tries failed one after the other ({trajectory.error}): mend that, then run the same "
                "command; what is done is kept"
            )
        if progress:
            progress(stage, total - len(pairs) + count, total)


def _rollouts(pairs: list[_Pair], world: World, model: Model, settings: EvalSettings) -> Iterator[Trajectory]:
    episodes = (start(task, world, model, _seeded(settings, n), attempt=n) for task, n in pairs)
    for index, trajectory in drive(episodes, model, width=settings.width):
        yield trajectory.model_copy(update={"reward": grade(pairs[index][0], trajectory)})


def _seeded(settings: EvalSettings, attempt: int) -> EvalSettings:
    """Each attempt samples with a seed of its own: k times the same try would be one try."""
    sampling = settings.sampling.model_copy(update={"seed": settings.sampling.seed * 1000 + attempt})
    return settings.model_copy(update={"sampling": sampling})


def _from_memory(pairs: list[_Pair], model: Model, settings: EvalSettings) -> Iterator[Trajectory]:
    for at in range(0, len(pairs), _BATCH):
        batch = pairs[at : at + _BATCH]
        asked = [_question(task, attempt, settings) for task, attempt in batch]
        for (task, attempt), request, reply in zip(batch, asked, model.generate(asked), strict=True):
            yield _answered(task, attempt, request, reply)


def _question(task: Task, attempt: int, settings: EvalSettings) -> Generate:
    messages = (Message(role="system", content=_FROM_MEMORY), Message(role="user", content=task.question))
    sampling = _seeded(settings, attempt).sampling
    name = f"closed/{task.id}/{attempt}"
    return Generate(
        messages=messages, max_tokens=settings.limits.turn_tokens, sampling=sampling, form="answer", conversation=name
    )


def _answered(task: Task, attempt: int, request: Generate, reply: Reply | Fault) -> Trajectory:
    if isinstance(reply, Fault):
        return Trajectory(
            task_id=task.id,
            question=task.question,
            attempt=attempt,
            stop=Stop.FAILED,
            failed="model",
            error=reply.error,
        )
    parsed = parse_turn(reply.text, cut=reply.finish == "length")
    turn = Turn(text=reply.text, think=parsed.think, answer=parsed.answer, completion_tokens=reply.completion_tokens)
    trajectory = Trajectory(
        task_id=task.id,
        question=task.question,
        attempt=attempt,
        messages=request.messages,
        turns=(turn,),
        answer=parsed.answer,
        answered=parsed.answer is not None,
        stop=Stop.ANSWERED if parsed.answer is not None else Stop.MALFORMED,
    )
    return trajectory.model_copy(update={"reward": grade(task, trajectory)})


def _grades(run: Run, k: int) -> dict[str, list[float]]:
    """The grades of a run's first `k` attempts by task, those that failed left out; the run is read once."""
    latest = {(one.task_id, one.attempt): one.reward for one in run.trajectories() if one.attempt < k}
    grades: dict[str, list[float]] = {}
    for (name, _), reward in latest.items():
        if reward is not None and reward.value is not None:
            grades.setdefault(name, []).append(reward.value)
    return grades


def _rated(task: Task, tries: list[float], closed: list[float], k: int) -> Task:
    counts = {
        "tries": len(tries),
        "correct": tries.count(1.0),
        "failed_tries": k - len(tries),
        "closed_tries": len(closed),
        "closed_correct": closed.count(1.0),
    }
    return task.model_copy(update=counts)


def summary(rated: Sequence[Task], k: int) -> Rating:
    """The histograms of a rated set."""
    told = [task.model_extra or {} for task in rated]
    return Rating(
        tasks=len(rated),
        k=k,
        correct=dict(sorted(Counter(one.get("correct", 0) for one in told).items())),
        closed_correct=dict(sorted(Counter(one.get("closed_correct", 0) for one in told).items())),
        failed=sum(one.get("failed_tries", 0) for one in told),
    )
