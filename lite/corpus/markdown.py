"""An HTML tree becomes Markdown: blocks, lists, headings and links here, tables in `tables.py`.

The walk keeps its own stack, so that no nesting raises RecursionError.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urljoin

from lite.corpus import tables

Element = Any  # an lxml element; only html.py knows the library

_SPACES = re.compile(r"[^\S\n]*\n\s*|[^\S\n]+")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_POWER = re.compile(r"[-+\u2212\u2013]?\d+(?:\s*,\s*\d+)*")
_PICTURE_NAME = re.compile(r"\.(svg|png|jpe?g|gif|webp)$", re.IGNORECASE)
_ITEM = "\x1f"  # between the items of a list in a cell; no running text holds it, for it counts as white space
_ITEMS = re.compile(r"\s*\x1f\s*")
_WEB = re.compile(r"https?://[^\s/?#\[]", re.IGNORECASE)
_LABEL = str.maketrans({"[": r"\[", "]": r"\]"})
_HOME = re.compile(r"(?=.)(?:(?:https?:)?//[^/?#]+)?(?:/|(?:\.\./)+)?(?:(?:index|default|home)\.\w+)?", re.IGNORECASE)
_BREAKS = re.compile(r"[\t\r\n]")  # browsers leave them out of an address
_UNSAFE = re.compile(r"[\s|<>\\\"\x00-\x1f]")  # would end a Markdown link, or a cell

_BLOCK_TAGS = """
address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure footer form
header hgroup hr legend li main menu ol optgroup option p search section summary table tbody td tfoot th thead tr ul
caption html"""
_DROPPED_TAGS = """
script style noscript template iframe object embed applet canvas svg nav head title button input select textarea audio
video map datalist meta link rp rt rtc"""
# Class names, and ids, that mark what is not content, on MediaWiki and by convention elsewhere.
_CHROME_NAMES = """
mw-editsection editsection mw-jump-link mw-cite-backlink navbox vertical-navbox navbar catlinks printfooter sortkey
ambox geo-nondefault geo-multi-punct gutter lineno linenos #catlinks #mw-navigation #footer #jump-to-nav"""

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {*_BLOCK_TAGS.split(), *_HEADINGS}
_DROPPED = set(_DROPPED_TAGS.split())
_CHROME = set(_CHROME_NAMES.split())
_CONTENTS = {"toc", "#toc"}
_MARKS = {"reference", "noprint"}  # on a superscript only: `noprint` elsewhere hides ages and whole pages
_INLINE = {"span", "sup", "sub", "small", "a", "i", "b", "em", "strong", "abbr"}
_ROLES = {"navigation", "banner", "contentinfo", "search"}
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def has_token(value: str | None, token: str) -> bool:
    """Whether a space-separated attribute such as `class` or `rel` has `token`, in any case."""
    return value is not None and token in value.lower().split()


def words_in(element: Element | None) -> str:
    """All that an element says, on one line; nothing where there is none."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def leads_home(heading: Element) -> bool:
    """Whether a heading is the name of the site: it links to the front page."""
    links = (*heading.iter("a"), *heading.iterancestors("a"))
    return any(_HOME.fullmatch((link.get("href") or "-").strip()) for link in links)


class Links:
    """Where the links of one page lead.

    Args:
        url: the page's own address: a link to a place in the page itself becomes text.
        base: what relative links are resolved against.
        resolve: replaces an absolute address, or says with None that there is nothing to reach.
    """

    def __init__(self, url: str, base: str, resolve: Callable[[str], str | None] | None = None) -> None:
        self._page, self._base, self._resolve = url.partition("#")[0], base, resolve
        self._scheme = base.partition("/")[0]
        self._known: dict[str, str | None] = {}  # pages repeat their links

    def target(self, href: str | None) -> str | None:
        """The absolute address of a link; None when it leads nowhere a reader of the web can go."""
        if not href:
            return None
        if href not in self._known:
            self._known[href] = self._target(href)
        return self._known[href]

    def _target(self, href: str) -> str | None:
        address = self._absolute(_BREAKS.sub("", href).strip())
        if not _WEB.match(address):
            return None
        page, mark, _ = address.partition("#")
        if mark and page == self._page:
            return None
        if self._resolve:
            address = self._resolve(address)
            if address is None:
                return None
        address = _UNSAFE.sub(lambda found: quote(found.group()), address)
        if address.count("(") != address.count(")"):
            address = address.replace("(", "%28").replace(")", "%29")
        return address

    def _absolute(self, href: str) -> str:
        if not href or href[0] == "#" or _WEB.match(href):
            return href
        if href.startswith("//"):  # what urljoin does, without its cost
            return self._scheme + href
        try:
            return urljoin(self._base, href)
        except ValueError:
            return ""


class Renderer:
    """Writes one element as Markdown.

    Args:
        links: where the page's links lead.
        inline: write everything on one line, as a table cell needs it.
        depth: how many tables stand around.
        budget: characters that repeated (spanned) cells may still take, shared by the whole document.
    """

    def __init__(self, links: Links, *, inline: bool = False, depth: int = 0, budget: list[int] | None = None) -> None:
        self.links, self.inline, self.depth = links, inline, depth
        self.budget = [tables.REPEATED] if budget is None else budget
        self.blocks: list[tuple[str, bool]] = []  # text, and whether it is a list item
        self.parts: list[str] = []  # of the block being written
        self.alts: list[str] = []
        self._prefix: list[str] = []  # of each list or quotation around
        self._marker = ""  # of the list item that has no text yet
        self._numbers: list[int | None] = []  # of each list around; None: not numbered
        self._heading = 0
        self._link: tuple[str, int] | None = None  # target, and the part it began at
        self._tables = 0  # open ones that are written as blocks

    def render(self, root: Element) -> str:
        """The Markdown of `root` and all that is in it, without the text after it."""
        around: list[Element] = []
        element = root
        while True:
            if not is_dropped(element) and self._enter(element, element.tag):
                self.write(element.text)
                if (child := next(iter(element), None)) is not None:
                    around.append(element)
                    element = child
                    continue
                self._leave(element.tag)
            while element is not root:
                self.write(element.tail)
                if (after := element.getnext()) is not None:
                    element = after
                    break
                element = around.pop()
                self._leave(element.tag)
            else:
                break
        self.flush()
        if self.inline:
            return " ".join(_ITEMS.sub("; ", "".join(self.parts)).split())
        return self._joined()

    def write(self, text: str | None) -> None:
        """Running text: every run of white space is one space."""
        if text:
            text = _SPACES.sub(" ", text)
            self.parts.append(text if text.isascii() else _INVISIBLE.sub("", text))

    def flush(self) -> None:
        """End the block being written."""
        if self.inline or self._heading:
            self.parts.append(" ")
            return
        if self._link:
            self._close_link()
            self._link = self._link and (self._link[0], 0)  # one that has no text yet waits for it
        if not self.parts:
            return
        text = "\n".join(line for part in "".join(self.parts).split("\n") if (line := " ".join(part.split())))
        self.parts.clear()
        if text:
            self.block(text)

    def block(self, text: str) -> None:
        """A finished block, indented for the lists and quotations around it."""
        around = "".join(self._prefix)
        first = "".join(self._prefix[:-1]) + self._marker if self._marker else around
        self.blocks.append((first + text.replace("\n", "\n" + around), bool(self._marker)))
        self._marker = ""

    def _joined(self) -> str:
        out: list[str] = []
        item = False
        for text, is_item in self.blocks:
            out.append("\n" if item and is_item else "\n\n")
            out.append(text)
            item = is_item
        return "".join(out[1:])

    def _enter(self, element: Element, tag: str) -> bool:
        """Open `element`; False when it was written whole."""
        if tag == "table":
            return self._table(element)
        if tag == "br":
            self.parts.append(" " if self.inline or self._heading else "\n")
        elif tag == "img":
            self._image(element)
        elif tag == "pre" and not self.inline:
            self._code(element)
        elif tag == "math":
            self._formula(element)
        elif tag == "sup":
            return self._superscript(element)
        else:
            if tag in _BLOCKS:
                self._open_block(element, tag)
            elif tag == "a" and (target := self.links.target(element.get("href"))):
                self._link = target, len(self.parts)
            return True
        return False

    def _open_block(self, element: Element, tag: str) -> None:
        if self.inline and tag == "li" and element.getprevious() is not None:
            self.parts.append(_ITEM)
            return
        self.flush()
        if self.inline or self._heading:
            return
        if tag in ("ul", "ol", "menu", "dir"):
            self._numbers.append(_number(element.get("start")) if tag == "ol" else None)
        elif tag == "li":
            number = self._numbers[-1] if self._numbers else None
            if number is not None:
                self._numbers[-1] = number + 1
            self._marker = "- " if number is None else f"{number}. "
            self._prefix.append(" " * len(self._marker))
        elif tag == "blockquote":
            self._marker = ""
            self._prefix.append("> ")
        elif tag in _HEADINGS:
            self._heading = _HEADINGS[tag]

    def _leave(self, tag: str) -> None:
        if tag == "a":
            self._close_link()
            self._link = None
            return
        if tag not in _BLOCKS:
            return
        if tag == "table":
            self._tables -= 1
        if self._heading and self._heading == _HEADINGS.get(tag):
            self._end_heading()
            return
        self.flush()
        if self.inline or self._heading:
            return
        if tag in ("ul", "ol", "menu", "dir"):
            self._numbers.pop()
        elif tag in ("li", "blockquote"):
            self._prefix.pop()
            self._marker = ""

    def _end_heading(self) -> None:
        self._close_link()
        level, self._heading = self._heading, 0
        text = " ".join("".join(self.parts).split())
        self.parts.clear()
        if text:
            self.block("#" * level + " " + text)

    def _close_link(self) -> None:
        if self._link is None:
            return
        target, start = self._link
        text = "".join(self.parts[start:])
        label = " ".join(text.split())
        if not label:
            return
        before = " " if text[0].isspace() else ""
        after = " " if text[-1].isspace() else ""
        self.parts[start:] = [f"{before}[{label.translate(_LABEL)}]({target}){after}"]
        self._link = None

    def _image(self, element: Element) -> None:
        """A picture has no text, except a formula's source, and a sign that stands for the text of a cell."""
        alt = " ".join((element.get("alt") or "").split())
        names = element.get("class") or ""
        if alt and ("tex" in names.split() or "mwe-math" in names):
            self.write(f" ${alt}$ ")
        elif alt and self.inline and not _PICTURE_NAME.search(alt):
            self.alts.append(alt)

    def _formula(self, element: Element) -> None:
        source = next((a.text for a in element.iter("annotation") if "tex" in (a.get("encoding") or "")), None)
        source = source or element.get("alttext")
        self.write(f" ${source.strip()}$ " if source else words_in(element))

    def _superscript(self, element: Element) -> bool:
        """A footnote mark is left out; a power keeps its meaning on one line (10^6, km^2); else as running text."""
        if any((link.get("href") or "").startswith("#") for link in element.iter("a")):
            return False
        text = "".join(element.itertext()).strip()
        if _POWER.fullmatch(text):
            self.write("^" + text)
            return False
        return True

    def _code(self, element: Element) -> None:
        self.flush()
        pieces: list[str] = []
        for node in element.iter():
            if node.tag == "br":
                pieces.append("\n")
            pieces.append(node.text or "")
            if node is not element:
                pieces.append(node.tail or "")
        text = "".join(pieces).strip("\n").rstrip()
        if text:
            fence = "```" if "```" not in text else "~" * (max(map(len, re.findall(r"~+", text)), default=2) + 1)
            self.block(f"{fence}\n{text}\n{fence}")

    def _table(self, element: Element) -> bool:
        deep = self.depth + self._tables >= tables.DEPTH
        if deep or self._heading or (not self.inline and tables.is_layout(element)):
            self._tables += 1
            self.flush()
            return True  # its cells are written as blocks
        if self.inline:
            self.parts.append(f" {tables.flat(element, self)} ")
            return False
        self.flush()
        for text in tables.blocks(element, self):
            self.blocks.append((text, False))
        return False

    def cell(self, element: Element) -> str:
        """What one cell of a table says, on one line."""
        inner = Renderer(self.links, inline=True, depth=self.depth + 1, budget=self.budget)
        text = inner.render(element)
        return (text or " ".join(inner.alts)).replace("|", r"\|") if not self.inline else text or " ".join(inner.alts)


def is_dropped(element: Element) -> bool:
    """Whether an element is no content: scripts, navigation, controls, edit links, footnote marks, hidden spans."""
    tag = element.tag
    if not isinstance(tag, str) or (tag in _DROPPED and not (tag == "button" and _is_heading(element))):
        return True
    if not element.attrib:
        return tag in ("header", "footer") and _is_page_frame(element)
    if tag == "body":
        return False
    get = element.get
    names: set[str] = set((get("class") or "").split())
    names.add(f"#{get('id')}")
    if not _CHROME.isdisjoint(names) or (tag == "sup" and not _MARKS.isdisjoint(names)) or get("role") in _ROLES:
        return True
    if not _CONTENTS.isdisjoint(names):
        return _leads_nowhere(element)
    if tag in _INLINE and (get("hidden") is not None or _HIDDEN.search(get("style") or "")):
        return True
    return tag in ("header", "footer") and _is_page_frame(element)


def _leads_nowhere(element: Element) -> bool:
    """A table of contents repeats the headings, unless it leads to other pages."""
    return all((link.get("href") or "#").startswith("#") for link in element.iter("a"))


def _is_heading(button: Element) -> bool:
    """Whether a button is all that a heading says: what it opens stands below it."""
    heading = next((one for one in button.iterancestors() if one.tag in _HEADINGS or one.tag == "summary"), None)
    return heading is not None and words_in(heading) == words_in(button)


def _is_page_frame(element: Element) -> bool:
    """A header or footer of the page itself; inside an article or section it belongs to the content, and so does one
    with the page's heading and who wrote it when: one by which the title begins, and not the name of the site.
    """
    if any(above.tag in ("article", "main", "section") for above in element.iterancestors()):
        return False
    heading = next(element.iter("h1"), None) if element.tag == "header" else None
    if heading is None or leads_home(heading):
        return True
    said = words_in(heading)
    return not said or not words_in(next(element.getroottree().iter("title"), None)).startswith(said)


def _number(text: str | None) -> int:
    try:
        return int(text or 1)
    except ValueError:
        return 1
