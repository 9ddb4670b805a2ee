"""WARC and WARC.gz, as Common Crawl and browsers write them. The one door to fastwarc.

fastwarc reads 29,000 records a second against warcio's 17,000, says at which byte each stands, and raises only OSError
for damage, so that reading can go on at the next record. It takes a member cut in its header for the end of the file;
the last member is therefore checked here.
"""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lite.corpus.html import MAX_HTML, Document, decode
from lite.corpus.page import NotAPage, broken, make_page, one_line
from lite.corpus.streams import Count, DamagedArchive, unpacked, whole
from lite.errors import CorpusError
from lite.extras import need
from lite.records import Broken, Page

_HTML = ("text/html", "application/xhtml+xml")
_MARKS = {True: b"\x1f\x8b\x08", False: b"\nWARC/1."}  # where a record begins, packed or not
_LENGTH = re.compile(rb"^content-length:\s*(\d{1,18})\s*$", re.IGNORECASE | re.MULTILINE)
_ZSTD = b"\x28\xb5\x2f\xfd"
_PACKING = {"compress", "x-compress", "zstd", "dcb", "dcz", "exi", "pack200-gzip", "bzip2", "xz", "lzma"}
_PIECE = 1 << 20
_HEAD = 1 << 16


def read_warc(path: Path, *, count: Count) -> Iterator[Page | Broken]:
    """Pages of the HTML responses with status 200, and of HTML and text kept as resources or conversions (WET).

    Other records are left out: requests, revisits, pictures, errors of servers. Damage costs the record it is in.

    Raises:
        CorpusError: the file is no WARC.
        MissingExtra: the `warc` extra is not installed.
    """
    library = need("fastwarc.warc", "warc")
    with path.open("rb") as file:
        head = file.read(5)
        packed = head.startswith(b"\x1f\x8b")
        if not packed and head != b"WARC/":
            raise CorpusError(f"{path} is no WARC file; check how it was made")
        place, told, named = 0, 0, -1  # byte of the record, bytes reported, byte of the last broken record
        while True:
            file.seek(place)
            try:
                for record in library.ArchiveIterator(file, auto_decode="none"):
                    count(record.stream_pos - told)
                    place = told = record.stream_pos
                    try:
                        if page := _page(record):
                            yield page
                    except NotAPage as error:
                        named = place
                        yield broken(path, _where(record, place), error)
                if named != place and (_cut_member(file, place) if packed else _cut_record(file, place)):
                    yield broken(path, f"byte {place:,}", "the last record is truncated")
                return
            except OSError as error:
                yield broken(path, f"after byte {place:,}", f"damaged: {one_line(error)}")
                following = _find(file, place + 1, _MARKS[packed])
                if following is None:
                    return
                place = following


def _where(record: Any, place: int) -> str:
    url = record.headers.get("WARC-Target-URI")
    return f"byte {place:,}" + (f" ({url[:100]})" if url else "")


def _page(record: Any) -> Page | None:
    """The page of a record; None where it is none and was not meant to be. Raises NotAPage and OSError."""
    kind = record.headers.get("WARC-Type", "").lower()
    if kind == "response":
        status = None if record.http_headers is None else record.http_headers.status_code
        http = record.headers.get("Content-Type", "").lower().startswith("application/http")  # none of dns: and ftp:
        if http and status is None and record.headers.get("Content-Length", "0") != "0":
            raise NotAPage("truncated before its content")
        if status != 200:
            return None
        media = (record.http_content_type or "").lower()
        charset = record.http_charset
    elif kind in ("resource", "conversion"):
        media, _, parameters = record.headers.get("Content-Type", "").lower().partition(";")
        charset = parameters.partition("charset=")[2].strip(" \"'") or None
    else:
        return None
    media = media.strip()
    if media not in _HTML and (media != "text/plain" or kind == "response"):
        return None
    body = _body(record)
    url = record.headers.get("WARC-Target-URI", "").strip("<>")
    if media == "text/plain":
        return make_page(url, "", decode(body, charset))
    document = Document(body, charset)
    return make_page(url, document.title, document.markdown(url))


def _body(record: Any) -> bytes:
    body = record.reader.read(MAX_HTML + 1)
    if len(body) > MAX_HTML:
        raise NotAPage(f"longer than {MAX_HTML >> 20} MB")
    if len(body) < record.content_length:
        raise NotAPage(f"truncated: {len(body):,} of {record.content_length:,} bytes")
    headers = record.http_headers
    if headers is None:
        return body
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        body = _joined(body)
    for coding in reversed(headers.get("Content-Encoding", "").lower().split(",")):
        body = _decoded(body, coding.strip())
    return body


def _joined(body: bytes) -> bytes:
    """The content of HTTP chunks; `body` itself where a crawler has joined them already and left the header."""
    parts, place = [], 0
    while True:
        end = body.find(b"\r\n", place)
        try:
            size = int(body[place:end].partition(b";")[0], 16) if end >= 0 else -1
        except ValueError:
            size = -1
        if size < 0 or (size and end + 2 + size > len(body)):
            if not parts:
                return body
            raise NotAPage("its HTTP chunks are cut or damaged")
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        place = end + 2 + size + 2


def _decoded(body: bytes, coding: str) -> bytes:
    """`body` unpacked, at most `MAX_HTML` bytes; as it is where a crawler has unpacked it and left the header."""
    try:
        if coding in ("gzip", "x-gzip") and body.startswith(b"\x1f\x8b"):
            return _inflated(zlib.decompressobj(31), body)
        if coding == "deflate":
            return _inflated(zlib.decompressobj(15 if body[:1] == b"\x78" else -15), body)
        if coding == "br":
            return _unbrotli(body)
        if coding == "zstd" and body.startswith(_ZSTD):
            return _unzstd(body)
    except (zlib.error, DamagedArchive, NotAPage) as error:
        if body.lstrip()[:1] == b"<":
            return body
        raise NotAPage(f"its {coding} content cannot be unpacked ({error})") from None
    if coding not in _PACKING or body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return body
    raise NotAPage(f"its content is packed by {one_line(coding)}, which lite cannot unpack")


def _inflated(decoder: Any, body: bytes) -> bytes:
    out = decoder.decompress(body, MAX_HTML + 1)
    if not decoder.eof and len(out) <= MAX_HTML:
        raise NotAPage("it is cut")
    return out


def _unbrotli(body: bytes) -> bytes:
    brotli = need("brotli", "warc")
    decoder, out = brotli.Decompressor(), b""
    try:
        out = decoder.process(body, output_buffer_limit=MAX_HTML + 1)
    except brotli.error as error:
        raise NotAPage(str(error)) from None
    if not decoder.is_finished() and len(out) <= MAX_HTML:
        raise NotAPage("it is cut")
    return out


def _unzstd(body: bytes) -> bytes:
    out = whole(unpacked(iter([body])), MAX_HTML)
    if out is None:
        raise NotAPage(f"longer than {MAX_HTML >> 20} MB")
    return out


def _cut_member(file: IO[bytes], place: int) -> bool:
    """Whether a packed file ends within a member that begins at `place` or after it; fastwarc does not tell."""
    file.seek(place)
    decoder = zlib.decompressobj(31)
    rest = b""
    while piece := rest or file.read(_HEAD):
        rest = b""
        if decoder.eof:
            if not piece.strip(b"\0"):
                continue
            decoder = zlib.decompressobj(31)
        try:
            decoder.decompress(piece)
        except zlib.error:
            return True
        rest = decoder.unused_data
    return not decoder.eof


def _cut_record(file: IO[bytes], place: int) -> bool:
    """Whether a file ends within the record that begins at `place`."""
    file.seek(place)
    head, end, _ = file.read(_HEAD).lstrip(b"\r\n").partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return not end or length is None or file.seek(0, 2) < place + len(head) + len(end) + int(length.group(1))


def _find(file: IO[bytes], place: int, mark: bytes) -> int | None:
    """Where the next record after `place` begins."""
    file.seek(place)
    before = b""
    while piece := file.read(_PIECE):
        window = before + piece
        found = window.find(mark)
        if found >= 0:
            return place - len(before) + found + mark.startswith(b"\n")
        before = window[-len(mark) + 1 :]
        place += len(piece)
    return None
