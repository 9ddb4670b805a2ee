"""Records that nobody would write on purpose: what is a page is kept, what is none is counted, and nothing is lost.

`LITE_FUZZ=5000` for so many records; the suite takes 400.
"""

import io
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lite.corpus import read_pages
from lite.records import Page
from lite.world import World

ATLAS = Path(__file__).resolve().parents[2] / "data/atlas.jsonl.zst"
COUNT = int(os.environ.get("LITE_FUZZ", "400"))
ODD: list[Any] = [
    None, True, 0, -1, 1e308, float("nan"), "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e",
    [], {}, [[[]]], {"a": {"b": []}}, "x" * 30_000, "# " * 2000, "| a |\n|---|\n" * 500, "北京大学" * 500, "[x](y" * 900,
    "[" * 3000, "(" * 3000, "```\n" * 200, "<p>" * 800, "&#0; &#xD800; &bogus;", "\r\r\n\x0b\x0c\x1c\x85\u2028 end",
]  # fmt: skip
ADDRESSES: list[Any] = [
    "no scheme", "www.plain.test/page", "//host.test/x", "http://", "https://[broken", "ftp://f.test/a", "file:///etc/passwd",
    "javascript:alert(1)", "data:text/plain,x", "http://a.test/%zz%", "http://a.test/%E4%B8%AD", "http://a.test/中", "HTTP://A.TEST:80/x",
    "http://a.test/x#", "http://a.test/x#y", "http://a.test/ x y ", "http://a.test/" + "p" * 9000, "\ud800://x", "\0", 7, None, [], {},
]  # fmt: skip
FIELDS = ("url", "title", "doc", "text", "links", "id", "new")


def originals(dice: random.Random, count: int) -> Iterator[dict[str, Any]]:
    with zstandard.open(ATLAS, "rt", encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    for _ in range(count):
        yield json.loads(dice.choice(lines))


def change(dice: random.Random, record: dict[str, Any]) -> None:
    match dice.randrange(6):
        case 0 | 1:
            record[dice.choice(FIELDS)] = dice.choice(ODD)
        case 2:
            record["url"] = dice.choice(ADDRESSES)
        case 3:
            record.pop(dice.choice(list(record) or ["url"]), None)
        case 4:
            record["url"] = f"http://same.test/{dice.randrange(9)}"  # with another text each time
        case _:
            record["links"] = [{"url": dice.choice(ADDRESSES), "text": dice.choice(ODD)} for _ in range(30)]


def mutated(dice: random.Random, record: dict[str, Any]) -> bytes:
    """One line, or several where a mutation put an end of line into it."""
    for _ in range(dice.choice((0, 0, 0, 1, 1, 2))):
        change(dice, record)
    line = json.dumps(record, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    match dice.randrange(16):
        case 0:
            return line[: dice.randrange(len(line) + 1)]
        case 1:
            torn = bytearray(line)
            for _ in range(dice.randrange(1, 6)):
                torn[dice.randrange(len(torn))] = dice.randrange(256)
            return bytes(torn)
        case 2:
            return dice.randbytes(dice.randrange(400))
        case 3:
            return (
                record.get("title", "x").encode("utf-16", "surrogatepass")
                if isinstance(record.get("title"), str)
                else b"\xff\xfe"
            )
        case 4:
            return dice.choice(
                (b"null", b"[]", b'"text"', b"{}", b"[" * 5000, b'{"a":' * 5000, b"12", b"NaN", b"\xef\xbb\xbf{}")
            )
        case _:
            return line


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """What a reader sees as lines; those without a sign are none."""
    dice = random.Random("records")
    written = b"\n".join(mutated(dice, record) for record in originals(dice, COUNT))
    return [line for line in written.split(b"\n") if line.strip()]


def test_every_record_is_a_page_or_is_counted(lines: list[bytes], tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    read = list(read_pages(source, base_url="http://base.test/"))
    pages = {record.url for record in read if isinstance(record, Page)}
    with World.build(source, tmp_path / "w", base_url="http://base.test/", date="2026-01-02") as world:
        info = world.info()
        assert info.records + sum(info.broken.values()) == len(read) == len(lines)
        assert info.pages + info.aliases == info.records - info.repeated == len(pages)
        assert info.pages > COUNT / 5
        assert sum(info.broken.values()) > COUNT / 20
        assert world.check() == []
        assert {url for url in pages if not world.visit(url, "radium").found} == set()
        assert {url for url in pages if not world.visit(url, mode="raw").found} == set()
        for query in ("capital", "radium", "http://same.test/1", "北京"):
            assert world.search(query, 10).to_json() == world.search(query, 10).to_json()
        digest = world.digest
    other = tmp_path / "b.jsonl.zst"
    random.Random(7).shuffle(lines)
    other.write_bytes(zstandard.compress(b"\n".join(lines)))
    with World.build(other, tmp_path / "v", base_url="http://base.test/", date="2026-01-02") as world:
        assert world.digest == digest


def torn(dice: random.Random, whole: bytes) -> bytes:
    """Cut, overwritten, doubled or emptied somewhere."""
    at, end = sorted(dice.sample(range(len(whole) + 1), 2))
    match dice.randrange(4):
        case 0:
            return whole[:end]
        case 1:
            return whole[:at] + dice.randbytes(min(end - at, 50)) + whole[at + min(end - at, 50) :]
        case 2:
            return whole[:at] + whole[at:end][:2000] + whole[at:]
        case _:
            return whole[:at] + bytes(min(end - at, 300)) + whole[at + min(end - at, 300) :]


PAGE = (
    "<html><head><meta charset=utf-8><title>Radium &amp; more</title></head><body><h1>Radium</h1><p>Found by "
    "<a href='/curie'>Curie</a> in 1898.</p><table><tr><th>a</th><th>b</th></tr><tr><td rowspan=2>1</td><td>2</td></tr>"
    "</table><ul><li>one<li>two</ul><pre>x | y</pre><script>bad()</script></body></html>"
)


def warc() -> bytes:
    out = io.BytesIO()
    for n in range(4):
        body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{PAGE}".encode()
        out.write(
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://w.test/{n}\r\nWARC-Date: 2026-01-02T03:04:05Z\r\n"
            f"WARC-Record-ID: <urn:uuid:0000000{n}-0000-0000-0000-000000000000>\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        out.write(body + b"\r\n\r\n")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "whole"), [("p.html", PAGE.encode()), ("p.md", b"# A\n\n" + PAGE.encode()), ("p.warc", warc())]
)
def test_damaged_files_are_read_as_far_as_they_go(name: str, whole: bytes, tmp_path: Path) -> None:
    if name.endswith("warc"):
        pytest.importorskip("fastwarc", reason="needs the extra `warc`")
    dice = random.Random(name)
    folder = tmp_path / "files"
    folder.mkdir()
    count = COUNT // 4
    for n in range(count):
        (folder / f"{n:05}{name}").write_bytes(torn(dice, whole))
    read = list(read_pages(folder, base_url="http://base.test/"))
    pages = {record.url for record in read if isinstance(record, Page)}
    assert len(pages) > 2
    with World.build(folder, tmp_path / "w", base_url="http://base.test/", date="2026-01-02") as world:
        info = world.info()
        assert info.records + sum(info.broken.values()) == len(read) >= count * 0.5
        assert info.pages + info.aliases == len(pages)
        assert world.check() == []
        assert all(world.visit(url, "radium").found for url in pages)
