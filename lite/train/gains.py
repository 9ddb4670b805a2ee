"""What training gained on the exam: accuracy with intervals, and paired differences of two exams on the same tasks."""

from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
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
            "answered": fmean(mark.stop == "answered" for mark in known),
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
    """The mean of the groups' means, and its interval: tasks are resampled within each group.

    Where all tasks agree resampling knows no spread: the exact binomial bound stands in.
    """
    value = fmean(fmean(group) for group in groups)
    if len({one for group in groups for one in group}) == 1:
        bound = 1 - 0.025 ** (1 / sum(map(len, groups)))
        return Share(value=value, low=max(lowest, value - bound), high=min(1.0, value + bound))
    generator, means = np.random.default_rng(_SEED), np.zeros(_RESAMPLES)
    for group in groups:
        table = np.asarray(group, np.float64)
        means += table[generator.integers(0, len(table), (_RESAMPLES, len(table)))].mean(axis=1) / len(groups)
    low, high = np.quantile(means, (0.025, 0.975))
    return Share(value=value, low=float(low), high=float(high))
