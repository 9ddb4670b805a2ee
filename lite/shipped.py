"""Files that ship with the package: the atlas, its tasks, the recipes."""

from pathlib import Path

from lite.errors import UsageError

_HERE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Path of a shipped file, for example `data/atlas.jsonl.zst`.

    In an installed wheel `data/` and `recipes/` lie inside the package; in a clone they stand beside it.
    """
    for root in (_HERE, _HERE.parent):
        if (root / name).exists():
            return root / name
    raise UsageError(f"{name} did not come with this installation: reinstall literesearcher-lite")
