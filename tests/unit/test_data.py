"""The atlas: its pages hold together, its tasks follow from them, and a rebuild gives the same bytes."""

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from lite.evaluate import read_tasks
from lite.records import Task
from lite.tasks.make import make
from lite.tasks.split import SPLITS
from lite.world import World

DATA = Path(__file__).resolve().parents[2] / "data"
LINK = re.compile(r"\[([^\]]*)\]\((https://[^)\s]+)\)")
CAPABILITIES = ["direct", "aggregation", "enumeration", "verification", "statistics"]


@pytest.fixture(scope="module")
def pages() -> dict[str, dict[str, str]]:
    raw = zstandard.ZstdDecompressor().decompress((DATA / "atlas.jsonl.zst").read_bytes())
    records = [json.loads(line) for line in raw.decode().splitlines()]
    found = {r["url"]: r for r in records}
    assert len(found) == len(records), "a URL stands twice"
    return found


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return [task for split in SPLITS for task in read_tasks(DATA / f"tasks/{split}.jsonl.zst")]


def plain(page: dict[str, str]) -> str:
    """A page's text with its links reduced to what a reader sees."""
    return LINK.sub(r"\1", page["doc"]).replace("**", "")


class TestPages:
    def test_size_of_the_world(self, pages: dict[str, dict[str, str]]) -> None:
        assert len(pages) >= 2000
        assert (DATA / "atlas.jsonl.zst").stat().st_size < 2_000_000
        hosts = {url.split("/")[2] for url in pages}
        assert len(hosts) >= 4
        assert all(host.endswith(".test") for host in hosts)

    def test_every_page_has_something_to_say(self, pages: dict[str, dict[str, str]]) -> None:
        for url, page in pages.items():
            assert set(page) == {"url", "title", "doc"}, url
            assert page["title"].strip(), url
            assert len(plain(page).split()) >= 10, url
            assert page["doc"].startswith("# "), url
            assert not re.search(r"\bNone\b|\{\w*\}|  [^ ]| ,|\.\.", page["doc"]), url

    def test_every_link_leads_to_a_page(self, pages: dict[str, dict[str, str]]) -> None:
        for url, page in pages.items():
            for text, target in LINK.findall(page["doc"]):
                assert target in pages, (url, target)
                assert text.strip(), (url, target)

    def test_every_page_can_be_reached(self, pages: dict[str, dict[str, str]]) -> None:
        seen, ahead = set(), ["https://encyclopedia.atlas.test/"]
        while ahead:
            url = ahead.pop()
            if url not in seen:
                seen.add(url)
                ahead += [target for _, target in LINK.findall(pages[url]["doc"])]
        assert set(pages) - seen == set()

    def test_every_table_is_whole(self, pages: dict[str, dict[str, str]]) -> None:
        for url, page in pages.items():
            lines = plain(page).splitlines()
            for above, line in pairwise(lines):
                if above.startswith("|") and line.startswith("|"):
                    assert above.count("|") == line.count("|"), (url, line)


class TestTasks:
    def test_there_are_enough_of_each_kind(self, tasks: list[Task]) -> None:
        assert len(tasks) >= 2000
        assert len({task.id for task in tasks}) == len(tasks)
        assert len({task.question for task in tasks}) == len(tasks)
        for split, least in (("train", 200), ("dev", 30), ("test", 100)):
            counts = Counter(task.capability for task in tasks if task.split == split)
            assert set(counts) == set(CAPABILITIES)
            assert min(counts.values()) >= least, (split, counts)
        assert {task.hops for task in tasks} == {1, 2, 3, 4}

    def test_no_entity_is_in_two_splits(self, tasks: list[Task]) -> None:
        split: dict[str, str] = {}
        for task in tasks:
            assert task.entities, task.id
            for entity in task.entities:
                assert split.setdefault(entity.casefold(), task.split) == task.split, (task.id, entity)

    def test_what_lies_on_the_way_is_not_named(self, tasks: list[Task]) -> None:
        assert sum(bool(task.unsaid) for task in tasks) > 50
        for task in tasks:
            for name in task.unsaid:
                assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", task.question, re.IGNORECASE), task.id

    def test_the_evidence_shows_the_answer(self, tasks: list[Task], pages: dict[str, dict[str, str]]) -> None:
        """Of an answer that is not reckoned, every part stands at one of the task's spans."""
        looked = 0
        for task in tasks:
            shown = [pages[url]["doc"][start:end] for url, start, end in task.spans]
            assert all(text.strip() for text in shown), task.id
            if task.derivation["op"] in {"find", "fact", "list", "meet", "agree", "official", "most", "least", "rank"}:
                text = LINK.sub(r"\1", "\n".join(shown))
                parts = [part in text for part in task.answers[0].split("; ")]
                assert all(parts) if task.answer_type == "list" else any(name in text for name in task.answers), task.id
                looked += 1
        assert looked > len(tasks) / 2


def test_a_sample_made_again_is_what_is_shipped(tmp_path: Path, tasks: list[Task]) -> None:
    """The commands of data/README.md, for fewer tasks: the same, but for those that would stand in two splits."""
    with World.build(DATA / "atlas.jsonl.zst", tmp_path / "world") as world:
        make(world, tmp_path / "tasks.jsonl", 60, seed=0)
    made = read_tasks(tmp_path / "tasks.jsonl")
    assert Counter(task.capability for task in made) == dict.fromkeys(CAPABILITIES, 12)
    split = {entity: task.split for task in tasks for entity in task.entities}
    known = {task.id: task for task in tasks}
    left = [task for task in made if task.id not in known]
    assert len(left) < 6
    assert all(len({split.get(entity) for entity in task.entities}) > 1 for task in left)
    for task in made:
        if task.id in known:
            assert task.model_copy(update={"split": known[task.id].split}) == known[task.id]


def test_the_readme_counts_what_is_there(pages: dict[str, dict[str, str]], tasks: list[Task]) -> None:
    text = (DATA / "README.md").read_text("utf-8")
    assert f"{len(pages):,} pages" in text
    assert f"{len(tasks):,} tasks" in text
    for host, n in Counter(url.split("/")[2] for url in pages).items():
        assert re.search(rf"\| `{host}` \| {n:,} \|", text), host
    for split in SPLITS:
        n = Counter(task.capability for task in tasks if task.split == split)
        assert " | ".join([f"| {split}", *(str(n[c]) for c in CAPABILITIES), f"{n.total():,} |"]) in text
    read = {url for task in tasks if task.split == "train" for url in task.evidence}
    test = [task for task in tasks if task.split == "test"]
    shared = [task for task in test if read & set(task.evidence)]
    assert f"{len(shared)} of the {len(test)} test tasks read a page" in text
    assert f"({3000 - len(tasks)} of\n3,000)" in text


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, str(DATA / "build.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        pytest.skip(f"the source packages are not the pinned ones: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "atlas.jsonl.zst").read_bytes() == (DATA / "atlas.jsonl.zst").read_bytes()
