"""Settings are validated, and what is wrong is one line."""

from pathlib import Path

import pytest

from lite.errors import UsageError
from lite.recipe import DemoSettings, EvalSettings, Limits, read_toml
from lite.shipped import shipped


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(UsageError, match="no setting is called turn: did you mean turns"):
        Limits.read({"turn": 3})
    with pytest.raises(UsageError, match="no setting is called xyzzy: known: turns, calls"):
        Limits.read({"xyzzy": 3})
    with pytest.raises(UsageError, match=r"no setting is called agent\.limits\.turn: did you mean turns"):
        DemoSettings.read({"embedder": "none", "agent": {"model": "smollm2", "limits": {"turn": 1}}})


@pytest.mark.parametrize("values", [{"turns": 0}, {"turns": "many"}, {"seconds": -1}])
def test_a_value_that_does_not_fit_is_one_line(values: dict) -> None:
    with pytest.raises(UsageError, match="does not fit") as caught:
        Limits.read(values)
    assert "\n" not in str(caught.value)


def test_the_demos_recipe_is_one() -> None:
    recipe = DemoSettings.read(read_toml(shipped("recipes/demo.toml")))
    assert recipe.agent.grammar
    assert set(dict(recipe.agent)) < set(EvalSettings.model_fields)


def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("a = = 1\n")
    for name in ("r.toml", "none.toml"):
        with pytest.raises(UsageError, match="cannot be read as TOML") as caught:
            read_toml(tmp_path / name)
        assert "\n" not in str(caught.value)
