"""Optional libraries: the import, or one line saying what to install."""

import importlib.metadata
import json
import re
from importlib import import_module
from pathlib import Path
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
        raise MissingExtra(missing(module, extra)) from None


def missing(module: str, extra: str) -> str:
    """The line that says so, with the command that adds it."""
    return f"{module} is not installed: pip install {target(extra)}  (lite doctor says more)"


def target(extra: str) -> str:
    """What to give pip for `extra` ("" for the base): what this was installed from, a clone or pip's index."""
    suffix = f"[{extra}]" if extra else ""
    try:
        url = json.loads(importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except importlib.metadata.PackageNotFoundError:
        url = {}
    if url.get("dir_info", {}).get("editable"):
        return f"-e '{Path(__file__).resolve().parents[1]}{suffix}'"
    return f"'{DISTRIBUTION}{suffix} @ {url['url']}'" if "url" in url else f"'{DISTRIBUTION}{suffix}'"


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
