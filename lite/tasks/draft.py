"""What a maker proposes, and the protocol that all of them share."""

from collections.abc import Iterator
from random import Random
from typing import Any, Literal, NamedTuple, Protocol

from lite.tasks.derive import Node, Underivable, derive
from lite.tasks.ground import Ground
from lite.tasks.sheet import Sheet

AnswerType = Literal["name", "number", "date", "list"]


class Unit(NamedTuple):
    """One thing that tasks are made from: a table, or (sheet None) a page with what it states of itself."""

    key: str
    sheet: Sheet | None
    url: str


class Draft(NamedTuple):
    """A question with the derivation of its answer.

    `hidden` are names that the question must not say: the steps on the way. A rounded answer is right `within` so much.
    """

    capability: str
    question: str
    node: Node
    hidden: tuple[str, ...] = ()
    within: float | None = None
    unit: str = ""
    form: str = ""  # which template and shape it is, so that they can be counted


class Maker(Protocol):
    """A module of `lite.tasks` that makes tasks of one capability."""

    CAPABILITY: str

    def offers(self, unit: Unit, ground: Ground, rng: Random) -> Iterator[Draft]:
        """Drafts made from `unit`, likelier ones first; the same for the same `rng`."""
        ...


def holds(node: Node, ground: Ground) -> Any:
    """The answer that the fact store gives a derivation, None where it gives none."""
    try:
        return derive(node, ground)
    except Underivable:
        return None
