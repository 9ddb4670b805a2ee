"""What training gained on the exam: accuracy with intervals, and paired differences of two exams on the same tasks."""

from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lite.records import Record
from lite.report import Share
from lite.train.exam import Mark

_RESAMPLES, _SEED = 10_000, 20260417


class Accuracy(Record):
    """An exam's outcome, each share with its 95 % interval.

    Attributes:
        tasks: that were marked; a failed one is not.
        mean: over capabilities, each counting the same.
        by_capability, by_hops: shares of the tasks of each.
        counts: tasks of each capability, and of each number of hops.
        behaviour: per episode: answered (share), searches, visits, tokens.
    """

    tasks: int
    mean: Share
    by_capability: dict[str, Share]
    by_hops: dict[str, Share]
    counts: dict[str, int]
    behaviour: dict[str, float]


class Gains(Record):
    """How much better one exam went than another, over the tasks that both have a mark of.

    Each value is the difference of accuracies; a paired bootstrap over tasks gives its 95 % interval.
    """

    before: str
    after: str
    tasks: int
    mean: Share
    by_capability: dict[str, Share] = Field(default_factory=dict)
    by_hops: dict[str, Share] = Field(default_factory=dict)

    @property
    def worse(self) -> list[str]:
        """The capabilities that are significantly worse."""
        return [name for name, share in self.by_capability.items() if verdict(share) == "worse"]


def verdict(gain: Share) -> str:
    """What a difference says."""
    return "better" if gain.low > 0 else "worse" if gain.high < 0 else "no difference shown"


def accuracy(marks: Sequence[Mark]) -> Accuracy:
    """The outcome of an exam with at least one mark that counts."""
    values = {mark: mark.value for mark in marks if mark.value is not None}
    known = list(values)
    groups = _grouped(known, lambda mark: mark.capability)
    hops = _grouped(known, lambda mark: _hops(mark.hops))

    def shares(found: dict[str, list[Mark]]) -> dict[str, Share]:
        return {name: _interval([[values[mark] for mark in group]], 0.0) for name, group in found.items()}

    return Accuracy(
        tasks=len(known),
        mean=_interval([[values[mark] for mark in group] for group in groups.values()], 0.0),
        by_capability=shares(groups),
        by_hops=shares(hops),
        counts={name: len(group) for name, group in (groups | hops).items()},
        behaviour={
            "answered": fmean(mark.answered for mark in known),
            "searches": fmean(mark.searches for mark in known),
            "visits": fmean(mark.visits for mark in known),
            "tokens": fmean(mark.tokens for mark in known),
        },
    )


def gains(before: tuple[str, Sequence[Mark]], after: tuple[str, Sequence[Mark]]) -> Gains | None:
    """Compare two exams, each with its name; None where they have no task in common."""
    was = {mark.task: mark.value for mark in before[1] if mark.value is not None}
    both = [mark for mark in after[1] if mark.value is not None and mark.task in was]
    if not both:
        return None
    change = {mark.task: (mark.value or 0.0) - was[mark.task] for mark in both}

    def changes(group: Sequence[Mark]) -> list[float]:
        return [change[mark.task] for mark in group]

    groups = _grouped(both, lambda mark: mark.capability)
    hops = _grouped(both, lambda mark: _hops(mark.hops))
    return Gains(
        before=before[0],
        after=after[0],
        tasks=len(both),
        mean=_interval([changes(group) for group in groups.values()], -1.0),
        by_capability={name: _interval([changes(group)], -1.0) for name, group in groups.items()},
        by_hops={name: _interval([changes(group)], -1.0) for name, group in hops.items()},
    )


def _hops(count: int) -> str:
    return f"{count} hop{'s' * (count > 1)}"


def _grouped(marks: Sequence[Mark], name_of: Callable[[Mark], str]) -> dict[str, list[Mark]]:
    groups: dict[str, list[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: mark.task):  # whatever order they ended in, the interval is the same
        groups.setdefault(name_of(mark), []).append(mark)
    return dict(sorted(groups.items()))


def _interval(groups: Sequence[Sequence[float]], lowest: float) -> Share:
    """The mean of the groups' means, and its interval: tasks, of which each has `lowest` to 1, are resampled within
    each group.
    """
    value = fmean(fmean(group) for group in groups)
    generator = np.random.default_rng(_SEED)
    means = np.mean([_resampled(np.asarray(group, np.float64), lowest, generator) for group in groups], axis=0)
    low, high = np.quantile(means, (0.025, 0.975))
    return Share(value=value, low=min(value, float(low)), high=max(value, float(high)))


def _resampled(group: NDArray[np.float64], lowest: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Means (resamples,) that the group might as well have had.

    Where all of its n tasks agree, resampling knows no spread. At confidence 1 - u such a sample leaves a share of
    1 - u^(1/n) of tasks that do not (Clopper and Pearson's bound for none in n): these stand at either end.
    """
    if np.ptp(group) > 0:
        return group[generator.integers(0, len(group), (_RESAMPLES, len(group)))].mean(axis=1)
    ends = [end for end in (lowest, 1.0) if end != group[0]]
    agree = (generator.permutation(np.arange(0.5, _RESAMPLES) / _RESAMPLES) / len(ends)) ** (1 / len(group))
    return agree * group[0] + (1 - agree) * generator.choice(ends, _RESAMPLES)
