"""A task's mask, tried through the agent's tools: each way round it leads nowhere, and without it each leads there."""

import json

import pytest

from lite.evaluate import evaluate, read_tasks
from lite.models.scripted import Scripted
from lite.run import read_trajectories
from lite.tasks.check import check_all
from lite.tasks.files import write_tasks
from lite.tasks.make import make
from lite.world import World

PAGE = "https://t.test/Z\u00fcrich_Cup"
WAYS = {
    "as it is written": PAGE,
    "percent-encoded": "https://t.test/Z%C3%BCrich_Cup",
    "percent-encoded in small letters": "https://t.test/Z%c3%bcrich_Cup",
    "needlessly encoded": "https://t.test/%5A\u00fcrich_Cup",
    "host in capitals": "https://T.TEST/Z\u00fcrich_Cup",
    "with its port": "https://t.test:443/Z\u00fcrich_Cup",
    "over http": "http://t.test/Z\u00fcrich_Cup",
    "at a section that is no page of its own": PAGE + "#Teams",
    "alias": "https://wiki.test/cup",
    "near-duplicate": "https://copy.test/cup",
}
HIDDEN = {PAGE, WAYS["alias"], WAYS["near-duplicate"]}
SECTION = PAGE + "#History"


@pytest.fixture(scope="module")
def world(league_pages, tmp_path_factory):
    """The league, and its first table once more as a cup with an alias, a near-duplicate and a section of its own."""
    folder = tmp_path_factory.mktemp("masks")
    table = league_pages[0]["doc"].replace("2010 league", "cup")
    names, clubs = ([page["title"] for page in league_pages[at : at + 12]] for at in (2, 14))
    history = " ".join(
        f"{a} led {b} for years, and was missed when it ended." for a, b in zip(names, clubs, strict=True)
    )
    cup = [
        {"url": PAGE, "title": "Z\u00fcrich Cup", "doc": table},
        {"url": WAYS["alias"], "title": "Z\u00fcrich Cup", "doc": table},
        {"url": WAYS["near-duplicate"], "title": "Copied", "doc": f"{table}\nA copy of another page."},
        {"url": SECTION, "title": "Z\u00fcrich Cup, history", "doc": history},
    ]
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in [*cup, *league_pages[2:]]))
    with World.build(folder / "pages.jsonl", folder / "world") as built:
        yield built


@pytest.fixture(scope="module")
def task(world, tmp_path_factory):
    """A task that `make` made of the cup's table alone."""
    out = tmp_path_factory.mktemp("made") / "tasks.jsonl"
    make(world, out, 60, capabilities=["direct"], hop_range=(1, 1))
    return next(one for one in read_tasks(out) if one.evidence == (PAGE,) and one.answer_type == "name")


def call(tool: str, **arguments: object) -> str:
    return f"<think>t</think><tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>"


def told(task, world, folder, *calls: str) -> list[str]:
    """What an agent that makes these calls is told, call by call."""
    write_tasks([task], folder / "tasks.jsonl")
    model = Scripted([*calls, "<think>t</think><answer>?</answer>"], context=100_000)
    evaluate(folder / "tasks.jsonl", world=world, model=model, out=folder / "run", limits={"turns": len(calls) + 1})
    [trajectory] = read_trajectories(folder / "run")
    return [turn.observation for turn in trajectory.turns if turn.call]


def visits(task, urls) -> list[str]:
    return [call("visit", url=[url], goal=task.question) for url in urls]


def test_without_its_mask_every_way_leads_to_the_answer(world, task, tmp_path):
    seen = told(task, world, tmp_path, *visits(task, WAYS.values()))
    for way, text in zip(WAYS, seen, strict=True):
        assert task.answers[0] in text, way


@pytest.mark.parametrize("masked", WAYS)
def test_with_its_mask_none_does_however_the_mask_is_spelled(world, task, tmp_path, masked):
    hidden = task.model_copy(update={"mask": (WAYS[masked],)})
    queries = [task.question, "Z\u00fcrich Cup teams captain capacity", "Alba Borussia Calcio Dynamo Estrela"]
    search = call("search", query=queries)
    *seen, found = told(hidden, world, tmp_path, *visits(task, WAYS.values()), search)
    for way, text in zip(WAYS, seen, strict=True):
        assert "could not be accessed" in text, way
        assert task.answers[0] not in text, way
        nearest = text.partition("exist: ")[2].partition("\n")[0].split(", ")
        assert not set(nearest) & HIDDEN, way
    assert not [url for url in HIDDEN if f"({url})" in found]
    assert f"({SECTION})" in found
    _, rejected = check_all(world, [hidden])
    assert rejected[task.id].check == "masked"


def test_a_section_is_a_page_of_its_own_unless_the_mask_says_so(world, task, tmp_path):
    for mask, reached in ((PAGE, True), (PAGE + "#*", False), (WAYS["percent-encoded"] + "#*", False)):
        hidden = task.model_copy(update={"mask": (mask,)})
        folder = tmp_path / f"{reached}{len(mask)}"
        folder.mkdir()
        calls = [
            *visits(task, [SECTION, "https://t.test/Z%C3%BCrich_Cup#History"]),
            call("search", query=["history cup"]),
        ]
        first, encoded, found = told(hidden, world, folder, *calls)
        assert {task.answers[0] in first, task.answers[0] in encoded, f"({SECTION})" in found} == {reached}
