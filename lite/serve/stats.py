"""What a server has done since it started: requests, refusals and how long they took, by path."""

from collections import Counter, deque
from dataclasses import dataclass, field
from time import monotonic

from lite.serve.endpoint import Reply

_KEPT = 1000  # the latest answers of a path, from which its percentiles are taken


class PathStats(Reply):
    """Answers of one path. Latencies are of its latest 1,000, in milliseconds, from its headers to its answer."""

    requests: int
    statuses: dict[str, int]
    p50_ms: float
    p95_ms: float
    max_ms: float


class Counts(Reply):
    """What the world holds."""

    pages: int
    aliases: int
    links: int


class Stats(Reply):
    """Everything since the start. `error_count` counts answers with a status from 400 on."""

    uptime_seconds: float
    active_requests: int
    total_requests: int
    success_count: int
    error_count: int
    requests_per_second: float
    paths: dict[str, PathStats]
    world: Counts


@dataclass(slots=True)
class _Path:
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))


class Tally:
    """Counts requests; for one event loop. Paths that are not served are counted together.

    Args:
        paths: those that are.
    """

    def __init__(self, paths: list[str]) -> None:
        self._paths = {path: _Path() for path in [*paths, "other"]}
        self._start = monotonic()
        self.active = 0

    def add(self, path: str, status: int, seconds: float) -> None:
        """One answer."""
        counted = self._paths.get(path) or self._paths["other"]
        counted.statuses[status] += 1
        counted.seconds.append(seconds)

    def stats(self, world: Counts) -> Stats:
        """Everything so far."""
        statuses = sum((path.statuses for path in self._paths.values()), Counter[int]())
        errors = sum(count for status, count in statuses.items() if status >= 400)
        uptime = monotonic() - self._start
        return Stats(
            uptime_seconds=round(uptime, 3),
            active_requests=self.active,
            total_requests=statuses.total(),
            success_count=statuses.total() - errors,
            error_count=errors,
            requests_per_second=round(statuses.total() / max(uptime, 1.0), 2),
            paths={name: _told(path) for name, path in self._paths.items() if path.seconds},
            world=world,
        )


def _told(path: _Path) -> PathStats:
    latest = sorted(path.seconds)
    p50, p95, worst = (round(1000 * latest[int(share * (len(latest) - 1))], 3) for share in (0.5, 0.95, 1))
    statuses = {str(status): count for status, count in sorted(path.statuses.items())}
    return PathStats(requests=path.statuses.total(), statuses=statuses, p50_ms=p50, p95_ms=p95, max_ms=worst)
