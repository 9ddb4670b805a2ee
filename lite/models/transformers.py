"""A Hugging Face model run by torch in this process, on a GPU where there is one.

Each conversation's keys and values are kept between its turns, and a prompt goes on from the ids that were sampled.
Prompts are computed one after the other, replies together, each row padded on the left. Unlike with llama.cpp, company
changes a reply's log-probabilities in their last digits: matrices of another shape are multiplied in another order.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lite.errors import ModelError, one_line
from lite.extras import need
from lite.machine import available_memory, computes_bf16, wait_passively
from lite.models.huggingface import EXTRA, adapted, load
from lite.models.tokenizer import FastTokenizer
from lite.models.turn import Said, Turn, common, in_order
from lite.records import Fault, Generate, Message, Reply

_TOGETHER = 32  # replies written at once, where the memory allows
_SHARE = 0.5  # of the free memory may hold keys and values
_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}  # layers that hold keys and values
_PART = 1024  # tokens of a prompt computed at once

Layers = list[tuple[Any, Any]]  # keys and values of each layer, (rows, heads, tokens, width)


@dataclass(eq=False)
class _Held:
    """A conversation between two turns."""

    said: Said = field(default_factory=Said)
    ids: list[int] = field(default_factory=list)  # whose keys and values these are
    layers: Layers = field(default_factory=list)

    def first(self, count: int) -> Layers:
        """Keys and values of the first `count` ids; nothing is copied."""
        return [(keys[..., :count, :], values[..., :count, :]) for keys, values in self.layers] if count else []


@dataclass(eq=False)
class _Row:
    """A turn, and what is computed of it."""

    turn: Turn
    held: _Held


class Transformers:
    """A causal language model and its tokenizer, loaded already. Not for two threads at once.

    The model may be in training: it writes without dropout, and is then as it was. Whoever changes its weights calls
    `forget`.

    Args:
        model, tokenizer: as transformers loads them, the model where it shall run.
        name: what the run's manifest calls it.
        context: window in tokens; what the model was trained for may be less.

    Raises:
        MissingExtra: torch or transformers is not installed.
        ModelError: the model cannot be run here.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str, context: int = 8192) -> None:
        self._torch = need("torch", EXTRA)
        self._model: Any = model
        self.name = name
        config = model.config.get_text_config(decoder=True)
        layers = set(getattr(config, "layer_types", None) or ())
        if getattr(model, "_is_stateful", False) or layers - _ATTENTION:
            raise ModelError(f"{name} keeps a state that cannot be cut (a recurrent model): run a GGUF file of it")
        self.context = min(context, getattr(config, "max_position_embeddings", context))
        self._vocabulary = FastTokenizer(tokenizer, (model.config, model.generation_config), name)
        self.prompts = self._vocabulary.prompts(self.context)
        self._cache = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
        self._held: OrderedDict[str, _Held] = OrderedDict()  # the one used longest ago first
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._cell = 2 * config.num_hidden_layers * heads * width * model.dtype.itemsize  # bytes of a token

    @classmethod
    def from_path(
        cls,
        path: str | Path,
        *,
        adapter: str | Path | None = None,
        context: int = 8192,
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
    ) -> Self:
        """From a Hugging Face folder or a GGUF file (which is converted once, into the user's cache directory).

        Args:
            path: the folder or the file.
            adapter: a folder with a LoRA adapter of PEFT, made for this model.
            context: window in tokens; what the model was trained for may be less.
            device: of torch ("cpu", "cuda"); None: a GPU where there is one.
            dtype: of torch ("float32", "bfloat16"); None: as it is stored, but bfloat16 becomes float32 on a processor
                that does not multiply it (matrices five times as fast there, in twice the memory).
            threads: CPU threads; None: torch's choice.

        Raises:
            MissingExtra: torch or transformers is not installed, or PEFT for an adapter.
            ModelError: there is no model or adapter, or none that can be used.
        """
        wait_passively()
        torch = need("torch", EXTRA)
        if threads:
            torch.set_num_threads(threads)
        model, tokenizer = load(Path(path), dtype)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if dtype is None and device == "cpu" and model.dtype == torch.bfloat16 and not computes_bf16():
            model = model.float()
        name = f"transformers:{path}"
        if adapter is not None:
            model, name = adapted(model, Path(adapter)), f"{name}+{adapter}"
        return cls(model.to(device), tokenizer, name=name, context=context)

    def close(self) -> None:
        """Free the weights and what is held. The model cannot be used afterwards."""
        self._model = None
        self.forget()

    @contextmanager
    def wearing(self, adapter: Path | None) -> Iterator[None]:
        """While its weights are not changed. An adapter's file is not read: the model in training has it already."""
        del adapter
        self.forget()
        yield

    def forget(self) -> None:
        """Drop what is held of all conversations: the weights have changed."""
        self._held.clear()

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt these messages make, the opening of the assistant's turn included."""
        return self.prompts.count(messages)

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """One reply per request, in order."""
        if self._model is None:
            raise ModelError(f"{self.name} is closed: load it again")
        prepared = [self.prompts.turn(request, self._said(request.conversation)) for request in requests]
        waiting = in_order(prepared)
        free = int(self._free_memory() * _SHARE)
        together = max(1, min(_TOGETHER, free // (self._cell * self.context)))
        results: dict[Turn, Reply | Fault] = {}
        training = self._model.training
        self._model.eval()
        try:
            with self._torch.inference_mode():
                for start in range(0, len(waiting), together):
                    results |= self._replies(waiting[start : start + together])
                    self._make_room(free)
        finally:
            self._model.train(training)
        return [turn if isinstance(turn, Fault) else results[turn] for turn in prepared]

    def _replies(self, turns: Sequence[Turn]) -> dict[Turn, Reply | Fault]:
        """Turns that are written together."""
        rows: list[_Row] = []
        for turn in turns:
            rows.append(self._read(turn, rows))
        self._write([row for row in rows if not row.turn.finish])
        return {row.turn: self._end(row) for row in rows}

    def _said(self, conversation: str) -> Said | None:
        held = self._held.get(conversation)
        return held.said if held else None

    def _free_memory(self) -> int:
        device = self._model.device
        return self._torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory()

    def _make_room(self, budget: int) -> None:
        """Give up the conversations used longest ago, until the rest fits."""
        while len(self._held) > 1 and self._cell * sum(len(held.ids) for held in self._held.values()) > budget:
            self._held.popitem(last=False)

    # ------------------------------------------------------------ turns

    def _read(self, turn: Turn, beside: Sequence[_Row]) -> _Row:
        """Compute what no conversation holds of the prompt, and sample the first token."""
        started = time.perf_counter()
        held = self._held.pop(turn.request.conversation, None) or _Held()
        row = _Row(turn, held)
        try:
            others = [held, *self._held.values(), *(one.held for one in beside)]
            best = max(others, key=lambda other: common(other.ids, turn.ids))
            turn.cached = min(common(best.ids, turn.ids), len(turn.ids) - 1)
            layers, logits = best.first(turn.cached), np.empty((0, 0), np.float32)
            for start in range(turn.cached, len(turn.ids), _PART):
                logits, layers = self._compute([turn.ids[start : start + _PART]], layers, [start])
            held.ids, held.layers = list(turn.ids), layers
            turn.sample(logits[0], self._vocabulary)
        except RuntimeError as error:
            _fail([row], error)
        turn.seconds += time.perf_counter() - started
        return row

    def _write(self, rows: list[_Row]) -> None:
        """Sample the rest of these turns, one token for each of them at a time."""
        started, live = time.perf_counter(), list(rows)
        lengths = [len(row.held.ids) for row in rows]
        try:
            layers = self._side_by_side([row.held.layers for row in rows], lengths) if rows else []
            while live:
                logits, layers = self._compute([row.turn.sampled[-1:] for row in live], layers, lengths)
                share = (time.perf_counter() - started) / len(live)
                for row, logit in zip(live, logits, strict=True):
                    row.held.ids.append(row.turn.sampled[-1])
                    row.turn.sample(logit, self._vocabulary)
                    row.turn.seconds += share
                lengths, started = [length + 1 for length in lengths], time.perf_counter()
                if any(row.turn.finish for row in live):
                    live, lengths, layers = self._part(live, lengths, layers)
        except RuntimeError as error:
            _fail(live, error)

    def _part(self, live: list[_Row], lengths: list[int], layers: Layers) -> tuple[list[_Row], list[int], Layers]:
        """Let the rows that are over take what is theirs; the others go on."""
        for place, row in enumerate(live):
            if row.turn.finish:
                mine = (slice(place, place + 1), slice(None), slice(-lengths[place], None))
                row.held.layers = [(keys[mine].clone(), values[mine].clone()) for keys, values in layers]
        left = [place for place, row in enumerate(live) if not row.turn.finish]
        longest = max((lengths[place] for place in left), default=0)
        layers = [(keys[left, :, -longest:], values[left, :, -longest:]) for keys, values in layers] if left else []
        return [live[place] for place in left], [lengths[place] for place in left], layers

    def _end(self, row: _Row) -> Reply | Fault:
        turn = row.turn
        if turn.finish == "failed":
            return Fault(where="model", error=turn.error)
        reply = turn.end(row.held.said, self.prompts.control)
        if turn.request.conversation:
            self._held[turn.request.conversation] = row.held
        return reply

    # ------------------------------------------------------------ torch

    def _compute(
        self, ids: Sequence[Sequence[int]], layers: Layers, lengths: Sequence[int]
    ) -> tuple[NDArray[np.float32], Layers]:
        """The logits behind the last of `ids` (as many in each row), and the keys and values with theirs added.

        Row n has `lengths[n]` tokens in `layers` already, at their right end.
        """
        torch, device, new = self._torch, self._model.device, len(ids[0])
        cache = need("transformers", EXTRA).DynamicCache()
        for number, (keys, values) in enumerate(layers):
            cache.update(keys, values, number)
        before = torch.tensor(lengths, device=device)[:, None]
        places = torch.arange(max(lengths) + new, device=device)[None]
        outputs = self._model(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=(places >= max(lengths) - before).long(),
            position_ids=before + torch.arange(new, device=device)[None],
            use_cache=True,
            logits_to_keep=1,
            **{self._cache: cache},
        )
        logits = outputs.logits[:, -1].float().cpu().numpy()
        return logits, [(layer.keys, layer.values) for layer in cache.layers]

    def _side_by_side(self, rows: Sequence[Layers], lengths: Sequence[int]) -> Layers:
        """Keys and values of several rows as one batch, padded on the left."""
        pad, cat, longest = self._torch.nn.functional.pad, self._torch.cat, max(lengths)

        def joined(layer: int, part: int) -> Any:
            pairs = zip(rows, lengths, strict=True)
            return cat([pad(row[layer][part], (0, 0, longest - length, 0)) for row, length in pairs])

        return [(joined(layer, 0), joined(layer, 1)) for layer in range(len(rows[0]))]


def _fail(rows: Sequence[_Row], error: RuntimeError) -> None:
    said = one_line(error)
    for row in rows:
        row.turn.finish, row.turn.error = "failed", f"torch could not compute the turn ({said})"
