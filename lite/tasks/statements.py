"""What a page states of its own subject: key-value lines, property tables, and the patterned part of its first lines.

A relation that the lead gives two values for is left out; so is whatever only looks like the pattern.
"""

# ruff: noqa: E501, RUF001  # a pattern is read whole, and typographic quotes are meant

import re
from collections.abc import Iterator
from typing import NamedTuple

from lite.dates import read_date
from lite.index.text import links, sentences
from lite.tasks.chinese import chinese_statements, is_chinese
from lite.tasks.tables import Table
from lite.tasks.values import Value, clean, read_value

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DAY = rf"(?:{_MONTH} \d{{1,2}}, \d{{4}}|\d{{1,2}} {_MONTH} \d{{4}})"
_WHEN = rf"{_DAY}|\d{{4}}"
# A name: capitalised words, with the small words that stand between them.
_WORD = r"(?:(?:[A-Z]\.)+|[A-Z][\w'’.\-]*[\w'’])"
_NAME = rf"{_WORD}(?: (?:of |the |de |da |del |von |van |der |la |le |di |du )*{_WORD}){{0,5}}"
_END = r"(?=[,.;)]| (?:in|on|at|as|for|from|with|and was|and starring|who|which|that|is|was|starring|released)\b|$)"
# What is said of somebody before the name, "American singer "; what begins another phrase, or joins two names, is no
# part of it: "Prince from the album Purple Rain", "Madonna and Justin Timberlake", "Daphne du Maurier".
_NO_ROLE = r"(?:and|or|with|feat|featuring|ft|vs|of|the|de|da|del|von|van|der|la|le|di|du|from|for|in|on|at|to|by|about|as|is|was|[a-z]+ed)\b"
_OF_ROLE = rf"(?:(?!{_NO_ROLE})[a-z-]+ )+"
_ROLE = rf"(?:(?:the |an? )?(?:{_WORD} )?{_OF_ROLE}(?:and {_OF_ROLE})?)?(?:the )?"
_LEAD = 900  # characters of a page's opening that are looked at
_VERBS = "founded|established|formed|incorporated|built|constructed|opened|completed|launched|created"

_FIRST = {  # relation -> pattern, looked for in the first sentence only
    "born": rf"\((?:[^()]{{0,90}}[;,] )?born (?:on )?(?P<v>{_WHEN})\b",
    "lived": rf"\((?:[^()]{{0,60}}[;,] )?(?P<v>{_DAY}) ?[-\u2013] ?(?P<w>{_DAY})\) (?:was|is)\b",
    "director": rf"\b(?:film|movie|series|documentary|comedy|drama|thriller|western|short)\b[^.;]{{0,60}}?\b"
    rf"directed by (?P<v>{_NAME}){_END}",
    "year of release": r" is an? (?P<v>1[89]\d\d|20\d\d) (?:[\w'-]+ ){0,6}?(?:film|movie|album|song|novel|video game|single|book)\b",
    "author": rf" is an? [^.;,]{{0,60}}?\b(?:novel|book|play|novella|poem)(?: written)? by {_ROLE}(?P<v>{_NAME}){_END}",
    "artist": rf" is (?:an?|the) [^.;]{{0,80}}?\b(?:album|song|single|EP|track) (?:recorded )?by {_ROLE}(?P<v>{_NAME}){_END}",
    "county": rf" is an? [^.(]{{0,60}}? in (?:[a-z]+ )?(?P<v>{_WORD}(?: {_WORD}){{0,2}} County), ",
    "district": rf" is an? (?:village|town|city|suburb|municipality|settlement)[^.(]{{0,20}}? in (?:the )?(?P<v>{_WORD}(?: {_WORD}){{0,2}} District)\b",
    "base": rf" is an? [^.()]{{0,80}}?\b(?:club|company|team|band|organi[sz]ation|airline|university|magazine|newspaper|label)\b[^.()]{{0,30}}? "
    rf"based in (?P<v>{_NAME}(?:, {_NAME})?)(?=[,.;]| (?:and|that|which|in)\b|$)",
}
_ANYWHERE = {  # in the first sentences, where the page's subject is the sentence's
    "opened": rf"(?:was|were) (?P<verb>{_VERBS}) (?:on|in) (?P<v>{_DAY}|(?:{_MONTH} )?\d{{4}})(?=[.,;]| (?:by|and|as|in|at)\b|$)",
    "listed": r"(?:listed on|added to) the (?:U\.?S\.? )?National Register of Historic Places (?:in|on) (?P<v>"
    + _DAY
    + r"|\d{4})",
    "college": rf"played college (?P<verb>football|basketball|baseball|soccer|hockey) (?:at|for) (?:the )?(?P<v>{_NAME})(?=[.,;]|$)",
    "population": r"population (?:was|of|is) (?P<v>\d{1,3}(?:,\d{3})+|\d{2,6}) (?:at|in|as of|according to|by) the (?P<verb>\d{4}) census",
    "birthplace": rf"\b[Bb]orn in (?P<v>{_NAME}(?:, {_NAME}){{0,2}})(?=[.;]|, (?:he|she|and)\b| and\b|$)",
}
_PATTERNS = {name: re.compile(pattern) for name, pattern in (_FIRST | _ANYWHERE).items()}
# What follows a value that is one of several: other dates, names, places (", France" only says where Paris is); and
# what shows that a name goes on.
_OTHER_DATE = re.compile(rf"\?| ?[/\u2013-] ?\d|,? \(?or\b|,?(?: and)? (?:\d{{4}}\b|{_DAY}|{_MONTH} \d)")
_NAMED = r"(?: the)? (?!(?:It|He|She|They)\b)[A-Z]"
_OTHER_NAME = re.compile(rf"(?:,|,? (?:and|or|&|with|featuring|feat\.?|ft\.?|vs\.?)| in){_NAMED}")
_OTHER_PLACE = re.compile(rf"(?:, {_NAME})*,? (?:and|or|&){_NAMED}")
_CUT = re.compile(r"\.\W*[A-Z\d]")
_DATES = {"born", "opened", "listed", "year of release"}
_NAMES = {"director", "author", "artist", "college"}
_PLACES = {"base", "birthplace"}
_SUBJECT = re.compile(r"(?:It|He|She|They|The [a-z]+(?: [a-z]+)?|Born)\b")
_PART = re.compile(r"The ([a-z' -]+?) (?:was|were)\b")
# What the first sentence says that the subject is: "is a Gothic parish church in" is a church.
_IS = re.compile(
    r"\b(?:is|was|are|were) (?:an?|the|one of the)((?: (?!(?:in|of|on|at|by|for|from|with|near|that|which|who|where|and)\b|[a-z]+ed (?:in|by|on|at|as|to)\b)[\w'’-]+)+)"
)
# What "the population" of a sentence may be that of, beside or instead of the page's subject.
_WIDER = re.compile(r"\b(?:ward|area|region|metropolitan|urban|suburban|agglomeration|surrounding|combined)\b")
_PROPERTY = {"value", "figure", "entry", "data", "detail"}
_LINE = re.compile(r"^[ \t]*[-*+]?[ \t]*\*\*([^*\n]{2,60}?)(?::\*\*|\*\*:)[ \t]+(\S[^\n]*?)[ \t]*$", re.MULTILINE)


class Statement(NamedTuple):
    """`relation` of the page's subject is `value`; `start` and `end` are its place in the page's text."""

    relation: str
    value: Value
    link: str
    start: int
    end: int


def subject_of(title: str, text: str) -> str:
    """What a page is about: its first heading, else its title."""
    top = re.match(r"\s*#\s+(.+?)\s*#*\s*(?:\n|$)", text)
    return clean(top[1]) if top else title


def bare_name(name: str) -> str:
    """A name without what tells it from others ("Mercury (planet)") or says what kind of page it is ("Fiji: data sheet")."""
    name = re.sub(r":\s+[a-z][a-z ,]+$", "", name)
    return re.sub(r"\s*\([^()]*\)$", "", name).strip() or name


def read_statements(text: str, subject: str, tables: list[Table]) -> list[Statement]:
    """What the page states of its `subject`, each relation once."""
    if is_chinese(text):
        found = [
            Statement(relation, Value("several" if kind == "several" else "text", said), "", place, place + len(said))
            for relation, kind, said, place in chinese_statements(text, subject)
        ]
    else:
        found = [*_lines(text), *_properties(tables), *_prose(text, subject)]
    values: dict[str, set[str]] = {}
    for one in found:
        values.setdefault(one.relation, set()).add(one.value.text)
    first: dict[str, Statement] = {}
    for one in found:
        if len(values[one.relation]) == 1:
            first.setdefault(one.relation, one)
    return list(first.values())


def _lines(text: str) -> Iterator[Statement]:
    for line in _LINE.finditer(text):
        targets = list(links(line[2]))
        value = read_value(line[2])
        if value.kind not in {"empty", "odd", "several"}:
            link = targets[0][0] if len(targets) == 1 else ""
            yield Statement(clean(line[1]).rstrip(":"), value, link, line.start(2), line.end(2))


def _properties(tables: list[Table]) -> Iterator[Statement]:
    for table in tables:
        if len(table.header) == 2 and table.header[1].lower() in _PROPERTY:
            for key, cell in table.rows:
                if key.value.kind == "text" and cell.value.kind not in {"empty", "odd", "several"}:
                    yield Statement(key.text, cell.value, cell.link, cell.start, cell.end)


def _prose(text: str, subject: str) -> Iterator[Statement]:
    start = _opening(text)
    lead = text[start : start + _LEAD].partition("\n\n")[0]
    if "](" in lead or "**" in lead or subject.startswith(("List of ", "Lists of ")):
        return  # places in marked-up text are those of the Markdown: the patterns are for plain leads
    place = 0
    name = bare_name(subject)
    called = [name.rpartition(" ")[2], *(found[1].split()[-1] for found in _IS.finditer(lead.partition(". ")[0]))]
    called = {one for word in called for one in (word.lower(), word.lower().removesuffix("s"))}
    for number, sentence in enumerate(sentences(lead)[:5]):
        place = lead.find(sentence, place)
        about = number == 0 or sentence.startswith(name) or _SUBJECT.match(sentence)
        for relation, pattern in _PATTERNS.items():
            if (relation in _FIRST and number > 0) or not about:
                continue
            found = pattern.search(sentence)
            part = _PART.match(sentence) if relation == "opened" and not sentence.startswith(name) else None
            if part and part[1].split()[-1] not in called:
                continue  # "The tower was opened in 1950" says nothing of the cathedral
            if found and not _of_another(relation, sentence[: found.start()]) and _whole(relation, found):
                yield from _said(relation, found, start + place)
        place += len(sentence)


def _of_another(relation: str, before: str) -> bool:
    """Whether what comes `before` shows that something else than the page's subject is meant."""
    if relation in {"born", "lived"}:
        return bool(re.search(r"\b(?:is|are|was|were)\b", before))  # "X is a band of Ann (born 1970) and Bob"
    return relation == "population" and bool(_WIDER.search(before))


def _whole(relation: str, found: re.Match[str]) -> bool:
    """Whether the value is all there is: "1975 or 1976", "Paris and London" and the J.K of "J.K. Rowling" are not."""
    after = found.string[found.end("v") :]
    if relation in _DATES:
        return not _OTHER_DATE.match(after)
    if relation in _NAMES | _PLACES:
        initial = re.search(r"\b[A-Z]\.$", (found["v"] + after[:1]).rstrip(" ,"))
        others = _OTHER_PLACE if relation in _PLACES else _OTHER_NAME
        return not (initial or _CUT.match(after) or others.match(after))
    return True


def _said(relation: str, found: re.Match[str], base: int) -> Iterator[Statement]:
    parts = [(relation, "v")]
    if relation == "lived":
        parts = [("born", "v"), ("died", "w")]
    elif relation == "opened":
        parts = [(found["verb"], "v")]
    elif relation == "college":
        parts = [(f"college {found['verb']}", "v")]
    elif relation == "population":
        parts = [(f"population at the {found['verb']} census", "v")]
    for name, group in parts:
        said = found[group]
        value = read_value(said)
        if name in {"born", "died"} and value.kind == "date" and not read_date(said):
            continue
        if value.kind in {"text", "date", "year", "number"} or (
            value.kind == "several" and name in {"base", "birthplace"}
        ):
            value = value._replace(kind="text") if value.kind == "several" else value
            if len(said) < 3 or re.search(r"-(?:born|based|American)\b", said):
                continue  # "Iranian-born Babak Anvari"
            yield Statement(name, value, "", base + found.start(group), base + found.end(group))


def _opening(text: str) -> int:
    """Where the first paragraph begins, headings passed over."""
    place = 0
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            return place
        place += len(line)
    return place
