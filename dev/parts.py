"""What the parts of an update are worth, measured on its gradient: no training run tells them apart in an hour.

    python -m dev.parts WORLD TASKS ADAPTER [GROUPS]        the atlas's world, its tasks, a cold start's adapter

A step's rollouts are made once, and the gradient of every row that has an advantage is kept, with the correction for
the sampler and without. A setting of the recipe is then a weighted sum of them. Printed: the cosine between the
gradient of each setting and that of the plain one (all rows, corrected, advantages without scaling), its length, and
for draws of rows their mean over draws; and how many groups and tokens had nothing to teach.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory

import torch

from dev.training import CONTEXT, POLICY, STAGE, rolled
from lite.evaluate import read_tasks
from lite.recipe import RewardWeights, Updates
from lite.train.draw import first_of_each
from lite.train.groups import Group, Row, advantages, drawn, grouped
from lite.train.grpo import GroupTrainer, config_of
from lite.train.policy import Policy

TRIES, DRAWS = 8, 200
WEIGHTS = RewardWeights.read({"exact": 1.0})


def gradients(policy: Policy, rows: Sequence[Row], truncation: float, folder: Path) -> tuple[torch.Tensor, list[float]]:
    """A line a row: the gradient of its loss at advantage 1; and mean |trainer - sampler| of each."""
    updates = Updates(tasks=1, rollouts=2, tokens=CONTEXT, truncation=truncation)
    one: list[Row] = []
    trainer = GroupTrainer(
        policy, config_of(folder, POLICY, STAGE, updates, context=CONTEXT, seed=1), updates, lambda _: one
    )
    trainer.current_gradient_accumulation_steps = 1
    lines, offsets = [], []
    for number, row in enumerate(rows):
        one[:] = [replace(row, advantage=1.0)]
        trainer._rows = []  # noqa: SLF001
        policy.model.zero_grad()
        trainer.training_step(policy.model, None)
        offsets += trainer.offsets
        lines.append(torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None]))
        print(f"truncation {truncation}: row {number + 1} of {len(rows)}", file=sys.stderr, flush=True)
    return torch.stack(lines), offsets


Worth = Callable[[Group], Mapping[int, float]]  # what its tries count for; those that are not named count nothing


def compared(groups: Sequence[Group], plain: torch.Tensor, uncorrected: torch.Tensor) -> None:
    """The settings beside the plain one.

    A setting is what each row counts for, and rows meet in their products alone, so those are computed once.
    """
    lines = torch.cat([plain, uncorrected]).double()
    products, none = lines @ lines.T, torch.zeros(len(plain), dtype=torch.float64)
    random = Random(0)  # noqa: S311  # a measurement

    def counts(worth: Worth) -> torch.Tensor:
        found = torch.zeros(len(groups), TRIES, dtype=torch.float64)
        for line, group in zip(found, groups, strict=True):
            for place, value in worth(group).items():
                line[place] = value
        return found.flatten()

    def all_tries(group: Group, *, scale: bool = False, negative: float = 1.0) -> dict[int, float]:
        found = advantages(group.rewards, scale=scale)
        return {place: value if value > 0 else value * negative for place, value in enumerate(found)}

    def fewer(group: Group, made: int) -> dict[int, float]:
        chosen = random.sample(range(TRIES), made)
        values = advantages([group.rewards[one] for one in chosen], scale=False)
        return {place: value * TRIES / made for place, value in zip(chosen, values, strict=True)}

    def some(group: Group) -> dict[int, float]:
        return all_tries(group) if random.random() < 0.5 else {}

    def corrected(worth: Worth) -> torch.Tensor:
        return torch.cat([counts(worth), none])

    whole = corrected(all_tries)

    def told(name: str, *found: torch.Tensor) -> None:
        lengths = [float((one @ products @ one / (whole @ products @ whole)).sqrt()) for one in found]
        meets = [float(one @ products @ whole / (whole @ products @ whole)) for one in found]
        cosine = fmean(meet / length for meet, length in zip(meets, lengths, strict=True))
        print(f"{name}: cosine {cosine:.4f}, length {fmean(lengths):.3f}", flush=True)

    told("without importance correction", torch.cat([none, counts(all_tries)]))
    told("advantages over the group's deviation", corrected(partial(all_tries, scale=True)))
    told("only what was better than its group", corrected(partial(all_tries, negative=0.0)))
    repeated: dict[str, Worth] = {
        f"{most} of {TRIES} tries drawn by size": lambda group, most=most: drawn(
            advantages(group.rewards, scale=False), most, random
        )
        for most in (2, 4, 6)
    }
    repeated |= {f"{made} tries made instead of {TRIES}": partial(fewer, made=made) for made in (4, 6)}
    repeated["about half of the groups"] = some
    for name, worth in repeated.items():
        found = [one for one in (corrected(worth) for _ in range(DRAWS)) if one.any()]
        told(name, *found)
        told("    the mean of those", torch.stack(found).mean(0))


def main() -> None:
    """All of it."""
    world, file, adapter = map(Path, sys.argv[1:4])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 6
    with TemporaryDirectory() as folder:
        policy = Policy.load(POLICY, seed=1, adapter=adapter)
        kinds = [one for one in read_tasks(file) if one.capability in {"direct", "verification"} and one.hops in {1, 2}]
        made, _ = rolled(policy, first_of_each(kinds, count // 2), TRIES, world, Path(folder))
        groups = grouped(made, WEIGHTS)
        kept = [group for group in groups if group.varies]
        tokens = {
            len(some): sum(sum(one.sampled) for g in some for r in g.rollouts for one in r.sequences)
            for some in (groups, kept)
        }
        print(f"{len(kept)} of {len(groups)} groups vary: {[group.known for group in groups]}; sampled tokens {tokens}")
        rows = [Row(one.ids, one.sampled, one.logprobs) for g in kept for r in g.rollouts for one in r.sequences]
        if len(rows) != TRIES * len(kept):
            raise SystemExit("an episode failed or has several segments: try other tasks")
        plain, offsets = gradients(policy, rows, 2.0, Path(folder) / "with")
        print(f"trainer against sampler: {fmean(offsets):.5f} mean, {max(offsets):.5f} the worst row's")
        uncorrected, _ = gradients(policy, rows, 0.0, Path(folder) / "without")
        compared(kept, plain, uncorrected)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    main()
