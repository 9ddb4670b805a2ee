"""Which URL a file has. In this order: `files.jsonl`, the canonical link, the base URL and path, a local address.

`files.jsonl` is a person's own word, so it stands first: {"file", "url", "title"} a line, "file" relative to the folder
it lies in (or, beside an archive, a member's name). A file that nothing names gets `https://local/NAME/PATH`, NAME
being the source's own: the same wherever the source lies on the disk, and a base for the links between its files.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, urljoin

from pydantic_core import from_json

from lite.corpus.page import NotAPage, clean_url
from lite.errors import UsageError

SIDECAR = "files.jsonl"


def quoted(path: str) -> str:
    """A path as a URL has it. File names may hold bytes that are no UTF-8; they are quoted as they are."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/~!$&'()*+,;=:@")


class Named(NamedTuple):
    """What `files.jsonl` says of one file."""

    url: str
    title: str


class Addresses:
    """The URLs of a source's files, by their path within it ("a/b.html").

    Args:
        name: of the source.
        base_url: of the files, or of the folder that holds the source in its subfolder `inside`.
        inside: that one; "" for none.
    """

    def __init__(self, name: str, base_url: str | None, inside: str = "") -> None:
        if base_url is not None:
            try:
                clean_url(base_url)
            except NotAPage as error:
                raise UsageError(f"the base URL cannot be used: {error}; give one like https://example.org/") from None
            base_url = base_url if base_url.endswith("/") else base_url + "/"
            base_url += f"{quoted(inside)}/" if inside else ""
        self._base = base_url or f"https://local/{quoted(name)}/"
        self._named: dict[str, Named] = {}

    def learn(self, lines: Iterable[bytes | int], folder: str = "") -> list[tuple[int, str]]:
        """Take in the lines of a `files.jsonl` that lies in `folder`; returns line numbers and reasons of bad ones."""
        bad: list[tuple[int, str]] = []
        for number, line in enumerate(lines, 1):
            if isinstance(line, bytes) and (not line or line.isspace()):
                continue
            try:
                self._take(line, folder)
            except NotAPage as error:
                bad.append((number, str(error)))
        return bad

    def _take(self, line: bytes | int, folder: str) -> None:
        if isinstance(line, int):
            raise NotAPage("line too long")
        try:
            record = from_json(line.removeprefix(b"\xef\xbb\xbf"))
            file, url, title = str(record["file"]), record["url"], record.get("title")
        except (ValueError, KeyError, TypeError):
            raise NotAPage("not a {file, url, title} record") from None
        path = "/".join(part for part in f"{folder}/{file}".split("/") if part not in ("", "."))
        # The list nearest to the file has the last word: folders are learnt from the top down.
        self._named[path] = Named(clean_url(url, self._base), title if isinstance(title, str) else "")

    def title(self, path: str) -> str:
        """The title that `files.jsonl` gives, or an empty string."""
        named = self._named.get(path)
        return named.title if named else ""

    def url(self, path: str, canonical: str | None = None) -> str:
        """The URL of the file at `path`, whose document names `canonical` as its own address."""
        named = self._named.get(path)
        if named:
            return named.url
        by_path = urljoin(self._base, f"./{quoted(path)}")  # "Category:Rivers.html" is no scheme
        if canonical:
            try:
                return clean_url(canonical, by_path)
            except NotAPage:
                pass
        return by_path
