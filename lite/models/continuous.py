"""Continuous batching: models that begin a turn while others are being written.

`drive()` asks for a turn as soon as an episode wants one and goes on with whichever reply is there first, so a long
turn holds nobody up. Models that cannot do that are asked in step: all that wait together.
"""

from typing import Protocol, runtime_checkable

from lite.models import Model
from lite.records import Fault, Generate, Reply


@runtime_checkable
class Continuous(Protocol):
    """Requests under way, of one `drive()` at a time."""

    def ask(self, request: Generate) -> int:
        """Take a request in; its number."""
        ...

    def ready(self) -> list[tuple[int, Reply | Fault]]:
        """Number and reply of the requests that are answered. Waits for one; [] when none is under way."""
        ...

    def drop(self) -> None:
        """Forget what is under way."""
        ...


@runtime_checkable
class Recalling(Protocol):
    """A model whose counts depend on what it has answered: it is told of replies that another process was given."""

    def recall(self, request: Generate, reply: Reply) -> None:
        """Take in a reply that was given to such a request."""
        ...


class InStep:
    """Any model, asked for everything that waits together."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._waiting: list[Generate] = []
        self._answered = 0

    def ask(self, request: Generate) -> int:
        """Take a request in; its number."""
        self._waiting.append(request)
        return self._answered + len(self._waiting) - 1

    def ready(self) -> list[tuple[int, Reply | Fault]]:
        """Number and reply of every request."""
        asked, first = self._waiting, self._answered
        self._waiting, self._answered = [], first + len(asked)
        return list(enumerate(self._model.generate(asked), first)) if asked else []

    def drop(self) -> None:
        """Forget what was asked for."""
        self._waiting = []


def continuous(model: Model) -> Continuous:
    """The model itself, or its stand-in that asks in step."""
    return model if isinstance(model, Continuous) else InStep(model)
