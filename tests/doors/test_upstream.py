"""LiteResearcher's own clients, stood in for, against `lite serve` over a real socket.

The inference client runs its loop whole: it reads calls out of turns, asks one server for both tools, and shows its
model what comes back, whatever the status. The training client asks for one query or page at a time, writes the text
itself, reads that text again to leave out what was shown, and counts what it could not get. What it makes of our
answers must be what our own agent's tools say.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from lite.records import Call  # noqa: E402  # after what may be missing
from lite.tools import Toolset  # noqa: E402
from lite.world import World  # noqa: E402

RADIUM = "http://elements.test/radium"
PARIS = "http://cities.test/paris"
NOWHERE = "http://elsewhere.test/"
JOIN = "\n\n=======\n\n"
Serve = Callable[[str], Any]


@pytest.fixture(scope="module")
def serve(world: Path) -> Iterator[Serve]:
    """`serve("inference")`: an HTTP client of the command `lite serve WORLD --api inference`."""
    running: list[tuple[subprocess.Popen[str], Any]] = []

    def start(api: str) -> Any:
        command = [sys.executable, "-m", "lite.cli", "serve", str(world), "--api", api, "--port", "0"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr
        address = re.search(r"http://\S+", line := server.stderr.readline())
        assert address, line
        running.append((server, httpx.Client(base_url=address[0], timeout=60)))
        return running[-1][1]

    yield start
    for server, client in running:
        client.close()
        server.terminate()
        assert "Traceback" not in server.communicate(timeout=60)[1]


# ---------------------------------------------------------------- the inference client


class InferenceAgent:
    """Upstream's loop around a model (here: turns written beforehand) and its two tool servers."""

    def __init__(self, http: Any, turns: list[str], calls: int = 100) -> None:
        self.http, self.turns, self.calls = http, turns, calls
        self.messages: list[dict[str, str]] = []

    def run(self, question: str) -> str:
        """The answer; what was said and seen is in `messages`."""
        self.messages = [{"role": "system", "content": "S"}, {"role": "user", "content": question}]
        for turn in self.turns[: self.calls]:
            self.messages.append({"role": "assistant", "content": turn.strip()})
            if "<tool_call>" in turn and "</tool_call>" in turn:
                seen = self.call(turn.split("<tool_call>")[1].split("</tool_call>")[0])
                self.messages.append({"role": "user", "content": f"<tool_response>\n{seen}\n</tool_response>"})
            if "<answer>" in turn and "</answer>" in turn:
                return turn.split("<answer>")[1].split("</answer>")[0]
        return "No answer found."

    def call(self, text: str) -> str:
        try:
            call = json.loads(text)
            name, arguments = call.get("name", ""), call.get("arguments", {})
        except ValueError:
            return "Error: Invalid tool call JSON."
        match name:
            case "search":
                path, body, title = "/search", {"query": arguments.get("query", [])}, "Search"
            case "visit":
                body = {"url": arguments.get("url", ""), "goal": arguments.get("goal", "")}
                path, title = "/browse", "Visit"
            case _:
                return f"Error: Tool {name} not found"
        data = self.http.post(path, json=body).json()
        return data["result"] if data.get("success") else f"[{title}] Error: {data.get('error')}"

    @property
    def seen(self) -> list[str]:
        """What the tools said, in order."""
        whole = [one["content"] for one in self.messages if one["content"].startswith("<tool_response>")]
        return [text.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>") for text in whole]


def turn(think: str, name: str, **arguments: Any) -> str:
    body = json.dumps({"name": name, "arguments": arguments})
    return f"<think>\n{think}\n</think>\n<tool_call>\n{body}\n</tool_call>"


def test_the_inference_client_researches_in_our_world(serve: Serve) -> None:
    agent = InferenceAgent(
        serve("inference"),
        [
            turn("both at once", "search", query=["radium discovery", "capital of France"]),
            turn("as one string", "search", query="radium discovery"),
            turn("two pages", "visit", url=[RADIUM, NOWHERE], goal="year of discovery"),
            turn("one page", "visit", url=RADIUM, goal="year of discovery"),
            "<think>\nthe page says it\n</think>\n<answer>1898</answer>",
            turn("never asked for", "search", query=["more"]),
        ],
    )
    assert agent.run("In which year was radium discovered?") == "1898"
    assert [one["role"] for one in agent.messages] == ["system", "user", *["assistant", "user"] * 4, "assistant"]
    listed, alone, pages, page = agent.seen
    assert listed.split("\n=======\n")[0] == alone
    assert alone.startswith("A Google search for 'radium discovery' found ")
    assert re.search(rf"\n\n## Web Results\n1\. \[Radium\]\({RADIUM}\)\n\nRadium was discovered .*1898", alone)
    assert f"({PARIS})" in listed.split("\n=======\n")[1]
    head = "The useful information in {} for user goal year of discovery as follows: \n\nEvidence in page: \n"
    assert page.startswith(head.format(RADIUM))
    assert "1898" in page.partition("\n\nSummary: \n")[2]
    assert pages.split(JOIN)[0] == page
    assert pages.split(JOIN)[1].startswith(head.format(NOWHERE) + "The provided webpage content could not be accessed")
    assert all("</tool_response>" not in text for text in agent.seen)


def test_the_inference_clients_mistakes_come_back_as_text_and_it_goes_on(serve: Serve) -> None:
    http = serve("inference")
    wrong = [
        turn("no query", "search"),
        turn("a number", "search", query=7),
        turn("no address", "visit", goal="year"),
        turn("an empty address", "visit", url=[" "], goal="year"),
        turn("no goal", "visit", url=RADIUM),
        turn("no such tool", "browse", url=RADIUM),
        "<think>\nno JSON\n</think>\n<tool_call>\nsearch(radium)\n</tool_call>",
    ]
    agent = InferenceAgent(http, [*wrong, "<answer>Error</answer>"])
    assert agent.run("Q?") == "Error"
    no_query, number, no_address, empty, no_goal, no_tool, no_json = agent.seen
    assert no_query.startswith("[Search] Error: query")
    assert number.startswith("[Search] Error: query")
    assert no_address.startswith("[Visit] Error: ")
    assert empty.startswith("[Visit] Error: ")
    assert no_goal.startswith(f"The useful information in {RADIUM} for user goal  as follows: "), "the head of the page"
    assert (no_tool, no_json) == ("Error: Tool browse not found", "Error: Invalid tool call JSON.")
    assert all("\n" not in text for text in agent.seen if text.startswith("["))
    cut = InferenceAgent(http, [turn("again", "search", query=["radium"])] * 5, calls=3)
    assert cut.run("Q?") == "No answer found."
    assert len(cut.seen) == 3


# ---------------------------------------------------------------- the training environment's client


class TrainingTools:
    """What a training rollout makes of the environment's answers."""

    RESULT = re.compile(r"(\d+)\.\s*\[([^\]]*)\]\(([^)]+)\)\n(.*?)(?=\n\d+\.\s*\[|\Z)", re.DOTALL)

    def __init__(self, http: Any, masked: str = "") -> None:
        self.http, self.masked = http, masked
        self.metrics: Counter[str] = Counter()

    def search(self, queries: list[str]) -> str:
        """Every query by itself, all at once; a page shown for an earlier one is left out, and a masked one."""
        with ThreadPoolExecutor(len(queries)) as pool:
            blocks = list(pool.map(self.one_search, queries))
        shown: set[str] = set()
        parts = []
        for query, block in zip(queries, blocks, strict=True):
            fresh = []
            for _, title, link, snippet in self.RESULT.findall(block):
                if link not in shown and not (self.masked and self.masked in link):
                    shown.add(link)
                    fresh.append((title.strip(), link.strip(), snippet.strip()))
            parts.append(self.written(query, fresh))
        return JOIN.join(parts)

    def one_search(self, query: str) -> str:
        answer = self.http.post("/search", json={"query": query, "search_type": "hybrid", "limit": 10})
        answer.raise_for_status()
        found = answer.json()
        assert found["total"] == len(found["results"])
        assert found["search_time"] >= 0
        return self.written(query, [(one["title"], one["link"], one["snippet"]) for one in found["results"]])

    @staticmethod
    def written(query: str, results: list[tuple[str, str, str]]) -> str:
        lines = [f"{n}. [{title}]({link})\n{snippet}\n\n" for n, (title, link, snippet) in enumerate(results, 1)]
        head = f"A Google search for '{query}' found {len(results)} results:\n\n## Web Results\n"
        return (head + "".join(lines)).strip()

    def visit(self, urls: list[str], goal: str) -> str:
        """Every page by itself, all at once."""
        with ThreadPoolExecutor(len(urls)) as pool:
            return JOIN.join(pool.map(lambda url: self.one_visit(url.strip(), goal), urls))

    def one_visit(self, url: str, goal: str) -> str:
        answer = self.http.post("/query", json={"url": url, "question": goal})
        answer.raise_for_status()
        seen = answer.json()
        if seen.get("success") and seen.get("result"):
            self.metrics["hit" if seen.get("from_cache") else "crawled"] += 1
            return seen["result"]
        self.metrics["miss" if "Cache miss" in seen.get("error", "") else "error"] += 1
        return seen.get("result") or f"Browse error: {seen.get('error')}"


def test_a_training_rollout_is_shown_what_our_own_tools_say(serve: Serve, world: Path) -> None:
    rollout = TrainingTools(serve("environment"))
    with World.open(world) as opened:
        ours = Toolset(opened)
        for queries in (["radium discovery"], ["radium discovery", "Paris, radium"]):  # the second shows Paris alone
            assert rollout.search(queries) == ours.run(Call(tool="search", arguments={"query": queries})).text
        urls, goal = [RADIUM, NOWHERE, PARIS], "year of discovery"
        assert rollout.visit(urls, goal) == ours.run(Call(tool="visit", arguments={"url": urls, "goal": goal})).text
        assert rollout.metrics == {"hit": 2, "miss": 1}
        # Where nothing (new) is found upstream counts to 0; our own tools say it in a sentence.
        assert rollout.search(["xyzzy"]) == "A Google search for 'xyzzy' found 0 results:\n\n## Web Results"
        assert ours.run(Call(tool="search", arguments={"query": ["xyzzy"]})).text.startswith(
            "No results found for 'xyzzy'"
        )


def test_a_training_rollouts_mask_works_on_what_it_wrote(serve: Serve) -> None:
    """Upstream hides a page in search, by its address in the text; ours hides it from the whole request."""
    http = serve("environment")
    assert RADIUM in TrainingTools(http).search(["radium"])
    assert RADIUM not in TrainingTools(http, masked=RADIUM).search(["radium", "Curie"])
    hidden = http.post("/query", json={"url": RADIUM, "question": "year", "mask": [RADIUM]}).json()
    assert (hidden["success"], hidden["from_cache"]) == (False, False)
    assert "1898" not in hidden["result"]


def test_the_training_client_gets_a_status_for_what_it_must_not_send(serve: Serve) -> None:
    """It raises for a status, tries again for a 5xx: a request that is wrong must be neither a 200 nor a 5xx."""
    http = serve("environment")
    bad = [("/search", {"query": 7}), ("/search", {"query": "x", "limit": 0}), ("/query", {"question": "year"})]
    for path, body in [*bad, ("/batch_check_url", {"urls": [7]}), ("/nowhere", {})]:
        assert 400 <= http.post(path, json=body).status_code < 500, (path, body)
    known = http.post("/batch_check_url", json={"urls": [RADIUM, NOWHERE]}).json()
    assert known["results"] == {RADIUM: True, NOWHERE: False}
    assert http.get("/health").json()["status"] == "healthy"
