"""Which tasks a step tries: each capability by its share, in an order that the seed decides."""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from pydantic import Field

from lite.errors import UsageError
from lite.records import Record, Task


def first_of_each(tasks: Sequence[Task], count: int) -> list[Task]:
    """The first `count` tasks of each capability."""
    seen: Counter[str] = Counter()
    chosen = []
    for task in tasks:
        name = task.capability or "all"
        seen[name] += 1
        if seen[name] <= count:
            chosen.append(task)
    return chosen


class Drawn(Record):
    """How far a drawer has come: all of its state."""

    taken: dict[str, int] = Field(default_factory=dict)  # by capability
    owed: dict[str, float] = Field(default_factory=dict)  # parts of tasks that a capability did not get yet
    shares: dict[str, float] = Field(default_factory=dict)


class Drawer:
    """Draws tasks without repeating one before all of its capability have been drawn.

    Args:
        tasks: the stage's.
        shares: of capabilities; empty: equal ones.
        seed: decides the order.
        hops: tasks of each number of hops by turns, as long as there are of each.
        drawn: the state to go on from.

    Raises:
        UsageError: a share names a capability that no task has.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        shares: Mapping[str, float],
        seed: int,
        drawn: Drawn | None = None,
        *,
        hops: bool = False,
    ) -> None:
        self._tasks: dict[str, list[Task]] = {}
        for task in tasks:
            self._tasks.setdefault(task.capability or "all", []).append(task)
        unknown = sorted(set(shares) - set(self._tasks))
        if unknown:
            raise UsageError(f"no task has the capability {unknown[0]}: there are {', '.join(sorted(self._tasks))}")
        self._seed, self._hops = seed, hops
        equal = dict.fromkeys(sorted(self._tasks), 1.0)
        self.drawn = drawn or Drawn(shares=dict(shares) or equal)

    def next(self, count: int, but: Collection[str] = ()) -> list[Task]:
        """The next `count` tasks, none twice and none whose id is in `but`; fewer where there are not so many."""
        shares = {name: share for name, share in self.drawn.shares.items() if share > 0}
        total = sum(shares.values())
        taken, owed = dict(self.drawn.taken), dict(self.drawn.owed)
        chosen: dict[str, Task] = {}
        left = {name: sum(task.id not in but for task in self._tasks[name]) for name in sorted(shares)}
        while len(chosen) < count and any(left.values()):
            for name, share in shares.items():
                owed[name] = owed.get(name, 0.0) + share / total
            name = max((one for one, there in left.items() if there), key=lambda one: owed[one])
            owed[name] -= 1
            while (task := self._at(name, taken.get(name, 0))).id in but or task.id in chosen:
                taken[name] = taken.get(name, 0) + 1
            chosen[task.id] = task
            taken[name] = taken.get(name, 0) + 1
            left[name] -= 1
        self.drawn = self.drawn.model_copy(update={"taken": taken, "owed": owed})
        return list(chosen.values())

    def favour(self, capability: str, factor: float) -> bool:
        """Give a capability a larger share from now on: of its own, or of the mean where it had none.

        Returns:
            Whether there is a task of it to draw.
        """
        shares = self.drawn.shares
        if capability not in self._tasks:
            return False
        share = shares.get(capability, sum(shares.values()) / len(shares))
        self.drawn = self.drawn.model_copy(update={"shares": shares | {capability: factor * share}})
        return True

    def _at(self, name: str, place: int) -> Task:
        round_, index = divmod(place, len(self._tasks[name]))
        order = list(self._tasks[name])
        random.Random(f"{self._seed}/{name}/{round_}").shuffle(order)  # noqa: S311  # no secret
        return (_by_turns(order) if self._hops else order)[index]


def _by_turns(tasks: Sequence[Task]) -> list[Task]:
    """One of each number of hops after the other."""
    seen: Counter[int] = Counter()
    places = []
    for task in tasks:
        places.append((seen[task.hops or 1], task.hops or 1))
        seen[task.hops or 1] += 1
    return [tasks[n] for n in sorted(range(len(tasks)), key=lambda n: places[n])]
