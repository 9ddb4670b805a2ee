"""The cold start: supervised training on demonstrations, the model's own turns only, by TRL's SFTTrainer.

The sequences are made as rollouts are (`Prompts.tokens`), so what is trained is to the token what will be sampled.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from lite.models.turn import Tokens
from lite.recipe import ColdStart, PolicySettings
from lite.train.policy import Policy

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
    resume: Path | None = None,
) -> None:
    """Train `policy` on demonstrations.

    Args:
        policy: changed in place.
        sequences: with the tokens that count marked as sampled.
        settings: how long and how fast.
        precision: bf16 or not.
        folder: for TRL's checkpoints.
        looked: called every `settings.every` updates and at the end.
        seed: of the order of the sequences.
        resume: a checkpoint in `folder` to go on from.
    """
    updates = max(1, round(settings.epochs * len(sequences) / settings.rows))
    args = SFTConfig(
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
        bf16=precision.dtype == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=precision.gradient_checkpointing,
        optim="adamw_torch",
        logging_steps=1,
        save_strategy="steps",
        save_steps=settings.every,
        save_total_limit=2,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=[],
        seed=seed,
    )
    rows = Dataset.from_dict(
        {
            "input_ids": [one.ids for one in sequences],
            "assistant_masks": [[int(its) for its in one.sampled] for one in sequences],
        }
    )
    trainer = SFTTrainer(
        policy.model,
        args=args,
        train_dataset=rows,
        processing_class=policy.tokenizer,
        callbacks=[_Looking(looked, settings.every, updates)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)


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
