"""What an evaluation found, counted so that it can be trusted: outcomes apart, intervals beside the shares, costs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from pydantic import Field

from lite.dialect import NEEDS_REPAIR
from lite.recipe import Prices
from lite.records import Record, Stop, Task, Trajectory, Turn
from lite.reward import abstains, same
from lite.tools import MOST_AT_ONCE, strings

_RESAMPLES, _SEED = 2000, 20260417
_TRUNCATED = {Stop.TURNS, Stop.CALLS, Stop.TIME, Stop.CONTEXT}
OUTCOMES = {
    "right": "an answer, and the right one",
    "wrong": "an answer, and not the right one",
    "abstained": "it said that it does not know",
    "truncated": "no answer, even when it was asked at a limit",
    "too_long": "nothing was asked: the question alone fills the window (a larger --context would do)",
    "stuck": "no answer: unreadable turns, or the same again and again",
    "tool_failure": "the world failed: not graded",
    "model_failure": "the model or its server failed: not graded",
    "judge_failure": "the judge failed: not graded",
    "ungraded": "an answer to a task without references",
}


class Share(Record):
    """A mean over tasks, each 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float


class Report(Record):
    """What an evaluation found. Shares are of what was graded; a failed trajectory is counted, never graded.

    With k attempts a task, `exact` and `f1` are means over the attempts; `pass@k` in `intervals` is the share of
    tasks that any of the k got right, `majority@k` the share whose most frequent answer is right; both leave out tasks
    of which an attempt failed.
    """

    model: str
    world: str  # content digest
    tasks: int
    attempts: int = 1  # k
    trajectories: int
    graded: int
    exact: float
    f1: float
    intervals: dict[str, Share] = Field(default_factory=dict)  # of exact, f1, pass@k, majority@k
    outcomes: dict[str, int] = Field(default_factory=dict)  # see OUTCOMES; every trajectory is in one
    answered: int
    stops: dict[str, int]
    failed: dict[str, int]
    failure: str = ""  # why the last that failed did
    unseen: int = 0  # trajectories whose last turn names a URL that nothing had shown
    turns: float  # mean a trajectory
    malformed_turns: int
    repaired_turns: int
    repairs: dict[str, int] = Field(default_factory=dict)  # of the turns that they made readable
    refused: dict[str, int] = Field(default_factory=dict)  # first repair that a turn would have needed, with `strict`
    rewrites: int = 0  # by memory
    unwritten: int = 0  # sentences that the model owed memory, and that were extracted
    tool_calls: dict[str, int]
    tool_errors: int
    shortened: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float
    model_seconds: float
    tool_seconds: float
    queries: int = 0
    visits: int = 0
    prices: Prices | None = None
    by_capability: dict[str, dict[str, float]] = Field(default_factory=dict)

    @property
    def cost(self) -> float:
        """US dollars that the same queries and visits would have cost at `prices`; 0 without."""
        return (self.queries * self.prices.search + self.visits * self.prices.visit) / 1000 if self.prices else 0.0


def outcome(trajectory: Trajectory) -> str:
    """The one of OUTCOMES that holds."""
    if trajectory.stop is Stop.FAILED:
        return f"{trajectory.failed}_failure"
    if trajectory.stop is Stop.CONTEXT and not trajectory.turns:
        return "too_long"
    if not trajectory.answered:
        return "truncated" if trajectory.stop in _TRUNCATED else "stuck"
    if trajectory.reward is None or trajectory.reward.value is None:
        return "judge_failure" if trajectory.failed == "judge" else "ungraded"
    if trajectory.reward.value >= 1:
        return "right"
    return "abstained" if abstains(trajectory.answer or "") else "wrong"


def majority(task: Task, trajectories: Sequence[Trajectory]) -> Trajectory | None:
    """An attempt that gave the most frequent answer, the earliest where several are; None without an answer.

    Answers are the same as the task's grader compares them. Who abstains has no vote.
    """
    groups: list[list[Trajectory]] = []
    for one in trajectories:
        answer = one.answer or ""
        if not one.answered or abstains(answer):
            continue
        known = next((group for group in groups if same(task, answer, group[0].answer or "")), None)
        if known is None:
            groups.append([one])
        else:
            known.append(one)
    return max(groups, key=len)[0] if groups else None


def share(values: Sequence[float]) -> Share:
    """The mean of one value a task and its 95 % bootstrap interval (2,000 resamples of the tasks, percentiles).

    Where all tasks agree resampling knows no spread: the exact binomial bound of a share that does otherwise stands
    in, and these tasks may stand at either end.
    """
    if not values:
        return Share(value=0.0, low=0.0, high=1.0)
    if len(set(values)) == 1:
        agree = 0.025 ** (1 / len(values))
        low = agree * values[0]
        return Share(value=round(values[0], 4), low=round(low, 4), high=round(low + 1 - agree, 4))
    table = np.asarray(values, np.float64)
    drawn = np.random.default_rng(_SEED).integers(0, len(table), (_RESAMPLES, len(table)))
    low, high = np.quantile(table[drawn].mean(axis=1), (0.025, 0.975))
    return Share(value=round(fmean(values), 4), low=round(float(low), 4), high=round(float(high), 4))


def summarise(
    tasks: Sequence[Task],
    trajectories: Iterable[Trajectory],
    *,
    model: str,
    world: str,
    attempts: int = 1,
    prices: Prices | None = None,
) -> Report:
    """Count what happened: the latest trajectory of each attempt at each of `tasks`; others are left out."""
    latest = {(one.task_id, one.attempt): one for one in trajectories}
    by_task = {
        task.id: [found for n in range(attempts) if (found := latest.get((task.id, n))) is not None] for task in tasks
    }
    by_task = {name: group for name, group in by_task.items() if group}
    chosen = [one for group in by_task.values() for one in group]
    graded = {name: kept for name, group in by_task.items() if (kept := [one for one in group if _is_graded(one)])}
    turns = [turn for one in chosen for turn in one.turns]
    named = {task.id: task for task in tasks}
    intervals = _intervals(named, graded, attempts)
    return Report(
        model=model,
        world=world,
        tasks=len(by_task),
        attempts=attempts,
        trajectories=len(chosen),
        graded=sum(map(len, graded.values())),
        exact=intervals["exact"].value,
        f1=intervals["f1"].value,
        intervals=intervals,
        outcomes=dict(Counter(map(outcome, chosen))),
        answered=sum(one.answered for one in chosen),
        stops=dict(Counter(one.stop.value for one in chosen)),
        failed=dict(Counter(one.failed for one in chosen if one.failed)),
        failure=next((" ".join((one.error or "").split()) for one in reversed(chosen) if one.failed), ""),
        unseen=sum(bool(one.unseen) for one in chosen),
        turns=round(len(turns) / max(1, len(chosen)), 2),
        by_capability=_by_capability(named, graded),
        prices=prices,
        **_protocol(turns),
        **_effort(chosen, turns),
    )


def _protocol(turns: Sequence[Turn]) -> dict[str, Any]:
    """How well the turns kept to the protocol, and what they called."""
    return {
        "malformed_turns": sum(turn.malformed is not None for turn in turns),
        "repaired_turns": sum(bool(turn.repairs) and turn.malformed is None for turn in turns),
        "repairs": dict(Counter(name for turn in turns if turn.malformed is None for name in turn.repairs)),
        "refused": dict(Counter(name for turn in turns if _refused(turn) for name in turn.repairs[:1])),
        "tool_calls": dict(Counter(turn.call.tool for turn in turns if turn.call)),
        "tool_errors": sum(turn.tool_error for turn in turns),
        "shortened": sum(turn.shortened for turn in turns),
        "queries": sum(asked(turn, "search", "query") for turn in turns),
        "visits": sum(asked(turn, "visit", "url") for turn in turns),
    }


def _effort(trajectories: Sequence[Trajectory], turns: Sequence[Turn]) -> dict[str, Any]:
    """Tokens and seconds, those that memory spent included."""
    segments = [segment for one in trajectories for segment in one.segments]
    return {
        "rewrites": len(segments),
        "unwritten": sum(segment.unwritten for segment in segments),
        "prompt_tokens": sum(one.prompt_tokens for one in [*turns, *segments])
        + sum(turn.reader_prompt_tokens for turn in turns),
        "cached_tokens": sum(turn.cached_tokens for turn in turns),
        "completion_tokens": sum(one.completion_tokens for one in [*turns, *segments])
        + sum(turn.reader_completion_tokens for turn in turns),
        "seconds": round(sum(one.seconds for one in trajectories), 1),
        "model_seconds": round(
            sum(turn.model_seconds + turn.reader_seconds for turn in turns) + sum(one.seconds for one in segments), 1
        ),
        "tool_seconds": round(sum(turn.tool_seconds for turn in turns), 3),
    }


def asked(turn: Turn, tool: str, argument: str) -> int:
    """Queries or pages that a turn's call asked for and got."""
    if turn.call is None or turn.call.tool != tool or turn.tool_error or turn.observation is None:
        return 0
    return min(MOST_AT_ONCE, len(dict.fromkeys(strings(turn.call.arguments.get(argument)))))


def _refused(turn: Turn) -> bool:
    return turn.malformed is not None and turn.malformed.startswith(NEEDS_REPAIR)


def _is_graded(one: Trajectory) -> bool:
    return one.reward is not None and one.reward.value is not None


def _intervals(tasks: dict[str, Task], graded: dict[str, list[Trajectory]], k: int) -> dict[str, Share]:
    def mean(part: str) -> list[float]:
        return [fmean(one.reward.parts[part] for one in group if one.reward) for group in graded.values()]

    found = {"exact": share(mean("exact")), "f1": share(mean("f1"))}
    if k > 1:
        whole = {name: group for name, group in graded.items() if len(group) == k}
        found[f"pass@{k}"] = share([float(any(map(_right, group))) for group in whole.values()])
        voted = [majority(tasks[name], group) for name, group in whole.items()]
        found[f"majority@{k}"] = share([float(one is not None and _right(one)) for one in voted])
    return found


def _right(one: Trajectory) -> bool:
    return one.reward is not None and (one.reward.value or 0) >= 1


def _by_capability(tasks: dict[str, Task], graded: dict[str, list[Trajectory]]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[str]] = {}
    for name in graded:
        groups.setdefault(tasks[name].capability or "", []).append(name)

    def told(names: Sequence[str]) -> dict[str, float]:
        of_task = {
            part: [fmean(one.reward.parts[part] for one in graded[name] if one.reward) for name in names]
            for part in ("exact", "f1")
        }
        whole = share(of_task["exact"])
        f1 = round(fmean(of_task["f1"]), 4)
        return {"tasks": len(names), "exact": whole.value, "low": whole.low, "high": whole.high, "f1": f1}

    return {group: told(names) for group, names in sorted(groups.items()) if group}


def rows(report: Report) -> list[tuple[str, str]]:
    """The report as (what, figure) lines, in the order a reader asks for them."""
    turns = max(1, round(report.turns * report.trajectories))
    tries = f" x {report.attempts} attempts" if report.attempts > 1 else ""
    lines = [
        ("tasks", f"{report.tasks}{tries} ({report.graded} graded, {report.answered} answered)"),
        ("exact match", _share(report.intervals.get("exact"), report.exact) if report.graded else "nothing to grade"),
        ("F1", f"{report.f1:.3f}" if report.graded else "nothing to grade"),
        *((name, _share(found, 0.0)) for name, found in report.intervals.items() if "@" in name),
        ("outcomes", _counts(report.outcomes, OUTCOMES)),
        ("ended by", _counts(report.stops)),
        ("failed (not graded)", _counts(report.failed) + (f"; the last: {report.failure}" if report.failed else "")),
        ("turns a task", f"{report.turns:.1f}"),
        (
            "malformed turns",
            f"{report.malformed_turns} ({report.malformed_turns / turns:.0%}), {report.repaired_turns} repaired",
        ),
        ("tool calls", f"{_counts(report.tool_calls)} ({report.tool_errors} refused, {report.shortened} shortened)"),
        (
            "tokens",
            f"{report.prompt_tokens:,} in ({report.cached_tokens:,} from the cache), {report.completion_tokens:,} out",
        ),
        ("seconds", f"{report.seconds:,.1f} ({report.model_seconds:,.1f} model, {report.tool_seconds:,.2f} tools)"),
        ("model seconds a turn", f"{report.model_seconds / turns:.1f}"),
    ]
    lines += _when_there(report)
    lines += [
        (f"  {name}, {group['tasks']:.0f}", f"{_share(_interval(group), 0.0)}; F1 {group['f1']:.3f}")
        for name, group in report.by_capability.items()
    ]
    return lines


def _when_there(report: Report) -> list[tuple[str, str]]:
    """Lines that say nothing where nothing happened."""
    lines = []
    if report.repairs:
        lines.append(("repairs", _counts(report.repairs)))
    if report.refused:
        lines.append(("refused for need of repair", _counts(report.refused)))
    if report.rewrites:
        extracted = f", {report.unwritten} sentences extracted that the model did not write" * bool(report.unwritten)
        lines.append(("rewritten by memory", f"{report.rewrites} times{extracted}"))
    if report.unseen:
        lines.append(("cites what it never saw", f"{report.unseen} of {report.trajectories}"))
    if report.prices:
        bought = f"{report.queries:,} queries, {report.visits:,} pages; {report.prices.source}, {report.prices.date}"
        lines.append(("on the open web", f"${report.cost:,.2f} ({bought})"))
    return lines


def _interval(group: dict[str, float]) -> Share:
    return Share(value=group["exact"], low=group["low"], high=group["high"])


def _share(found: Share | None, value: float) -> str:
    return f"{value:.1%}" if found is None else f"{found.value:.1%} (95 %: {found.low:.1%} to {found.high:.1%})"


def _counts(values: dict[str, Any], order: Iterable[str] = ()) -> str:
    names = [name for name in order if name in values] or sorted(values)
    return ", ".join(f"{name.replace('_', ' ')} {values[name]}" for name in names) or "none"


def as_markdown(report: Report) -> str:
    """The report as a Markdown table."""
    body = "\n".join(f"| {what} | {figure} |" for what, figure in rows(report))
    return f"# {report.model}\n\nWorld {report.world}.\n\n| | |\n|---|---|\n{body}\n"
