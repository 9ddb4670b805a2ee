"""What a server refuses, and that nothing a client sends brings it down: one line of JSON, and never a 500."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

RADIUM = "http://elements.test/radium"
PATHS = {
    "environment": ["/search", "/batch_search", "/check_url", "/batch_check_url", "/web_parser", "/query"],
    "inference": ["/search", "/browse"],
    "search-r1": ["/retrieve"],
    "serper": ["/search"],
}


@pytest.fixture
def small(served: Callable[..., str]) -> Iterator[Any]:
    """A client of a server with narrow limits."""
    address = served("environment", body=2000, chars=50, batch=3, urls=2, results=5, patience=0.5)
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


def line(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert "\n" not in answer.text
    return answer.status_code, answer.json()["error"]


def raw(address: str, sent: bytes, *, close: bool = False) -> bytes:
    """Everything the server says to these bytes, until it hangs up (or we do, with `close`)."""
    parts = urlsplit(address)
    with closing(socket.create_connection((parts.hostname, parts.port), timeout=60)) as connection:
        connection.sendall(sent)
        if close:
            connection.shutdown(socket.SHUT_WR)
        got = b""
        while more := connection.recv(65536):
            got += more
        return got


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/search", {"query": "x" * 51}, 422, "query: 51 characters, at most 50 are taken"),
        ("/search", {"query": "x", "limit": 6}, 422, "limit: 6 results, at most 5 are given"),
        ("/search", {"query": "x", "mask": ["a", "b", "c"]}, 422, "mask: 3 items, at most 2 are taken"),
        ("/search", {"query": "x", "mask": ["y" * 51]}, 422, "mask.0: 51 characters, at most 50 are taken"),
        ("/batch_search", {"queries": ["a"] * 4}, 422, "queries: 4 items, at most 3 are taken"),
        ("/batch_check_url", {"urls": ["a"] * 3}, 422, "urls: 3 items, at most 2 are taken"),
        ("/query", {"url": RADIUM, "goal": "x" * 51}, 422, "goal: 51 characters, at most 50 are taken"),
        ("/search", {"query": "x" * 2000}, 413, "the request is longer than 2000 bytes: ask for less at once"),
    ],
)
def test_what_goes_beyond_a_limit(small, path, body, status, said):
    assert line(small.post(path, json=body)) == (status, said)


def test_what_meets_a_limit_is_served(small):
    body = {"query": "radium".ljust(50), "limit": 5, "mask": ["a", "b"]}
    assert small.post("/search", json=body).json()["results"][0]["link"] == RADIUM
    assert small.post("/batch_search", json={"queries": ["a", "b", "c"]}).json()["total_queries"] == 3


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "the request is not JSON: EOF while parsing a value at line 1 column 0"),
        (b"{", 400, "the request is not JSON: EOF while parsing an object at line 1 column 1"),
        (b'{"query": "\xff"}', 400, "the request is not JSON: invalid unicode code point at line 1 column 12"),
        (b"[" * 1500, 400, "the request is not JSON: recursion limit exceeded"),
        (b'{"query": NaN}', 422, "query: Input should be a valid string"),
        (b'{"query": "\\ud800"}', 400, "the request is not JSON: unexpected end of hex escape at line 1 column 18"),
        (b"[]", 422, "Input should be an object"),
        (b"{}", 422, "query: Field required"),
        (b'{"query": ["a"]}', 422, "query: Input should be a valid string"),
        (b'{"query": "a", "limit": true}', 422, "limit: Input should be a valid integer"),
        (b'{"query": "a", "limit": 0}', 422, "limit: Input should be greater than or equal to 1"),
        (b'{"query": "a", "limit": 1e400}', 422, "limit: Input should be a valid integer"),
        (b'{"query": "a", "sparse_weight": -1}', 422, "sparse_weight: Input should be greater than or equal to 0"),
        (b'{"query": "a", "sparse_weight": NaN}', 422, "sparse_weight: Input should be"),
        (b'{"query": "a", "search_type": "bm25"}', 422, "search_type: Input should be 'hybrid', 'dense' or 'sparse'"),
        (b'{"query": "a", "quary": "b"}', 422, "quary: Extra inputs are not permitted"),
        (b'{"query": "a", "mask": "b"}', 422, "mask: Input should be a valid array"),
    ],
)
def test_a_body_that_is_no_request(small, body, status, said):
    got = line(small.post("/search", content=body))
    assert got[0] == status
    assert got[1].startswith(said)


def test_unknown_paths_and_methods(small):
    assert line(small.post("/nowhere", json={})) == (404, "POST /nowhere: not found, see /openapi.json")
    wrong = small.get("/search")
    assert line(wrong) == (405, "GET /search: method not allowed, see /openapi.json")
    assert wrong.headers["allow"] == "POST"


def test_a_client_that_sends_everything_first_reads_why(small):
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{small.base_url}/search", data=b"x" * 5_000_000)
    assert json.load(refused.value)["error"] == "the request is longer than 2000 bytes: ask for less at once"


def test_more_bytes_than_were_announced_or_none_announced(small):
    def chunks() -> Iterator[bytes]:
        yield b'{"query": "'
        yield b"x" * 3000

    assert line(small.post("/search", content=chunks()))[0] == 413
    assert small.post("/search", content=iter([b'{"query": ', b'"radium"}'])).json()["total"] == 1


# ---------------------------------------------------------------- who may ask


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_a_name_that_was_made_to_point_here_is_refused(small, host):
    status, said = line(small.post("/search", json={"query": "x"}, headers={"Host": host}))
    assert status == 403
    assert said.endswith(f"start it with --allow {host.partition(':')[0]}")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_pages_of_other_origins_are_refused(small, origin):
    assert line(small.get("/health", headers={"Origin": origin}))[0] == 403


def test_names_of_this_machine_are_let_in(small):
    port = small.base_url.port
    for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", "[::1]"):
        assert small.get("/health", headers={"Host": host}).status_code == 200
    assert small.get("/health", headers={"Origin": f"http://127.0.0.1:{port}"}).status_code == 200


# ---------------------------------------------------------------- slow and broken clients


def test_a_body_that_does_not_come(small):
    head = b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    said = raw(str(small.base_url), head + b'{"query"')
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2]) == {"error": "the request was not whole after 0.5 seconds"}


@pytest.mark.parametrize("begun", [b"", b"POST /search HT", b"POST /search HTTP/1.1\r\nHost: localhost\r\nX-"])
def test_a_head_that_does_not_come(small, begun):
    assert raw(str(small.base_url), begun) == b"", "the server hangs up"


def test_a_client_that_goes_away_in_the_middle(small):
    parts = urlsplit(str(small.base_url))
    for sent in (b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{", b"POST"):
        with closing(socket.create_connection((parts.hostname, parts.port))) as connection:
            connection.sendall(sent)
    assert small.get("/health").status_code == 200


# ---------------------------------------------------------------- too much work


def test_work_that_takes_too_long_and_work_that_waits(world):
    from lite.serve.engine import Engine, Refusal
    from lite.serve.limits import Limits
    from lite.world import World

    async def crowd(engine: Engine, release: Event) -> None:
        await engine.run(str)
        with pytest.raises(Refusal, match=r"^not done within 0\.3 seconds: ask for less at once$") as late:
            await engine.run(release.wait)
        assert late.value.status == 408
        with pytest.raises(Refusal) as late:
            await engine.run(release.wait)  # it never got a thread, and is forgotten
        assert late.value.status == 408
        assert engine.running == 1, "what has begun runs on, and counts"
        waiting = asyncio.gather(engine.run(release.wait), return_exceptions=True)
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as crowded:
            await engine.run(release.wait)
        assert crowded.value.status == 429
        await waiting
        release.set()
        engine.limits = Limits()
        assert await engine.run(lambda: "done") == "done"

    release = Event()
    with World.open(world) as opened:
        engine = Engine(opened, Limits(threads=1, waiting=2, seconds=0.3))
        try:
            asyncio.run(crowd(engine, release))
        finally:
            release.set()
            engine.close()


# ---------------------------------------------------------------- starting and stopping


def start(world: Path, **settings: Any) -> subprocess.Popen[str]:
    code = (
        "from lite.serve.http import serve\n"
        f"serve({str(world)!r}, ready=lambda at: print(at, flush=True), **{settings!r})\nprint('closed')"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_stops_it_without_a_word(world, number, status):
    server = start(world, port=0)
    assert server.stdout
    address = server.stdout.readline().strip()
    assert httpx.get(f"{address}/health").status_code == 200
    server.send_signal(number)
    assert server.communicate(timeout=60) == ("closed\n" if status == 0 else "", "")
    assert server.returncode == status


def test_what_cannot_be_served_is_one_line(world, served, tmp_path):
    from lite.errors import UsageError, WorldError
    from lite.serve.http import serve

    taken = urlsplit(served("serper")).port
    assert taken
    with pytest.raises(
        UsageError, match=rf"^cannot listen on 127.0.0.1 port {taken} \(Address already in use\): choose"
    ):
        serve(world, "serper", port=taken)
    with pytest.raises(UsageError, match=r"^cannot listen on no\.such\.host\.invalid port 0 "):
        serve(world, host="no.such.host.invalid", port=0)
    with pytest.raises(
        UsageError, match="no interface is called 'google': use environment, inference, search-r1, serper"
    ):
        serve(world, "google")
    with pytest.raises(WorldError):
        serve(tmp_path)


def test_a_wider_address_answers_to_numbers_and_to_names_it_was_told(world):
    server = start(world, host="0.0.0.0", port=0, allow=["box.lan"])
    assert server.stdout
    try:
        port = urlsplit(server.stdout.readline().strip()).port

        def status(host: str) -> int:
            return httpx.get(f"http://127.0.0.1:{port}/health", headers={"Host": host}).status_code

        assert [status(host) for host in ("10.1.2.3", "box.lan:80", "localhost", "other.lan")] == [200, 200, 200, 403]
    finally:
        server.terminate()
        server.communicate(timeout=60)


# ---------------------------------------------------------------- fuzz

WORDS = [
    "radium",
    RADIUM,
    "",
    " ",
    "(" * 200,
    '"',
    "a:b",
    "-x",
    "\x00",
    "\u202e",
    "🜨",
    "居里",
    "NOT AND OR",
    "x" * 9000,
]
FIELDS = (
    *("query", "queries", "url", "urls", "goal", "question", "q", "num", "page", "topk", "return_scores", "limit"),
    *("search_type", "sparse_weight", "dense_weight", "phrase", "mask", "gl", "hl", "tbs", "location", "extra"),
)
ODD: list[Any] = [None, True, -1, 0, 1, 3, 10**30, 1.5, -1e308, "hybrid", "sparse", "dense", [], {}, [[]], [None], "7"]


def value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.random()
    if kind < 0.5:
        return dice.choice(WORDS)
    if kind < 0.7 and depth < 3:
        return [value(dice, depth + 1) for _ in range(dice.choice([0, 1, 1, 2, 5, 120]))][: 120 if depth == 0 else 5]
    if kind < 0.75 and depth < 3:
        return {dice.choice(FIELDS): value(dice, depth + 1)}
    return dice.choice(ODD)


def request_body(dice: random.Random) -> bytes:
    """Mostly a near miss of a request; sometimes torn, mangled, or no JSON at all."""
    right: dict[str, Any] = dice.choice(
        [
            {"query": dice.choice(WORDS)},
            {"query": [dice.choice(WORDS), dice.choice(WORDS)]},
            {"queries": [dice.choice(WORDS) for _ in range(3)]},
            {"url": RADIUM, "goal": dice.choice(WORDS)},
            {"urls": [RADIUM, dice.choice(WORDS)]},
            {"q": dice.choice(WORDS), "num": dice.choice([1, 5])},
            {},
        ]
    )
    for _ in range(dice.choice([0, 0, 1, 1, 2])):
        right[dice.choice(FIELDS)] = value(dice)
    body = json.dumps(right, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    kind = dice.random()
    if kind < 0.1:
        return body[: dice.randrange(len(body) + 1)]
    if kind < 0.2:
        torn = bytearray(body)
        for _ in range(dice.randrange(1, 5)):
            torn[dice.randrange(len(torn))] = dice.randrange(256)
        return bytes(torn)
    if kind < 0.23:
        return dice.randbytes(dice.randrange(300))
    return body


@pytest.mark.parametrize("api", PATHS)
def test_no_request_is_a_fault_of_the_server(served, api):
    dice = random.Random(f"requests to {api}")
    count = int(os.environ.get("LITE_FUZZ", "400")) // len(PATHS)
    statuses: dict[int, int] = {}
    with httpx.Client(base_url=served(api), timeout=60) as client:
        for _ in range(count):
            path, body = dice.choice(PATHS[api]), request_body(dice)
            answer = client.post(path, content=body)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code in {200, 400, 422}, (path, body, answer.text)
            assert isinstance(answer.json(), dict)
            if answer.status_code != 200:
                line(answer)
    assert set(statuses) == {200, 400, 422}, "the fuzz must reach what it is meant to reach"


def test_no_bytes_bring_it_down(served):
    address = served("environment")
    dice = random.Random("bytes")
    whole = b'POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{"query": "radium"}'
    assert raw(address, whole).startswith(b"HTTP/1.1 200 ")
    for _ in range(int(os.environ.get("LITE_FUZZ", "400")) // 4):
        sent = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            sent[dice.randrange(len(sent))] = dice.choice([0, 10, 13, 32, 45, 58, 255, dice.randrange(256)])
        said = raw(address, bytes(sent), close=True)
        assert not said.startswith(b"HTTP/1.1 5"), (bytes(sent), said)
    assert httpx.get(f"{address}/health").status_code == 200
