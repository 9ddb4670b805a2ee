"""GRPO: TRL's trainer and loss, on rows that our own rollouts made.

TRL's `rollout_func` wants one sequence a rollout and a batch of fixed size. Memory makes several sequences of one, and
groups without variance leave the batch, so the trainer is given rows in its stead: `training_step` asks for them and
computes TRL's loss part by part, each with its share of the whole.

The sampler computes the same weights otherwise than the trainer does (16-bit keys and values, other kernels). TRL
corrects for that with vLLM only. Here the token loss is multiplied by min(exp(old - sampler), 2), the trainer's own
old log-probabilities staying in the clipped ratio: truncated importance sampling, for every sampler.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl.trainer import utils

from lite.recipe import PolicySettings, StageSettings, Updates
from lite.train.groups import Row, parts_of
from lite.train.policy import Policy, trainer_settings
from lite.train.unsloth import stock

if TYPE_CHECKING:
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer
else:
    GRPOConfig, GRPOTrainer = stock("grpo")

RowsOf = Callable[[int], Sequence[Row]]  # step, from 0 -> the rows of its update
Batch = dict[str, torch.Tensor]
_FUSED = hasattr(utils, "add_fused_lm_head")  # TRL 1.14, which Unsloth pins, has none
_MEASURED = 3  # parts of a step on which the distance to the stage's start is measured


def config_of(
    folder: Path, policy: PolicySettings, stage: StageSettings, updates: Updates, *, context: int, seed: int
) -> GRPOConfig:
    """TRL's settings for one stage."""
    return GRPOConfig(
        output_dir=str(folder),
        max_steps=stage.steps * updates.updates,
        learning_rate=stage.learning_rate,
        warmup_steps=stage.warmup,
        per_device_train_batch_size=updates.rollouts,  # of the data set that only counts the steps
        num_generations=updates.rollouts,
        num_iterations=1,
        loss_type=updates.loss,
        epsilon=updates.clip_low,
        epsilon_high=updates.clip_high,
        beta=updates.kl,
        **({"entropy_coef": updates.entropy} if updates.entropy else {}),  # not in TRL 1.14, which Unsloth pins
        max_grad_norm=updates.max_grad_norm,
        max_completion_length=context,
        temperature=stage.temperature,
        save_strategy="steps",
        save_steps=updates.updates,  # a step is saved whole
        save_total_limit=2,
        **trainer_settings(policy, seed),
    )


class GroupTrainer(GRPOTrainer):
    """TRL's GRPO trainer on given rows.

    Args:
        policy: what is trained.
        args: TRL's settings.
        updates: ours.
        rows_of: gives the rows of a step; it may sample, with the policy as it is then.
        callbacks: transformers' own.
        as_begun: a context in which the policy is what it was when the stage began; None: nobody asks how far it went.
        every: steps between two measures of that.

    Attributes:
        offsets: mean |old - sampler| of the parts of the last step.
        divergences: KL to the stage's start of those parts of the last step that were measured.
    """

    def __init__(
        self,
        policy: Policy,
        args: GRPOConfig,
        updates: Updates,
        rows_of: RowsOf,
        callbacks: Sequence[TrainerCallback] = (),
        as_begun: Callable[[], AbstractContextManager[None]] | None = None,
        every: int = 1,
    ) -> None:
        self._updates, self._rows_of = updates, rows_of
        self._as_begun, self._every = as_begun, every
        self._rows: list[Batch] = []
        self._batch: Batch = {}
        self.offsets: list[float] = []
        self.divergences: list[float] = []
        steps = Dataset.from_dict({"prompt": ["" for _ in range(args.max_steps)]})
        super().__init__(
            policy.model,
            reward_funcs=_no_reward,  # rewards are ours, and known when rows come
            args=args,
            train_dataset=steps,
            processing_class=policy.tokenizer,
            callbacks=list(callbacks),
        )
        self.remove_callback(PrinterCallback)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """A constant rate that rises over the first updates; transformers' own spends the first of them at zero."""
        del num_training_steps
        rising = self.args.warmup_steps + 1
        chosen: Any = optimizer or self.optimizer
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(chosen, lambda update: min(1.0, (update + 1) / rising))
        return self.lr_scheduler

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """One update: the gradients of all rows of the step, part by part."""
        del inputs, num_items_in_batch
        model.train()
        step, again = divmod(self.state.global_step, self._updates.updates)
        if not again:
            rows = list(self._rows_of(step))
            # What the step asked for: one that learns from half of its groups takes half the step.
            count = max(len(rows), self._updates.tasks * self._updates.rollouts)
            tokens = sum(sum(row.sampled) for row in rows)
            self._rows = [self._tensors(part, count, tokens) for part in parts_of(rows, self._updates.tokens)]
            if self._as_begun is not None and (self.beta or step % self._every == 0):
                self._note_start(model, self._as_begun)
        self.offsets, self.divergences = [], []
        total = torch.zeros((), device=self.accelerator.device)
        for batch in self._rows:
            self._batch = batch
            with self.compute_loss_context_manager():
                loss = self._compute_loss(model, batch) * batch["share"]
            self.accelerator.backward(loss)
            total += loss.detach()
        return total

    def _tensors(self, rows: Sequence[Row], count: int, tokens: int) -> Batch:
        """Rows as TRL's loss takes them, but all padded on the right: what is scored then sees no padding.

        So attention needs no mask, and without one torch computes no pair of tokens that does not count. The first
        token is the prompt; which of the others are sampled, the mask of tools says.
        """
        behind, own = max(len(row.ids) for row in rows) - 1, sum(sum(row.sampled) for row in rows)
        device = self.accelerator.device

        def filled(kind: torch.dtype, values: Sequence[Sequence[Any]]) -> torch.Tensor:
            tensor = torch.zeros((len(rows), behind), dtype=kind, device=device)
            for place, its in enumerate(values):
                tensor[place, : len(its)] = torch.tensor(its, dtype=kind)
            return tensor

        return {
            "prompt_ids": torch.tensor([row.ids[:1] for row in rows], device=device),
            "prompt_mask": torch.ones((len(rows), 1), dtype=torch.long, device=device),
            "completion_ids": filled(torch.long, [row.ids[1:] for row in rows]),
            "completion_mask": filled(torch.long, [[1] * (len(row.ids) - 1) for row in rows]),
            "tool_mask": filled(torch.long, [row.sampled[1:] for row in rows]),
            "sampler": filled(torch.float32, [(row.logprobs or ())[1:] for row in rows]),
            "corrected": torch.tensor([[float(row.logprobs is not None)] for row in rows], device=device),
            "advantages": torch.tensor([row.advantage for row in rows], device=device),
            "share": torch.tensor(own / tokens if self.loss_type == "dapo" else len(rows) / count, device=device),
            "num_items_in_batch": torch.tensor(float(own), device=device),
        }

    def _note_start(self, model: Any, as_begun: Callable[[], AbstractContextManager[None]]) -> None:
        """Note how likely the stage's start was to say what is in some parts, or, where the loss asks for it, in all.

        The weights change places in doing so: it has to be done before anything is computed that will have gradients.
        """
        sampled = [batch for batch in self._rows if batch["corrected"].any()]
        some = self._rows if self.beta else sampled[:: max(1, -(-len(sampled) // _MEASURED))]
        with as_begun(), torch.no_grad(), self.compute_loss_context_manager():
            for batch in some:
                batch["start"] = self._scored(model, batch)[0].float()
                batch["ref_per_token_logps"] = batch["start"]  # TRL's name, for its own term

    def _get_per_token_logps_and_entropies(self, model: Any, *_: Any, **__: Any) -> Any:
        """TRL asks for these first; with them the loss of each token gets its weight."""
        logps, entropies = self._scored(model, self._batch)
        if "old_per_token_logps" not in self._batch:
            self._correct(self._batch, logps.detach().float())
        return logps, entropies, None

    def _scored(self, model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities and entropies (rows, tokens behind the prompt) of the tokens that count at least.

        TRL's own scores every token behind the prompt. Most of those are observations, which do not count, and a
        small model spends a third of its time on its vocabulary.
        """
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        behind = batch["completion_ids"].size(1)
        if not _FUSED:
            mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
            found = super()._get_per_token_logps_and_entropies(model, ids, mask, behind, compute_entropy=True)
            return found[0], found[1]
        labels = ids.masked_fill(torch.nn.functional.pad(batch["tool_mask"], (1, 0)) == 0, -100)
        with self.accelerator.autocast():
            scored = model(input_ids=ids, labels=labels, fused_lm_head=True)
        return scored.log_probs[:, -behind:], scored.entropy[:, -behind:]

    def _correct(self, batch: Batch, old: torch.Tensor) -> None:
        """Note the trainer's own log-probabilities, and weigh each token by how far the sampler's were from them.

        The weight is positive, and the clipped loss is linear in the advantage: it is given as an advantage a token.
        """
        batch["old_per_token_logps"] = old
        mask = batch["tool_mask"] * batch["corrected"]
        offset = (old - batch["sampler"]) * mask
        self.offsets.append(float(offset.abs().sum() / mask.sum().clamp(min=1)))
        if "start" in batch and mask.any():
            away = (batch["start"] - old) * mask
            distance = torch.exp(away) - 1 - away  # an estimate of the KL that is never negative: Schulman's k3
            self.divergences.append(float(distance.sum() / mask.sum()))
        if self._updates.truncation:
            weights = torch.exp(offset).clamp(max=self._updates.truncation)
            batch["advantages"] = batch["advantages"].unsqueeze(1) * weights


def _no_reward(completions: Sequence[Any], **_: Any) -> list[float | None]:
    return [0.0] * len(completions)
