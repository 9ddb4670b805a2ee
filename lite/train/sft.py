"""The cold start: supervised training on demonstrations, the model's own turns only, by TRL's SFTTrainer.

The sequences are made as rollouts are (`Prompts.tokens`), so what is trained is to the token what will be sampled.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from lite.models.turn import Tokens
from lite.recipe import ColdStart, PolicySettings
from lite.train.policy import Policy, trainer_settings
from lite.train.unsloth import stock

Looked = Callable[[int, dict[str, float]], bool]  # (updates done, what was logged last) -> whether to end


def train_on(
    policy: Policy,
    sequences: Sequence[Tokens],
    settings: ColdStart,
    precision: PolicySettings,
    folder: Path,
    looked: Looked,
    *,
    seed: int,
) -> None:
    """Train `policy` on demonstrations.

    Args:
        policy: changed in place.
        sequences: with the tokens that count marked as sampled.
        settings: how long and how fast.
        precision: bf16 or not.
        folder: TRL's; nothing is kept in it, so a cold start that is killed begins again.
        looked: called every `settings.every` updates and at the end.
        seed: of the order of the sequences.
    """
    config, trainer_of = stock("sft")
    updates = max(1, round(settings.epochs * len(sequences) / settings.rows))
    args = config(
        output_dir=str(folder),
        max_steps=updates,
        per_device_train_batch_size=1,  # no padding; and without a mask torch has a quicker attention
        gradient_accumulation_steps=settings.rows,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup,
        max_length=None,
        packing=False,
        loss_type="nll",
        save_strategy="no",
        **trainer_settings(precision, seed),
    )
    rows = Dataset.from_dict(
        {
            "input_ids": [one.ids for one in sequences],
            "assistant_masks": [[int(its) for its in one.sampled] for one in sequences],
        }
    )
    trainer = trainer_of(
        policy.model,
        args=args,
        train_dataset=rows,
        processing_class=policy.tokenizer,
        callbacks=[_Looking(looked, settings.every, updates)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()


class _Looking(TrainerCallback):
    """Calls `looked` between updates."""

    def __init__(self, looked: Looked, every: int, updates: int) -> None:
        self._looked, self._every, self._updates = looked, every, updates
        self._logged: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        self._logged = dict(logs or {})

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if (state.global_step % self._every == 0 or state.global_step == self._updates) and self._looked(
            state.global_step, self._logged
        ):
            control.should_training_stop = True
