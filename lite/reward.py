"""Graders: how right is an answer? Each grade is 0 to 1; numbers are compared as numbers."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from lite.records import Reward, Stop, Task, Trajectory

_ARTICLES = {"a", "an", "the"}
_TOKEN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*|[\u3400-\u9fff\u3040-\u30ff]|[^\W_]+")
# A number with an optional currency before and unit behind. A capitalised word behind it is a name ("12 Monkeys"),
# except in units that are written so.
_NUMBER = re.compile(
    r"^(?:about |c\. ?)?([$€£¥]?)([+-]?\s?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
    r"(?:\s*((?:[a-zµ%°]|K$|[KMGT]?W|MHz|GHz|Hz)\S*(?: [a-z]\S*){0,2}))?$"
)
_BETWEEN = re.compile(r"[;\n]|, | and ")
_CURRENCY = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_SCALE = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}


def tokens(text: str) -> list[str]:
    """Words of an answer for comparison: folded case and accents, no articles or punctuation, hanzi one by one."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    folded = "".join(char for char in folded if not unicodedata.combining(char))
    found = [token.replace(",", "") if token[0].isdigit() else token for token in _TOKEN.findall(folded)]
    return [token for token in found if token not in _ARTICLES] or found


def number(text: str) -> tuple[float, str] | None:
    """The number that `text` is, with its unit ("" if none); "3.5 million km" is (3500000.0, "km"). Else None."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip().rstrip(".")
    match = _NUMBER.match(plain)
    if match is None:
        return None
    value, unit = float(match[2].replace(",", "").replace(" ", "")), match[3] or ""
    scale, _, rest = unit.partition(" ")
    value, unit = (value * _SCALE[scale], rest) if scale in _SCALE else (value, unit)
    return value, unit or _CURRENCY.get(match[1], "")


def exact(answer: str, references: Sequence[str], tolerance: float | None = None) -> float:
    """1.0 if `answer` is one of `references` after normalisation, or the same number.

    Args:
        tolerance: relative difference allowed between numbers; None: none beyond rounding of the last bits.
    """
    said, value = tokens(answer), number(answer)
    for reference in references:
        expected = number(reference)
        if value and expected:  # as numbers only: their words have lost the sign
            right = _same_number(value, expected, tolerance or 0.0)
        else:
            right = bool(said) and said == tokens(reference)
        if right:
            return 1.0
    return 0.0


def _same_number(one: tuple[float, str], other: tuple[float, str], tolerance: float) -> bool:
    """Equal within a relative tolerance. A unit may be left out, but two that are given must be the same."""
    if one[1] and other[1] and _unit(one[1]) != _unit(other[1]):
        return False
    return abs(one[0] - other[0]) <= max(1e-9, tolerance) * abs(other[0])


def _unit(text: str) -> list[str]:
    return [token.removesuffix("s") for token in tokens(text)]


def members(reference: str) -> list[str]:
    """The members of a reference that is a list."""
    return [part.strip() for part in reference.split(";") if part.strip()]


def lists(answer: str, expected: Sequence[str]) -> bool:
    """Whether `answer` names all of `expected`, in any order and with any commas, and nothing else."""
    found, rest = _found(answer, expected)
    return found == len(expected) and not rest


def _found(answer: str, expected: Sequence[str]) -> tuple[int, list[str]]:
    """How many of `expected` an answer names, and the words that name none of them."""
    left = tokens(re.sub(r"(?m)^\s*(?:[-*\u2022]|\d{1,2}[.)])\s+", " ", answer))
    found = 0
    for member in sorted(map(tokens, expected), key=len, reverse=True):
        places = [n for n in range(len(left) - len(member) + 1) if left[n : n + len(member)] == member]
        if places:
            found += 1
            left[places[0] : places[0] + len(member)] = [""]  # what is taken out must not join its neighbours
    return found, [word for word in left if word not in {"", "and"}]


def set_f1(answer: str, expected: Sequence[str]) -> float:
    """F1 of the members that `answer` names; what stands between separators and is none of them counts as one more."""
    found, rest = _found(answer, expected)
    said = max(found + bool(rest), len([part for part in _BETWEEN.split(answer) if part.strip()]) if rest else 0)
    return 2 * found / (said + len(expected)) if found else 0.0


def f1(answer: str, references: Sequence[str]) -> float:
    """Token F1 with the best-matching reference (SQuAD's measure)."""
    return max((_f1(tokens(answer), tokens(reference)) for reference in references), default=0.0)


def _f1(said: list[str], expected: list[str]) -> float:
    common = sum((Counter(said) & Counter(expected)).values())
    return 2 * common / (len(said) + len(expected)) if common else 0.0


def contains_answer(text: str, answer: str) -> bool:
    """Whether the words of `answer` stand in `text`, in order and next to each other."""
    words = tokens(answer)
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(tokens(text))} "


_ABSTAINING = re.compile(
    r"^(?:n/?a|none|unknown|not (?:known|found|available|specified|stated)|no (?:answer|information|data)\b.*"
    r"|(?:i|we) (?:do not|don['\u2019]t|can(?:not|['\u2019]t)|could(?: not|n['\u2019]t))\b.*"
    r"|(?:i|we) (?:am|are|was|were) (?:unable|not able)\b.*"
    r"|(?:it )?(?:is )?(?:can ?not|could not) be (?:determined|answered|found)\b.*"
    r"|(?:there is )?(?:not enough|insufficient|no) (?:information|evidence)\b.*"
    r"|unable to\b.*|\u4e0d\u77e5\u9053|\u65e0\u6cd5\u786e\u5b9a|\u672a\u77e5)\W*$",
    re.IGNORECASE | re.DOTALL,
)


def abstains(answer: str) -> bool:
    """Whether an answer says no more than that there is none."""
    return bool(_ABSTAINING.match(answer.strip()))


def same(task: Task, one: str, other: str) -> bool:
    """Whether two answers to a task say the same, as its grader compares: members of lists in any order."""
    if task.answer_type == "list":
        first, second = (Counter(word for word in tokens(text) if word != "and") for text in (one, other))
        return first == second
    return bool(exact(one, [other], task.tolerance))


def grade(task: Task, trajectory: Trajectory) -> Reward:
    """Grade one trajectory: exact match is its value, F1 (of words, or of the members of a list) stands beside it.

    A trajectory that failed through no fault of the model's gets no grade at all; one without an answer gets 0.
    """
    if trajectory.stop is Stop.FAILED or not task.answers:
        return Reward()
    answer = trajectory.answer or ""
    if task.answer_type == "list":
        right = float(any(lists(answer, members(reference)) for reference in task.answers))
        near = max(set_f1(answer, members(reference)) for reference in task.answers)
    else:
        right, near = exact(answer, task.answers, task.tolerance), f1(answer, task.answers)
    parts = {"exact": right, "f1": near}
    return Reward(value=parts["exact"], parts=parts)
