"""Generations: a world's parts lie in a folder of their own, `g3/`, that nobody changes once `world.json` names it.

Whoever changes a world makes the next generation beside the one that is read, mostly of hard links to the same files
(SQLite's is copied; Tantivy and LanceDB never write into a file twice), and then `world.json` names it in one step.
So a reader has one state of the world for as long as it is open, and a killed writer leaves nothing but a folder that
nobody names. Readers hold their folder by a shared lock; what nobody holds or names is removed by the next writer.
"""

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PAGES, LEXICAL, VECTORS, SIGNATURES = "pages.sqlite", "lexical", "vectors.lance", "signatures.bin"
_NAME = re.compile(r"g[1-9][0-9]*")


def folder_of(world: Path, number: int) -> Path:
    """Where generation `number` of a world lies."""
    return world / f"g{number}"


def is_generation(name: str) -> bool:
    """Whether a folder of a world with this name is one of its generations."""
    return bool(_NAME.fullmatch(name))


def hold(folder: Path) -> int:
    """A handle that keeps `folder` from being removed, until it is closed. Raises FileNotFoundError when it is gone."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        if os.fstat(handle).st_ino != folder.stat().st_ino:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    except OSError:
        os.close(handle)
        raise
    return handle


def derive(base: Path, new: Path, parts: Collection[str]) -> None:
    """Make the folder `new` afresh, with these parts of `base` in it: the page store copied, the rest as hard links."""
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for part in parts:
        source = base / part
        if source.is_dir():
            shutil.copytree(source, new / part, copy_function=_link, ignore=shutil.ignore_patterns("*.lock"))
        elif source.exists():
            shutil.copyfile(source, new / part)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:  # a file system without hard links, or one that has too many of this file
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.EACCES}:
            raise
        shutil.copyfile(source, target)


def make_durable(folder: Path) -> None:
    """Have the disk hold everything below `folder`, and its name."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        sync(path)


def sync(path: Path) -> None:
    """Have the disk hold `path`, a file or a folder's entries."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def drop_others(world: Path, keep: Collection[int]) -> None:
    """Remove the generations of `world` that are not in `keep` and that no reader holds."""
    kept = {folder_of(world, number).name for number in keep}
    for folder in world.iterdir():
        if is_generation(folder.name) and folder.name not in kept:
            with suppress(OSError):  # its reader went on, or another has come: the next writer tries again
                _drop(folder)


def _drop(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(handle)
