"""Train, dev and test, apart by entity: nothing that a test task stands on is in a task of another split.

Entities that tasks name together are gathered in groups, the closest first, none larger than a fiftieth of the file;
whole groups go to a split, and a task that stands on entities of two splits is left out.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise

from lite.errors import UsageError
from lite.records import Task
from lite.reward import members
from lite.tasks.values import same_text

SPLITS = ("train", "dev", "test")
_LARGEST = 0.02  # of the tasks, by what they stand on: the most that a group may be


def split_by_entity(
    tasks: Sequence[Task], *, test: float = 0.25, dev: float = 0.1, seed: int = 0
) -> dict[str, list[Task]]:
    """Of each split its tasks, in their order, with `split` set. The same seed gives the same.

    Args:
        test: share of the entities, counted by their tasks, that only test tasks may stand on.
        dev: likewise.

    Raises:
        UsageError: the shares leave nothing to train on.
    """
    if min(test, dev) < 0 or test + dev >= 1:
        raise UsageError(f"test {test:g} and dev {dev:g} leave nothing to train on: give shares whose sum is below 1")
    known = [_entities(task) for task in tasks]
    weight: Counter[str] = Counter()
    for names in known:
        weight.update(dict.fromkeys(names, 1 / len(names)))
    of = _placed(_groups(known, weight, seed), weight, {"test": test * len(tasks), "dev": dev * len(tasks)}, seed)
    found = [{of[name] for name in names} for names in known]
    return {
        name: [task.model_copy(update={"split": name}) for task, one in zip(tasks, found, strict=True) if one == {name}]
        for name in SPLITS
    }


def _entities(task: Task) -> list[str]:
    """The entities that the makers wrote down; of other tasks, the evidence and the answer."""
    told = (task.model_extra or {}).get("entities")
    if not isinstance(told, list | tuple):
        told = members(task.answers[0]) if task.answer_type == "list" and task.answers else task.answers[:1]
        told = [*told, *task.evidence]
    names = sorted({same_text(str(name)) or str(name) for name in told})
    return names or [task.id]


def _groups(known: Sequence[Sequence[str]], weight: Mapping[str, float], seed: int) -> list[list[str]]:
    """Entities that many tasks name together, together."""
    ties: Counter[tuple[str, str]] = Counter()
    for names in known:
        ties.update(dict.fromkeys(pairwise(names), 1 / len(names)))
    head, size = {name: name for name in weight}, dict(weight)

    def root(name: str) -> str:
        while head[name] != name:
            head[name] = head[head[name]]
            name = head[name]
        return name

    most = max(3.0, _LARGEST * len(known))
    for one, other in sorted(ties, key=lambda tie: (-ties[tie], _chance(f"{tie}", seed))):
        a, b = root(one), root(other)
        if a != b and size[a] + size[b] <= most:
            head[b] = a
            size[a] += size[b]
    groups: dict[str, list[str]] = defaultdict(list)
    for name in weight:
        groups[root(name)].append(name)
    return list(groups.values())


def _placed(groups: list[list[str]], weight: Mapping[str, float], room: dict[str, float], seed: int) -> dict[str, str]:
    """Entity -> split: groups in an order of chance, each to the first split with room for it."""
    of: dict[str, str] = {}
    for group in sorted(groups, key=lambda group: _chance(min(group), seed)):
        size = sum(weight[name] for name in group)
        split = next((name for name, left in room.items() if left >= size), "train")
        if split in room:
            room[split] -= size
        of |= dict.fromkeys(group, split)
    return of


def _chance(name: str, seed: int) -> bytes:
    return blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
