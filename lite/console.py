"""What a person sees: hits, pages, an episode as it happens, tables, progress.

Results go to stdout, progress and errors to stderr. Page text and model text are data: they are printed as plain
text, never as Rich markup, and without the control characters that could drive a terminal.
"""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self

from rich import progress
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from lite.doctor import Diagnosis, purpose
from lite.records import Results, Visit

if TYPE_CHECKING:  # the doctor prints too, and must not need what a world needs
    from lite.world import Progress, WorldInfo

# C0 and C1 controls but newline and tab, and the marks that turn the direction of text around.
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_EXAMPLES = 5  # reasons, and broken records, that the account of a world names
_ALIKE = {"keep": "found and kept", "drop": "made aliases of the pages they repeat"}
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


def ask() -> str | None:
    """The next line a person types that is not empty; None when they are done (/quit, Ctrl-C, the end of input)."""
    while True:
        try:
            line = out.input(Text("\n> ", "bold") if out.is_terminal else "").strip()
        except (EOFError, KeyboardInterrupt, RuntimeError):  # the last: there is no input at all
            return None
        if line in {"/quit", "/exit"}:
            return None
        if line:
            return line


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
        out.print(
            Text.assemble(f"{place}. ", plain(hit.title or hit.url, "bold"), (f"  {hit.score:.4f}", "dim")),
            soft_wrap=True,
        )
        out.print(Text.assemble("   ", plain(hit.url, "cyan")), soft_wrap=True)
        show_indented(hit.snippet)


def show_visit(visit: Visit) -> None:
    """What a reader takes from a page."""
    say(visit.title or visit.url, "bold")
    say(visit.url, "cyan")
    out.print()
    out.print(plain(visit.evidence), soft_wrap=True)
    if visit.summary:
        out.print()
        out.print(Text.assemble(("Summary: ", "bold"), plain(visit.summary)), soft_wrap=True)


def show_indented(text: str, style: str = "") -> None:
    """A block of text, set in a little; wrapped on a terminal only, so that a file keeps its lines."""
    if out.is_terminal:
        out.print(Padding(plain(text, style), (0, 0, 0, 3), expand=False))
    else:
        out.print(plain("\n".join(f"   {line}".rstrip() for line in text.splitlines())), soft_wrap=True)


def table(rows: Sequence[tuple[str, str]], title: str | None = None) -> None:
    """Two columns: what, and its figure."""
    if title:
        say(title, "bold")
    width = max((len(what) for what, _ in rows), default=0)
    for what, figure in rows:
        out.print(Text.assemble(plain(f"  {what:<{width}}  ", "dim"), plain(figure)), soft_wrap=True)


def show_grid(rows: Sequence[Sequence[str]], remarks: Sequence[str] = ()) -> None:
    """A table of several columns, its first row their names, under remarks."""
    for line in remarks:
        say(line, "dim")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        first, *rest = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join([first, *rest]).rstrip(), "" if number else "bold")


def show_info(info: "WorldInfo") -> None:
    """What a world holds, how it was made, and what of its sources could not be read."""
    vectors = "none (lexical only)"
    if info.embedding is not None:
        vectors = f"{info.embedding.name}, {info.embedding.dim} dimensions, {info.embedding.index}"
    rows = [
        ("pages", f"{info.pages:,} ({info.chars:,} characters, {info.links:,} links)"),
        ("aliases", f"{info.aliases:,} further URLs of the same pages"),
        ("vectors", vectors),
        ("date", info.built),
        ("content digest", info.digest),
        ("index id", info.index_id),
        ("built by", f"literesearcher-lite {info.version}"),
        ("sources", ", ".join(name for change in info.changes for name in change.sources)),
        ("records read", f"{info.records:,} ({info.repeated:,} repeated URLs, {info.conflicts:,} with several texts)"),
        ("near-duplicates", f"{info.near_duplicates:,} {_ALIKE[info.settings.policy.near_duplicates]}"),
        *((f"left out: {count:,}", reason) for reason, count in _commonest(info.filtered)),
        *((f"left out: {count:,}", reason) for reason, count in _commonest(info.broken)),
        *(("  for example", f"{one.source}, {one.where}: {one.reason}") for one in info.broken_first[:_EXAMPLES]),
        ("size", ", ".join(f"{name} {_size(size)}" for name, size in info.sizes.items())),
    ]
    table(rows, title=info.path)


def show_change(before: "WorldInfo", after: "WorldInfo") -> None:
    """What a command did to a world."""
    if after.generation == before.generation:
        say("Nothing changes: the world has these pages already.")
        return
    change = after.changes[-1]
    urls = {"added": change.added, "with another text or title": change.updated, "removed": change.removed}
    done = [f"{count:,} URL{'s' * (count > 1)} {what}" for what, count in urls.items() if count]
    what = ", ".join(done) or f"{change.operation}: done"
    say(f"{what}; {after.pages:,} pages, {after.aliases:,} aliases, {after.links:,} links.")
    left_out = _left_out(after) - _left_out(before)
    if left_out:
        say(f"{left_out:,} records were left out: lite world info {after.path} says why.", "yellow")


def _left_out(info: "WorldInfo") -> int:
    return sum(info.filtered.values()) + sum(info.broken.values())


def _commonest(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: -pair[1])[:_EXAMPLES]


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


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
    say("extras", "bold")
    for extra in dict.fromkeys(one.extra for one in diagnosis.findings if one.extra):
        say(f"  {f'[{extra}]':<{width}}  {purpose(extra)}")
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
        self._before = (0.0, 0)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = progress.Progress(*columns, TimeRemainingColumn(), console=err) if err.is_terminal else None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def stage_of_build(self, now: "Progress") -> None:
        """What `World.build` calls."""
        self.update(now.stage, now.done, now.total, now.pages)

    def update(self, stage: str, done: float, total: float, count: int) -> None:
        """`done` of `total` (bytes, pages, tasks: whatever measures the stage); `count` units came through so far."""
        now = time.monotonic()
        fresh = stage != self._stage
        if fresh:  # what a resumed stage had done before is not this process's speed
            self._stage, self._began, self._before = stage, now, (done, count)
        seconds, moved = now - self._began, done - self._before[0]
        rate = (count - self._before[1]) / seconds if seconds > 1 else 0.0
        note = f"{count:,} {self._unit}" + (f", {rate:,.{0 if rate >= 10 else 2}f}/s" if rate else "")
        if self._bar is not None:
            if fresh:
                self._task = self._bar.add_task(stage, total=total, note="")
            self._bar.update(self._task, completed=done, total=total, note=note)
        elif fresh or now - self._told > _QUIET:
            self._told = now
            left = f", {_duration(seconds * (total - done) / moved)} left" if moved > 0 else ""
            err.print(f"{stage}: {note}{left}", soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
