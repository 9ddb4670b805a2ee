"""Made questions beside human ones: openings, lengths, hops and wording, in one table.

    python dev/compare_wording.py TASKS.jsonl QUESTIONS.jsonl

Of the made ones as many are drawn as there are human ones, so that shares of distinct openings can be compared.
"""

import argparse
import json
import re
import statistics
from collections import Counter
from pathlib import Path
from random import Random

FIRST = ("what", "which", "who", "when", "where", "how", "in", "of", "the", "on", "per", "going", "according")


def read(path: str) -> list[dict]:
    """The questions of a JSONL file."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line]


def measures(tasks: list[dict]) -> dict[str, str]:
    """What is told of a set of questions."""
    words = [task["question"].split() for task in tasks]
    count = len(tasks)

    def share(of: int) -> str:
        return f"{of / count:.0%}"

    told = {f"distinct first {n} words": share(len({" ".join(one[:n]).lower() for one in words})) for n in (2, 3, 4)}
    lengths = sorted(map(len, words))
    told |= {
        "words, mean": f"{statistics.mean(lengths):.1f}",
        "words, 10 / 50 / 90 %": " / ".join(str(lengths[int(part * (count - 1))]) for part in (0.1, 0.5, 0.9)),
        "more than 40 words": share(sum(length > 40 for length in lengths)),
    }
    first = Counter(re.sub(r"\W", "", one[0].lower()) for one in words)
    told |= {f"begins with {word}": share(first[word]) for word in FIRST}
    text = [task["question"].lower() for task in tasks]
    told["names a table, page, section or list"] = share(
        sum(bool(re.search(r"\b(?:table|page|section|article|list)\b", one)) for one in text)
    )
    vocabulary = {word for one in text for word in re.findall(r"[^\W\d_]+", one)}
    told["distinct words"] = f"{len(vocabulary):,}"
    steps = Counter(task.get("hops") or len(task["evidence"]) for task in tasks)
    told |= {f"{n} hops (pages)": share(steps[n]) for n in range(1, 5)}
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks")
    parser.add_argument("questions")
    given = parser.parse_args()
    human, made = read(given.questions), read(given.tasks)
    drawn = Random(0).sample(made, min(len(made), len(human)))  # noqa: S311  # chance that repeats
    left, right = measures(drawn), measures(human)
    print(f"{'':<38} {'made':>14} {'human':>14}")
    print(f"{'questions':<38} {len(drawn):>14,} {len(human):>14,}")
    for name, value in left.items():
        print(f"{name:<38} {value:>14} {right[name]:>14}")


if __name__ == "__main__":
    main()
