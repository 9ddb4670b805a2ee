"""Errors that a person can mend. Each is one line that ends in the next step; the command exits with 2.

    LiteError
    ├── UsageError          an argument, a file or a setting that cannot be used
    │   └── CorpusError     a source that cannot be read as pages
    ├── WorldError          a folder that is not a world, or not one this version can open
    ├── MissingExtra        a library that an optional extra brings
    └── ModelError          a model that cannot be loaded, or a server that does not answer

The model's faults (broken JSON, an unknown URL) are observations, never exceptions; a fault of the world in a
rollout is recorded on its trajectory (`stop = failed`). Anything else that is raised is a bug.
"""


class LiteError(Exception):
    """Base of every error that is the user's to mend; `str()` is one line with the next step."""


class UsageError(LiteError, ValueError):
    """An argument, a file or a setting cannot be used."""


class CorpusError(UsageError):
    """A source cannot be read as pages."""


class WorldError(LiteError):
    """A folder is not a world, is unfinished, is held by another builder, or needs another version."""


class MissingExtra(LiteError, ImportError):
    """An optional library is not installed."""


class ModelError(LiteError):
    """A model file cannot be loaded, or a model server fails."""


def one_line(error: BaseException) -> str:
    """What a library raised, short enough to stand in one of our lines."""
    return (" ".join(str(error).split()) or type(error).__name__)[:160]
