"""Which conversation holds which tokens of the KV cache: what is computed once is used again, and shared.

The cache is cut into slots of one window each. A conversation keeps its slot between turns; a new one takes the slot
unused for longest, and whatever of its prompt is held there or in another slot (the system prompt) is not computed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lite.models.engine import BATCH, Adapter, Sequences, Weights
from lite.models.lookup import GUESSED
from lite.models.turn import Said, common

_WORTH_COPYING = 64  # tokens: a slot is copied whole, which costs about as much as computing these


@dataclass(eq=False)
class Slot:
    """One sequence of the cache, and the conversation it holds."""

    number: int
    name: str = ""
    held: list[int] = field(default_factory=list)  # ids whose keys and values are in the cache
    said: Said = field(default_factory=Said)
    used: int = 0
    busy: bool = False


class PromptCache:
    """The conversations of a model, in `slots` slots of `window` tokens.

    Raises:
        ModelError: there is no memory for them.
    """

    def __init__(self, weights: Weights, window: int, slots: int, threads: tuple[int, int]) -> None:
        self._sequences = Sequences(weights, window + GUESSED, slots, threads)
        self._can_copy = not weights.recurrent
        self._slots = [Slot(number) for number in range(slots)]
        self._clock = 0

    @property
    def slots(self) -> int:
        """Conversations it can hold."""
        return len(self._slots)

    def close(self) -> None:
        """Free it."""
        self._sequences.close()

    def wear(self, adapter: Adapter | None) -> None:
        """Compute with this adapter from now on, or with none. What is held was made otherwise, and is dropped."""
        for number in range(len(self._slots)):
            self.clear(number)
        self._sequences.wear(adapter)

    def find(self, name: str) -> Slot | None:
        """The slot of the conversation of that name, if its last turns are held and it is idle. '' names none."""
        return next((slot for slot in self._slots if name and slot.name == name and not slot.busy), None)

    def read(self, name: str, ids: Sequence[int], expected: Collection[str]) -> tuple[Slot, int, NDArray[np.float32]]:
        """Compute a prompt in a slot; there must be an idle one.

        Args:
            name: of the conversation, '' for one that will not go on.
            ids: the prompt, shorter than the window.
            expected: names whose slots will be asked for soon: these are given up last.

        Returns:
            The slot (busy until `release`), how many ids needed no computing, and the last id's logits (they hold
            until the next call).

        Raises:
            RuntimeError: llama.cpp failed; the slot is empty.
        """
        slot = self.find(name) or self._take(name, expected)
        slot.busy = True
        logits: list[NDArray[np.float32]] = []
        try:
            cached = self._reuse(slot, ids)
            while len(slot.held) < len(ids):
                start, left = len(slot.held), len(ids) - len(slot.held)
                part = ids[start : start + (BATCH - 1 if left == BATCH + 1 else BATCH)]  # never one alone
                rows = [(token, start + offset, slot.number) for offset, token in enumerate(part)]
                logits = self._sequences.decode(rows, [len(rows) - 1] if len(part) == left else [], prompt=True)
                slot.held += part
        except BaseException:
            self.clear(slot.number)
            raise
        return slot, cached, logits[0]

    def write(self, steps: Sequence[tuple[Slot, Sequence[int]]]) -> list[list[NDArray[np.float32]]]:
        """Add tokens to each of these slots, as many to each; the logits that follow each of them, in order, which
        hold until the next call.

        llama.cpp multiplies float weights with one row in another way than with two or more, which all agree to the
        last bit: with several tokens a reply depends on nothing but its own conversation.

        Raises:
            RuntimeError: llama.cpp failed; the slots are empty.
        """
        ordered = sorted(steps, key=lambda step: step[0].number)  # neighbours are computed together
        rows = [(token, len(slot.held) + n, slot.number) for slot, tokens in ordered for n, token in enumerate(tokens)]
        try:
            computed = iter(self._sequences.decode(rows, range(len(rows))))
        except BaseException:
            for slot, _ in steps:
                self.clear(slot.number)
            raise
        logits = {slot.number: [next(computed) for _ in tokens] for slot, tokens in ordered}
        for slot, tokens in steps:
            slot.held += tokens
        return [logits[slot.number] for slot, _ in steps]

    def keep(self, slot: Slot, length: int) -> None:
        """Take back what a slot holds beyond `length` tokens."""
        if length < len(slot.held):
            self._sequences.cut(slot.number, length)
            del slot.held[length:]

    def release(self, slot: Slot) -> None:
        """The turn is over: what is held may be gone on from, copied, or given up."""
        self._clock += 1
        slot.used, slot.busy = self._clock, False

    def clear(self, number: int) -> None:
        """Empty a slot."""
        self._sequences.cut(number, 0)
        if number < len(self._slots):
            self._slots[number] = Slot(number)

    def _take(self, name: str, expected: Collection[str]) -> Slot:
        """An idle slot for a new conversation. What it held is kept for `_reuse` to look at."""
        idle = [slot for slot in self._slots if not slot.busy]
        old = min(idle, key=lambda slot: (slot.name in expected and slot.name != "", slot.used))
        new = Slot(old.number, name, held=old.held)
        self._slots[old.number] = new
        return new

    def _reuse(self, slot: Slot, ids: Sequence[int]) -> int:
        """Cut the slot to what `ids` begins with, or copy the slot that holds more of it."""
        most = max(0, len(ids) - 2)  # the last one is computed for its logits, the other for company
        own = min(common(slot.held, ids), most)
        others = [other for other in self._slots if other is not slot and other.held and self._can_copy]
        if others and own < most:
            best = max(others, key=lambda other: common(other.held, ids))
            shared = min(common(best.held, ids), most)
            if shared >= own + _WORTH_COPYING:
                self._sequences.cut(slot.number, 0)
                self._sequences.copy(best.number, slot.number)
                own = shared
        kept = self._sequences.cut(slot.number, own)
        slot.held = list(ids[:kept])
        return kept
