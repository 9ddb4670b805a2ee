"""What a person sees: hits, pages, an episode as it happens, tables, progress.

Results go to stdout, progress and errors to stderr. Page text and model text are data: they are printed as plain
text, never as Rich markup, and without the control characters that could drive a terminal.
"""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from lite.doctor import Diagnosis, purpose
from lite.records import Results, Visit

# C0 and C1 controls but newline and tab, and the marks that turn the direction of text around.
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_QUIET = 10.0  # seconds between two lines of progress where there is no terminal

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def plain(text: str, style: str = "") -> Text:
    """Text from outside (a page, a model, a file) as something that prints as itself and does nothing else."""
    return Text(text.translate(_CONTROLS), style=style)


def say(text: str = "", style: str = "") -> None:
    """One line on stdout."""
    out.print(plain(text, style), soft_wrap=True)


def note(text: str) -> None:
    """One line on stderr: what is being done."""
    err.print(plain(text, "dim"), soft_wrap=True)


def show_json(value: Any) -> None:
    """One JSON document on stdout, for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=None, default=str) + "\n")


# ---------------------------------------------------------------- the two tools


def show_results(results: Results) -> None:
    """Hits, best first, with the mode that ran and what was left out."""
    found = f"{len(results)} hits" if len(results) != 1 else "1 hit"
    say(f"{found} for '{results.query}' ({results.mode})", "bold")
    for remark in results.notes:
        say(f"note: {remark}", "yellow")
    for place, hit in enumerate(results, 1):
        out.print()
        out.print(Text.assemble(f"{place}. ", plain(hit.title or hit.url, "bold"), (f"  {hit.score:.4f}", "dim")))
        out.print(Text.assemble("   ", plain(hit.url, "cyan")), soft_wrap=True)
        out.print(Padding(plain(hit.snippet), (0, 0, 0, 3)))


def show_visit(visit: Visit) -> None:
    """What a reader takes from a page."""
    say(visit.title or visit.url, "bold")
    say(visit.url, "cyan")
    out.print()
    out.print(plain(visit.evidence), soft_wrap=True)
    if visit.summary:
        out.print()
        out.print(Text.assemble(("Summary: ", "bold"), plain(visit.summary)), soft_wrap=True)


def table(rows: Sequence[tuple[str, str]], title: str | None = None) -> None:
    """Two columns: what, and its figure."""
    if title:
        say(title, "bold")
    width = max((len(what) for what, _ in rows), default=0)
    for what, figure in rows:
        out.print(Text.assemble(plain(f"  {what:<{width}}  ", "dim"), plain(figure)), soft_wrap=True)


# ---------------------------------------------------------------- the doctor


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Findings by kind, then what to run."""
    marks = {"ok": "green", "missing": "yellow", "broken": "bold red"}
    say(f"literesearcher-lite {diagnosis.version}", "bold")
    width = max(len(one.name) for one in diagnosis.findings)
    for kind in ("machine", "library", "weights", "compiler", "setting"):
        say(kind, "bold")
        for one in diagnosis.findings:
            if one.kind == kind:
                state, style = ("", "") if kind in {"machine", "setting"} else (f"{one.state:<9}", marks[one.state])
                tail = f"  [{one.extra}]" if one.extra else ""
                line = (plain(f"  {one.name:<{width}}  "), (state, style), plain(one.detail), (tail, "dim"))
                out.print(Text.assemble(*line), soft_wrap=True)
    for extra in ("embed", "llama", "demo"):
        say(f"  [{extra}] {purpose(extra)}", "dim")
    out.print()
    if not diagnosis.advice:
        say("Nothing is missing.", "green")
    for advice in diagnosis.advice:
        say(f"To {advice.what}:" if not advice.what.startswith(("or ", "before ")) else f"{advice.what}:")
        say(f"    {advice.command}", "cyan")


# ---------------------------------------------------------------- progress


class ProgressView(AbstractContextManager["ProgressView"]):
    """A bar on a terminal; a plain line now and then anywhere else. Always on stderr."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._stage = ""
        self._began = self._told = time.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, TimeRemainingColumn(), console=err) if err.is_terminal else None
        self._task = None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, stage: str, done: float, total: float | None, count: int) -> None:
        """`done` of `total` (bytes, pages, tasks: whatever measures the stage); `count` units came through so far."""
        now = time.monotonic()
        fresh = stage != self._stage
        if fresh:
            self._stage, self._began = stage, now
            self._base = count if total is not None and done >= total else 0
        rate = count / (now - self._began) if now > self._began else 0.0
        note = f"{count:,} {self._unit}, {rate:,.1f}/s"
        if self._bar is not None:
            if fresh or self._task is None:
                self._task = self._bar.add_task(stage, total=total, note="")
            self._bar.update(self._task, completed=done, total=total, note=note)
        elif fresh or now - self._told > _QUIET:
            self._told = now
            left = f", {_duration((now - self._began) * (total - done) / done)} left" if total and done else ""
            err.print(f"{stage}: {note}{left}" if not fresh else f"{stage} ...", soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def counted(number: int, thing: str) -> str:
    """`1 page`, `3 pages`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def shortened(items: Sequence[str], most: int) -> list[str]:
    """The first few of `items`, and how many more there are."""
    rest = len(items) - most
    return [*items[:most], *([f"... and {rest} more"] if rest > 0 else [])]
