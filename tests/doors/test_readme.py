"""Every block of the README that is marked to run, run from an empty folder, top to bottom."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[2]
README = CLONE / "README.md"
BLOCK = re.compile(r"<!-- (run|show)(?: with ([\w, ]+?))? -->\n```(\w+)\n(.*?)```", re.DOTALL)
FENCE = re.compile(r"^```\w", re.MULTILINE)


def blocks() -> list[tuple[str, str, str, str]]:
    return BLOCK.findall(README.read_text(encoding="utf-8"))


def test_every_block_says_whether_it_runs() -> None:
    assert len(FENCE.findall(README.read_text(encoding="utf-8"))) == len(blocks())
    assert [mark for mark, *_ in blocks()].count("run") >= 4


@pytest.mark.slow
def test_the_blocks_marked_run_do_what_they_say(tmp_path: Path) -> None:
    """One after the other in one folder, as a reader would: later blocks use what earlier ones made."""
    for name in ("data", "recipes"):
        (tmp_path / name).symlink_to(CLONE / name)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "lite").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lite.cli "$@"\n')
    (bin_folder / "lite").chmod(0o755)
    (bin_folder / "python").symlink_to(sys.executable)
    environment = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(CLONE)}
    for mark, needs, language, text in blocks():
        if mark == "show" or any(importlib.util.find_spec(name.strip()) is None for name in needs.split(",") if name):
            continue
        program = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
        done = subprocess.run(
            [*program, text], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
