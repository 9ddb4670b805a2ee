"""Groups of rollouts: rewards, advantages, and the rows an update computes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random
from statistics import fmean, stdev

from lite.judge import Judge
from lite.recipe import RewardWeights
from lite.records import Task, Trajectory
from lite.reward import abstains
from lite.train.rollouts import Rollout

_SMALL = 1e-4  # keeps a group that hardly varies from being blown up, as TRL does


@dataclass
class Row:
    """One training sequence.

    Attributes:
        ids: token ids, prompts and observations included.
        sampled: which of them count; the first never does.
        logprobs: the sampler's, of each id; None where there was no sampler (a demonstration).
        advantage: of the whole sequence.
    """

    ids: list[int]
    sampled: list[bool]
    logprobs: list[float] | None
    advantage: float = 0.0


@dataclass(frozen=True)
class Group:
    """The rollouts of one task, and what each is worth: None where it failed through no fault of the policy's."""

    task: Task
    rollouts: tuple[Rollout, ...]
    rewards: tuple[float | None, ...]
    parts: tuple[dict[str, float] | None, ...] = ()  # of each reward, by name

    @property
    def known(self) -> list[float]:
        """The rewards there are."""
        return [reward for reward in self.rewards if reward is not None]

    @property
    def varies(self) -> bool:
        """Whether there is anything to learn from it."""
        return len(set(self.known)) > 1


def reward_parts(task: Task, trajectory: Trajectory) -> dict[str, float] | None:
    """The parts of a reward by name, each 0 to 1 but for `calls` (see RewardWeights); None without a grade."""
    if trajectory.reward is None or trajectory.reward.value is None:
        return None
    turns = trajectory.turns
    clean = sum(not turn.repairs and turn.malformed is None for turn in turns)
    read = {url for turn in turns for url in turn.read}
    return {
        "exact": trajectory.reward.parts["exact"],
        "f1": trajectory.reward.parts["f1"],
        "answered": float(trajectory.answered),
        "format": clean / len(turns) if turns else 0.0,
        "evidence": len(read & set(task.evidence)) / len(task.evidence) if task.evidence else 0.0,
        "calls": trajectory.reward.parts["exact"] * sum(turn.call is not None for turn in turns),
        "abstained": float(abstains(trajectory.answer or "")),
        "judge": 0.0,
    }


def reward_of(parts: Mapping[str, float] | None, weights: RewardWeights) -> float | None:
    """The weighted sum of a reward's parts."""
    if parts is None:
        return None
    return math.fsum(weight * parts[name] for name, weight in weights.model_dump().items())


def grouped(rollouts: Sequence[Rollout], weights: RewardWeights, judge: Judge | None = None) -> list[Group]:
    """Rollouts by task, tasks in the order of their ids, tries in the order of their numbers.

    With a judge, an answer that is no exact match is shown to it; one that it gives no verdict on has no reward.
    """
    ordered = sorted(rollouts, key=lambda rollout: (rollout.attempt.task.id, rollout.attempt.number))
    parts = [reward_parts(one.attempt.task, one.trajectory) for one in ordered]
    if judge is not None:
        parts = _judged(ordered, parts, judge)
    groups = []
    for _, pairs in groupby(zip(ordered, parts, strict=True), key=lambda pair: pair[0].attempt.task.id):
        tries, found = zip(*pairs, strict=True)
        rewards = tuple(reward_of(each, weights) for each in found)
        groups.append(Group(tries[0].attempt.task, tries, rewards, found))
    return groups


def _judged(
    rollouts: Sequence[Rollout], parts: Sequence[dict[str, float] | None], judge: Judge
) -> list[dict[str, float] | None]:
    """The parts with what the judge finds in them; None in their place where it finds nothing."""
    doubtful = [n for n, found in enumerate(parts) if found and not found["exact"] and found["answered"]]
    asked = [(rollouts[n].attempt.task, rollouts[n].trajectory.answer or "") for n in doubtful]
    verdicts = dict(zip(doubtful, judge.verdicts(asked), strict=True))
    judged: list[dict[str, float] | None] = []
    for place, found in enumerate(parts):
        verdict = verdicts.get(place, bool(found and found["exact"]))
        judged.append(None if found is None or verdict is None else found | {"judge": float(verdict)})
    return judged


def advantages(rewards: Sequence[float | None], *, scale: bool) -> list[float]:
    """How much better than its group's mean each try was; 0 for tries without a reward and groups without variance.

    With `scale`, over the group's standard deviation (n - 1), as in GRPO (DeepSeekMath, section 4.1.1).
    """
    known = [reward for reward in rewards if reward is not None]
    if len(set(known)) < 2:
        return [0.0] * len(rewards)
    mean, spread = fmean(known), stdev(known) + _SMALL if scale else 1.0
    return [0.0 if reward is None else (reward - mean) / spread for reward in rewards]


def drawn(worth: Sequence[float], most: int, random: Random) -> dict[int, float]:
    """The places of at most `most` tries, drawn by how much each is worth, and what each counts for instead.

    A try of size |w| is drawn with probability p = c |w| (at most 1) and counts w / p, so that on average the gradient
    is that of all (systematic sampling, Horvitz and Thompson 1952). Taking the best and the worst instead costs as
    little, but what went well once by luck is then always taken, and what it usually comes to is not.
    """
    sizes = {place: abs(value) for place, value in enumerate(worth) if value}
    if len(sizes) <= most:
        return {place: worth[place] for place in sizes}
    chances = dict.fromkeys(sizes, 1.0)
    left, room = dict(sizes), most
    while certain := [place for place, size in left.items() if size * room >= sum(left.values())]:
        for place in certain:
            del left[place]
        room -= len(certain)
    chances |= {place: size * room / sum(left.values()) for place, size in left.items()}
    found, passed, mark = {}, 0.0, random.random()
    for place, chance in chances.items():
        passed += chance
        if passed > mark:
            found[place], mark = worth[place] / chance, mark + 1
    return found


def rows_of(groups: Sequence[Group], *, scale: bool, most: int | None = None, negative: float = 1.0) -> list[Row]:
    """The rows of an update: a sequence for each segment of each try that was better or worse than its group.

    With `most`, so many tries of each group are drawn (see `drawn`). `negative` weighs those that were worse; with 0
    they are not computed (as in RAFT, the group's mean left in as the measure).
    """
    rows = []
    for group in groups:
        first = group.rollouts[0].attempt
        random = Random(f"{first.seed}/{first.task.id}")  # noqa: S311  # drawn over again when a run goes on
        worth = [each if each > 0 else each * negative for each in advantages(group.rewards, scale=scale)]
        for place, advantage in drawn(worth, most or len(worth), random).items():
            rows += [
                Row(one.ids, one.sampled, one.logprobs, advantage)
                for one in group.rollouts[place].sequences
                if any(one.sampled)
            ]
    return rows


def parts_of(rows: Sequence[Row], tokens: int) -> list[list[Row]]:
    """Rows cut into parts of at most so many tokens each, padding included, rows of like length together."""
    parts: list[list[Row]] = []
    for row in sorted(rows, key=lambda one: len(one.ids)):
        if parts and len(row.ids) * (len(parts[-1]) + 1) <= tokens:  # the longest so far: the others are padded to it
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts
