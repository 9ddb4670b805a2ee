"""Tasks tried many times by a model that is played: the counts they get, and what would be counted twice."""

import json

import pytest

from lite.errors import UsageError
from lite.evaluate import read_tasks
from lite.records import Task
from lite.run import Run
from lite.tasks.files import write_tasks
from lite.tasks.rate import rate

RIGHT = "<think>I know it.</think><answer>Rome</answer>"
WRONG = "<think>I know it.</think><answer>Oslo</answer>"


@pytest.fixture
def asked(tmp_path):
    """The tasks' file, and the model's name; it is right of every third task."""
    tasks = [Task(id=f"t{n}", question=f"Question {n}, please?", answers=("Rome",)) for n in range(9)]
    write_tasks(tasks, tmp_path / "tasks.jsonl")
    script = {task.question: [WRONG if n % 3 else RIGHT] for n, task in enumerate(tasks)}
    (tmp_path / "script.json").write_text(json.dumps(script))
    return tmp_path / "tasks.jsonl", f"scripted:{tmp_path / 'script.json'}"


def test_every_task_gets_its_counts_and_each_run_is_read_but_twice(league, tmp_path, asked, monkeypatch):
    read: list[str] = []
    original = Run.trajectories

    def counted(run):
        read.append(run.path.name)
        return original(run)

    monkeypatch.setattr(Run, "trajectories", counted)
    tasks, model = asked
    rating = rate(tasks, world=league.path, model=model, out=tmp_path / "rated.jsonl", k=2, closed=3)
    assert rating.correct == {0: 6, 2: 3}
    assert rating.closed_correct == {0: 6, 3: 3}
    assert rating.failed == 0
    for n, task in enumerate(read_tasks(tmp_path / "rated.jsonl")):
        told = (task.tries, task.correct, task.closed_tries, task.closed_correct, task.failed_tries)
        assert told == (2, 0, 3, 0, 0) if n % 3 else told == (2, 2, 3, 3, 0)
    assert sorted(read) == ["closed-book"] * 2 + ["rollouts"] * 2  # what is done already, and the counts


@pytest.mark.parametrize(("k", "closed"), [(4, None), (1, 4), (4, 1)])
def test_several_tries_at_temperature_0_are_one(league, tmp_path, asked, k, closed):
    tasks, model = asked
    told = {"world": league.path, "model": model, "out": tmp_path / "rated.jsonl", "sampling": {"temperature": 0}}
    with pytest.raises(UsageError, match=r"4 tries at temperature 0 are all the same: raise it \(--temperature 0.6\)"):
        rate(tasks, k=k, closed=closed, **told)
    assert not (tmp_path / "rated.jsonl.run").exists()
    assert rate(tasks, k=1, **told).correct == {0: 6, 1: 3}
