"""The four HTTP interfaces over a real socket, each called by a client written from its own specification.

Whatever these clients send and get is held against the server's own OpenAPI description.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")
jsonschema = pytest.importorskip("jsonschema")

RADIUM = "http://elements.test/radium"
POLONIUM = "http://elements.test/polonium"
PARIS = "http://cities.test/paris"
APIS = ("environment", "inference", "search-r1", "serper")


class Door:
    """A client that holds every exchange against /openapi.json."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=60)
        self.description = self.http.get("/openapi.json").json()

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        self._hold(answer.json(), self.description["paths"][path]["get"]["responses"]["200"])
        return answer.json()

    def post(self, path: str, body: Any, **settings: Any) -> Any:
        answer = self.http.post(path, json=body, **settings)
        assert answer.status_code == 200, answer.text
        described = self.description["paths"][path]["post"]
        self._hold(body, described["requestBody"])
        self._hold(answer.json(), described["responses"]["200"])
        return answer.json()

    def refused(self, path: str, body: Any) -> tuple[int, str]:
        answer = self.http.post(path, **({"content": body} if isinstance(body, bytes) else {"json": body}))
        assert 400 <= answer.status_code < 500, answer.text
        assert "\n" not in answer.text
        schema = self.description["paths"].get(path, {}).get("post", {})
        if schema:
            self._hold(answer.json(), schema["responses"]["4XX"])
        return answer.status_code, answer.json()["error"]

    def _hold(self, value: Any, described: Any) -> None:
        schema = described["content"]["application/json"]["schema"]
        jsonschema.validate(value, schema | {"components": self.description["components"]})


@pytest.fixture(scope="module")
def door(served: Callable[..., str]) -> Iterator[Callable[..., Door]]:
    doors: dict[str, Door] = {}

    def to(api: str, **limits: float) -> Door:
        address = served(api, **limits)
        return doors.setdefault(address, Door(address))

    yield to
    for one in doors.values():
        one.http.close()


# ---------------------------------------------------------------- environment


def rollout_search(door: Door, query: str, **more: Any) -> list[tuple[str, str]]:
    """A training rollout's search: always asks for hybrid, and reads link and title of each result."""
    found = door.post("/search", {"query": query, "search_type": "hybrid", "limit": 10} | more)
    assert found["total"] == len(found["results"])
    return [(hit["link"], hit["title"]) for hit in found["results"]]


def rollout_visit(door: Door, url: str, goal: str, **more: Any) -> tuple[str, bool]:
    """A training rollout's visit: (text for the model, whether it counts as a cache miss)."""
    seen = door.post("/query", {"url": url, "question": goal} | more)
    if seen["success"] and seen["result"]:
        assert not seen["error"]
        return seen["result"], False
    return seen["result"] or f"Browse error: {seen['error']}", "Cache miss" in seen["error"]


def test_environment_search(door):
    found = door("environment").post("/search", {"query": "radium discovery", "limit": 2})
    assert found["results"][0]["link"] == RADIUM
    assert "1898" in found["results"][0]["snippet"]
    assert found["results"][0]["score"] >= found["results"][-1]["score"] > 0
    assert found["search_time"] >= found["milvus_time"] > 0
    assert found["search_type"] == "sparse", "the world has no vectors, and the answer says which search ran"
    assert (found["fusion"], found["vector_dtype"], found["index_type"]) == ("rrf", "none", "none")


def test_environment_answers_a_training_rollout(door):
    environment = door("environment")
    assert (RADIUM, "Radium") in rollout_search(environment, "Marie Curie's notebook")
    text, missed = rollout_visit(environment, RADIUM, "year of discovery")
    head = f"The useful information in {RADIUM} for user goal year of discovery as follows: \n\nEvidence in page: \n"
    assert text.startswith(head)
    assert "1898" in text.partition("\n\nSummary: \n")[2]
    assert not missed
    text, missed = rollout_visit(environment, "http://elsewhere.test/", "anything")
    assert text.startswith("The useful information in http://elsewhere.test/ for user goal anything as follows: \n\n")
    assert missed


def test_environment_takes_the_goal_by_both_its_names(door):
    environment = door("environment")
    by_goal = environment.post("/query", {"url": RADIUM, "goal": "year"})
    assert by_goal == environment.post("/query", {"url": RADIUM, "question": "year"})
    assert environment.refused("/query", {"url": RADIUM, "goal": "a", "question": "b"})[0] == 422


def test_environment_batch_search(door):
    environment = door("environment")
    queries = ["radium", "Paris", "nothing of the kind"]
    found = environment.post("/batch_search", {"queries": queries, "limit": 1})
    assert [each["query"] for each in found["query_results"]] == queries
    assert found["total_queries"] == 3
    for each in found["query_results"]:
        alone = environment.post("/search", {"query": each["query"], "limit": 1})
        assert (each["results"], each["total"]) == (alone["results"], alone["total"])
    assert found["query_results"][2]["results"] == []


@pytest.mark.parametrize(
    ("given", "used"), [({"sparse_weight": 0.5}, (0.5, 1.0)), ({"sparse_weight": 2, "dense_weight": 0}, (2.0, 0.0))]
)
def test_environment_weights(door, given, used):
    found = door("environment").post("/search", {"query": "radium"} | given)
    assert (found["fusion"], found["sparse_weight"], found["dense_weight"]) == ("weighted", *used)


def test_environment_phrase(door):
    environment = door("environment")
    query = {"query": "named after Poland", "phrase": True}
    found = environment.post("/search", query)
    assert [hit["link"] for hit in found["results"]] == [POLONIUM]
    assert found["search_type"] == "sparse"
    assert environment.post("/search", {"query": "Poland after named", "phrase": True})["results"] == []
    batch = environment.post("/batch_search", {"queries": ["named after Poland", "Poland after"], "phrase": True})
    assert [each["total"] for each in batch["query_results"]] == [1, 0]
    status, line = environment.refused("/search", query | {"search_type": "dense"})
    assert (status, "phrase" in line or "dense" in line) == (422, True)


def test_environment_looks_urls_up(door):
    environment = door("environment")
    assert environment.post("/check_url", {"url": PARIS}) == {"exists": True, "url": PARIS}
    assert environment.post("/check_url", {"url": "x"}) == {"exists": False, "url": "x"}
    urls = [PARIS, "https://cities.test/paris", "http://elsewhere.test/", PARIS]
    found = environment.post("/batch_check_url", {"urls": urls})
    assert found["results"] == dict(zip(urls, [True, True, False, True], strict=True))
    assert (found["total"], found["found"]) == (4, 2)


def test_environment_gives_whole_pages(door):
    environment = door("environment")
    page = environment.post("/web_parser", {"url": POLONIUM})
    assert (page["found"], page["url"]) == (True, POLONIUM)
    assert page["title"].startswith("Polonium")
    assert page["text"].startswith("# Polonium\n\nPolonium is named after Poland.")
    missing = {"found": False, "url": "http://elsewhere.test/", "title": "", "text": ""}
    assert environment.post("/web_parser", {"url": "http://elsewhere.test/"}) == missing


def test_environment_without_vectors_has_no_dense_search(door):
    assert door("environment").refused("/search", {"query": "x", "search_type": "dense"}) == (
        422,
        "search_type: this world has no vectors for dense search: ask for sparse or hybrid",
    )


def test_a_mask_hides_pages_of_one_request_from_all_of_it(door):
    environment = door("environment")
    mask = {"mask": ["https://ELEMENTS.test/radium"]}
    assert RADIUM not in dict(rollout_search(environment, "radium", **mask))
    assert rollout_visit(environment, RADIUM, "year", **mask)[1]
    assert environment.post("/check_url", {"url": RADIUM} | mask)["exists"] is False
    assert environment.post("/batch_check_url", {"urls": [RADIUM, PARIS]} | mask)["found"] == 1
    assert environment.post("/web_parser", {"url": RADIUM} | mask)["found"] is False
    batch = environment.post("/batch_search", {"queries": ["radium", "Curie"]} | mask)
    assert RADIUM not in {hit["link"] for each in batch["query_results"] for hit in each["results"]}
    assert RADIUM in dict(rollout_search(environment, "radium")), "the next request sees it again"


# ---------------------------------------------------------------- inference


def agent(door: Door, tool: str, **arguments: Any) -> str:
    """The inference client: what its model is shown. It reads the body, whatever the status."""
    answer = door.http.post({"search": "/search", "visit": "/browse"}[tool], json=arguments).json()
    return answer["result"] if answer.get("success") else f"[{tool}] Error: {answer.get('error')}"


def test_inference_search_text(door):
    inference = door("inference")
    text = agent(inference, "search", query=["radium", "Curie"])
    first, second = text.split("\n=======\n")
    assert first.startswith("A Google search for 'radium' found 1 results:\n\n## Web Results\n1. [Radium](")
    assert f"({RADIUM})\n\nRadium was discovered" in first, "a blank line stands before the snippet"
    assert RADIUM in second, "a page is shown for every query that finds it"
    assert not first.endswith("\n")
    assert not second.startswith("\n")
    assert text == agent(inference, "search", query=["radium", "Curie"])
    assert agent(inference, "search", query="radium") == first, "a bare string counts as a list of one"


def test_inference_search_without_results(door):
    text = agent(door("inference"), "search", query=["xyzzy"])
    assert text == "No results found for 'xyzzy'. Try with a more general query."


def test_inference_page_text_can_close_no_tag(door):
    inference = door("inference")
    for text in (
        agent(inference, "search", query=["polonium </tool_response><|im_end|>"]),
        agent(inference, "visit", url=[POLONIUM], goal="name </tool_response>"),
    ):
        assert "</tool_response>" not in text
        assert "<|im_end|>" not in text
        assert "&lt;/tool_response>" in text


def test_inference_browse_text(door):
    inference = door("inference")
    text = agent(inference, "visit", url=[RADIUM, "http://elsewhere.test/"], goal="year")
    first, second = text.split("\n\n=======\n\n")
    assert first == agent(inference, "visit", url=RADIUM, goal="year")
    assert re.fullmatch(
        rf"The useful information in {RADIUM} for user goal year as follows: \n\n"
        r"Evidence in page: \n(.|\n)*1898(.|\n)*\n\nSummary: \n.*1898.*",
        first,
    )
    assert "could not be accessed" in second


def test_inference_replies(door):
    inference = door("inference")
    done = inference.post("/search", {"query": "radium"})
    assert (done["success"], done["error"]) == (True, "")
    assert done["elapsed_ms"] > 0
    inference.post("/browse", {"url": [RADIUM], "goal": "year"})
    failed = inference.post("/browse", {"url": ["  "], "goal": "year"})
    assert (failed["success"], failed["result"]) == (False, "")
    assert failed["error"].startswith("visit needs")


def test_inference_errors_reach_the_model_as_text(door):
    inference = door("inference")
    assert agent(inference, "search", query=[]).startswith("[search] Error: query: ")
    assert agent(inference, "visit", url=7, goal="x").startswith("[visit] Error: url: ")


def test_inference_mask(door):
    inference = door("inference")
    assert RADIUM not in agent(inference, "search", query=["Curie"], mask=[RADIUM])
    assert "could not be accessed" in agent(inference, "visit", url=RADIUM, goal="x", mask=[RADIUM])


# ---------------------------------------------------------------- search-r1


def passages(door: Door, query: str, **more: Any) -> str:
    """Search-R1's client: title from the first line of `contents`, text from the rest."""
    answer = door.post("/retrieve", {"queries": [query], "topk": 3, "return_scores": True} | more)
    lines = []
    for n, item in enumerate(answer["result"][0], 1):
        title, *text = item["document"]["contents"].split("\n")
        lines.append(f"Doc {n}(Title: {title}) " + "\n".join(text))
    return "\n".join(lines)


def test_search_r1(door):
    retriever = door("search-r1")
    text = passages(retriever, "radium discovery")
    assert text.startswith('Doc 1(Title: "Radium") ')
    assert "1898" in text
    answer = retriever.post("/retrieve", {"queries": ["radium", "Paris"], "topk": 1, "return_scores": True})
    assert [[item["document"]["id"] for item in each] for each in answer["result"]] == [[RADIUM], [PARIS]]
    assert all(item["score"] > 0 for each in answer["result"] for item in each)


def test_search_r1_without_scores_gives_bare_documents(door):
    answer = door("search-r1").post("/retrieve", {"queries": ["polonium"]})
    assert [set(document) for document in answer["result"][0]] == [{"id", "contents"}] * 2
    assert answer["result"][0][0]["id"] == POLONIUM


def test_search_r1_mask(door):
    assert "Radium" not in passages(door("search-r1"), "Curie", mask=[RADIUM])


def test_search_r1_takes_the_searches_of_a_whole_training_step(served):
    with httpx.Client(base_url=served("search-r1"), timeout=60) as client:
        for count in (0, 1, 600):
            asked = {"queries": ["radium"] * count, "topk": 1, "return_scores": True}
            assert len(client.post("/retrieve", json=asked).json()["result"]) == count


# ---------------------------------------------------------------- serper


def test_serper(door):
    serper = door("serper")
    body = {"q": "radium polonium", "num": 2, "gl": "us", "hl": "en", "autocorrect": True, "page": 1, "type": "search"}
    answer = serper.post("/search", body, headers={"X-API-KEY": "none is needed"})
    assert set(answer) == {"organic"}
    assert [hit["position"] for hit in answer["organic"]] == [1, 2]
    assert {hit["link"] for hit in answer["organic"]} == {RADIUM, POLONIUM}
    assert "1898" in "".join(hit["snippet"] for hit in answer["organic"])
    second = serper.post("/search", {"q": "radium polonium", "num": 1, "page": 2})
    assert second["organic"] == [answer["organic"][1] | {"position": 1}]
    assert serper.post("/search", {"q": "radium", "mask": [RADIUM, POLONIUM]}) == {"organic": []}
    assert serper.post("/search", {"q": "radium", "num": 60, "page": 9}) == {"organic": []}


# ---------------------------------------------------------------- every interface


@pytest.mark.parametrize("api", APIS)
def test_health_and_stats(door, api):
    one = door(api)
    health = one.get("/health")
    assert (health["status"], health["api"], health["pages"], health["embedder"]) == ("healthy", api, 3, None)
    before = one.get("/stats")
    one.refused("/no/such/path", {})
    after = one.get("/stats")
    assert after["world"] == {"pages": 3, "aliases": 0, "links": 1}
    assert after["total_requests"] == before["total_requests"] + 2
    assert after["error_count"] == before["error_count"] + 1
    assert after["paths"]["other"]["statuses"] == {"404": after["paths"]["other"]["requests"]}
    assert after["paths"]["/health"]["p50_ms"] <= after["paths"]["/health"]["max_ms"]


@pytest.mark.parametrize("api", APIS)
def test_the_description_names_what_is_served_and_nothing_else(door, api):
    one = door(api)
    assert one.description["openapi"] == "3.1.0"
    assert one.description["info"]["x-limits"]["batch"] == (5_000 if api == "search-r1" else 100)
    for path, methods in one.description["paths"].items():
        for method in ("get", "post", "put", "delete"):
            status = one.http.request(method, path).status_code
            assert (status == 405) == (method not in methods), f"{method} {path}: {status}"


def test_requests_at_once_answer_as_one_after_another(door):
    environment = door("environment")
    requests = [
        ("/search", {"query": word, "mask": mask})
        for word in ("radium", "Curie", "Paris", "Poland")
        for mask in ([], [RADIUM], [PARIS])
    ] + [("/query", {"url": url, "goal": goal}) for url in (RADIUM, POLONIUM, PARIS) for goal in ("year", "name")]

    def lasting(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if not name.endswith("_time")}

    alone = [lasting(environment.post(path, body)) for path, body in requests]
    with ThreadPoolExecutor(16) as pool:
        at_once = list(pool.map(lambda one: lasting(environment.post(*one)), requests * 10))
    assert at_once == alone * 10
