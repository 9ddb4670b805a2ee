"""The cold start at work: looks at the policy now and then, keeps the best adapter, ends when it learns no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lite.models.turn import Tokens
from lite.recipe import AgentSettings, ColdStart, TrainSettings
from lite.records import Record, Task
from lite.train.checkpoints import STATE, keep_state
from lite.train.policy import Policy
from lite.train.rollouts import Sampler
from lite.train.sft import train_on
from lite.train.signals import Look, look
from lite.train.stage import Write


def _standing(look: Look) -> tuple[float, float]:
    """By what looks are compared: right answers, and, while there are none yet, readable turns."""
    return look.accuracy, -look.signals.get("malformed", 1.0)


class Progress(Record):
    """Its state at a checkpoint, beside the trainer's own."""

    best: Look | None = None
    worse: int = 0  # looks since the best one
    over: bool = False


@dataclass
class Cold:
    """A cold start in a folder.

    Args:
        settings: the recipe.
        cold: its part of the recipe.
        agent: as it looks at held-out tasks.
        held_out: those.
        sampler: tries them.
        folder: for checkpoints; `best/` is the best adapter.
        write: takes a line of metrics.
    """

    settings: TrainSettings
    cold: ColdStart
    agent: AgentSettings
    held_out: Sequence[Task]
    sampler: Sampler
    folder: Path
    write: Write
    _progress: Progress = field(default_factory=Progress)

    def run(self, policy: Policy, sequences: Sequence[Tokens], resume: Path | None) -> Look | None:
        """Train on the demonstrations, from a checkpoint where there is one; the best look."""
        self._policy = policy
        if resume:
            self._progress = Progress.from_json((resume / STATE).read_bytes())
        if not self._progress.over:
            train_on(policy, sequences, self.settings, self.cold, self.folder, self._updated, self._saved, resume)
        return self._progress.best

    def _updated(self, step: int, left: int, logged: dict[str, float]) -> bool:
        """Write a line of metrics, with a look where one is due; whether to end."""
        told: dict[str, Any] = {name: logged[name] for name in ("loss", "entropy", "grad_norm") if name in logged}
        if step % self.cold.every and left:
            self.write({"stage": 0, "step": step, **told})
            return False
        adapter = self._policy.save(self.folder / "current")
        now = look(self.sampler, self.held_out, self.agent, adapter)
        self.write({"stage": 0, "step": step, **told, **now.told})
        best, worse = self._progress.best, self._progress.worse + 1
        if best is None or _standing(now) > _standing(best):
            best, worse = now, 0
            self._policy.save(self.folder / "best")
            (self.folder / "best" / "step").write_text(str(step))
        over = worse >= self.cold.patience or logged.get("entropy", 1.0) < self.cold.entropy_floor
        self._progress = Progress(best=best, worse=worse, over=over)
        return over

    def _saved(self, checkpoint: Path) -> None:
        keep_state(checkpoint, self._progress)
