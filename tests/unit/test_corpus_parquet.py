"""Parquet files of pages: columns recognised or named, damage counted by row or by row group."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lite.corpus import read_pages, size_of
from lite.errors import CorpusError
from lite.records import Broken, Page


def write(path: Path, columns: dict, **options: int) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def split(source: Path, **options: str) -> tuple[list[Page], list[Broken]]:
    records = list(read_pages(source, **options))
    return [r for r in records if isinstance(r, Page)], [r for r in records if isinstance(r, Broken)]


@pytest.mark.parametrize(
    "columns",
    [
        {"url": ["https://a.org/1"], "title": ["T"], "doc": ["x"]},
        {"id": [7], "url": ["https://a.org/1"], "title": ["T"], "text": ["x"], "score": [0.5]},
        {"id": ["7"], "text": ["x"], "metadata": [{"url": "https://a.org/1", "title": "T"}]},
        {"link": ["https://a.org/1"], "title": ["T"], "snippet": ["x"]},
        {
            "url": pa.array([b"https://a.org/1"], pa.binary()),
            "title": ["T"],
            "text": pa.array(["x"], pa.large_string()),
        },
    ],
)
def test_columns_are_recognised(tmp_path: Path, columns: dict) -> None:
    assert split(write(tmp_path / "p.parquet", columns)) == ([Page(url="https://a.org/1", title="T", text="x")], [])


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "p.parquet", {"page": [{"at": "/1"}], "name": ["T"], "body": ["x"]})
    with pytest.raises(CorpusError, match=r"its columns: page, name, body\).*url=NAME,text=NAME"):
        split(path)
    pages, _ = split(path, layout="url=page.at,title=name,text=body", base_url="https://a.org/")
    assert pages == [Page(url="https://a.org/1", title="T", text="x")]


def test_bad_rows_are_counted_and_named(tmp_path: Path) -> None:
    text = pa.array([b"a", b"\xff\xfe", b"c", None, b"", b"f\0"], pa.binary()).view(pa.binary())
    text = pa.Array.from_buffers(pa.string(), 6, text.buffers())  # as writers that do not check leave it
    url = [f"https://a.org/{n}" for n in range(5)] + ["a.org"]
    path = write(tmp_path / "p.parquet", {"url": url, "text": text})
    pages, broken = split(path)
    assert [p.url for p in pages] == ["https://a.org/0", "https://a.org/2"]
    assert [(b.where, b.reason[:20]) for b in broken] == [
        ("row 2", "not UTF-8 (byte 0xff"),
        ("row 4", "no text"),
        ("row 5", "no text"),
        ("row 6", "url without a scheme"),
    ]
    path = write(tmp_path / "b.parquet", {"url": url[:2], "text": pa.array([b"ok", b"\xff"], pa.binary())})
    assert [b.reason[:9] for b in split(path)[1]] == ["not UTF-8"]


def test_a_damaged_row_group_costs_its_rows(tmp_path: Path) -> None:
    columns = {"url": [f"https://a.org/{n}" for n in range(900)], "text": [f"text {n * 7919}" * 9 for n in range(900)]}
    path = write(tmp_path / "p.parquet", columns, row_group_size=300)
    facts = pq.ParquetFile(path).metadata.row_group(1).column(1)
    data = bytearray(path.read_bytes())
    start = facts.dictionary_page_offset or facts.data_page_offset
    data[start : start + 60] = b"\xaa" * 60
    path.write_bytes(data)
    pages, broken = split(path)
    assert [p.url for p in pages] == [f"https://a.org/{n}" for n in (*range(300), *range(600, 900))]
    assert [b.where for b in broken] == ["row 301"]
    assert "row group 1 cannot be read" in broken[0].reason
    assert "\n" not in broken[0].reason


def test_what_is_truncated_or_no_parquet_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "p.parquet", {"url": ["https://a.org/1"], "text": ["x"]})
    data = path.read_bytes()
    for content in (data[: len(data) // 2], data[:5], b"PAR1" * 10, b"text"):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=r"truncated or no Parquet file.*fetch it again") as caught:
            split(path)
        assert "\n" not in str(caught.value)


def test_rows_of_something_else_are_given_up(tmp_path: Path) -> None:
    path = write(tmp_path / "p.parquet", {"url": [""] * 5000, "question": ["q"] * 5000})
    with pytest.raises(CorpusError, match="its columns: url, question"):
        split(path)


def test_progress_reaches_the_size(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.parquet",
        {"url": [f"https://a.org/{n}" for n in range(1000)], "text": ["x"] * 1000},
        row_group_size=100,
    )
    told: list[int] = []
    assert len(list(read_pages(path, progress=told.append))) == 1000
    assert told == sorted(told)
    assert len(told) > 5
    assert told[-1] == size_of(path)
