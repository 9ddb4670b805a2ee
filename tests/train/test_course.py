"""Whole runs of `lite train` with a tiny random model: what is written, what a kill leaves, what a collapse does."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lite.agents import named_agent
from lite.dialect import parse_turn, render_turn
from lite.errors import ModelError, UsageError
from lite.models import load_model
from lite.records import Call, Message, Stop, Task, Trajectory, Turn
from tests.train.conftest import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

RECIPE = """
name = "tiny"
seed = 3
world = "pages.jsonl"
train = "tasks.jsonl"
dev = "tasks.jsonl"

[policy]
model = "transformers:model"
dtype = "float32"
rank = 4
alpha = 8

[agent]
context = 1000
prompt = "prompt.txt"
limits = {{ turns = 4, turn_tokens = 100, answer_tokens = 16, results = 2, visit_words = 30, malformed = 1 }}

[sampler]
engine = "transformers"
width = 8

[sft]
demonstrations = 4
epochs = 1
rows = 2
every = 2

[updates]
tasks = 2
rollouts = 2
refills = 0
anchor = 0.5

[held_out]
tasks = 2
every = 2

[[stages]]
steps = {steps}
keep = ""
temperature = 1.0
learning_rate = {rate}
"""

EXAM = '[exam]\nof = "test.jsonl"\ntasks = 3\n\n'


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """Everything a recipe names."""
    (tmp_path / "model").symlink_to(tiny_folder)
    (tmp_path / "prompt.txt").write_text("Research it.")
    cities = ["Oslo", "Bergen", "Narvik", "Hamar"]
    pages = [
        {"url": f"https://a.test/{city}", "title": city, "doc": f"# {city}\n\n- **Population:** {1000 + n}\n"}
        for n, city in enumerate(cities)
    ]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    tasks = [
        Task(
            id=f"t{n}",
            question=f"What population is given for {city}?",
            answers=(str(1000 + n),),
            evidence=(f"https://a.test/{city}",),
            capability="direct",
            hops=1,
            derivation={"op": "fact", "page": f"https://a.test/{city}", "relation": "Population"},
        )
        for n, city in enumerate(cities)
    ]
    (tmp_path / "tasks.jsonl").write_text("".join(task.to_json() + "\n" for task in tasks))
    return tmp_path


def recipe(folder: Path, *, steps: int = 3, rate: float = 1e-3) -> Path:
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(steps=steps, rate=rate))
    return path


def trained(folder: Path, out: str) -> Path:
    from lite.train.course import Course
    from lite.train.recipes import read_recipe

    Course(read_recipe(folder / "tiny.toml"), folder / out, lambda _: None).run()
    return folder / out


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("varied")
def test_a_run_leaves_what_one_needs_to_follow_it(folder: Path) -> None:
    recipe(folder)
    run = trained(folder, "run")
    told = lines(run)
    assert told[0]["demonstrations"] == 4
    assert [(line["step"], "look" in line) for line in told if line.get("stage") == 0] == [(1, False), (2, True)]
    assert all("loss" in line and "entropy" in line for line in told if line.get("stage") == 0)  # each its own
    steps = [line for line in told if line.get("stage") == 1 and "reward" in line]
    assert [line["step"] for line in steps] == [1, 2, 3]
    for name in ("answered", "visits", "length", "malformed", "grad_norm", "entropy", "sampler_offset", "groups_kept"):
        assert all(name in line for line in steps), name
    assert ["kl_start" in line for line in steps] == [True, False, True]
    assert abs(steps[0]["kl_start"]) < 1e-9 < steps[2]["kl_start"]
    assert [line["step"] for line in told if "look" in line] == [2, 0, 2, 3]
    state = json.loads((run / "state.json").read_text())
    assert set(state) == {"sft", "first", "stage-1"}
    assert (run / "stage-1" / "best" / "adapter.gguf").stat().st_size > 1000
    tried = [json.loads(line) for line in (run / "stage-1" / "rollouts" / "00000.jsonl").read_text().splitlines()]
    assert len(tried) == 4
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["settings"]["updates"]["tasks"] == 2
    agent = named_agent(str(run / "agent.toml"))
    model = load_model(agent.model, context=256)
    adapter = json.loads((run / "stage-1" / "best" / "adapter_config.json").read_text())
    assert (model.name, adapter["r"]) == (agent.model, 4)
    assert agent.model.endswith(f"+{(run / 'stage-1' / 'best').resolve()}")
    model.close()


def test_a_run_that_is_over_is_not_run_again(folder: Path) -> None:
    recipe(folder, steps=1)
    before = lines(trained(folder, "run"))
    assert lines(trained(folder, "run")) == before
    recipe(folder, steps=2)
    with pytest.raises(UsageError, match="other settings"):
        trained(folder, "run")


def test_an_exam_measures_base_cold_start_and_stages_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lite.train.rollouts import Inline

    worn = []
    rolled = Inline.roll

    def roll(self, attempts, settings, adapter):
        if attempts[0].task.id.endswith("-test"):
            parameters = dict(self._model._model.named_parameters())
            change = sum(float(one.detach().abs().sum()) for name, one in parameters.items() if "lora_B" in name)
            worn.append((adapter and adapter.parent.parent.name, change))
            assert settings.sampling.temperature == 0
        return rolled(self, attempts, settings, adapter)

    monkeypatch.setattr(Inline, "roll", roll)
    path = recipe(folder, steps=1)
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    (folder / "test.jsonl").write_text("".join(json.dumps(one | {"id": one["id"] + "-test"}) + "\n" for one in tasks))
    path.write_text(path.read_text().replace("[held_out]", EXAM + "[held_out]"))
    run = trained(folder, "run")
    exams = [line for line in lines(run) if "exam" in line]
    assert [(line["exam"], line["tasks"]) for line in exams] == [("base", 3), ("sft", 3), ("stage-1", 3)]
    marks = {path.stem: [json.loads(line) for line in path.open()] for path in (run / "exam").iterdir()}
    assert set(marks) == {"base", "sft", "stage-1"}
    assert all({one["task"] for one in found} == {"t0-test", "t1-test", "t2-test"} for found in marks.values())
    assert [name for name, _ in worn] == [None, "sft", "stage-1"]
    assert worn[0][1] == 0 < worn[1][1]
    before = lines(run)
    assert lines(trained(folder, "run")) == before


def test_a_run_begins_with_the_adapter_it_is_given(folder: Path) -> None:
    """As GGUF, the way `lite export` writes it: no cold start, and the exam has what it began with.

    The base is a GGUF file too, so in the end there is an agent that runs.
    """
    from lite.models.huggingface import load
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.gguf import write_model

    write_model(load(folder / "model", "float32")[0], smollm2_gguf(), folder / "base.gguf", "f32")
    path = recipe(folder, steps=1)
    first = trained(folder, "run")
    given = first / "sft" / "best" / "adapter.gguf"
    text = path.read_text()
    start, end = text.index("[sft]"), text.index("[updates]")
    without = text[:start] + text[end:].replace("anchor = 0.5", "").replace("[held_out]", EXAM + "[held_out]")
    without = without.replace("transformers:model", "llamacpp:base.gguf")
    path.write_text(without.replace("alpha = 8", f'alpha = 8\nadapter = "{given}"'))
    tasks = (folder / "tasks.jsonl").read_text()
    (folder / "test.jsonl").write_text(tasks.replace('"id":"t', '"id":"test'))
    second = trained(folder, "again")
    assert (second / "start" / "adapter.gguf").read_bytes() == given.read_bytes()
    assert json.loads((second / "state.json").read_text()).keys() >= {"start", "stage-1", "exam-base", "exam-start"}
    agent = named_agent(str(second / "agent.toml"))
    assert (agent.limits.turns, agent.sampling.temperature) == (4, 0.0)
    assert Path(agent.prompt or "").read_text() == "Research it."
    load_model(agent.model, context=256).close()
    path.write_text(path.read_text().replace("alpha = 8", "alpha = 16"))
    with pytest.raises(ModelError, match=r"has alpha 8 and policy\.alpha is 16"):
        trained(folder, "other")


@pytest.mark.parametrize("checkpoint", ["sft/checkpoint-1", "stage-1/checkpoint-2"])
def test_a_killed_run_goes_on_as_if_nothing_had_been(folder: Path, checkpoint: str) -> None:
    """Killed with -9 behind a checkpoint; what it learns, draws and writes is that of a run nobody touched.

    Each part is a process of its own: with another number of threads, as other tests leave it, sums differ in the end.
    """
    path = recipe(folder, steps=4)
    path.write_text(path.read_text().replace("epochs = 1\nrows = 2\nevery = 2", "epochs = 2\nrows = 2\nevery = 1"))
    whole, killed = folder / "whole", folder / "killed"
    command = [sys.executable, "-m", "lite.cli", "train", str(path), "--out"]
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    child = subprocess.Popen([*command, str(killed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 600
    while not (killed / checkpoint / "lite.json").exists():
        assert child.poll() is None, child.stdout and child.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    refused = subprocess.run([*command, str(killed)], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "give --resume" in refused.stderr
    subprocess.run([*command, str(killed), "--resume"], check=True, capture_output=True)

    def curve(run: Path) -> dict[tuple, dict]:
        noise = ("seconds", "step_seconds", "rollout_seconds", "rollout_tokens_per_second", "calls_per_second")
        told = [{key: value for key, value in line.items() if key not in noise} for line in lines(run)]
        return {(line["stage"], line["step"], "look" in line): line for line in told if "step" in line}

    assert curve(killed) == curve(whole)
    assert (killed / "stage-1/current/adapter.gguf").read_bytes() == (
        whole / "stage-1/current/adapter.gguf"
    ).read_bytes()


def test_a_collapse_is_rolled_back_once_and_then_ends_the_run(folder: Path) -> None:
    """A sentinel that cries at any gradient at all."""
    path = recipe(folder, steps=9)
    path.write_text(path.read_text().replace("[held_out]", "[sentinel]\ngrad_norm = 1e-6\npatience = 1\n\n[held_out]"))
    with pytest.raises(ModelError, match=r"stage 1 collapsed again \(grad_norm went from"):
        trained(folder, "run")
    told = lines(folder / "run")
    steps = [line for line in told if "learning_rate" in line]
    assert [line["step"] for line in steps] == [1, 2, 1, 2]
    assert [line["learning_rate"] for line in steps] == [1e-3, 1e-3, 5e-4, 5e-4]
    assert len([line for line in told if "collapse" in line]) == 2
    assert (folder / "run" / "stage-1" / "best" / "adapter.gguf").exists()
    with pytest.raises(ModelError, match=r"stage 1 collapsed again \(grad_norm went from"):
        trained(folder, "run")  # it is not gone on with
    assert lines(folder / "run") == told


@pytest.mark.usefixtures("varied")
def test_a_stage_that_had_ended_when_it_was_killed_does_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lite.train.course import Course

    path = recipe(folder, steps=9)
    path.write_text(path.read_text() + "patience = 1\n")
    noted = Course._done

    def killed(course: Course, part: str, **told: object) -> None:
        if part == "stage-1":
            raise KeyboardInterrupt
        noted(course, part, **told)

    monkeypatch.setattr(Course, "_done", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(folder, "run")
    before = lines(folder / "run")
    assert before[-1]["step"] == 2  # a look that was no better
    monkeypatch.setattr(Course, "_done", noted)
    trained(folder, "run")
    assert lines(folder / "run") == before
    assert "stage-1" in json.loads((folder / "run" / "state.json").read_text())


def test_one_gpu_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    recipe(folder)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="2 GPUs are visible and training takes one: CUDA_VISIBLE_DEVICES=0"):
        trained(folder, "run")


@pytest.mark.usefixtures("varied")
def test_an_absurd_learning_rate_is_caught_and_the_healthy_weights_are_gone_back_to(folder: Path) -> None:
    path = recipe(folder, steps=9, rate=50.0)
    path.write_text(path.read_text().replace("[held_out]", "[sentinel]\npatience = 1\n\n[held_out]"))
    with pytest.raises(ModelError, match=r"stage 1 collapsed again"):
        trained(folder, "run")
    first, second = [line["collapse"] for line in lines(folder / "run") if "collapse" in line]
    assert first
    assert second
    stage = folder / "run" / "stage-1"
    assert (stage / "healthy" / "adapter.gguf").read_bytes() == (stage / "best" / "adapter.gguf").read_bytes()
    assert (stage / "best" / "adapter.gguf").read_bytes() == (folder / "run/sft/best/adapter.gguf").read_bytes()


def test_stages_rate_their_tasks_and_go_on_from_each_other(folder: Path) -> None:
    """With two updates a step: what is written, saved and looked at goes by steps."""
    path = recipe(folder, steps=2)
    told = path.read_text().replace('keep = ""', 'keep = "0 <= correct <= 2"\ntries = 2\npool = 3')
    stage = told[told.index("[[stages]]") :]
    path.write_text(told.replace("refills = 0", "refills = 0\nupdates = 2") + stage)
    trained(folder, "run")
    found = lines(folder / "run")
    rated = [line for line in found if "histogram" in line]
    assert [(line["stage"], line["rated"], line["kept"]) for line in rated] == [(1, 3, 3), (2, 3, 3)]
    assert [(line["stage"], line["step"]) for line in found if "learning_rate" in line] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]
    assert [(line["stage"], line["step"]) for line in found if "look" in line and line["stage"]] == [
        (1, 0), (1, 2), (2, 0), (2, 2)
    ]  # fmt: skip
    chosen = (folder / "run" / "stages" / "2.jsonl").read_text().splitlines()
    assert all("tries right" in json.loads(line)["why"] for line in chosen)
    saved = sorted(path.name for path in (folder / "run" / "stage-2").glob("checkpoint-*"))
    assert saved == ["checkpoint-2", "checkpoint-4"]  # after each step, not after each update


def test_what_is_longer_than_the_window_is_learnt_from_neither_at_first_nor_after_a_kill(folder: Path) -> None:
    """It is left out of the demonstrations themselves, which a run that goes on reads again."""
    look = render_turn("I look.", Call(tool="search", arguments={"query": ["Oslo"]}))
    found = [
        Trajectory(
            task_id="t0",
            question="What population is given for Oslo?",
            messages=(Message(role="system", content="s"), Message(role="user", content="q")),
            turns=(
                Turn(text=look, think="I look.", call=parse_turn(look).call, observation="Population 1000. " * times),
                Turn(text=render_turn("So.", answer="1000"), think="So.", answer="1000"),
            ),
            answer="1000",
            answered=True,
            stop=Stop.ANSWERED,
        )
        for times in (1, 1000)
    ]
    (folder / "theirs.jsonl").write_text("".join(one.to_json() + "\n" for one in found))
    path = recipe(folder)
    (folder / "dev.jsonl").write_text((folder / "tasks.jsonl").read_text().splitlines()[1] + "\n")
    told = path.read_text().replace("[sft]", '[sft]\nfiles = ["theirs.jsonl"]')
    told = told.replace('dev = "tasks.jsonl"', 'dev = "dev.jsonl"')
    path.write_text(told[: told.index("[[stages]]")].replace("anchor = 0.5", ""))
    trained(folder, "run")
    [line] = [line for line in lines(folder / "run") if "dropped" in line]
    assert line["dropped"]["longer than the window"] == 1
    assert line["demonstrations"] == line["sequences"] == 3
    kept = (folder / "run" / "demonstrations.jsonl").read_text().splitlines()
    assert len(kept) == 3
    assert all(len(one) < 5000 for one in kept)


def test_what_a_recipe_lacks_is_said_before_anything_is_loaded(folder: Path) -> None:
    path = recipe(folder)
    path.write_text(path.read_text().replace('"transformers:model"', '"transformers:nothing"'))
    done = subprocess.run(
        [sys.executable, "-m", "lite.cli", "train", str(path), "--out", str(folder / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nothing: name the policy's model" in done.stderr
    assert not (folder / "run").exists()
