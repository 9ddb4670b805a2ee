"""WARC files as crawlers write them: what is a page, what is not, and what damage costs."""

import gzip
import random
import zlib
from pathlib import Path

import pytest
import zstandard

from lite.corpus import read_pages, size_of
from lite.corpus.html import MAX_HTML
from lite.errors import CorpusError
from lite.records import Broken, Page

pytest.importorskip("fastwarc", reason="needs the extra `warc`")

HTML = "text/html; charset=utf-8"


def record(
    url: str, body: bytes, *, kind: str = "response", status: str = "200 OK", media: str = HTML, headers: str = ""
) -> bytes:
    """One WARC/1.0 record, as the standard (ISO 28500) lays it out."""
    block, content = body, media
    if kind == "response":
        block = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\n{headers}\r\n".encode() + body
        content = "application/http; msgtype=response"
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{zlib.crc32(url.encode()):032x}>\r\nContent-Type: {content}\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def page(number: int, words: int = 400) -> bytes:
    chance = random.Random(number)
    body = " ".join(f"w{chance.random()}" for _ in range(words))
    return record(f"https://a.org/{number}", f"<title>T{number}</title><p>{body}".encode())


def write(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(gzip.compress(r) if path.suffix == ".gz" else r for r in records))
    return path


def split(source: Path) -> tuple[list[Page], list[Broken]]:
    records = list(read_pages(source))
    return [r for r in records if isinstance(r, Page)], [r for r in records if isinstance(r, Broken)]


both = pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])


@both
def test_html_responses_resources_and_conversions_become_pages(tmp_path: Path, suffix: str) -> None:
    path = write(
        tmp_path / f"crawl{suffix}",
        record("", b"software: x", kind="warcinfo", media="application/warc-fields"),
        record("https://a.org/d/1", b"<title>One</title><p>1 <a href=2>two</a> <a href=//b.org/>b</a>"),
        record("https://a.org/d/1", b"GET / HTTP/1.1\r\n\r\n", kind="request", media="application/http"),
        record("<https://a.org/2>", "<p>caf\xe9".encode("latin-1"), media="text/html; charset=ISO-8859-1"),
        record("https://a.org/3", b"<p>gone", status="404 Not Found"),
        record("https://a.org/4", b"\x89PNG", media="image/png"),
        record("https://a.org/5", b"<p>moved", status="301 Moved"),
        record("https://a.org/5b", b"", status="301 Moved"),
        record("https://a.org/6", b"", kind="revisit", media=HTML),
        record("https://a.org/7", b"<title>Sieben</title><p>sieben", kind="resource", media="text/html"),
        record("https://a.org/8", "Plain text é".encode(), kind="conversion", media="text/plain"),
        record("https://a.org/8b", "中国".encode("gbk"), kind="resource", media="text/plain; charset=gbk"),
        record("dns:a.org", b"a.org. 1 IN A 10.0.0.1", kind="resource", media="text/dns").replace(
            b"resource", b"response"
        ),
        record("https://a.org/9", b"{}", kind="metadata", media="application/json"),
    )
    pages, broken = split(path)
    assert pages == [
        Page(url="https://a.org/d/1", title="One", text="1 [two](https://a.org/d/2) [b](https://b.org/)"),
        Page(url="https://a.org/2", text="café"),
        Page(url="https://a.org/7", title="Sieben", text="sieben"),
        Page(url="https://a.org/8", text="Plain text é"),
        Page(url="https://a.org/8b", text="中国"),
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ("Content-Encoding: gzip\r\n", gzip.compress(b"<p>packed", mtime=0), "packed"),
        ("Content-Encoding: deflate\r\n", zlib.compress(b"<p>packed"), "packed"),
        ("Content-Encoding: deflate\r\n", zlib.compress(b"<p>packed")[2:-4], "packed"),
        ("Content-Encoding: gzip\r\n", b"<p>was unpacked by the crawler", "was unpacked by the crawler"),
        ("Content-Encoding: br\r\n", b"<p>was unpacked by the crawler", "was unpacked by the crawler"),
        ("Content-Encoding: zzz\r\n", b"<p>as it is", "as it is"),
        ("Content-Encoding: compress\r\n", b"\x01\x02\x03", None),
        ("Content-Encoding: utf8\r\n", b"Hello <b>x</b>", "Hello x"),
        ("Content-Encoding: zstd\r\n", zstandard.compress(b"<p>packed"), "packed"),
        ("Content-Encoding: zstd\r\n", zstandard.compress(b"<p>packed" * 99)[:20], None),
        ("Content-Encoding: zstd\r\n", zstandard.compress(b"x" * (MAX_HTML + 10)), None),
        ("Transfer-Encoding: chunked\r\n", b"3\r\n<p>\r\n2;x=y\r\nab\r\n0\r\n\r\n", "ab"),
        ("Transfer-Encoding: chunked\r\n", b"<p>was joined by the crawler", "was joined by the crawler"),
        (
            "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n",
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(gzip.compress(b"<p>x", mtime=0)), gzip.compress(b"<p>x", mtime=0)),
            "x",
        ),
        ("Content-Encoding: gzip\r\n", gzip.compress(b"<p>packed" * 99, mtime=0)[:30], None),
        ("Transfer-Encoding: chunked\r\n", b"3\r\n<p>\r\nff\r\nab", None),
        ("Content-Encoding: gzip\r\n", gzip.compress(b"x" * (MAX_HTML + 10)), None),
    ],
)
def test_transfer_codings_are_undone(tmp_path: Path, headers: str, body: bytes, expected: str | None) -> None:
    path = write(tmp_path / "crawl.warc.gz", record("https://a.org/1", body, headers=headers), page(2))
    pages, broken = split(path)
    if expected is None:
        assert [p.title for p in pages] == ["T2"]
        assert [b.where for b in broken] == ["byte 0 (https://a.org/1)"]
    else:
        assert [p.text for p in pages][:1] == [expected]
        assert len(pages) == 2
        assert not broken


def test_brotli_is_undone(tmp_path: Path) -> None:
    brotli = pytest.importorskip("brotli")
    body = brotli.compress(b"<p>packed" * 99)
    path = write(
        tmp_path / "crawl.warc",
        record("https://a.org/1", body, headers="Content-Encoding: br\r\n"),
        record("https://a.org/2", body[:10], headers="Content-Encoding: br\r\n"),
        record("https://a.org/3", brotli.compress(b"x" * (MAX_HTML + 10)), headers="Content-Encoding: br\r\n"),
    )
    pages, broken = split(path)
    assert [p.url for p in pages] == ["https://a.org/1"]
    assert pages[0].text.count("packed") == 99
    assert [b.where.partition("(")[2] for b in broken] == ["https://a.org/2)", "https://a.org/3)"]


@both
def test_a_record_that_is_no_page_is_named_and_passed(tmp_path: Path, suffix: str) -> None:
    path = write(
        tmp_path / f"crawl{suffix}",
        page(1),
        record("https://a.org/huge", b"<p>" + b"x" * MAX_HTML),
        record("https://a.org/empty", b"<script></script>"),
        record("not-a-url", b"<p>x"),
        record("https://a.org/deep", b"<div>" * 3000),
        page(2),
    )
    pages, broken = split(path)
    assert [p.title for p in pages] == ["T1", "T2"]
    assert [b.reason[:18] for b in broken] == [
        "longer than 16 MB", "no text", "url without a sche", "elements nested de",
    ]  # fmt: skip


@both
@pytest.mark.parametrize("share", [0.02, 0.3, 0.62, 0.95])
def test_a_cut_in_the_last_record_is_counted(tmp_path: Path, suffix: str, share: float) -> None:
    path = write(tmp_path / f"crawl{suffix}", *(page(n) for n in range(5)))
    last = page(5)
    last = gzip.compress(last) if suffix == ".warc.gz" else last
    path.write_bytes(path.read_bytes() + last[: int(len(last) * share)])
    pages, broken = split(path)
    assert [p.title for p in pages] == [f"T{n}" for n in range(5)]
    assert len(broken) == 1
    assert "truncated" in broken[0].reason or "damaged" in broken[0].reason


@pytest.mark.parametrize("place", [30, 200, 1500])
def test_a_member_cut_in_the_middle_costs_itself_only(tmp_path: Path, place: int) -> None:
    members = [gzip.compress(page(n)) for n in range(8)]
    members[3] = members[3][:place]
    members[5] = members[5][:place] + b"\xaa" * 50 + members[5][place + 50 :]
    path = tmp_path / "crawl.warc.gz"
    path.write_bytes(b"".join(members))
    pages, broken = split(path)
    assert [p.title for p in pages] == [f"T{n}" for n in (0, 1, 2, 4, 6, 7)]
    assert 2 <= len(broken) <= 4
    assert all(b.reason for b in broken)


def test_a_damaged_header_in_an_unpacked_file_costs_itself_only(tmp_path: Path) -> None:
    records = [page(n) for n in range(6)]
    records[2] = b"\x00garbage\r\n" * 20 + records[2][60:]
    path = write(tmp_path / "crawl.warc", *records)
    pages, broken = split(path)
    assert [p.title for p in pages] == [f"T{n}" for n in (0, 1, 3, 4, 5)]
    assert len(broken) >= 1


def test_many_requests_between_responses_and_damage_do_not_stall(tmp_path: Path) -> None:
    small = [record(f"https://a.org/r{n}", b"x", kind="request", media="text/plain") for n in range(300)]
    path = write(tmp_path / "crawl.warc.gz", page(1), *small)
    path.write_bytes(path.read_bytes() + gzip.compress(page(2))[:80] + gzip.compress(page(3)) + b"\0" * 300)
    pages, _ = split(path)
    assert [p.title for p in pages] == ["T1", "T3"]


@both
def test_what_is_no_warc_is_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"crawl{suffix}"
    for data in (b"no WARC at all", gzip.compress(b"neither is this" * 50), gzip.compress(page(1))[:40]):
        path.write_bytes(data)
        with pytest.raises(CorpusError) as caught:
            split(path)
        assert "\n" not in str(caught.value)


def test_progress_and_a_folder_of_crawls(tmp_path: Path) -> None:
    write(tmp_path / "a.warc.gz", page(1), page(2))
    write(tmp_path / "b.warc", page(3))
    (tmp_path / "c.warc").write_bytes(b"broken")
    told: list[int] = []
    records = list(read_pages(tmp_path, progress=told.append))
    assert [r.title for r in records if isinstance(r, Page)] == ["T1", "T2", "T3"]
    assert [Path(r.source).name for r in records if isinstance(r, Broken)] == ["c.warc"]
    assert told == sorted(told)
    assert told[-1] == size_of(tmp_path)
