"""The reranker through the real library, with a tiny cross-encoder made here: random weights, real order."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lite.errors import MissingExtra, ModelError
from lite.models.rerank import load_reranker, reranked
from lite.records import Hit
from lite.world import World

MISSING = [name for name in ("sentence_transformers", "transformers") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

PAGES = {
    "a": "The ferry to the island leaves at nine.",
    "b": "A ferry needs an hour to the island.",
    "c": "The island has one village, and no ferry in winter.",
    "d": "An island is land with water around it.",
    "e": "Island ferry: timetable.",
}


def save_model(folder: Path, labels: int = 1, seed: int = 0) -> str:
    """A BERT of two small layers over the letters, with a head of `labels` outputs."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir()
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
        num_labels=labels,
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def world(tmp_path: Path) -> World:
    source = tmp_path / "pages.jsonl"
    records = [{"url": f"https://w.test/{name}", "title": name, "doc": text} for name, text in PAGES.items()]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    return World.build(source, tmp_path / "w")


def test_the_scores_are_those_of_the_bare_library(model: str) -> None:
    from sentence_transformers import CrossEncoder

    texts = list(PAGES.values())
    expected = CrossEncoder(model, device="cpu").predict([("island ferry", text) for text in texts])
    scores = load_reranker(model).score("island ferry", texts)
    assert np.abs(scores - expected).max() < 1e-6
    assert len(set(np.round(scores, 5).tolist())) == len(texts)
    assert load_reranker(model).score("island ferry", []).shape == (0,)
    assert load_reranker(model) is load_reranker(model)


def test_a_world_gives_its_hits_in_the_rerankers_order(world: World, model: str) -> None:
    first = world.search("island ferry")
    again = world.search("island ferry", rerank=model)
    scores = load_reranker(model).score("island ferry", [f"{hit.title}\n{hit.snippet}" for hit in first])
    best = sorted(zip(first, scores, strict=True), key=lambda pair: -pair[1])
    assert [hit.url for hit in again] == [hit.url for hit, _ in best]
    assert [hit.url for hit in again] != [hit.url for hit in first]
    assert [hit.score for hit in again] == [round(float(score), 6) for _, score in best]
    assert [hit.snippet for hit in again] == [hit.snippet for hit, _ in best]
    # the best of all five, not the best of the first search's two
    assert [hit.url for hit in world.search("island ferry", 2, rerank=model)] == [hit.url for hit in again][:2]
    two = {hit.url for hit in list(first)[:2]}
    assert {hit.url for hit in world.search("island ferry", 2, rerank=model, rerank_depth=2)} == two
    assert world.search("island ferry", rerank=model) == again
    masked = world.search("island ferry", rerank=model, mask=[again.hits[0].url])
    assert [hit.url for hit in masked] == [hit.url for hit in again][1:]


def test_equal_scores_come_in_the_order_of_urls(model: str) -> None:
    hits = [Hit(url=f"https://w.test/{name}", title="same", snippet="text", score=1.0) for name in "cab"]
    assert [hit.url[-1] for hit in reranked(hits, "query", model)] == ["a", "b", "c"]


def test_the_command_line_reranks_alike(world: World, model: str) -> None:
    command = [sys.executable, "-m", "lite.cli", "search", str(world.path), "island ferry", "--rerank", model, "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    urls = [hit.url for hit in world.search("island ferry", rerank=model)]
    assert [hit["url"] for hit in json.loads(done.stdout)["hits"]] == urls
    assert done.stderr == ""


def test_what_cannot_rank_is_refused_in_one_line(tmp_path: Path, make_embedder: Callable[[], str]) -> None:
    for name, why in (
        (save_model(tmp_path / "three", labels=3), "gives 3 numbers"),
        (make_embedder(), "it is an embedder: name a cross-encoder"),
        ("nobody/nothing", "HF_HUB_OFFLINE=0"),
        (str(tmp_path), "cannot be loaded"),
    ):
        with pytest.raises(ModelError, match=why) as caught:
            load_reranker(name)
        assert "\n" not in str(caught.value)


@pytest.fixture
def make_embedder(tmp_path: Path) -> Callable[[], str]:
    def make() -> str:
        from transformers import BertModel, BertTokenizerFast

        folder = save_model(tmp_path / "embedder")
        BertModel.from_pretrained(folder).save_pretrained(folder)
        BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
        return folder

    return make


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[embed\]"):
        load_reranker("not-loaded-yet")
