"""Unsloth's loader: the same adapter, the same loss by hand, and an update that the sampler sees.

In a process of its own, because Unsloth changes torch, transformers, peft and trl for good. Without a GPU its CPU backend
runs: its model classes and its changes to TRL's settings, not its kernels. dev/LOG.md says how it is installed.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.conftest import MISSING

LACKING = [*MISSING, *(["unsloth"] if importlib.util.find_spec("unsloth") is None else [])]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}")


def in_a_process(tmp_path: Path, tiny_folder: Path, code: str) -> str:
    """What `code` prints. In it: `folder`, of the tiny model, `out`, and a policy by Unsloth of whatever settings."""
    script = f"""
import sys
from pathlib import Path
from lite.recipe import PolicySettings
from lite.train.policy import Policy
folder, out = Path({str(tiny_folder)!r}), Path({str(tmp_path)!r})

def policy_by(loader, **changes):
    known = dict(model=f"transformers:{{folder}}", loader=loader, dtype="float32", rank=4, alpha=8)
    return Policy.load(PolicySettings(**(known | changes)), seed=3, adapter=changes.pop("adapter", None))

first = policy_by("unsloth")
{code}
"""
    environment = os.environ | {"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_loss_is_the_one_computed_by_hand_and_an_update_is_seen(tmp_path: Path, tiny_folder: Path) -> None:
    """test_grpo's own functions, on a model that Unsloth has loaded, in a process where it has changed TRL."""
    told = in_a_process(
        tmp_path,
        tiny_folder,
        """
import torch
from lite.train import grpo
from tests.train import test_grpo as hand
settings = PolicySettings
hand.PolicySettings = lambda **told: settings(**told, loader="unsloth")
for loss in ("grpo", "dapo"):
    hand.test_the_gradient_is_the_one_computed_by_hand(out / loss, folder, loss, 2.0, 8)
hand.test_an_update_is_seen_by_the_sampler_and_raises_what_was_better(out, folder)
config, trainer = grpo.GRPOConfig, grpo.GRPOTrainer
print(config.__module__, trainer.__module__, "unsloth" in sys.modules)
""",
    )
    assert told.split() == ["trl.trainer.grpo_config_of_trl", "trl.trainer.grpo_trainer_of_trl", "True"]
