"""Rollout workers: processes that share the work, and what becomes of them and of us when one is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from lite.errors import ModelError
from lite.recipe import AgentSettings
from lite.records import Sampling, Task
from lite.world import World
from tests.train.conftest import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

TASKS = [Task(id=f"t{n}", question=f"Where is town {n}?", answers=("Norway",), capability="direct") for n in range(4)]
AGENT = AgentSettings.read(
    {"context": 2048, "limits": {"turns": 2, "turn_tokens": 24, "answer_tokens": 16, "malformed": 1}}
).model_copy(update={"sampling": Sampling(temperature=1.0, top_p=1.0, top_k=0, presence_penalty=0.0)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """A world, and a tiny model in float32 as llama.cpp reads it."""
    from lite.models.huggingface import load
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.gguf import write_model

    found = tmp_path_factory.mktemp("rollouts")
    model, _ = load(tiny_folder, "float32")
    write_model(model, smollm2_gguf(), found / "model.gguf", "f32")
    page = {"url": "https://a.test/x", "title": "Town", "doc": "# Town\n\nTown 1 is in Norway.\n"}
    (found / "pages.jsonl").write_text(json.dumps(page) + "\n")
    World.build(found / "pages.jsonl", found / "world").close()
    return found


def workers(folder: Path, count: int):
    from lite.train.rollouts import Workers

    return closing(Workers(folder / "model.gguf", folder / "world", context=2048, workers=count, width=3))


def test_what_is_sampled_does_not_depend_on_who_takes_it(folder: Path) -> None:
    from lite.train.rollouts import Attempt

    attempts = [Attempt(task, n, 5) for task in TASKS for n in range(2)]
    found = []
    for count in (1, 2):
        with workers(folder, count) as sampler:
            rolled = list(sampler.roll(attempts, AGENT, None))
            assert not list(sampler.roll([], AGENT, None))
            assert len(list(sampler.roll(attempts[:1], AGENT, None))) == 1  # they wait for the next order
        found.append({(one.attempt.task.id, one.attempt.number): one.sequences for one in rolled})
    assert found[0] == found[1]
    assert len({str(one) for one in found[0].values()}) == len(attempts)  # each try is one of its own
    assert all(any(sequence.sampled) for sequences in found[0].values() for sequence in sequences)


def test_a_worker_that_is_killed_is_one_line(folder: Path) -> None:
    from lite.train.rollouts import Attempt

    with workers(folder, 1) as sampler:
        os.kill(sampler._processes[0].pid, signal.SIGKILL)
        with pytest.raises(ModelError, match="lite-rollouts-0 died") as caught:
            list(sampler.roll([Attempt(TASKS[0], 0, 0)], AGENT, None))
        assert "\n" not in str(caught.value)


def test_workers_end_with_the_process_that_started_them_however_it_ends(folder: Path) -> None:
    script = f"""if __name__ == "__main__":
    from pathlib import Path
    from lite.train.rollouts import Attempt, Workers
    from tests.train.test_rollouts import AGENT, TASKS
    sampler = Workers(Path({str(folder / "model.gguf")!r}), Path({str(folder / "world")!r}), context=2048, workers=2, width=3)
    for _ in sampler.roll([Attempt(TASKS[0], n, 0) for n in range(20_000)], AGENT, None):
        print(*(process.pid for process in sampler._processes), flush=True)  # with all the work still to do
"""
    (folder / "parent.py").write_text(script)
    parent = subprocess.Popen(
        [sys.executable, str(folder / "parent.py")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert parent.stdout
    started = [int(part) for part in parent.stdout.readline().split()]
    assert len(started) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline, "the workers live on"
        time.sleep(0.1)
