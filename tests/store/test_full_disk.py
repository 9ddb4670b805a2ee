"""A disk that fills up while a world is changed: one line, the world as it was, and the same command finishes later."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lite.world import World

CHANGE = """
import os, subprocess, sys
from lite.errors import LiteError
from lite.world import World

disk, source, more, operation, room = sys.argv[1:]
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", disk]).returncode:
    sys.exit(99)

def resize(kilobytes):
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", disk], check=True)

def change():
    with World.open(disk + "/world") as world:
        doing = {"add": lambda: world.add(more), "remove": lambda: world.remove("https://w.test/p3"), "compact": world.compact}
        return doing[operation]()

def state(world):
    with world:
        return world.digest, world.check()

before = state(World.build(source, disk + "/world", date="2026-01-02"))
used = os.statvfs(disk)
resize((used.f_blocks - used.f_bfree) * used.f_frsize // 1024 + int(room))
try:
    change().close()
    print("it had room")
except LiteError as error:
    print(error)
print(state(World.open(disk + "/world")) == before)
resize(200 * 1024)
digest, faults = state(change())
print(digest, faults)
"""


def on_a_small_disk(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`script` run where it may mount a file system; where nobody may, the test is skipped."""
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", script, *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare(1) to mount a small disk")
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr}")
    return done


@pytest.mark.parametrize("room", [8, 60, 150])
@pytest.mark.parametrize("operation", ["add", "remove", "compact"])
def test_a_disk_that_is_full_in_the_middle_of_a_change(
    operation: str, room: int, tmp_path: Path, corpus: Callable[..., Path]
) -> None:
    pages = {f"p{n}": f"# Page {n}\n\n" + " ".join(f"word{n * k % 9973}" for k in range(400)) for n in range(300)}
    source = corpus(pages, "source.jsonl")
    more = corpus({f"q{n}": f"More of {n}. {n * 7919}" * 50 for n in range(300)}, "more.jsonl")
    disk = tmp_path / "disk"
    disk.mkdir()
    with World.build(source, tmp_path / "w", date="2026-01-02") as world:
        changes = {
            "add": lambda: world.add(more),
            "remove": lambda: world.remove("https://w.test/p3"),
            "compact": world.compact,
        }
        with changes[operation]() as changed:
            expected = changed.digest
    done = on_a_small_disk(CHANGE, disk, source, more, operation, room)
    assert done.returncode == 0, done.stderr
    said, same, finished = done.stdout.splitlines()
    assert said == f"no space left on the disk of {disk}/world: free some and run the same command again"
    assert (same, finished, done.stderr) == ("True", f"{expected} []", "")


ROWS = """
import subprocess, sys
from pathlib import Path
import numpy as np
from lite.errors import LiteError
from lite.index.disk import writable
from lite.index.rows import write_rows

disk = Path(sys.argv[1])
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk]).returncode:
    sys.exit(99)
rows = np.arange(5000), np.arange(5000), np.ones((5000, 384), np.float32)
try:
    with writable(disk):
        write_rows(disk, 5000, 384, [rows])
except LiteError as error:
    print(error)
"""


def test_a_mapped_file_that_finds_no_room_is_one_line(tmp_path: Path) -> None:
    done = on_a_small_disk(ROWS, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"no space left on the disk of {tmp_path}: free some")
