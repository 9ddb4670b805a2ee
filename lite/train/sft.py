"""The cold start: supervised training on demonstrations, the model's own turns only, by TRL's SFTTrainer.

The sequences are made as rollouts are (`Prompts.tokens`), so what is trained is to the token what will be sampled.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from lite.models.turn import Tokens
from lite.recipe import ColdStart, TrainSettings
from lite.train.policy import Policy, trainer_settings
from lite.train.unsloth import stock

Updated = Callable[[int, int, dict[str, float]], bool]  # (updates done, left, what this one logged) -> whether to end
Saved = Callable[[Path], None]  # the trainer's checkpoint


def train_on(
    policy: Policy,
    sequences: Sequence[Tokens],
    recipe: TrainSettings,
    settings: ColdStart,
    folder: Path,
    updated: Updated,
    saved: Saved,
    resume: Path | None = None,
) -> None:
    """Train `policy` on demonstrations.

    Args:
        policy: changed in place.
        sequences: with the tokens that count marked as sampled.
        recipe: says how precisely, and the order of the sequences.
        settings: its cold start: how long and how fast.
        folder: for the trainer's checkpoints, the newest of which is kept.
        updated: called behind each update.
        saved: called with each checkpoint, behind that.
        resume: the checkpoint to go on from.
    """
    config, trainer_of = stock("sft")
    args = config(
        output_dir=str(folder),
        max_steps=settings.updates(len(sequences)),
        per_device_train_batch_size=1,  # no padding; and without a mask torch has a quicker attention
        gradient_accumulation_steps=settings.rows,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup,
        max_length=None,
        packing=False,
        loss_type="nll",
        save_strategy="steps",
        save_steps=settings.every,
        save_total_limit=2,
        **trainer_settings(recipe.policy, recipe.seed),
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
        callbacks=[_Calling(updated, saved)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)


class _Calling(TrainerCallback):
    """Calls `updated` between updates, and `saved`."""

    def __init__(self, updated: Updated, saved: Saved) -> None:
        self._updated, self._saved = updated, saved

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            left = state.max_steps - state.global_step
            control.should_training_stop |= self._updated(state.global_step, left, logs)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._saved(Path(args.output_dir) / f"checkpoint-{state.global_step}")
