"""Unsloth's loader: the same adapter, the same loss by hand, and an update that the sampler sees.

Each test is a process of its own, because Unsloth changes torch, transformers, peft and trl for good. Without a GPU its
CPU backend runs: its loader, not its kernels. dev/LOG.md says how it was installed. What a process does are the tests
of test_grpo, with models and trainers as Unsloth leaves them.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.conftest import MISSING

LACKING = [*MISSING, *(["unsloth"] if importlib.util.find_spec("unsloth") is None else [])]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}")

BY_HAND = """
for loss in ("grpo", "dapo"):
    hand.test_the_gradient_is_the_one_computed_by_hand(out / loss, folder, loss, 2.0, 8)
hand.test_an_update_is_seen_by_the_sampler_and_raises_what_was_better(out, folder)
"""


COLD_START = """
from lite.models.turn import Tokens
from lite.recipe import ColdStart, TrainSettings
from lite.train.sft import train_on
row = Tokens([1, 50, 60, 70, 80], [False, False, True, True, True], [0.0] * 5)
logged = {}
def updated(step, left, logs):
    logged.update(logs)
    return False
recipe = TrainSettings(name="a", world="w", train="t", dev="d", policy=settings, seed=1)
saved = []
train_on(policy, [row] * 4, recipe, ColdStart(rows=2, epochs=1, every=1), out, updated, saved.append)
assert [path.name for path in saved] == ["checkpoint-1", "checkpoint-2"]
assert "entropy" in logged and logged["loss"] > 0, logged
"""


def in_a_process(tmp_path: Path, tiny_folder: Path, code: str) -> list[str]:
    """The last line that `code` prints, by words. It has the folder `out`, and that of the tiny model."""
    script = f"from pathlib import Path\nfolder, out = Path({str(tiny_folder)!r}), Path({str(tmp_path)!r})\n{code}"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1].split()


def test_a_model_that_unsloth_loads_has_the_loss_and_its_updates_are_seen(tmp_path: Path, tiny_folder: Path) -> None:
    said = in_a_process(
        tmp_path,
        tiny_folder,
        f"""
from lite.recipe import PolicySettings
from lite.train.policy import Policy
told = dict(model=f"transformers:{{folder}}", dtype="float32", rank=4, alpha=8)
first = Policy.load(PolicySettings(**told, loader="unsloth"), seed=3)
from tests.train import test_grpo as hand
hand.PolicySettings = lambda **told: PolicySettings(**told, loader="unsloth")
{BY_HAND}
from lite.train.grpo import GRPOConfig, GRPOTrainer
print(type(first.model).__name__, GRPOConfig.__module__, GRPOTrainer.__module__)
""",
    )
    assert said == ["PeftModelForCausalLM", "trl.trainer.grpo_config_of_trl", "trl.trainer.grpo_trainer_of_trl"]


def test_the_adapter_is_the_one_that_peft_alone_makes_and_a_checkpoint_is_read(
    tmp_path: Path, tiny_folder: Path
) -> None:
    said = in_a_process(
        tmp_path,
        tiny_folder,
        """
import torch
from lite.errors import ModelError
from lite.recipe import PolicySettings
from lite.train.policy import Policy
def load(loader, **changes):
    told = dict(model=f"transformers:{folder}", dtype="float32", rank=4, alpha=8) | changes
    return Policy.load(PolicySettings(**told, loader=loader), seed=3, adapter=out / "kept" if changes else None)
def state(policy):
    return {name: p.detach() for name, p in policy.model.named_parameters() if p.requires_grad}
def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
ours, theirs = load("unsloth"), load("transformers")
fresh = same(state(ours), state(theirs))
with torch.no_grad():
    for p in state(ours).values():
        p.normal_(0, 0.1)
ours.save(out / "kept")
read = same(state(load("unsloth", gradient_checkpointing=True)), state(ours))
try:
    load("unsloth", load_in_4bit=True)
    refused = False
except ModelError as error:
    refused = "no 4-bit weights" in str(error)
print(fresh, read, refused)
""",
    )
    bitsandbytes = importlib.util.find_spec("bitsandbytes") is not None
    assert said == ["True", "True", str(not bitsandbytes)]


def test_a_cold_start_has_trls_trainer_too(tmp_path: Path, tiny_folder: Path) -> None:
    """Unsloth's would log no entropy, by which a cold start may end."""
    said = in_a_process(
        tmp_path,
        tiny_folder,
        f"""
from lite.recipe import PolicySettings
from lite.train.policy import Policy
settings = PolicySettings(model=f"transformers:{{folder}}", loader="unsloth", dtype="float32", rank=4, alpha=8)
policy = Policy.load(settings, seed=3)
{COLD_START}
print("done")
""",
    )
    assert said == ["done"]


def test_the_trainers_that_unsloth_makes_on_a_gpu_are_not_used(tmp_path: Path, tiny_folder: Path) -> None:
    """Its GPU half imported without a GPU, as Unsloth's own tests do it; then TRL's trainers are exchanged as there."""
    said = in_a_process(
        tmp_path,
        tiny_folder,
        f"""
import os
os.environ |= {{"UNSLOTH_ALLOW_CPU": "1", "UNSLOTH_COMPILE_LOCATION": str(out / "compiled")}}
from lite.train.unsloth import import_first
import_first()
from unsloth.models import rl
for name in ("grpo_trainer", "sft_trainer"):
    rl._patch_trl_rl_trainers(name)
import trl
from tests.train import test_grpo as hand
{BY_HAND}
from lite.recipe import PolicySettings
settings = PolicySettings(model=f"transformers:{{folder}}", dtype="float32", rank=4, alpha=8)
policy = hand.trainer_of(folder, out, hand.ROWS)[1]
{COLD_START}
from lite.train.grpo import GRPOTrainer
print(trl.GRPOTrainer.__name__, GRPOTrainer.__module__)
""",
    )
    assert said == ["UnslothGRPOTrainer", "trl.trainer.grpo_trainer_of_trl"]
