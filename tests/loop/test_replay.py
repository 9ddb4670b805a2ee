"""A saved run carried out again: in its world, in a changed one, by the recorded replies, by another model."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lite.chat import Conversation
from lite.dialect import RESPONSE, render_turn
from lite.drive import ask, manifest
from lite.errors import UsageError
from lite.evaluate import evaluate
from lite.models import load_model
from lite.models.replay import Replay
from lite.models.scripted import Scripted
from lite.recipe import AgentSettings
from lite.records import Call, Message, Stop, Task
from lite.replay import replay_calls, replay_questions
from lite.run import Run, read_trajectories
from lite.world import World

LONG = " ".join(f"Fact {n} is {n * n}." for n in range(300))


def pages(folder: Path, extra: str = "") -> Path:
    made = [
        {
            "url": "https://e.test/france",
            "title": "France",
            "doc": f"France is a country.{extra} Its capital is Paris.",
        },
        {"url": "https://e.test/hidden", "title": "Hidden", "doc": "The capital of France is here too."},
        {"url": "https://e.test/long", "title": "Long", "doc": LONG},
    ]
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in made))
    return folder / "pages.jsonl"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("replay")
    with World.build(pages(folder), folder / "world", date="2026-01-02") as built:
        yield built


def search(query: str) -> str:
    return render_turn("look", Call(tool="search", arguments={"query": [query]}))


def visit(url: str) -> str:
    return render_turn("read", Call(tool="visit", arguments={"url": [url], "goal": "the fact 7"}))


ANSWER = render_turn("sure", answer="Paris")
REPLIES = [
    search("capital of France"),
    visit("https://none.test/"),
    "babble",
    search("capital of France"),
    search("capital of France"),
    visit("https://e.test/long"),
    ANSWER,
]


@pytest.fixture(scope="module")
def run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    tasks = [Task(id=f"t{n}", question=f"Q{n}?", answers=("Paris",), mask=("https://e.test/hidden",)) for n in range(2)]
    (folder / "tasks.jsonl").write_text("".join(task.to_json() + "\n" for task in tasks))
    evaluate(folder / "tasks.jsonl", world=world, model=Scripted(REPLIES, context=1250), out=folder / "run", attempts=2)
    return folder / "run"


def test_every_call_of_a_run_comes_out_the_same_in_its_world(run: Path) -> None:
    recorded = list(read_trajectories(run))
    assert any(turn.shortened for one in recorded for turn in one.turns), "the test needs an observation that was cut"
    found = replay_calls(run)
    assert found.differing == ()
    assert (found.trajectories, found.calls) == (4, 16)  # four calls each; the third search the loop answered itself
    assert (found.same_pages, found.same_index) == (True, True)


def test_in_a_changed_world_each_difference_is_named(run: Path, tmp_path: Path) -> None:
    World.build(pages(tmp_path, extra=" A large one."), tmp_path / "world", date="2026-01-02").close()
    found = replay_calls(run, world=tmp_path / "world")
    assert not found.same_pages
    assert {(one.task_id, one.turn) for one in found.differing} == {("t0", 1), ("t0", 4), ("t1", 1), ("t1", 4)}
    first = found.differing[0]
    assert "large" in first.now
    assert first.recorded[:1] != first.now[:1]


def test_an_edited_record_is_noticed_behind_its_cut_too(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "manifest.json").write_bytes((run / "manifest.json").read_bytes())
    one = next(read_trajectories(run))
    place = next(n for n, turn in enumerate(one.turns) if turn.shortened)
    edited = one.turns[place].model_copy(update={"whole": "0" * 16})
    turns = (*one.turns[:place], edited, *one.turns[place + 1 :])
    (copy / "trajectories.jsonl").write_text(one.model_copy(update={"turns": turns}).to_json() + "\n")
    [found] = replay_calls(copy).differing
    assert (found.turn, found.at) == (place + 1, -1)


def test_the_recorded_replies_play_as_a_model(run: Path, world: World, tmp_path: Path) -> None:
    pairs = replay_questions(run, model=f"replay:{run}", out=tmp_path / "again")
    assert len(pairs) == 4
    for before, after in pairs:
        assert [turn.text for turn in after.turns] == [turn.text for turn in before.turns]
        assert (after.stop, after.answer) == (before.stop, before.answer) == (Stop.ANSWERED, "Paris")
    model = load_model(f"replay:{run}")
    other = ask(world, "Something else?", model=model)
    assert (other.stop, other.failed) == (Stop.FAILED, "model")
    assert "no such attempt" in (other.error or "")


def test_what_has_changed_since_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    tasks, prompt, run = tmp_path / "tasks.jsonl", tmp_path / "prompt.txt", tmp_path / "run"
    tasks.write_text((first := Task(id="t", question="Q?", answers=("Paris",))).to_json() + "\n")
    prompt.write_text("Research. {tools} {date}")
    World.build(pages(tmp_path), tmp_path / "world", date="2026-01-02").close()
    model = Scripted([search("France"), ANSWER])
    evaluate(tasks, world=tmp_path / "world", model=model, out=run, prompt=str(prompt))
    assert len(replay_questions(run, model=model, out=tmp_path / "same")) == 1

    def refused(words: str) -> None:
        with pytest.raises(UsageError, match=words):
            replay_questions(run, model=model, out=tmp_path / "again")
        assert not (tmp_path / "again").exists()

    prompt.write_text("Search. {tools} {date}")
    refused("its prompt changed since; bring that back")
    prompt.write_text("Research. {tools} {date}")
    tasks.write_text(first.model_copy(update={"question": "R?"}).to_json() + "\n")
    World.build(pages(tmp_path, extra=" A large one."), tmp_path / "other", date="2026-01-02").close()
    (tmp_path / "world").rename(tmp_path / "old")
    (tmp_path / "other").rename(tmp_path / "world")
    refused("its world and tasks changed")
    (run / "trajectories.jsonl").write_text("")
    refused("holds no trajectory yet")


def test_questions_asked_one_by_one_are_asked_again(world: World, tmp_path: Path) -> None:
    settings = AgentSettings()
    with Run.start(tmp_path / "run", manifest(settings, world, "scripted")) as saved:
        for question in ("One?", "Two?", "One?"):
            saved.append(ask(world, question, model=Scripted([search("France"), ANSWER])))
    pairs = replay_questions(
        tmp_path / "run", model=Scripted([render_turn("no", answer="Lyon")]), out=tmp_path / "again"
    )
    assert [(a.question, a.answer, b.answer) for a, b in pairs] == [
        ("One?", "Paris", "Lyon"),
        ("Two?", "Paris", "Lyon"),
    ]


def test_a_chat_is_asked_again_question_by_question(world: World, tmp_path: Path) -> None:
    """Each behind what it went on from; settings that the other kind of model does not have are left out."""
    talk = Conversation(world, Scripted([search("France"), ANSWER]), settings := AgentSettings(grammar=True))
    with Run.start(tmp_path / "run", manifest(settings, world, "smollm2")) as saved:
        for _ in range(2):
            saved.append(talk.ask("And its river?"))
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"": [render_turn("no", answer="the Rhine")]}))
    pairs = replay_questions(tmp_path / "run", model=f"scripted:{script}", out=tmp_path / "again")
    assert [(before.answer, after.answer) for before, after in pairs] == [("Paris", "the Rhine")] * 2
    assert [len(after.messages) for _, after in pairs] == [2, 6]
    assert all(after.messages == before.messages for before, after in pairs)


def test_the_recorded_replies_of_a_chat_go_to_their_own_questions(world: World, tmp_path: Path) -> None:
    """The last question asked counts, though a longer one stands before it."""

    def answer(messages: Sequence[Message]) -> str:
        asked = [one.content for one in messages if one.role == "user" and not RESPONSE.match(one.content)]
        return render_turn("so", answer=f"to: {asked[-1]}") if messages[-1].content != asked[-1] else search("France")

    talk = Conversation(world, Scripted(answer), settings := AgentSettings())
    with Run.start(tmp_path / "run", manifest(settings, world, "scripted")) as saved:
        for question in ("Which city is the capital of France?", "And its river?", "And its river? In French."):
            saved.append(talk.ask(question))
    pairs = replay_questions(tmp_path / "run", model=f"replay:{tmp_path / 'run'}", out=tmp_path / "again")
    assert [(before.answer, after.answer) for before, after in pairs] == [
        (f"to: {one.question}",) * 2 for one, _ in pairs
    ]
    other = Conversation(world, load_model(f"replay:{tmp_path / 'run'}"), settings)
    assert "no such attempt" in (other.ask("And its river?Is it long?").error or "")


def test_who_was_asked_at_a_limit_is_asked_again_at_that_turn(world: World, tmp_path: Path) -> None:
    turns = [search("France"), search("France capital"), render_turn("so", answer="Paris")]
    model = Scripted(turns, context=1500)
    asked = ask(world, "Which?", model=model, limits={"seconds": 1e-9})
    assert (asked.stop, len(asked.turns)) == (Stop.TIME, 2)
    [again] = [ask(world, "Which?", model=Replay([asked]))]
    assert (again.stop, again.answer) == (asked.stop, asked.answer)
    assert [turn.text for turn in again.turns] == [turn.text for turn in asked.turns]


def test_what_a_model_read_is_not_recorded_and_that_is_said(world: World) -> None:
    asked = ask(world, "Which?", model=Scripted([visit("https://e.test/long"), ANSWER]))
    again = ask(world, "Which?", model=Replay([asked]), limits={"visit_mode": "llm"})
    assert again.stop is Stop.FAILED
    assert "read of a page is not recorded: lite replay RUN without --model" in (again.error or "")
    assert ask(world, "Which?", model=Replay([asked])).answer == "Paris"


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run"):
        replay_calls(tmp_path)
    with pytest.raises(UsageError, match="holds no trajectories"):
        load_model(f"replay:{tmp_path}")
