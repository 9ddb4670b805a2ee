"""Whoever writes a world may be killed at any moment: `dev/kills.py`, a few times."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "dev" / "kills.py"


def test_nothing_is_lost_or_half_done_when_a_writer_is_killed() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "10", "11"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "LOST" not in done.stdout
