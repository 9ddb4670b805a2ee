"""Settings are validated, and what is wrong is one line."""

from pathlib import Path

import pytest

from lite.agents import as_toml, named_agent
from lite.errors import UsageError
from lite.recipe import DemoSettings, EvalSettings, Limits, NamedAgent, TrainSettings, read_toml
from lite.records import Sampling
from lite.shipped import shipped


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(UsageError, match="no setting is called turn: did you mean turns"):
        Limits.read({"turn": 3})
    with pytest.raises(UsageError, match="no setting is called xyzzy: known: turns, calls"):
        Limits.read({"xyzzy": 3})
    with pytest.raises(UsageError, match=r"no setting is called agent\.limits\.turn: did you mean turns"):
        TrainSettings.read({"name": "n", "world": "w", "train": "t", "dev": "d", "agent": {"limits": {"turn": 1}}})


@pytest.mark.parametrize("values", [{"turns": 0}, {"turns": "many"}, {"seconds": -1}])
def test_a_value_that_does_not_fit_is_one_line(values: dict) -> None:
    with pytest.raises(UsageError, match="does not fit") as caught:
        Limits.read(values)
    assert "\n" not in str(caught.value)


def test_the_demos_recipe_is_one() -> None:
    recipe = DemoSettings.read(read_toml(shipped("recipes/demo.toml")))
    agent = named_agent(recipe.agent)
    assert set(dict(agent)) < set(EvalSettings.model_fields)
    base, adapter = agent.model.split("+")
    assert (base, Path(adapter).name) == ("smollm2", "adapter.gguf")
    assert Path(adapter).stat().st_size < 10_000_000
    assert agent.prompt
    assert Path(agent.prompt).is_file()


def test_an_agent_of_a_file_takes_paths_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('model = "llamacpp:base.gguf+x.gguf"\nlimits = { turns = 3 }\n')
    agent = named_agent(str(tmp_path / "mine.toml"))
    assert agent.model == f"llamacpp:{tmp_path}/base.gguf+{tmp_path}/x.gguf"
    assert (agent.limits.turns, agent.prompt) == (3, None)


def test_an_agent_is_read_as_it_was_written(tmp_path: Path) -> None:
    limits, sampling = Limits(turns=3, links=False), Sampling(temperature=0.0)
    agent = NamedAgent(
        model='llamacpp:a "b" é.gguf+x.gguf', context=2048, prompt="p.txt", limits=limits, sampling=sampling
    )
    (tmp_path / "mine.toml").write_text(as_toml(agent, "mine"), "utf-8")
    found = named_agent(str(tmp_path / "mine.toml"))
    at = {"model": f'llamacpp:{tmp_path}/a "b" é.gguf+{tmp_path}/x.gguf', "prompt": f"{tmp_path}/p.txt"}
    assert found == agent.model_copy(update=at)
    assert (tmp_path / "mine.toml").read_text().startswith("# mine\n")


@pytest.mark.parametrize("name", ["atlantis", "none.toml"])
def test_an_agent_that_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match=r"no agent is called|cannot be read"):
        named_agent(name)


def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("a = = 1\n")
    for name in ("r.toml", "none.toml"):
        with pytest.raises(UsageError, match="cannot be read as TOML") as caught:
            read_toml(tmp_path / name)
        assert "\n" not in str(caught.value)
