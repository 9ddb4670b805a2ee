# ruff: noqa: RUF001  # Chinese punctuation and dashes are meant
"""The two tools of a world: what is found, what is read, and what no query can break."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite.errors import UsageError
from lite.evaluate import read_tasks
from lite.index.text import words
from lite.records import Results, Visit
from lite.world import World

ATLAS = Path(__file__).resolve().parents[2] / "data" / "atlas.jsonl.zst"
WorldOf = Callable[..., World]
SEA = {
    "kraken": "The kraken is a sea monster of Norwegian lore.",
    "anchor": "An anchor holds a ship against wind and sea.",
    "harbour": "A harbour shelters ships from the sea.",
}


def urls(results: Results) -> list[str]:
    return [hit.url.removeprefix("https://w.test/") for hit in results]


# ---------------------------------------------------------------- search


def test_words_are_found_in_every_form(world_of: WorldOf) -> None:
    world = world_of(
        {"a": "She was running through cities.", "b": "Das Café in Zürich.", "c": "Numbers: 1,234 and 2009–10."}
    )
    for query, found in {
        "run city": "a",
        "CAFE": "b",
        "zurich": "b",
        "Zu\u0308rich": "b",
        "1234": None,
        "1,234": "c",
        "2009": "c",
    }.items():
        assert urls(world.search(query)) == ([found] if found else []), query


def test_a_title_counts(world_of: WorldOf) -> None:
    filler = {f"other {n}": f"Nothing about metal number {n}." for n in range(20)}
    world = world_of({"tin": "A metal.", "box": "A box of tin."} | filler)
    assert urls(world.search("tin"))[0] == "tin"


def test_the_title_of_an_alias_counts_too(world_of: WorldOf) -> None:
    records = [
        {"url": f"https://w.test/{u}", "title": t, "doc": "A city in Montana."}
        for u, t in [("b", "Bozeman"), ("x", "Boze")]
    ]
    (hit,) = world_of(records).search("boze")
    assert (hit.url, hit.title) == ("https://w.test/b", "Bozeman")


def test_chinese_is_found_by_chinese(world_of: WorldOf) -> None:
    world = world_of(
        {
            "iphone": "我的iPhone手机坏了。",
            "beijing": "北京大学位于北京市海淀区。",
            "kyoto": "京都は日本の都市です。",
            "en": "Peking University",
        }
    )
    for query, found in {
        "手机": "iphone",
        "iphone": "iphone",
        "北京大学在哪里？": "beijing",
        "京都": "kyoto",
        "海淀区": "beijing",
    }.items():
        assert urls(world.search(query))[0] == found, query


def test_function_words_are_left_out_unless_alone_or_names(world_of: WorldOf) -> None:
    world = world_of(
        {
            "who": "WHO is a health agency.",
            "band": "The Who.",
            "other": "What is the use of it and who is to blame for it?",
        }
    )
    assert urls(world.search("What is the kraken?")) == []
    assert set(urls(world.search("What is the kraken?", stopwords=True))) == {"who", "band", "other"}
    assert set(urls(world.search("the who"))) == {"who", "band", "other"}  # nothing else is in it
    assert set(urls(world.search("What does WHO do?"))) == {"who", "band", "other"}


def test_equal_scores_stand_in_the_order_of_urls(world_of: WorldOf) -> None:
    names = [f"p{n:03}" for n in range(200)]
    records = [{"url": f"https://w.test/{n}", "title": "Same", "doc": f"A ship of line {n}."} for n in reversed(names)]
    world = world_of(records)
    results = world.search("ship line", 150)
    assert len({hit.score for hit in results}) == 1
    assert urls(results) == names[:150]
    assert urls(world.search("ship line", 7)) == names[:7]


def test_more_is_the_same_and_then_some(atlas: World) -> None:
    twenty = atlas.search("airport in the capital of a country", 20)
    assert len(twenty) == 20
    assert atlas.search("airport in the capital of a country", 5).hits == twenty.hits[:5]
    assert [hit.score for hit in twenty] == sorted((hit.score for hit in twenty), reverse=True)


def test_more_than_there_is_is_all_there_is(world_of: WorldOf) -> None:
    world = world_of({str(n): "A ship." for n in range(3)} | {"x": "A ship. Another one."})
    assert len(world.search("ship", 10**12)) == world.info().pages == 2


def test_every_process_and_thread_answers_alike(atlas: World, answers: Callable[[World], str]) -> None:
    expected = answers(atlas)
    code = "import runpy, sys\nfrom lite.world import World\n"
    code += "print(runpy.run_path(sys.argv[2])['everything'](World.open(sys.argv[1])))\n"
    command = [sys.executable, "-c", code, str(atlas.path), str(Path(__file__).with_name("conftest.py"))]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found: list[str] = []
    with World.open(atlas.path) as fresh:  # remembers no answer yet
        threads = [threading.Thread(target=lambda: found.append(answers(fresh))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(found) == {expected}
    assert {child.communicate()[0] for child in children} == {expected + "\n"}


def test_a_forked_child_reads_for_itself(atlas: World, answers: Callable[[World], str]) -> None:
    expected = answers(atlas)
    code = "import os, runpy, sys\nfrom lite.world import World\n"
    code += "say = runpy.run_path(sys.argv[2])['everything']\nworld = World.open(sys.argv[1])\n"
    code += "mine = say(World.open(sys.argv[1]))\nworld.search('a city')\n"  # what is remembered would be no proof
    code += "child = os.fork()\nsame = say(world) == mine\nif not child:\n    os._exit(0 if same else 1)\n"
    code += "print(os.waitpid(child, 0)[1], same)\nprint(mine)\n"
    command = [sys.executable, "-c", code, str(atlas.path), str(Path(__file__).with_name("conftest.py"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"0 True\n{expected}\n"


@pytest.mark.parametrize(
    "query",
    ["", " ", "\0", '"', '"open quote', "a AND (b OR", "title:x", "-ship", "ship^9", "*", "[a TO b]", "\\", "🙂🚢", "\ud800 ship", "ship\ud800",
     "(" * 20_000, "ship " * 2_000, "x" * 10_000, "\u202eship", "ship" + "\u0301" * 500, "of the and"],
)  # fmt: skip
def test_any_text_is_a_query(atlas: World, query: str) -> None:
    results = atlas.search(query)
    assert Results.from_json(results.to_json()) == results


def test_operators_are_only_words(world_of: WorldOf) -> None:
    world = world_of(SEA)
    plain = world.search("ship sea").hits
    for query in (
        "ship AND sea",
        "+ship -sea",
        '"ship" "sea"',
        "ship~2 (sea)",
        "ship OR NOT sea",
        "title:ship body:sea^4",
    ):
        hits = world.search(query).hits
        assert {hit.url for hit in hits} == {hit.url for hit in plain}, query


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=300), url=st.text(max_size=100))
def test_nothing_a_model_writes_raises(atlas: World, query: str, url: str) -> None:
    assert len(atlas.search(query, 3, mask=[url])) <= 3
    assert not atlas.visit(url, query).found or atlas.resolve(url)
    assert len(atlas.nearest(url)) <= 3
    known = atlas.visit("https://encyclopedia.atlas.test/country/andorra", query, words=30)
    assert known.found
    assert Visit.from_json(known.to_json()) == known


def test_modes_that_are_not_there_say_so(world_of: WorldOf) -> None:
    world = world_of(SEA)
    assert world.search("ship").mode == "lexical"
    for mode in ("hybrid", "dense"):
        with pytest.raises(UsageError, match=f"no vectors for {mode} search: use lexical"):
            world.search("ship", mode=mode)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no search mode is called 'best'"):
        world.search("ship", mode="best")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="1 or more"):
        world.search("ship", 0)


# ---------------------------------------------------------------- snippets


def test_a_snippet_is_the_passage_that_answers(world_of: WorldOf) -> None:
    filler = " ".join(f"Sentence number {n} speaks of nothing in particular." for n in range(60))
    (hit,) = world_of(
        {"long": f"{filler}\n\nThe [kraken](https://w.test/k) sank four ships in 1802.\n\n{filler}"}
    ).search("kraken ships")
    assert hit.snippet == "The kraken sank four ships in 1802."


def test_a_snippet_of_a_row_names_its_columns(world_of: WorldOf) -> None:
    rows = "\n".join(f"| Town {n} | {n}000 |" for n in range(80))
    (hit,) = world_of(
        {"towns": f"# Towns\n\n## By size\n\n| Name | People |\n|---|---|\n{rows}\n| Kraken \\| Co | 77 |"}
    ).search("kraken people")
    assert hit.snippet == "Towns > By size | Name: Kraken | Co; People: 77"


def test_a_list_is_read_item_by_item(world_of: WorldOf) -> None:
    world = world_of(
        {"lake": "# Lake\n\n- **Length:** 12 km\n- **Depth:** 40 m\n  at most\n3. [Fish](https://w.test/fish): pike"}
    )
    (hit,) = world.search("depth of the lake")
    assert hit.snippet == "Length: 12 km; Depth: 40 m at most; Fish: pike"
    assert world.visit(hit.url, "How deep is it? depth").summary == "Depth: 40 m at most"


def test_a_snippet_is_short(world_of: WorldOf) -> None:
    world = world_of(
        {"a": "word " * 5000 + "kraken " + "word " * 5000, "b": "海怪" * 5000, "c": "x" * 100_000 + " kraken"}
    )
    for query in ("kraken", "海怪"):
        for hit in world.search(query):
            assert len(hit.snippet) < 1000
            assert "kraken" in hit.snippet or "海怪" in hit.snippet


# ---------------------------------------------------------------- masks


def test_a_masked_page_is_nowhere(world_of: WorldOf) -> None:
    records = [
        {"url": f"https://w.test/{n:02}", "title": f"Ship {n}", "doc": f"A ship of line {n}."} for n in range(30)
    ]
    records.append({"url": "http://mirror.test/caf%C3%A9#top", "title": "Mirror", "doc": "A ship of line 3."})
    world = world_of(records)
    first = world.search("ship", 10)
    for spelling in (
        "http://mirror.test/caf%C3%A9#top",
        "HTTPS://Mirror.test:443/café#top",
        "https://w.test/03",
        "http://W.test/%30%33#x",
    ):
        mask = (spelling, "https://unknown.test/", first.hits[0].url)
        results = world.search("ship", 10, mask=mask)
        assert len(results) == 10
        gone = {world.resolve("https://w.test/03"), first.hits[0].url}
        assert not gone & {hit.url for hit in results}
        for url in (*mask[::2], "https://w.test/03", "http://mirror.test/caf%C3%A9#top"):
            assert not world.visit(url, mask=mask).found
            assert world.resolve(url) not in world.nearest(url, 30, mask=mask)
    assert (
        world.search("ship", 10, mask=[f"https://w.test/{n:02}" for n in range(29)]).hits[0].url == "https://w.test/29"
    )


# ---------------------------------------------------------------- visit


def test_any_spelling_of_a_url_opens_its_page(world_of: WorldOf) -> None:
    stored = "https://en.wikipedia.test/wiki/Côte_d'Ivoire"
    records = [
        {"url": stored, "title": "A", "doc": "Ivory."},
        {"url": "http://w.test/a%2Fb?x=%20y", "title": "B", "doc": "Slash."},
    ]
    world = world_of(records)
    for url in (
        "https://en.wikipedia.test/wiki/C%C3%B4te_d%27Ivoire",
        "HTTP://EN.Wikipedia.test:80/wiki/C%c3%b4te_d'Ivoire",
        f" {stored} ",
        stored + "#History",
    ):
        seen = world.visit(url)
        assert (seen.found, seen.url, seen.evidence) == (True, stored, "Ivory."), url
    assert world.visit("http://w.test/a%2fb?x= y").found
    assert not world.visit("http://w.test/a/b?x= y").found  # an escaped slash is another address
    assert not world.visit("https://en.wikipedia.test/wiki/côte_d'ivoire").found


def test_a_fragment_is_part_of_the_name(world_of: WorldOf) -> None:
    records = [
        {"url": f"https://w.test/p{f}", "title": "P", "doc": f"Text {f or 'whole'}."} for f in ("", "#one", "#two")
    ]
    world = world_of(records)
    for fragment, text in {
        "": "Text whole.",
        "#one": "Text #one.",
        "#two": "Text #two.",
        "#three": "Text whole.",
    }.items():
        assert world.visit(f"https://w.test/p{fragment}").evidence == text


def test_an_exact_duplicate_is_an_alias(world_of: WorldOf) -> None:
    world = world_of({"b": "The same text.", "a": "The same text.", "c": "Another."})
    assert world.info().pages == 2
    assert world.info().aliases == 1
    assert urls(world.search("same text")) == ["a"]
    assert world.resolve("https://w.test/b") == "https://w.test/a"
    seen = world.visit("https://w.test/b")
    assert (seen.url, seen.title, seen.evidence) == ("https://w.test/b", "a", "The same text.")


PAGE = """# Otter Lake

Otter Lake is a village. It was founded in 1850 by [settlers](https://w.test/settlers).

## History

The mill burned down in 1901. Dr. Amos Reed rebuilt it within a year.

A railway came in 1911.

## Mayors

| Name | From | Party |
| --- | --- | --- |
| [Ada Holm](https://w.test/holm) | 1990 | Green |
| Bo Lind | 1998 | Red |
| Cy Marsh | 2006 | Blue |

- The lake is 12 km long.
- It freezes in winter.
"""


def test_evidence_serves_the_goal_in_page_order(world_of: WorldOf) -> None:
    world = world_of({"otter": PAGE})
    seen = world.visit("https://w.test/otter", "who rebuilt the mill, and which mayor was of the Red party?", words=45)
    assert seen.evidence.index("rebuilt it within a year") < seen.evidence.index("| Bo Lind | 1998 | Red |")
    assert "## Otter Lake > Mayors\n\n| Name | From | Party |\n|---|---|---|\n" in seen.evidence
    assert "freezes" not in seen.evidence
    assert "…" in seen.evidence
    assert (
        world.visit("https://w.test/otter", "who rebuilt it in a year?").summary
        == "Dr. Amos Reed rebuilt it within a year."
    )
    assert (
        world.visit("https://w.test/otter", "mayor Cy").summary
        == "Otter Lake > Mayors | Name: Cy Marsh; From: 2006; Party: Blue"
    )


def test_links_stay_links(world_of: WorldOf) -> None:
    world = world_of({"otter": PAGE})
    seen = world.visit("https://w.test/otter", "Ada Holm", words=40)
    assert "[Ada Holm](https://w.test/holm)" in seen.evidence
    assert "](" not in seen.summary


@pytest.mark.parametrize("form", ["```\n{}\n```", "- {}", "| {} |", "```\n{}"])
@pytest.mark.parametrize("joint", [" ", "\n"])
def test_the_part_of_a_long_passage_that_serves_the_goal_is_shown(world_of: WorldOf, form: str, joint: str) -> None:
    lines = [f"line {n} of the filler says nothing at all" for n in range(240)]
    text = joint.join([*lines[:120], "the default port of walrus is 4711 today", *lines[120:]])
    world = world_of({"rfc": "# RFC\n\n" + form.format(text if form.startswith("`") else " ".join(text.split()))})
    seen = world.visit("https://w.test/rfc", "default port of walrus", words=100)
    assert "walrus is 4711 today" in seen.evidence
    assert "walrus is 4711 today" in seen.summary
    assert len(seen.evidence.split()) < 120
    (hit,) = world.search("default port of walrus")
    assert "walrus is 4711 today line" in " ".join(hit.snippet.split())


def test_a_long_program_fills_its_budget_and_stays_fenced(world_of: WorldOf) -> None:
    lines = [f"{' ' * 12}call_number_{n}(argument)" for n in range(1500)]
    records = ",".join(f'{{"name":"n{n}","of":{n}}}' for n in range(900))
    world = world_of({"py": "```\n" + "\n".join(lines) + "\n```", "json": f"```\n[{records}]\n```"})
    for goal in ("", "call_number_700"):
        evidence = world.visit("https://w.test/py", goal, words=400).evidence
        assert 300 < words(evidence) <= 400
        assert evidence.startswith("```\n")
        assert goal in evidence
    evidence = world.visit("https://w.test/json", "n700", words=200).evidence
    assert '"name":"n700","of":700' in evidence
    assert 150 < words(evidence) <= 200


def test_a_long_line_of_chinese_is_shown_where_it_answers(world_of: WorldOf) -> None:
    world = world_of({"zh": f"| {'没有事情发生。' * 99}西安事變發生於1936年。{'没有事情发生。' * 99} |"})
    seen = world.visit("https://w.test/zh", "西安事变", words=60)
    for shown in (seen.evidence, seen.summary, world.search("西安事变").hits[0].snippet):
        assert "西安事變發生於1936年" in shown


def test_without_a_goal_the_head_is_shown(world_of: WorldOf) -> None:
    seen = world_of({"otter": PAGE}).visit("https://w.test/otter", words=20)
    assert seen.evidence == (
        "## Otter Lake\n\nOtter Lake is a village. It was founded in 1850 by [settlers](https://w.test/settlers).\n\n…"
    )
    assert seen.summary == "Otter Lake is a village."


def test_the_budget_holds(atlas: World) -> None:
    from lite.index.text import words

    for hit in atlas.search("airports of a country", 10):
        whole = words(atlas.visit(hit.url, mode="raw").evidence)
        for budget in (1, 20, 100, 400):
            seen = atlas.visit(hit.url, "airports with an IATA code", words=budget)
            assert seen.evidence
            assert words(seen.evidence) <= max(budget, 1) + 1, (hit.url, budget)
            if budget >= 2 * whole:
                assert "…" not in seen.evidence.splitlines()
    with pytest.raises(UsageError, match="1 or more"):
        atlas.visit("https://w.test/", words=0)


def test_raw_is_the_stored_text(world_of: WorldOf) -> None:
    world = world_of({"otter": PAGE})
    seen = world.visit("https://w.test/otter", "anything", mode="raw")
    assert (seen.evidence, seen.summary, seen.mode) == (PAGE, "", "raw")
    with pytest.raises(UsageError, match="no visit mode is called 'llm'"):
        world.visit("https://w.test/otter", mode="llm")  # type: ignore[arg-type]


def test_an_unknown_page_is_not_found_and_the_nearest_is_known(atlas: World) -> None:
    url = "https://encyclopedia.atlas.test/countries/Andorra.html"
    assert atlas.visit(url, "capital") == Visit(url=url, goal="capital", found=False)
    assert any("andorra" in near for near in atlas.nearest(url))
    assert atlas.nearest("https://nowhere.test/") == []


def test_questions_of_the_atlas_lead_to_their_pages_and_answers(atlas: World) -> None:
    tasks = read_tasks(ATLAS.with_name("tasks") / "test.jsonl.zst")[::5]
    found = read = readable = 0
    for task in tasks:
        found += any(hit.url == atlas.resolve(task.evidence[0]) for hit in atlas.search(task.question))
        last = task.evidence[-1]
        if any(answer in atlas.visit(last, mode="raw").evidence for answer in task.answers):
            readable += 1
            read += any(answer in atlas.visit(last, task.question).evidence for answer in task.answers)
    assert len(tasks) > 50
    assert readable > len(tasks) / 2
    assert read >= 0.95 * readable
    assert found >= 0.5 * len(tasks)
