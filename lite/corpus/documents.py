"""One file that is one page: HTML, Markdown or plain text, from a folder or from an archive."""

import re
from pathlib import PurePosixPath
from urllib.parse import urljoin

from lite.corpus.addresses import Addresses
from lite.corpus.page import NotAPage, make_page
from lite.corpus.streams import PACKED
from lite.records import Page

HTML = {".html", ".htm", ".xhtml", ".shtml"}
MARKDOWN = {".md", ".markdown"}
TEXT = {".txt"}
SUFFIXES = HTML | MARKDOWN | TEXT

# Between the rules stand fields and what belongs to them: else the first rule is only a rule, and what follows is text.
_KEY = r"\w[\w.-]*[ \t]*:(?:[ \t][^\n]*)?\n"
_MORE = r"(?:[ \t]|- |\#)[^\n]*\n|\n"
_FRONT = re.compile(rf"\A---[ \t]*\n({_KEY}(?:{_KEY}|{_MORE})*?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FIELD = re.compile(r"^(title|url|canonical_url)[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$|^(?=\w)(.+)\n=+[ \t]*$", re.MULTILINE)
# The label; the target, between < and > if it has spaces, and with pairs of parentheses in it; its title.
_LINK = re.compile(
    r"(?<!!)(\[[^\[\]\n]*+(?:\[[^\[\]\n]*+\][^\[\]\n]*+)*+\]\()[ \t]*+"
    r"(?:<([^<>\n]++)>|((?=[^\s)>])[^()\s<>]*+(?:\([^()\s]*+\)[^()\s<>]*+)*+))"
    r"(\s+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?\s*\)"
)
_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def read_document(data: bytes, path: str, addresses: Addresses) -> Page:
    """The page in `data`, the bytes of the file at `path` within its source, or `NotAPage`."""
    name = PurePosixPath(path)
    if name.suffix.lower() in PACKED:
        name = name.with_suffix("")
    suffix, stem = name.suffix.lower(), name.stem
    given = addresses.title(path)
    if suffix in HTML:
        from lite.corpus.html import Document  # parsing HTML is the only reason to load lxml

        document = Document(data)
        url = addresses.url(path, document.canonical)
        return make_page(url, given or document.title or stem, document.markdown(url))
    text = _decode(data)
    if suffix in TEXT:
        return make_page(addresses.url(path), given or stem, text)
    front = _FRONT.match(text)
    fields = dict(_FIELD.findall(front.group(1))) if front else {}
    text = text[front.end() :].lstrip("\n") if front else text
    heading = _HEADING.search(_FENCE.sub("", text))  # what a program's comment says is none
    title = fields.get("title", "").strip("\"'") or (heading[1] or heading[2].strip() if heading else stem)
    url = addresses.url(path, (fields.get("canonical_url") or fields.get("url", "")).strip("\"'"))
    return make_page(url, given or title, _absolute_links(text, url))


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").replace("\r\n", "\n")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise NotAPage(f"not UTF-8 (byte {data[error.start]:#04x} at {error.start:,})") from None


def _absolute_links(text: str, url: str) -> str:
    """Markdown whose inline links are absolute; code blocks stay as they are."""
    out, end = [], 0
    for fence in _FENCE.finditer(text):
        out.append(_LINK.sub(lambda link: _resolve(link, url), text[end : fence.start()]))
        out.append(fence.group())
        end = fence.end()
    out.append(_LINK.sub(lambda link: _resolve(link, url), text[end:]))
    return "".join(out)


def _resolve(link: re.Match[str], url: str) -> str:
    label, bracketed, bare, title = link.groups()
    target = bracketed.strip() if bracketed else bare
    if target.startswith("#") or _SCHEME.match(target):
        return link.group()
    try:
        address = urljoin(url, target.replace(" ", "%20"))
    except ValueError:
        return link.group()
    if address.count("(") != address.count(")"):
        address = address.replace("(", "%28").replace(")", "%29")
    return f"{label}{address}{title or ''})"
