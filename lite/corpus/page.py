"""What makes a record a page: an absolute URL, a title that fits a line, and a text that any store can hold."""

import re
from urllib.parse import urljoin

from lite.records import Broken, Page, storable

MAX_BYTES = 32 * 2**20  # of one record: a longer line or file is counted as broken, so that memory stays bounded
MAX_URL = 8192  # characters
MAX_TITLE = 1000  # characters; the title stands in every search result, so a longer one is cut

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]|file:///|urn:[^\s]", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class NotAPage(ValueError):
    """Why a record is no page; the reader turns it into a `Broken` that names the place."""


def make_page(url: object, title: object, text: object, base_url: str | None = None) -> Page:
    """A page from what a source gave, or `NotAPage` with the reason.

    The URL must be absolute; a relative or protocol-relative one is resolved against `base_url` where one is given
    and refused otherwise, because a guessed scheme would make two names for one page. NUL and half surrogate pairs,
    which no store takes, become U+FFFD in title and text.
    """
    address = clean_url(url, base_url)
    if not isinstance(text, str):
        raise NotAPage("no text" if text is None else f"text is {_kind(text)}, not a string")
    if not text or text.isspace():
        raise NotAPage("no text")
    if len(text) > MAX_BYTES:
        raise NotAPage(f"text longer than {MAX_BYTES >> 20} MB")
    name = " ".join(title.split())[:MAX_TITLE] if isinstance(title, str) else ""
    return Page(url=address, title=clean_text(name), text=clean_text(text))


def clean_url(url: object, base_url: str | None = None) -> str:
    """The absolute form of `url`, without surrounding spaces, or `NotAPage`."""
    if not isinstance(url, str) or not (address := url.strip()):
        raise NotAPage("no url" if url is None or isinstance(url, str) else f"url is {_kind(url)}, not a string")
    if not _ABSOLUTE.match(address):
        if base_url is None:
            raise NotAPage(f"url without a scheme: {shorten(address)} (a base URL would complete it)")
        try:
            address = urljoin(base_url, address)
        except ValueError:
            raise NotAPage(f"not a url: {shorten(address)}") from None
        if not _ABSOLUTE.match(address):
            raise NotAPage(f"not a web address: {shorten(address)}")
    if len(address) > MAX_URL:
        raise NotAPage(f"url longer than {MAX_URL} characters: {shorten(address)}")
    if _CONTROL.search(address) or clean_text(address) != address:
        raise NotAPage(f"url with a control character: {shorten(address)}")
    return address


def clean_text(text: str) -> str:
    """`text` with NUL and half surrogate pairs replaced by U+FFFD; split pairs are joined."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return storable(text)


def shorten(text: str, width: int = 80) -> str:
    """`text` as it can stand in a message: on one line, printable, at most `width` characters."""
    return ascii(text[: width + 1])[1:-1] if len(text) <= width else ascii(text[:width])[1:-1] + "..."


def broken(source: object, where: str, reason: object) -> Broken:
    """A record that is no page. File names and libraries may say anything: here it becomes one line of valid text."""
    return Broken(source=clean_text(str(source)), where=one_line(where), reason=one_line(reason))


def one_line(said: object) -> str:
    """What a file or a library says, as part of a one-line message."""
    text = " ".join(str(said).split()) or type(said).__name__
    return clean_text(text if len(text) <= 300 else text[:297] + "...")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else f"a {type(value).__name__}")
