"""An HTML document becomes a title and Markdown. The one door to lxml.

Measured on 300 Wikipedia pages: markdownify makes 4 pages a second, raises RecursionError on deep nesting and does not
repeat what spans rows; html-to-markdown (22 MB) returns nothing for deep nesting. So lxml parses, and `markdown.py`
writes: about seventy pages a second.
"""

import codecs
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]  # lxml ships no types

from lite.corpus.markdown import Links, Renderer, has_token, leads_home, words_in
from lite.corpus.page import NotAPage

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]+)")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# What pages call these is read by browsers as the superset (WHATWG Encoding); and names that Python does not know.
_SUPERSETS = {
    **dict.fromkeys(("iso8859-1", "ascii"), "cp1252"),
    "iso8859-9": "cp1254",
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("big5", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "x-sjis", "windows-31j"), "cp932"),
    "x-euc-jp": "euc_jp",
    **dict.fromkeys(("euc_kr", "windows-949"), "cp949"),
    **dict.fromkeys(("tis-620", "iso8859-11", "windows-874", "dos-874"), "cp874"),
    "iso-8859-8-i": "iso8859-8",
    "x-mac-cyrillic": "mac_cyrillic",
    **{f"x-cp125{n}": f"cp125{n}" for n in range(9)},
}
# A browser goes on in the body after a stray end of it; libxml2 puts what follows beside it, or nowhere.
_ENDS = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
_NO_PAGE = {"utf-7", "idna", "punycode", "unicode_escape", "raw_unicode_escape"}
_DEPTH = "Excessive depth"
_OF_HEAD = {"title", "meta", "link", "base", "script", "style", "noscript", "template", "object", "isindex"}

MAX_HTML = 16 * 2**20  # bytes; a tree takes up to thirty times its text


class Document:
    """A parsed HTML document.

    `title` is the first heading when the title element begins with it ("Paris" for "Paris - Wikipedia") and the heading
    is not the name of the site, with a link to its front page; else the title element, else the first heading, else
    empty. `canonical` is the canonical link as it is written.
    """

    def __init__(self, data: bytes, charset: str | None = None) -> None:
        """Parse `data`; broken markup is mended as browsers do.

        Args:
            data: the document's bytes.
            charset: what the transport said (an HTTP header); a byte-order mark is stronger, a meta element weaker.

        Raises:
            NotAPage: nothing to parse, more than `MAX_HTML` bytes, or elements nested deeper than 2,048, where the
                parser stops.
        """
        if len(data) > MAX_HTML:
            raise NotAPage(f"HTML longer than {MAX_HTML >> 20} MB ({len(data) >> 20} MB)")
        text = _ENDS.sub("", decode(data, charset))
        parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
        try:
            # A NUL would end the parser's string; half surrogate pairs can come from UTF-16.
            root = etree.fromstring(text.replace("\0", "\ufffd").encode("utf-8", "replace"), parser)
        except etree.XMLSyntaxError as error:
            raise NotAPage(f"no HTML ({error.msg})") from None
        if root is None:
            raise NotAPage("no HTML")
        if any(_DEPTH in entry.message for entry in parser.error_log):
            raise NotAPage("elements nested deeper than 2,048")
        _out_of_head(root)
        self._root = root
        self.canonical = self._link("canonical")
        self.title = self._title()

    def _link(self, relation: str) -> str | None:
        found = (link.get("href") for link in self._root.iter("link") if has_token(link.get("rel"), relation))
        return next((href.strip() for href in found if href and href.strip()), None)

    def _title(self) -> str:
        first = next(self._root.iter("h1"), None)
        title, heading = words_in(next(self._root.iter("title"), None)), words_in(first)
        if title and first is not None and leads_home(first):
            return title
        return heading if heading and (not title or title.startswith(heading)) else title

    def markdown(self, url: str, resolve: Callable[[str], str | None] | None = None) -> str:
        """The document as Markdown, with headings, lists, tables and absolute links.

        Args:
            url: the address of the page, against which its links are resolved (after a base element, if it has one).
            resolve: replaces the address of a link; the link becomes text where it returns None.
        """
        base = next((href for element in self._root.iter("base") if (href := element.get("href"))), "")
        try:
            base = urljoin(url, base.strip())
        except ValueError:
            base = url
        body = next(self._root.iter("body"), self._root)
        return Renderer(Links(url, base, resolve)).render(body)


def decode(data: bytes, charset: str | None = None) -> str:
    """`data` as text: by byte-order mark, else `charset`, else its meta element, else UTF-8, else Windows-1252.

    Bytes that the encoding does not know become U+FFFD: one bad byte costs a character, not the page.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    declared = charset
    if not declared and (found := _XML.match(data[:200]) or _CHARSET.search(data[:4096])):
        declared = found.group(1).decode("ascii")
    known = _codec(declared)
    if known in (None, "utf-8"):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("utf-8" if known else "cp1252", "replace")
    return data.decode(known, "replace")


def _codec(name: str | None) -> str | None:
    """Python's name of an encoding that a page can have; None for any other. No meta element is written in UTF-16."""
    name = (name or "").strip().lower()
    try:
        known = codecs.lookup(_SUPERSETS.get(name, name)).name
        b" ".decode(known)  # raises for what is no encoding of text, such as base64
    except (LookupError, ValueError):
        return None
    return None if known in _NO_PAGE else _SUPERSETS.get(known, known)


def _out_of_head(root: Any) -> None:
    """Move to the body what libxml2 leaves in the head of a document that names no body: `<title>x</title><main>`."""
    head = next(root.iter("head"), None)
    stray = [one for one in head if isinstance(one.tag, str) and one.tag not in _OF_HEAD] if head is not None else []
    if not stray:
        return
    body = root.find("body")  # not one that stands in such an element
    if body is None:
        body = etree.SubElement(root, "body")
    stray[-1].tail, body.text = f"{stray[-1].tail or ''}{body.text or ''}", None
    for place, element in enumerate(stray):
        body.insert(place, element)
