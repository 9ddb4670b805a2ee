"""What a request masks no interface gives away: under no spelling or alias, with no section and no near copy."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx")

from lite.world import World  # noqa: E402  # after what may be missing


def prose(seed: int, changes: int = 0) -> str:
    chance = random.Random(seed)
    words = [f"s{seed}w{chance.randrange(500)}" for _ in range(100)]
    for n in range(changes):
        words[n * 17] = f"changed{n}"
    return " ".join(words)


PAGES = {
    "https://a.test/secret": prose(1),
    "http://mirror.test/secret": prose(1),
    "http://a.test/secret": prose(2),
    "https://a.test/secret#part": prose(3),
    "https://near.test/secret": prose(1, 1),
    "https://free.test/": f"{prose(4)} See [the secret](https://a.test/secret).",
}
FREE = "https://free.test/"
ASKED = [prose(n) for n in (1, 2, 3)]
SPELLINGS = ["https://a.test/secret#*", "HTTPS://A.test:443/%73ecret#*", " http://a.test/secret#* "]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("masks")
    lines = [json.dumps({"url": url, "title": "Page", "doc": text}) for url, text in PAGES.items()]
    (folder / "pages.jsonl").write_text("\n".join(lines))
    with World.build(folder / "pages.jsonl", folder / "world") as world:
        yield world


def requests(api: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that an interface can be asked about these pages."""
    for text in ASKED:
        match api:
            case "environment":
                yield "/search", {"query": text, "limit": 50}
                yield "/search", {"query": text, "phrase": True}
            case "inference":
                yield "/search", {"query": text}
            case "search-r1":
                yield "/retrieve", {"queries": [text, "page"], "topk": 50, "return_scores": True}
            case _:
                yield "/search", {"q": text, "num": 20}
                yield "/search", {"q": "page", "num": 2, "page": 2}
    if api == "environment":
        yield "/batch_search", {"queries": ASKED, "limit": 50}
        yield "/batch_check_url", {"urls": list(PAGES)}
        for url in PAGES:
            yield "/check_url", {"url": url}
            yield "/web_parser", {"url": url}
            yield "/query", {"url": url, "goal": ASKED[0]}
    if api == "inference":
        yield "/browse", {"url": [*PAGES, "https://a.test/secret/unknown"], "goal": ASKED[0]}


def leaks(said: str) -> list[str]:
    """Which texts of the masked pages are in an answer, the questions that it repeats left out."""
    for text in ASKED:
        said = said.replace(f"'{text}'", "").replace(f"goal {text} as follows", "").replace(f'"query":"{text}"', "")
    texts = [text.split() for url, text in PAGES.items() if url != FREE]
    return [words[n] for words in texts for n in range(len(words) - 6) if " ".join(words[n : n + 6]) in said]


@pytest.mark.parametrize("mask", SPELLINGS)
@pytest.mark.parametrize("api", ["environment", "inference", "search-r1", "serper"])
def test_no_interface_gives_a_masked_page_away(world: World, api: str, mask: str) -> None:
    from lite.serve.engine import Engine
    from lite.serve.http import application
    from lite.serve.limits import Limits

    engine = Engine(world, Limits())

    async def work() -> None:
        transport = httpx.ASGITransport(app=application(engine, api))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for path, body in requests(api):
                bare = await client.post(path, json=body)
                masked = await client.post(path, json=body | {"mask": [mask]})
                assert (bare.status_code, masked.status_code) == (200, 200), (path, masked.text)
                assert leaks(masked.text) == [], (path, body)
                if FREE not in body.get("url", ""):
                    assert bare.text != masked.text, "the question must reach what is masked"
                said = masked.json()
                assert said.get("exists") in {None, body.get("url") == FREE}
                if path == "/batch_check_url":
                    assert said["results"] == {url: url == FREE for url in PAGES}

    try:
        asyncio.run(work())
    finally:
        engine.close()


@pytest.mark.parametrize("mask", SPELLINGS)
def test_no_tool_of_the_protocol_gives_a_masked_page_away(world: World, mask: str) -> None:
    mcp = pytest.importorskip("mcp")
    from lite.serve.engine import Engine
    from lite.serve.limits import Limits
    from lite.serve.mcp import tool_server

    engine = Engine(world, Limits())
    calls = [("search", {"query": ASKED}), ("visit", {"url": [*PAGES, "https://a.test/secret/x"], "goal": ASKED[0]})]

    async def work() -> None:
        for served, asked in (([mask], []), ([], [mask])):
            async with mcp.Client(tool_server(engine, served)) as client:
                for name, arguments in calls:
                    result = await client.call_tool(name, arguments, meta={"mask": asked})
                    said = result.content[0].text
                    assert leaks(said) == [], (name, arguments)
                    assert FREE in said or name == "search"

    try:
        asyncio.run(work())
    finally:
        engine.close()
