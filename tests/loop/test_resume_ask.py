"""`lite ask --save`, killed with signal 9 while it waits for its model, goes on behind its last whole turn."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lite.dialect import render_turn
from lite.records import Call, Trajectory
from lite.run import read_trajectories
from tests.loop.conftest import JsonHandler, serving

TURNS = 4  # searches before the answer
QUESTION = "Which fact is the fourth?"


class Server(ThreadingHTTPServer):
    """A model that searches, then answers. Before its reply number `deadly` it kills who asks, and counts anew."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = 0
        self.deadly: int | None = None
        self.child: subprocess.Popen[bytes] | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has been killed is part of the test."""


class Handler(JsonHandler):
    server: Server

    def reply(self, body: dict[str, Any]) -> None:
        server = self.server
        if server.asked == server.deadly and server.child is not None:
            server.child.kill()
            server.child.wait()
            return
        server.asked += 1
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        search = render_turn("look", Call(tool="search", arguments={"query": [f"fact {turn}"]}))
        text = search if turn < TURNS else render_turn("sure", answer="fact 4")
        message = {"role": "assistant", "content": text}
        self.send(200, {"choices": [{"message": message, "finish_reason": "stop"}]})


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as running:
        yield running


def ask(server: Server, world: Path, out: Path, *, deadly: int | None = None) -> int:
    """Ask in a process of its own; its exit status."""
    model = f"openai:m@http://127.0.0.1:{server.server_port}/v1"
    command = [sys.executable, "-m", "lite.cli", "ask", str(world), QUESTION, "--model", model, "--save", str(out)]
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    server.asked, server.deadly = 0, deadly
    nowhere = subprocess.DEVNULL
    server.child = subprocess.Popen(command, env=environment, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    return server.child.wait(timeout=300)


def lasting(one: Trajectory) -> dict[str, Any]:
    """What of a trajectory does not depend on the clock."""
    value = one.model_dump(mode="json", exclude={"seconds"})
    for turn in value["turns"]:
        turn["model_seconds"] = turn["tool_seconds"] = 0
    return value


def test_a_killed_question_loses_the_turn_in_flight_and_no_more(server: Server, world: Path, tmp_path: Path) -> None:
    assert ask(server, world, tmp_path / "whole") == 0
    assert server.asked == TURNS + 1
    [whole] = read_trajectories(tmp_path / "whole")
    for deadly in (0, 2):  # before the first reply, and in the middle
        out = tmp_path / f"killed{deadly}"
        assert ask(server, world, out, deadly=deadly) == -9
        assert server.asked == deadly
        assert list(read_trajectories(out)) == []
        assert ask(server, world, out) == 0
        assert server.asked == TURNS + 1 - deadly, "what the model had said is not asked for again"
        [resumed] = read_trajectories(out)
        assert lasting(resumed) == lasting(whole)
        assert not (out / "replies.jsonl").exists()


def test_records_cut_in_the_middle_do_not_stop_the_next_run(server: Server, world: Path, tmp_path: Path) -> None:
    """Killed before the answer, and while it writes: what a run keeps may end anywhere."""
    out = tmp_path / "run"
    assert ask(server, world, out, deadly=TURNS) == -9
    for name in ("replies.jsonl", "trajectories.jsonl"):
        with (out / name).open("ab") as file:
            file.write(b'{"key": "ask/')
    (out / "manifest.json.part").write_bytes(b"{")
    assert ask(server, world, out) == 0
    assert server.asked == 1
    [resumed] = read_trajectories(out)
    assert (resumed.answer, len(resumed.turns)) == ("fact 4", TURNS + 1)
