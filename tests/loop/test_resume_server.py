"""A question asked of a model server and killed at any reply comes out as if it had not been."""

import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lite.dialect import ASK_FOR_ANSWER, render_turn
from lite.drive import Listener, ask
from lite.models.openai import OpenAI
from lite.records import Call, Trajectory, Turn
from lite.run import Journal
from lite.world import World
from tests.loop.conftest import JsonHandler, serving

CONTEXT = 4096


class Handler(JsonHandler):
    """Searches until it is asked for its answer; reports fewer tokens than the client would guess, as servers do."""

    def reply(self, body: dict[str, Any]) -> None:
        messages = body["messages"]
        size = sum(len(message["content"]) for message in messages)
        if messages[0]["role"] != "system":
            text = f"A sentence behind {size} characters."
        elif ASK_FOR_ANSWER in messages[-1]["content"]:
            text = render_turn("so", answer=f"the answer behind {size} characters")
        else:
            text = render_turn("look", Call(tool="search", arguments={"query": [f"facts of {size}"]}))
        usage = {"prompt_tokens": size // 4 + 5 * len(messages), "completion_tokens": 40}
        self.send(200, {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage})


class Killed(Listener):
    """Ends the program, as it were, once so many observations are there."""

    def __init__(self, after: int) -> None:
        self.after = after

    def observed(self, index: int, turn: Turn) -> None:
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as running:
        yield f"http://127.0.0.1:{running.server_port}/v1"


@pytest.fixture(scope="module")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("wordy")
    docs = (" ".join(f"Fact {i} of {n} is {i * n}." for i in range(80)) for n in range(40))
    pages = [{"url": f"https://e.test/{n}", "title": f"Facts {n}", "doc": doc} for n, doc in enumerate(docs)]
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    with World.build(folder / "pages.jsonl", folder / "world", date="2026-01-02") as built:
        yield built


def lasting(one: Trajectory) -> dict[str, Any]:
    """What of a trajectory does not depend on the clock."""
    value = one.model_dump(mode="json", exclude={"seconds"})
    for part in (*value["turns"], *value["segments"]):
        part.update({name: 0 for name in ("model_seconds", "tool_seconds", "seconds") if name in part})
    return value


@pytest.mark.parametrize("memory", ["stop", "summarise-model"])
def test_a_resumed_question_counts_as_the_killed_one_did(url: str, wordy: World, tmp_path: Path, memory: str) -> None:
    def go(**more: Any) -> Trajectory:
        limits = {"memory": memory, "turns": 14, "turn_tokens": 256}
        return ask(wordy, "Which?", model=OpenAI("m", url, context=CONTEXT), context=CONTEXT, limits=limits, **more)

    whole = go()
    assert whole.segments if memory == "summarise-model" else whole.turns[-1].asked, "the window has to fill"
    for after in range(1, len(whole.turns)):
        file = tmp_path / f"{after}.jsonl"
        with Journal(file) as journal, pytest.raises(KeyboardInterrupt):
            go(journal=journal, listener=Killed(after))
        with Journal(file) as journal:
            assert lasting(go(journal=journal)) == lasting(whole)
