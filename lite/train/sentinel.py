"""The sentinel: sees a collapse by its behaviour, while the reward may still look healthy.

Upstream's answers vanished from 99 % to 62 % within 50 steps; on a laptop an easy kind that needs no visit taught the
policy not to visit, within a dozen. In a run of ours (dev/LOG.md) one that is paid for reading the right page came to
read until its turns were over. All show in what the rollouts do, before they show in the training reward.
"""

import math
from collections.abc import Mapping
from statistics import fmean

from pydantic import Field

from lite.recipe import SentinelSettings
from lite.records import Record
from lite.train.signals import Look

_BASELINE = 3  # steps whose mean is the measure; the second step has the first, before which nothing was updated
_QUIET = 0.05  # nats a token: below it entropy has room to rise
_WATCHED = ("answered", "visits", "length", "unread", "malformed", "truncated", "repeated", "entropy", "kl_start",
            "grad_norm")  # fmt: skip


class Alarm(Record):
    """What moved, and why that is a collapse."""

    signal: str
    why: str


class Watch(Record):
    """What the sentinel has seen: all of its state, kept with each checkpoint."""

    steps: tuple[dict[str, float], ...] = ()
    first: Look | None = None
    best: Look | None = None
    worse: int = 0  # looks since the best
    raised: dict[str, int] = Field(default_factory=dict)  # signal -> steps in a row


class Sentinel:
    """Watches one stage.

    Args:
        settings: what counts as a collapse.
        watch: its state at a checkpoint; a stage begins with an empty one.
    """

    def __init__(self, settings: SentinelSettings, watch: Watch | None = None) -> None:
        self._settings = settings
        self.watch = watch or Watch()

    def step(self, signals: Mapping[str, float]) -> Alarm | None:
        """Take in the signals of a step; an alarm if it is a collapse."""
        broken = next((name for name, value in signals.items() if not math.isfinite(value)), None)
        if broken is not None:
            return Alarm(signal=broken, why=f"{broken} is {signals[broken]}")
        steps = (*self.watch.steps, dict(signals))
        raised = dict.fromkeys(self._suspicious(signals), 0)
        raised = {name: self.watch.raised.get(name, 0) + 1 for name in raised}
        # What is measured now and then only goes on counting where it stood.
        raised |= {name: count for name, count in self.watch.raised.items() if name not in signals}
        self.watch = self.watch.model_copy(update={"steps": steps, "raised": raised})
        for name, count in raised.items():
            if count >= self._settings.patience and name in signals:
                return Alarm(signal=name, why=f"{name} went from {self._was(name):.3g} to {signals[name]:.3g}")
        return None

    def _was(self, name: str) -> float:
        """What is usual: the mean of the first steps that were in bounds. One that had collapsed measures nothing."""
        usual: list[float] = []
        for step in self.watch.steps:
            still = name == "grad_norm" and not step.get(name)  # there was nothing to learn from in that step
            known = name in step and not still
            if known and len(usual) < _BASELINE and not (usual and self._out(name, step[name], fmean(usual))):
                usual.append(step[name])
        return fmean(usual) if usual else 0.0

    def _out(self, name: str, value: float, was: float) -> bool:
        """Whether a signal is out of bounds."""
        bounds = self._settings
        match name:
            case "answered":
                return was - value > bounds.answered
            case "visits" | "length":
                return value < (1 - getattr(bounds, name)) * was
            case "unread" | "malformed" | "truncated" | "repeated":
                return value - was > getattr(bounds, name)
            case "entropy":
                return value > bounds.entropy * max(was, _QUIET)
            case "kl_start":
                return value > bounds.kl_start
            case "grad_norm":
                return 0 < bounds.grad_norm * was < value
            case _:
                return False

    def _suspicious(self, signals: Mapping[str, float]) -> list[str]:
        """The signals that are out of bounds now."""
        if not self.watch.steps:
            return []
        return [name for name in _WATCHED if name in signals and self._out(name, signals[name], self._was(name))]

    def look(self, now: Look) -> Alarm | None:
        """Take in a look at the held-out tasks; an alarm if a capability fell significantly (forgetting)."""
        first = self.watch.first or now
        self.watch = self.watch.model_copy(update={"first": first})
        alarm = self._forgotten(first, now)
        if alarm is None or self.watch.best is None:  # what has forgotten something is not what one goes back to
            better = self.watch.best is None or now.accuracy > self.watch.best.accuracy
            worse = 0 if better else self.watch.worse + 1
            self.watch = self.watch.model_copy(update={"best": now if better else self.watch.best, "worse": worse})
        return alarm

    def _forgotten(self, first: Look, now: Look) -> Alarm | None:
        for name, share in now.by_capability.items():
            was, tries = first.by_capability.get(name, 0.0), now.tries[name]
            error = math.sqrt((was * (1 - was) + share * (1 - share)) / tries)
            if was - share > self._settings.accuracy * max(error, 1 / tries):
                return Alarm(signal=f"accuracy/{name}", why=f"held-out {name} fell from {was:.0%} to {share:.0%}")
        return None
