"""The curves of a training run, from the lines of its `metrics.jsonl`: what a terminal shows and a report draws.

A killed run may have written a step twice, or begun its cold start twice: what came last is what the run went on from.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lite.errors import UsageError

Line = dict[str, Any]


@dataclass
class Part:
    """The cold start (stage 0), or one go at a stage; a collapse ends it, and the stage begins again as another part.

    Attributes:
        steps: lines of training by step; of a cold start some are looks too.
        looks: lines of looks at the held-out tasks, by step.
        favoured: (step, capability) where the curriculum answered forgetting.
        collapse: why it collapsed, if it did.
        seconds: that it took, rating included; what a kill threw away counts.
    """

    stage: int
    again: bool = False
    steps: dict[int, Line] = field(default_factory=dict)
    looks: dict[int, Line] = field(default_factory=dict)
    favoured: list[tuple[int, str]] = field(default_factory=list)
    collapse: str | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """As a person calls it."""
        return "cold start" if not self.stage else f"stage {self.stage}{', again' * self.again}"

    @property
    def last(self) -> int:
        """The last step there is anything of."""
        return max((*self.steps, *self.looks), default=0)

    def take(self, line: Line) -> None:
        """Take in a line; one of an earlier step than the last means that the run went on from there."""
        step = line.get("step", 0)
        if "collapse" in line:
            self.collapse = line["collapse"]
        elif "favoured" in line:
            self.favoured.append((step, line["favoured"]))
        elif "look" in line:
            self.looks[step] = line
            if not self.stage:
                self.steps[step] = line
        elif "step" in line:
            self.steps = {n: known for n, known in self.steps.items() if n < step} | {step: line}
            self.looks = {n: known for n, known in self.looks.items() if n < step}
            self.favoured = [(n, name) for n, name in self.favoured if n < step]


@dataclass
class Curves:
    """Everything that a run's lines say.

    Attributes:
        parts: in the order they were.
        exams: the line of each exam by its name.
        demonstrations: the line that says what the cold start learns from.
        seconds: that the run took so far, over all its processes; what a kill cut off behind the last line is lost.
        queries, pages: that the tools answered.
    """

    parts: list[Part] = field(default_factory=list)
    exams: dict[str, Line] = field(default_factory=dict)
    demonstrations: Line | None = None
    seconds: float = 0.0
    queries: int = 0
    pages: int = 0

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Curves":
        """The curves of lines in the order they were written."""
        curves = cls()
        for line in lines:
            curves.take(line)
        return curves

    def take(self, line: Line) -> None:
        """Take in the next line."""
        spent, self.seconds = line["seconds"] - self.seconds, line["seconds"]
        counts = line.get("look", {}).get("signals", line)
        self.queries += round(counts.get("queries", 0))
        self.pages += round(counts.get("pages", 0))
        if "exam" in line:
            self.exams[line["exam"]] = line
            return
        if "demonstrations" in line:
            self.demonstrations = line
            self.parts = [Part(0)]  # nothing comes before it; a killed one began again
        stage = line.get("stage", 0)
        if not self.parts or self.parts[-1].stage != stage or self.parts[-1].collapse is not None:
            self.parts.append(Part(stage, again=bool(self.parts) and self.parts[-1].stage == stage))
        self.parts[-1].seconds += spent
        self.parts[-1].take(line)


def read_metrics(run: Path) -> list[Line]:
    """The lines of a run so far, none where it wrote none yet; a line in the making counts for nothing.

    Raises:
        UsageError: naming the line that is none of a run's.
    """
    path, found = run / "metrics.jsonl", []
    if not path.exists():
        return []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                value = json.loads(line)
                value["seconds"] = float(value["seconds"])
            except (ValueError, TypeError, KeyError):
                raise UsageError(f"{path}, line {number} is no line of metrics: remove it to go on") from None
            found.append(value)
    return found


def as_text(line: Line) -> str:
    """A line of metrics for a terminal."""
    names = ("stage", "step", "exam", "accuracy", "reward", "loss", "entropy", "answered", "visits", "length",
             "groups_kept", "without_variance", "step_seconds", "demonstrations", "rated", "kept", "collapse",
             "favoured")  # fmt: skip
    parts = [f"{name} {line[name]:.3g}" if isinstance(line[name], float) else f"{name} {line[name]}"
             for name in names if name in line]  # fmt: skip
    if "look" in line:
        tries, right = line["look"].get("tries", {}), line["look"].get("right", {})
        parts.append(" ".join(f"{name} {right.get(name, 0)}/{count}" for name, count in sorted(tries.items())))
    if "by_capability" in line:
        parts.append(" ".join(f"{name} {share:.0%}" for name, share in line["by_capability"].items()))
    return f"{line['seconds']:>7.0f} s  " + "  ".join(parts)


def shares(look: Line) -> dict[str, float]:
    """Accuracy by capability of a look's line."""
    right = look["look"].get("right", {})
    return {name: right.get(name, 0) / tries for name, tries in sorted(look["look"].get("tries", {}).items()) if tries}
