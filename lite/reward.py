"""Graders: how right is an answer? Each grade is 0 to 1; numbers are compared as numbers."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache

from lite.dates import read_date
from lite.index.text import simplified
from lite.records import Reward, Stop, Task, Trajectory

_ARTICLES = {"a", "an", "the"}
# A sign that touches the end of a word is a part of it: C++, C#, A+, O-.
_TOKEN = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*|[\u3400-\u9fff\u3040-\u30ff]"
    r"|[^\W\d_]{1,2}-(?![\w-])|[^\W_]+(?:[+#]+(?!\w))?"
)
_LETTERS = str.maketrans(  # which no accent can be taken from
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "\u0131": "i",
        "\u2212": "-",
        "♯": "#",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "&": " and ",
    }
)
_DASHES = re.compile("^[\u2010-\u2015]|\u2212|^(?:minus|negative) ", re.IGNORECASE)
_AND = {"and", "和", "与", "及", "以"}
# A number with an optional currency before and unit behind. A capitalised word behind it is a name ("12 Monkeys"),
# except in units that are written so; an s that touches it makes a decade of it.
_NUMBER = re.compile(
    r"^(?:about |c\. ?)?(?:([+-]?)(US\$|USD|EUR|GBP|JPY|[$€£¥])\s?)?"
    r"([+-]?\s?(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+)(?:\.\d+)?)(?!'?s\b)"
    r"(?:\s*((?:(?:平方)?(?:公里|千米|米)$|公尺$|公斤$|千克$|克$|[吨噸人年]$"
    r"|[a-z\u03bc%‰°]|/[a-z]|K$|[KMGT]?W|MHz|GHz|Hz|AU$|(?:US dollars?|USD|EUR|GBP|JPY)$)\S*"
    r"(?: [a-z]\S*){0,3}))?$"
)
# What stands before a number; behind another a dash makes a range.
_SIGN = re.compile(r"(^|[^\d\s]|(?<!\d)\s)([+\u2010-\u2015\u2212<>≤≥-])[$€£¥]?\s?$")
_BETWEEN = re.compile(r"[;\n\u3001\uff0c\uff1b]|, | and ")
_SCALE = {"thousand": 1e3, "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12}
# What a unit is called here, and what else it is called; each also with an s behind it.
_SPELLINGS = {
    "mm": "millimetre, millimeter",
    "cm": "centimetre, centimeter",
    "m": "metre, meter, 米, 公尺",
    "km": "kilometre, kilometer, 公里, 千米",
    "m2": "平方米",
    "km2": "平方公里, 平方千米",
    "in": "inch, inches",
    "ft": "foot, feet",
    "yd": "yard",
    "mi": "mile",
    "nmi": "nautical mile",
    "au": "AU, astronomical unit",
    "ly": "light-year, light year",
    "ha": "hectare",
    "acre": "",
    "ml": "millilitre, milliliter",
    "l": "litre, liter",
    "mg": "milligram",
    "g": "gram, 克",
    "kg": "kilogram, kilo, 公斤, 千克",
    "t": "tonne, metric ton, 吨, 噸",
    "ton": "",
    "pound": "£, gbp, lb, pound sterling",  # money or mass: a question is not about both
    "oz": "ounce",
    "K": "kelvin",
    "°c": "celsius, degree celsius, degrees celsius",
    "°f": "fahrenheit, degree fahrenheit, degrees fahrenheit",
    "°": "degree, deg",
    "ms": "millisecond",
    "s": "sec, second",
    "min": "minute",
    "h": "hr, hour",
    "day": "",
    "week": "",
    "month": "",
    "year": "yr, year old, years old, years of age, 年",
    "century": "centuries",
    "W": "watt",
    "kW": "kilowatt",
    "MW": "megawatt",
    "GW": "gigawatt",
    "Hz": "hertz",
    "kHz": "kilohertz",
    "MHz": "megahertz",
    "GHz": "gigahertz",
    "km/h": "kph, kmh",
    "mi/h": "mph",
    "knot": "kn, kt",
    "dollar": "$, us$, usd, us dollar",
    "euro": "€, eur",
    "yen": "¥, jpy",
    "%": "percent, per cent, pct",
    "‰": "per mille, permille",
    "percentage point": "pp",
    "people": "person, inhabitant, resident, 人",
}
_UNITS = {other: name for name, more in _SPELLINGS.items() for other in (name, *more.split(", ")) if other}
_LONGEST_UNIT = 60  # characters
_POWER = re.compile(r"(?:(square|sq\.?)|(cubic|cu\.?)) (.+)|(.+?)\^?([23])")
_RATE = re.compile(r"(.*?)(?:/|\bper )\s?(.+)")


def tokens(text: str) -> list[str]:
    """Words of an answer for comparison: folded case and accents, no articles or punctuation, hanzi one by one."""
    found = [token.replace(",", "") if token[0].isdigit() else token for token in _TOKEN.findall(_folded(text))]
    return [token for token in found if token not in _ARTICLES] or found


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKD", simplified(text)).casefold()
    return "".join(char for char in folded if not unicodedata.combining(char)).translate(_LETTERS)


def number(text: str) -> tuple[float, str] | None:
    """The number that `text` is, with its unit ("" if none); "3.5 million km" is (3500000.0, "km"). Else None."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text).strip().rstrip("."))
    match = _NUMBER.match(plain)
    if match is None:
        return None
    value, unit = float(match[3].replace(",", "").replace(" ", "")), match[4] or ""
    scale, _, rest = unit.partition(" ")
    value, unit = (value * _SCALE[scale], rest) if scale in _SCALE else (value, unit)
    money = _UNITS[match[2].casefold()] if match[2] else ""
    return -value if match[1] == "-" else value, f"{money} {unit}".strip()


def _measure(text: str) -> tuple[float, str] | None:
    """The number that `text` is, where its unit is one of the table."""
    found = number(text)
    return found if found and _unit(found[1]) else None


@lru_cache(4096)
def _unit(text: str) -> str | None:
    """What a unit is called in the table, whoever spells it; None for words that are no unit."""
    if len(text) > _LONGEST_UNIT:
        return None
    for name in (text, text.casefold(), text.casefold().removesuffix("s")):
        if name in _UNITS:
            return _UNITS[name]
    if match := _POWER.fullmatch(text):
        base, power = _unit(match[3] or match[4]), "2" if match[1] else "3" if match[2] else match[5]
        return base and base + power
    if match := _RATE.fullmatch(text):
        of, each = (_unit(match[1].strip()) if match[1].strip() else "people"), _unit(match[2])
        return None if of is None or each is None else f"{of}/{each}"
    return None


def exact(answer: str, references: Sequence[str], tolerance: float | None = None, *, asked: str = "") -> float:
    """1.0 if `answer` is one of `references` after normalisation, or the same number.

    A unit may be left out. One that is given must be that of a reference, where any has one; words behind a number
    that are no unit must stand in the reference, or name what was asked for ("7 countries").

    Args:
        tolerance: relative difference allowed between numbers; None: none beyond rounding of the last bits.
        asked: the question.
    """
    said, value, day = tokens(answer), number(answer) or number(answer.casefold()), read_date(answer)
    expected = [number(reference) or _measure(reference.casefold()) for reference in references]
    units = {_unit(one[1]) for one in expected if one and one[1]}
    for reference, one in zip(references, expected, strict=True):
        if value and one:  # as numbers only: their words have lost the sign
            near = abs(value[0] - one[0]) <= max(1e-9, tolerance or 0.0) * abs(one[0])
            measured = value[1] or number(reference)  # "127 Hours" may be a name: 127 alone is not it
            right = near and bool(measured) and _same_unit(value[1], one[1], units, asked)
        elif day and (meant := read_date(reference)):
            right = day == meant
        else:
            right = bool(said) and said == tokens(reference) and _same_signs(answer, reference)
        if right:
            return 1.0
    return 0.0


def _same_unit(said: str, expected: str, units: Collection[str | None], asked: str) -> bool:
    """Whether the unit of an answer will do for a reference, of which all have `units` together."""
    unit = _unit(said)
    if expected and said:
        return unit == _unit(expected) if unit else _singular(said) == _singular(expected)
    if unit is None:
        return set(_singular(said)) <= set(_singular(asked))
    return not units or unit in units


def _singular(text: str) -> list[str]:
    return [token.removesuffix("s") for token in tokens(text)]


def _same_signs(one: str, other: str) -> bool:
    """Whether numbers in two texts of the same words have the same signs. A hyphen may be one (UTC-1) or not (F-16)."""
    alike = ({"", "+"}, {"", "?"}, {"-", "?"})
    signs, others = _signs(one), _signs(other)
    return len(signs) == len(others) and all(a == b or {a, b} in alike for a, b in zip(signs, others, strict=True))


def _signs(text: str) -> list[str]:
    """The sign of each number in a text: "+", "-", "" for none, "?" for a hyphen behind a letter."""
    folded = _folded(text)
    found = []
    for token in _TOKEN.finditer(folded):
        if token[0][0].isdigit():
            sign = _SIGN.search(folded[max(0, token.start() - 5) : token.start()])
            hyphen = sign and sign[2] == "-" and (sign[1] or "").isalpha()
            more = "..." if folded[token.end() : token.end() + 1] == "+" else ""  # 50+
            found.append(("?" if hyphen else _DASHES.sub("-", sign[2]) if sign else "") + more)
    return found


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
    return found, [word for word in left if word and word not in _AND]


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
    r"^(?:n/?a|none|(?:the answer is )?(?:unknown|not known)|not (?:known|found|available|specified|stated)"
    r"|no (?:answer|information|data)\b.*"
    r"|(?:i|we) (?:do not|don['\u2019]t|can(?:not|['\u2019]t)|could(?: not|n['\u2019]t)) (?:\w+ )?"
    r"(?:know|find|determine|answer|locate|provide|give|confirm|identify|have|say|tell|verify|access|retrieve|be)\b.*"
    r"|(?:i|we) (?:am|are|was|were) (?:unable|not able)\b.*"
    r"|(?:it )?(?:is )?(?:can ?not|could not) be (?:determined|answered|found)\b.*"
    r"|(?:there is )?(?:not enough|insufficient|no) (?:information|evidence)\b.*"
    r"|unable to\b.*"
    r"|不知道|不清楚|[无無]法(?:[确確]定|回答).*|未知|(?:没有|沒有|未能?|没)[找查]到.*|[找查]不到.*|没有答案)\W*$",
    re.IGNORECASE | re.DOTALL,
)


def abstains(answer: str) -> bool:
    """Whether an answer says no more than that there is none."""
    return bool(_ABSTAINING.match(answer.strip()))


def same(task: Task, one: str, other: str) -> bool:
    """Whether two answers to a task say the same, as its grader compares: members of lists in any order."""
    if task.answer_type == "list":
        first, second = (Counter(word for word in tokens(text) if word not in _AND) for text in (one, other))
        return first == second
    return bool(exact(one, [other], task.tolerance, asked=task.question))


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
        right, near = exact(answer, task.answers, task.tolerance, asked=task.question), f1(answer, task.answers)
    parts = {"exact": right, "f1": near}
    return Reward(value=parts["exact"], parts=parts)
