"""What a terminal shows of a training run: a function of the lines of `metrics.jsonl`, and of the clock."""

import math
import time
from collections.abc import Callable, Sequence
from statistics import fmean
from threading import RLock

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lite.recipe import Prices, TrainSettings
from lite.train.curves import Curves, Line, Part, shares

_PACE = 5  # steps whose mean says how long the others take
_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 14  # of a curve of bars


class TrainView:
    """A run as a person watches it.

    Args:
        settings: the recipe.
        clock: tells seconds; the time since the last line is counted by it.
    """

    def __init__(self, settings: TrainSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock, self._lock = settings, clock, RLock()
        self._curves, self._note = Curves(), ""
        self._since = clock()

    def take(self, line: Line) -> None:
        """Take in a line of metrics."""
        with self._lock:
            self._curves.take(line)
            self._since, self._note = self._clock(), ""

    def note(self, text: str) -> None:
        """Say what is being done, until the next line comes."""
        self._note = text

    def live(self, console: Console) -> Live:
        """The view on a terminal, drawn anew every second."""
        return Live(self, console=console, refresh_per_second=1)

    def __rich__(self) -> RenderableType:
        with self._lock:
            part = self._curves.parts[-1] if self._curves.parts else None
            body = [self._where(part)]
            if part is not None:
                columns = Table.grid(expand=True, padding=(0, 2))
                columns.add_column(ratio=5)
                columns.add_column(ratio=4)
                columns.add_row(self._signals(part), _held_out(part))
                body += ["", columns]
            body += ["", self._foot(part)]
            return Panel(Group(*body), title=f"lite train · {self._settings.name}", title_align="left", padding=(0, 1))

    def _where(self, part: Part | None) -> RenderableType:
        """The part, its step, and the time."""
        waited = self._clock() - self._since
        elapsed = f"{_duration(self._curves.seconds + waited)} so far"
        if part is None:
            return Text(f"beginning · {elapsed}")
        if self._curves.exams:
            done = ", ".join(f"{name} {line['accuracy']:.0%}" for name, line in self._curves.exams.items())
            return Text.assemble(("exam", "bold"), f" · {done} · {elapsed}")
        steps = self._steps(part)
        left = self._left(part)
        about = f" · about {_duration(max(0.0, left - waited))} left" if left is not None else ""
        stage = f"stage {part.stage} of {len(self._settings.stages)}"
        name = f"{stage}{', again' * part.again}" if part.stage else part.name
        line = Table.grid(padding=(0, 2))
        line.add_row(
            Text.assemble((name, "bold"), f" · step {part.last} of {steps}"),
            ProgressBar(total=max(steps, 1), completed=part.last, width=10),
            Text(f"{elapsed}{about}"),
        )
        return line

    def _steps(self, part: Part) -> int:
        if part.stage:
            return self._settings.stages[part.stage - 1].steps
        known, cold = self._curves.demonstrations, self._settings.sft
        if known is None or cold is None:
            return part.last
        return cold.updates(known.get("sequences", known["demonstrations"]))

    def _left(self, part: Part) -> float | None:
        """Seconds of the steps to come at the pace of the last ones: a cold start's until its end, else the run's."""
        if not part.stage:
            begun = part.seconds
            return begun / part.last * (self._steps(part) - part.last) if part.last else None
        pace = [line["step_seconds"] for line in part.steps.values() if "step_seconds" in line][-_PACE:]
        later = sum(stage.steps for stage in self._settings.stages[part.stage :])
        return fmean(pace) * (self._steps(part) - part.last + later) if pace else None

    def _signals(self, part: Part) -> RenderableType:
        """What training says, the newest step and the curve of it."""
        table = Table.grid(padding=(0, 2))
        for _ in range(3):
            table.add_column(no_wrap=True)
        wanted = ("reward", "entropy", "visits", "length", "answered", "kl_start") if part.stage else (
            "loss", "entropy", "grad_norm")  # fmt: skip
        for name in wanted:
            values = [line[name] for line in part.steps.values() if name in line]
            if values:
                table.add_row(Text(_NAMES.get(name, name)), Text(_figure(name, values[-1]), "bold"), _bars(values))
        return table

    def _foot(self, part: Part | None) -> RenderableType:
        prices = Prices()
        live = (self._curves.queries * prices.search + self._curves.pages * prices.visit) / 1000
        table = Table.grid(padding=(0, 2))
        table.add_row("sentinel", self._sentinel(part))
        if part is not None and part.stage and part.steps:
            newest = part.steps[max(part.steps)]
            kept = f"{newest['groups_kept']} of {newest['groups']} groups kept"
            speed = (
                f"{newest['calls_per_second']:.3g} tool calls/s, {newest['rollout_tokens_per_second']:,.0f} tokens/s"
            )
            table.add_row("rollouts", f"{speed}, {kept}")
        calls = f"{self._curves.queries:,} queries, {self._curves.pages:,} pages"
        table.add_row("tool calls", f"{calls}: $0.00 here, ${live:,.2f} on the open web")
        if self._note:
            table.add_row("now", Text(self._note))
        return table

    def _sentinel(self, part: Part | None) -> Text:
        if part is None or not part.stage:
            return Text("watches the stages", "dim")
        before = [one for one in self._curves.parts if one.stage == part.stage and one.collapse is not None]
        newest = part.steps[max(part.steps)] if part.steps else {}
        said = []
        if part.collapse is not None:
            said.append((f"COLLAPSE: {part.collapse}", "bold red"))
        elif before:
            said.append((f"rolled back once ({before[-1].collapse})", "yellow"))
        for name, steps in newest.get("raised", {}).items():
            said.append((f"{name} out of bounds {steps} of {self._settings.sentinel.patience} steps", "bold yellow"))
        for step, name in part.favoured:
            said.append((f"{name} was being forgotten at step {step}: drawn more often", "yellow"))
        text = Text("; ").join(Text(*one) for one in said)
        return text if said else Text("healthy", "green")


_NAMES = {"length": "tokens", "grad_norm": "gradient", "kl_start": "KL to start"}  # as short as they can be


def _held_out(part: Part) -> RenderableType:
    """Accuracy on the held-out tasks by capability, and how far it is from the part's first look."""
    if not part.looks:
        return Text("no look at the held-out tasks yet", "dim")
    first, newest = (shares(part.looks[step]) for step in (min(part.looks), max(part.looks)))
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text("held out", "dim"), Text(f"step {max(part.looks)}", "dim"), Text(f"since {min(part.looks)}", "dim")
    )
    total = part.looks[max(part.looks)]["accuracy"]
    rows = [("mean", total, total - part.looks[min(part.looks)]["accuracy"])]
    rows += [(name, value, value - first.get(name, 0.0)) for name, value in newest.items()]
    for name, value, change in rows:
        style = "green" if change > 0 else "red" if change < 0 else "dim"
        weight = "bold" if name == "mean" else ""
        table.add_row(Text(name, weight), Text(f"{value:4.0%}", weight), Text(f"{100 * change:+.0f}", style))
    return table


def _bars(values: Sequence[float]) -> Text:
    """A curve as a row of blocks."""
    known = [value for value in values[-_POINTS:] if math.isfinite(value)]
    if len(known) < 2:
        return Text()
    low, high = min(known), max(known)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return Text("".join(_BARS[round((value - low) * scale)] for value in known), "cyan", no_wrap=True)


def _figure(name: str, value: float) -> str:
    return f"{value:.0%}" if name == "answered" else f"{value:.0f}" if name == "length" else f"{value:.3g}"


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds) // 60, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min" if minutes > 1 else f"{seconds:.0f} s"
