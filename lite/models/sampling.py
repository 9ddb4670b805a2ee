"""One token out of a row of logits: the same on every machine, in every batch order."""

import hashlib
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from lite.records import Sampling

Allowed = Callable[[NDArray[np.int32]], NDArray[np.bool_]]
_FIRST_LOOK = 64  # a grammar is tried on this many of the likeliest tokens before it is tried on all


def turn_seed(seed: int, conversation: str, turn: int) -> int:
    """Seed (128 bits) of one turn of one conversation: it depends on nothing else that is being generated."""
    digest = hashlib.blake2b(f"{seed}\0{turn}\0{conversation}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little")


def random_for(seed: int, conversation: str, turn: int) -> np.random.Generator:
    """Random numbers of one turn of one conversation."""
    return np.random.Generator(np.random.Philox(key=turn_seed(seed, conversation, turn)))


def log_probability(logits: NDArray[np.float32], token: int, temperature: float) -> float:
    """Natural log-probability of `token` after temperature (1 when greedy), before penalties, cuts and grammar."""
    scaled = logits / np.float32(temperature or 1.0)
    top = scaled.max()
    return float(scaled[token] - top - np.log(np.exp(scaled - top).sum(dtype=np.float64)))


def choose(
    logits: NDArray[np.float32],
    sampling: Sampling,
    seen: Collection[int],
    random: np.random.Generator,
    allowed: Allowed | None = None,
) -> int | None:
    """The next token, in the order of the usual servers: presence penalty, temperature, top-k, top-p.

    Args:
        logits: shape (vocabulary,).
        seen: ids already generated in this turn (the presence penalty's memory).
        allowed: says which of some ids a grammar allows now; the others are out before top-k.

    Returns:
        The id, or None when the grammar allows no token at all.
    """
    if seen and sampling.presence_penalty:
        logits = logits.copy()
        logits[np.fromiter(seen, np.int64, len(seen))] -= np.float32(sampling.presence_penalty)
    if allowed is None and sampling.temperature and not sampling.top_k and sampling.top_p == 1:
        return _drawn(_weights(logits, float(logits.max()), sampling.temperature), random)  # nothing needs to be sorted
    limit = 1 if sampling.temperature == 0 else sampling.top_k or len(logits)
    candidates = _likeliest(logits, limit, allowed)
    if len(candidates) == 0:
        return None
    if sampling.temperature == 0:
        return int(candidates[0])
    total = _weights(logits[candidates], float(logits[candidates[0]]), sampling.temperature)
    if sampling.top_p < 1:
        total = total[: int(np.searchsorted(total, sampling.top_p * total[-1])) + 1]
    return int(candidates[_drawn(total, random)])


def _weights(logits: NDArray[np.float32], top: float, temperature: float) -> NDArray[np.float64]:
    """Running sums of the unnormalised probabilities."""
    return np.cumsum(np.exp((logits.astype(np.float64) - top) / temperature))


def _drawn(total: NDArray[np.float64], random: np.random.Generator) -> int:
    return min(int(np.searchsorted(total, random.random() * total[-1], side="right")), len(total) - 1)


def _likeliest(logits: NDArray[np.float32], limit: int, allowed: Allowed | None) -> NDArray[np.int32]:
    """Ids of the `limit` highest logits among the allowed ones, highest first (the lower id first where equal)."""
    if allowed is None:
        return _top(logits, limit)
    if limit <= _FIRST_LOOK < len(logits):
        candidates = _top(logits, _FIRST_LOOK)
        fit = candidates[allowed(candidates)]
        if len(fit) >= limit:
            return fit[:limit]
    ids = np.flatnonzero(allowed(np.arange(len(logits), dtype=np.int32)))
    return ids[_top(logits[ids], limit)].astype(np.int32) if len(ids) else ids.astype(np.int32)


def _top(values: NDArray[np.float32], limit: int) -> NDArray[np.int32]:
    """Places of the `limit` highest values, highest first, the lower place first where equal."""
    if limit == 1:
        return np.array([values.argmax()], np.int32)
    places = np.arange(len(values)) if limit >= len(values) else np.argpartition(values, -limit)[-limit:]
    return places[np.lexsort((places, -values[places]))].astype(np.int32)
