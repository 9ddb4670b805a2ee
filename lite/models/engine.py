"""llama.cpp behind a narrow Python surface: weights and vocabulary, and sequences of tokens held in one KV cache.

Everything here takes the `llama_cpp` module from its caller (`lite/models/llamacpp.py`, the only place that imports
it). Text goes in and comes out as UTF-8 bytes, because one token may hold part of a character.
"""

import ctypes
import os
import sys
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite.errors import ModelError
from lite.machine import available_memory
from lite.models.chat import DIALECT_TAGS, ControlTokens

LOG_VARIABLE = "LITE_LLAMA_LOG"  # set to 1: llama.cpp's own log goes to stderr
BATCH = 256  # tokens computed at once while reading a prompt; more is no faster and takes more memory
_ERROR_LEVEL = 3
_REMEMBERED = 100_000  # characters: a longer text is tokenised each time

_last_errors: deque[str] = deque(maxlen=8)
_callbacks: list[Any] = []  # llama.cpp keeps the pointer: it must live as long as the process


def hush(lib: ModuleType) -> None:
    """Keep llama.cpp's log off the terminal; its error lines are remembered for our own messages."""
    if not _callbacks:
        loud = os.environ.get(LOG_VARIABLE, "") not in ("", "0")

        @lib.llama_log_callback
        def callback(level: int, text: bytes, _: object) -> None:
            line = text.decode("utf-8", "replace")
            if loud:
                sys.stderr.write(line)
            if level == _ERROR_LEVEL and line.strip():
                _last_errors.append(" ".join(line.split()))

        _callbacks.append(callback)
        lib.llama_log_set(callback, ctypes.c_void_p(0))
        lib.llama_backend_init()
    _last_errors.clear()


def said() -> str:
    """llama.cpp's first error line since the last `hush`: what went wrong, in its words."""
    return f" ({_last_errors[0]})" if _last_errors else ""


class Weights:
    """A model file: its weights and its vocabulary.

    Raises:
        ModelError: the file is missing, empty, no GGUF, damaged or too big for the memory.
    """

    def __init__(self, lib: ModuleType, path: str | Path) -> None:
        self.lib = lib
        check_gguf(Path(path))
        need, free = Path(path).stat().st_size, available_memory()
        if need > free:
            raise ModelError(
                f"{path} needs {need / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: "
                "close other programs or take a smaller quantisation"
            )
        hush(lib)
        self.handle = lib.llama_model_load_from_file(os.fsencode(path), lib.llama_model_default_params())
        if not self.handle:
            raise ModelError(
                f"{path} cannot be loaded by llama.cpp{said()}: download it again, or set {LOG_VARIABLE}=1"
            )
        self.vocab = lib.llama_model_get_vocab(self.handle)
        self.size = int(lib.llama_vocab_n_tokens(self.vocab))
        self.trained_context = int(lib.llama_model_n_ctx_train(self.handle))
        self.recurrent = bool(lib.llama_model_is_recurrent(self.handle) or lib.llama_model_is_hybrid(self.handle))
        self.bos = int(lib.llama_vocab_bos(self.vocab))
        self.eos = int(lib.llama_vocab_eos(self.vocab))
        self._cell_bytes = self._keys_and_values()
        self.opens_with_bos = bool(lib.llama_vocab_get_add_bos(self.vocab)) and self.bos >= 0
        self._tokenize_cached = lru_cache(maxsize=256)(self._tokenize)
        self._pieces: dict[int, bytes] = {}

    def close(self) -> None:
        """Free the weights."""
        if self.handle:
            self.lib.llama_model_free(self.handle)
            self.handle = None

    def slot_bytes(self, window: int) -> int:
        """Memory of one sequence's keys and values."""
        return self._cell_bytes * _padded(window)

    def _keys_and_values(self) -> int:
        """Memory of one token's keys and values (16-bit)."""
        lib, model = self.lib, self.handle
        width = int(lib.llama_model_n_embd(model)) // max(1, int(lib.llama_model_n_head(model)))
        keys, values = (int(self._meta(f"attention.{part}_length") or width) for part in ("key", "value"))
        return 2 * int(lib.llama_model_n_layer(model)) * int(lib.llama_model_n_head_kv(model)) * (keys + values)

    def _meta(self, key: str) -> str:
        """A number of the file's header, without the architecture's prefix; '' where it is not given."""
        buffer = ctypes.create_string_buffer(256)
        self.lib.llama_model_meta_val_str(self.handle, b"general.architecture", buffer, 256)
        name = buffer.value + b"." + key.encode()
        found = self.lib.llama_model_meta_val_str(self.handle, name, buffer, 256)
        return buffer.value.decode() if found > 0 else ""

    def chat_template(self) -> str | None:
        """The Jinja source in the file, if there is one."""
        source = self.lib.llama_model_chat_template(self.handle, None)
        return source.decode("utf-8", "replace") if source else None

    def token_text(self, token: int) -> str:
        """A token as the vocabulary spells it ('' for an id that is none)."""
        text = self.lib.llama_vocab_get_text(self.vocab, token) if token >= 0 else None
        return text.decode("utf-8", "replace") if text else ""

    def control_tokens(self) -> ControlTokens:
        """The strings that are encoded as control tokens."""
        lib = self.lib
        found: dict[str, int] = {}
        attributes: dict[str, int] = {}
        for token in range(self.size):
            attribute = int(lib.llama_vocab_get_attr(self.vocab, token))
            if attribute & (lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN) and self.token_text(token):
                found[self.token_text(token)] = token
                attributes[self.token_text(token)] = attribute
        return ControlTokens(
            found,
            strip_left=[text for text, attribute in attributes.items() if attribute & lib.LLAMA_TOKEN_ATTR_LSTRIP],
            strip_right=[text for text, attribute in attributes.items() if attribute & lib.LLAMA_TOKEN_ATTR_RSTRIP],
        )

    def ends_turn(self, token: int) -> bool:
        """Is this an end-of-generation token?"""
        return bool(self.lib.llama_vocab_is_eog(self.vocab, token))

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Ids of plain text: no control token comes out of it, whatever it spells."""
        return self._tokenize_cached(text) if len(text) < _REMEMBERED else self._tokenize(text)

    def _tokenize(self, text: str) -> tuple[int, ...]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        ids = (ctypes.c_int32 * room)()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), ids, room, False, False)
        return tuple(ids[:count])

    def piece(self, token: int) -> bytes:
        """Bytes of one token; a control token has none, unless it is one of the dialect's tags."""
        if token not in self._pieces:
            special = self.token_text(token) in DIALECT_TAGS
            size = 64
            while True:
                buffer = ctypes.create_string_buffer(size)
                count = self.lib.llama_token_to_piece(self.vocab, token, buffer, size, 0, special)
                if count >= 0:
                    break
                size = -count
            self._pieces[token] = buffer.raw[:count]
        return self._pieces[token]


class Adapter:
    """A LoRA adapter in GGUF: matrices that are added to the model's own. It lives as long as the model at most.

    Raises:
        ModelError: the file is no adapter, or one for another model.
    """

    def __init__(self, weights: Weights, path: str | Path) -> None:
        self._lib = weights.lib
        check_gguf(Path(path), "adapter")
        hush(self._lib)
        self.handle = self._lib.llama_adapter_lora_init(weights.handle, os.fsencode(path))
        if not self.handle:
            raise ModelError(f"{path} is no LoRA adapter for this model{said()}: give one that was made for it")

    def close(self) -> None:
        """Free it; no `Sequences` may wear it any more."""
        if self.handle:
            self._lib.llama_adapter_lora_free(self.handle)
            self.handle = None


class Sequences:
    """A KV cache of `slots` token sequences of up to `window` tokens each; threads for replies, and for prompts.

    Raises:
        ModelError: there is no memory for it.
    """

    def __init__(self, weights: Weights, window: int, slots: int, threads: tuple[int, int]) -> None:
        lib = self._lib = weights.lib
        self._weights = weights
        need, free = slots * weights.slot_bytes(window), available_memory()
        if need > free:
            raise ModelError(
                f"a window of {window} tokens needs {need / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: "
                "ask for less with --context"
            )
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = slots * _padded(window), BATCH, BATCH
        params.n_seq_max = slots
        # Each sequence has cells of its own, and on a CPU attention is two matrix products: shared cells and the
        # fused kernel make eight conversations of 2,000 tokens 3.5 times slower to continue.
        params.kv_unified = False
        if not lib.llama_supports_gpu_offload():
            params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._threads = threads
        params.no_perf = True
        hush(lib)
        self.handle = lib.llama_init_from_model(weights.handle, params)
        if not self.handle:
            raise ModelError(f"no memory for a window of {window} tokens{said()}: ask for less with --context")
        self._memory = lib.llama_get_memory(self.handle)
        self._batch = _Batch(lib, BATCH)

    def close(self) -> None:
        """Free the cache."""
        if self.handle:
            self._lib.llama_free(self.handle)
            self.handle = None

    def wear(self, adapter: Adapter | None) -> None:
        """Compute with this adapter from now on, or with none."""
        worn = [adapter.handle] if adapter else []
        handles, scales = (self._lib.llama_adapter_lora_p_ctypes * 1)(*worn), (ctypes.c_float * 1)(1.0)
        if self._lib.llama_set_adapters_lora(self.handle, handles, len(worn), scales) != 0:
            raise ModelError(f"llama.cpp cannot use the adapter{said()}: give one that was made for this model")

    def decode(
        self, rows: Sequence[tuple[int, int, int]], outputs: Sequence[int], *, prompt: bool = False
    ) -> list[NDArray[np.float32]]:
        """Compute rows of (token, position, sequence), at most BATCH; logits (vocabulary,) of the rows in `outputs`,
        which are llama.cpp's own memory and hold until the next call. With `prompt`, by the threads meant for prompts.

        Raises:
            RuntimeError: llama.cpp failed; what the sequences hold is unknown.
        """
        threads = self._threads[prompt]
        self._lib.llama_set_n_threads(self.handle, threads, threads)  # its own choice goes by the number of rows
        self._batch.fill(rows, outputs)
        code = self._lib.llama_decode(self.handle, self._batch.struct)
        if code != 0:
            raise RuntimeError(f"llama.cpp could not compute a batch of {len(rows)} tokens (code {code}){said()}")
        shape = (self._weights.size,)
        return [np.ctypeslib.as_array(self._lib.llama_get_logits_ith(self.handle, row), shape=shape) for row in outputs]

    def cut(self, sequence: int, length: int) -> int:
        """Keep the first `length` tokens of a sequence. Returns how many are kept: none where the model's memory
        cannot be cut in the middle (recurrent models).
        """
        if self._lib.llama_memory_seq_rm(self._memory, sequence, length, -1):
            return length
        self._lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return 0

    def copy(self, source: int, target: int) -> None:
        """Let an empty sequence hold all that another one holds."""
        self._lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)


class _Batch:
    """A llama_batch over numpy arrays, so that filling it costs no Python loop per field."""

    def __init__(self, lib: ModuleType, size: int) -> None:
        self._token, self._position = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self._count, self._sequence = np.ones(size, np.int32), np.zeros(size, np.int32)
        self._output = np.zeros(size, np.int8)
        self._pointers = (self._sequence.ctypes.data + 4 * np.arange(size)).astype(np.uint64)
        fields: dict[str, Any] = {
            "token": self._token,
            "pos": self._position,
            "n_seq_id": self._count,
            "seq_id": self._pointers,
            "logits": self._output,
        }
        types = dict(lib.llama_batch._fields_)
        self.struct = lib.llama_batch(
            n_tokens=0, embd=None, **{name: array.ctypes.data_as(types[name]) for name, array in fields.items()}
        )

    def fill(self, rows: Sequence[tuple[int, int, int]], outputs: Sequence[int]) -> None:
        table = np.asarray(rows, np.int32)
        self._token[: len(rows)], self._position[: len(rows)], self._sequence[: len(rows)] = table.T
        self._output[:] = 0
        self._output[list(outputs)] = 1
        self.struct.n_tokens = len(rows)


class Grammar:
    """A GBNF grammar walking along one turn.

    Raises:
        ModelError: llama.cpp cannot read the grammar.
    """

    def __init__(self, weights: Weights, source: str) -> None:
        self._lib = weights.lib
        hush(self._lib)
        self._handle = self._lib.llama_sampler_init_grammar(weights.vocab, source.encode(), b"root")
        if not self._handle:
            raise ModelError(f"llama.cpp cannot read the grammar{said()}: correct it, or go without --grammar")

    def fresh(self) -> "Grammar":
        """The same grammar at its beginning (call it on one that has accepted nothing)."""
        copy = object.__new__(Grammar)
        copy._lib, copy._handle = self._lib, self._lib.llama_sampler_clone(self._handle)
        return copy

    def allows(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these tokens may come next."""
        data = np.zeros(len(ids), np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)]))
        data["id"] = ids
        array = self._lib.llama_token_data_array(
            data=data.ctypes.data_as(self._lib.llama_token_data_p), size=len(ids), selected=-1, sorted=False
        )
        self._lib.llama_sampler_apply(self._handle, ctypes.byref(array))
        return data["logit"] == 0

    def accept(self, token: int) -> None:
        """Move on over a token that `allows` allowed."""
        self._lib.llama_sampler_accept(self._handle, token)

    def close(self) -> None:
        """Free it."""
        if self._handle:
            self._lib.llama_sampler_free(self._handle)
            self._handle = None


def _padded(window: int) -> int:
    """A window as llama.cpp rounds it up."""
    return -(-window // 256) * 256


def check_gguf(path: Path, what: str = "model") -> None:
    """Raise ModelError, in one line, for what is plainly no GGUF file."""
    if path.is_dir():
        raise ModelError(f"{path} is a folder: name the .gguf file in it")
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        otherwise = ", or use --model smollm2" if what == "model" else ""
        raise ModelError(f"there is no file {path}: check the path{otherwise}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
    if not head:
        raise ModelError(f"{path} is empty: download it again")
    if head != b"GGUF":
        raise ModelError(f"{path} is not a GGUF {what} file: give one that ends in .gguf, or convert it first")
