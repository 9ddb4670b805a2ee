"""What one cell or one stated value says: a number with its unit, a year, a date, a name; or nothing to build on.

Whatever can be read in two ways (03/04/2001, 1.234, 10-12, c. 1850, "5 (3)") is `odd`: no task is made from it.
"""

import re
import unicodedata
from typing import Literal, NamedTuple

from lite.dates import read_date
from lite.index.text import links, plain

Kind = Literal["empty", "number", "year", "date", "rank", "text", "several", "odd"]

_EMPTY = re.compile(
    r"[\s\-\u2010-\u2015\u2212.*/]*|n/?a|pass|reports?|details|links?|none|nil|various|several|multiple|same|tb[acd]|unknown|unk\.?|vacant|[x\u2713\u2714?]",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"\s*\[(?:\d{1,3}|[a-z]{1,2}|[A-Z]|(?:note|nb|n|fn|lower-alpha) ?\d{1,2}|citation needed)\]", re.IGNORECASE
)
_MARK = re.compile(r"\s*[†‡§¶*^#♦♠♣♥★☆●○◊◆■□▲△▼]+$")
_MARKUP = re.compile(
    r"align ?=|style ?=|span ?=|width ?=|\{\{|\}\}|<[a-z/]|&[a-z]+;|\bscope ?=|\\|\uFFFD|\||^/|/$", re.IGNORECASE
)
# "at Dallas Cowboys" is where they were played, "Fort Sherman - Closed" and "X, former Y" are more than names.
_MORE = re.compile(
    r"(?:at|vs\.?|v\.?|versus|@) [A-Z]|.+(?: [-\u2013] |, )(?i:closed|defunct|demolished|retired|deceased|cancell?ed|"
    r"abandoned|destroyed|disused|proposed|planned|under construction|former(?:ly)?|previously|now|also|later|aka)\b"
)
_NUMBER = re.compile(
    r"(?P<money>[$€£¥]|US\$|A\$|C\$|NZ\$)?\s?(?P<sign>[+-])?(?P<value>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:\s?(?P<unit>%|°[CF]?|(?:[a-zµ][a-z.]*|k[Ww]|[kMG][Hh]z|MW|GW|kWh)[²³23]?(?:[ /][a-z]+[²³]?){0,2}))?"
)
_CONVERSION = re.compile(r"\s*\((?:[\d,.]+\s?(?:[a-zµ]+[²³]?|°[CF]|sq mi|cu ft)[;,/ ]*)+\)$")
_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+|\d+,\d{1,2}|\d{1,3}(?: \d{3})+")
_YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")
_RANK = re.compile(r"(\d{1,3})(?:st|nd|rd|th)")
_SPLIT = re.compile(r";| / |\n|\s[|•·]\s|, .*, | and .* and |<br")
_HEDGE = re.compile(
    r"[?~≈<>±]|\b(?:c|ca|circa|approx|about|est|estimated|over|nearly|around|up to|more than)\b", re.IGNORECASE
)


class Value(NamedTuple):
    """A value as it can be compared. `number` is the number, year, rank, or (of a date) its ordinal day."""

    kind: Kind
    text: str
    number: float | None = None
    unit: str = ""


def clean(raw: str) -> str:
    """Markdown of a cell as plain text: links are their anchors, footnote marks are gone, spaces are single."""
    text = plain(raw).replace("\\|", "|").replace("\u00a0", " ").replace("`", "")
    text = _NOTE.sub("", text)
    return _MARK.sub("", " ".join(text.split())).lstrip("†‡§¶*^ ")


def read_value(raw: str) -> Value:
    """What `raw` (Markdown) says."""
    text = clean(raw)
    if not text or _EMPTY.fullmatch(text):
        return Value("empty", text)
    if _MARKUP.search(text) or len(text) > 300:
        return Value("odd", text)
    if _YEAR.fullmatch(text):
        return Value("year", text, float(text))
    if ranked := _RANK.fullmatch(text):
        return Value("rank", text, float(ranked[1]))
    day = read_date(text)
    if day:
        return Value("date", text, float(day.toordinal()))
    return _number(text) or _words(text, raw)


def _number(text: str) -> Value | None:
    bare = _CONVERSION.sub("", text.replace("\u2212", "-"))
    if _GROUPED.fullmatch(bare):
        return Value("odd", text)  # 1.234 and 12,5 and 1 234 mean two things
    found = _NUMBER.fullmatch(bare)
    if not found:
        return None
    value = float(found["value"].replace(",", ""))
    unit = found["unit"] or ""
    return Value("number", text, -value if found["sign"] == "-" else value, (found["money"] or "") + unit)


def _words(text: str, raw: str) -> Value:
    targets = list(links(raw))
    if len(targets) > 1 and not _place(text, targets):
        return Value("several", text)
    if _SPLIT.search(text) or (not targets and re.search(r"[a-z] (?:and|&) [A-Z]", text)):
        return Value("several", text)
    if re.search(r"\b(?:others?|etc\.?|et al\.?)$", text):
        return Value("several", text)
    if len(targets) == 1 and re.fullmatch(rf"{re.escape(targets[0][1])} [A-Z]\w+", text):
        return Value("odd", text)  # "[Genoa](...) Genova": more than the name
    letters = sum(char.isalpha() for char in text)
    if (
        letters < 2
        or 2 * letters < len(text.replace(" ", ""))
        or _HEDGE.search(text)
        or _MORE.match(text)
        or text.count("(") != text.count(")")
        or text.count('"') % 2
    ):
        return Value("odd", text)
    if re.search(r"\([^)]*\d", text) or re.match(r"[\d.,:+()\-\u2013 ]+(?:\D{0,3}$|[(\[])", text):
        return Value("odd", text)
    return Value("text", text)


def _place(text: str, targets: list[tuple[str, str]]) -> bool:
    """Whether two links are one place, as "Paris, France" is."""
    return len(targets) == 2 and text == f"{targets[0][1]}, {targets[1][1]}"


def same_text(text: str) -> str:
    """A form for comparing names: case, accents, quotes, dashes and articles do not count."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    folded = "".join(char for char in folded if not unicodedata.combining(char))
    words = re.findall(r"[^\W_]+", folded)
    return " ".join(words[1:] if len(words) > 1 and words[0] in {"the", "a", "an"} else words)


def plain_number(number: float) -> str:
    """A number as people write it, never with an exponent."""
    return f"{number:,.0f}" if number == int(number) else f"{number:,.10g}"


def phrase(text: str) -> bool:
    """Whether a value can be an answer: a name or short phrase, no sentence and no code for something else."""
    return 1 < len(text) <= 60 and len(text.split()) <= 7 and not re.search(r"[:;=?!\[\]{}<>|]|\.\s|https?:", text)
