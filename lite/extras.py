"""Optional libraries: the import, or one line saying what to install."""

import importlib.metadata
import re
from importlib import import_module
from types import ModuleType

from lite.errors import MissingExtra

DISTRIBUTION = "literesearcher-lite"


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, which the extra `extra` of literesearcher-lite brings.

    Raises:
        MissingExtra: one line with the pip command, when the module is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the library is there and lacks one of its own: its message says more than ours
        raise MissingExtra(
            f"{module} is not installed: pip install 'literesearcher-lite[{extra}]'  (lite doctor says more)"
        ) from None


def requirements() -> list[tuple[str, str]]:
    """(requirement, extra) of what this version declares, from its own metadata, so that the two cannot drift."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        lines = []  # run from a source tree that was never installed
    found = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", marker)
        found.append((requirement.strip(), extra[1] if extra else ""))
    return found
