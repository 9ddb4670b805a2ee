"""What one sees of a policy: the signals of a step's rollouts, and a look at it on held-out tasks."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import Field

from lite.recipe import AgentSettings
from lite.records import Record, Stop, Task, Trajectory
from lite.report import asked
from lite.train.groups import Group
from lite.train.rollouts import Attempt, Sampler


class Look(Record):
    """The policy on the held-out tasks, greedy."""

    tries: dict[str, int] = Field(default_factory=dict)  # by capability
    right: dict[str, int] = Field(default_factory=dict)
    signals: dict[str, float] = Field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """The mean over capabilities: an easy one that is frequent counts no more than a hard one."""
        shares = [self.right.get(name, 0) / tries for name, tries in self.tries.items() if tries]
        return fmean(shares) if shares else 0.0

    @property
    def told(self) -> dict[str, Any]:
        """As it stands in a line of metrics."""
        return {"look": self.model_dump(mode="json", exclude_defaults=True), "accuracy": self.accuracy}

    @property
    def by_capability(self) -> dict[str, float]:
        """Accuracy of each."""
        return {name: self.right.get(name, 0) / tries for name, tries in sorted(self.tries.items()) if tries}


def look(sampler: Sampler, tasks: Sequence[Task], settings: AgentSettings, adapter: Path | None) -> Look:
    """Try each held-out task once, greedily, with the adapter in this file."""
    greedy = settings.sampling.model_copy(update={"temperature": 0.0, "presence_penalty": 0.0})
    chosen = settings.model_copy(update={"sampling": greedy})
    tries: dict[str, int] = {}
    right: dict[str, int] = {}
    trajectories = []
    for rollout in sampler.roll([Attempt(task, 0, 0) for task in tasks], chosen, adapter):
        trajectories.append(rollout.trajectory)
        reward = rollout.trajectory.reward
        if reward is None or reward.value is None:
            continue
        name = rollout.attempt.task.capability or "all"
        tries[name] = tries.get(name, 0) + 1
        right[name] = right.get(name, 0) + (reward.value == 1.0)
    return Look(tries=tries, right=right, signals=behaviour(trajectories) | services(trajectories))


def behaviour(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """How the policy behaves, whatever it is right about. Per episode, unless a share is said.

    answered (share), unread (share that answered and had read no page), malformed (share of turns), turns, searches,
    visits, thinking (words a turn), length (tokens it wrote), truncated (share of episodes ended by a limit), repeated
    (share), failed (share; left out of the others).
    """
    whole = [one for one in trajectories if one.stop is not Stop.FAILED]
    failed = 1 - len(whole) / len(trajectories) if trajectories else 0.0
    if not whole:
        return {"failed": failed}
    turns = [turn for one in whole for turn in one.turns]
    calls = [turn.call.tool for turn in turns if turn.call is not None]
    limits = {Stop.TURNS, Stop.CALLS, Stop.TIME, Stop.CONTEXT}
    return {
        "failed": failed,
        "answered": fmean(one.answered for one in whole),
        "unread": fmean(one.answered and not any(turn.read for turn in one.turns) for one in whole),
        "malformed": fmean([turn.malformed is not None for turn in turns] or [0.0]),
        "turns": len(turns) / len(whole),
        "searches": calls.count("search") / len(whole),
        "visits": calls.count("visit") / len(whole),
        "thinking": fmean([len(turn.think.split()) for turn in turns] or [0]),
        "length": sum(turn.completion_tokens for turn in turns) / len(whole),
        "truncated": fmean(one.stop in limits for one in whole),
        "repeated": fmean(one.stop is Stop.REPEATED for one in whole),
    }


def services(trajectories: Sequence[Trajectory]) -> dict[str, int]:
    """Queries and pages that the tools answered, all together: what a service would bill."""
    turns = [turn for one in trajectories for turn in one.turns]
    return {
        "queries": sum(asked(turn, "search", "query") for turn in turns),
        "pages": sum(asked(turn, "visit", "url") for turn in turns),
    }


def of_groups(groups: Sequence[Group]) -> dict[str, float]:
    """The signals of a step: behaviour, and what its rewards were worth."""
    known = [reward for group in groups for reward in group.known]
    trajectories = [one.trajectory for group in groups for one in group.rollouts]
    found = behaviour(trajectories) | services(trajectories)
    found["reward"] = fmean(known) if known else 0.0
    found["without_variance"] = fmean([not group.varies for group in groups] or [0.0])
    by_capability: dict[str, list[float]] = {}
    for group in groups:
        by_capability.setdefault(group.task.capability or "all", []).extend(group.known)
    found |= {f"reward/{name}": fmean(rewards) for name, rewards in sorted(by_capability.items()) if rewards}
    parts = [each for group in groups for each in group.parts if each is not None]
    return found | {f"part/{name}": fmean(each[name] for each in parts) for name in (parts[0] if parts else ())}
