"""One stage of GRPO: its steps, what is written of each, and what happens when it collapses."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import TrainerCallback

from lite.errors import ModelError
from lite.judge import Judge
from lite.recipe import AgentSettings, StageSettings, TrainSettings
from lite.records import Record, Stop, Task
from lite.train.checkpoints import STATE, keep_state
from lite.train.draw import Drawer, Drawn
from lite.train.groups import Group, Row, grouped, rows_of
from lite.train.grpo import GroupTrainer, config_of
from lite.train.policy import Policy
from lite.train.rollouts import Attempt, Rollout, Sampler
from lite.train.sentinel import Alarm, Sentinel, Watch
from lite.train.signals import Look, look, of_groups

_SOLVED_OVER = 5  # steps
_FAVOUR = 2.0  # times the share of a capability that is being forgotten

Write = Callable[[dict[str, Any]], None]


class State(Record):
    """A stage's state at a checkpoint, beside the trainer's own."""

    step: int
    drawn: Drawn
    watch: Watch
    favoured: tuple[str, ...] = ()
    over: bool = False
    alarm: Alarm | None = None


@dataclass
class Stage:
    """A stage at work.

    Args:
        number: from 1.
        settings: the recipe.
        stage: its part of the recipe, the learning rate perhaps lowered.
        tasks: what it draws from.
        held_out: what it is looked at with.
        sampler: writes rollouts.
        folder: for checkpoints; `best/` is the best adapter.
        write: takes a line of metrics.
        anchors: demonstrations beside the rollouts, if the recipe wants them.
        start: the adapter that the stage's first go began with; None: none.
        judge: of answers, where the reward has a part of its own for that.
        begun: the look by which forgetting is measured; None: the stage's own first one.

    Attributes:
        alarm: why it collapsed, if it did.
        look: the best look, whose adapter is `best/`.
    """

    number: int
    settings: TrainSettings
    stage: StageSettings
    tasks: Sequence[Task]
    held_out: Sequence[Task]
    sampler: Sampler
    folder: Path
    write: Write
    anchors: Sequence[Row] = ()
    start: Path | None = None
    judge: Judge | None = None
    begun: Look | None = None
    alarm: Alarm | None = None
    look: Look | None = None
    _signals: dict[str, float] = field(default_factory=dict)
    _told: list[dict[str, float]] = field(default_factory=list)  # of a step's updates
    _started: float = 0.0
    _over: bool = False

    def run(self, policy: Policy, resume: Path | None) -> None:
        """Carry the steps out, from a checkpoint where there is one."""
        state = State.from_json((resume / STATE).read_bytes()) if resume else None
        self._policy = policy
        there = {task.capability or "all" for task in self.tasks}  # the filter may have left none of a kind
        shares = {name: share for name, share in self.stage.capabilities.items() if name in there}
        drawn = state.drawn if state else None
        self._drawer = Drawer(self.tasks, shares, self.settings.seed, drawn, hops=self.stage.rated)
        self._sentinel = Sentinel(self.settings.sentinel, state.watch if state else Watch(first=self.begun))
        self._favoured = state.favoured if state else ()
        self.look = self._sentinel.watch.best
        if state is not None and state.over:  # killed behind its last checkpoint: what it came to is known
            self.alarm = state.alarm
            return
        self._agent = agent_of(self.settings.agent, self.stage)
        if state is None:
            self._look_now(0)
        args = config_of(
            self.folder,
            self.settings.policy,
            self.stage,
            self.settings.updates,
            context=self._agent.context,
            seed=self.settings.seed,
        )
        self._trainer = GroupTrainer(
            policy,
            args,
            self.settings.updates,
            self._rows,
            [_Steps(self)],
            as_begun=partial(policy.wearing, self.start),
            every=self.settings.held_out.every,
        )
        self._started = time.monotonic()
        self._trainer.train(resume_from_checkpoint=str(resume) if resume else None)

    @property
    def first(self) -> Look | None:
        """The look by which forgetting is measured."""
        return self._sentinel.watch.first

    # ------------------------------------------------------------ rollouts

    def _rows(self, step: int) -> list[Row]:
        """The rows of a step: tasks drawn, tried, and those without variance replaced by others."""
        started, updates = time.monotonic(), self.settings.updates
        adapter = self._policy.save(self.folder / "current")
        kept: list[Group] = []
        everything: list[Group] = []
        for _ in range(1 + updates.refills):
            missing = updates.tasks - len(kept)
            if not missing:
                break
            groups = self._tried(self._drawer.next(missing, {group.task.id for group in everything}), step, adapter)
            everything += groups
            kept += [group for group in groups if group.varies]
        self._signals = of_groups(everything)
        tokens = sum(sum(one.sampled) for g in everything for r in g.rollouts for one in r.sequences)
        spent = time.monotonic() - started
        calls = sum(turn.call is not None for g in everything for r in g.rollouts for turn in r.trajectory.turns)
        self._signals |= {
            "groups": len(everything),
            "groups_kept": len(kept),
            "rollout_seconds": round(spent, 1),
            "rollout_tokens": tokens,
            "rollout_tokens_per_second": round(tokens / spent, 1),
            "calls_per_second": round(calls / spent, 2),
        }
        self._record(everything, step)
        rows = rows_of(kept, scale=updates.scale == "group", most=updates.rows, negative=updates.negative)
        return [*rows, *self._anchored(step)]

    def _tried(self, tasks: Sequence[Task], step: int, adapter: Path) -> list[Group]:
        seed = (self.settings.seed * 1009 + self.number) * 100_003 + step
        attempts = [Attempt(task, n, seed) for task in tasks for n in range(self.settings.updates.rollouts)]
        rollouts: list[Rollout] = list(self.sampler.roll(attempts, self._agent, adapter))
        failed = [rollout.trajectory for rollout in rollouts if rollout.trajectory.stop is Stop.FAILED]
        if failed and len(failed) == len(rollouts):
            raise ModelError(f"all {len(failed)} tries of a step failed ({failed[0].error}): mend that, then --resume")
        return grouped(rollouts, self.settings.reward, self.judge)

    def _anchored(self, step: int) -> list[Row]:
        """Some demonstrations, weighted: they are followed a little whatever the rollouts say."""
        weight, count = self.settings.updates.anchor, self.settings.updates.tasks
        if not weight or not self.anchors:
            return []
        chosen = [self.anchors[(step * count + n) % len(self.anchors)] for n in range(count)]
        return [Row(row.ids, row.sampled, None, weight) for row in chosen]

    def _record(self, groups: Sequence[Group], step: int) -> None:
        """What was tried and what came of it, without the ids."""
        lines = []
        for group in groups:
            for rollout, reward in zip(group.rollouts, group.rewards, strict=True):
                turns = tuple(
                    turn.model_copy(update={"token_ids": None, "logprobs": None}) for turn in rollout.trajectory.turns
                )
                told = rollout.trajectory.model_copy(update={"turns": turns})
                whole = told.model_dump(mode="json", exclude_defaults=True)
                lines.append(json.dumps({"step": step, "reward": reward, "trajectory": whole}))
        (self.folder / "rollouts").mkdir(exist_ok=True)
        (self.folder / "rollouts" / f"{step:05}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")

    # ------------------------------------------------------------ between steps

    def logged(self, step: int, logs: dict[str, float]) -> bool:
        """After an update; after a step's last one its line is written, the sentinel heard, the policy looked at.

        Returns:
            Whether the stage ends here.
        """
        told = {name: logs[name] for name in ("loss", "grad_norm", "entropy", "learning_rate") if name in logs}
        told |= {name: value for name, value in logs.items() if name.startswith("clip_ratio/region")}
        if self._trainer.offsets:
            told["sampler_offset"] = fmean(self._trainer.offsets)
        if self._trainer.divergences:
            told["kl_start"] = fmean(self._trainer.divergences)
        self._told.append(told)
        step, rest = divmod(step, self.settings.updates.updates)
        if rest:
            return False
        updates, self._told = self._told, []
        told = {name: fmean(one[name] for one in updates if name in one) for one in updates for name in one}
        told["step_seconds"] = round(time.monotonic() - self._started, 1)
        self._started = time.monotonic()
        line = self._signals | told
        self.alarm = self._sentinel.step({name: float(value) for name, value in line.items()})
        self.write({"stage": self.number, "step": step, **line, "raised": self._sentinel.watch.raised})
        last = self._solved() or step == self.stage.steps
        if self.alarm is None and (last or step % self.settings.held_out.every == 0):
            self._look_now(step)
        self._over = self.alarm is not None or last or self._sentinel.watch.worse >= self.stage.patience
        return self._over

    def _look_now(self, step: int) -> None:
        adapter = self._policy.save(self.folder / "current")
        now = look(self.sampler, self.held_out, self._agent, adapter)
        self.write({"stage": self.number, "step": step, **now.told})
        alarm = self._sentinel.look(now)
        if self._sentinel.watch.best is now:
            self.look = now
            self._policy.save(self.folder / "best")
        if alarm is not None:
            capability = alarm.signal.partition("/")[2]
            if capability in self._favoured or not self._drawer.favour(capability, _FAVOUR):
                self.alarm = alarm
            else:  # forgetting is answered by the curriculum first, where the stage has tasks for that
                self._favoured = (*self._favoured, capability)
                self.write({"stage": self.number, "step": step, "favoured": capability, "why": alarm.why})

    def _solved(self) -> bool:
        right = "part/judge" if self.settings.reward.judge else "part/exact"
        recent = [step.get(right, 0.0) for step in self._sentinel.watch.steps[-_SOLVED_OVER:]]
        return len(recent) == _SOLVED_OVER and fmean(recent) > self.stage.solved

    def saved(self, folder: Path, step: int) -> None:
        """Write our state into a checkpoint: with it the checkpoint is whole."""
        state = State(
            step=step,
            drawn=self._drawer.drawn,
            watch=self._sentinel.watch,
            favoured=self._favoured,
            over=self._over,
            alarm=self.alarm,
        )
        keep_state(folder, state)


class _Steps(TrainerCallback):
    """Tells the stage what the trainer does."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            control.should_training_stop |= self._stage.logged(state.global_step, logs)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._stage.saved(Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step)


def agent_of(agent: AgentSettings, stage: StageSettings | None) -> AgentSettings:
    """The agent as a stage runs it: nothing shapes the distribution but the temperature."""
    sampling = agent.sampling.model_copy(
        update={
            "temperature": stage.temperature if stage else 0.0,
            "top_p": 1.0,
            "top_k": 0,
            "presence_penalty": 0.0,
        }
    )
    limits = agent.limits.model_copy(update={"turns": stage.turns}) if stage and stage.turns else agent.limits
    context = (stage.context if stage else None) or agent.context
    return agent.model_copy(update={"sampling": sampling, "limits": limits, "context": context})
