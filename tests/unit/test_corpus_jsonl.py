"""JSONL as people have it: three layouts, two compressions, and everything that can be wrong with a line."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from lite.corpus import page as page_module
from lite.corpus import read_pages, size_of
from lite.errors import CorpusError, UsageError
from lite.records import Broken, Page

FLAT = {"url": "https://a.org/1", "title": "One", "doc": "First text."}
DOLMA = {"id": "7", "text": "Nested text.", "metadata": {"title": "Two", "url": "https://a.org/2"}}
SERPER = {"link": "https://a.org/3", "title": "Three", "snippet": "Short text."}


def write(path: Path, *lines: object) -> Path:
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return path


def split(source: Path, **options: str) -> tuple[list[Page], list[Broken]]:
    records = list(read_pages(source, **options))
    return [r for r in records if isinstance(r, Page)], [r for r in records if isinstance(r, Broken)]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (FLAT, Page(url="https://a.org/1", title="One", text="First text.")),
        ({"url": "https://a.org/1", "text": "t"}, Page(url="https://a.org/1", text="t")),
        (DOLMA, Page(url="https://a.org/2", title="Two", text="Nested text.")),
        (SERPER, Page(url="https://a.org/3", title="Three", text="Short text.")),
        ({**SERPER, "content": "Long."}, Page(url="https://a.org/3", title="Three", text="Long.")),
    ],
)
def test_each_layout_is_recognised(tmp_path: Path, record: dict, expected: Page) -> None:
    assert split(write(tmp_path / "pages.jsonl", record)) == ([expected], [])


def test_a_named_layout_is_obeyed(tmp_path: Path) -> None:
    both = {**FLAT, "link": "https://a.org/other", "content": "Other text."}
    path = write(tmp_path / "pages.jsonl", both)
    assert split(path)[0][0].text == "First text."
    assert split(path, layout="serper")[0] == [Page(url="https://a.org/other", title="One", text="Other text.")]
    for wrong in ("sperer", "url=link", "url=link,doc=content", ""):
        with pytest.raises(UsageError, match=r"no layout is called .*flat, dolma, serper.*url=NAME,text=NAME"):
            split(path, layout=wrong)


def test_fields_can_be_named(tmp_path: Path) -> None:
    record = {"where": {"it": {"is": "https://a.org/x"}}, "head": "H", "body": "B", "url": "https://no.org/"}
    path = write(tmp_path / "pages.jsonl", record, {"where": "nowhere", "body": "B"})
    pages, broken = split(path, layout="url=where.it.is, title=head, text=body")
    assert pages == [Page(url="https://a.org/x", title="H", text="B")]
    assert [b.reason for b in broken] == ["no url"]
    assert split(path, layout="url=where.it.is,text=body")[0][0].title == ""


def test_the_first_fitting_record_decides_for_the_file(tmp_path: Path) -> None:
    pages, broken = split(write(tmp_path / "pages.jsonl", {"note": "made by hand"}, FLAT, SERPER, FLAT))
    assert [p.url for p in pages] == ["https://a.org/1"] * 2
    assert [(b.where, b.reason) for b in broken] == [
        ("line 1", "no url and text under a known name"),
        ("line 3", "no url"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{not json", "not JSON"),
        (b'{"url": "https://a.org/x", "doc": "cut', "not JSON"),
        (b"[1, 2]", "a JSON list, not an object"),
        (b'"text"', "a JSON str, not an object"),
        (b'{"url": "https://a.org/x", "doc": "\xff\xfe"}', "not UTF-8 (byte 0xff at column 36)"),
        (b'{"title": "T", "doc": "text"}', "no url"),
        (b'{"url": "", "doc": "text"}', "no url"),
        (b'{"url": 17, "doc": "text"}', "url is a number"),
        (b'{"url": "https://a.org/x", "title": "T"}', "no text"),
        (b'{"url": "https://a.org/x", "doc": "  \\n "}', "no text"),
        (b'{"url": "https://a.org/x", "doc": ["text"]}', "text is a list, not a string"),
        (b'{"url": "en.wikipedia.org/wiki/X", "doc": "text"}', "url without a scheme: en.wikipedia.org/wiki/X"),
        (b'{"url": "//a.org/x", "doc": "text"}', "url without a scheme"),
        (b'{"url": "a.org:8080/x", "doc": "text"}', "url without a scheme"),
        (b'{"url": "https://a.org/a\\u0000b", "doc": "text"}', "control character"),
        (b'{"url": "https://a.org/\\ud800", "doc": "text"}', "control character"),
        (b'{"url": "https://a.org/' + b"x" * 9000 + b'", "doc": "text"}', "url longer than 8192 characters"),
        (b"[" * 100_000, "nested too deep"),
        (b"\x00\x01\x02\x03", "not JSON"),
    ],
)
def test_a_bad_line_is_counted_and_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = write(tmp_path / "pages.jsonl", FLAT, line, b"", {**FLAT, "url": "https://a.org/9"})
    pages, broken = split(path)
    assert [p.url for p in pages] == ["https://a.org/1", "https://a.org/9"]
    assert [(b.source, b.where) for b in broken] == [(str(path), "line 2")]
    assert reason in broken[0].reason
    assert len(broken[0].reason) < 200
    assert broken[0].reason.isprintable()


def test_nul_and_half_surrogates_become_replacement_characters(tmp_path: Path) -> None:
    line = b'{"url": "https://a.org/x", "title": "a\\ud800", "doc": "a\\u0000b\\udc00c \\ud83d\\ude00 \x00"}'
    [page], broken = split(write(tmp_path / "pages.jsonl", line))
    assert not broken
    assert page.title == "a\ufffd"
    assert page.text == "a\ufffdb\ufffdc \U0001f600 \ufffd"
    page.to_json().encode("utf-8")
    line = b'{"url": "https://a.org/x", "title": "a\\udfff", "doc": "b\\ud800"}'
    assert split(write(tmp_path / "pages.jsonl", line))[0] == [
        Page(url="https://a.org/x", title="a\ufffd", text="b\ufffd")
    ]


def test_relative_urls_are_completed_by_the_base_url(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.jsonl", *({"url": url, "doc": "t"} for url in ("/x", "//b.org/y", "http://c.org/z")))
    pages, broken = split(path, base_url="https://a.org/")
    assert [p.url for p in pages] == ["https://a.org/x", "https://b.org/y", "http://c.org/z"]
    assert not broken


def test_a_line_without_end_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl.zst"
    limit = page_module.MAX_BYTES
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as out:
        out.write(json.dumps(FLAT).encode() + b"\n")
        out.write(b'{"url": "https://a.org/x", "doc": "')
        for _ in range(limit // 2**20 * 3):
            out.write(b"x" * 2**20)
        out.write(b'"}\n' + json.dumps({**FLAT, "url": "https://a.org/9"}).encode())
    tracemalloc.start()
    pages, broken = split(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [p.url for p in pages] == ["https://a.org/1", "https://a.org/9"]
    assert [(b.where, b.reason) for b in broken] == [("line 2", "line longer than 32 MB (96 MB)")]
    assert peak < 2.5 * limit


def _many(count: int) -> bytes:
    words = [f"{number} {number * 7919 % 1_000_003} {number * 104_729 % 999_983}" for number in range(count)]
    return "".join(
        json.dumps({"url": f"https://a.org/{n}", "doc": words[n] * 20}) + "\n" for n in range(count)
    ).encode()


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_truncated_archive_gives_all_before_the_cut_and_one_broken(tmp_path: Path, suffix: str) -> None:
    data = _many(5000)
    packed = gzip.compress(data) if suffix == ".gz" else zstandard.compress(data)
    path = tmp_path / f"pages.jsonl{suffix}"
    path.write_bytes(packed)
    assert len(split(path)[0]) == 5000
    path.write_bytes(packed[: len(packed) // 2])
    pages, broken = split(path)
    assert 1000 < len(pages) < 4000
    assert [p.url for p in pages] == [f"https://a.org/{n}" for n in range(len(pages))]
    assert [b.where for b in broken] == [f"after line {len(pages)}"]
    assert "truncated" in broken[0].reason


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_damaged_archive_gives_what_it_can_and_one_broken(tmp_path: Path, suffix: str) -> None:
    data = _many(20_000)
    packed = bytearray(gzip.compress(data) if suffix == ".gz" else zstandard.compress(data))
    packed[len(packed) // 2 :] = b"\xaa" * (len(packed) // 2)
    path = tmp_path / f"pages.jsonl{suffix}"
    path.write_bytes(packed)
    records = list(read_pages(path))
    assert isinstance(records[-1], Broken)
    assert "damaged" in records[-1].reason
    assert len(records) > 1000


def test_several_members_and_padding_are_one_stream(tmp_path: Path) -> None:
    first, second = (json.dumps({**FLAT, "url": f"https://a.org/{n}"}).encode() + b"\n" for n in (1, 2))
    path = tmp_path / "pages.jsonl.gz"
    path.write_bytes(gzip.compress(first) + gzip.compress(second) + b"\0" * 5000)
    assert [p.url for p in split(path)[0]] == ["https://a.org/1", "https://a.org/2"]
    path = tmp_path / "pages.jsonl.zst"
    path.write_bytes(zstandard.compress(first) + zstandard.compress(second))
    assert [p.url for p in split(path)[0]] == ["https://a.org/1", "https://a.org/2"]


def test_compression_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    path.write_bytes(gzip.compress(json.dumps(FLAT).encode()))
    assert len(split(path)[0]) == 1
    path = write(tmp_path / "plain.jsonl.zst", FLAT)
    assert len(split(path)[0]) == 1
    path = write(tmp_path / "none.jsonl.gz", b"<<<")
    path.write_bytes(b"\x01\x02 neither")
    with pytest.raises(CorpusError, match="not a gzip file"):
        split(path)


def test_a_byte_order_mark_and_crlf_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(FLAT).encode() + b"\r\n\r\n" + json.dumps(FLAT).encode())
    pages, broken = split(path)
    assert len(pages) == 2
    assert not broken


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "does not exist"),
        ("empty.jsonl", b"", "is empty"),
        ("blank.jsonl", b"\n\n  \n", "is empty"),
        ("array.json", b"[\n" + json.dumps(FLAT, indent=1).encode() + b"\n]", r"jq -c '\.\[\]' array.json"),
        ("other.jsonl", b'{"question": "q", "answers": ["a"]}\n', r"it has: question, answers"),
        ("prose.jsonl", b"Once upon a time\n", "no JSON object on a line"),
        ("none.xyz", b"data", "no kind that can be read"),
        ("empty.jsonl.zst", zstandard.compress(b""), "is empty"),
        ("cut.jsonl.zst", zstandard.compress(json.dumps(FLAT).encode() * 99)[:9], "truncated"),
    ],
)
def test_a_source_without_a_page_is_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=message) as caught:
        split(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_of_other_records_is_given_up_early(tmp_path: Path) -> None:
    path = write(tmp_path / "questions.jsonl", *([{"question": "q" * 1000}] * 5000))
    told: list[int] = []
    with pytest.raises(CorpusError, match="it has: question"):
        list(read_pages(path, progress=told.append))
    assert told[-1:] == [] or told[-1] < path.stat().st_size


def test_progress_reaches_the_size(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl.zst"
    path.write_bytes(zstandard.compress(_many(3000)))
    told: list[int] = []
    assert sum(1 for _ in read_pages(path, progress=told.append)) == 3000
    assert told == sorted(told)
    assert told[-1] == size_of(path) == path.stat().st_size


def test_the_shared_world_is_read_whole(shared: Path) -> None:
    pages, broken = split(shared / "multihop" / "pages.jsonl.zst")
    assert len(pages) == 38_471
    assert not broken
