"""Train, dev and test: tasks that share an entity stay together, so that no test entity was ever trained on."""

from collections import Counter
from hashlib import blake2b

from lite.records import Task
from lite.tasks.values import same_text

_COMMON = 40  # tasks: a name in more of them ("United States") ties half the file together and says little
_SHARES = (("test", 0.25), ("dev", 0.4))  # up to these shares of the tasks


def split_by_entity(tasks: list[Task]) -> list[Task]:
    """The tasks with `split` set: of those that are tied by a name, all are in one split.

    Ties run through the names that a question is about, and through the tables and pages that it rests on; a group of
    tied tasks goes whole to one split, by its own hash. Names in more than 40 tasks do not tie.
    """
    keys = [_keys(task) for task in tasks]
    often = Counter(key for one in keys for key in one)
    parent = list(range(len(tasks)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    first: dict[str, int] = {}
    for at, one in enumerate(keys):
        for key in one:
            if often[key] <= _COMMON:
                parent[root(at)] = root(first.setdefault(key, at))
    groups: dict[int, list[int]] = {}
    for at in range(len(tasks)):
        groups.setdefault(root(at), []).append(at)
    named: dict[int, str] = {}
    filled = {"test": 0, "dev": 0, "train": 0}
    for members in sorted(groups.values(), key=lambda group: blake2b(tasks[group[0]].id.encode()).digest()):
        chosen = next((n for n, most in _SHARES if filled[n] + len(members) <= _room(n, most) * len(tasks)), "train")
        filled[chosen] += len(members)
        named |= dict.fromkeys(members, chosen)
    return [task.model_copy(update={"split": named[at]}) for at, task in enumerate(tasks)]


def _room(name: str, most: float) -> float:
    return most if name == "test" else most - _SHARES[0][1]


def _keys(task: Task) -> set[str]:
    names = (task.model_extra or {}).get("entities") or ()
    return {same_text(str(name)) for name in names} | set(task.evidence)
