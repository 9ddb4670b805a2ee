"""The OpenAI class against a real server on the loopback that answers, dawdles, breaks off or lies."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lite.dialect import parse_turn, render_turn, wrap_response
from lite.drive import ask, drive, start
from lite.errors import ModelError, UsageError
from lite.models import load_model, openai
from lite.models.openai import OpenAI
from lite.recipe import AgentSettings
from lite.records import Call, Fault, Generate, Message, Reply, Sampling, Task
from lite.world import World
from tests.loop.conftest import JsonHandler, serving

Answer = Callable[["Handler", dict[str, Any]], None]


class Server(ThreadingHTTPServer):
    """Answers chat completions with `answers`, one after the other; the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.models_status = 200
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is part of the test."""


class Handler(JsonHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def models(self) -> None:
        self.server.keys.append(self.headers.get("Authorization"))
        self.send(self.server.models_status, {"data": []})

    def reply(self, body: dict[str, Any]) -> None:
        server = self.server
        with server.lock:
            server.bodies.append(body)
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            answer(self, body)
        finally:
            with server.lock:
                server.at_once -= 1


def says(content: Any = "hello", *, finish: str = "stop", usage: Any = None, **message: Any) -> Answer:
    def answer(handler: Handler, body: dict[str, Any]) -> None:
        choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
        handler.send(200, {"choices": [choice], "usage": usage})

    return answer


def status(code: int, body: Any = None, **headers: str) -> Answer:
    return lambda handler, _: handler.send(code, body or {"error": {"message": "out of luck"}}, **headers)


def half(handler: Handler, _: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"mess')
    handler.close_connection = True


def hang_up(handler: Handler, _: dict[str, Any]) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def echo(handler: Handler, body: dict[str, Any]) -> None:
    time.sleep(0.2)
    says(body["messages"][-1]["content"])(handler, body)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(openai, "_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(Server()) as running:
        yield running


def request(text: str = "hi", conversation: str = "c", **more: Any) -> Generate:
    messages = (Message(role="system", content="Be brief."), Message(role="user", content=text))
    return Generate(messages=messages, max_tokens=more.pop("max_tokens", 50), conversation=conversation, **more)


def only(model: OpenAI, asked: Generate | None = None) -> Reply | Fault:
    (result,) = model.generate([asked or request()])
    return result


def test_a_request_says_what_the_episode_wants(server) -> None:
    server.answers = [
        says(usage={"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}})
    ]
    model = load_model(f"openai:some/model@{server.url}", context=4096)
    sampling = Sampling(temperature=0.3, top_p=0.9, top_k=5, presence_penalty=0.4, seed=9)
    reply = only(model, request(sampling=sampling))
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish) == ("hello", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (7, 2, 3)
    (body,) = server.bodies
    seed = body.pop("seed")
    assert 0 <= seed < 2**31
    assert body == {
        "model": "some/model",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "max_tokens": 50,
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 5,
        "presence_penalty": 0.4,
        "stop": ["<tool_response>"],
    }
    model.close()


def test_attempts_have_seeds_of_their_own_and_repeat(server) -> None:
    server.answers = [says()]
    model = OpenAI("m", f"{server.url}/v1/")
    for name in ("a", "b", "a"):
        only(model, request(conversation=name))
    first, second, third = (body["seed"] for body in server.bodies)
    assert first == third != second


def test_a_batch_is_asked_for_at_once_and_comes_back_in_order(server) -> None:
    server.answers = [echo]
    model = OpenAI("m", server.url)
    replies = model.generate([request(str(number)) for number in range(100)])
    assert [reply.text for reply in replies] == [str(number) for number in range(100)]
    assert 4 <= server.most_at_once <= 64


def test_a_long_turn_holds_nobody_up(world: Path, server) -> None:
    """One episode waits for its first turn until the other one has had its two, and is over."""
    over = threading.Event()

    def patient(handler: Handler, body: dict[str, Any]) -> None:
        question = body["messages"][1]["content"]
        if question.startswith("long"):
            assert over.wait(20)
        searched = over.is_set() or len(body["messages"]) > 2
        turn = (
            "<answer>7</answer>" if searched else render_turn("Look.", Call(tool="search", arguments={"query": ["7"]}))
        )
        says(turn)(handler, body)

    server.answers = [patient]
    model = OpenAI("m", server.url)
    settings = AgentSettings.read({})
    tasks = [Task(id=name, question=f"{name}?", answers=("7",)) for name in ("long", "short")]
    with World.open(world) as opened:
        ended = drive((start(task, opened, model, settings) for task in tasks), model, width=2)
        _, first = next(ended)
        over.set()
        _, second = next(ended)
    assert [(one.task_id, len(one.turns)) for one in (first, second)] == [("short", 2), ("long", 1)]
    model.close()


def test_a_server_that_never_answers_does_not_keep_the_program(world: Path, server) -> None:
    """Interrupted while its only request hangs, the command is over before the server has said a word."""
    asked, released = threading.Event(), threading.Event()

    def silent(handler: Handler, body: dict[str, Any]) -> None:
        asked.set()
        released.wait(120)

    server.answers = [silent]
    default = ["env", "--default-signal=INT"]  # a shell's background job ignores it, and so would its children
    command = ["-m", "lite.cli", "ask", str(world), "fact 3?", "--model", f"openai:m@{server.url}"]
    child = subprocess.Popen(
        [*default, sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert asked.wait(100)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        assert not released.is_set()
    finally:
        released.set()
        child.kill()
    assert (child.returncode, errors.strip()) == (130, "error: interrupted")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking_that_the_server_took_out_is_put_back(server, field: str) -> None:
    server.answers = [says("<answer>7</answer>", **{field: "hm\n"})]
    reply = only(OpenAI("m", server.url))
    assert reply.text == "<think>\nhm\n</think>\n<answer>7</answer>"


def test_the_stop_tag_never_comes_out(server) -> None:
    server.answers = [says("fine\n<tool_response>\nmade up")]
    assert only(OpenAI("m", server.url)).text == "fine\n"


def test_an_empty_reply_is_the_models_affair(server) -> None:
    server.answers = [says(None), says("")]
    model = OpenAI("m", server.url)
    assert [only(model).text, only(model).text] == ["", ""]


def test_a_cut_reply_says_so(server) -> None:
    server.answers = [says("so", finish="length")]
    assert only(OpenAI("m", server.url)).finish == "length"


@pytest.mark.parametrize(
    "trouble",
    [
        status(500),
        status(503),
        status(429, Retry_After="0.01"),
        half,
        hang_up,
        status(200, b"<html>"),
        status(200, {"no": 1}),
    ],
    ids=["500", "503", "429", "half a body", "hung up", "no JSON", "no choices"],
)
def test_passing_trouble_is_asked_again(server, trouble: Answer) -> None:
    server.answers = [trouble, says("at last")]
    reply = only(OpenAI("m", server.url))
    assert isinstance(reply, Reply), reply
    assert reply.text == "at last"


@pytest.mark.parametrize(
    ("trouble", "tries", "words"),
    [
        (status(500), 3, "HTTP 500: out of luck"),
        (half, 3, "failed"),
        (hang_up, 3, "failed"),
        (status(200, b"<html>"), 3, "no chat completion: <html>"),
        (status(200, {"choices": []}), 3, "no chat completion"),
        (says(["a", "list"]), 3, "no chat completion"),
        (says(usage={"prompt_tokens": "many"}), 3, "no chat completion"),
        (status(400, {"error": "context length\nexceeded"}), 1, "HTTP 400: context length exceeded"),
        (status(404, b""), 1, "HTTP 404"),
    ],
)
def test_lasting_trouble_is_a_fault_in_one_line(server, trouble: Answer, tries: int, words: str) -> None:
    server.answers = [trouble]
    fault = only(OpenAI("m", server.url))
    assert isinstance(fault, Fault)
    assert fault.where == "model"
    assert words in fault.error
    assert "\n" not in fault.error
    assert len(server.bodies) == tries


def test_a_server_that_dawdles_is_a_fault(server) -> None:
    done = threading.Event()
    server.answers = [lambda *_: done.wait(20) and None]
    model = OpenAI("m", server.url, timeout=0.3)
    fault = only(model)
    done.set()
    assert isinstance(fault, Fault)
    assert "in time" in fault.error
    assert len(server.bodies) == 1


def test_one_fault_takes_nobody_with_it(server) -> None:
    server.answers = [
        lambda handler, body: (status(400) if body["messages"][-1]["content"] == "bad" else says())(handler, body)
    ]
    results = OpenAI("m", server.url).generate([request("good"), request("bad"), request("good")])
    assert [type(result) for result in results] == [Reply, Fault, Reply]


def test_a_prompt_beyond_the_window_is_a_fault_without_asking(server) -> None:
    server.answers = [says()]
    model = OpenAI("m", server.url, context=256)
    fault = only(model, request("word " * 2000))
    assert isinstance(fault, Fault)
    assert "256" in fault.error
    assert not server.bodies
    only(model, request("word " * 50, max_tokens=1000))
    assert server.bodies[0]["max_tokens"] + model.count(request("word " * 50).messages) == 256


def test_counting_learns_from_what_the_server_reports(server) -> None:
    model = OpenAI("m", server.url, context=100_000)
    asked = request("word " * 1000)
    before = model.count(asked.messages)
    server.answers = [says(usage={"prompt_tokens": 1030, "completion_tokens": 1})]
    only(model, asked)
    after = model.count(asked.messages)
    assert before > 1.3 * 1030
    assert 1030 <= after < 1.1 * 1030
    server.answers = [says(usage={"prompt_tokens": 2030, "completion_tokens": 1})]
    only(model, asked)
    assert model.count(asked.messages) >= 2030, "the dearest text seen so far counts"
    server.answers = [says(usage={"prompt_tokens": 10, "completion_tokens": 1}), says(usage=None)]
    only(model, asked)
    assert model.count(asked.messages) >= 2030, "a figure that cannot be right teaches nothing"


def test_a_server_that_is_down_is_one_line_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelError, match="start it, or correct the address") as caught:
        load_model(f"openai:m@http://127.0.0.1:{port}/v1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost", "ftp://x/v1", "http://", "http://[::1", "http://a b/v1"])
def test_an_address_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        OpenAI("m", url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", [200, 404, 405])
def test_a_server_without_a_list_of_models_will_do(server, code: int) -> None:
    server.models_status = code
    OpenAI("m", server.url).close()


@pytest.mark.parametrize(("code", "words"), [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (502, "HTTP 502")])
def test_a_server_that_refuses_says_what_to_do(server, code: int, words: str) -> None:
    server.models_status = code
    with pytest.raises(ModelError, match=words):
        OpenAI("m", server.url)


def test_keys_go_to_the_server_and_nowhere_else(server, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    address = server.url.replace("http://", "http://user:hidden@")
    model = OpenAI("m", server.url)
    assert server.keys == ["Bearer sk-secret"]
    server.answers = [status(400)]
    assert "sk-secret" not in repr(model.name) + repr(only(model))
    other = OpenAI("m", address)
    assert "hidden" not in other.name + repr(only(other))
    server.models_status = 401
    with pytest.raises(ModelError) as caught:
        OpenAI("m", address)
    assert "hidden" not in str(caught.value)
    assert "sk-secret" not in str(caught.value)


TOOLS = [{"type": "function", "function": {"name": "search", "parameters": {}}}]
CALL = {"id": "x", "type": "function", "function": {"name": "search", "arguments": '{"query": ["é"]}'}}


def conversation(*texts: str) -> Generate:
    roles = ("user", "assistant") * len(texts)
    said = tuple(Message(role=role, content=text) for role, text in zip(roles, texts, strict=False))
    return Generate(messages=said, max_tokens=50)


def test_a_call_that_the_server_took_out_of_the_turn_is_put_back(server) -> None:
    server.answers = [says(None, tool_calls=[CALL], finish="tool_calls")]
    parsed = parse_turn(only(OpenAI("m", server.url)).text, strict=True)
    assert parsed.call == Call(tool="search", arguments={"query": ["é"]})
    server.answers = [says("Well.", tool_calls=[CALL, CALL], reasoning_content="hm")]
    parsed = parse_turn(only(OpenAI("m", server.url)).text)
    assert (parsed.think, parsed.repairs) == ("hm", ("second_call_dropped",))
    broken = {"function": {"name": "search", "arguments": '{"query": ["é"'}}
    server.answers = [says(tool_calls=[broken])]
    parsed = parse_turn(only(OpenAI("m", server.url)).text)
    assert (parsed.call.arguments, parsed.repairs) == ({"query": ["é"]}, ("arguments_as_string", "missing_brace"))
    deep = {"function": {"name": "search", "arguments": f'{{"query": {"[" * 5000}{"]" * 5000}}}'}}
    server.answers = [says(tool_calls=[deep])]
    assert parse_turn(only(OpenAI("m", server.url)).text).malformed is not None


@pytest.mark.parametrize("calls", [[7], ["x"], [{}], {"function": {}}, [{"function": {"name": "search"}}]])
def test_a_call_that_is_none_is_no_completion(server, calls) -> None:
    server.answers = [says(tool_calls=calls)]
    fault = only(OpenAI("m", server.url))
    assert isinstance(fault, Fault)
    assert "no chat completion" in fault.error


def test_a_server_with_tools_gets_calls_and_results_by_its_protocol(server) -> None:
    server.answers = [says()]
    model = OpenAI("m", server.url, tools=TOOLS)
    call = render_turn("so", Call(tool="search", arguments={"query": ["é"]}))
    asked = conversation(
        "q",
        call,
        wrap_response("found\n</tool"),
        "babble",
        wrap_response("Error: no"),
        call,
        wrap_response("x") + "\n\nAnswer now.",
    )
    only(model, asked.model_copy(update={"form": "answer"}))
    body = server.bodies[0]
    function = {"name": "search", "arguments": '{"query": ["é"]}'}
    assert body["messages"] == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "<think>\nso\n</think>", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "found\n</tool"},
        {"role": "assistant", "content": "babble"},
        {"role": "user", "content": wrap_response("Error: no")},
        {"role": "assistant", "content": "<think>\nso\n</think>", "tool_calls": [{"id": "call_5", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_5", "content": "x"},
        {"role": "user", "content": "Answer now."},
    ]  # fmt: skip
    assert (body["tools"], body["tool_choice"]) == (TOOLS, "none")
    only(model, asked)
    assert server.bodies[1]["tool_choice"] == "auto"
    only(model, asked.model_copy(update={"form": "free"}))
    assert "tools" not in server.bodies[2]


def test_an_episode_by_the_servers_own_protocol(server, tmp_path) -> None:
    page = {"url": "https://e.test/iron", "title": "Iron", "doc": "Iron melts at 1538 degrees."}
    (tmp_path / "pages.jsonl").write_text(json.dumps(page))
    server.answers = [
        says(None, tool_calls=[{"function": {"name": "search", "arguments": '{"query": ["iron"]}'}}]),
        says("<answer>1538</answer>"),
    ]
    with World.build(tmp_path / "pages.jsonl", tmp_path / "world", date="2026-01-02") as world:
        found = ask(world, "When does iron melt?", model=f"openai:m@{server.url}", native_tools=True, tools="search")
    assert (found.answer, found.turns[0].malformed, found.turns[0].repairs) == ("1538", None, ())
    assert [one["function"]["name"] for one in server.bodies[0]["tools"]] == ["search"]
    assert "1538 degrees" in server.bodies[1]["messages"][-1]["content"]
    assert server.bodies[1]["messages"][-1]["role"] == "tool"
    with pytest.raises(UsageError, match="--native-tools"):
        load_model("scripted:x.json", tools=TOOLS)
