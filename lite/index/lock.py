"""One writer a world: a file lock that the system takes back when its holder dies."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lite.errors import WorldError

FILE = "lock"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold `folder` for writing. Raises WorldError naming the process that holds it already."""
    path = folder / FILE
    handle = _held(path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()} {socket.gethostname()}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: who opened it before sees below that it is gone
        os.close(handle)


def holder(folder: Path) -> str | None:
    """`process 17 on host` when some process is writing `folder`, else None."""
    try:
        handle = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _name(handle)
    finally:
        os.close(handle)
    return None


def _held(path: Path) -> int:
    tries = 0
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            name = _name(handle)
            os.close(handle)
            tries += 1
            if tries < 5:  # it may only be somebody in `holder`, for a moment
                time.sleep(0.02)
                continue
            raise WorldError(f"{path.parent} is being written by {name}: wait for it, or stop it first") from None
        try:
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)  # its last holder removed it between our two calls


def _name(handle: int) -> str:
    pid, _, host = os.pread(handle, 200, 0).decode(errors="replace").partition(" ")
    return f"process {pid} on {host}" if host else "another process"
