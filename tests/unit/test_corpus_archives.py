"""Zip and tar archives: read in their own order, nothing on disk, cut and hostile ones told apart from whole ones."""

import gzip
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from lite.corpus import read_pages, size_of
from lite.errors import CorpusError
from lite.records import Broken, Page

FILES = {
    "site/b.html": b"<title>B</title><p>b <a href=a.md>a</a>",
    "site/a.md": b"# A\n\ntext",
    "site/pages.jsonl": b'{"url": "https://a.org/1", "doc": "line"}\n{"broken\n',
    "site/style.css": b"no",
    "site/.hidden.md": b"no",
    "__MACOSX/site/._a.md": b"no",
}
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst")


def pack(path: Path, files: dict[str, bytes]) -> Path:
    buffer = io.BytesIO()
    if path.suffix == ".zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    packers = {".gz": gzip.compress, ".tgz": gzip.compress, ".zst": zstandard.compress}
    path.write_bytes(packers.get(path.suffix, bytes)(buffer.getvalue()))
    return path


def split(source: Path, **options: str) -> tuple[list[Page], list[Broken]]:
    records = list(read_pages(source, **options))
    return [r for r in records if isinstance(r, Page)], [r for r in records if isinstance(r, Broken)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_members_become_pages(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"docs{suffix}", FILES)
    told: list[int] = []
    before = sorted(tmp_path.iterdir())
    records = list(read_pages(path, progress=told.append))
    assert records[:3] == [
        Page(url="https://local/docs/site/b.html", title="B", text="b [a](https://local/docs/site/a.md)"),
        Page(url="https://local/docs/site/a.md", title="A", text="# A\n\ntext"),
        Page(url="https://a.org/1", text="line"),
    ]
    assert [(r.source, r.where) for r in records[3:] if isinstance(r, Broken)] == [
        (f"{path}/site/pages.jsonl", "line 2")
    ]
    assert told == sorted(told)
    assert told[-1] == size_of(path)
    assert sorted(tmp_path.iterdir()) == before
    assert split(path, base_url="https://a.org/")[0][0].url == "https://a.org/site/b.html"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_members_may_be_packed_themselves(tmp_path: Path, suffix: str) -> None:
    inside = {
        "a.html.gz": gzip.compress(b"<title>A</title><p>a"),
        "b.jsonl.zst": zstandard.compress(b'{"url": "https://a.org/b", "title": "B", "doc": "b"}\n'),
        "c.json": b'{"url": "https://a.org/c", "title": "C", "doc": "c"}\n',
        "d.md.gz": gzip.compress(b"# D" * 999)[:20],
        "e.html.gz": b"nothing of the kind",
    }
    pages, broken = split(pack(tmp_path / f"docs{suffix}", inside))
    assert [(page.title, page.text) for page in pages] == [("A", "a"), ("B", "b"), ("C", "c")]
    assert [record.where for record in broken] == ["d.md.gz", "e.html.gz"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_list_of_files_beside_or_inside_names_members(tmp_path: Path, suffix: str) -> None:
    inside = {
        "a.html": b"<p>a",
        "sub/b.html": b"<p>b",
        "sub/files.jsonl": b'{"file": "b.html", "url": "https://in.org/b"}',
    }
    path = pack(tmp_path / f"docs{suffix}", {f"./{name}": data for name, data in inside.items()})
    lines = [
        {"file": "a.html", "url": "https://out.org/a", "title": "A"},
        {"file": "sub/b.html", "url": "https://out.org/b"},
    ]
    (tmp_path / "files.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [(p.url, p.title) for p in split(path)[0]] == [("https://out.org/a", "A"), ("https://in.org/b", "b")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_may_hold_archives(tmp_path: Path, suffix: str) -> None:
    pack(tmp_path / f"docs{suffix}", {"a.md": b"in an archive"})
    (tmp_path / "b.md").write_text("beside it")
    (tmp_path / "c.zip").write_bytes(b"no zip")
    pages, broken = split(tmp_path)
    assert sorted(p.text for p in pages) == ["beside it", "in an archive"]
    assert [Path(b.source).name for b in broken] == ["c.zip"]


def test_an_archive_in_a_subfolder_keeps_its_folder(tmp_path: Path) -> None:
    for at in ("", "old/", "new one/"):
        (tmp_path / at).mkdir(exist_ok=True)
        pack(tmp_path / at / "site.zip", {"a/index.html": b"<p>x"})
    assert [p.url for p in split(tmp_path, base_url="https://x.org")[0]] == [
        "https://x.org/new%20one/a/index.html",
        "https://x.org/old/a/index.html",
        "https://x.org/a/index.html",
    ]
    assert [p.url for p in split(tmp_path)[0]] == [
        "https://local/new%20one/site/a/index.html",
        "https://local/old/site/a/index.html",
        "https://local/site/a/index.html",
    ]


def test_an_archive_is_told_by_its_beginning(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.zip", {"word/document.xml": b"<x/>"}).read_bytes()
    assert split(pack(tmp_path / "docs.tar", {"a.md": b"in a tar", "report.docx": inner}))[0][0].text == "in a tar"
    whole = pack(tmp_path / "whole.zip", {"a.md": b"in a zip"})
    (tmp_path / "self.zip").write_bytes(b"#!/bin/sh\n" * 100 + whole.read_bytes())
    assert split(tmp_path / "self.zip")[0][0].text == "in a zip"
    whole.rename(tmp_path / "named.tar")
    assert split(tmp_path / "named.tar")[0][0].text == "in a zip"


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_member_cannot_leave_the_archive(tmp_path: Path, suffix: str) -> None:
    path = pack(
        tmp_path / f"docs{suffix}", {"../../escaped.md": b"x", "/abs.md": b"x", "a/../../up.md": b"x", "fine.md": b"x"}
    )
    pages, broken = split(path)
    assert [p.url for p in pages] == ["https://local/docs/fine.md"]
    assert [(b.where, b.reason) for b in broken] == [
        (name, "its path leads out of the archive") for name in ("../../escaped.md", "/abs.md", "a/../../up.md")
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "docs.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind, target in (("a.md", tarfile.SYMTYPE, "/etc/passwd"), ("b.md", tarfile.LNKTYPE, "fine.md")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        info = tarfile.TarInfo("c.md")
        info.type = tarfile.CHRTYPE
        archive.addfile(info)
        info = tarfile.TarInfo("fine.md")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"fine"))
    assert [p.text for p in split(path)[0]] == ["fine"]


def test_bad_members_are_counted_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "docs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", b"0" * (33 * 2**20))
        archive.writestr("bytes.md", b"\xff\xff")
        archive.writestr("crc.txt", b"checksum " * 100, zipfile.ZIP_STORED)
        archive.writestr("fine.txt", b"fine")
    data = bytearray(path.read_bytes())
    data[data.index(b"checksum ") + 3] ^= 1
    locked = data.rindex(b"PK\x01\x02")
    path.write_bytes(data)
    pages, broken = split(path)
    assert [p.text for p in pages] == ["fine"]
    assert [(b.where, b.reason[:20]) for b in broken] == [
        ("bomb.txt", "longer than 32 MB"),
        ("bytes.md", "not UTF-8 (byte 0xff"),
        ("crc.txt", "its bytes cannot be "),
    ]
    data[locked + 8] |= 1  # says that the last member is encrypted
    path.write_bytes(data)
    with pytest.raises(CorpusError, match="holds no page"):
        split(path)


def many(suffix: str, tmp_path: Path) -> Path:
    noise = {f"{n:03}.txt": bytes(f"{n} ", "ascii") + os.urandom(3000).hex().encode() for n in range(100)}
    return pack(tmp_path / f"many{suffix}", noise)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
@pytest.mark.parametrize("share", [0.3, 0.501, 0.77, 0.96])
def test_a_truncated_tar_gives_what_it_has_and_one_broken(tmp_path: Path, suffix: str, share: float) -> None:
    path = many(suffix, tmp_path)
    assert len(split(path)[0]) == 100
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    pages, broken = split(path)
    assert 100 * share - 25 < len(pages) < 100
    assert [p.url for p in pages] == [f"https://local/many/{n:03}.txt" for n in range(len(pages))]
    assert [b.source for b in broken] == [str(path)]
    assert any(word in broken[0].reason for word in ("truncated", "unexpected end"))


def test_a_damaged_header_in_a_tar_is_noticed(tmp_path: Path) -> None:
    path = many(".tar", tmp_path)
    data = bytearray(path.read_bytes())
    place = data.index(b"050.txt")
    data[place : place + 400] = b"\xaa" * 400
    path.write_bytes(data)
    pages, broken = split(path)
    assert len(pages) == 50
    assert [b.where for b in broken] == ["after 049.txt"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_archive_is_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"docs{suffix}"
    path.write_bytes(b"\xaa\xbb" * 5000)
    with pytest.raises(CorpusError, match=r"no (zip|tar|gzip|zstd|tar archive)|is not a (gzip|zstd) file") as caught:
        split(path)
    assert "\n" not in str(caught.value)
    pack(path, FILES)
    data = path.read_bytes()
    path.write_bytes(data[:300] if suffix in (".zip", ".tar") else data[:60])
    with pytest.raises(CorpusError, match="truncated"):
        split(path)


def test_the_shared_archive_has_its_urls_beside_it(shared: Path) -> None:
    pages, broken = split(shared / "html" / "pages.tar.zst")
    assert (len(pages), broken) == (300, [])
    assert all(p.url.startswith("https://en.wikipedia.org/wiki/") and p.title for p in pages)
    assert sum(p.text.count("\n|---|") for p in pages) > 1900  # of 2,566 tables, the layout and the one-column ones
    assert sum(p.text.count("](http") for p in pages) > 74_000


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_member_names_may_be_any_bytes(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"docs{suffix}", {"cafX.md": b"one", "two\nlines.txt": b"\xff", "\u4e2d.md": b"three"})
    path.write_bytes(path.read_bytes().replace(b"cafX.md", b"caf\xe9.md"))
    if suffix == ".tar":  # its header has a checksum
        data = bytearray(path.read_bytes())
        data[148:156] = b"        "
        data[148:156] = b"%06o\0 " % sum(data[:512])
        path.write_bytes(data)
    pages, broken = split(path)
    assert [p.text for p in pages] == ["one", "three"]
    assert pages[0].url.isascii()
    assert pages[1].url == "https://local/docs/%E4%B8%AD.md"
    assert [b.where for b in broken] == ["two lines.txt"]
