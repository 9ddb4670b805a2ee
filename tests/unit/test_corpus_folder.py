"""Folders of HTML, Markdown and text: which files, in which order, under which URLs."""

import gzip
import json
import os
from pathlib import Path

import pytest
import zstandard

from lite.corpus import read_pages, size_of
from lite.errors import CorpusError, UsageError
from lite.records import Broken, Page


def put(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def split(source: Path, **options: str) -> tuple[list[Page], list[Broken]]:
    records = list(read_pages(source, **options))
    return [r for r in records if isinstance(r, Page)], [r for r in records if isinstance(r, Broken)]


def test_files_are_read_in_path_order_whatever_made_them(tmp_path: Path) -> None:
    names = ["z.md", "a/b.html", "a.txt", "a/B.htm", "a-b/c.markdown", "é.txt"]
    for turn in (names, names[::-1]):
        folder = put(tmp_path / f"docs{len(turn)}{turn[0][0]}" / "docs", dict.fromkeys(turn, "<p>x</p>"))
        put(folder, {".hidden.md": "no", ".git/x.md": "no", "style.css": "no", "a/logo.png": b"\x89PNG"})
        assert [p.url for p in split(folder)[0]] == [
            f"https://local/docs/{path}"
            for path in ("a-b/c.markdown", "a.txt", "a/B.htm", "a/b.html", "z.md", "%C3%A9.txt")
        ]


def test_where_a_url_comes_from(tmp_path: Path) -> None:
    canonical = "<link rel=canonical href='{}'><title>T</title><p>x <a href='n.html'>n</a>"
    folder = put(
        tmp_path / "site",
        {
            "listed.html": canonical.format("https://b.org/c"),
            "own.html": canonical.format("https://b.org/c"),
            "relative.html": canonical.format("/c/d"),
            "useless.html": canonical.format("javascript:x"),
            "sub/plain page.html": "<p>x <a href='n.html'>n</a>",
            "files.jsonl": '{"file": "listed.html", "url": "https://listed.org/1", "title": "Listed"}\n',
        },
    )
    pages = {p.url: p for p in split(folder)[0]}
    assert list(pages) == [
        "https://listed.org/1",
        "https://b.org/c",
        "https://local/c/d",
        "https://local/site/sub/plain%20page.html",
        "https://local/site/useless.html",
    ]
    assert pages["https://listed.org/1"].title == "Listed"
    assert pages["https://listed.org/1"].text == "x [n](https://listed.org/n.html)"
    based = [p.url for p in split(folder, base_url="https://a.org/docs")[0]]
    assert based == [
        "https://listed.org/1",
        "https://b.org/c",
        "https://a.org/c/d",
        "https://a.org/docs/sub/plain%20page.html",
        "https://a.org/docs/useless.html",
    ]


def test_a_list_of_files_names_files_below_and_the_nearest_list_wins(tmp_path: Path) -> None:
    lines = [
        {"file": "pages/a.html", "url": "https://a.org/top", "title": "Top"},
        {"file": "./pages/b.html", "url": "//a.org/b"},
    ]
    bad = ["not json", '{"file": "c.html"}', '{"file": "pages/c.html", "url": "c.org"}', "[1]"]
    folder = put(
        tmp_path,
        {
            "files.jsonl": "\n".join([json.dumps(line) for line in lines] + bad),
            "pages/files.jsonl": json.dumps({"file": "a.html", "url": "https://a.org/near"}),
            **dict.fromkeys(("pages/a.html", "pages/b.html", "pages/c.html"), "<title>Own</title><p>x"),
        },
    )
    pages, broken = split(folder, base_url="https://base.org/")
    assert [(p.url, p.title) for p in pages] == [
        ("https://a.org/near", "Own"),
        ("https://a.org/b", "Own"),
        ("https://base.org/c.org", "Own"),
    ]
    assert [(Path(b.source).name, b.where) for b in broken] == [("files.jsonl", f"line {n}") for n in (3, 4, 6)]


def test_markdown_front_matter_titles_and_links(tmp_path: Path) -> None:
    folder = put(
        tmp_path,
        {
            "a.md": '---\ntitle: "The A"\nurl: https://a.org/a\n---\n\n# Heading\n\n[b](b.md "B") [c](#c) ![i](i.png)\n'
            "[d](https://d.org/) [e [1]](../e.md)\n\n```\n[no](no.md)\n```\n[f](/f)",
            "b.md": "\ufefftext\r\n\r\n## Second *level* ##\r\nmore",
            "c.md": "no heading",
            "d.txt": "# not a heading",
        },
    )
    a, b, c, d = split(folder)[0]
    assert (a.url, a.title) == ("https://a.org/a", "The A")
    assert a.text == (
        '# Heading\n\n[b](https://a.org/b.md "B") [c](#c) ![i](i.png)\n'
        "[d](https://d.org/) [e [1]](https://a.org/e.md)\n\n```\n[no](no.md)\n```\n[f](https://a.org/f)"
    )
    assert (b.title, b.text) == ("Second *level*", "text\n\n## Second *level* ##\nmore")
    assert (c.title, d.title, d.text) == ("c", "d", "# not a heading")


def test_markdown_links_of_every_spelling_and_headings_of_both(tmp_path: Path) -> None:
    text = (
        "Of all things\n=====\n\n```sh\n# no heading\n```\n"
        "[a](A_(b).md) [b](<My Note.md>) [c](sub/c.md 'C') [d](d.md (D)) [e](<e.md> \"E\") [f]( f.md )"
    )
    put(tmp_path, {"n.md": text, "o.md": "```sh\n# no heading\n```\n\n# One"})
    new, one = split(tmp_path, base_url="https://a.org/")[0]
    assert (new.title, one.title) == ("Of all things", "One")
    assert new.text.splitlines()[-1] == (
        "[a](https://a.org/A_(b).md) [b](https://a.org/My%20Note.md) [c](https://a.org/sub/c.md 'C') "
        '[d](https://a.org/d.md (D)) [e](https://a.org/e.md "E") [f](https://a.org/f.md)'
    )


def test_a_rule_at_the_beginning_is_no_front_matter(tmp_path: Path) -> None:
    put(tmp_path, {"a.md": "---\nSome text.\n\n---\nMore.", "b.md": "---\n\ntitle: x\n---\ny"})
    put(
        tmp_path, {"c.md": "---\ntitle: C\ntags:\n- a\n  b: c\n# note\n\nempty:\n...\ntext", "d.md": "---\n# D\n---\nz"}
    )
    assert [(page.title, page.text) for page in split(tmp_path)[0]] == [
        ("a", "---\nSome text.\n\n---\nMore."),
        ("b", "---\n\ntitle: x\n---\ny"),
        ("C", "text"),
        ("D", "---\n# D\n---\nz"),
    ]


def test_a_packed_page_is_of_its_own_kind(tmp_path: Path) -> None:
    put(tmp_path, {"a.html.gz": gzip.compress(b"<title>A</title><p>x<script>no()</script>")})
    put(tmp_path, {"b.txt.gz": gzip.compress(b"# b"), "c.md.zst": zstandard.compress(b"see [a](a.html)")})
    assert [(page.title, page.text) for page in split(tmp_path, base_url="https://a.org/")[0]] == [
        ("A", "x"),
        ("b", "# b"),
        ("c", "see [a](https://a.org/a.html)"),
    ]


def test_a_colon_in_a_name_is_no_scheme(tmp_path: Path) -> None:
    put(tmp_path, {"Category:Rivers.html": "<p>x", "sub/a:b.md": "y", "http:x.md": "z"})
    assert [page.url for page in split(tmp_path, base_url="https://a.org/w")[0]] == [
        "https://a.org/w/Category:Rivers.html",
        "https://a.org/w/http:x.md",
        "https://a.org/w/sub/a:b.md",
    ]


def test_a_bad_file_is_counted_and_named(tmp_path: Path) -> None:
    folder = put(
        tmp_path,
        {
            "a.html": b"",
            "b.md": b"caf\xe9",
            "c.html": "<script>only()</script>",
            "d.html": b"<div>" * 3000,
            "e.jsonl": '{"question": "q"}\n',
            "f.txt": "x" * (33 * 2**20),
            "g.txt": "good",
            "h.txt": "utf 16".encode("utf-16"),
        },
    )
    pages, broken = split(folder)
    assert [p.text for p in pages] == ["good", "utf 16"]
    assert [(Path(b.source).name, b.reason[:24]) for b in broken] == [
        ("a.html", "no HTML"),
        ("b.md", "not UTF-8 (byte 0xe9 at "),
        ("c.html", "no text"),
        ("d.html", "elements nested deeper t"),
        ("e.jsonl", str(folder / "e.jsonl")[:24]),
        ("f.txt", "longer than 32 MB"),
    ]


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    secret = put(tmp_path / "outside", {"secret.txt": "secret", "dir/more.txt": "secret"})
    folder = put(tmp_path / "docs", {"in.txt": "in", "files.jsonl": ""})
    (folder / "again.txt").symlink_to("in.txt")
    (folder / "out.txt").symlink_to(secret / "secret.txt")
    (folder / "nowhere.txt").symlink_to("missing")
    (folder / "dir").symlink_to(secret / "dir")
    (folder / "loop").symlink_to(folder)
    (folder / "files.jsonl").unlink()
    (folder / "files.jsonl").symlink_to(secret / "secret.txt")
    pages, broken = split(folder)
    assert [(p.url, p.text) for p in pages] == [
        ("https://local/docs/again.txt", "in"),
        ("https://local/docs/in.txt", "in"),
    ]
    assert [Path(b.source).name for b in broken] == ["nowhere.txt", "out.txt"]
    assert size_of(folder) == 2 + 2


def test_jsonl_in_a_folder_and_progress(tmp_path: Path) -> None:
    line = json.dumps({"url": "https://a.org/1", "doc": "text"})
    folder = put(tmp_path, {"a.jsonl": line + "\n" + line, "b/c.md": "x", "skipped.bin": b"x" * 1000})
    told: list[int] = []
    records = list(read_pages(folder, progress=told.append))
    assert [r.text for r in records if isinstance(r, Page)] == ["text", "text", "x"]
    assert told[-1] == size_of(folder) == (folder / "a.jsonl").stat().st_size + 1


def test_a_single_file_finds_the_list_beside_it(tmp_path: Path) -> None:
    put(tmp_path, {"a.html": "<p>x", "files.jsonl": '{"file": "a.html", "url": "https://a.org/a", "title": "A"}'})
    assert split(tmp_path / "a.html")[0] == [Page(url="https://a.org/a", title="A", text="x")]


def test_an_unusable_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no page"):
        split(tmp_path)
    with pytest.raises(CorpusError, match="does not exist"):
        size_of(tmp_path / "none")
    put(tmp_path, {"a.md": "x"})
    with pytest.raises(UsageError, match=r"base URL cannot be used.*https://example.org/"):
        split(tmp_path, base_url="example.org")


def test_file_names_may_be_any_bytes(tmp_path: Path) -> None:
    for name, text in ((b"caf\xe9.md", b"latin"), (b"bad\xff.md", b"\xff")):
        try:
            Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(text)
        except OSError:
            pytest.skip("this file system takes only names in UTF-8")
    pages, broken = split(tmp_path)
    assert [(p.url.rpartition("/")[2], p.title) for p in pages] == [("caf%E9.md", "caf\ufffd")]
    assert broken[0].source.endswith("bad\ufffd.md")
    broken[0].to_json().encode()


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read anything, so the system's answer is put in its mouth."""
    put(tmp_path, {"a.md": "x", "shut/b.md": "y", "c.warc": "z", "d.zip": "z"})
    scandir, opened = os.scandir, Path.open

    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", lambda path: refuse(path) if str(path).endswith("shut") else scandir(path))
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, *rest, **named: refuse(path) if path.suffix in {".warc", ".zip"} else opened(path, *rest, **named),
    )
    pages, broken = split(tmp_path)
    assert [page.text for page in pages] == ["x"]
    assert [(Path(b.source).name, b.where, b.reason) for b in broken] == [
        ("shut", "folder", "Permission denied"),
        ("c.warc", "file", "Permission denied"),
        ("d.zip", "file", "Permission denied"),
    ]
