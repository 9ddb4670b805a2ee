"""Our measures beside trec_eval's own code, on random rankings. Not part of the package.

python -m venv /tmp/trec-venv && /tmp/trec-venv/bin/pip install pytrec-eval-terrier
PYTHONPATH=. /tmp/trec-venv/bin/python dev/second_opinion.py
"""

import random

import pytrec_eval  # pyright: ignore[reportMissingImports]

from lite.bench.metrics import ndcg, recall, reciprocal_rank

QUERIES, PAGES, DEPTH = 2000, 300, 100


def main() -> None:
    """Compare, and say the largest difference."""
    draw = random.Random(1)  # noqa: S311  # an experiment
    names = [f"d{number}" for number in range(PAGES)]
    judged = {f"q{n}": dict.fromkeys(draw.sample(names, draw.randint(1, 40)), 1) for n in range(QUERIES)}
    ranked = {query: draw.sample(names, draw.randint(1, DEPTH)) for query in judged}
    run = {query: {name: float(DEPTH - place) for place, name in enumerate(found)} for query, found in ranked.items()}
    measures = {"ndcg_cut.10", "recall.10,100", "recip_rank"}
    theirs = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(run)
    worst = 0.0
    for query, right in judged.items():
        found = ranked[query]
        mine = {
            "ndcg_cut_10": ndcg(found, right, 10),
            "recall_10": recall(found, right, 10),
            "recall_100": recall(found, right, 100),
            "recip_rank": reciprocal_rank(found, right),
        }
        worst = max(worst, *(abs(mine[name] - theirs[query][name]) for name in mine))
    mean = sum(each["ndcg_cut_10"] for each in theirs.values()) / QUERIES
    print(f"{QUERIES} queries, their mean nDCG@10 {mean:.4f}, largest difference of any measure: {worst:.1e}")


if __name__ == "__main__":
    main()
