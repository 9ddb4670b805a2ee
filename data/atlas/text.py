"""Markdown and English: links, tables, numbers, lists, and one of several wordings by key."""

import zlib
from collections.abc import Iterable, Sequence
from typing import TypedDict

from .model import Zone

T = "https://{}.atlas.test"
ENCYCLOPEDIA = T.format("encyclopedia")
GAZETTEER = T.format("gazetteer")
STATISTICS = T.format("statistics")
ALMANAC = T.format("almanac")
HANDBOOK = T.format("handbook")


MINUS = "\u2212"
DASH = "\u2013"  # in a table cell: not known


class Page(TypedDict):
    """One line of the atlas, in the flat layout of the released LiteResearcher corpus."""

    url: str
    title: str
    doc: str


def page(url: str, title: str, *parts: str) -> Page:
    """A page whose text is the non-empty parts, a blank line between them."""
    return {"url": url, "title": title, "doc": "\n\n".join(p for p in parts if p) + "\n"}


def link(text: str, url: str) -> str:
    """A Markdown link."""
    return f"[{text}]({url})"


def choose(key: str, *wordings: str) -> str:
    """One of the wordings, always the same for the same key, whatever the machine."""
    return wordings[zlib.crc32(key.encode()) % len(wordings)]


def number(value: float) -> str:
    """`1234567.5` as `1,234,567.5`."""
    return f"{value:,}"


def degrees(lat: float, lon: float) -> str:
    """Coordinates as `48.85° N, 2.35° E`."""
    return f"{abs(lat):.2f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.2f}° {'E' if lon >= 0 else 'W'}"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Key-value lines; a value of None is left out."""
    return "\n".join(f"- **{key}:** {value}" for key, value in pairs if value is not None)


def bullets(items: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {item}" for item in items)


def offset(minutes: int) -> str:
    """Minutes east of UTC as `UTC+5:45`."""
    sign = "+" if minutes >= 0 else MINUS
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")


def clock(zone: Zone) -> str:
    """What clocks of a zone show, through the year."""
    if zone.summer is None:
        return f"{offset(zone.standard)} all year"
    return f"{offset(zone.standard)}, and {offset(zone.summer)} in summer"


def words(n: int) -> str:
    """`3` as `three`; from 13 on, digits."""
    small = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    return small[n] if n < len(small) else number(n)


def count(n: int, one: str, many: str | None = None) -> str:
    """`one airport`, `three airports`, `14 airports`."""
    return f"{words(n)} {one if n == 1 else many or one + 's'}"


def upper(text: str) -> str:
    """The first letter as a capital, the rest as it is; a link's first letter is that of its text."""
    at = 1 if text.startswith("[") else 0
    return text[:at] + text[at : at + 1].upper() + text[at + 1 :]


def rank(n: int) -> str:
    """`1st`, `2nd`, `13th`."""
    tail = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{tail}"


def temperature(celsius: float) -> str:
    """`1,538 °C`: a minus sign, not a hyphen, below zero."""
    shown = number(int(celsius)) if celsius == int(celsius) else number(celsius)
    return shown.replace("-", MINUS) + " °C"
