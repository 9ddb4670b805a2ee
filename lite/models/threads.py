"""How OpenMP waits. Its default, spinning, collapses as soon as two processes share the cores (up to 7x slower)."""

import os


def wait_passively() -> None:
    """Ask OpenMP to sleep instead of spinning. Has an effect before libgomp is loaded, so call it before the import
    of torch or llama.cpp. A user who has set either variable keeps both as they are.
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
