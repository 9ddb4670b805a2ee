"""How text becomes terms and passages. Index, queries, snippets and visits all use these rules, so that they agree.

Terms: runs of letters and digits are words, lower-cased, accents and points folded, English stems by Porter. Scripts
written without spaces (Chinese, Japanese kana, Thai and its neighbours) become overlapping pairs of characters:
measured best on Chinese questions, and no dictionary has to be loaded. Traditional characters count as their
simplified forms (`chinese.txt`, by OpenCC), so that a question in either script finds pages in both; what is shown
stays as it is written.
"""

# ruff: noqa: RUF001  # Chinese punctuation and typographic quotes are meant

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from lite.index.scripts import FOLDING, INDIC, MARKED, UNSPACED

_WORD = re.compile(rf"[{UNSPACED}]+|(?:[^\W_{UNSPACED}]|[{INDIC}])+")
_SPACED_WORD = re.compile(r"[^\W_]+")
_LONG = 160  # bytes of UTF-8, from which on a word is none: 40 of the widest letters
_BLANKED = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))
_UNSPACED_CHAR = re.compile(rf"[{UNSPACED}]")
FINE_PART = re.compile(rf"\W*(?:[{UNSPACED}]|[^\W{UNSPACED}]+)")  # a word or an unspaced character, and what is before

# Words that carry no topic. Only ever dropped from queries: the index keeps them.
STOPWORDS = frozenset(
    """a about after all also an and any are as at be because been before being between both but by can could did do
    does doing during each for from further had has have having he her here hers him his how i if in into is it its
    just me more most my no nor not of off on once only or other our out over own same she should so some such than
    that the their them then there these they this those through to too under until up was we were what when where
    which while who whom whose why will with would you your s t""".split()  # noqa: SIM905  # a list of 130 strings would fill the screen
)


def segment(text: str) -> str:
    """`text` so that the analyzer, which cuts at all but letters and digits, finds its terms: the form index and
    queries share. ASCII is left as it is.
    """
    return text if text.isascii() else " ".join(words_of(text))


def words_of(text: str) -> list[str]:
    """Words as they are written, and pairs of unspaced characters in their simplified form, in order."""
    if text.isascii():
        return _blanked(text).decode().split()
    text = unicodedata.normalize("NFKC", text)
    if MARKED.search(text):
        text = text.translate(FOLDING)
    elif not _UNSPACED_CHAR.search(text):
        return _SPACED_WORD.findall(text)
    out: list[str] = []
    for word in _WORD.findall(text.translate(_simplified())):
        if len(word) > 1 and _UNSPACED_CHAR.match(word):
            out.extend(word[i : i + 2] for i in range(len(word) - 1))
        else:
            out.append(word)
    return out


def _blanked(text: str) -> bytes:
    """ASCII text with blanks for all but letters and digits: to split it so is three times as quick as a pattern."""
    return text.encode().translate(_BLANKED)


@cache
def _simplified() -> dict[int, int]:
    """Traditional Chinese characters -> their simplified forms, each one character."""
    traditional, simplified = Path(__file__).with_name("chinese.txt").read_text(encoding="utf-8").split()
    return str.maketrans(traditional, simplified)


def simplified(text: str) -> str:
    """`text` with its traditional characters simplified, as long as before."""
    return text if text.isascii() else text.translate(_simplified())


def apart(text: str) -> str:
    """`text` with a space on both sides of every unspaced character."""
    return text if text.isascii() else _UNSPACED_CHAR.sub(r" \g<0> ", text)


def is_lone(term: str) -> bool:
    """Whether a term is a single unspaced character, which texts mostly have in pairs only."""
    return len(term) == 1 and bool(_UNSPACED_CHAR.match(term))


def words(text: str) -> int:
    """How many words a reader has to take in: the parts of an address count, two unspaced characters make one."""
    if text.isascii():
        return len(_blanked(text).split())
    unspaced = len(_UNSPACED_CHAR.findall(text))
    return len(_WORD.findall(_UNSPACED_CHAR.sub(" ", text) if unspaced else text)) + (unspaced + 1) // 2


@cache
def analyzer() -> Any:
    """Tantivy's analyzer for segmented text; the same object serves the index and `terms`."""
    import tantivy

    steps = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (steps.remove_long(_LONG), steps.lowercase(), steps.ascii_fold(), steps.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()


class _Stems(dict[str, str]):
    """word -> stem, "" for what the analyzer drops; filled as words are met."""

    def __missing__(self, word: str) -> str:
        stem = self[word] = "".join(analyzer().analyze(word))
        return stem


_STEMS_LIMIT = 200_000
_stems = _Stems()


def terms(text: str) -> list[str]:
    """The index terms of `text`, in order, repeats kept."""
    return stems(words_of(text))


def terms_each(texts: Iterable[str]) -> list[list[str]]:
    """`terms` of each text, which is quicker for all of them together."""
    found = [words_of(text) for text in texts]
    every = stems_of(list(chain.from_iterable(found)))
    out = []
    end = 0
    for each in found:
        start, end = end, end + len(each)
        out.append(every[start:end])
    return [[stem for stem in each if stem] for each in out] if "" in every else out


def stems(found: list[str]) -> list[str]:
    """What the analyzer makes of words: its terms, without the words it drops."""
    out = stems_of(found)
    return [stem for stem in out if stem] if "" in out else out


def stems_of(found: Sequence[str]) -> list[str]:
    """The stem of each word, "" for those that the analyzer drops."""
    global _stems  # noqa: PLW0603  # another thread may be reading the full one: it is left to it, not emptied
    if len(_stems) > _STEMS_LIMIT:
        _stems = _Stems()
    return list(map(_stems.__getitem__, found))


# ---------------------------------------------------------------- passages


class Passage(NamedTuple):
    """A piece of a page that can be shown by itself; `text` is the page's own Markdown."""

    text: str
    kind: str = "text"  # text, list, code or row
    heading: str = ""  # titles of the sections around it, outermost first, joined by " > "
    header: str = ""  # of a row: the table's header row


PASSAGE_WORDS = 60
_FULL = 6 * PASSAGE_WORDS  # characters
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_FENCE = re.compile(r"\s*(```|~~~)")
_RULE = re.compile(r"\|?[\s:|-]*-[\s:|-]*\|?$")
_SENTENCE = re.compile(r"[.!?。！？；](?:(?<=[。！？；])[”’」』）]*|[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\Wa-z_]))")
_ABBREVIATED = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z]|Mr|Mrs|Ms|Dr|St|Sr|Jr|Prof|Gen|Col|Lt|Sgt|Rev|No|Nos|vs|ca|cf|e\.g|i\.e|etc|approx|Inc"
    r"|Co|Corp|Ltd|Mt|Ft|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)\.$"
)
_LOOK = 12  # characters before the end of a sentence, among which an abbreviation is looked for


def sentences(text: str) -> list[str]:
    """`text` cut after sentences; initials and common abbreviations do not end one."""
    out: list[str] = []
    start = 0
    for gap in _SENTENCE.finditer(text):
        end = gap.start() + len(gap[0].rstrip())
        # A bounded look back: to cut out the whole piece at each of a thousand initials would take their square.
        if not _ABBREVIATED.search(text[max(start, end - _LOOK) : end]):
            out.append(text[start:end].lstrip())
            start = gap.end()
    rest = text[start:].strip()
    return [*out, rest] if rest else out


def passages(text: str) -> list[Passage]:
    """`text` (Markdown) in reading order as passages of about `PASSAGE_WORDS` words.

    Each keeps the headings above it. Paragraphs are cut between sentences, list items are grouped, a fenced block
    stays whole, and every row of a table is a passage that knows its header row.
    """
    if _size(text) <= _FULL and len(text.splitlines()) == 1 and _kind(text, "") == "text":
        return [Passage(text.strip())]  # as most pages of a world of short ones
    out: list[Passage] = []
    path: list[tuple[int, str]] = []
    bare = False  # whether the innermost heading has nothing under it yet
    for kind, lines in _blocks(text):
        if kind == "heading":
            mark = _HEADING.match(lines[0])
            level, title = (len(mark[1]), mark[2]) if mark else (1, lines[0])
            if bare and level <= path[-1][0]:
                out.append(Passage(path[-1][1], heading=_joined(path[:-1])))
            path = [*(part for part in path if part[0] < level), (level, title)]
            bare = bool(title)
            continue
        bare = False
        heading = _joined(path)
        if kind == "table":
            out.extend(_rows(lines, heading))
        elif kind == "code":
            out.append(Passage("\n".join(lines), "code", heading))
        elif kind == "list":
            out.extend(Passage(part, "list", heading) for part in _packed(_items(lines), "\n"))
        else:
            paragraph = " ".join(line.strip() for line in lines)
            pieces = (piece for sentence in sentences(paragraph) for piece in _bounded(sentence))
            joint = "" if _UNSPACED_CHAR.search(paragraph[-1:] + paragraph[:1]) else " "
            out.extend(Passage(part, "text", heading) for part in _packed(pieces, joint))
    if bare:
        out.append(Passage(path[-1][1], heading=_joined(path[:-1])))
    return out


def _joined(path: list[tuple[int, str]]) -> str:
    return " > ".join(title for _, title in path if title)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Runs of lines of one kind: heading, table, list, code or text."""
    block: list[str] = []
    kind = ""
    fence = ""
    for line in text.splitlines():
        if fence:
            block.append(line)
            if line.strip().startswith(fence):
                yield "code", block
                block, kind, fence = [], "", ""
            continue
        found = _kind(line, kind)
        if block and (found != kind or kind == "heading"):
            yield kind, block
            block = []
        kind = found
        if kind:
            block.append(line)
        if kind == "code":
            fence = line.strip()[:3]
    if block:
        yield kind, block


def _kind(line: str, before: str) -> str:
    if not line.strip():
        return ""
    if _FENCE.match(line):
        return "code"
    if line.startswith("#") and _HEADING.match(line):
        return "heading"
    if line.lstrip().startswith("|"):
        return "table"
    if _ITEM.match(line) or (before == "list" and line[:1] in " \t"):
        return "list"
    return "text"


def _rows(lines: list[str], heading: str) -> Iterator[Passage]:
    lines = [line.strip() for line in lines]
    header = ""
    if len(lines) > 1 and _RULE.match(lines[1]):
        header, lines = lines[0], lines[2:]
    rows = [Passage(line, "row", heading, header) for line in lines if line.strip("| \t-:")]
    yield from rows or ([Passage(header, "row", heading)] if header.strip("| \t-:") else [])


def items(text: str) -> list[str]:
    """The items of a list without their marks."""
    return [_ITEM.sub("", item, count=1) for item in _items(text.splitlines())]


def _items(lines: list[str]) -> Iterator[str]:
    """List items with the lines that continue them."""
    item: list[str] = []
    for line in lines:
        if _ITEM.match(line) and item:
            yield "\n".join(item)
            item = []
        item.append(line.rstrip())
    if item:
        yield "\n".join(item)


def _bounded(sentence: str) -> Iterator[str]:
    """A sentence as long as three passages (a page without punctuation) is cut, between words where it has any."""
    if _size(sentence) <= 3 * _FULL:
        yield sentence
    elif sentence.count(" ") * 20 > len(sentence):
        parts = sentence.split()
        yield from (" ".join(parts[i : i + PASSAGE_WORDS]) for i in range(0, len(parts), PASSAGE_WORDS))
    else:
        yield from (sentence[i : i + 2 * PASSAGE_WORDS] for i in range(0, len(sentence), 2 * PASSAGE_WORDS))


def _packed(pieces: Iterable[str], joint: str) -> Iterator[str]:
    """Pieces joined while they make no more than a passage."""
    held: list[str] = []
    room = _FULL
    for piece in pieces:
        size = _size(piece)
        if held and size > room:
            yield joint.join(held)
            held, room = [], _FULL
        held.append(piece)
        room -= size
    if held:
        yield joint.join(held)


def _size(text: str) -> int:
    """Length in characters, an unspaced one counting for three: a quick measure of words."""
    return len(text) if text.isascii() else len(text) + 2 * len(_UNSPACED_CHAR.findall(text))


# ---------------------------------------------------------------- links

# Possessive quantifiers, and no piece that two alternatives could take: a page of ten thousand open brackets costs no
# more than it is long. One pair of brackets may stand in an anchor, one pair of parentheses in a target.
_LINK = re.compile(
    r"(!?)\[([^\[\]\n]*+(?:\[[^\[\]\n]*+\][^\[\]\n]*+)*+)\]"
    r"\(\s*+<?((?=[^\s)>])[^()\s<>]*+(?:\([^()\s]*+\)[^()\s<>]*+)*+)>?(?:\s[^()\n]{0,200}+)?\)"
)


# Code as it is, or what stands in bold: after a digit, a letter or a bracket two stars are a power. The group is not
# possessive, and need not be, as no two stars are in it: with a lookahead Debian's Python 3.11.2 then finds nothing.
_BOLD = re.compile(
    r"^[ ]{0,3}```(?s:.*?)^[ ]{0,3}```|`[^`\n]++`|(?<![A-Za-z0-9)\]])\*\*(?!\s)((?:[^*\n]|\*(?!\*))+)(?<!\s)\*\*",
    re.MULTILINE,
)


def links(text: str) -> Iterator[tuple[str, str]]:
    """(target, anchor) of every Markdown link of `text` that is not an image, in order."""
    if "](" in text:
        yield from ((target, anchor) for image, anchor, target in _LINK.findall(text) if not image)


def plain(text: str) -> str:
    """`text` with Markdown links replaced by their anchors, images by their descriptions, and no bold; powers stay."""
    for _ in range(2):  # an image may be what a link shows
        text = _LINK.sub(r"\2", text) if "](" in text else text
    return _BOLD.sub(lambda found: found[1] or found[0], text) if "**" in text else text
