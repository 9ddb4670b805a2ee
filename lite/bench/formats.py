"""Pages of a world written as the archives people have, to measure how fast they are read."""

import gzip
import html
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import zstandard

from lite.extras import need
from lite.index.pages import StoredPage

_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\(([^()\s]{1,500})\)")


def write_jsonl(pages: Sequence[StoredPage], folder: Path) -> Path:
    """`pages.jsonl.zst`, as `lite world export` writes it."""
    path = folder / "pages.jsonl.zst"
    with zstandard.open(path, "wt", encoding="utf-8") as file:
        for page in pages:
            file.write(json.dumps({"url": page.url, "title": page.title, "doc": page.text}, ensure_ascii=False) + "\n")
    return path


def write_html(pages: Sequence[StoredPage], folder: Path) -> Path:
    """A folder of HTML files, each with its canonical link."""
    path = folder / "html"
    path.mkdir()
    for number, page in enumerate(pages):
        (path / f"{number}.html").write_text(as_html(page), encoding="utf-8")
    return path


def write_warc(pages: Sequence[StoredPage], folder: Path) -> Path:
    """`pages.warc.gz`, a compressed member for each response, as Common Crawl has them."""
    path = folder / "pages.warc.gz"
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with path.open("wb") as file:
        for number, page in enumerate(pages):
            body = as_html(page).encode()
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
            answer += b"Content-Length: %d\r\n\r\n" % len(body) + body
            head = (
                "WARC/1.0\r\nWARC-Type: response\r\n"
                f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012}>\r\n"
                f"WARC-Date: {date}\r\nWARC-Target-URI: {quote(page.url, safe=_SAFE)}\r\n"
                f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(answer)}\r\n\r\n"
            )
            file.write(gzip.compress(head.encode() + answer + b"\r\n\r\n", 6))
    return path


def write_zim(pages: Sequence[StoredPage], folder: Path) -> Path:
    """`pages.zim`, without a full-text index. Raises MissingExtra where libzim is not installed."""
    library = need("libzim.writer", "zim")

    class Entry(library.Item):
        def __init__(self, number: int, page: StoredPage) -> None:
            super().__init__()
            self._number, self._page = number, page

        def get_path(self) -> str:
            return f"page-{self._number}"

        def get_title(self) -> str:
            return self._page.title

        def get_mimetype(self) -> str:
            return "text/html"

        def get_contentprovider(self) -> object:
            return library.StringProvider(as_html(self._page))

        def get_hints(self) -> dict[object, bool]:
            return {library.Hint.FRONT_ARTICLE: True}

    path = folder / "pages.zim"
    with _silent(), library.Creator(path).config_compression("zstd") as creator:
        creator.set_mainpath("page-0")
        for number, page in enumerate(pages):
            creator.add_item(Entry(number, page))
    return path


@contextmanager
def _silent() -> Iterator[None]:
    """Libzim tells on standard output what it does, past Python; our output may be read by a program."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


WRITERS: dict[str, tuple[Callable[[Sequence[StoredPage], Path], Path], str]] = {
    "JSONL": (write_jsonl, ""),
    "HTML": (write_html, ""),
    "WARC": (write_warc, "fastwarc"),
    "ZIM": (write_zim, "libzim"),
}
_SAFE = "%/:=&?~#+!$,;'@()*[]"


def as_html(page: StoredPage) -> str:
    """A page's Markdown as plain HTML: headings, paragraphs, tables and links."""
    parts: list[str] = []
    table: list[str] = []
    for line in [*page.text.splitlines(), ""]:
        if line.startswith("|"):
            table.append(line)
            continue
        if table:
            parts.append(_table(table))
            table = []
        if line.startswith("#"):
            level = min(6, len(line) - len(line.lstrip("#")))
            parts.append(f"<h{level}>{_inline(line.lstrip('# '))}</h{level}>")
        elif line.strip():
            parts.append(f"<p>{_inline(line)}</p>")
    title = html.escape(page.title)
    head = f'<meta charset="utf-8"><title>{title}</title><link rel="canonical" href="{html.escape(page.url)}">'
    body = "\n".join(parts)
    return f"<!doctype html><html><head>{head}</head><body><main><h1>{title}</h1>\n{body}\n</main></body></html>"


def _table(lines: Sequence[str]) -> str:
    rows = [line.strip().strip("|").split("|") for line in lines if line.strip("|-: \t")]
    cells = ("".join(f"<td>{_inline(cell.strip())}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _inline(text: str) -> str:
    return _LINK.sub(r'<a href="\2">\1</a>', html.escape(text))
