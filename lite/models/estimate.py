"""How many tokens a prompt makes, where the tokenizer is out of reach: what a server has reported, and a guess."""

import math
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from lite.records import Message

_PER_MESSAGE = 10  # tokens a chat template puts around a message, at most
_ENOUGH = 200  # tokens from which something can be told of a text
_BEYOND = 0.7  # tokens a byte beyond ASCII: two make a letter with an accent, three a Chinese character
_MARGIN = 1.5  # kept where a text of such letters has shown that they are cheaper
_MOSTLY = 0.8
_MOST_BYTES = 8  # of a token: a report of fewer tokens than this makes is not of the whole prompt
_KEPT = 4096  # prompts whose tokens are known


def _weights() -> NDArray[np.float64]:
    """Tokens a byte of ASCII, rather too many than too few (English has .2 to .25 in all)."""
    weights = np.full(128, 1.0)  # digits, which many vocabularies take one by one, and signs
    weights[ord("a") : ord("z") + 1] = 0.3
    weights[ord("A") : ord("Z") + 1] = 0.7
    weights[ord(" ")] = 0.5  # one of its own before a digit, where each of these is one
    return weights


_WEIGHTS = _weights()


class Estimate:
    """Tokens of the prompts of one server.

    A prompt that goes on from one whose tokens were reported has those and a guess at the rest. The guess errs
    towards too many, and is raised when a report shows that it did not.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self._dearer = 1.0  # than the weights say
        self._beyond: float | None = None  # tokens a byte beyond ASCII, as reports have shown; None: no report yet
        self._lock = Lock()

    def tokens(self, messages: Sequence[Message]) -> int:
        """Of the prompt that these messages make."""
        begun, known = self._begun(messages)
        return known + math.ceil(self._dearer * sum(self._guess(messages[begun:])))

    def learn(self, messages: Sequence[Message], reported: int, *, bare: bool) -> None:
        """Take in a report; `bare` says that nothing but the messages was in the prompt.

        Some servers report only what they had not kept from an earlier prompt: what cannot be all of it teaches
        nothing.
        """
        begun, known = self._begun(messages)
        least = sum(len(_bytes(message)) for message in messages) / _MOST_BYTES
        if reported < max(least, known):
            return
        plain, beyond = self._guess(messages[begun:])
        if plain + beyond >= _ENOUGH and (begun or bare):
            seen = (reported - known) / (plain + beyond)
            if beyond >= _MOSTLY * (plain + beyond):
                cheapest = min(_BEYOND, _MARGIN * seen * (self._beyond or _BEYOND))
                self._beyond = cheapest if self._beyond is None else max(self._beyond, cheapest)
            self._dearer = max(self._dearer, seen)
        with self._lock:
            self._known[[*_keys(messages)][-1]] = reported
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]

    def _guess(self, messages: Sequence[Message]) -> tuple[float, float]:
        """Tokens of what is ASCII, the template's own among them, and of what is not."""
        bytes_ = b"".join(map(_bytes, messages))
        counts = np.bincount(np.frombuffer(bytes_, np.uint8), minlength=256)
        plain = float(counts[:128] @ _WEIGHTS) + _PER_MESSAGE * len(messages)
        return plain, int(counts[128:].sum()) * (self._beyond or _BEYOND)

    def _begun(self, messages: Sequence[Message]) -> tuple[int, int]:
        """Messages of the longest start whose tokens are known, and these."""
        found = (0, 0)
        for place, key in enumerate(_keys(messages), 1):
            known = self._known.get(key)
            found = found if known is None else (place, known)
        return found


def _keys(messages: Sequence[Message]) -> Iterator[bytes]:
    """A fingerprint of every start of a conversation, the shortest first."""
    whole = blake2b(digest_size=16)
    for message in messages:
        data = _bytes(message)
        whole.update(f"{message.role} {len(data)} ".encode() + data)
        yield whole.digest()


def _bytes(message: Message) -> bytes:
    return message.content.encode("utf-8", "replace")
