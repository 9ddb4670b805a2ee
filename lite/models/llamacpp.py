"""llama.cpp in this process: many conversations decoded together, their prompts computed once.

Each conversation keeps a sequence in one KV cache. A turn's prompt is the ids that the sequence already stands for
plus the ids of the new text, so sampled tokens are never decoded and tokenised again; what another conversation
begins with (the system prompt) is shared instead of computed. Prompts are computed one after the other, replies
together. A LoRA adapter can be worn, and changed between two calls.
"""

import codecs
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lite.dialect import GRAMMARS, STOP
from lite.errors import ModelError
from lite.extras import need
from lite.models.cache import PromptCache, Slot
from lite.models.chat import ChatTemplate
from lite.models.engine import Adapter, Grammar, Weights, available_memory
from lite.models.sampling import choose, log_probability, random_for
from lite.models.threads import cores, wait_passively
from lite.records import Fault, Generate, Message, Reply

_STOP = STOP.encode()
_SMALL = 500_000_000  # bytes of a model file
_SLOTS = 32  # conversations held at once, where the memory allows
_SHARE = 0.5  # of the free memory may go into more slots than one


@dataclass(eq=False)
class _Turn:
    """One request on its way."""

    request: Generate
    rendered: str
    ids: list[int]
    room: int  # tokens it may sample
    random: np.random.Generator
    grammar: Grammar | None
    slot: Slot | None = None
    cached: int = 0
    sampled: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # len(data) after each sampled token
    data: bytes = b""
    stop: int = -1  # where in `data` the stop tag begins
    finish: Literal["", "stop", "length", "failed"] = ""
    error: str = ""
    seconds: float = 0.0


class LlamaCpp:
    """A GGUF model run by llama.cpp (extra `llama`). Not for two threads at once.

    Args:
        path: the model file.
        context: window of one conversation in tokens; what the model was trained for may be less.
        grammar: True holds every turn to the dialect's grammar; a string is a GBNF grammar of your own. The
            log-probabilities stay those of the unconstrained model.
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
        grammar: bool | str = False,
        threads: int | None = None,
        name: str | None = None,
        adapter: str | Path | None = None,
    ) -> None:
        wait_passively()
        self._cache: PromptCache | None = None
        self._adapter: Adapter | None = None
        self._grammars: dict[str, Grammar] = {}
        self._weights = Weights(need("llama_cpp", "llama"), path)
        try:
            self.name = name or (f"llamacpp:{path}" if adapter is None else f"llamacpp:{path}+{adapter}")
            self.context = min(context, self._weights.trained_context)
            small = Path(path).stat().st_size < _SMALL
            self._threads = (threads or (1 if small else cores()), threads or cores())
            self._template = _chat_template(self._weights, path)
            self._control = self._weights.control_tokens()
            if grammar:
                for form, source in GRAMMARS.items():
                    self._grammars[form] = Grammar(self._weights, source if grammar is True else grammar)
            self._cache = PromptCache(self._weights, self.context, 1, self._threads)
            if adapter is not None:
                self.wear(adapter)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the cache and the weights. The model cannot be used afterwards."""
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
        return len(self._ids(self._render(messages)))

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """One reply per request, in order.

        A reply depends on its conversation and the seed, not on the order of the requests. With float weights it
        does not depend on the other requests either, to the last bit (as long as its slot is not taken by others).
        """
        held = self._open()
        prepared = [self._prepare(request, held) for request in requests]
        waiting = sorted((turn for turn in prepared if isinstance(turn, _Turn)), key=lambda turn: turn.rendered)
        waiting.sort(key=lambda turn: turn.request.conversation)  # so that the order of the requests is all one
        cache = self._slots_for(len(waiting), held)
        expected = {turn.request.conversation for turn in waiting}
        results: dict[_Turn, Reply | Fault] = {}
        live: list[_Turn] = []
        try:
            while waiting or live:
                while waiting and len(live) < cache.slots:
                    live.append(turn := waiting.pop(0))
                    self._read(turn, cache, expected)
                for turn in [turn for turn in live if turn.finish]:
                    live.remove(turn)
                    results[turn] = self._end(turn, cache)
                if live:
                    self._write(live, cache)
        except BaseException:
            for turn in live:
                if turn.slot is not None:
                    cache.clear(turn.slot.number)
                if turn.grammar is not None:
                    turn.grammar.close()
            raise
        return [turn if isinstance(turn, Fault) else results[turn] for turn in prepared]

    def _open(self) -> PromptCache:
        if self._cache is None:
            raise ModelError(f"{self.name} is closed: load it again")
        return self._cache

    # ------------------------------------------------------------ prompts

    def _render(self, messages: Sequence[Message]) -> str:
        shield = self._control.shield
        return self._template.render([Message(role=each.role, content=shield(each.content)) for each in messages])

    def _ids(self, rendered: str, *, opening: bool = True) -> list[int]:
        ids: list[int] = []
        for piece in self._control.split(rendered):
            ids += [piece] if isinstance(piece, int) else self._weights.tokenize(piece)
        if opening and self._weights.opens_with_bos and ids[:1] != [self._weights.bos]:
            ids.insert(0, self._weights.bos)
        return ids

    def _prepare(self, request: Generate, cache: PromptCache) -> _Turn | Fault:
        try:
            rendered = self._render(request.messages)
        except ValueError as error:
            return Fault(where="model", error=str(error))
        known = cache.find(request.conversation)
        chars, count = known.stands_for(rendered) if known else (0, 0)
        ids = (known.ids[:count] if known else []) + self._ids(rendered[chars:], opening=not chars)
        if len(ids) >= self.context:
            return Fault(
                where="model", error=f"a prompt of {len(ids)} tokens does not fit the window of {self.context}"
            )
        grammar = self._grammars.get(request.form)
        return _Turn(
            request=request,
            rendered=rendered,
            ids=ids,
            room=max(1, min(request.max_tokens, self.context - len(ids))),
            random=random_for(request.sampling.seed, request.conversation, request.number),
            grammar=grammar.fresh() if grammar else None,
        )

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

    def _read(self, turn: _Turn, cache: PromptCache, expected: set[str]) -> None:
        """Compute the prompt and sample the first token."""
        started = time.perf_counter()
        try:
            turn.slot, turn.cached, logits = cache.read(turn.request.conversation, turn.ids, expected)
            self._sample(turn, logits)
        except RuntimeError as error:
            turn.finish, turn.error = "failed", str(error)
        turn.seconds += time.perf_counter() - started

    def _write(self, live: Sequence[_Turn], cache: PromptCache) -> None:
        """One more token for each turn. The time is shared among them."""
        started = time.perf_counter()
        try:
            logits = cache.write([(turn.slot, turn.sampled[-1]) for turn in live if turn.slot])
            for turn, row in zip(live, logits, strict=True):
                self._sample(turn, row)
        except RuntimeError as error:
            for turn in live:
                turn.finish, turn.error = "failed", str(error)
        for turn in live:
            turn.seconds += (time.perf_counter() - started) / len(live)

    def _sample(self, turn: _Turn, logits: NDArray[np.float32]) -> None:
        """Choose the next token; sets `finish` when it is the last one."""
        sampling, grammar = turn.request.sampling, turn.grammar
        token = choose(logits, sampling, set(turn.sampled), turn.random, grammar.allows if grammar else None)
        if token is None:  # the grammar has no way on
            turn.finish = "stop"
            return
        turn.sampled.append(token)
        turn.logprobs.append(log_probability(logits, token, sampling.temperature))
        if self._weights.ends_turn(token):
            turn.finish = "stop"
            return
        if grammar:
            grammar.accept(token)
        tail = max(0, len(turn.data) - len(_STOP))
        turn.data += self._weights.piece(token)
        turn.ends.append(len(turn.data))
        turn.stop = turn.data.find(_STOP, tail)
        if turn.stop >= 0:
            turn.finish = "stop"
        elif len(turn.sampled) >= turn.room:
            turn.finish = "length"

    def _end(self, turn: _Turn, cache: PromptCache) -> Reply | Fault:
        if turn.grammar:
            turn.grammar.close()
        if turn.finish == "failed" or turn.slot is None:
            return Fault(where="model", error=turn.error)
        whole, sampled = turn.data, turn.sampled  # what the conversation stands for, and its ids (no end of turn)
        spoken = sampled[: len(turn.ends)]
        if turn.stop >= 0:  # tokens from the one in which the stop tag begins are not part of the turn
            spoken = [token for token, end in zip(spoken, turn.ends, strict=True) if end <= turn.stop]
            whole = turn.data[: turn.ends[len(spoken) - 1]] if spoken else b""
            sampled = sampled[: len(spoken) + (len(whole) < turn.stop)]
        turn.slot.settle(turn.rendered, turn.ids, self._control.shield(_decode(whole)), spoken)
        cache.release(turn.slot)
        return Reply(
            text=_decode(turn.data[: turn.stop] if turn.stop >= 0 else turn.data),
            finish="length" if turn.finish == "length" else "stop",
            prompt_tokens=len(turn.ids),
            cached_tokens=turn.cached,
            completion_tokens=len(turn.sampled),
            token_ids=tuple(sampled),
            logprobs=tuple(turn.logprobs[: len(sampled)]),
            seconds=turn.seconds,
        )


def _decode(data: bytes) -> str:
    """Text of sampled bytes; a character cut off at the end is left out."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)


def _chat_template(weights: Weights, path: str | Path) -> ChatTemplate:
    source = weights.chat_template()
    if source is None:
        raise ModelError(f"{path} has no chat template: take an instruct model")
    try:
        return ChatTemplate(source, bos=weights.token_text(weights.bos), eos=weights.token_text(weights.eos))
    except ValueError as error:
        raise ModelError(f"{path}: {error}: take another file of this model") from None
