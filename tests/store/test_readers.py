"""Eight processes read one world while another adds to it: each reads one whole generation, and none meets an error."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lite.world import World

READER = """
import json, runpy, sys
from pathlib import Path
from lite.world import World

world, questions, stop = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
everything = runpy.run_path(questions)["everything"]
print("ready", flush=True)
seen, last = set(), False
while not last:
    last = stop.exists()
    with World.open(world) as opened:
        seen.add((opened.digest, everything(opened)))
print(json.dumps(sorted(seen)))
"""


def test_eight_processes_read_while_one_adds(
    tmp_path: Path, corpus: Callable[..., Path], answers: Callable[[World], str]
) -> None:
    atlas = Path(__file__).resolve().parents[2] / "data" / "atlas.jsonl.zst"
    world = World.build(atlas, tmp_path / "w", date="2026-01-02")
    allowed = {(world.digest, answers(world))}
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(world.path), str(Path(__file__).with_name("conftest.py")), str(stop)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    try:
        for number in range(3):
            more = corpus({f"n{number}": f"Airport {number} serves the capital of a new country."}, f"{number}.jsonl")
            with world:
                world = world.add(more, date="2026-01-02")
            allowed.add((world.digest, answers(world)))
    finally:
        stop.touch()
        said = [reader.communicate() for reader in readers]
    final = answers(world)
    world.close()
    assert [(reader.returncode, err) for reader, (_, err) in zip(readers, said, strict=True)] == [(0, "")] * 8
    seen = [{tuple(pair) for pair in json.loads(out)} for out, _ in said]
    assert all(pairs <= allowed and (world.digest, final) in pairs for pairs in seen)
    assert len(allowed) == 4
