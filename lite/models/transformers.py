"""A Hugging Face model run by torch in this process, on a GPU where there is one.

Each conversation's keys and values are kept between its turns, and a prompt goes on from the ids that were sampled.
Prompts are computed one after the other, replies together, each row padded on the left. Unlike with llama.cpp, company
changes a reply's log-probabilities in their last digits: matrices of another shape are multiplied in another order.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lite.errors import ModelError
from lite.extras import need
from lite.models.chat import DIALECT_TAGS, ChatTemplate, ControlTokens
from lite.models.engine import available_memory
from lite.models.huggingface import EXTRA, load
from lite.models.threads import wait_passively
from lite.models.turn import Prompts, Said, Turn, common, in_order
from lite.records import Fault, Generate, Message, Reply

_TOGETHER = 32  # replies written at once, where the memory allows
_SHARE = 0.5  # of the free memory may hold keys and values
_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}  # layers that hold keys and values
_PART = 1024  # tokens of a prompt computed at once
_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "</s>")

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
        self._vocabulary = _Vocabulary(tokenizer, model, name)
        template, control = _chat_template(tokenizer, name), self._vocabulary.control_tokens()
        self.prompts = Prompts(self._vocabulary, template, control, self.context)
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
        context: int = 8192,
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
    ) -> Self:
        """From a Hugging Face folder or a GGUF file (which is converted once, into the user's cache directory).

        Args:
            path: the folder or the file.
            context: window in tokens; what the model was trained for may be less.
            device: of torch ("cpu", "cuda"); None: a GPU where there is one.
            dtype: of torch ("float32", "bfloat16"); None: as it is stored.
            threads: CPU threads; None: torch's choice.

        Raises:
            MissingExtra: torch or transformers is not installed.
            ModelError: there is no model, or none that can be used.
        """
        wait_passively()
        torch = need("torch", EXTRA)
        if threads:
            torch.set_num_threads(threads)
        model, tokenizer = load(Path(path), dtype)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(model.to(device), tokenizer, name=f"transformers:{path}", context=context)

    def close(self) -> None:
        """Free the weights and what is held. The model cannot be used afterwards."""
        self._model = None
        self.forget()

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


class _Vocabulary:
    """A tokenizer of the `tokenizers` library, as `lite.models.turn` asks for it."""

    def __init__(self, tokenizer: Any, model: Any, name: str) -> None:
        if not hasattr(tokenizer, "backend_tokenizer"):
            raise ModelError(f"{name} has no tokenizer.json: take a folder that has one")
        self._backend: Any = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = True  # what a text spells is text
        self._added = tokenizer.added_tokens_decoder
        self._pieces: dict[int, bytes] = {}
        self._bytes = _byte_of_each_letter() if "ByteLevel" in repr(self._backend.decoder) else None
        self.bos = -1 if tokenizer.bos_token_id is None else int(tokenizer.bos_token_id)
        self.opens_with_bos = self.bos >= 0 and self._backend.encode("a").ids[:1] == [self.bos]
        self._ends = _ends(tokenizer, model)

    def control_tokens(self) -> ControlTokens:
        """The strings that are encoded as control tokens."""
        special = {token.content: number for number, token in self._added.items() if token.special}
        left = [token.content for token in self._added.values() if token.special and token.lstrip]
        right = [token.content for token in self._added.values() if token.special and token.rstrip]
        return ControlTokens(special, strip_left=left, strip_right=right)

    def tokenize(self, text: str) -> Sequence[int]:
        """Ids of plain text."""
        return self._backend.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids

    def piece(self, token: int) -> bytes:
        """Bytes of one token."""
        if token not in self._pieces:
            self._pieces[token] = self._spelt(token)
        return self._pieces[token]

    def ends_turn(self, token: int) -> bool:
        """Is this an end-of-generation token?"""
        return token in self._ends

    def _spelt(self, token: int) -> bytes:
        if (added := self._added.get(token)) is not None:
            return b"" if added.special and added.content not in DIALECT_TAGS else added.content.encode()
        text = self._backend.id_to_token(token) or ""  # a vocabulary may be padded with ids that are no tokens
        if self._bytes is not None and self._bytes.keys() >= set(text):
            return bytes(self._bytes[letter] for letter in text)
        if text.startswith("<0x") and text.endswith(">"):
            return bytes.fromhex(text[3:-1])
        return text.replace("\u2581", " ").encode()


def _ends(tokenizer: Any, model: Any) -> set[int]:
    """End-of-generation tokens: those the model names, and those of the usual names."""
    named = [tokenizer.eos_token_id, model.config.eos_token_id]
    if getattr(model, "generation_config", None) is not None:
        named.append(model.generation_config.eos_token_id)
    ids = {each for value in named for each in (value if isinstance(value, list) else [value]) if each is not None}
    return ids | {number for number, token in tokenizer.added_tokens_decoder.items() if token.content in _ENDS}


def _byte_of_each_letter() -> dict[str, int]:
    """The letters that byte-level vocabularies write bytes with: a printable byte is itself, the others follow 255."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _chat_template(tokenizer: Any, name: str) -> ChatTemplate:
    source = tokenizer.chat_template
    source = source.get("default") if isinstance(source, dict) else source
    if not source:
        raise ModelError(f"{name} has no chat template: take an instruct model")
    try:
        return ChatTemplate(source, bos=tokenizer.bos_token or "", eos=tokenizer.eos_token or "")
    except ValueError as error:
        raise ModelError(f"{name}: {error}: take another copy of this model") from None


def _fail(rows: Sequence[_Row], error: RuntimeError) -> None:
    said = " ".join(str(error).split())[:200]
    for row in rows:
        row.turn.finish, row.turn.error = "failed", f"torch could not compute the turn ({said})"
