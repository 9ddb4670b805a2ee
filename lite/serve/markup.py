"""Page text becomes HTML that can do nothing: Markdown is rendered, HTML is shown as the text it is.

Nothing of a page's own reaches the browser as markup. Links lead to other pages of the world or nowhere; pictures are
named, not loaded; control characters, and those that turn the direction of text around, are made visible.
"""

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from lite.index.text import segment, terms

Resolve = Callable[[str], str | None]  # a link's target -> where the reader goes, None when it leads out of the world

PART = 40_000  # characters of a page that are shown at once
_DEEPEST = 40  # lists and quotations in each other
_TOO_DEEP = Markup('<p class="note">What is nested more deeply than this is left out here; the source has it.</p>')
_RUN = re.compile(r"[^\W_]+")
# C0 and C1 controls but tab and newline, and the marks that turn the direction of text around.
_CONTROLS = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
    "\N{REPLACEMENT CHARACTER}",
)


def clean(text: str) -> str:
    """`text` without the characters that could disturb what stands around it."""
    return text.translate(_CONTROLS)


def rendered(text: str, resolve: Resolve, asked: AbstractSet[str] = frozenset()) -> Markup:
    """Markdown as HTML; words whose terms are in `asked` are marked.

    Time is bounded by the length of `text`: a second for `PART` characters at their worst.
    """
    tokens = _parser().parse(clean(text.replace("\r\n", "\n")))
    too_deep = any(token.level >= _DEEPEST - 1 for token in tokens)
    _settle(tokens, resolve, asked)
    html = Markup(_parser().renderer.render(tokens, _parser().options, {}))  # noqa: S704  # made of escaped parts only
    return html + _TOO_DEEP if too_deep else html


def highlighted(text: str, asked: AbstractSet[str]) -> Markup:
    """Plain text as HTML; words whose terms are in `asked` are marked."""
    return Markup().join(
        Markup("<mark>{}</mark>").format(piece) if marked else escape(piece)
        for piece, marked in _split(clean(text), asked)
    )


# ---------------------------------------------------------------- parts of a long page


def cuts(text: str, size: int = PART) -> list[int]:
    """Where the parts of a long text begin: between paragraphs if there are any, else lines, else words."""
    starts = [0]
    while len(text) - starts[-1] > size:
        start = starts[-1]
        end = start + size
        for gap in ("\n\n", "\n", " "):
            found = text.rfind(gap, start + size // 2, end)
            if found >= 0:
                end = found + len(gap)
                break
        starts.append(end)
    return starts


def part_of(text: str, starts: list[int], number: int, *, header: bool = True) -> str:
    """The part `number` (from 1) of `text`; one that begins within a table has the table's `header` again."""
    start = starts[number - 1]
    end = starts[number] if number < len(starts) else len(text)
    return (_table_header(text, start) if header else "") + text[start:end]


def _table_header(text: str, start: int) -> str:
    if not text.startswith("|", start) or text[start - 1 : start] != "\n" or text[start - 2 : start] == "\n\n":
        return ""
    block = text.rfind("\n\n", 0, start) + 2 if "\n\n" in text[:start] else 0
    first = text.find("\n", block) + 1
    second = text.find("\n", first) + 1
    header = text[block:second]
    is_header = header.startswith("|") and not text[first:second].strip("|-: \t\n") and second <= start
    return header if is_header and len(header) < PART // 4 else ""


# ---------------------------------------------------------------- Markdown


class _Parser(MarkdownIt):
    """Targets of links stay as the page has them: they are looked up in the world, and never followed elsewhere."""

    def validateLink(self, url: str) -> bool:  # noqa: N802  # the library's name
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url


@cache
def _parser() -> MarkdownIt:
    """CommonMark with tables. Left out is what would hide or change words of plain text: HTML, indented code,
    underlined headings, link definitions.
    """
    parser = _Parser("commonmark", {"html": False, "breaks": True, "maxNesting": _DEEPEST})
    parser.enable(["table", "strikethrough"])
    return parser.disable(["code", "lheading", "reference", "html_block", "html_inline"])


def _settle(tokens: list[Token], resolve: Resolve, asked: AbstractSet[str]) -> None:
    """Change parsed Markdown in place: headings one level down, links resolved, tables in frames that scroll."""
    out: list[Token] = []
    frame = None
    for token in tokens:
        if token.type == "table_open":
            frame = Token(
                "frame", "div", 1, attrs={"class": "frame", "role": "group", "aria-label": "Table"}, block=True
            )
            frame.attrs["tabindex"] = "0"
            out.append(frame)
        elif token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        elif token.type in {"th_open", "td_open"}:
            side = str(token.attrs.pop("style", "")).rpartition(":")[2]  # an inline style: the page's policy bars those
            token.attrs |= {"class": side} if side else {}
        elif token.type == "fence":
            token.info = ""
        elif token.type == "inline":
            if token.content == "…":  # what the extract leaves out
                out[-1].attrs["class"] = "gap"
            token.children = list(_inline(token.children or [], resolve, asked))
            if frame and any(child.tag == "a" for child in token.children):
                frame.attrs.pop("tabindex", None)  # its links take the keyboard there already
        out.append(token)
        if token.type == "table_close":
            out.append(Token("frame", "div", -1, block=True))
            frame = None
    tokens[:] = out


def _inline(children: list[Token], resolve: Resolve, asked: AbstractSet[str]) -> Iterator[Token]:
    tags: list[str] = []
    for token in children:
        if token.type == "link_open":
            target = str(token.attrs.get("href", ""))
            href = resolve(target)
            token.tag = "a" if href is not None else "span"
            token.attrs = {"href": href} if href is not None else {"class": "out", "title": f"{target}: not here"}
            tags.append(token.tag)
        elif token.type == "link_close":
            token.tag = tags.pop()
        elif token.type == "image":
            token.type, token.content = "text", f"[picture: {token.content or 'without a description'}]"
        if token.type == "text" and asked:
            for piece, marked in _split(token.content, asked):
                text = Token("text", "", 0, content=piece)
                yield from ([Token("mark", "mark", 1), text, Token("mark", "mark", -1)] if marked else [text])
        else:
            yield token


# ---------------------------------------------------------------- what was asked for


def _split(text: str, asked: AbstractSet[str]) -> Iterator[tuple[str, bool]]:
    """`text` in pieces, each with whether it is one of the words asked for."""
    done = 0
    for start, end in _found(text, asked):
        if start > done:
            yield text[done:start], False
        yield text[start:end], True
        done = end
    if done < len(text):
        yield text[done:], False


def _found(text: str, asked: AbstractSet[str]) -> Iterator[tuple[int, int]]:
    """Places of the words asked for. A run without spaces (Chinese) is looked at in pairs of characters."""
    for run in _RUN.finditer(text) if asked else ():
        word, at = run[0], run.start()
        if " " not in segment(word):
            if not asked.isdisjoint(terms(word)):
                yield run.span()
            continue
        hit = [False] * len(word)
        for n in range(len(word) - 1):
            if not asked.isdisjoint(terms(word[n : n + 2])):
                hit[n] = hit[n + 1] = True
        start = None
        for n, is_hit in enumerate([*hit, False]):
            if is_hit and start is None:
                start = n
            elif not is_hit and start is not None:
                yield at + start, at + n
                start = None
