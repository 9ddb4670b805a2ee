"""Which conversation holds which tokens of the KV cache: what is computed once is used again, and shared."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lite.models.engine import BATCH, SEQUENCES, NoSpace, Sequences, Weights


@dataclass(eq=False)
class Conversation:
    """One sequence of the cache, and the text it stands for."""

    name: str
    sequence: int
    held: list[int] = field(default_factory=list)  # ids whose keys and values are in the cache
    text: str = ""  # the rendered text that `ids` stand for; the next prompt usually goes on from it
    ids: list[int] = field(default_factory=list)
    joints: list[tuple[int, int]] = field(default_factory=list)  # (len(text), len(ids)) where a turn began or ended
    used: int = 0
    busy: bool = False

    def stands_for(self, rendered: str) -> tuple[int, int]:
        """The longest start of `rendered`, in characters and in ids, that was already said here word for word."""
        for chars, count in reversed(self.joints):
            if rendered.startswith(self.text[:chars]):
                return chars, count
        return 0, 0

    def settle(self, rendered: str, ids: Sequence[int], said: str, sampled: Sequence[int]) -> None:
        """Note a finished turn: the prompt's text and ids, then what the model said and the ids it sampled."""
        chars, _ = self.stands_for(rendered)
        self.joints = [joint for joint in self.joints if joint[0] <= chars]
        self.text, self.ids = rendered + said, [*ids, *sampled]
        self.joints += [(len(rendered), len(ids)), (len(self.text), len(self.ids))]


class PromptCache:
    """All conversations of a model in one KV cache of `cells` tokens. The one unused for longest goes first.

    Raises:
        ModelError: there is no memory for that many cells.
    """

    def __init__(self, weights: Weights, cells: int, threads: tuple[int, int]) -> None:
        self._sequences = Sequences(weights, cells, threads)
        self._can_share = not weights.recurrent
        self._conversations: list[Conversation] = []
        self._clock = 0

    @property
    def cells(self) -> int:
        """Tokens the cache can hold."""
        return self._sequences.cells

    def close(self) -> None:
        """Free it."""
        self._conversations.clear()
        self._sequences.close()

    def find(self, name: str) -> Conversation | None:
        """The conversation of that name, if its last turns are still held and it is not in use. '' names none."""
        return next((c for c in self._conversations if name and c.name == name and not c.busy), None)

    def read(self, name: str, ids: Sequence[int]) -> tuple[Conversation, int, NDArray[np.float32]]:
        """Compute a prompt.

        Returns:
            The conversation (busy until `release`), how many ids needed no computing, and the last id's logits.

        Raises:
            RuntimeError: llama.cpp failed, or the cache is full of conversations in use.
        """
        conversation = self.find(name) or self._new(name)
        conversation.busy = True
        try:
            cached = self._reuse(conversation, ids)
            logits: list[NDArray[np.float32]] = []
            for start in range(cached, len(ids), BATCH):
                part = ids[start : start + BATCH]
                rows = [(token, start + offset, conversation.sequence) for offset, token in enumerate(part)]
                logits = self._decode(rows, [len(rows) - 1] if start + len(part) == len(ids) else [])
                conversation.held += part
        except BaseException:
            self.forget(conversation)
            raise
        return conversation, cached, logits[0]

    def write(self, steps: Sequence[tuple[Conversation, int]]) -> list[NDArray[np.float32]]:
        """Add one token to each of these conversations; the logits that follow it, in order.

        Raises:
            RuntimeError: as for `read`. None of the conversations is held any more.
        """
        rows = [(token, len(conversation.held), conversation.sequence) for conversation, token in steps]
        try:
            logits = self._decode(rows, range(len(rows)))
        except BaseException:
            for conversation, _ in steps:
                self.forget(conversation)
            raise
        for conversation, token in steps:
            conversation.held.append(token)
        return logits

    def release(self, conversation: Conversation) -> None:
        """The turn is over: what is held may be shared, gone on from, or given up when cells are needed."""
        self._clock += 1
        conversation.used, conversation.busy = self._clock, False

    def forget(self, conversation: Conversation) -> None:
        """Give up what a conversation holds."""
        self._sequences.cut(conversation.sequence, 0)
        if conversation in self._conversations:
            self._conversations.remove(conversation)

    def _new(self, name: str) -> Conversation:
        taken = {conversation.sequence for conversation in self._conversations}
        if len(taken) == SEQUENCES and not self._forget_oldest():
            raise RuntimeError(f"{SEQUENCES} conversations are in use")
        taken = {conversation.sequence for conversation in self._conversations}
        conversation = Conversation(name, next(number for number in range(SEQUENCES) if number not in taken))
        self._conversations.append(conversation)
        return conversation

    def _reuse(self, conversation: Conversation, ids: Sequence[int]) -> int:
        """Cut the sequence to what `ids` begins with, or begin with what another conversation holds of it."""
        own = _common(conversation.held, ids)
        if own < len(conversation.held) or own == 0:
            others = [other for other in self._conversations if other is not conversation and self._can_share]
            best = max(others, key=lambda other: _common(other.held, ids), default=None)
            if best is not None and (shared := min(_common(best.held, ids), len(ids) - 1)) > own:
                self._sequences.cut(conversation.sequence, 0)
                self._sequences.share(best.sequence, conversation.sequence, shared)
                conversation.held = list(ids[:shared])
                return shared
        kept = self._sequences.cut(conversation.sequence, min(own, len(ids) - 1))
        conversation.held = list(ids[:kept])
        return kept

    def _decode(self, rows: Sequence[tuple[int, int, int]], outputs: Sequence[int]) -> list[NDArray[np.float32]]:
        while True:
            try:
                return self._sequences.decode(rows, outputs)
            except NoSpace:
                if not self._forget_oldest():
                    raise RuntimeError("the cache is full of conversations in use") from None

    def _forget_oldest(self) -> bool:
        idle = [conversation for conversation in self._conversations if not conversation.busy]
        if idle:
            self.forget(min(idle, key=lambda conversation: conversation.used))
        return bool(idle)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common start."""
    length = min(len(first), len(second))
    if first[:length] == second[:length]:
        return length
    return next(place for place in range(length) if first[place] != second[place])
