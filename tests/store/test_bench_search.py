"""`lite bench search` over real worlds: what it counts, what it leaves out, what it prints."""

import json

import pytest

from lite.bench.quality import bench_search
from lite.cli import run
from lite.errors import UsageError

PAGES = {
    "radium": "Radium was discovered by Marie Curie and Pierre Curie in 1898.",
    "polonium": "Polonium is an element. Curie named it after Poland.",
    "rhine": "The Rhine is a river that flows through Basel, Cologne and Rotterdam.",
    "rhein": "The Rhine is a river that flows through Basel, Cologne and Rotterdam.",
}


def questions(tmp_path, *records):
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def test_what_is_found_and_what_is_not_there(world_of, tmp_path):
    world = world_of(PAGES)
    asked = questions(
        tmp_path,
        {"id": 1, "question": "who discovered radium", "evidence": ["https://w.test/radium", "https://w.test/gone"]},
        {"id": 2, "question": "river in Cologne", "evidence": ["https://w.test/rhine"]},  # stored under rhein
        {"id": 3, "question": "who discovered radon", "evidence": ["https://w.test/radon"]},
    )
    report = bench_search(world.path, asked, stopwords=(False, True))
    assert (report.asked, report.absent, report.missing, report.pages) == (3, 1, 1, 3)
    assert [(row.way, row.stopwords) for row in report.rows] == [("lexical", False), ("lexical", True)]
    means = {name: measure.mean for name, measure in report.rows[0].measures.items()}
    assert means["first@1"] == means["any@1"] == means["MRR@10"] == 1.0
    assert means["recall@10"] == means["recall@100"] == 0.75
    assert means["all@10"] == 0.5
    assert means["nDCG@10"] == pytest.approx((1 + 1 / (1 + 0.63093)) / 2, abs=1e-4)
    assert report.rows[0].p95 >= report.rows[0].p50 > 0


def test_relevance_judgements_have_no_first_page(world_of, tmp_path):
    asked = questions(tmp_path, {"id": 1, "query": "Curie", "relevant": ["https://w.test/radium"]})
    report = bench_search(world_of(PAGES).path, asked)
    assert "first@1" not in report.rows[0].measures


def test_a_world_without_vectors_or_without_the_pages_is_told(world_of, tmp_path):
    world = world_of(PAGES)
    asked = questions(tmp_path, {"id": 1, "query": "Curie", "relevant": ["https://w.test/radium"]})
    with pytest.raises(UsageError, match="has no vectors"):
        bench_search(world.path, asked, ways=["hybrid"])
    for ways in ([], ["lexical"]):
        with pytest.raises(
            UsageError, match=r"weights are of the weighted way, which is not measured: .*has no vectors"
        ):
            bench_search(world.path, asked, ways=ways, weights=(0.3, 0.7))
    foreign = questions(tmp_path, {"id": 1, "query": "Curie", "relevant": ["https://elsewhere.test/"]})
    with pytest.raises(UsageError, match=r"no page that .* names is in"):
        bench_search(world.path, foreign)


def test_the_command_prints_json_and_writes_a_report(world_of, tmp_path, capsys):
    world = world_of(PAGES)
    asked = questions(tmp_path, {"id": 1, "query": "Curie", "relevant": ["https://w.test/radium"]})
    out = tmp_path / "report.md"
    assert run(["bench", "search", str(world.path), str(asked), "--json", "--out", str(out)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["rows"][0]["measures"]["any@10"]["mean"] == 1.0
    assert "| nDCG@10 |" in out.read_text(encoding="utf-8")
    assert run(["bench", "search", str(world.path), str(asked), "--stopwords", "both"]) == 0
    assert "lexical, stopwords" in capsys.readouterr().out
    assert run(["bench", "search", str(world.path), str(asked), "--out", str(tmp_path)]) == 2
