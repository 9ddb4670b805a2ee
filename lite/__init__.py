"""literesearcher-lite: a deep-research agent and the closed web it lives in, on one machine.

>>> import lite
>>> world = lite.World.open("world")            # doctest: +SKIP
>>> world.search("capital of France")           # doctest: +SKIP
>>> lite.ask("world", "Who discovered radium?", model="smollm2", grammar=True)   # doctest: +SKIP

Names are loaded when first used: `import lite` brings in no library but the standard one.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lite.drive import ask
    from lite.errors import LiteError
    from lite.evaluate import evaluate
    from lite.records import Hit, Page, Results, Task, Trajectory, Visit
    from lite.world import World

_HOME = {
    "ask": "drive",
    "evaluate": "evaluate",
    "World": "world",
    "LiteError": "errors",
    **dict.fromkeys(("Hit", "Page", "Results", "Task", "Trajectory", "Visit"), "records"),
}
__all__ = ["Hit", "LiteError", "Page", "Results", "Task", "Trajectory", "Visit", "World", "ask", "evaluate"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"lite.{_HOME[name]}"), name)
    raise AttributeError(f"module 'lite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])


class _Package(ModuleType):
    """Importing the module `lite.evaluate` would bind it over the function of that name: public names stay."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
