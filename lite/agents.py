"""Agents whole, by name: a model with its adapter, the prompt, and the limits it has learnt to work in."""

import json
from pathlib import Path
from typing import Any

from lite.errors import UsageError
from lite.models import located
from lite.recipe import NamedAgent, beside, read_toml
from lite.shipped import shipped


def named_agent(name: str) -> NamedAgent:
    """The agent of a TOML file, or a shipped one ("atlas"). Paths in the file are taken from its folder.

    Raises:
        UsageError: there is none, or a setting of it does not fit.
    """
    path = Path(name)
    if path.suffix != ".toml":
        try:
            path = shipped(f"recipes/{name}/agent.toml")
        except UsageError:
            raise UsageError(f"no agent is called {name}: name atlas, or a TOML file (README: Training)") from None
    agent, place = NamedAgent.read(read_toml(path)), beside(path)
    prompt = place(agent.prompt) if agent.prompt else None
    return agent.model_copy(update={"model": located(agent.model, place), "prompt": prompt})


def as_toml(agent: NamedAgent, about: str) -> str:
    """An agent as a file that `--agent` takes, its paths as they stand, with a comment of one line above."""
    return f"# {about}\n" + "".join(_lines(agent.model_dump(mode="json", exclude_defaults=True)))


def _lines(values: dict[str, Any]) -> list[str]:
    """A mapping as TOML, its tables behind its values. JSON's strings, numbers and booleans are TOML's too."""
    plain = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
        for name, value in values.items()
        if not isinstance(value, dict)
    ]
    tables = [[f"\n[{name}]\n", *_lines(table)] for name, table in values.items() if isinstance(table, dict)]
    return plain + [line for table in tables for line in table]
