"""Demonstrations: the expert in a small real world, the rules for keeping, and reading what others have done."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lite.agent import system_prompt
from lite.dialect import parse_turn
from lite.recipe import AgentSettings, ColdStart
from lite.records import Broken, Call, Message, Reward, Stop, Task, Trajectory, Turn
from lite.run import Run
from lite.train.demos import demonstrations, given, imported_tasks, keep, read_demonstrations, why_not
from lite.world import World

SITE = "https://w.test"
CITIES = {"Aldburg": "12,500", "Bexley": "8,400", "Corwen": "31,000"}
RIVERS = {"Alder": "Aldburg", "Bourne": "Bexley", "Clee": "Corwen"}


def page(name: str, text: str) -> dict[str, str]:
    return {"url": f"{SITE}/{name.lower().replace(' ', '-')}", "title": name, "doc": f"# {name}\n\n{text}\n"}


def pages() -> list[dict[str, str]]:
    rows = "".join(f"| [{name}]({SITE}/{name.lower()}) | {size} |\n" for name, size in CITIES.items())
    table = f"## Cities by population\n\n| City | Population |\n|---|---|\n{rows}"
    flows = "".join(f"| {river} | [{city}]({SITE}/{city.lower()}) |\n" for river, city in RIVERS.items())
    ports = "".join(f"| [{name}]({SITE}/{name.lower()}) | Sea |\n" for name in ("Corwen", "Dunmore", "Elgin"))
    return [
        page("Places in Norland", f"Norland has three cities.\n\n{table}"),
        page("Rivers of Norland", f"Three rivers.\n\n## Rivers\n\n| River | City |\n|---|---|\n{flows}"),
        page("Ports of Norland", f"Harbours.\n\n## Ports\n\n| City | Water |\n|---|---|\n{ports}"),
        *(
            page(name, f"{name} is a city in Norland.\n\n- **Population:** {size}\n- **Region:** North {name}\n")
            for name, size in CITIES.items()
        ),
        *(page(f"Region {n}", "A region list by name: the region of no city.") for n in range(5)),
    ]


def find(name: str, where: list, get: str) -> dict:
    return {"op": "find", "table": [f"{SITE}/{name}", 0], "where": where, "get": get}


def fact(name: str, relation: str = "Population") -> dict:
    return {"op": "fact", "page": f"{SITE}/{name}", "relation": relation}


PLACES, ALL = "places-in-norland", find("places-in-norland", [], "City")
TASKS = {
    "fact": Task(id="fact", question="What is the region of Bexley?", answers=("North Bexley",), hops=1,
                 derivation=fact("bexley", "Region")),
    "cell": Task(id="cell", question="What is the population of Corwen by the table?", answers=("31,000",), hops=1,
                 derivation=find(PLACES, [["City", "is", "Corwen"]], "Population")),
    "chain": Task(id="chain", question="How many live in the city on the Clee?", answers=("31,000",), hops=2,
                  derivation={"op": "fact", "relation": "Population",
                              "page": find("rivers-of-norland", [["River", "is", "Clee"]], "City")}),
    "sum": Task(id="sum", question="How many live in Aldburg and Bexley?", answers=("20,900",), hops=2,
                evidence=(f"{SITE}/aldburg", f"{SITE}/bexley"),
                derivation={"op": "sum", "of": [fact("aldburg"), fact("bexley")]}),
    "count": Task(id="count", question="How many cities have more than 10,000?", answers=("2",), hops=1,
                  evidence=(f"{SITE}/{PLACES}",),
                  derivation={"op": "count", "of": find(PLACES, [["Population", ">", 10000.0]], "City")}),
    "list": Task(id="list", question="Which cities have less than 20,000?", answers=("Aldburg; Bexley",), hops=1,
                 answer_type="list",
                 derivation={"op": "list", "of": find(PLACES, [["Population", "<", 20000.0]], "City")}),
    "least": Task(id="least", question="Which city is the smallest?", answers=("Bexley",), hops=1,
                  derivation={"op": "least", "of": ALL, "by": "Population"}),
    "meet": Task(id="meet", question="Which city is also a port?", answers=("Corwen",), hops=2,
                 derivation={"op": "meet", "of": [ALL, find("ports-of-norland", [], "City")]}),
    "agree": Task(id="agree", question="What do both say is the population of Corwen?", answers=("31,000",), hops=2,
                  derivation={"op": "agree", "of": [find(PLACES, [["City", "is", "Corwen"]], "Population"),
                                                    fact("corwen")]}),
    "through": Task(id="through", question="Which city is in the region North Bexley?", answers=("Bexley",), hops=2,
                    derivation=find(PLACES, [[["of", "City", "Region"], "is", "North Bexley"]], "City")),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demos")
    source = folder / "pages.jsonl"
    source.write_text("".join(json.dumps(one) + "\n" for one in pages()), encoding="utf-8")
    with World.build(source, folder / "world") as built:
        yield built


def settings(**limits) -> AgentSettings:
    return AgentSettings.read({"context": 8192, "limits": {"results": 3, "visit_words": 100} | limits})


def played(world, tasks=None, *, given=None, **more) -> list[Trajectory]:
    cold = ColdStart(detours=0.0).model_copy(
        update={key: more.pop(key) for key in ColdStart.model_fields if key in more}
    )
    more = {"seed": 1, "width": 4} | more
    return list(demonstrations(tasks or list(TASKS.values()), world, given or settings(), cold, **more))


def spoken(one: Trajectory) -> str:
    return "\n".join(turn.text for turn in one.turns)


def test_every_kind_is_solved_from_what_was_shown(world):
    found = played(world, attempts=3)
    assert {(one.task_id, why_not(TASKS[one.task_id], one)) for one in found} == {(name, None) for name in TASKS}
    for one in found:
        told = one.question
        for turn in one.turns[:-1]:
            assert 1 <= len(turn.think.split()) <= 25
            for url in turn.call.arguments.get("url", ()):
                assert f"]({url})" in told
            told += turn.observation or ""
        assert one.turns[-2].call.tool == "visit"  # it reads the page, whatever the snippet said
    sums = next(one for one in found if one.task_id == "sum")
    assert "12,500 + 8,400 = 20,900" in sums.turns[-1].think
    counted = next(one for one in found if one.task_id == "count")
    assert "Aldburg, Corwen: that makes 2" in counted.turns[-1].think
    passed = next(one for one in found if one.task_id == "through")
    assert f"{SITE}/corwen" not in spoken(passed)  # it stops at the one that is sought


def test_pages_that_do_not_lead_to_each_other_are_asked_for_together(world):
    found = {one.task_id: one for one in played(world, together=2)}
    assert {name: why_not(TASKS[name], one) for name, one in found.items()} == dict.fromkeys(TASKS)
    asked = found["sum"].turns
    assert [len(turn.call.arguments.get("url") or turn.call.arguments["query"]) for turn in asked[:2]] == [2, 2]
    assert [turn.call.tool for turn in found["chain"].turns if turn.call].count("visit") == 2  # one leads to the other


def visits(found: list[Trajectory]) -> dict[str, int]:
    return {one.task_id: sum(turn.call.tool == "visit" for turn in one.turns if turn.call) for one in found}


def test_the_last_page_need_not_be_visited_where_a_result_says_it_all(world):
    found, usual = played(world, snippets=1.0), visits(played(world))
    assert visits(found) == usual | {"cell": 0, "sum": usual["sum"] - 1, "through": usual["through"] - 1}
    assert {why_not(TASKS[one.task_id], one) for one in found} == {None}
    some = {visits(played(world, [TASKS["cell"]], snippets=0.5, seed=seed))["cell"] for seed in range(9)}
    assert some == {0, 1}


def test_the_first_query_may_be_the_question_itself(world):
    found = played(world, verbatim=1.0)
    assert {why_not(TASKS[one.task_id], one) for one in found} == {None}
    assert [one.turns[0].call.arguments for one in found] == [{"query": [one.question]} for one in found]
    some = {played(world, [TASKS["cell"]], verbatim=0.5, seed=seed)[0].turns[0].call.arguments["query"] == [
        TASKS["cell"].question] for seed in range(9)}  # fmt: skip
    assert some == {True, False}


def test_an_expert_without_attempts_makes_nothing(world):
    assert played(world, attempts=0) == []


def test_words_depend_on_seed_task_and_attempt_alone(world):
    first, again = played(world, attempts=3), played(world, list(reversed(TASKS.values())), attempts=3, width=1)
    texts = {(one.task_id, one.attempt): spoken(one) for one in first}
    assert texts == {(one.task_id, one.attempt): spoken(one) for one in again}
    assert len({text for (name, _), text in texts.items() if name == "chain"}) == 3
    assert texts != {(one.task_id, one.attempt): spoken(one) for one in played(world, attempts=3, seed=2)}


def test_a_detour_is_noticed_and_mended(world):
    tasks = [TASKS["fact"].model_copy(update={"id": f"fact-{n}"}) for n in range(12)]
    found = played(world, tasks, detours=1.0)
    assert all(why_not(task, one) is None for task, one in zip(tasks, found, strict=True))
    missed = [one for one in found if [turn.call.tool for turn in one.turns[:2] if turn.call] == ["search", "search"]]
    assert missed
    for one in missed:
        assert f"]({SITE}/bexley)" not in one.turns[0].observation
        assert "Bexley" in one.turns[1].think


def test_a_page_that_does_not_come_up_is_given_up_after_two_queries(world):
    hidden = TASKS["cell"].model_copy(update={"mask": (f"{SITE}/{PLACES}",)})
    [one] = played(world, [hidden])
    assert [turn.call.tool for turn in one.turns if turn.call] == ["search", "search"]
    assert why_not(hidden, one) == "abstains"


def test_what_the_budget_cuts_off_is_not_answered_from(world):
    long = [
        page("Long list", "## Names\n\n| City | Population |\n|---|---|\n" + "".join(
            f"| Town {chr(65 + n // 26)}{chr(65 + n % 26)} | {n + 1},000 |\n" for n in range(60)))
    ]  # fmt: skip
    source = world.path.parent / "long.jsonl"
    source.write_text("".join(json.dumps(one) + "\n" for one in long), encoding="utf-8")
    total = find("long-list", [], "Population")
    task = Task(id="long", question="How many in all?", answers=("1,830,000",), hops=1,
                evidence=(f"{SITE}/long-list",), derivation={"op": "sum", "of": total})  # fmt: skip
    with World.build(source, world.path.parent / "long") as other:
        [cut] = played(other, [task], given=settings(visit_words=40))
        [whole] = played(other, [task], given=settings(visit_words=400))
        [small] = played(other, [task], given=AgentSettings.read({"context": 1600, "limits": {"visit_words": 400}}))
    assert (cut.answer, why_not(task, cut)) == ("unknown", "abstains")
    assert why_not(task, whole) is None
    assert small.answer != "1,830,000"


def test_a_small_window_is_enough_where_memory_cuts_what_is_old(world):
    task, prompt = TASKS["chain"], str(Path(__file__).parents[2] / "recipes" / "small-prompt.txt")
    limits = {"results": 3, "visit_words": 100, "turn_tokens": 160, "answer_tokens": 64}
    small = {"context": 900, "prompt": prompt}
    [full] = played(world, [task], given=AgentSettings.read({**small, "limits": limits}))
    [cut] = played(world, [task], given=AgentSettings.read({**small, "limits": limits | {"memory": "keep-last"}}))
    assert (why_not(task, full), why_not(task, cut)) == ("abstains", None)
    assert len(list(cut.sequences())) == 2
    written = AgentSettings.read({**small, "limits": limits | {"memory": "summarise-model"}})
    [failed] = played(world, [task], given=written)
    assert (why_not(task, failed), "choose a memory" in (failed.error or "")) == ("failed", True)


def test_a_task_without_a_plan_is_not_answered(world):
    nowhere = TASKS["cell"].model_copy(update={"derivation": find("places-in-norland", [["Town", "is", "X"]], "City")})
    bare = Task(id="bare", question="Who?", answers=("x",))
    found = played(world, [nowhere, bare])
    kept, dropped = keep([nowhere, bare], found)
    assert (kept, dropped) == ([], {"abstains": 2})


# ---------------------------------------------------------------- the rules


def edited(one: Trajectory, **changes) -> Trajectory:
    return one.model_copy(update=changes)


def turn_of(one: Trajectory, nth: int, **changes) -> Trajectory:
    turns = list(one.turns)
    turns[nth] = turns[nth].model_copy(update=changes)
    return edited(one, turns=tuple(turns))


def with_calls(one: Trajectory, *extra: Turn) -> Trajectory:
    return edited(one, turns=(*extra, *one.turns))


CALL = Turn(text="…", think="Again.", call=Call(tool="search", arguments={"query": ["x"]}), observation="nothing")
SAME = Turn(text="…", think="Again.", call=Call(tool="search", arguments={"query": "x"}), observation="nothing")
ERROR = Turn(text="…", think="So.", call=Call(tool="fetch"), observation="Error: no tool", tool_error=True)
RULES = {
    "failed": lambda one: edited(one, stop=Stop.FAILED, failed="tool"),
    "cut short": lambda one: edited(one, stop=Stop.TURNS),
    "no answer": lambda one: edited(one, answer=None),
    "wrong answer": lambda one: edited(one, answer="12", reward=Reward(value=0.0)),
    "abstains": lambda one: edited(one, answer="I do not know", reward=None),
    "unreadable turn": lambda one: turn_of(one, 0, malformed="the turn is empty"),
    "repaired turn": lambda one: turn_of(one, -1, repairs=("unclosed_answer",)),
    "same call too often": lambda one: with_calls(one, CALL, SAME, CALL, SAME),
    "too few calls": lambda one: edited(one, turns=(one.turns[-2], one.turns[-1])),
    "too many tool errors": lambda one: with_calls(one, ERROR, ERROR, ERROR),
    "call without a thought": lambda one: turn_of(one, 1, think=" "),
    "evidence not seen": lambda one: edited(
        one, turns=tuple(turn.model_copy(update={"observation": "…"}) for turn in one.turns)
    ),
}


@pytest.mark.parametrize("reason", RULES)
def test_each_rule_has_its_name(world, reason):
    [good] = played(world, [TASKS["chain"]])
    assert why_not(TASKS["chain"], good) is None
    assert why_not(TASKS["chain"], RULES[reason](good)) == reason
    assert keep([TASKS["chain"]], [RULES[reason](good), good]) == ([(TASKS["chain"], good)], {reason: 1})


def test_the_rules_allow_what_they_allow(world):
    [good] = played(world, [TASKS["chain"]])
    assert why_not(TASKS["chain"], with_calls(good, CALL, SAME, CALL, ERROR, ERROR)) is None
    [one_hop] = played(world, [TASKS["cell"]])
    assert why_not(TASKS["cell"], edited(one_hop, turns=one_hop.turns[-2:])) is None
    [added] = played(world, [TASKS["sum"]])
    assert why_not(TASKS["sum"], turn_of(turn_of(added, 0, shown=()), 1, read=(), shown=())) == "evidence not seen"


# ---------------------------------------------------------------- reading


def test_a_run_and_a_file_with_broken_lines(world, tmp_path):
    found = played(world)
    with Run.start(tmp_path / "run", {"any": 1}) as run:
        for one in found:
            run.append(one)
    assert list(read_demonstrations(tmp_path / "run")) == found
    lines = [found[0].to_json(), "{", '{"task_id": "x"}', "[]", '{"messages": []}', "", found[1].to_json()]
    (tmp_path / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")
    read = list(read_demonstrations(tmp_path / "some.jsonl"))
    assert [one for one in read if isinstance(one, Trajectory)] == found[:2]
    assert [one.where for one in read if isinstance(one, Broken)] == [f"line {n}" for n in (2, 3, 4, 5)]


def chat(answer: str, *said: tuple[str, str]) -> str:
    opening = [("system", "You search."), ("user", "Use <tools>.\n\nUser: Where is <think>it?")]
    messages = [{"role": role, "content": text} for role, text in (*opening, *said)]
    return json.dumps({"messages": messages, "answer": [[answer]]})


def test_chats_of_another_agent(tmp_path):
    search = '<think>\nHm.\n</think>\n<tool_call>\n{"name": "search", "arguments": {"query": ["it"]}}\n</tool_call>'
    result = (
        "A Google search for 'it' found 1 results:\n\n## Web Results\n1. [It [here]](https://x.test/it)\nIt is in Oslo."
    )
    said = [("assistant", search), ("user", f"<tool_response>\n{result}\n</tool_response>")]
    last = ("assistant", "<think>\nThere.\n</think>\n<answer>\nOslo\n</answer>")
    lines = [chat("Oslo", *said, last), chat("Oslo", *said), chat("Oslo", said[0], ("user", "no"), last)]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines), encoding="utf-8")
    good, *bad = read_demonstrations(tmp_path / "chats.jsonl", system="Mine.")
    assert [type(one) for one in (good, *bad)] == [Trajectory, Broken, Broken]
    assert [one.content for one in good.messages] == ["Mine.", "Where is &lt;think>it?"]
    assert (good.question, good.answer, good.reward.value) == ("Where is <think>it?", "Oslo", 1.0)
    assert good.turns[0].shown == ("https://x.test/it",)
    assert good.turns[0].observation == result
    kept, dropped = keep(imported_tasks(tmp_path / "chats.jsonl"), [good])
    assert (len(kept), dropped) == (1, {})


@pytest.mark.parametrize("answer", ["Oslo", ["Oslo"], [["Oslo", "Oslo, Norway"]]])
def test_the_answers_of_a_chat_may_be_one_text(tmp_path, answer):
    told = json.loads(chat("Oslo")) | {"answer": answer}
    (tmp_path / "chats.jsonl").write_text(json.dumps(told), encoding="utf-8")
    [task] = imported_tasks(tmp_path / "chats.jsonl")
    assert task.answers[0] == "Oslo"


def test_files_are_learnt_from_as_text_behind_our_prompt_and_never_what_is_held_out(world, tmp_path):
    ids = {"token_ids": (150_000, 1), "logprobs": (-1.0, -2.0)}  # of another vocabulary
    found = [one for one in played(world) if why_not(TASKS[one.task_id], one) is None]
    theirs = (Message(role="system", content="Theirs."), *found[0].messages[1:])
    foreign = turn_of(found[0], 0, **ids).model_copy(update={"messages": theirs})
    stranger = found[1].model_copy(update={"task_id": "nobody's"})
    with Run.start(tmp_path / "run", {"any": 1}) as run:
        for one in (foreign, stranger, found[2]):
            run.append(one)
    secret = {found[2].question}
    first, *rest = given(tmp_path / "run", list(TASKS.values()), secret, "Ours.")
    assert rest == ["unknown task", "held out"]
    assert isinstance(first, Trajectory)
    assert [message.content for message in first.messages] == ["Ours.", found[0].messages[-1].content]
    assert all(turn.token_ids is None and turn.logprobs is None for turn in first.turns)
    assert [turn.text for turn in first.turns] == [turn.text for turn in found[0].turns]


def test_of_one_task_a_file_gives_no_copies_and_no_more_than_asked(world, tmp_path):
    asked = [TASKS["fact"], TASKS["cell"]]
    found = [one for seed in range(9) for one in played(world, asked, seed=seed)]
    words = {name: {spoken(one) for one in found if one.task_id == name} for name in ("fact", "cell")}
    assert all(len(each) > 2 for each in words.values())
    with Run.start(tmp_path / "run", {"any": 1}) as run:
        for one in (*found, *found):
            run.append(one)
    every = [one for one in given(tmp_path / "run", asked, (), "Ours.") if isinstance(one, Trajectory)]
    assert {name: {spoken(one) for one in every if one.task_id == name} for name in words} == words
    assert len(every) == sum(map(len, words.values()))
    two = list(given(tmp_path / "run", asked, (), "Ours.", 2))
    assert Counter(one.task_id for one in two if isinstance(one, Trajectory)) == {"fact": 2, "cell": 2}
    assert {one for one in two if isinstance(one, str)} == {"a copy", "enough of its task"}


def test_chats_bring_their_own_tasks(tmp_path):
    search = '<think>\nHm.\n</think>\n<tool_call>\n{"name": "search", "arguments": {"query": ["it"]}}\n</tool_call>'
    said = [("assistant", search), ("user", "<tool_response>\nIt is in Oslo.\n</tool_response>")]
    last = ("assistant", "<think>\nThere.\n</think>\n<answer>Oslo</answer>")
    lines = [chat("Oslo", *said, last), chat("Bergen", *said, last)]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines), encoding="utf-8")
    first, second = given(tmp_path / "chats.jsonl", [], (), "Ours.")
    assert isinstance(first, Trajectory)
    assert second == "wrong answer"
    assert first.messages[0].content == "Ours."
    assert list(given(tmp_path / "chats.jsonl", [], {"Where is <think>it?"}, "Ours.")) == ["held out"] * 2


def test_the_published_chats(shared: Path):
    file = shared / "trajectories" / "webdancer.jsonl"
    found = [one for one in read_demonstrations(file) if isinstance(one, Trajectory)]
    assert len(found) == 100
    assert sum(len(one.turns) for one in found) == 205
    assert any(turn.read for one in found for turn in one.turns)
    kept, dropped = keep(imported_tasks(file), found)
    assert len(kept) + dropped.total() == 100
    assert dropped["wrong answer"] > 90  # they answer in sentences, which exact match refuses


# ---------------------------------------------------------------- the prompt


def test_the_small_prompt_shows_both_calls_and_the_answer():
    text = system_prompt("2026-11-26", Path(__file__).parents[2] / "recipes" / "small-prompt.txt")
    objects = [json.loads(line[line.index("{") :]) for line in text.splitlines() if '"name"' in line]
    assert [one["name"] for one in objects] == ["search", "visit"]
    assert parse_turn(text[text.index("<think>") :]).call == Call(tool="search", arguments=objects[0]["arguments"])
    assert "<answer>" in text
    assert len(text) < 330  # 104 tokens of SmolLM2
