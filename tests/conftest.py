"""Where tests find real data: `data/` of the clone always, `../shared/data` only where that folder exists."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure, and a failure repeats.
settings.register_profile("lite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lite")

CLONE = Path(__file__).resolve().parents[1]
SHARED = CLONE.parent / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    """`../shared/data`: third-party worlds and questions that are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED}, which stands beside the developers' clone only")
    return SHARED
