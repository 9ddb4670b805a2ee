"""The report of a training run: what the exams say, what each part did, its curves; of a run under way what there is.

It stands in the run's folder: `report/` holds `report.md`, `index.html`, `curves.svg` and `curves.png`.
"""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from lite.errors import UsageError
from lite.records import Record
from lite.report import Share
from lite.run import read_manifest
from lite.train.curves import Curves, Part, read_metrics
from lite.train.exam import read_marks
from lite.train.figures import draw
from lite.train.gains import Accuracy, Gains, accuracy, gains, verdict

_NAMES = {"base": "base", "sft": "SFT"}  # others are as they are called


class TrainReport(Record):
    """What a training run came to.

    Attributes:
        name: the run's.
        settings: its recipe as it ran.
        missing: what is not there (yet), and why.
        exams: by name, in the order base, start, sft, stages.
        gains: of the last stage over what it began with, first; then of both over the base.
        parts: a line each, for a table.
        seconds: that it took.
    """

    name: str
    settings: dict[str, Any]
    missing: tuple[str, ...] = ()
    exams: dict[str, Accuracy] = Field(default_factory=dict)
    gains: tuple[Gains, ...] = ()
    parts: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0


class Table(Record):
    """A table with its heading, a line above and one below."""

    title: str
    above: str = ""
    rows: tuple[tuple[str, ...], ...]
    below: str = ""


def report(run: Path) -> TrainReport:
    """Read a run, write `report/` into it, and give what it says.

    Raises:
        UsageError: the folder holds no training run.
        MissingExtra: matplotlib is not installed.
    """
    manifest = read_manifest(run)
    if manifest is None or "policy" not in manifest["settings"]:
        raise UsageError(f"{run} is no run of lite train: give its folder (lite eval RUN reports an evaluation)")
    curves = Curves.of(read_metrics(run))
    found = _found(run, manifest["settings"], curves)
    folder = run / "report"
    folder.mkdir(exist_ok=True)
    pictures = [folder / "curves.svg", folder / "curves.png"]
    if curves.parts:
        draw(curves, pictures)
    (folder / "report.md").write_text(as_markdown(found), "utf-8")
    svg = pictures[0].read_text("utf-8") if curves.parts else ""
    (folder / "index.html").write_text(_page(found, svg[svg.find("<svg") :]), "utf-8")
    return found


def _found(run: Path, settings: dict[str, Any], curves: Curves) -> TrainReport:
    """What there is. Settings are taken as they are written: those of another version may have other names."""
    exam, stages = settings.get("exam"), settings.get("stages", ())
    begun = (["start"] if settings["policy"].get("adapter") else []) + (["sft"] if settings.get("sft") else [])
    names = ["base", *begun, *(f"stage-{n + 1}" for n in range(len(stages)))]
    missing = list(_unfinished(run, names[1:]))
    marks = {}
    for name in names if exam else ():
        path = run / "exam" / f"{name}.jsonl"
        marks[name] = read_marks(path) if path.exists() else []
        if name not in curves.exams:
            missing.append(f"the exam of {name} is not over: {len(marks[name])} tasks so far")
    if not exam:
        missing.append("the recipe has no exam, so no gain was measured: add [exam] of = TASKS")
    told = {name: found for name, found in marks.items() if any(mark.value is not None for mark in found)}
    last = next((name for name in reversed(names) if name.startswith("stage") and name in told), None)
    before = begun[-1] if begun else "base"
    pairs = [(before, last), *([("base", last), ("base", before)] if begun else [])]
    compared = (gains((one, told[one]), (two, told[two])) for one, two in pairs if two and {one, two} <= told.keys())
    return TrainReport(
        name=settings.get("name", run.name),
        settings=settings,
        missing=tuple(missing),
        exams={name: accuracy(found) for name, found in told.items()},
        gains=tuple(found for found in compared if found is not None),
        parts=tuple(map(_part, curves.parts)),
        seconds=round(curves.seconds, 1),
    )


def _unfinished(run: Path, parts: Sequence[str]) -> list[str]:
    state_file = run / "state.json"
    state = json.loads(state_file.read_text("utf-8")) if state_file.exists() else {}
    twice = [number for number, whys in state.get("collapses", {}).items() if len(whys) > 1]
    if twice:
        return [f"stage {twice[0]} collapsed twice, which ended the run"]
    open_ = [part for part in parts if part not in state]
    return [f"{open_[0]} is not over: the run is under way, or was stopped (lite train --resume)"] if open_ else []


def _part(part: Part) -> dict[str, Any]:
    looks = [look["accuracy"] for look in part.looks.values()]
    happened = [f"{name} favoured from step {step} on" for step, name in part.favoured]
    if part.collapse is not None:
        happened.append(f"collapse: {part.collapse}")
    return {
        "part": part.name,
        "steps": part.last,
        "seconds": round(part.seconds, 1),
        "first": looks[0] if looks else None,
        "best": max(looks, default=None),
        "happened": "; ".join(happened),
    }


# ---------------------------------------------------------------- tables


def tables(found: TrainReport) -> list[Table]:
    """What a reader wants to know, in that order."""
    made = [_gained(found)] if found.exams else []
    if found.exams:
        rows: list[tuple[str, ...]] = [("", "answered", "searches", "visits", "tokens")]
        for name, exam in found.exams.items():
            seen = exam.behaviour
            figures = (f"{seen[key]:.2f}" for key in ("searches", "visits"))
            rows.append((_called(name), f"{seen['answered']:.0%}", *figures, f"{seen['tokens']:.0f}"))
        made.append(Table(title="How it went about it", above="An episode of the exam.", rows=tuple(rows)))
    if found.parts:
        rows = [("part", "steps", "minutes", "held out: first", "best", "what happened")]
        for part in found.parts:
            first, best = (f"{part[key]:.1%}" if part[key] is not None else "" for key in ("first", "best"))
            minutes = f"{part['seconds'] / 60:.0f}"
            rows.append((part["part"], str(part["steps"]), minutes, first, best, part["happened"]))
        above = f"{found.seconds / 60:.0f} minutes in all, rating, looks and exams included."
        made.append(Table(title="The parts of the run", above=above, rows=tuple(rows)))
    return made


def _gained(found: TrainReport) -> Table:
    exams, gain = found.exams, found.gains[0] if found.gains else None
    difference = (f"{_called(gain.after)} - {_called(gain.before)}", "verdict") if gain else ()
    rows = [("accuracy, %", "tasks", *map(_called, exams), *difference)]
    newest = list(exams.values())[-1]
    groups = [("mean over capabilities", newest.tasks, "mean")]
    groups += [(name, newest.counts[name], name) for name in (*newest.by_capability, *newest.by_hops)]
    for title, count, key in groups:
        shares = (_share(exam, key) for exam in exams.values())
        cells = (_percent(one) if one else "" for one in shares)
        change = _change(gain, key) if gain else ()
        rows.append((title, str(count), *cells, *change))
    below = "In brackets: 95 % intervals, by a bootstrap over tasks, paired for the difference."
    if gain:
        worse = ", ".join(gain.worse) or "none"
        below = f"Significantly worse capabilities: {worse}. {below}"
    return Table(title="What training gained", above=_summary(found), rows=tuple(rows), below=below)


def _summary(found: TrainReport) -> str:
    said = [
        f"{_called(one.after)} over {_called(one.before)}: {_points(one.mean)} points on {one.tasks} tasks, "
        f"{verdict(one.mean)}"
        for one in found.gains
    ]
    return "; ".join(said) + "." if said else "There is nothing to compare yet."


def _share(exam: Accuracy, key: str) -> Share | None:
    return exam.mean if key == "mean" else exam.by_capability.get(key) or exam.by_hops.get(key)


def _change(gain: Gains, key: str) -> tuple[str, str]:
    found = gain.mean if key == "mean" else gain.by_capability.get(key) or gain.by_hops.get(key)
    return (_points(found), verdict(found)) if found else ("", "")


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _points(change: Share) -> str:
    return f"{100 * change.value:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})"


def _called(name: str) -> str:
    return _NAMES.get(name, name.replace("-", " "))


def as_markdown(found: TrainReport) -> str:
    """The report as Markdown."""
    lines = [f"# {found.name}", ""]
    lines += [*(f"- Missing: {what}." for what in found.missing), ""] if found.missing else []
    for table in tables(found):
        head, *rows = ([cell.replace("|", "\\|") for cell in row] for row in table.rows)
        lines += [f"## {table.title}", "", *([table.above, ""] if table.above else [])]
        lines += [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
        lines += ["", *([table.below, ""] if table.below else [])]
    return "\n".join([*lines, "![Curves](curves.svg)", ""] if found.parts else lines)


# ---------------------------------------------------------------- page

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem; margin: 2rem auto;
       padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } .wide { overflow-x: auto }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; border-bottom: 1px solid #ddd; white-space: nowrap }
td:last-child { white-space: normal } .better { color: #00704f } .worse { color: #c00000; font-weight: 600 }
.missing { border-left: 4px solid #e69f00; padding-left: .8rem } svg { width: 100%; height: auto }
pre { background: #f4f4f2; padding: 1rem; overflow-x: auto; font-size: 13px }
"""


def _page(found: TrainReport, svg: str) -> str:
    """The report as one page that needs no other file."""
    name = html.escape(found.name)
    missing = "".join(f"<li>{html.escape(what)}</li>" for what in found.missing)
    body = [f"<h1>{name}</h1>", f'<ul class="missing">{missing}</ul>' if missing else ""]
    made = tables(found)
    curves = f'<h2>Curves</h2>\n<div role="img" aria-label="Curves of the run">{svg}</div>' if svg else ""
    body += [*map(_html_table, made[:1]), curves, *map(_html_table, made[1:])]
    settings = html.escape(json.dumps(found.settings, indent=2, ensure_ascii=False))
    body.append(f"<h2>Settings</h2>\n<details><summary>The recipe as it ran</summary><pre>{settings}</pre></details>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{chr(10).join(body)}\n</body>\n</html>\n"
    )


def _html_table(table: Table) -> str:
    def cell(text: str, tag: str) -> str:
        mark = f' class="{text}"' if text in {"better", "worse"} else ""
        return f"<{tag}{mark}>{html.escape(text)}</{tag}>"

    head, *rows = table.rows
    lines = ["".join(cell(text, "th") for text in head)]
    lines += [cell(row[0], "th") + "".join(cell(text, "td") for text in row[1:]) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    above, below = (f"<p>{html.escape(text)}</p>" if text else "" for text in (table.above, table.below))
    return f'<h2>{html.escape(table.title)}</h2>\n{above}\n<div class="wide"><table>\n{body}\n</table></div>\n{below}'
