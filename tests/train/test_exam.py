"""The exam: marks written as they come, a killed one gone on with, tasks that no other part of the run knows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lite.errors import UsageError
from lite.records import Call, Reward, Stop, Task, Trajectory, Turn
from lite.train.exam import Mark, line_of, read_marks, sit
from lite.train.recipes import exam_tasks, read_recipe
from lite.train.rollouts import Attempt, Rollout

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
TASKS = [
    Task(id=f"t{n}", question="q", answers=("a",), capability="direct" if n % 2 else "statistics", hops=1 + n % 2)
    for n in range(7)
]


def rolled(task: Task) -> Rollout:
    """Tasks are solved if their number is odd; the last one fails."""
    number = int(task.id[1:])
    turns = (
        Turn(text="s", call=Call(tool="search", arguments={"query": ["q", "r"]}), observation="o", completion_tokens=5),
        Turn(text="v", call=Call(tool="visit", arguments={"url": ["u"]}), observation="o", completion_tokens=7),
        Turn(text="a", answer="a", completion_tokens=2),
    )
    told = {"turns": turns, "stop": Stop.ANSWERED, "answered": True, "reward": Reward(value=float(number % 2))}
    if number == 6:
        told = {"turns": turns[:1], "stop": Stop.FAILED, "reward": Reward()}
    return Rollout(Attempt(task, 0, 0), Trajectory(task_id=task.id, question="q", **told), ())


class Killed(Exception):
    pass


def test_a_killed_exam_goes_on_behind_its_last_whole_line(tmp_path: Path) -> None:
    path, asked, said = tmp_path / "exam" / "sft.jsonl", [], []

    def roll(tasks: Sequence[Task]) -> Iterator[Rollout]:
        for task in tasks:
            if len(asked) == 4:
                asked.append("killed")
                raise Killed
            asked.append(task.id)
            yield rolled(task)

    with pytest.raises(Killed):
        sit(TASKS, path, roll, said.append)
    with path.open("ab") as file:
        file.write(b'{"task": "t4", "capab')  # what a kill leaves
    assert [mark.task for mark in read_marks(path)] == ["t0", "t1", "t2", "t3"]
    marks = sit(TASKS, path, roll, said.append)
    assert asked == ["t0", "t1", "t2", "t3", "killed", "t4", "t5", "t6"]
    assert marks == read_marks(path)
    assert marks[1] == Mark(
        task="t1",
        capability="direct",
        hops=2,
        value=1,
        stop=Stop.ANSWERED,
        answered=True,
        visits=1,
        searches=1,
        queries=2,
        pages=1,
        tokens=14,
    )
    assert said[-1] == "exam of sft: 7 of 7 tasks"
    before = path.read_bytes()
    assert sit(TASKS, path, roll, said.append) == marks
    assert (asked[-1], path.read_bytes()) == ("t6", before)


def test_an_exam_is_a_line_of_metrics_and_what_failed_counts_for_nothing(tmp_path: Path) -> None:
    marks = sit(TASKS, tmp_path / "base.jsonl", lambda tasks: map(rolled, tasks), lambda _: None)
    assert line_of("base", marks) == {
        "exam": "base",
        "tasks": 7,
        "failed": 1,
        "queries": 14,
        "pages": 6,
        "accuracy": 0.5,
        "by_capability": {"direct": 1.0, "statistics": 0.0},
    }


def test_a_damaged_mark_is_named(tmp_path: Path) -> None:
    path = tmp_path / "base.jsonl"
    path.write_text('{"task": 1}\n')
    with pytest.raises(UsageError, match=r"base.jsonl, line 1 is no mark"):
        read_marks(path)


def test_the_exam_has_so_many_tasks_of_each_capability_and_none_that_the_run_knows() -> None:
    changes = ("exam.of=../data/tasks/test.jsonl.zst", "exam.tasks=3", 'capabilities=["direct", "statistics"]')
    settings = read_recipe(RECIPES / "atlas-cpu.toml", changes)
    tasks = exam_tasks(settings)
    assert sorted(task.capability or "" for task in tasks) == ["direct"] * 3 + ["statistics"] * 3
    assert max(task.hops or 1 for task in tasks) <= 2
    with pytest.raises(UsageError, match=r"stands in dev too"):
        exam_tasks(read_recipe(RECIPES / "atlas-cpu.toml", ("exam.of=../data/tasks/dev.jsonl.zst",)))
