"""Two rankings into one: by reciprocal rank, or by weighted scores."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import atan, pi

from lite.errors import UsageError

Ranking = Sequence[tuple[int, float]]  # (page, score), best first
RRF_K = 60


def fuse(lexical: Ranking, dense: Ranking, fusion: str, weights: Sequence[float]) -> list[tuple[int, float]]:
    """(page, fused score), best first, equal scores in the order of ids.

    "rrf" adds 1 / (60 + rank) of both rankings. "weighted" adds their scores, each brought to 0..1 as Milvus's
    WeightedRanker does (BM25 by the arc tangent, cosine linearly) and times its weight.

    Raises:
        UsageError: another fusion, or weights that are not two numbers from 0.
    """
    if fusion not in {"rrf", "weighted"}:
        raise UsageError(f"no fusion is called {fusion!r}: use rrf or weighted")
    if len(weights) != 2 or min(weights) < 0:
        raise UsageError(f"weights are {weights}: give two numbers from 0, lexical and dense")
    total: dict[int, float] = {}
    if fusion == "rrf":
        for ranking in (lexical, dense):
            for rank, (page, _) in enumerate(ranking, 1):
                total[page] = total.get(page, 0.0) + 1 / (RRF_K + rank)
    else:
        for page, score in lexical:
            total[page] = weights[0] * 2 / pi * atan(score)
        for page, score in dense:
            total[page] = total.get(page, 0.0) + weights[1] * (1 + score) / 2
    return sorted(total.items(), key=lambda hit: (-hit[1], hit[0]))


def by_url(ranking: Ranking, k: int, urls: Callable[[Sequence[int]], Mapping[int, str]]) -> list[tuple[int, float]]:
    """The best `k` of a ranking, equal scores in the order of URLs, which are looked up for those only."""
    if len(ranking) > k:
        ranking = [hit for hit in ranking if hit[1] >= ranking[k - 1][1]]
    times = Counter(score for _, score in ranking)
    if len(times) < len(ranking):
        named = urls([page for page, score in ranking if times[score] > 1])
        ranking = sorted(ranking, key=lambda hit: (-hit[1], named.get(hit[0], "")))
    return list(ranking[:k])
