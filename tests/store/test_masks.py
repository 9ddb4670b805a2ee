"""A masked page is nowhere: not found, not read, not offered, under no spelling, alias, section or near copy of it."""

import random
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite.index.text import links
from lite.records import Call
from lite.tools import Toolset
from lite.world import World

WorldOf = Callable[..., World]


def prose(seed: int, changes: int = 0, length: int = 120) -> str:
    """Words that tell this page apart; `changes` of them differ from those of the same seed without."""
    chance = random.Random(seed)
    words = [f"s{seed}w{chance.randrange(500)}" for _ in range(length)]
    for n in range(changes):
        words[n * 17] = f"changed{n}"
    return " ".join(words)


SECRET = prose(1)
TARGET = "https://Secret.test/caf%C3%A9/The%20page"
NAMES = (  # all of them are the masked page or a near copy of it
    TARGET,
    "http://mirror.test/copy",  # the same text: an alias
    "http://secret.test/café/The page",  # another spelling, with another text, from another day
    "https://near.test/one-word-changed",
)
OTHERS = ("https://secret.test/", "https://secret.test/caf%C3%A9/The%20page/", "https://secret.test/café/the page")
SPELLINGS = (
    TARGET,
    "https://secret.test/café/The page",
    "HTTP://SECRET.TEST:80/caf%c3%a9/%54he%20page",
    "https://secret.test:443/caf%C3%A9/The%20page#nothing-there",
    f"  {TARGET}\n",
    "http://mirror.test/copy",
    "https://MIRROR.test:443/%63opy",
    f"{TARGET}#*",
)


@pytest.fixture
def world(world_of: WorldOf) -> World:
    texts = (SECRET, SECRET, prose(2) + " s1w1 s1w2", prose(1, 1), prose(3), prose(4), prose(5))
    pages = [
        {"url": url, "title": f"The page {n}", "doc": text}
        for n, (url, text) in enumerate(zip((*NAMES, *OTHERS), texts, strict=True))
    ]
    links = f"It is told at [the page]({TARGET}), [copied](http://mirror.test/copy) and more. {prose(6)}"
    return world_of([*pages, {"url": "https://links.test/", "title": "Links", "doc": links}])


def everything_said(world: World, mask: list[str]) -> tuple[set[str], str]:
    """(URLs that the tools show or open, all they say but for the query), over every way to ask for a page."""
    tools = Toolset(world, mask=mask, results=50)
    asked = [SECRET, "the page", *SECRET.split()[:10], TARGET]
    urls = [
        *NAMES,
        *OTHERS,
        *SPELLINGS,
        *(quote(name, safe=":/#%") for name in NAMES),
        "https://secret.test/unknown/page",
    ]
    seen = [tools.run(Call(tool="search", arguments={"query": [query]})) for query in asked]
    seen += [tools.run(Call(tool="visit", arguments={"url": [url], "goal": "s1w1"})) for url in urls]
    shown = {url for each in seen for url in (*each.shown, *each.read)}
    shown |= {near for url in urls for near in world.nearest(url, 50, mask=mask)}
    shown |= {hit.url for query in asked for hit in world.search(query, 50, mask=mask, phrase=True)}
    return shown, "\n".join(each.text for each in seen).replace(f"'{SECRET}'", "")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_masked_page_leaks_it(world: World, spelling: str) -> None:
    assert set(NAMES) <= everything_said(world, [])[0] | {"http://mirror.test/copy", TARGET}
    shown, said = everything_said(world, [spelling])
    hidden = {name for name in NAMES if world.resolve(name, mask=[spelling]) is None}
    by_address = "mirror" not in spelling.lower()
    assert hidden == set(NAMES) if by_address else set(NAMES) - {NAMES[2]}  # an alias names no other spelling
    assert not shown & hidden
    assert set(OTHERS) <= shown
    for text in (SECRET, prose(1, 1), *([prose(2)] if by_address else [])):
        words = text.split()
        assert not any(" ".join(words[n : n + 6]) in said for n in range(len(words) - 6))
    for name in hidden:
        assert not world.visit(name, mask=[spelling]).found
        assert not world.visit(name, mode="raw", mask=[spelling]).evidence
    page = world.visit("https://links.test/", mask=[spelling]).evidence  # what it says of others stays as it is written
    followed = [target for target, _ in links(page)]
    assert len(followed) == 2
    assert not any(world.visit(url, mask=[spelling]).found for url in followed)


def test_sections_are_hidden_with_their_page_or_by_themselves(world_of: WorldOf) -> None:
    names = ["http://w.test", "https://w.test/#one", "https://W.test#two", "https://w.test?q", "https://w.test/p#one"]
    world = world_of([{"url": url, "title": f"T{n}", "doc": prose(n)} for n, url in enumerate(names)])

    def hidden(*mask: str) -> list[int]:
        return [n for n, url in enumerate(names) if not world.visit(url, mask=mask).found]

    assert hidden("https://w.test/") == hidden("https://w.test#nothing") == [0]
    assert hidden("https://w.test/#two") == [2]
    for whole in ("https://w.test/#*", "http://W.test:80#*", " https://w.test#* ", "https://w.test/#one#*"):
        assert hidden(whole) == [0, 1, 2], whole
    assert hidden("https://w.test/?q") == hidden("HTTP://w.test?q") == [3]
    assert hidden("https://w.test/p") == []
    assert hidden("https://w.test/p#*") == [4]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mask=st.lists(st.one_of(st.text(max_size=30), st.sampled_from(SPELLINGS)), max_size=4),
    end=st.sampled_from(["", "#*"]),
)
def test_any_text_is_a_mask(world: World, mask: list[str], end: str) -> None:
    asked = [f"{each}{end}" for each in mask]
    hidden = {hit.url for hit in world.search("the page", 50)} - {
        hit.url for hit in world.search("the page", 50, mask=asked)
    }
    assert hidden == {url for url in {*NAMES, *OTHERS} if url in hidden}
    for url in hidden:
        assert world.resolve(url, mask=asked) is None


def test_near_duplicates_that_were_dropped_hide_what_stands_for_them(world_of: WorldOf) -> None:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from lite.corpus.export import write_pages
    from lite.records import Page

    with TemporaryDirectory() as folder:
        pages = [Page(url=f"https://w.test/{n}", text=prose(9, n)) for n in range(3)]
        write_pages([*pages, Page(url="https://w.test/x", text=prose(8))], Path(folder) / "p.jsonl")
        with World.build(Path(folder) / "p.jsonl", Path(folder) / "w", near_duplicates="drop") as world:
            assert world.info().aliases > 0
            for mask in ("https://w.test/0", "https://w.test/1"):
                assert [hit.url for hit in world.search(prose(9), 9, mask=[mask])] == []
                assert not world.visit("https://w.test/1", mask=[mask]).found


def test_a_mirror_that_links_to_its_own_host_is_a_copy(world_of: WorldOf) -> None:
    """Nearly every word is a link, as in a list of pages: the addresses differ, what is read does not."""

    def page(host: str) -> dict[str, str]:
        words = prose(7).split()
        linked = [f"[{word}](https://{host}.test/wiki/{n})" for n, word in enumerate(words)]
        logo = f"[![{prose(7, length=9)}](https://{host}.test/logo.png)](https://{host}.test/)"
        return {"url": f"https://{host}.test/page", "title": host, "doc": " ".join([logo, *linked])}

    world = world_of([page("one"), page("two"), {"url": "https://x.test/", "title": "x", "doc": prose(8)}])
    assert world.info().near_duplicates == 1
    mask = ["https://one.test/page"]
    assert not world.visit("https://two.test/page", mask=mask).found
    assert [hit.url for hit in world.search(prose(7), 9, mask=mask)] == []
    assert world.check() == []


def test_a_single_url_is_a_mask(world: World) -> None:
    assert not world.visit(TARGET, mask=TARGET).found
    assert world.resolve(TARGET, mask=TARGET) is None
    shown = {hit.url for hit in world.search(SECRET, 50, mask=TARGET)} | set(world.nearest(TARGET, 50, mask=TARGET))
    assert not shown & set(NAMES)
    assert not Toolset(world, mask=TARGET).run(Call(tool="visit", arguments={"url": [TARGET], "goal": "x"})).read
