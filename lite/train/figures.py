"""The curves of a training run as one picture: cold start and stages along one axis, collapses marked."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from lite.extras import need
from lite.train.curves import Curves, Part, shares

_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6d1f")  # told apart by everyone
_INK, _PALE, _ALARM = "#222222", "#8a8a8a", "#c00000"
_SMOOTH = 5  # steps of the running mean
_COLUMNS = 3
_TICKS = (14.0, 10.0)  # of the whole axis, above and in the panels

# What is drawn: a title, and the signals in it with what each is called where there are several.
_PANELS: tuple[tuple[str, dict[str, str]], ...] = (
    ("reward", {"reward": ""}),
    ("calls an episode", {"visits": "visits", "searches": "searches"}),
    ("tokens an episode", {"length": ""}),
    (
        "share of episodes answered, of turns unreadable",
        {"answered": "answered", "unread": "no page read", "malformed": "unreadable"},
    ),
    ("entropy", {"entropy": ""}),
    ("KL to the stage's start", {"kl_start": ""}),
    ("share of groups without variance", {"without_variance": ""}),
    ("gradient norm", {"grad_norm": ""}),
    ("|log-probability, trainer less sampler|", {"sampler_offset": ""}),
)
Places = list[tuple[Part, Callable[[float], float]]]


def draw(curves: Curves, files: Sequence[Path]) -> None:
    """Draw what there is into each of `files`, in the format that its suffix says.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    matplotlib = need("matplotlib", "train")
    from matplotlib.figure import Figure

    look = {"font.size": 9, "axes.titlesize": 9.5, "axes.titlelocation": "left", "axes.spines.top": False,
            "axes.spines.right": False, "axes.edgecolor": _PALE, "axes.titlecolor": _INK, "xtick.color": _PALE,
            "ytick.color": _PALE, "xtick.labelcolor": _INK, "ytick.labelcolor": _INK, "svg.hashsalt": "lite",
            "legend.frameon": False, "legend.fontsize": 8.5}  # fmt: skip
    with matplotlib.rc_context(look):
        places = _placed(curves.parts)
        panels = [(title, names) for title, names in _PANELS if any(_points(places, name) for name in names)]
        rows = -(-len(panels) // _COLUMNS)
        figure = Figure(figsize=(12, 3.9 + 1.95 * rows), layout="constrained")
        grid = figure.add_gridspec(1 + rows, _COLUMNS, height_ratios=[1.9, *[1.0] * rows])
        top = figure.add_subplot(grid[0, :])
        _accuracy(top, places)
        for number, (title, names) in enumerate(panels):
            axes = figure.add_subplot(grid[1 + number // _COLUMNS, number % _COLUMNS])
            _panel(axes, places, title, names)
            _marked(axes, places, named=False)
        for file in files:
            metadata = {"Date": None} if file.suffix == ".svg" else None  # the same curves, the same bytes
            figure.savefig(file, dpi=130, metadata=metadata)


def _placed(parts: Sequence[Part]) -> Places:
    """Each part with where its steps stand: one behind the other, a cold start no wider than a third of the rest."""
    rest = sum(part.last for part in parts if part.stage)
    places, begin = [], 0.0
    for part in parts:
        width = float(part.last) if part.stage or not rest else min(part.last, rest / 3)
        scale = width / part.last if part.last else 1.0

        def place(step: float, begin: float = begin, scale: float = scale) -> float:
            return begin + step * scale

        places.append((part, place))
        begin += max(width, 1.0)
    return places


def _points(places: Places, name: str) -> list[tuple[list[float], list[float], bool]]:
    """The points of a signal, a curve for each part, and whether they are looks: a cold start behaves in these only."""
    found = []
    for part, place in places:
        values = {step: line[name] for step, line in part.steps.items() if name in line}
        looks = not values and not part.stage
        if looks:
            seen = {step: line["look"].get("signals", {}) for step, line in part.looks.items()}
            values = {step: signals[name] for step, signals in seen.items() if name in signals}
        if values:
            found.append(([place(step) for step in values], list(values.values()), looks))
    return found


def _panel(axes: Any, places: Places, title: str, names: dict[str, str]) -> None:
    """One signal, or two of a kind: as it was, and its running mean."""
    axes.set_title(title)
    for (name, label), color in zip(names.items(), _COLORS, strict=False):
        for steps, values, looks in _points(places, name):
            if looks:
                axes.plot(steps, values, color=color, marker="o", markersize=3.5, linewidth=1)
            else:
                axes.plot(steps, values, color=color, linewidth=0.8, alpha=0.4)
                smooth = [fmean(values[max(0, n - _SMOOTH + 1) : n + 1]) for n in range(len(values))]
                axes.plot(steps, smooth, color=color, linewidth=1.8, marker="o" if len(steps) == 1 else "")
        if label:
            axes.plot([], [], color=color, linewidth=1.8, label=label)
    if any(names.values()):
        axes.legend(loc="best", ncols=2, handlelength=1.2)
    if axes.dataLim.y0 >= 0:
        axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)


def _accuracy(axes: Any, places: Places) -> None:
    """Accuracy on the held-out tasks: the mean over capabilities, and each."""
    axes.set_title("accuracy on the held-out tasks, %, by step of each part", pad=18)
    names = sorted({name for part, _ in places for look in part.looks.values() for name in shares(look)})
    ends: dict[str, tuple[float, str]] = {}
    for part, place in places:
        looks = [part.looks[step] for step in sorted(part.looks)]
        steps = [place(step) for step in sorted(part.looks)]
        for name, color in zip(names, _COLORS, strict=False):
            values = [100 * shares(look).get(name, float("nan")) for look in looks]
            axes.plot(steps, values, color=color, linewidth=1.2, marker="o", markersize=2.5, alpha=0.85)
            ends |= {name: (values[-1], color)} if values else {}
        values = [100 * look["accuracy"] for look in looks]
        axes.plot(steps, values, color=_INK, linewidth=2.6, marker="o", markersize=4.5, zorder=5)
        ends |= {"mean": (values[-1], _INK)} if values else {}
    _, high = axes.get_ylim()
    axes.set_ylim(0, max(high, 10))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    _marked(axes, places, named=True)
    for name, y, (value, color) in _spread(ends, axes.get_ylim()[1] / 16):
        weight = "bold" if name == "mean" else "normal"
        text = f"{name} {value:.0f}"
        axes.annotate(text, (1.0, y), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                      color=color, va="center", weight=weight, annotation_clip=False)  # fmt: skip


def _spread(ends: dict[str, tuple[float, str]], gap: float) -> list[tuple[str, float, tuple[float, str]]]:
    """Labels at the heights of their curves, pushed apart where they would cover each other."""
    placed: list[tuple[str, float, tuple[float, str]]] = []
    for name, end in sorted(ends.items(), key=lambda item: item[1][0]):
        y = max(end[0], placed[-1][1] + gap) if placed else end[0]
        placed.append((name, y, end))
    return placed


def _marked(axes: Any, places: Places, *, named: bool) -> None:
    """Where parts begin, where one collapsed, where a capability was favoured; the ticks are each part's own steps."""
    whole = max((place(part.last) for part, place in places), default=1.0) or 1.0
    ticks: list[tuple[float, str]] = []
    for number, (part, place) in enumerate(places):
        begin, end = place(0), place(max(part.last, 1))
        if number % 2 == 0:
            axes.axvspan(begin, end, color="#f4f4f2", zorder=0, linewidth=0)
        if part.collapse is not None:
            axes.axvline(end, color=_ALARM, linewidth=1.2, linestyle=(0, (4, 2)))
        for step, _ in part.favoured:
            axes.axvline(place(step), color=_PALE, linewidth=1, linestyle=":")
        every = _nice(whole / _TICKS[0 if named else 1] * max(part.last, 1) / (end - begin))
        ticks += [(place(step), str(step)) for step in range(every if ticks else 0, part.last + 1, every)]
        if named:
            _name(axes, part, place)
    axes.set_xlim(-0.005 * whole, 1.005 * whole)  # room for the markers at the ends
    axes.set_xticks([x for x, _ in ticks], [label for _, label in ticks])


def _nice(distance: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... that is not smaller."""
    return next(size * 10**power for power in range(9) for size in (1, 2, 5) if size * 10**power >= distance)


def _name(axes: Any, part: Part, place: Callable[[float], float]) -> None:
    """What a part is, above the axes; what happened in it, upright in them."""
    about = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False}
    middle = (place(part.last / 2), 1.0)
    axes.annotate(part.name, middle, xytext=(0, 4), color=_INK, fontsize=8.5, ha="center", **about)
    happened = [(step, f"{name} favoured", _PALE) for step, name in part.favoured]
    if part.collapse is not None:
        happened.append((part.last, f"collapse: {part.collapse}", _ALARM))
    for step, text, color in happened:
        upright = {"rotation": 90, "va": "top", "ha": "right", "fontsize": 8}
        axes.annotate(text, (place(step), 1.0), xytext=(-2, -3), color=color, **upright, **about)
