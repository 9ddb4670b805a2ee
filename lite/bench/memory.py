"""What a world takes of memory while it answers: `python -m lite.bench.memory DIR MODE` with tool calls on its input.

A process of its own, because one that has measured other things holds memory for them.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lite.bench.sample import Ask
from lite.errors import WorldError
from lite.records import Record

if TYPE_CHECKING:
    from lite.world import Mode


class Memory(Record):
    """Megabytes (10^6 bytes). `anonymous` is the process's own; mapped files, which the system may drop, are not."""

    name: str
    calls: int
    anonymous: float  # all of it after the calls
    embedder: float  # Python, the libraries and the embedder alone
    beside: float  # the difference: what the world takes
    resident: float  # all of it, mapped files included
    peak: float


def memory_of(path: Path, calls: Sequence[Ask], mode: "Mode") -> Memory:
    """The memory of a fresh process that has answered `calls` in `mode`, and of one that has loaded the embedder only.

    Linux only.
    """
    before = _run(path, (), mode)["RssAnon"]
    now = _run(path, calls, mode)
    return Memory(
        name=mode,
        calls=len(calls),
        anonymous=round(now["RssAnon"], 1),
        embedder=round(before, 1),
        beside=round(now["RssAnon"] - before, 1),
        resident=round(now["VmRSS"], 1),
        peak=round(now["VmHWM"], 1),
    )


def _run(path: Path, calls: Sequence[Ask], mode: str) -> dict[str, float]:
    command = [sys.executable, "-m", "lite.bench.memory", str(path), mode]
    done = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorldError(f"{path} cannot be measured ({done.stderr.strip()[-200:]}): lite world check says more")
    return json.loads(done.stdout.splitlines()[-1])


def _now() -> dict[str, float]:
    found = {}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if value.endswith("kB"):
            found[name] = int(value.split()[0]) * 1024 / 1e6
    return found


def _child(path: Path, mode: Any) -> dict[str, float]:
    calls = [Ask(*each) for each in json.load(sys.stdin)]
    from lite.index.manifest import read
    from lite.world import World

    built = read(path).embedding
    if not calls and built and mode != "lexical":
        from lite.models.embed import load_embedder

        embedder = load_embedder(built.name)
        embedder.encode(["warm up"], "query")
        return _now()
    if not calls:
        return _now()
    with World.open(path) as world:
        for each in calls:
            if each.url:
                world.visit(each.url, each.query)
            else:
                world.search(each.query, mode=mode)
        return _now()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_child(Path(sys.argv[1]), sys.argv[2])) + "\n")
