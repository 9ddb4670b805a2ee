"""A short soak (the long one: python dev/soak.py): faults injected, every episode ends for the right reason."""

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from lite.errors import WorldError
from lite.records import Stop
from lite.world import World


@pytest.fixture(scope="module")
def soak():
    spec = importlib.util.spec_from_file_location("soak", Path(__file__).parents[2] / "dev" / "soak.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["soak"]


def test_thirty_episodes_with_faults_end_as_they_have_to(soak, tmp_path) -> None:
    outcome = soak.scripted(30, tmp_path, seed=7)
    assert outcome.wrong == []
    assert outcome.episodes == 30
    assert outcome.stops[Stop.FAILED] >= 5, "the test needs faults that last"
    assert len(outcome.stops) >= 5, "and episodes of several kinds"


def test_every_kind_of_episode_outlives_its_world(soak, tmp_path) -> None:
    outcome = soak.deleted(len(soak.CHARACTERS), tmp_path)
    assert outcome.wrong == []
    assert outcome.episodes == len(soak.CHARACTERS)
    with pytest.raises(WorldError, match="is not a folder"):
        World.open(tmp_path / "world")


def test_an_episode_that_ends_otherwise_is_told(soak, tmp_path, monkeypatch) -> None:
    """The soak itself can fail."""
    say, _, answered = soak.CHARACTERS["babbles"]
    monkeypatch.setitem(soak.CHARACTERS, "babbles", (say, Stop.ANSWERED, answered))
    monkeypatch.setattr(random.Random, "sample", lambda _, population, count: list(population)[26 : 26 + count])
    outcome = soak.scripted(2, tmp_path)
    assert [line.partition(":")[0] for line in outcome.wrong] == ["babbles, none", "babbles, once 500"]
