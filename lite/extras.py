"""Optional libraries: the import, or one line saying what to install."""

from importlib import import_module
from types import ModuleType

from lite.errors import MissingExtra


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
