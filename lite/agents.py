"""Agents whole, by name: a model with its adapter, the prompt, and the limits it has learnt to work in."""

from pathlib import Path

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
