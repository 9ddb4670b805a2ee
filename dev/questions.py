"""Real questions with a real model: what looking up is worth, and which settings are worth having.

    python dev/questions.py MODEL.gguf FOLDER SETTING [SETTING ...]     the runs, one after the other, resumable
    python dev/questions.py FOLDER                                      the table of what is there

30 questions of wikitables and 30 of multihop, each set in its own lexical world (made in FOLDER when missing). Settings
are compared question by question: the paired bootstrap tells what 60 of them can tell.
"""

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from lite.evaluate import evaluate, read_tasks
from lite.models.llamacpp import LlamaCpp
from lite.records import Stop, Task, Trajectory
from lite.report import outcome, share
from lite.run import read_trajectories
from lite.tasks.rate import _FROM_MEMORY
from lite.world import World

SHARED = Path("/work/shared/data")
SETS = ("wikitables", "multihop")
QUESTIONS = 30
LIMITS: dict[str, Any] = {"turns": 4, "results": 5, "visit_words": 200, "turn_tokens": 192}
SETTINGS: dict[str, dict[str, Any]] = {
    "closed": {"limits": {"calls": 0}},
    "search": {"tools": "search"},
    "visit": {},
    "llm": {"limits": {"visit_mode": "llm"}},
    "read": {"limits": {"visit_mode": "read"}},
    "4096": {"context": 4096},
    "keep-last": {"context": 4096, "limits": {"memory": "keep-last"}},
    "summarise": {"context": 4096, "limits": {"memory": "summarise"}},
}


def prepare(folder: Path) -> None:
    """Questions and worlds."""
    for name in SETS:
        tasks = read_tasks(SHARED / name / "questions.jsonl")
        chosen = random.Random(6).sample(tasks, QUESTIONS)  # noqa: S311
        (folder / f"{name}.jsonl").write_text("".join(task.to_json() + "\n" for task in chosen), encoding="utf-8")
        World.build(SHARED / name / "pages.jsonl.zst", folder / f"world-{name}", date="2026-11-26").close()
    (folder / "closed.txt").write_text(_FROM_MEMORY, encoding="utf-8")


def run(path: Path, folder: Path, setting: str) -> None:
    """One setting, both sets."""
    chosen = SETTINGS[setting]
    limits = LIMITS | chosen.get("limits", {})
    more: dict[str, Any] = {"context": 16384} | {key: value for key, value in chosen.items() if key != "limits"}
    # Left free, the 0.5B model answers from memory at once, most of the time, and no tool is tried.
    more |= {"prompt": str(folder / "closed.txt")} if setting == "closed" else {"grammar": True}
    for name in SETS:
        out = folder / path.stem / f"{setting}-{name}"
        spent = time.process_time()
        model = LlamaCpp(path, context=more["context"], threads=1, grammar=more.get("grammar", False))
        report = evaluate(
            folder / f"{name}.jsonl",
            world=folder / f"world-{name}",
            model=model,
            out=out,
            width=8,
            limits=limits,
            threads=1,
            **more,
        )
        model.close()
        with (out / "cpu.txt").open("a") as file:
            file.write(f"{time.process_time() - spent:.0f}\n")
        print(f"{path.stem} {setting} {name}: {report.exact:.3f} {report.outcomes}", flush=True)


def grades(folder: Path, setting: str) -> dict[str, Trajectory]:
    """The graded trajectories of a setting, by question."""
    found: dict[str, Trajectory] = {}
    for name in SETS:
        out = folder / f"{setting}-{name}"
        if (out / "trajectories.jsonl").exists():
            found |= {one.task_id: one for one in read_trajectories(out) if one.stop is not Stop.FAILED}
    return found


def table(folder: Path) -> None:
    """What each setting found, and how it differs from `visit`, question by question."""
    tasks: dict[str, Task] = {task.id: task for name in SETS for task in read_tasks(folder.parent / f"{name}.jsonl")}
    base = grades(folder, "visit")
    for setting in SETTINGS:
        found = grades(folder, setting)
        if not found:
            continue
        exact = {name: float(one.reward.parts["exact"]) for name, one in found.items() if one.reward}
        f1 = [float(one.reward.parts["f1"]) for one in found.values() if one.reward]
        whole = share(list(exact.values()))
        by_set = [[value for name, value in exact.items() if name in _ids(folder, each)] for each in SETS]
        sets = ", ".join(f"{sum(values):.0f} of {len(values)}" for values in by_set)
        outcomes = {
            kind: sum(outcome(one) == kind for one in found.values())
            for kind in ("right", "wrong", "abstained", "truncated", "stuck")
        }
        seen = sum(_saw(tasks[name], one) for name, one in found.items())
        turns = [turn for one in found.values() for turn in one.turns]
        rewrites = sum(len(one.segments) for one in found.values())
        print(
            f"{setting}: n {len(found)}, exact {whole.value:.1%} ({whole.low:.1%} to {whole.high:.1%}; {sets}), F1 "
            f"{np.mean(f1):.3f}, saw the answer {seen}, {outcomes}, turns {len(turns) / len(found):.1f}, "
            f"prompt {sum(t.prompt_tokens for t in turns):,}, cached {sum(t.cached_tokens for t in turns):,}, "
            f"out {sum(t.completion_tokens for t in turns):,}, rewrites {rewrites}, "
            f"longest {max(t.prompt_tokens + t.completion_tokens for t in turns):,}, malformed "
            f"{sum(t.malformed is not None for t in turns)}, repaired {sum(bool(t.repairs) for t in turns)}, stops "
            f"{dict(sorted(_stops(found).items()))}"
        )
        if setting != "visit" and base:
            _against(found, base)


def _ids(folder: Path, name: str) -> set[str]:
    return {task.id for task in read_tasks(folder.parent / f"{name}.jsonl")}


def _stops(found: dict[str, Trajectory]) -> dict[str, int]:
    stops: dict[str, int] = {}
    for one in found.values():
        stops[one.stop.value] = stops.get(one.stop.value, 0) + 1
    return stops


def _saw(task: Task, one: Trajectory) -> bool:
    """Whether an answer stood in anything the model was shown."""
    shown = "\n".join(turn.observation or "" for turn in one.turns).casefold()
    return any(answer.casefold() in shown for answer in task.answers)


def _against(found: dict[str, Trajectory], base: dict[str, Trajectory]) -> None:
    both = sorted(found.keys() & base.keys())
    for part in ("exact", "f1"):
        pairs = [(found[name].reward, base[name].reward) for name in both]
        less = np.array([float(a.parts[part]) - float(b.parts[part]) for a, b in pairs if a and b])
        drawn = np.random.default_rng(0).integers(0, len(less), (10_000, len(less)))
        low, high = np.quantile(less[drawn].mean(axis=1), (0.025, 0.975))
        print(f"    {part} less visit's, the same {len(less)}: {less.mean():+.3f} ({low:+.3f} to {high:+.3f})")


def main() -> None:
    """The runs, or the table."""
    first, *rest = sys.argv[1:]
    if not rest:
        table(Path(first))
        return
    folder = Path(rest[0])
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder)
    for setting in rest[1:]:
        run(Path(first), folder, setting)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
