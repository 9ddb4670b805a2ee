"""Guesses at what a model will write next: what stood behind the last place that ended alike (prompt lookup decoding).

An agent copies: tags, addresses, names out of results. Several guessed tokens are computed at one go with the last one
that is sure, which costs hardly more than it alone; those that the model does not draw itself are thrown away. So a
guess changes how soon a token is there, never which.
"""

from collections.abc import Iterable

GUESSED = 3  # tokens; a fourth is right too seldom to be worth computing
_LONGEST = 3  # tokens that have to agree, fewer where so many do not


class Lookup:
    """The tokens of a conversation, and where each few of them stood last."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._ids: list[int] = []
        self._behind: dict[tuple[int, ...], int] = {}
        for token in ids:
            self.add(token)

    def add(self, token: int) -> None:
        """The conversation goes on with this token."""
        place = len(self._ids)
        for length in range(1, min(_LONGEST, place) + 1):
            self._behind[tuple(self._ids[-length:])] = place
        self._ids.append(token)

    def guess(self) -> list[int]:
        """GUESSED tokens that may follow; the last one over again where there is nothing to go by.

        Always as many: a conversation is computed in the same steps whatever is in its company.
        """
        found: list[int] = []
        for length in range(min(_LONGEST, len(self._ids)), 0, -1):
            place = self._behind.get(tuple(self._ids[-length:]))
            if place is not None:
                found = self._ids[place : place + GUESSED]
                break
        return found + [self._ids[-1]] * (GUESSED - len(found))
