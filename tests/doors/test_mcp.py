"""The two tools over the Model Context Protocol, called with the official client on both transports."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

mcp = pytest.importorskip("mcp")
httpx = pytest.importorskip("httpx")

RADIUM = "http://elements.test/radium"
POLONIUM = "http://elements.test/polonium"


def program(world: Path, **settings: Any) -> str:
    told = "lambda at: print(at, flush=True)" if settings.get("http") else "None"
    return f"from lite.serve.mcp import serve_mcp\nserve_mcp({str(world)!r}, ready={told}, **{settings!r})"


@pytest.fixture(scope="module")
def address(world: Path) -> Iterator[str]:
    """Of a server over HTTP."""
    command = [sys.executable, "-c", program(world, http=True, port=0)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.terminate()
        assert "Traceback" not in server.communicate(timeout=60)[1]


@pytest.fixture(params=["stdio", "http", "http, as clients before 2026 speak it"])
def reach(request: pytest.FixtureRequest, world: Path) -> Callable[[Callable[[Any], Awaitable[None]]], None]:
    """`reach(work)`: run `work(client)` with a client that is connected."""

    async def connected(work: Callable[[Any], Awaitable[None]]) -> None:
        if request.param == "stdio":
            client = mcp.Client(mcp.StdioServerParameters(command=sys.executable, args=["-c", program(world)]))
        else:
            mode = "auto" if request.param == "http" else "legacy"
            client = mcp.Client(request.getfixturevalue("address"), mode=mode)
        async with client:
            await work(client)

    return lambda work: asyncio.run(connected(work))


def text(result: Any) -> str:
    (content,) = result.content
    return content.text


def test_the_tools_are_the_agents_own(reach):
    from lite.tools import SCHEMAS

    async def work(client: Any) -> None:
        listed = (await client.list_tools()).tools
        for tool, schema in zip(listed, SCHEMAS, strict=True):
            function = schema["function"]
            assert (tool.name, tool.description) == (function["name"], function["description"])
            assert tool.input_schema == function["parameters"]
            assert tool.annotations.read_only_hint

    reach(work)


def test_the_texts_are_the_agents_own(reach, world):
    from lite.records import Call
    from lite.tools import Toolset
    from lite.world import World

    calls = [
        Call(tool="search", arguments={"query": ["radium", "Curie"]}),
        Call(tool="search", arguments={"query": "radium"}),
        Call(tool="visit", arguments={"url": [RADIUM, "http://elsewhere.test/"], "goal": "year"}),
        Call(tool="visit", arguments={"url": POLONIUM, "goal": "name"}),
        Call(tool="visit", arguments={"url": RADIUM}),
        Call(tool="search", arguments={"query": 7}),
        Call(tool="search", arguments={}),
        Call(tool="browse", arguments={"url": RADIUM}),
    ]
    with World.open(world) as opened:
        expected = [Toolset(opened).run(call) for call in calls]
    assert {seen.ok for seen in expected} == {True, False}

    async def work(client: Any) -> None:
        for call, seen in zip(calls, expected, strict=True):
            result = await client.call_tool(call.tool, call.arguments)
            assert (text(result), result.is_error) == (seen.text, not seen.ok)

    reach(work)


def test_a_call_can_hide_pages(reach):
    async def work(client: Any) -> None:
        visit = {"url": [RADIUM], "goal": "year"}
        assert "1898" in text(await client.call_tool("visit", visit))
        mask = {"mask": ["https://ELEMENTS.test/radium"]}
        assert "could not be accessed" in text(await client.call_tool("visit", visit, meta=mask))
        assert RADIUM not in text(await client.call_tool("search", {"query": ["radium"]}, meta=mask))
        assert "1898" in text(await client.call_tool("visit", visit)), "the next call sees it again"
        for unclear in (RADIUM, [7], {"url": RADIUM}):
            refused = await client.call_tool("visit", visit, meta={"mask": unclear})
            assert refused.is_error
            assert text(refused) == "Error: _meta.mask is an array of at most 1000 URLs."

    reach(work)


def test_limits_are_told_to_the_model(reach):
    async def work(client: Any) -> None:
        refused = await client.call_tool("search", {"query": ["x" * 10_001]})
        assert refused.is_error
        assert text(refused) == "Error: a query, URL or goal has at most 10000 characters."

    reach(work)


def test_a_server_can_hide_pages_from_every_call(world):
    async def work() -> None:
        code = program(world, mask=[RADIUM])
        async with mcp.Client(mcp.StdioServerParameters(command=sys.executable, args=["-c", code])) as client:
            call = await client.call_tool("visit", {"url": [RADIUM], "goal": "year"}, meta={"mask": [POLONIUM]})
            assert "could not be accessed" in text(call)
            assert "No results" in text(await client.call_tool("search", {"query": ["radium", "polonium"]}))

    asyncio.run(work())


def test_calls_at_once(reach):
    async def work(client: Any) -> None:
        alone = {word: text(await client.call_tool("search", {"query": [word]})) for word in ("radium", "Paris")}
        words = ["radium", "Paris"] * 20
        at_once = await asyncio.gather(*(client.call_tool("search", {"query": [word]}) for word in words))
        assert [text(result) for result in at_once] == [alone[word] for word in words]

    reach(work)


def test_over_http_it_answers_to_this_machine_only(address):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepts = {"Accept": "application/json, text/event-stream"}
    assert httpx.post(address, json=body, headers=accepts | {"Host": "evil.example"}).status_code == 403
    assert httpx.post(address, json=body, headers=accepts | {"Origin": "https://evil.example"}).status_code == 403
    assert httpx.post(address, content=b"x" * 1_000_001, headers=accepts).status_code == 413
    assert httpx.post(address, content=b"{", headers=accepts | {"Content-Type": "application/json"}).status_code == 400


def test_stdio_ends_when_the_client_goes_and_keeps_its_output_clean(world):
    hello = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}\nno json\n'
    done = subprocess.run(
        [sys.executable, "-c", program(world)], input=hello, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert 1 in [message.get("id") for message in said]
    assert "Traceback" not in done.stderr


def test_what_cannot_be_served_is_one_line(tmp_path):
    from lite.errors import WorldError
    from lite.serve.mcp import serve_mcp

    with pytest.raises(WorldError):
        serve_mcp(tmp_path)
