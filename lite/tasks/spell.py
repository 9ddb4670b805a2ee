"""The right spellings of an answer: a date in its orders, a number with its unit, a name and that of its page."""

import re
from datetime import date

from lite.dates import MONTHS
from lite.tasks.derive import Answer, Item, Node, Underivable
from lite.tasks.ground import Ground
from lite.tasks.statements import bare_name
from lite.tasks.values import plain_number, same_text

_MONEY = re.compile(r"(?:US|A|C|NZ)?([$€£¥])")


def answer_type(node: Node, found: Answer) -> str:
    """What kind of answer a derivation gives: list, number, date or name."""
    if node["op"] == "list":
        return "list"
    if found.number is not None:
        return "number"
    kind = found.items[0].value.kind if found.items else "text"
    return {"number": "number", "year": "date", "date": "date"}.get(kind, "name")


def spellings(node: Node, found: Answer, ground: Ground, unit: str) -> tuple[str, ...]:
    """Accepted spellings, the plainest first; none where there is no single answer."""
    try:
        if node["op"] == "list":
            return ("; ".join(sorted((item.text for item in found.items), key=same_text)),) if found.items else ()
        if found.number is not None:
            return _number(found.number, found.unit or unit, rounded=node["op"] in {"mean", "ratio"})
        return _item(found.one(), ground, unit)
    except Underivable:
        return ()


def _number(number: float, unit: str, *, rounded: bool) -> tuple[str, ...]:
    digits = f"{number:,.2f}".rstrip("0").rstrip(".") if rounded else plain_number(number)
    return _united(digits, unit) if unit else (digits,)


def _united(digits: str, unit: str) -> tuple[str, ...]:
    """A number with its unit, and without: "12%", "12 km", "US$12 million"; of a dollar that is named also "$12"."""
    money = _MONEY.match(unit)
    if money is None:
        return (f"{digits}{'' if unit == '%' else ' '}{unit}", digits)
    scale = f" {unit[money.end() :]}" if unit[money.end() :] else ""
    return tuple(dict.fromkeys((f"{money[0]}{digits}{scale}", f"{money[1]}{digits}{scale}", digits)))


def _item(item: Item, ground: Ground, unit: str) -> tuple[str, ...]:
    value = item.value
    if value.kind == "date" and value.number is not None:
        day = date.fromordinal(int(value.number))
        month = MONTHS[day.month - 1].capitalize()
        forms = (value.text, f"{month} {day.day}, {day.year}", f"{day.day} {month} {day.year}", day.isoformat())
        return tuple(dict.fromkeys(forms))
    if value.kind == "number" and value.number is not None and not value.unit and unit:
        return _united(value.text, unit)
    if value.kind == "number" and (money := _MONEY.match(value.text)):
        return tuple(dict.fromkeys((value.text, money[1] + value.text[money.end() :])))
    if value.kind == "text" and item.link:
        name = bare_name(ground.title_of(item.link))
        rest = same_text(value.text).removeprefix(f"{same_text(name)} ")
        if name and rest != same_text(value.text) and ground.names_a_page(rest):
            return ()  # "China Mongolia", linked to China: two, of which one is meant, or both
        words = set(same_text(name).split()), set(same_text(value.text).split())
        nested = words[0] <= words[1] or words[1] <= words[0]
        if nested and len(words[0] ^ words[1]) <= 2 and not any(word.isdigit() for word in words[0] ^ words[1]):
            return tuple(dict.fromkeys((value.text, name)))
    return (value.text,)
