"""Real questions with a real model: what looking up is worth, and which settings are worth having.

    python dev/questions.py MODEL.gguf FOLDER SETTING [SETTING ...]     the runs, one after the other, resumable
    python dev/questions.py note FOLDER                                 what they found, into dev/questions.jsonl
    python dev/questions.py                                             the table of what stands there

30 questions of wikitables and 30 of multihop, each set in its own lexical world (made in FOLDER when missing). Settings
are compared question by question: the paired bootstrap tells what 60 of them can tell. All of them are some hours of
work, for more than one day and machine: what is found is noted, the trajectories are not kept.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lite.evaluate import evaluate, read_tasks
from lite.models.llamacpp import LlamaCpp
from lite.records import Task, Trajectory
from lite.report import outcome, share
from lite.run import read_trajectories
from lite.tasks.rate import _FROM_MEMORY
from lite.world import World

SHARED = Path("/work/shared/data")
SETS = ("wikitables", "multihop")
QUESTIONS = 30
LIMITS: dict[str, Any] = {"turns": 4, "results": 5, "visit_words": 200, "turn_tokens": 192}
DEEP = {"limits": {"turns": 5, "results": 10, "visit_words": 400}}  # what does not fit 4,096 tokens
Row = dict[str, Any]  # what is noted of one question
SETTINGS: dict[str, dict[str, Any]] = {
    "visit": {},
    "closed": {"limits": {"calls": 0}},
    "search": {"tools": "search"},
    "llm": {"limits": {"visit_mode": "llm"}},
    "read": {"limits": {"visit_mode": "read"}},
    "16384": DEEP,
    "4096": DEEP | {"context": 4096},
    "keep-last": {"limits": DEEP["limits"] | {"memory": "keep-last"}, "context": 4096},
    "summarise": {"limits": DEEP["limits"] | {"memory": "summarise"}, "context": 4096},
}
AGAINST = {"4096": "16384", "keep-last": "16384", "summarise": "16384"}  # the others are compared with visit
# What would be the same episode is not run again: one whose longest turn leaves of 4,096 tokens what is kept free (an
# answer of 256, the request for it, a turn of 192), and one that reads no page, in another visit mode.
SAME: dict[str, tuple[str, Callable[[Row], bool]]] = {
    **dict.fromkeys(AGAINST, ("16384", lambda row: row["longest"] <= 3_500)),
    "llm": ("read", lambda row: row.get("read") == 0),
}
NOTED = Path(__file__).with_suffix(".jsonl")


def prepare(folder: Path) -> None:
    """Questions and worlds."""
    for name in SETS:
        tasks = read_tasks(SHARED / name / "questions.jsonl")
        chosen = random.Random(6).sample(tasks, QUESTIONS)  # noqa: S311
        (folder / f"{name}.jsonl").write_text("".join(task.to_json() + "\n" for task in chosen), encoding="utf-8")
        World.build(SHARED / name / "pages.jsonl.zst", folder / f"world-{name}", date="2026-11-26").close()
    (folder / "closed.txt").write_text(_FROM_MEMORY, encoding="utf-8")


def run(path: Path, folder: Path, setting: str) -> None:
    """One setting, both sets: those of their questions that nothing is noted of."""
    chosen = SETTINGS[setting]
    known = {row["id"] for row in found_with(path.stem, setting)}
    limits = LIMITS | chosen.get("limits", {})
    more: dict[str, Any] = {"context": 16384} | {key: value for key, value in chosen.items() if key != "limits"}
    # Left free, the 0.5B model answers from memory at once, most of the time, and no tool is tried.
    more |= {"prompt": str(folder / "closed.txt")} if setting == "closed" else {"grammar": True}
    for name in SETS:
        left = [task for task in read_tasks(folder / f"{name}.jsonl") if task.id not in known]
        if not left:
            continue
        out = folder / path.stem / f"{setting}-{name}"
        asked = folder / path.stem / f"{setting}-{name}.jsonl"
        asked.parent.mkdir(exist_ok=True)
        if not asked.exists():  # a run that is begun keeps its questions, whatever has been noted since
            asked.write_text("".join(task.to_json() + "\n" for task in left), encoding="utf-8")
        spent = time.process_time()
        model = LlamaCpp(path, context=more["context"], threads=1, grammar=more.get("grammar", False))
        report = evaluate(
            asked,
            world=folder / f"world-{name}",
            model=model,
            out=out,
            width=8,
            limits=limits,
            threads=1,
            **more,
        )
        model.close()
        spent = time.process_time() - spent
        print(f"{path.stem} {setting} {name}: {report.exact:.3f} {report.outcomes}, {spent:.0f} CPU-s", flush=True)


# ---------------------------------------------------------------- what was found


def note(folder: Path) -> None:
    """Put what the runs in a folder found in the place of what was noted of the same model and setting."""
    rows = {(row["model"], row["setting"], row["id"]): row for row in noted()}
    for out in sorted(folder.glob("*/*-*/trajectories.jsonl")):
        setting, _, name = out.parent.name.rpartition("-")
        tasks = {task.id: task for task in read_tasks(folder / f"{name}.jsonl")}
        for one in read_trajectories(out.parent):
            if one.reward is not None:
                row = {"model": out.parts[-3], "setting": setting, "set": name}
                row |= _row(tasks[one.task_id], one, one.reward.parts)
                rows[row["model"], setting, row["id"]] = row
    NOTED.write_text("".join(json.dumps(rows[key]) + "\n" for key in sorted(rows)), encoding="utf-8")


def noted() -> list[Row]:
    """All of it."""
    return [json.loads(line) for line in NOTED.read_text().splitlines()] if NOTED.exists() else []


def found_with(model: str, setting: str) -> list[Row]:
    """What is noted of a setting, and of the one it is compared with what is the same in both."""
    rows = {row["id"]: row for row in noted() if (row["model"], row["setting"]) == (model, setting)}
    if setting in SAME:
        other, same = SAME[setting]
        rows = {row["id"]: row for row in found_with(model, other) if same(row)} | rows
    return list(rows.values())


def _row(task: Task, one: Trajectory, parts: Mapping[str, float]) -> Row:
    shown = "\n".join(turn.observation or "" for turn in one.turns).casefold()
    return {
        "id": one.task_id,
        "exact": int(parts["exact"]),
        "f1": round(parts["f1"], 3),
        "outcome": outcome(one),
        "stop": one.stop.value,
        "saw": int(any(answer.casefold() in shown for answer in task.answers)),  # an answer, in what it was shown
        "turns": len(one.turns),
        "read": sum(len(turn.read) for turn in one.turns),
        "prompt": sum(turn.prompt_tokens for turn in one.turns),
        "cached": sum(turn.cached_tokens for turn in one.turns),
        "out": sum(turn.completion_tokens for turn in one.turns),
        "longest": max(turn.prompt_tokens + turn.completion_tokens for turn in one.turns),
        "rewrites": len(one.segments),
        "malformed": sum(turn.malformed is not None for turn in one.turns),
        "repaired": sum(bool(turn.repairs) for turn in one.turns),
    }


def table() -> None:
    """What each setting found, and how it differs from another one, question by question."""
    for model in dict.fromkeys(row["model"] for row in noted()):
        settings = {name: {row["id"]: row for row in rows} for name in SETTINGS if (rows := found_with(model, name))}
        print(f"\n{model}")
        for setting, rows in settings.items():
            _told(setting, list(rows.values()))
            other = AGAINST.get(setting, "visit")
            if other in settings and other != setting:
                _against(other, rows, settings[other])


def _told(setting: str, rows: list[Row]) -> None:
    whole = share([float(row["exact"]) for row in rows])
    sets = ", ".join(f"{sum(row['exact'] for row in rows if row['set'] == each)} in {each}" for each in SETS)
    summed = ("prompt", "cached", "out", "rewrites", "saw", "malformed", "repaired")
    total = {name: sum(row[name] for row in rows) for name in summed}
    print(
        f"{setting}: n {len(rows)}, exact {whole.value:.1%} ({whole.low:.1%} to {whole.high:.1%}; {sets}), F1 "
        f"{np.mean([row['f1'] for row in rows]):.3f}, saw the answer {total['saw']}, "
        f"{dict(Counter(row['outcome'] for row in rows))}, stops {dict(Counter(row['stop'] for row in rows))}, "
        f"turns {np.mean([row['turns'] for row in rows]):.1f}, prompt {total['prompt']:,}, cached {total['cached']:,}, "
        f"out {total['out']:,}, rewrites {total['rewrites']}, longest {max(row['longest'] for row in rows):,}, "
        f"unreadable {total['malformed']}, repaired {total['repaired']}"
    )


def _against(name: str, found: dict[str, Row], base: dict[str, Row]) -> None:
    both = sorted(found.keys() & base.keys())
    for part in ("exact", "f1"):
        less = np.array([found[each][part] - base[each][part] for each in both], float)
        drawn = np.random.default_rng(0).integers(0, len(less), (10_000, len(less)))
        low, high = np.quantile(less[drawn].mean(axis=1), (0.025, 0.975))
        print(f"    {part} less that of {name}, the same {len(less)}: {less.mean():+.3f} ({low:+.3f} to {high:+.3f})")


def main() -> None:
    """The runs, the notes or the table."""
    first, *rest = sys.argv[1:] or [""]
    if not first:
        table()
    elif first == "note":
        note(Path(rest[0]))
    else:
        folder = Path(rest[0])
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder)
        for setting in rest[1:]:
            run(Path(first), folder, setting)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
