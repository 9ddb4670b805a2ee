"""Does the answer survive the reading of a page? `extract` against the page's head and a plain BM25 of sentences.

    python dev/survival.py [wikitables|multihop|html] [QUESTIONS]

Of the evidence pages that hold a question's answer and are longer than the budget: the share whose extract of at most
256, 512 and 1,024 tokens (of SmolLM2) still holds it, with the question as the goal. Paired bootstrap intervals.
"""

import json
import math
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

import zstandard

from lite.evaluate import read_tasks
from lite.index.text import sentences, terms_each
from lite.models.llamacpp import LlamaCpp
from lite.models.smollm2 import smollm2_gguf
from lite.reward import contains_answer
from lite.world import World

SHARED = Path("/work/shared/data")
BUDGETS = (256, 512, 1024)
OTHERS = 20_000  # pages beside the evidence, so that words are as rare as they are


def make_world(name: str, wanted: set[str], folder: Path) -> World:
    """The evidence pages and the last pages of the set."""
    if name == "html":
        import tarfile

        with (SHARED / "html/pages.tar.zst").open("rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file)
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                tar.extractall(folder / "pages", filter="data")
        (folder / "pages" / "files.jsonl").write_bytes((SHARED / "html/files.jsonl").read_bytes())
        return World.build(folder / "pages", folder / "world", date="2026-01-02")
    evidence: list[str] = []
    rest: deque[str] = deque(maxlen=OTHERS)
    with zstandard.open(SHARED / name / "pages.jsonl.zst", "rt", encoding="utf-8") as lines:
        for line in lines:
            (evidence if json.loads(line)["url"] in wanted else rest).append(line)
    (folder / "pages.jsonl").write_text("".join([*evidence, *rest]), encoding="utf-8")
    return World.build(folder / "pages.jsonl", folder / "world", date="2026-01-02")


def longest(make: Callable[[int], str], fits: Callable[[str], bool], most: int) -> str:
    """What `make` gives for the largest number that still fits."""
    low, high = 0, most + 1
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(make(middle)) else (low, middle)
    return make(low) if low else ""


def best_sentences(text: str, goal: str) -> Callable[[int], str]:
    """The n best sentences or lines by BM25 over the page's own, in page order."""
    said = [one for line in text.splitlines() if line.strip() for one in sentences(line)]
    stems = terms_each(said)
    (asked,) = terms_each([goal])
    spread = Counter(term for one in stems for term in set(one))
    typical = sum(map(len, stems)) / max(1, len(stems)) or 1

    def score(one: list[str]) -> float:
        count, total = Counter(one), 0.0
        for term in set(asked):
            if tf := count[term]:
                rare = math.log(1 + (len(stems) - spread[term] + 0.5) / (spread[term] + 0.5))
                total += rare * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(one) / typical))
        return total

    ranked = sorted(range(len(said)), key=lambda n: (-score(stems[n]), n))
    return lambda count: "\n".join(said[n] for n in sorted(ranked[:count]))


def interval(differences: list[float]) -> tuple[float, float]:
    """95 % of the means of resampled pairs."""
    dice = random.Random(0)  # noqa: S311  # resampling
    means = sorted(sum(dice.choices(differences, k=len(differences))) / len(differences) for _ in range(1000))
    return means[25], means[974]


def main(name: str, count: int) -> None:
    """Measure and print."""
    tasks = read_tasks(SHARED / name / "questions.jsonl")[:count]
    wanted = {url for task in tasks for url in task.evidence}
    model = LlamaCpp(smollm2_gguf(), context=256)
    tokenize = model._weights.tokenize  # noqa: SLF001  # the plain count
    held: dict[int, dict[str, list[float]]] = {budget: {} for budget in BUDGETS}
    spent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, make_world(name, wanted, Path(folder)) as world:
        pairs = 0
        for task in tasks:
            for url in task.evidence:
                page = world.visit(url, mode="raw").evidence
                answers = [answer for answer in task.answers if contains_answer(page, answer)]
                pairs += bool(answers)
                for budget in BUDGETS:
                    if not answers or len(tokenize(page)) <= budget:
                        continue
                    words, chosen = page.split(" "), best_sentences(page, task.question)
                    ways: dict[str, tuple[Callable[[int], str], int]] = {
                        "extract": (lambda n, u=url, q=task.question: world.visit(u, q, words=n).evidence, 2 * budget),
                        "head": (lambda n, w=words: " ".join(w[:n]), min(len(words), 2 * budget)),
                        "sentences": (chosen, 200),
                    }
                    for way, (make, most) in ways.items():
                        began = time.process_time()
                        text = longest(make, lambda text, b=budget: len(tokenize(text)) <= b, most)
                        spent[way] += time.process_time() - began
                        kept = any(contains_answer(text, answer) for answer in answers)
                        held[budget].setdefault(way, []).append(float(kept))
    print(f"{name}: {len(tasks)} questions, {pairs} evidence pages that hold the answer; CPU-seconds {dict(spent)}")
    for budget, found in held.items():
        for way, kept in found.items():
            low, high = interval([a - b for a, b in zip(found["extract"], kept, strict=True)])
            against = "" if way == "extract" else f"   extract is {100 * low:+.1f} to {100 * high:+.1f} points better"
            print(f"  {budget:5} tokens, {len(kept):5} longer pages: {way:10} {sum(kept) / len(kept):6.1%}{against}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "wikitables", int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
