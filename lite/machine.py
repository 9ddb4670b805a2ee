"""What this machine has, and how its processor is used."""

import os
import shutil
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# As Linux spells the instructions that multiply bfloat16: of x86, and of ARM.
_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}
_GROUP = Path("/sys/fs/cgroup")  # the control group of this process, in a container


def wait_passively() -> None:
    """Ask OpenMP to sleep instead of spinning, which collapses as soon as two processes share the cores (up to seven
    times slower). Has an effect before libgomp is loaded, so call it before the import of torch or llama.cpp. A user
    who has set either variable keeps both as they are.
    """
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ["GOMP_SPINCOUNT"] = "0"


def cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU and a torch that uses it. To ask torch itself would take seconds."""
    with suppress(PackageNotFoundError):
        return shutil.which("nvidia-smi") is not None and not version("torch").endswith("+cpu")
    return False


def computes_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself; False where that cannot be seen.

    Without it torch multiplies five times as slowly as in float32 and trains eighteen times as slowly, and llama.cpp
    takes a third longer than in float16 (dev/LOG.md, 27 November).
    """
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return any(_BF16 & set(line.split()) for line in lines if line.startswith(("flags", "Features")))
    return False


def available_memory() -> int:
    """Bytes that can be used without swapping, as Linux and the control group see it; no limit where unknown."""
    free = sys.maxsize
    with suppress(OSError, ValueError, StopIteration):
        free = _number(Path("/proc/meminfo"), "MemAvailable:") * 1024
    with suppress(OSError, ValueError, StopIteration):
        limit = int((_GROUP / "memory.max").read_text())
        # A group is charged for the files it has read too; those not used lately are dropped when memory is asked for.
        used = int((_GROUP / "memory.current").read_text()) - _number(_GROUP / "memory.stat", "inactive_file")
        free = min(free, max(limit - used, 0))
    return free


def _number(path: Path, name: str) -> int:
    """What stands beside a name in a file of such lines."""
    return int(next(line for line in path.read_text().splitlines() if line.split()[0] == name).split()[1])
