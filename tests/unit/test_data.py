"""The atlas: its pages hold together, its tasks follow from them, and a rebuild gives the same bytes."""

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lite.records import Task

DATA = Path(__file__).resolve().parents[2] / "data"
LINK = re.compile(r"\[([^\]]*)\]\((https://[^)\s]+)\)")
MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
CAPABILITIES = {"direct", "multihop", "aggregation", "enumeration", "verification", "statistics"}


@pytest.fixture(scope="module")
def pages() -> dict[str, dict[str, str]]:
    raw = zstandard.ZstdDecompressor().decompress((DATA / "atlas.jsonl.zst").read_bytes())
    records = [json.loads(line) for line in raw.decode().splitlines()]
    found = {r["url"]: r for r in records}
    assert len(found) == len(records), "a URL stands twice"
    return found


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return [Task.from_json(line) for line in (DATA / "tasks.jsonl").read_text("utf-8").splitlines()]


def extra(task: Task, name: str) -> Any:
    return getattr(task, name)


def plain(page: dict[str, str]) -> str:
    """A page's text with its links reduced to what a reader sees."""
    return LINK.sub(r"\1", page["doc"]).replace("**", "")


def occurs(text: str, page: dict[str, str]) -> bool:
    return re.search(rf"(?<![\w.+]){re.escape(text)}(?![\w])", plain(page)) is not None


def number(text: str) -> float:
    """The number in a cell or answer: thousands separators, a minus sign, a unit behind it."""
    found = re.match(r"-?[\d,]*\.?\d+", text.replace(MINUS, "-"))
    assert found, text
    return float(found.group().replace(",", ""))


def hours(offset: str) -> float:
    """`UTC+5:30` as 5.5."""
    found = re.fullmatch(r"UTC([+-])(\d+)(?::(\d\d))?", offset.replace(MINUS, "-"))
    assert found, offset
    sign, whole, minutes = found.groups()
    return (int(whole) + int(minutes or 0) / 60) * (1 if sign == "+" else -1)


def rows(page: dict[str, str]) -> list[dict[str, str]]:
    """The page's first table, read back from its Markdown."""
    lines = [line.strip("|").split(" | ") for line in plain(page).splitlines() if line.startswith("|")]
    head = [cell.strip() for cell in lines[0]]
    return [dict(zip(head, (cell.strip() for cell in line), strict=True)) for line in lines[2:]]


def section(page: dict[str, str], heading: str) -> str:
    return page["doc"].split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


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
        assert len(tasks) >= 300
        assert len({task.id for task in tasks}) == len(tasks)
        assert len({task.question for task in tasks}) == len(tasks)
        by_capability = Counter(task.capability for task in tasks)
        assert set(by_capability) == CAPABILITIES
        assert min(by_capability.values()) >= 30
        assert {task.hops for task in tasks} == {1, 2, 3}
        assert {(extra(t, "split"), t.capability) for t in tasks} == {
            (split, capability) for split in ("train", "dev", "test") for capability in CAPABILITIES
        }

    def test_evidence_is_in_the_atlas(self, tasks: list[Task], pages: dict[str, dict[str, str]]) -> None:
        for task in tasks:
            assert task.evidence, task.id
            assert set(task.evidence) <= set(pages), task.id
            assert task.answers, task.id
            assert all(0 < len(answer.split()) <= 16 for answer in task.answers), task.id
            assert len(set(task.answers)) == len(task.answers), task.id
            assert all(a.casefold() not in ("yes", "no") for a in task.answers), task.id

    def test_no_entity_is_in_two_splits(self, tasks: list[Task]) -> None:
        split: dict[str, str] = {}
        for task in tasks:
            assert extra(task, "entities"), task.id
            for entity in extra(task, "entities"):
                assert split.setdefault(entity, extra(task, "split")) == extra(task, "split"), (task.id, entity)

    def test_what_lies_on_the_way_is_not_named(self, tasks: list[Task]) -> None:
        for task in tasks:
            if task.capability == "multihop":
                steps = extra(task, "derivation")["steps"]
                assert len(steps) == task.hops == len(task.evidence), task.id
                for _, name in steps[:-1]:
                    assert name.casefold() not in task.question.casefold(), task.id

    def test_answers_follow_from_the_pages(self, tasks: list[Task], pages: dict[str, dict[str, str]]) -> None:
        for task in tasks:
            how = extra(task, "derivation")
            check = {"lookup": looked_up, "count": counted, "list": listed, "claims": claimed, "rank": ranked}
            check.get(how["op"], reckoned)(task, how, pages)


def looked_up(task: Task, how: dict[str, Any], pages: dict[str, dict[str, str]]) -> None:
    for url, text in how["steps"]:
        assert occurs(text, pages[url]) or occurs(text[:1].upper() + text[1:], pages[url]), (task.id, url, text)
    assert any(answer.casefold() in how["steps"][-1][1].casefold() for answer in task.answers), task.id


def members(how: dict[str, Any], page: dict[str, str]) -> list[str]:
    """The things that the page lists, found again in its Markdown, not taken from the task."""
    if "above" in how:
        name = next(head for head in ("Country or territory", "Element") if head in rows(page)[0])
        known = [row for row in rows(page) if row[how["column"]] != DASH]
        return [row[name] for row in known if number(row[how["column"]]) > how["above"]]
    if how.get("table"):
        return [" ".join(row.values()) for row in rows(page)]
    part = section(page, how["section"]) if "section" in how else page["doc"]
    return list(dict.fromkeys(text for text, target in LINK.findall(part) if how["links"] in target))


def counted(task: Task, how: dict[str, Any], pages: dict[str, dict[str, str]]) -> None:
    found = members(how, pages[how["page"]])
    assert str(len(found)) == task.answers[0], (task.id, found)
    for item in how["items"]:
        assert any(item.casefold() in text.casefold() for text in found), (task.id, item)


def listed(task: Task, how: dict[str, Any], pages: dict[str, dict[str, str]]) -> None:
    found = members(how, pages[how["page"]])
    assert sorted(x.casefold() for x in found) == sorted(x.casefold() for x in how["items"]), task.id
    assert all(item in task.answers[0] for item in how["items"]), task.id


def claimed(task: Task, how: dict[str, Any], pages: dict[str, dict[str, str]]) -> None:
    for text in how["true"]:
        assert any(occurs(text, pages[url]) for url in how["pages"]), (task.id, text)
    assert not any(occurs(how["false"], pages[url]) for url in how["pages"]), task.id
    false = how["false"].strip("()")
    assert false in task.answers, task.id
    assert task.answers[0].casefold() in task.question.casefold(), task.id
    if task.id.startswith("atlas-claims-"):
        assert f"{task.answers[0]} {false}" in task.question, task.id


def ranked(task: Task, how: dict[str, Any], pages: dict[str, dict[str, str]]) -> None:
    table = sorted(rows(pages[how["page"]]), key=lambda row: -number(row[how["column"]]))
    assert table[how["rank"] - 1]["Country or territory"] == task.answers[0], task.id
    assert number(table[how["rank"] - 2][how["column"]]) != number(table[how["rank"] - 1][how["column"]]), task.id


def reckoned(task: Task, how: dict[str, Any], pages: dict[str, dict[str, str]]) -> None:
    for url, text, *_ in how["operands"]:
        assert text in plain(pages[url]), (task.id, url, text)
    values = [hours(o[1]) if how["op"] == "hours" else number(o[1]) for o in how["operands"]]
    if how["op"] in ("greatest", "least"):
        best = (max if how["op"] == "greatest" else min)(values)
        assert values.count(best) == 1, task.id
        assert how["operands"][values.index(best)][2] == task.answers[0], task.id
        return
    result = sum(values) if how["op"] == "sum" else abs(values[0] - values[1])
    assert how["op"] in ("sum", "difference", "hours"), task.id
    assert number(task.answers[0]) == pytest.approx(result, abs=1e-6), task.id


def test_the_readme_counts_what_is_there(pages: dict[str, dict[str, str]], tasks: list[Task]) -> None:
    text = (DATA / "README.md").read_text("utf-8")
    assert f"{len(pages):,} pages" in text
    assert f"{len(tasks)} questions" in text
    for host, n in Counter(url.split("/")[2] for url in pages).items():
        assert re.search(rf"\| `{host}` \| {n:,} \|", text), host
    order = ["direct", "multihop", "aggregation", "enumeration", "verification", "statistics"]
    for split in ("train", "dev", "test"):
        n = Counter(task.capability for task in tasks if extra(task, "split") == split)
        assert " | ".join([f"| {split}", *(str(n[c]) for c in order), f"{n.total()} |"]) in text


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, str(DATA / "build.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        pytest.skip(f"the source packages are not the pinned ones: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
    for name in ("atlas.jsonl.zst", "tasks.jsonl"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name
