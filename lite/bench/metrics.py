"""Measures of a ranking with binary relevance, as trec_eval defines them, and intervals for their means."""

from collections.abc import Collection, Sequence
from math import log2

import numpy as np

_DRAWS = 2000
_SEED = 20261125  # a report that is made again says the same


def ndcg(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Discounted cumulative gain of the first `k`, over that of the best possible ranking (`ndcg_cut_k`)."""
    gain = sum(1 / log2(place + 2) for place, name in enumerate(ranked[:k]) if name in relevant)
    best = sum(1 / log2(place + 2) for place in range(min(k, len(relevant))))
    return gain / best if best else 0.0


def recall(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of the relevant that is among the first `k` (`recall_k`)."""
    return sum(name in relevant for name in ranked[:k]) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """1 / the place of the first relevant one, 0 when there is none (`recip_rank`)."""
    return next((1 / place for place, name in enumerate(ranked, 1) if name in relevant), 0.0)


def interval(values: Sequence[float], share: float = 0.95) -> tuple[float, float]:
    """Where the mean of `values` lies with probability `share`: percentile bootstrap over the queries."""
    sample = np.asarray(values, np.float64)
    if not len(sample):
        return 0.0, 0.0
    draw = np.random.default_rng(_SEED)
    means = [sample[draw.integers(len(sample), size=len(sample))].mean() for _ in range(_DRAWS)]
    low, high = np.quantile(means, ((1 - share) / 2, (1 + share) / 2))
    return float(low), float(high)
