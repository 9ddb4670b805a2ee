"""Files that ship with the package (the atlas, its tasks, the recipes), and the folder for what is made from them."""

import os
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


def cache_dir() -> Path:
    """The folder for what can be made again (`$XDG_CACHE_HOME/literesearcher-lite`). It need not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "literesearcher-lite"
