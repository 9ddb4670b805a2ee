"""Spellings of one URL. The stored URL is a page's identity; other spellings only help to find it."""

import re
from contextlib import suppress
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_PLAIN = re.compile(r"https://[a-z0-9.-]+/[^\s%]*")  # what most URLs are: their own key
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


def url_key(url: str) -> str:
    """One form for the spellings of `url`: percent-escapes decoded, scheme and host in lower case, the host in ASCII
    (Punycode), no default port.

    `http` and `https` share a key. Escaped delimiters (`%2F`, `%3F`, `%23` and the like) stay escaped: decoded they
    would mean another address. Case of the path counts.
    """
    if _PLAIN.fullmatch(url):
        return url
    url = url.strip()
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.isalpha():
        return _decoded(url)
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    scheme, host, path = scheme.lower(), rest[:end].lower(), rest[end:]
    host = host.removesuffix(_DEFAULT_PORT.get(scheme, " "))
    if not host.isascii():
        with suppress(UnicodeError):
            host = host.encode("idna").decode()
    if scheme == "http":
        scheme = "https"
    slash = "" if path.startswith("/") else "/"  # an address without a path is that of the site's root
    return f"{scheme}://{host}{slash}{_decoded(path)}"


def without_fragment(url: str) -> str:
    """`url` up to its fragment."""
    return url.partition("#")[0]


def url_words(url: str) -> str:
    """The words of an address that speak of its page: path, query and fragment, not the host."""
    try:
        parts = urlsplit(url)
        tail = f"{parts.path} {parts.query} {parts.fragment}" if parts.netloc else url
    except ValueError:  # "http://[broken"
        tail = url
    return re.sub(r"[_\W]+", " ", unquote(tail, errors="ignore")).strip()


def _decoded(text: str) -> str:
    text = text.replace(" ", "%20")
    return _ESCAPES.sub(_decode, text) if "%" in text else text


def _decode(match: re.Match[str]) -> str:
    try:
        decoded = unquote_to_bytes(match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0].upper()
    return "".join(quote(char, safe="") if char in "%/?#&=+; " or not char.isprintable() else char for char in decoded)
