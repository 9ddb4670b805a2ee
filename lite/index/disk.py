"""What the disk refuses is one clear line, and the next run goes on from what was written."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lite.errors import WorldError


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Make `folder`, and turn what its disk refuses into a WorldError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except Exception as error:
        if is_full(error):
            raise WorldError(
                f"no space left on the disk of {folder}: free some and run the same command again"
            ) from None
        if is_refused(error):
            raise WorldError(
                f"{folder} cannot be written ({error}): see to its disk, then run the same again"
            ) from None
        if isinstance(error, OSError) and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
            raise WorldError(f"{folder} cannot be written ({error.strerror}): name a folder of your own") from None
        raise


def is_refused(error: Exception) -> bool:
    """Whether an error says that the disk is full, or fails."""
    return is_full(error) or "disk i/o error" in str(error).lower()  # SQLite's word for a used-up quota too


def is_full(error: Exception) -> bool:
    """Whether an error says that the disk, or the user's share of it, is full."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    text = str(error).lower()  # SQLite, Tantivy and LanceDB have only words for it
    return "database or disk is full" in text or "no space left" in text
