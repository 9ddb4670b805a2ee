# ruff: noqa: RUF001  # Chinese punctuation is meant
"""The episode, driven by hand: no model, no world, every way it can end."""

from collections.abc import Iterable, Sequence

import pytest

from lite.agent import episode, system_prompt
from lite.dialect import ASK_FOR_ANSWER, render_turn
from lite.errors import UsageError
from lite.memory import Budget
from lite.recipe import Limits
from lite.records import Call, Fault, Generate, Message, Observation, Reply, Sampling, Stop, Task, Trajectory, Turn

TASK = Task(id="t", question="Which city?", answers=("Paris",))


def words(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


def search(query: str) -> str:
    return render_turn("look", Call(tool="search", arguments={"query": [query]}))


def play(
    replies: Iterable[str | Reply | Fault],
    *,
    last: str | None = None,
    limits: Limits | None = None,
    context: int = 4000,
    observation: Observation | Fault | Sequence[Observation] | None = None,
) -> tuple[Trajectory, list[Generate], list[Call]]:
    """Run one episode: replies in order (`last` when asked for the answer), and observations; one is for every call."""
    limits = limits or Limits(turn_tokens=200, answer_tokens=50)
    budget = Budget(context, limits.turn_tokens, limits.answer_tokens, words)
    steps = episode(TASK, system="You look things up.", budget=budget, limits=limits, sampling=Sampling())
    asked: list[Generate] = []
    called: list[Call] = []
    pending = iter(replies)
    answer = None
    try:
        while True:
            event = steps.send(answer)
            answer = None
            if isinstance(event, Generate):
                asked.append(event)
                reply = last if last is not None and event.form == "answer" else next(pending)
                answer = Reply(text=reply) if isinstance(reply, str) else reply
            elif isinstance(event, Call):
                called.append(event)
                given = observation[len(called) - 1] if isinstance(observation, Sequence) else observation
                answer = given or Observation(text="It is Paris.", shown={"https://a.test/": "It is Paris."})
            else:
                assert isinstance(event, Turn)
    except StopIteration as end:
        return end.value, asked, called


def test_an_answer_ends_the_episode_with_the_pages_it_rests_on() -> None:
    trajectory, asked, called = play([search("city"), render_turn("sure", answer="Paris")])
    assert (trajectory.stop, trajectory.answer, trajectory.answered) == (Stop.ANSWERED, "Paris", True)
    assert trajectory.sources == ("https://a.test/",)
    assert [call.arguments["query"] for call in called] == [["city"]]
    first, second = asked
    assert [message.role for message in first.messages] == ["system", "user"]
    assert second.messages[:2] == first.messages
    assert second.messages[2].content == search("city")
    assert second.messages[3].content == "<tool_response>\nIt is Paris.\n</tool_response>"
    assert first.conversation == second.conversation
    assert (first.form, second.form) == ("call", "turn")  # a grammar holds the first turn to looking something up


def test_visited_pages_come_first_and_pages_that_say_nothing_of_the_answer_are_no_sources() -> None:
    seen = Observation(
        text="…",
        shown={"https://hit.test/": "Paris", "https://other.test/": "Lyon"},
        read={"https://page.test/": "in Paris"},
    )
    trajectory, _, _ = play([search("a"), render_turn("", answer="Paris")], observation=seen)
    assert trajectory.sources == ("https://page.test/", "https://hit.test/")


@pytest.mark.parametrize(
    ("limits", "stop"),
    [
        (Limits(turns=2, turn_tokens=200, answer_tokens=50), Stop.TURNS),
        (Limits(calls=2, turn_tokens=200, answer_tokens=50), Stop.CALLS),
    ],
)
def test_at_a_limit_the_agent_is_asked_for_its_answer(limits: Limits, stop: Stop) -> None:
    trajectory, asked, called = play([search("a"), search("b"), render_turn("", answer="Paris")], limits=limits)
    assert (trajectory.stop, trajectory.answered, trajectory.answer) == (stop, True, "Paris")
    assert len(called) == 2
    assert asked[-1].form == "answer"
    assert asked[-1].messages[-1].content.endswith(ASK_FOR_ANSWER)
    assert asked[-1].messages[-1].role == "user"
    assert [turn.asked for turn in trajectory.turns] == [False, False, True]


def test_asked_for_an_answer_and_still_calling_ends_unanswered() -> None:
    limits = Limits(turns=1, turn_tokens=200, answer_tokens=50)
    trajectory, _, called = play([search("a"), search("b")], limits=limits)
    assert (trajectory.stop, trajectory.answered, trajectory.answer) == (Stop.TURNS, False, None)
    assert len(called) == 1


def test_when_time_is_up_the_agent_is_asked() -> None:
    late = Reply(text=search("a"), late=True)
    trajectory, asked, _ = play([late, render_turn("", answer="Paris")])
    assert (trajectory.stop, trajectory.answer) == (Stop.TIME, "Paris")
    assert asked[-1].form == "answer"


def test_an_observation_that_does_not_fit_is_shortened_and_room_is_kept_for_the_answer() -> None:
    long = Observation(text=" ".join(f"word{n}" for n in range(5000)))
    replies = (search(f"a{n}") for n in range(100))
    trajectory, asked, _ = play(replies, last=render_turn("", answer="x"), observation=long, context=900)
    assert trajectory.stop is Stop.CONTEXT
    assert len(trajectory.turns) > 3
    assert trajectory.answered
    assert trajectory.turns[0].shortened
    for event in asked:
        assert words(event.messages) + event.max_tokens <= 900
        assert event.max_tokens >= 50


def test_text_without_spaces_is_cut_too_and_pages_cut_off_were_never_seen() -> None:
    def characters(messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages)

    budget = Budget(1000, 200, 100, characters)
    fitted = budget.fit([Message(role="user", content="x" * 100)], "\u6c34" * 4000)
    assert 200 < len(fitted) < 1000
    many = Observation(
        text="\n".join(f"https://p{n}.test/ is Paris {'word ' * 300}" for n in range(9)),
        shown={f"https://p{n}.test/": f"is Paris {'word ' * 300}" for n in range(9)},
    )
    replies = [search("a")]
    trajectory, _, _ = play(replies, last=render_turn("", answer="Paris"), observation=many, context=900,
                            limits=Limits(turns=1, turn_tokens=200, answer_tokens=50))  # fmt: skip
    assert trajectory.turns[0].shortened
    assert trajectory.turns[0].shown == trajectory.sources
    assert 1 <= len(trajectory.sources) < 9
    assert all(url in (trajectory.turns[0].observation or "") for url in trajectory.sources)


def test_a_question_larger_than_the_window_ends_before_the_model_is_asked() -> None:
    trajectory, asked, _ = play([], context=100)
    assert (trajectory.stop, asked, trajectory.turns) == (Stop.CONTEXT, [], ())
    assert "100 tokens" in (trajectory.error or "")


def test_unreadable_turns_are_told_and_then_end_it() -> None:
    trajectory, asked, called = play(["hm"] * 3)
    assert (trajectory.stop, called) == (Stop.MALFORMED, [])
    assert asked[1].messages[-1].content.startswith("<tool_response>\nError: neither <tool_call> nor <answer>")
    assert not any(turn.tool_error for turn in trajectory.turns)
    recovered, _, _ = play(["hm", "hm", search("a"), "hm", render_turn("", answer="Paris")])
    assert recovered.stop is Stop.ANSWERED
    assert [turn.malformed is not None for turn in recovered.turns] == [True, True, False, True, False]


def test_the_same_call_is_told_once_and_then_ends_it() -> None:
    bare = render_turn("look", Call(tool="search", arguments={"query": "a"}))
    trajectory, asked, called = play([search("a"), bare, search("a"), bare])
    assert trajectory.stop is Stop.REPEATED
    assert len(called) == 2
    assert "made 3 times" in asked[3].messages[-1].content


def test_a_looping_generation_is_told_once_and_then_ends_it() -> None:
    babble = "<think>" + "I search for the city. " * 12
    trajectory, asked, called = play([babble, search("a"), Reply(text=babble, finish="length")])
    assert trajectory.stop is Stop.REPEATED
    assert "again and again" in asked[1].messages[-1].content
    assert len(called) == 1
    recovered, _, _ = play([babble, search("a"), render_turn("sure", answer="Paris")])
    assert recovered.stop is Stop.ANSWERED


def test_strict_repairs_nothing() -> None:
    unclosed = search("a").removesuffix("</tool_call>")
    strict = Limits(turn_tokens=200, answer_tokens=50, strict=True)
    trajectory, asked, called = play([unclosed, render_turn("", answer="Paris")], limits=strict)
    assert called == []
    assert trajectory.turns[0].malformed == "needs repair: unclosed_tool_call"
    assert "needs repair: unclosed_tool_call" in asked[1].messages[-1].content
    lenient, _, _ = play([unclosed, render_turn("", answer="Paris")])
    assert lenient.turns[0].repairs == ("unclosed_tool_call",)


def test_a_cited_url_that_was_never_seen_is_flagged() -> None:
    seen = Observation(text="[a link](https://link.test/b) on https://a.test/", shown={"https://a.test/": "x"})
    cited = (
        "<think>See https://a.test/, https://link.test/b and [this](https://made.up/page).</think><answer>x</answer>"
    )
    trajectory, _, _ = play([search("a"), cited], observation=seen)
    assert trajectory.unseen == ("https://made.up/page",)
    quoted = (
        "<think>As `https://a.test/` says；根据https://a.test/，是。（https://link.test/b）</think><answer>x</answer>"
    )
    trajectory, _, _ = play([search("a"), quoted], observation=seen)
    assert trajectory.unseen == ()


def test_what_the_model_asked_for_in_vain_was_not_shown() -> None:
    tried = Observation(
        text="A Google search for 'https://asked.test/x' found 1 results:\n\n## Web Results\n1. [a](https://a.test/b)\n"
        "a\n\n=======\n\nThe useful information in https://www.read.test/p/ for user goal g as follows: \n\nEvidence in "
        "page: \nSee https://link.test/(c).\n\nSummary: \ns\n\n=======\n\nThe useful information in "
        "https://vain.test/ for user goal g as follows: \n\nEvidence in page: \nThe provided webpage content could not "
        "be accessed. The nearest pages that exist: https://near.test/\n\nSummary: \nnone",
        shown={"https://a.test/b": "a"},
        read={"https://www.read.test/p/": "See"},
    )
    named = ["asked.test/x", "a.test/b", "read.test/p", "link.test/(c)", "vain.test/", "near.test", "a.test"]
    answer = f"<think>{' '.join(f'https://{one}' for one in named)}</think><answer>x</answer>"
    trajectory, _, _ = play([search("a"), answer], observation=tried)
    assert trajectory.unseen == ("https://asked.test/x", "https://vain.test/", "https://a.test")


def test_a_page_shown_twice_is_remembered_with_both_its_passages() -> None:
    observations = [
        Observation(text=text, shown={"https://a.test/": text})
        for text in ("Paris is the capital.", "France is large.")
    ]
    trajectory, _, _ = play([search("a"), search("b"), render_turn("", answer="Paris")], observation=observations)
    assert trajectory.sources == ("https://a.test/",)


@pytest.mark.parametrize("where", ["model", "tool"])
def test_a_fault_of_the_world_fails_the_episode_and_gives_no_answer(where: str) -> None:
    fault = Fault(where=where, error="down")
    trajectory, _, _ = play([fault]) if where == "model" else play([search("a")], observation=fault)
    assert (trajectory.stop, trajectory.failed, trajectory.error) == (Stop.FAILED, where, "down")
    assert (trajectory.answer, trajectory.answered) == (None, False)


def test_the_trajectory_keeps_ids_and_survives_json() -> None:
    reply = Reply(text=render_turn("", answer="Paris"), token_ids=(1, 2), logprobs=(-0.5, 0.0), completion_tokens=2)
    trajectory, _, _ = play([reply])
    assert trajectory.turns[0].token_ids == (1, 2)
    assert Trajectory.from_json(trajectory.to_json()) == trajectory


def test_the_system_prompt_ends_in_the_date_and_can_be_replaced(tmp_path) -> None:
    text = system_prompt("2026-01-02")
    assert text.endswith("Current date: 2026-01-02")
    tools = text.partition("<tools>\n")[2].partition("\n</tools>")[0].split("\n")
    assert [line.startswith('{"type": "function"') for line in tools] == [True, True]
    alone = system_prompt("2026-01-02", tools=["search"])
    assert '"name": "search"' in alone
    assert "visit" not in alone
    (tmp_path / "p.txt").write_text("Today {date}.")
    assert system_prompt("2026-01-02", tmp_path / "p.txt") == "Today 2026-01-02."
    with pytest.raises(UsageError, match="prompt file"):
        system_prompt("2026-01-02", tmp_path / "none.txt")
