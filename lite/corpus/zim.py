"""ZIM, Kiwix's offline archives. The one door to libzim, which is GPL and therefore an extra of its own.

A page's URL is a base and its path in the archive. The base is the given one, or the one that the canonical links of
the first pages agree on ("https://en.wikipedia.org/wiki/"), or `https://local/NAME/`. Links between pages of the
archive lead to those URLs, through redirects to what they stand for; links to what it lacks become text.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lite.corpus.addresses import quoted
from lite.corpus.html import MAX_HTML, Document
from lite.corpus.page import NotAPage, broken, clean_url, make_page, one_line
from lite.corpus.streams import Count
from lite.errors import CorpusError, UsageError
from lite.extras import need
from lite.records import Broken, Page

_WITHIN = "https://zim.invalid/"  # stands for the archive while links are resolved
_DAMAGE = (RuntimeError, KeyError, IndexError, UnicodeDecodeError)  # what libzim raises for it
_SAMPLE = 20  # pages asked for their canonical link
_LOOK = 500  # entries looked at to find them


def read_zim(path: Path, *, count: Count, base_url: str | None = None) -> Iterator[Page | Broken]:
    """Every HTML entry of the archive, in the order of their paths; redirects are counted in one `Broken` at the end.

    Raises:
        CorpusError: the file is truncated or no ZIM archive.
        MissingExtra: the `zim` extra is not installed.
    """
    reader = need("libzim.reader", "zim")
    try:
        archive = reader.Archive(path)
    except _DAMAGE as error:
        raise CorpusError(f"{path} is truncated or no ZIM archive ({one_line(error)}); fetch it again") from None
    pages = _Pages(archive, _base(archive, path, base_url))
    size, total = path.stat().st_size, max(archive.entry_count, 1)
    for number in range(archive.entry_count):
        count(size * (number + 1) // total - size * number // total)
        at = f"entry {number}"
        try:
            entry = archive._get_entry_by_id(number)  # noqa: SLF001  # libzim has no public way to list entries
            at = entry.path
            if page := pages.read(entry):
                yield page
        except (NotAPage, *_DAMAGE) as error:
            yield broken(path, at, one_line(error).strip("'\""))
    if pages.redirects:
        reason = f"{pages.redirects:,} redirects are no pages of their own; links through them lead to their targets"
        yield broken(path, "redirects", reason)


class _Pages:
    def __init__(self, archive: Any, base: str) -> None:
        self._archive, self._base = archive, base
        self._old = not archive.has_new_namespace_scheme  # paths then begin with a namespace: A/Paris
        self.redirects = 0

    def read(self, entry: Any) -> Page | None:
        if entry.is_redirect:
            self.redirects += 1
            return None
        item = entry.get_item()
        if not _is_html(item):
            return None
        if item.size > MAX_HTML:
            raise NotAPage(f"longer than {MAX_HTML >> 20} MB")
        document = Document(bytes(item.content))
        text = document.markdown(_WITHIN + quoted(entry.path), self._resolve)
        return make_page(self._url(entry.path), entry.title or document.title, text)

    def _url(self, path: str) -> str:
        return self._base + quoted(path[2:] if self._old else path)

    def _resolve(self, address: str) -> str | None:
        """The URL of the page that a link leads to; None for what the archive lacks."""
        if not address.startswith(_WITHIN):
            return address
        path, mark, fragment = address[len(_WITHIN) :].partition("#")
        for candidate in (unquote(path), unquote(path.partition("?")[0])):
            if candidate and self._archive.has_entry_by_path(candidate):
                try:
                    item = self._archive.get_entry_by_path(candidate).get_item()  # through redirects
                except _DAMAGE:
                    return None
                return self._url(item.path) + mark + fragment if _is_html(item) else None
        return None


def _is_html(item: Any) -> bool:
    return item.mimetype.startswith("text/html")


def _base(archive: Any, path: Path, base_url: str | None) -> str:
    if base_url is None:
        return _agreed_base(archive) or f"https://local/{quoted(path.stem)}/"
    try:
        return clean_url(base_url).rstrip("/") + "/"
    except NotAPage as error:
        raise UsageError(f"the base URL cannot be used: {error}; give one like https://example.org/") from None


def _agreed_base(archive: Any) -> str | None:
    """What stands before the path in the canonical links of the first pages, where they agree on it."""
    bases: set[str] = set()
    asked = 0
    for number in range(min(archive.entry_count, _LOOK)):
        try:
            entry = archive._get_entry_by_id(number)  # noqa: SLF001  # as above
            if entry.is_redirect or not _is_html(entry.get_item()) or entry.get_item().size > MAX_HTML:
                continue
            canonical = unquote(Document(bytes(entry.get_item().content)).canonical or "")
        except (NotAPage, *_DAMAGE):
            continue
        path = entry.path if archive.has_new_namespace_scheme else entry.path[2:]
        if not canonical.startswith("http") or not canonical.endswith(f"/{path}"):
            return None
        bases.add(canonical[: -len(path)])
        asked += 1
        if asked == _SAMPLE:
            break
    return bases.pop() if len(bases) == 1 else None
