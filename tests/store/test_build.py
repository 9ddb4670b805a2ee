"""Building a world: order, kills, locks, and what lies in the way."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lite.errors import CorpusError, LiteError, UsageError, WorldError
from lite.index import manifest
from lite.index.build import Progress
from lite.index.lock import writing
from lite.index.pages import PageStore
from lite.index.staging import text_hash
from lite.records import Broken
from lite.world import World

Say = Callable[[World], str]
Corpus = Callable[..., Path]
ATLAS = Path(__file__).resolve().parents[2] / "data" / "atlas.jsonl.zst"
BUILD = """
import os, signal, sys
from lite.world import World
stage, count = sys.argv[3], int(sys.argv[4])
seen = 0
def progress(now):
    global seen
    seen += now.stage == stage
    if seen == count:
        os.kill(os.getpid(), signal.SIGKILL)
World.build(sys.argv[1].split("|"), sys.argv[2], date="2026-01-02", progress=progress)
"""


def record(name: str) -> str:
    return json.dumps({"url": f"https://w.test/{name}", "title": name, "doc": f"The text of {name}."})


def killed_build(sources: list[Path], out: Path, stage: str, count: int) -> int:
    command = [sys.executable, "-c", BUILD, "|".join(map(str, sources)), str(out), stage, str(count)]
    return subprocess.run(command, check=False, capture_output=True).returncode


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, atlas_records: list[dict[str, str]]) -> list[Path]:
    """Two files of the atlas, with exact duplicates and URLs that come with two texts across them."""
    atlas_records = atlas_records[:2200]
    tmp_path = tmp_path_factory.mktemp("sources")
    half = len(atlas_records) // 2
    first, second = atlas_records[:half], atlas_records[half:]
    second = second + [dict(r, url=r["url"] + "?copy", title="Copy of " + r["title"]) for r in first[:40]]
    second = second + [dict(r, doc="Another text. " + r["doc"]) for r in first[40:80]] + first[80:90]
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path, records in zip(paths, (first, second), strict=True):
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return paths


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sources: list[Path]) -> World:
    return World.build(sources, tmp_path_factory.mktemp("whole") / "world", date="2026-01-02")


@pytest.mark.parametrize(("stage", "count"), [("read", 1), ("read", 3), ("write", 1), ("write", 3)])
def test_a_killed_build_ends_as_one_that_was_not(
    tmp_path: Path, sources: list[Path], whole: World, answers: Say, stage: str, count: int
) -> None:
    out = tmp_path / "killed"
    assert killed_build(sources, out, stage, count) == -signal.SIGKILL
    with pytest.raises(WorldError, match="was interrupted: run the same `lite world build` again"):
        World.open(out)
    with World.build(sources, out, date="2026-01-02") as again:
        assert (again.digest, again.index_id) == (whole.digest, whole.index_id)
        assert answers(again) == answers(whole)
        assert again.check() == []
    assert sorted(path.name for path in out.iterdir()) == ["g1", "world.json"]


def test_a_resumed_build_does_not_read_again_what_it_has(tmp_path: Path, sources: list[Path]) -> None:
    def reads(out: Path) -> list[Progress]:
        seen: list[Progress] = []
        World.build(sources, out, progress=seen.append).close()
        return [now for now in seen if now.stage == "read"]

    killed_build(sources, tmp_path / "killed", "read", 2)
    assert reads(tmp_path / "killed") == reads(tmp_path / "whole")[2:]


def test_kills_at_any_moment(tmp_path: Path, sources: list[Path], whole: World, answers: Say) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-c", BUILD, "|".join(map(str, sources)), str(out), "none", "0"]
    chance = random.Random(7)
    for _ in range(6):
        child = subprocess.Popen(command)
        time.sleep(0.3 + chance.random())
        child.kill()
        child.wait()
    with World.build(sources, out, date="2026-01-02") as again:
        assert again.digest == whole.digest
        assert answers(again) == answers(whole)
        assert again.check() == []


def test_order_decides_nothing(tmp_path: Path, sources: list[Path], whole: World, answers: Say) -> None:
    lines = [line for path in sources for line in path.read_text().splitlines()]
    random.Random(3).shuffle(lines)
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text("\n".join(lines))
    other = World.build(mixed, tmp_path / "other", date="2026-01-02")
    assert other.digest == whole.digest
    assert answers(other) == answers(whole)
    mine, theirs = other.info(), whole.info()
    for field in ("pages", "aliases", "links", "chars", "records", "repeated", "conflicts"):
        assert getattr(mine, field) == getattr(theirs, field), field
    # The rule, said once more in a few lines: the smaller hash wins a URL, the smallest URL names a text.
    texts: dict[str, str] = {}
    for found in map(json.loads, lines):
        url, text = found["url"], found["doc"]
        texts[url] = min(text, texts.get(url, text), key=text_hash)
    assert mine.pages == len(set(texts.values()))
    assert mine.aliases == len(texts) - mine.pages
    assert mine.conflicts == 40
    assert mine.repeated == len(lines) - len(texts) == 50
    assert {url for url in texts if other.resolve(url) != url} == {alias for alias, _, _ in other._pages.aliases()}
    assert all(other.visit(url, mode="raw").evidence == text for url, text in list(texts.items())[-200:])


def test_one_changed_character_is_another_digest(tmp_path: Path, corpus: Corpus) -> None:
    first = World.build(corpus({"a": "The text of a.", "b": "The text of b."}, "1.jsonl"), tmp_path / "1").digest
    second = World.build(corpus({"a": "The text of a.", "b": "The text of b!"}, "2.jsonl"), tmp_path / "2").digest
    assert second != first


def test_the_same_build_again_does_nothing(tmp_path: Path, corpus: Corpus) -> None:
    source = corpus({"a": "Some text."})
    World.build(source, tmp_path / "w").close()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*")}
    seen: list[Progress] = []
    moved = source.rename(tmp_path / "elsewhere.jsonl")  # the same bytes under another name are the same source
    World.build(moved, tmp_path / "w", progress=seen.append).close()
    assert seen == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*")} == before


@pytest.mark.parametrize("inside", ["world", "deep/world"])
def test_a_source_is_what_its_readers_read(tmp_path: Path, inside: str) -> None:
    source = tmp_path / "mine"
    (source / ".git").mkdir(parents=True)
    (source / "pages.jsonl").write_text(record("a"))
    out = source / inside
    digest = World.build(source, out).digest
    (source / ".git" / "index").write_text("touched")
    (source / ".notes.md").write_text("hidden")
    (source / "picture.png").write_bytes(b"no reader knows it")
    assert World.build(source, out).digest == digest
    (source / "b.md").write_text("# A page more")
    with pytest.raises(WorldError, match="finished world of other sources"):
        World.build(source, out)


def test_a_list_of_addresses_is_part_of_a_source(tmp_path: Path) -> None:
    page, names = tmp_path / "a.md", tmp_path / "files.jsonl"
    page.write_text("# A page")
    names.write_text('{"file": "a.md", "url": "https://w.test/1"}')
    for source, out in ((page, tmp_path / "one"), (tmp_path, tmp_path / "all")):
        names.write_text('{"file": "a.md", "url": "https://w.test/1"}')
        World.build(source, out).close()
        names.write_text('{"file": "a.md", "url": "https://w.test/2"}')
        with pytest.raises(WorldError, match="finished world of other sources"):
            World.build(source, out)


@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_build_within_its_source_goes_on_after_a_kill(tmp_path: Path, stage: str) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    (source / "pages.jsonl").write_text("\n".join(record(f"{n:04}") for n in range(1500)))
    assert killed_build([source], source / "world", stage, 1) == -signal.SIGKILL
    with World.build(source, source / "world", date="2026-01-02") as world:
        assert (world.info().pages, world.info().broken) == (1500, {})


def test_another_build_onto_a_finished_world_is_refused(tmp_path: Path, corpus: Corpus) -> None:
    World.build(corpus({"a": "Some text."}), tmp_path / "w").close()
    other = corpus({"b": "Other text."}, "other.jsonl")
    with pytest.raises(WorldError, match="finished world of other sources or settings: `lite world add` adds"):
        World.build(other, tmp_path / "w")
    with pytest.raises(WorldError, match="finished world"):
        World.build(tmp_path / "pages.jsonl", tmp_path / "w", limit=1)


def test_an_unfinished_build_of_other_sources_is_not_thrown_away(tmp_path: Path, sources: list[Path]) -> None:
    out = tmp_path / "killed"
    killed_build(sources, out, "read", 2)
    with pytest.raises(WorldError, match=r"unfinished build of .*a\.jsonl.*: run the command that began it, or remove"):
        World.build(sources[0], out)
    World.build(sources, out).close()


@pytest.mark.parametrize("name", ["thesis.tex", "pages.sqlite", "lexical"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, corpus: Corpus, name: str) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / name).write_text("years of work")
    with pytest.raises(WorldError, match=f"holds {name}.*name a new folder"):
        World.build(corpus({"a": "Some text."}), out)
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_text() == "years of work"


def test_a_file_is_no_place_for_a_world(tmp_path: Path, corpus: Corpus) -> None:
    source = corpus({"a": "Some text."})
    with pytest.raises(WorldError, match="is a file: name a folder"):
        World.build(source, source)
    with pytest.raises(WorldError, match="cannot be written"):
        World.build(source, source / "below")


def test_the_second_builder_is_told_who_holds_it(tmp_path: Path, corpus: Corpus) -> None:
    source, out = corpus({"a": "Some text."}), tmp_path / "w"
    out.mkdir()
    code = "import sys,time\nfrom pathlib import Path\nfrom lite.index.lock import writing\n"
    code += "with writing(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    child = subprocess.Popen([sys.executable, "-c", code, str(out)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    try:
        with pytest.raises(WorldError, match=f"written by process {child.pid} on .*: wait for it, or stop it"):
            World.build(source, out)
        with pytest.raises(WorldError, match=f"being built by process {child.pid} on .*: wait"):
            World.open(out)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    World.build(source, out).close()  # the lock died with its holder


def test_a_lock_is_free_after_use(tmp_path: Path) -> None:
    for _ in range(2):
        with writing(tmp_path):
            assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "\n\n", '{"url": "https://w.test/a"}\n', "not json\n"])
def test_sources_without_a_page_leave_nothing_behind(tmp_path: Path, content: str) -> None:
    source = tmp_path / "pages.jsonl"
    source.write_text(content)
    with pytest.raises(CorpusError) as caught:
        World.build(source, tmp_path / "w")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "w").exists()
    source.write_text(record("a"))
    World.build(source, tmp_path / "w").close()


@pytest.mark.parametrize("bad", ["", "no json\n" * 1500, '{"neither": "url", "nor": "text"}\n'])
@pytest.mark.parametrize("mend", ["mended", "left out"])
def test_a_bad_source_costs_nothing_that_was_read_before_it(tmp_path: Path, bad: str, mend: str) -> None:
    first, second, third = (tmp_path / name for name in ("1.jsonl", "2.jsonl", "3.jsonl"))
    first.write_text("\n".join(["no json", *(record(str(n)) for n in range(1200))]))
    second.write_text(bad)
    third.write_text(record("third"))
    with pytest.raises(CorpusError, match=r"2\.jsonl.*1200 pages of the sources before it are kept in") as caught:
        World.build([first, second, third], tmp_path / "w")
    assert "\n" not in str(caught.value)
    with pytest.raises(WorldError, match="was interrupted"):
        World.open(tmp_path / "w")
    with pytest.raises(WorldError, match="unfinished build"):  # what was read is thrown away for nobody
        World.build([third], tmp_path / "w")
    second.write_text(record("second"))
    sources = [first, second, third] if mend == "mended" else [first, third]
    seen: list[Progress] = []
    with World.build(sources, tmp_path / "w", progress=seen.append) as world:
        assert [now.pages for now in seen if now.stage == "read"] == list(range(1201, 1200 + len(sources)))
        info = world.info()
        assert (info.pages, info.records, sum(info.broken.values())) == (1199 + len(sources), 1199 + len(sources), 1)
        assert len(info.broken_first) == 1
        assert world.check() == []
    assert World.build(sources, tmp_path / "plain").digest == world.digest


def test_names_that_are_no_utf8(tmp_path: Path, corpus: Corpus) -> None:
    strange = os.fsdecode(b"o\xff")
    source = corpus({"a": "Some text."})
    for ask in (lambda out: World.build(source, out), World.open):
        with pytest.raises(LiteError, match="no valid UTF-8: give the folder of the world another name") as caught:
            ask(tmp_path / strange)
        str(caught.value).encode()
    assert not (tmp_path / strange).exists()
    folder = tmp_path / strange
    folder.mkdir()
    (folder / f"{strange}.jsonl").write_text(record("a"))
    for number, named in enumerate((folder, folder / f"{strange}.jsonl")):
        with World.build(named, tmp_path / f"w{number}") as world:
            assert "\ufffd" in world.info().settings.sources[0].name
            assert world.info().pages == 1


def test_a_missing_source_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.jsonl"):
        World.build(tmp_path / "nowhere.jsonl", tmp_path / "w")
    with pytest.raises(UsageError, match="name at least one source"):
        World.build([], tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_truncated_archive_gives_the_pages_before_the_cut(tmp_path: Path, atlas: World) -> None:
    whole = ATLAS.read_bytes()
    (tmp_path / "cut.jsonl.zst").write_bytes(whole[: len(whole) // 2])
    with World.build(tmp_path / "cut.jsonl.zst", tmp_path / "w") as world:
        info = world.info()
        assert 0 < info.pages < atlas.info().pages
        assert sum(info.broken.values()) == 1
        assert world.check() == []


def test_broken_records_are_counted_and_named(tmp_path: Path) -> None:
    good = record("a")
    lines = [good, "{broken", json.dumps({"url": "https://w.test/b", "doc": ""}), *["no json"] * 30, good]
    (tmp_path / "pages.jsonl").write_text("\n".join(lines))
    info = World.build(tmp_path / "pages.jsonl", tmp_path / "w").info()
    assert (info.pages, info.records, info.repeated) == (1, 2, 1)
    assert sum(info.broken.values()) == 32
    assert len(info.broken_first) == 20
    assert isinstance(info.broken_first[0], Broken)
    assert info.broken_first[0].where == "line 2"
    assert info.broken_first[0].source == str(tmp_path / "pages.jsonl")


def test_reasons_that_name_what_they_refuse_do_not_fill_the_account(tmp_path: Path) -> None:
    lines = [record("a"), *(f"{{broken {n}" for n in range(3000)), *["no json"] * 2]
    (tmp_path / "pages.jsonl").write_text("\n".join(lines))
    with World.build(tmp_path / "pages.jsonl", tmp_path / "w") as world:
        (tmp_path / "more.jsonl").write_text("\n".join([record("b"), *(f"{{more {n}" for n in range(50))]))
        with world.add(tmp_path / "more.jsonl") as more:
            assert sum(world.info().broken.values()) == 3002
            assert sum(more.info().broken.values()) == 3052
            assert len(more.info().broken) == len(world.info().broken) <= 101


def test_a_limit_counts_pages_not_records(tmp_path: Path) -> None:
    lines = ["no json"] * 5 + [record(str(n)) for n in range(20)]
    (tmp_path / "pages.jsonl").write_text("\n".join(lines))
    assert World.build(tmp_path / "pages.jsonl", tmp_path / "w", limit=7).info().pages == 7
    with pytest.raises(UsageError, match="1 or more"):
        World.build(tmp_path / "pages.jsonl", tmp_path / "x", limit=0)


def test_broken_records_of_a_build_that_came_to_nothing_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("no json\n" * 3000)
    assert killed_build([tmp_path / "bad.jsonl"], tmp_path / "w", "read", 2) == -signal.SIGKILL
    (tmp_path / "good.jsonl").write_text("\n".join(record(str(n)) for n in range(5)))
    info = World.build(tmp_path / "good.jsonl", tmp_path / "w").info()
    assert (info.pages, info.broken) == (5, {})


def test_progress_ends_at_its_total(tmp_path: Path, sources: list[Path]) -> None:
    seen: list[Progress] = []
    info = World.build(sources, tmp_path / "w", progress=seen.append).info()
    assert list(dict.fromkeys(now.stage for now in seen)) == ["read", "write"]
    read = [now for now in seen if now.stage == "read"]
    assert read[-1].done == read[-1].total == sum(path.stat().st_size for path in sources)
    assert read[-1].pages == info.records
    assert (seen[-1].done, seen[-1].total) == (info.pages, info.pages)


def test_the_date_is_a_setting(tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    source = corpus({"a": "Some text."})
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    dated, given = World.build(source, tmp_path / "1"), World.build(source, tmp_path / "2", date="2020-02-29")
    assert (dated.date, given.date) == ("1970-01-02", "2020-02-29")
    assert dated.digest == given.digest
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        World.build(source, tmp_path / "3", date="yesterday")
    with pytest.raises(WorldError, match="is finished and dated 2020-02-29: leave the date out, or name another"):
        World.build(source, tmp_path / "2", date="2021-01-01")
    assert World.build(source, tmp_path / "2").date == World.build(source, tmp_path / "2", date="20200229").date


FULL_DISK = """
mount -t tmpfs -o size=2m none "$2" || exit 99
"$0" -m lite_build "$1" "$2"/world; echo "exit $?"
mount -o remount,size=200m "$2"
"$0" -m lite_build "$1" "$2"/world; echo "exit $?"
"""
BUILD_ONCE = """
import sys
from lite.errors import LiteError
from lite.world import World
try:
    print(World.build(sys.argv[1].split("|"), sys.argv[2]).digest)
except LiteError as error:
    print(error)
    sys.exit(2)
"""


def test_a_full_disk_is_one_line_and_the_next_run_finishes(tmp_path: Path, sources: list[Path], whole: World) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "lite_build.py").write_text(BUILD_ONCE)
    arguments = [sys.executable, "|".join(map(str, sources)), str(tmp_path / "disk")]
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, *arguments]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare(1) to mount a small disk")
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr}")
    full, refused, digest, finished = done.stdout.splitlines()
    assert full == f"no space left on the disk of {tmp_path}/disk/world: free some and run the same command again"
    assert (refused, digest, finished, done.stderr) == ("exit 2", whole.digest, "exit 0", "")


# ---------------------------------------------------------------- the finished folder


def test_a_world_of_another_format_is_refused(tmp_path: Path, corpus: Corpus) -> None:
    World.build(corpus({"a": "Some text."}), tmp_path / "w").close()
    account = tmp_path / "w" / manifest.FILE
    value = json.loads(account.read_text())
    account.write_text(json.dumps(value | {"format": 99}))
    with pytest.raises(WorldError, match="has format 99, this one reads 4: remove it"):
        World.open(tmp_path / "w")
    for damaged in ("", "{}", "[1]", json.dumps(value | {"pages": "many"}), "\0"):
        account.write_text(damaged)
        with pytest.raises(WorldError, match=r"cannot be read|is damaged"):
            World.open(tmp_path / "w")


def test_a_damaged_part_is_one_line(tmp_path: Path, corpus: Corpus) -> None:
    World.build(corpus({"a": "Some text."}), tmp_path / "w").close()
    for name in ("g1/pages.sqlite", "g1/lexical", "g1"):
        broken = tmp_path / f"no {name}".replace("/", " ")
        shutil.copytree(tmp_path / "w", broken)
        if (broken / name).is_dir():
            shutil.rmtree(broken / name)
        else:
            (broken / name).write_bytes(b"not a database, but long enough to be looked at" * 100)
        with pytest.raises(WorldError) as caught:
            World.open(broken)
        assert "build" in str(caught.value)
        assert "\n" not in str(caught.value)


def ask_everything(world: World) -> list[str]:
    """The lines of a world's complaints; any other error is raised."""
    said: list[str] = []
    url = "https://w.test/0007"
    for ask in (
        lambda: world.search("text of 0007"),
        lambda: world.search("the"),
        lambda: world.visit(url, "text"),
        lambda: world.visit(url, mode="raw"),
        lambda: world.resolve(url.replace("7", "8") + "#part"),
        lambda: world.nearest("https://w.test/0009/x"),
    ):
        try:
            ask()
        except WorldError as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_of_the_pages_are_one_line(tmp_path: Path, corpus: Corpus, seed: int) -> None:
    chance = random.Random(seed)
    texts = {f"{n:04}": f"The text of {n:04}. " + " ".join(str(chance.random()) for _ in range(60)) for n in range(700)}
    World.build(corpus(texts), tmp_path / "w").close()
    file = tmp_path / "w" / "g1" / "pages.sqlite"
    data = bytearray(file.read_bytes())
    start = len(data) // 4  # the head stays, or the world does not open at all
    for place in chance.sample(range(start, len(data)), (len(data) - start) // (3 if seed % 2 else 200)):
        data[place] ^= 0xFF
    file.write_bytes(data)
    with World.open(tmp_path / "w") as world:
        found = world.check() + ask_everything(world)
    assert found
    assert all("\n" not in line for line in found)
    assert any("cannot be read" in line for line in found)


@pytest.mark.parametrize("part", ["idx", "term", "fast", "fieldnorm"])
@pytest.mark.parametrize("share", [4, 50, 0])
def test_flipped_bytes_of_the_lexical_index_are_one_line(
    tmp_path: Path, corpus: Corpus, part: str, share: int, capfd: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(part)
    texts = {
        f"{n:04}": f"The text of {n:04}. " + " ".join(str(chance.randrange(3000)) for _ in range(60))
        for n in range(500)
    }
    World.build(corpus(texts), tmp_path / "w").close()
    with World.open(tmp_path / "w") as world:  # is damaged while it is open: that it opens is no proof
        assert world.check() == []
        for file in (tmp_path / "w" / "g1" / "lexical").glob(f"*.{part}"):
            data = bytearray(file.read_bytes())
            for place in chance.sample(range(len(data) - 120), len(data) // share if share else 1):
                data[place] ^= 0xFF
            with file.open("r+b") as handle:  # not truncated first: it is mapped, and a thread of Tantivy's may look
                handle.write(data)
        found = world.check()
    assert any(f".{part} is damaged" in line for line in found)
    try:
        with World.open(tmp_path / "w") as world:
            found += ask_everything(world)
    except WorldError as error:
        found.append(str(error))
    assert all("\n" not in line for line in found)
    capfd.readouterr()  # what Rust says of its panics


def test_a_panic_of_tantivy_is_one_line(tmp_path: Path, corpus: Corpus, capfd: pytest.CaptureFixture[str]) -> None:
    World.build(corpus({f"{n:04}": f"The text of {n:04}." for n in range(500)}), tmp_path / "w").close()
    for file in (tmp_path / "w" / "g1" / "lexical").glob("*.fast"):
        data = file.read_bytes()
        file.write_bytes(bytes(byte ^ 0xFF for byte in data[:-120]) + data[-120:])
    with pytest.raises(WorldError, match="not a sound lexical index") as caught, World.open(tmp_path / "w") as world:
        world.search("text")
    assert "\n" not in str(caught.value)
    assert "panicked" in capfd.readouterr().err  # else this tests nothing


def test_a_page_that_an_index_names_and_the_store_lacks_is_one_line(tmp_path: Path, corpus: Corpus) -> None:
    World.build(corpus({"a": "Some text.", "b": "Other text."}), tmp_path / "w").close()
    import sqlite3

    with sqlite3.connect(tmp_path / "w" / "g1" / "pages.sqlite") as db:
        db.execute("delete from pages where id = 1")
    db.close()
    with World.open(tmp_path / "w") as world, pytest.raises(WorldError, match="names page 1, which is missing"):
        world.search("text")


def test_what_is_not_a_world_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="is not a folder: build a world with"):
        World.open(tmp_path / "nothing")
    with pytest.raises(WorldError, match="is not a world"):
        World.open(tmp_path)


def test_check_says_what_does_not_agree(tmp_path: Path, corpus: Corpus) -> None:
    source = corpus({"a": "Some text.", "b": "Other text."})
    World.build(source, tmp_path / "w").close()
    import sqlite3

    with sqlite3.connect(tmp_path / "w" / "g1" / "pages.sqlite") as db:
        db.execute("delete from pages where id = 1")
    db.close()
    with World.open(tmp_path / "w") as world:
        found = world.check()
    assert any(line.startswith("1 pages, world.json says 2") for line in found)
    assert any("digest" in line for line in found)


def test_a_copy_on_a_read_only_disk_answers_alike(atlas: World, locked_copy: Path, answers: Say) -> None:
    code = (
        "import os, runpy, sys\nfrom lite.world import World\neverything = runpy.run_path(sys.argv[2])['everything']\n"
    )
    if os.geteuid() == 0:  # root may write anywhere
        code += "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
    code += "assert not os.access(sys.argv[1], os.W_OK)\nprint(everything(World.open(sys.argv[1])))\n"
    command = [sys.executable, "-B", "-c", code, str(locked_copy), str(Path(__file__).with_name("conftest.py"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == answers(atlas) + "\n"
    assert sorted(path.name for path in locked_copy.iterdir()) == ["g1", "world.json"]


def test_the_page_store_is_plain_sqlite(tmp_path: Path, corpus: Corpus) -> None:
    first = "See [b](https://w.test/b), [b again](https://w.test/b#part) and [x](https://x.test/)."
    World.build(corpus({"a": first, "b": "Text of b.", "c": "Text of b."}), tmp_path / "w").close()
    store = PageStore(tmp_path / "w" / "g1" / "pages.sqlite")
    assert [(p.id, p.url, p.title) for p in store.pages()] == [
        (1, "https://w.test/a", "a"),
        (2, "https://w.test/b", "b"),
    ]
    assert list(store.aliases()) == [("https://w.test/c", 2, "c")]
    assert store.links(1) == [("https://w.test/b", "b")]
