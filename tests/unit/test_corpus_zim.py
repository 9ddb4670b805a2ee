"""ZIM archives: the pages, the URLs they have on the web, and links that stay inside the world."""

from pathlib import Path

import pytest

from lite.corpus import read_pages, size_of
from lite.corpus.html import MAX_HTML
from lite.errors import CorpusError, UsageError
from lite.records import Broken, Page

writer = pytest.importorskip("libzim.writer", reason="needs the extra `zim`")


class Entry(writer.Item):
    """One entry of an archive to be written."""

    def __init__(self, path: str, title: str, content: str, media: str = "text/html") -> None:
        super().__init__()
        self.path, self.title, self.content, self.media = path, title, content, media

    def get_path(self) -> str:
        return self.path

    def get_title(self) -> str:
        return self.title

    def get_mimetype(self) -> str:
        return self.media

    def get_contentprovider(self) -> object:
        return writer.StringProvider(self.content)

    def get_hints(self) -> dict:
        return {writer.Hint.FRONT_ARTICLE: self.media == "text/html"}


def write(path: Path, entries: list[Entry], redirects: dict[str, str] | None = None) -> Path:
    with writer.Creator(path).config_compression("zstd") as creator:
        creator.set_mainpath(entries[0].path)
        for entry in entries:
            creator.add_item(entry)
        for source, target in (redirects or {}).items():
            creator.add_redirection(source, source, target, {writer.Hint.FRONT_ARTICLE: True})
    return path


def split(source: Path, **options: str) -> tuple[list[Page], list[Broken]]:
    records = list(read_pages(source, **options))
    return [r for r in records if isinstance(r, Page)], [r for r in records if isinstance(r, Broken)]


LINKS = (
    "<p><a href='./France'>inside</a> <a href='Lutetia#History'>redirected</a> <a href='missing'>missing</a> "
    "<a href='map.png'>picture</a> <a href='https://x.org/y'>outside</a> <a href='Caf%c3%a9_(Paris)'>quoted</a> "
    "<a href='#here'>here</a>"
)
ENTRIES = [
    Entry("Paris", "Paris", LINKS),
    Entry("France", "France", "<p>A country. <a href='Paris'>Paris</a>"),
    Entry("Café_(Paris)", "Café", "<p>A place."),
    Entry("map.png", "", "png", "image/png"),
]


def test_pages_links_and_redirects(tmp_path: Path) -> None:
    path = write(tmp_path / "wiki.zim", ENTRIES, {"Lutetia": "Paris", "Lutèce": "Paris"})
    told: list[int] = []
    records = list(read_pages(path, progress=told.append))
    at = "https://local/wiki/"
    assert records[:3] == [
        Page(url=f"{at}Caf%C3%A9_(Paris)", title="Café", text="A place."),
        Page(url=f"{at}France", title="France", text=f"A country. [Paris]({at}Paris)"),
        Page(
            url=f"{at}Paris",
            title="Paris",
            text=f"[inside]({at}France) [redirected]({at}Paris#History) missing picture [outside](https://x.org/y) "
            f"[quoted]({at}Caf%C3%A9_(Paris)) here",
        ),
    ]
    assert [(r.where, r.reason[:11]) for r in records[3:] if isinstance(r, Broken)] == [("redirects", "2 redirects")]
    assert told == sorted(told)
    assert told[-1] == size_of(path)


def test_the_base_is_given_or_agreed_on_by_canonical_links(tmp_path: Path) -> None:
    head = "<link rel=canonical href='https://en.wikipedia.org/wiki/{}'>"
    entries = [Entry(e.path, e.title, head.format(e.path) + e.content, e.media) for e in ENTRIES]
    path = write(tmp_path / "wiki.zim", entries)
    pages, _ = split(path)
    assert [p.url for p in pages] == [
        f"https://en.wikipedia.org/wiki/{name}" for name in ("Caf%C3%A9_(Paris)", "France", "Paris")
    ]
    assert "[inside](https://en.wikipedia.org/wiki/France)" in pages[2].text
    pages, _ = split(path, base_url="https://a.org/w")
    assert pages[1].url == "https://a.org/w/France"
    with pytest.raises(UsageError, match="base URL cannot be used"):
        split(path, base_url="a.org")
    other = Entry("Odd", "Odd", "<link rel=canonical href='https://elsewhere.org/Odd'><p>x")
    pages, _ = split(write(tmp_path / "mixed.zim", [*entries, other]))
    assert {p.url.rpartition("/")[0] for p in pages} == {"https://local/mixed"}


def test_bad_entries_are_counted_and_named(tmp_path: Path) -> None:
    entries = [
        Entry("deep", "deep", "<div>" * 3000),
        Entry("empty", "empty", "<script></script>"),
        Entry("fine", "fine", "<p>fine"),
        Entry("huge", "huge", "<p>" + "x" * MAX_HTML),
    ]
    pages, broken = split(write(tmp_path / "wiki.zim", entries))
    assert [p.title for p in pages] == ["fine"]
    assert [(b.where, b.reason[:16]) for b in broken] == [
        ("deep", "elements nested "),
        ("empty", "no text"),
        ("huge", "longer than 16 M"),
    ]


def test_missing_clusters_cost_their_entries(tmp_path: Path) -> None:
    entries = [Entry(f"p{n:04}", f"p{n}", f"<p>page {n} " + f"{n * 7919} " * 3000) for n in range(400)]
    path = write(tmp_path / "wiki.zim", entries)
    whole, _ = split(path)
    assert len(whole) == 400
    data = bytearray(path.read_bytes())
    clusters = [place for place in range(len(data) - 4) if data[place : place + 4] == b"\x28\xb5\x2f\xfd"]
    for place in clusters[1:2]:
        data[place : place + 500] = b"\xaa" * 500
    path.write_bytes(data)
    pages, broken = split(path)
    assert 0 < len(pages) < 400
    assert len(pages) + len(broken) == 400
    assert all(p in whole for p in pages)
    assert all("\n" not in b.reason and b.reason for b in broken)


def test_what_is_truncated_or_no_zim_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "wiki.zim", ENTRIES)
    data = path.read_bytes()
    for content in (b"no ZIM", data[:10], data[:100], data[: len(data) // 2], data[:-9]):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match="truncated or no ZIM archive") as caught:
            split(path)
        assert "\n" not in str(caught.value)
