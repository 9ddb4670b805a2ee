"""A run that is killed, at any turn, goes on behind its last whole turn."""

import subprocess
import sys
from pathlib import Path

import pytest

from lite.dialect import render_turn
from lite.errors import ModelError, UsageError
from lite.evaluate import evaluate
from lite.models.scripted import Scripted
from lite.records import Call, Fault, Reply, Task
from lite.run import Journal, Run, read_trajectories

TURNS = 4  # searches before the answer

SCRIPT = """
import os, signal, sys
sys.path.insert(0, {here!r})
from test_resume import Player
from lite.evaluate import evaluate
class Mortal(Player):
    def generate(self, requests):
        replies = super().generate(requests)
        if self.asked > {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return replies
evaluate({tasks!r}, world={world!r}, model=Mortal(), out={out!r}, width=2)
"""


class Player(Scripted):
    """Searches for something else each turn, then answers; counts what it is asked for."""

    def __init__(self) -> None:
        searches = [render_turn("look", Call(tool="search", arguments={"query": [f"fact {n}"]})) for n in range(TURNS)]
        super().__init__([*searches, render_turn("sure", answer="Paris")])
        self.asked = 0

    def generate(self, requests):
        self.asked += len(requests)
        return super().generate(requests)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(Task(id=f"t{n}", question=f"Q{n}?", answers=("Paris",)).to_json() + "\n" for n in range(3)))
    return path


# Two in step: killed in the first call, in the third, and in the second of the last task alone.
@pytest.mark.parametrize(("after", "asked_again"), [(0, 15), (5, 11), (11, 4)])
def test_a_killed_evaluation_loses_the_turn_in_flight_and_no_more(
    world: Path, tasks: Path, tmp_path: Path, after: int, asked_again: int
) -> None:
    out = tmp_path / "run"
    script = SCRIPT.format(
        here=str(Path(__file__).parent), after=after, tasks=str(tasks), world=str(world), out=str(out)
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2])
    assert killed.returncode == -9
    model = Player()
    report = evaluate(tasks, world=world, model=model, out=out, width=2)
    assert (report.tasks, report.exact) == (3, 1.0)
    assert model.asked == asked_again
    whole = evaluate(tasks, world=world, model=Player(), out=tmp_path / "whole", width=2)
    varying = {"seconds", "model_seconds", "tool_seconds"}
    assert report.model_dump(exclude=varying) == whole.model_dump(exclude=varying)
    assert not (out / "replies.jsonl").exists()


def test_a_failed_episode_goes_on_where_it_failed(world: Path, tasks: Path, tmp_path: Path) -> None:
    class Flaky(Player):
        def generate(self, requests):
            replies = super().generate(requests)
            return [Fault(where="model", error="down") if self.asked > 9 else one for one in replies]

    first = Flaky()
    evaluate(tasks, world=world, model=first, out=tmp_path / "run", width=3)
    second = Player()
    report = evaluate(tasks, world=world, model=second, out=tmp_path / "run", width=3)
    assert report.exact == 1.0
    assert second.asked == 3 * (TURNS + 1) - 9
    assert [one.stop.value for one in read_trajectories(tmp_path / "run")] == ["failed"] * 3 + ["answered"] * 3


def test_a_half_written_reply_is_left_out_and_damage_is_said(tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    with Journal(file) as journal:
        for text in ("one", "two"):
            journal.add("a", Reply(text=text))
        journal.add("b", Reply(text="three", token_ids=(1, 2), logprobs=(-0.5, -1.0)))
        journal.end("a")
    file.write_bytes(file.read_bytes() + b'{"key": "b", "rep')
    with Journal(file) as journal:
        assert journal.replies("a") == []
        assert journal.replies("b") == [Reply(text="three", token_ids=(1, 2), logprobs=(-0.5, -1.0))]
        journal.add("b", Reply(text="four"))
    with Journal(file) as journal:
        assert [one.text for one in journal.replies("b")] == ["three", "four"]
        journal.end("b")
    assert not file.exists()
    file.write_text("no json\n")
    with pytest.raises(UsageError, match="is damaged: remove it"):
        Journal(file)


def test_attempts_are_recorded_apart_and_greedy_ones_are_refused(world: Path, tasks: Path, tmp_path: Path) -> None:
    report = evaluate(tasks, world=world, model=Player(), out=tmp_path / "run", attempts=2)
    assert (report.trajectories, report.intervals["pass@2"].value) == (6, 1.0)
    found = sorted((one.task_id, one.attempt) for one in read_trajectories(tmp_path / "run"))
    assert found == [(f"t{n}", attempt) for n in range(3) for attempt in range(2)]
    with pytest.raises(UsageError, match="all the same"):
        evaluate(tasks, world=world, model=Player(), out=tmp_path / "x", attempts=2, sampling={"temperature": 0})


def test_a_server_that_stays_down_ends_the_run(world: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    many.write_text("".join(Task(id=f"t{n}", question="Q?", answers=("x",)).to_json() + "\n" for n in range(9)))
    with pytest.raises(ModelError, match="failed one after the other"):
        evaluate(many, world=world, model=Scripted([]), out=tmp_path / "run")


def test_replies_under_way_are_not_played_to_a_run_of_other_settings(tmp_path: Path) -> None:
    settings = {"model": "a"}
    with Run.start(tmp_path / "run", settings) as run, run.journal() as journal:
        journal.add("t0/0", Reply(text="said by a"))
    with pytest.raises(UsageError, match=r"other settings \(model\)"):
        Run.start(tmp_path / "run", {"model": "b"})
    with Run.start(tmp_path / "run", settings) as run, run.journal() as journal:
        assert journal.replies("t0/0") == [Reply(text="said by a")]
