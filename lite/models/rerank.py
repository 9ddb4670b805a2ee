"""Hits in a better order: a cross-encoder reads the query and each passage together (sentence-transformers)."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite.errors import ModelError
from lite.extras import need
from lite.machine import wait_passively
from lite.models.embed import may_download, why_not_loaded
from lite.records import Hit

_BATCH = 16


class Reranker:
    """A cross-encoder: how well a passage answers a query. Safe for threads, one at a time.

    Attributes:
        name: as it was asked for.
    """

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self._model = model
        self._lock = Lock()

    def score(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """One number a passage, higher is better; what range they have is the model's own affair.

        The same query with the same passages gives the same numbers; among other passages they agree to rounding.

        Raises:
            ModelError: the model gives more than one number, so it classifies and does not rank.
        """
        if not passages:
            return np.zeros(0, np.float32)
        with self._lock:
            scores = self._model.predict(
                [(query, passage) for passage in passages],
                batch_size=_BATCH,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return np.asarray(scores, np.float32)


@lru_cache(2)
def load_reranker(name: str) -> Reranker:
    """The cross-encoder of that name, loaded once in a process.

    Args:
        name: the path of a sentence-transformers folder, or a name on the Hugging Face hub that is in the local cache;
            it is downloaded only where HF_HUB_OFFLINE=0 says so.

    Raises:
        MissingExtra: sentence-transformers is not installed.
        ModelError: there are no such weights on this machine, or they are no cross-encoder's with one output.
    """
    wait_passively()
    online = may_download()
    library = need("sentence_transformers", "embed")
    try:
        model = library.CrossEncoder(name, device="cpu", local_files_only=not online)
        labels, kinds = model.num_labels, model.config.architectures or ()
    except Exception as error:  # noqa: BLE001  # whatever the libraries raise about a folder or a name
        raise ModelError(why_not_loaded(name, error, online=online)) from None
    if all(kind.endswith("Model") for kind in kinds):  # the library would give it a random one
        raise ModelError(f"{name} has no head that scores, it is an embedder: name a cross-encoder")
    if labels != 1:
        raise ModelError(f"{name} gives {labels} numbers for a passage: name a cross-encoder that ranks, with one")
    return Reranker(name, model)


def reranked(hits: Sequence[Hit], query: str, name: str) -> tuple[Hit, ...]:
    """The hits by the score of their title and snippet, which becomes theirs; equal ones in the order of URLs.

    Args:
        hits: in the order of the first search; it decides nothing any more.
        query: what was asked.
        name: of the reranker, as `load_reranker` takes it.
    """
    texts = [f"{hit.title}\n{hit.snippet}" for hit in hits]
    scores = load_reranker(_placed(name)).score(query, texts)
    scored = [hit.model_copy(update={"score": round(float(score), 6)}) for hit, score in zip(hits, scores, strict=True)]
    return tuple(sorted(scored, key=lambda hit: (-hit.score, hit.url)))


def _placed(name: str) -> str:
    return str(Path(name).absolute()) if Path(name).is_dir() else name
