"""Two ways of doing the same thing, measured in turns: what disturbs one disturbs the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np

from lite.records import Record

Work = Callable[[Any], object]


class Spent(Record):
    """Seconds on the clock, and seconds of all cores, this process's children left out."""

    wall: float
    cpu: float


class Comparison(Record):
    """Ours against a bare one. Times are milliseconds a call; ratios are ours over bare, so less is better."""

    name: str
    calls: int
    p50: float
    p95: float
    cpu: float
    bare_p50: float
    bare_p95: float
    bare_cpu: float
    ratio: float  # median over the rounds of the ratio of their medians
    cpu_ratio: float  # of the CPU time of all rounds


class Timer:
    """Filled in when the block it was given to ends."""

    spent: Spent


@contextmanager
def measured() -> Iterator[Timer]:
    """Time a block."""
    timer = Timer()
    wall, cpu = time.perf_counter(), time.process_time()
    yield timer
    timer.spent = Spent(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def compare(name: str, ours: Work, bare: Work, items: Sequence[Any], rounds: int) -> Comparison:
    """Do `ours` and `bare` for every item, a share of the items a round, the one first and then the other.

    Each item is used once, so that what either remembers is of no use to it.
    """
    rounds = max(1, min(rounds, len(items)))
    times: dict[Work, list[list[float]]] = {ours: [], bare: []}
    cpu = {ours: 0.0, bare: 0.0}
    for number in range(rounds):
        share = items[number::rounds]
        for work in (ours, bare) if number % 2 == 0 else (bare, ours):
            began = time.process_time()
            times[work].append([_time(work, item) for item in share])
            cpu[work] += time.process_time() - began
    ratios = [median(a) / median(b) for a, b in zip(times[ours], times[bare], strict=True)]
    (p50, p95), (bare_p50, bare_p95) = (np.percentile(np.concatenate(times[each]), (50, 95)) for each in (ours, bare))
    each = 1000 / len(items)
    return Comparison(
        name=name,
        calls=len(items),
        p50=round(1000 * float(p50), 4),
        p95=round(1000 * float(p95), 4),
        cpu=round(cpu[ours] * each, 4),
        bare_p50=round(1000 * float(bare_p50), 4),
        bare_p95=round(1000 * float(bare_p95), 4),
        bare_cpu=round(cpu[bare] * each, 4),
        ratio=round(median(ratios), 3),
        cpu_ratio=round(cpu[ours] / max(cpu[bare], 1e-9), 3),
    )


def _time(work: Work, item: Any) -> float:
    began = time.perf_counter()
    work(item)
    return time.perf_counter() - began
