"""Kill whoever writes a world, at random moments, and look at what is left: `python dev/kills.py [KILLS] [SEED]`.

Each operation on a world with vectors (build, add, remove, compact) is begun in a child process that is killed (-9)
somewhere in its course. What is left must open as the world was before or as it should be after, be sound, and answer;
then the same command must finish. Prints what happened and exits with 1 if anything was lost.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import lancedb  # noqa: F401  # before the forks: importing it is safe, using it is not
import numpy as np

from lite.errors import WorldError
from lite.index import build, revise
from lite.index.manifest import Policy
from lite.index.sources import settings_of
from lite.world import World

warnings.filterwarnings("ignore", message="lancedb fork support")
DATA = Path(__file__).resolve().parents[1] / "data" / "atlas.jsonl.zst"
DAY = "2026-01-02"
ABSENT = "no world"


class Hashed:
    """An encoder of no meaning: eight numbers from a hash. What is killed is the writing, not the model."""

    name, dim, fingerprint = "hashed", 8, "hashed"

    def encode(self, texts: Sequence[str], kind: str = "passage") -> np.ndarray:
        """Unit vectors, a row a text."""
        rows = [np.frombuffer(hashlib.blake2b(text.encode(), digest_size=8).digest(), np.uint8) for text in texts]
        found = np.array(rows, np.float32).reshape(len(texts), 8) + 1
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def unknown_share(self, text: str) -> float:
        """Nothing is unknown to a hash."""
        return 0.0


def sources(folder: Path, pages: int) -> list[Path]:
    """Three files: the first pages of the atlas; further ones and some of the first with another text; yet others."""
    import io

    import zstandard

    with DATA.open("rb") as raw, io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), "utf-8") as lines:
        records = [json.loads(line) for line, _ in zip(lines, range(2 * pages), strict=False)]
    other = [dict(record, doc=f"News. {record['doc']}") for record in records[: pages // 5]]
    parts = (records[:pages], records[pages : pages + pages // 2] + other, records[pages + pages // 2 :])
    paths = [folder / f"{n}.jsonl" for n in range(3)]
    for path, part in zip(paths, parts, strict=True):
        path.write_text("".join(json.dumps(record) + "\n" for record in part))
    return paths


def operations(files: list[Path]) -> dict[str, Callable[[Path], None]]:
    """What is done to the world in a folder, in this order."""
    urls = [json.loads(line)["url"] for line in files[0].read_text().splitlines()[-20:]]
    policy = Policy(embedder="hashed")

    def add(n: int) -> Callable[[Path], None]:
        return lambda out: build.add([files[n]], out, settings_of([files[n]], out, policy), encoder=Hashed, dated=None)

    return {
        "build": lambda out: build.build(
            [files[0]], out, settings_of([files[0]], out, policy), encoder=Hashed, dated=DAY
        ),
        "add": add(1),
        "remove": lambda out: revise.remove(out, urls),
        "compact": lambda out: revise.compact(out, lambda _: None),
        "add again": add(2),
    }


def in_child(work: Callable[[], None], killed_after: float | None = None) -> tuple[int, float]:
    """Run `work` in a fork; (its exit status, negative for a signal, and how long it took)."""
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 0
        try:
            work()
        except BaseException:  # noqa: BLE001  # a child says what happened and goes
            traceback.print_exc()
            status = 1
        os._exit(status)
    if killed_after is not None:
        time.sleep(killed_after)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - begun


def state(out: Path) -> str:
    """The digest of the world in `out`, found in a fork, which also checks it; why it is none."""
    read, write = os.pipe()

    def look() -> None:
        try:
            with World.open(out) as world:
                faults = world.check()
                said = f"damaged: {faults}" if faults else world.digest
                if not world.search("capital of the country", mode="lexical").hits:
                    said = "it does not answer"
        except WorldError as error:
            said = ABSENT if "interrupted" in str(error) or "not a folder" in str(error) else f"refused: {error}"
        os.write(write, said.encode())

    in_child(look)
    os.close(write)
    said = os.read(read, 100_000).decode()
    os.close(read)
    return said or "it crashed"


def main(kills: int, seed: int) -> int:
    """Kill so often; 0 when nothing was lost."""
    chance = random.Random(seed)  # noqa: S311  # moments to kill at, not secrets
    home = Path(tempfile.mkdtemp(prefix="lite-kills-"))
    files = sources(home, 400)
    work = operations(files)
    lengths, after, stages = {}, {}, {}
    clean = home / "clean"
    for name, operation in work.items():  # what each should come to, unkilled
        if clean.exists():
            stages[name] = Path(shutil.copytree(clean, home / f"before {name}"))
        status, lengths[name] = in_child(lambda operation=operation: operation(clean))
        after[name] = state(clean)
        if status or len(after[name]) != 32:
            sys.stderr.write(f"{name} fails without a kill: {after[name]}\n")
            return 1
    seen: Counter[str] = Counter()
    names = list(work)
    for n in range(kills):
        name = chance.choice(names)
        out = home / "killed"
        shutil.rmtree(out, ignore_errors=True)
        before = ABSENT
        if name in stages:
            shutil.copytree(stages[name], out)
            before = after[names[names.index(name) - 1]]
        for _ in range(chance.choice((1, 1, 2))):
            in_child(lambda name=name, out=out: work[name](out), chance.random() * lengths[name])
        left = state(out)
        kind = "before" if left == before else "after" if left == after[name] else left
        status = 0
        if (name, kind) != ("remove", "after"):  # what is removed cannot be removed again
            status, _ = in_child(lambda name=name, out=out: work[name](out))
        ended = state(out)
        good = kind in {"before", "after"} and status == 0 and ended == after[name]
        seen[f"{name}: left as {kind}" if good else f"LOST {name}: {kind}, then {ended}"] += 1
        if (n + 1) % 20 == 0:
            sys.stdout.write(f"{n + 1} of {kills}\n")
            sys.stdout.flush()
    for what, count in sorted(seen.items()):
        sys.stdout.write(f"{count:5}  {what}\n")
    shutil.rmtree(home)
    return any(what.startswith("LOST") for what in seen)


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]] or [200]
    sys.exit(main(numbers[0], numbers[1] if len(numbers) > 1 else 7))
