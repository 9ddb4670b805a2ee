"""llama.cpp in this process: many conversations decoded together, their prompts computed once.

Each conversation keeps a sequence in one KV cache. A turn's prompt is the ids that the sequence already stands for
plus the ids of the new text, so sampled tokens are never decoded and tokenised again; what another conversation
begins with (the system prompt) is shared instead of computed. Prompts are computed one after the other, replies
together, several tokens at once where the conversation lets them be guessed. A LoRA adapter can be worn, and changed
between two calls.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite.dialect import grammars
from lite.errors import ModelError
from lite.extras import need
from lite.machine import available_memory, cores, wait_passively
from lite.models.cache import PromptCache, Slot
from lite.models.chat import ChatTemplate
from lite.models.engine import Adapter, Grammar, Weights
from lite.models.lookup import Lookup
from lite.models.turn import Prompts, Turn, in_order
from lite.records import Fault, Generate, Message, Reply

_SMALL = 500_000_000  # bytes of a model file
_SLOTS = 32  # conversations held at once, where the memory allows
_SHARE = 0.5  # of the free memory may go into more slots than one


@dataclass(eq=False)
class _Live:
    """A turn in its slot."""

    turn: Turn
    lookup: Lookup
    slot: Slot | None = None

    def sample(self, logits: NDArray[np.float32], weights: Weights) -> None:
        """Choose the next token."""
        known = len(self.turn.sampled)
        self.turn.sample(logits, weights)
        for token in self.turn.sampled[known:]:
            self.lookup.add(token)


class LlamaCpp:
    """A GGUF model run by llama.cpp (extra `llama`). Not for two threads at once.

    Args:
        path: the model file.
        context: window of one conversation in tokens; what the model was trained for may be less.
        grammar: True holds every turn to the dialect's grammar, names of tools to that of calls of these; a string is
            a GBNF grammar of your own. The log-probabilities stay those of the unconstrained model.
        threads: CPU threads; None: all cores, but one for the replies of a small model, whose tokens are over before
            a second thread has woken. The number changes no bit of a result.
        name: what the run's manifest calls it.
        adapter: a LoRA adapter (GGUF) made for this model.

    Raises:
        MissingExtra: llama-cpp-python is not installed.
        ModelError: a file cannot be used, or there is no memory for it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        context: int = 8192,
        grammar: bool | str | tuple[str, ...] = False,
        threads: int | None = None,
        name: str | None = None,
        adapter: str | Path | None = None,
    ) -> None:
        wait_passively()
        self._cache: PromptCache | None = None
        self._adapter: Adapter | None = None
        self._grammars: dict[str, Grammar] = {}
        self._asked = 0  # requests so far
        self._numbers: dict[Turn, int] = {}  # of those that are not answered
        self._waiting: list[Turn] = []
        self._live: list[_Live] = []
        self._answered: dict[int, Reply | Fault] = {}
        self._weights = Weights(need("llama_cpp", "llama"), path)
        try:
            self.name = name or (f"llamacpp:{path}" if adapter is None else f"llamacpp:{path}+{adapter}")
            self.context = min(context, self._weights.trained_context)
            small = Path(path).stat().st_size < _SMALL
            self._threads = (threads or (1 if small else cores()), threads or cores())
            template, control = _chat_template(self._weights, path), self._weights.control_tokens()
            self.prompts = Prompts(self._weights, template, control, self.context)
            if grammar:
                tools = grammar if isinstance(grammar, tuple) else None
                for form, source in grammars(tools, opened=bool(template.opens)).items():
                    self._grammars[form] = Grammar(self._weights, grammar if isinstance(grammar, str) else source)
            self._cache = PromptCache(self._weights, self.context, 1, self._threads)
            if adapter is not None:
                self.wear(adapter)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the cache and the weights. The model cannot be used afterwards."""
        self.drop()
        for grammar in self._grammars.values():
            grammar.close()
        if self._cache is not None:
            self._cache.close()
        if self._adapter is not None:
            self._adapter.close()
        self._weights.close()
        self._grammars, self._cache, self._adapter = {}, None, None

    def wear(self, adapter: str | Path | None) -> None:
        """Change the LoRA adapter for the one in this file, read anew whatever it held before; None takes it off.

        What the conversations hold was computed with the old one and is dropped: they are read again when they go on.
        `name` stays what it was.

        Raises:
            ModelError: the file is no adapter for this model; the old one stays.
        """
        cache = self._open()
        new = None if adapter is None else Adapter(self._weights, adapter)
        try:
            cache.wear(new)
        except ModelError:
            if new is not None:
                new.close()
            raise
        if self._adapter is not None:
            self._adapter.close()
        self._adapter = new

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt these messages make, the opening of the assistant's turn included."""
        self._open()
        return self.prompts.count(messages)

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """One reply per request, in order.

        A reply depends on its conversation and the seed, not on the order of the requests. With float weights it
        does not depend on the other requests either, to the last bit (as long as its slot is not taken by others, and
        but for recurrent models, which write one token at a time).
        """
        numbers = [self.ask(request) for request in requests]
        while any(number not in self._answered for number in numbers):
            self._go_on()
        return [self._answered.pop(number) for number in numbers]

    def ask(self, request: Generate) -> int:
        """Take a request in; its number. It is begun by `ready` or `generate`, as soon as there is a slot."""
        prepared = self._prepare(request, self._open())
        self._asked += 1
        if isinstance(prepared, Fault):
            self._answered[self._asked] = prepared
        else:
            self._numbers[prepared] = self._asked
            self._waiting.append(prepared)
        return self._asked

    def ready(self) -> list[tuple[int, Reply | Fault]]:
        """Number and reply of the requests that are answered; waits for one."""
        while self._numbers and not self._answered:
            self._go_on()
        answered, self._answered = self._answered, {}
        return list(answered.items())

    def drop(self) -> None:
        """Forget what is under way: what its slots hold is dropped with it."""
        for one in self._live:
            if one.slot is not None and self._cache is not None:
                self._cache.clear(one.slot.number)
        for turn in self._numbers:
            if turn.grammar is not None:
                turn.grammar.close()
        self._waiting, self._live, self._numbers, self._answered = [], [], {}, {}

    def _prepare(self, request: Generate, cache: PromptCache) -> Turn | Fault:
        slot = cache.find(request.conversation)
        turn = self.prompts.turn(request, slot.said if slot else None)
        if isinstance(turn, Turn) and (grammar := self._grammars.get(request.form)):
            turn.grammar = grammar.fresh()
        return turn

    def _open(self) -> PromptCache:
        if self._cache is None:
            raise ModelError(f"{self.name} is closed: load it again")
        return self._cache

    def _slots_for(self, turns: int, cache: PromptCache) -> PromptCache:
        """A cache for that many turns together, or for as many as the memory allows (the others wait)."""
        wanted = min(turns, _SLOTS)
        if wanted > cache.slots:
            each = self._weights.slot_bytes(self.context)
            wanted = min(wanted, int((available_memory() * _SHARE) // each) + cache.slots)
        if wanted > cache.slots:
            cache.close()
            self._cache = None
            self._cache = cache = PromptCache(self._weights, self.context, wanted, self._threads)
            cache.wear(self._adapter)
        return cache

    # ------------------------------------------------------------ turns

    def _go_on(self) -> None:
        """Begin the turns there is room for, then write a step of all of them."""
        cache = self._open()
        try:
            if self._waiting and not self._live:
                cache = self._slots_for(len(self._waiting), cache)
            if self._waiting:
                self._begin(cache)
            for one in [one for one in self._live if one.turn.finish]:
                self._live.remove(one)
                self._answered[self._numbers.pop(one.turn)] = self._end(one, cache)
            if self._live:
                self._write(self._live, cache)
        except BaseException:
            self.drop()
            raise

    def _begin(self, cache: PromptCache) -> None:
        """Read the prompts of turns that wait, as many as there are slots for."""
        self._waiting = in_order(self._waiting)
        expected = {turn.request.conversation for turn in self._waiting}
        while self._waiting and len(self._live) < cache.slots:
            turn = self._waiting.pop(0)
            self._live.append(_Live(turn, Lookup(turn.ids)))
            self._read(self._live[-1], cache, expected)

    def _read(self, live: _Live, cache: PromptCache, expected: set[str]) -> None:
        """Compute the prompt and sample the first token."""
        turn, started = live.turn, time.perf_counter()
        try:
            live.slot, turn.cached, logits = cache.read(turn.request.conversation, turn.ids, expected)
            live.sample(logits, self._weights)
        except RuntimeError as error:
            turn.finish, turn.error = "failed", str(error)
        turn.seconds += time.perf_counter() - started

    def _write(self, live: Sequence[_Live], cache: PromptCache) -> None:
        """One more token for each turn, and those behind it that were guessed. The time is shared among them."""
        started = time.perf_counter()
        drafts = [(one, one.slot, self._draft(one)) for one in live if one.slot]
        try:
            computed = cache.write([(slot, draft) for _, slot, draft in drafts])
            for (one, slot, draft), rows in zip(drafts, computed, strict=True):
                before, sure = len(slot.held) - len(draft), 0
                while not one.turn.finish and (not sure or draft[sure : sure + 1] == one.turn.sampled[-1:]):
                    one.sample(rows[sure], self._weights)
                    sure += 1
                cache.keep(slot, before + sure)
        except RuntimeError as error:
            for one in live:
                one.turn.finish, one.turn.error = "failed", str(error)
        for one in live:
            one.turn.seconds += (time.perf_counter() - started) / len(live)

    def _draft(self, live: _Live) -> list[int]:
        """The last token, and guesses at those behind it; none where they could not be taken back."""
        return [live.turn.sampled[-1], *(() if self._weights.recurrent else live.lookup.guess())]

    def _end(self, live: _Live, cache: PromptCache) -> Reply | Fault:
        if live.turn.grammar:
            live.turn.grammar.close()
        if live.turn.finish == "failed" or live.slot is None:
            return Fault(where="model", error=live.turn.error)
        reply = live.turn.end(live.slot.said, self.prompts.control)
        cache.release(live.slot)
        return reply


def _chat_template(weights: Weights, path: str | Path) -> ChatTemplate:
    source = weights.chat_template()
    if source is None:
        raise ModelError(f"{path} has no chat template: take an instruct model")
    try:
        return ChatTemplate(source, bos=weights.token_text(weights.bos), eos=weights.token_text(weights.eos))
    except ValueError as error:
        raise ModelError(f"{path}: {error}: take another file of this model") from None
