"""What the agent remembers when its window fills: no model, words for tokens."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite.agent import episode
from lite.dialect import render_turn, wrap_response
from lite.memory import Budget, Past, Remembered, note, rewrite
from lite.recipe import Limits, Memory
from lite.records import Call, Fault, Generate, Message, Observation, Reply, Sampling, Stop, Task, Trajectory, Turn

TASK = Task(id="t", question="Which city lies on the Seine?", answers=("Paris",))
CONTEXT = 900


def words(messages: Sequence[Message]) -> int:
    return sum(2 + len(message.content.split()) for message in messages)


def result(number: int, length: int = 150) -> str:
    filler = " ".join(f"w{number}" for _ in range(length))
    return f"The city number {number} lies on the Seine.\n{filler}"


def turn(number: int) -> str:
    return render_turn("look", Call(tool="search", arguments={"query": [f"city {number}"]}))


def play(
    policy: Memory,
    *,
    turns: int = 12,
    length: int = 150,
    keep: int = 2,
    write: Callable[[Generate], Reply | Fault] | None = None,
) -> tuple[Trajectory, list[Generate], list[Generate]]:
    """Search `turns` times, then answer. Returns the trajectory, the turns asked for, the sentences asked for."""
    limits = Limits(turns=turns, turn_tokens=100, answer_tokens=50, memory=policy, keep=keep)
    budget = Budget(CONTEXT, limits.turn_tokens, limits.answer_tokens, words)
    steps = episode(TASK, system="You look things up.", budget=budget, limits=limits, sampling=Sampling())
    asked: list[Generate] = []
    written: list[Generate] = []
    numbers = itertools.count()
    answer = None
    try:
        while True:
            event = steps.send(answer)
            answer = None
            if isinstance(event, Generate) and event.form == "free":
                written.append(event)
                assert write is not None
                answer = write(event)
            elif isinstance(event, Generate):
                asked.append(event)
                last = event.form == "answer"
                answer = Reply(text=render_turn("", answer="Paris") if last else turn(next(numbers)))
            elif isinstance(event, Call):
                answer = Observation(text=result(len(asked) - 1, length), shown={"https://a.test/": "Paris"})
            else:
                assert isinstance(event, Turn)
    except StopIteration as end:
        return end.value, asked, written


def sentence(request: Generate) -> Reply:
    return Reply(text="<think>hm</think>\nIt lies there </tool_response>.", prompt_tokens=7, completion_tokens=3)


@pytest.mark.parametrize(
    ("policy", "stop"),
    [("stop", Stop.CONTEXT), ("keep-last", Stop.TURNS), ("summarise", Stop.TURNS), ("summarise-model", Stop.TURNS)],
)
def test_what_a_full_window_means_is_a_setting(policy: Memory, stop: Stop) -> None:
    trajectory, asked, _ = play(policy, write=sentence)
    assert (trajectory.stop, trajectory.answer) == (stop, "Paris")
    assert (len(trajectory.turns) == 13) == (stop is Stop.TURNS)
    assert bool(trajectory.segments) == (policy != "stop")
    for event in asked:
        assert words(event.messages) + event.max_tokens <= CONTEXT
        assert event.max_tokens >= 50
        roles = [message.role for message in event.messages]
        assert roles == ["system", *("user", "assistant") * (len(roles) // 2 - 1), "user"]
        assert event.messages[1].content.startswith(TASK.question)


def test_keep_last_leaves_the_newest_whole_and_heads_of_the_others() -> None:
    _, asked, _ = play("keep-last", length=100)
    shown = [message.content for message in asked[-1].messages if message.content.startswith("<tool_response>")]
    assert "[…]" in shown[0]
    assert "The city number 0 lies on the Seine." in shown[0]
    assert "[…]" not in shown[-1].partition("</tool_response>")[0]
    assert all(one.count("<tool_response>") == one.count("</tool_response>") == 1 for one in shown)


def test_summarise_turns_each_older_call_into_its_best_sentence() -> None:
    _, asked, written = play("summarise")
    assert written == []
    question = asked[-1].messages[1].content
    assert question.count("What your earlier calls have found:") == 1
    lines = [line for line in question.splitlines() if line.startswith("- ")]
    assert lines[0] == '- search {"query": ["city 0"]}: The city number 0 lies on the Seine.'
    whole = sum(message.content.startswith("<tool_response>") for message in asked[-1].messages)
    assert len(lines) + whole == 12


def test_the_model_writes_its_sentences_once_each_and_they_are_data() -> None:
    trajectory, asked, written = play("summarise-model", write=sentence)
    lines = [line for line in asked[-1].messages[1].content.splitlines() if line.startswith("- ")]
    assert lines[0] == '- search {"query": ["city 0"]}: It lies there &lt;/tool_response>.'
    assert len(written) == len(lines)
    assert all(words(one.messages) + one.max_tokens <= CONTEXT for one in written)
    assert sum(segment.prompt_tokens for segment in trajectory.segments) == 7 * len(written)


def test_half_a_character_in_a_sentence_can_be_stored() -> None:
    trajectory, asked, _ = play("summarise-model", write=lambda _: Reply(text="It lies there \ud83d."))
    assert ": It lies there \ufffd." in asked[-1].messages[1].content
    trajectory.to_json().encode()


def test_a_model_that_fails_while_summarising_fails_the_episode() -> None:
    trajectory, _, _ = play("summarise-model", write=lambda _: Fault(where="model", error="down"))
    assert (trajectory.stop, trajectory.failed, trajectory.answered) == (Stop.FAILED, "model", False)
    assert trajectory.turns[-1].call is not None


@pytest.mark.parametrize("policy", ["keep-last", "summarise"])
def test_segments_say_behind_what_each_turn_was_written(policy: Memory) -> None:
    trajectory, asked, _ = play(policy)
    assert Trajectory.from_json(trajectory.to_json()) == trajectory
    place = 0
    for before, turns in trajectory.sequences():
        messages = list(before)
        for number, one in enumerate(turns):
            if one.asked and number:
                messages[-1] = asked[place].messages[-1]
            assert tuple(messages) == asked[place].messages
            messages.append(Message(role="assistant", content=one.text))
            if one.observation is not None:
                messages.append(Message(role="user", content=wrap_response(one.observation)))
            place += 1
    assert place == len(asked) == len(trajectory.turns)
    assert len({(event.conversation, event.turn) for event in asked}) == len(asked)


@given(
    st.sampled_from(["keep-last", "summarise"]),
    st.integers(1, 400),
    st.integers(1, 5),
    st.integers(1, 15),
)
def test_no_observations_overflow_the_window(policy: Memory, length: int, keep: int, turns: int) -> None:
    trajectory, asked, _ = play(policy, length=length, keep=keep, turns=turns)
    assert trajectory.answered
    assert trajectory.stop in {Stop.TURNS, Stop.CONTEXT}
    for event in asked:
        assert words(event.messages) + event.max_tokens <= CONTEXT


def test_a_note_is_the_sentence_that_fits_the_question_in_any_script() -> None:
    said = render_turn("", Call(tool="visit", arguments={"url": ["https://a.test/"], "goal": "长江"}))
    seen = wrap_response(
        "The useful information in https://a.test/ as follows: \n\n黄河很长。长江流经上海。\nSummary: \nx"
    )
    assert note("长江流经哪座城市?", said, seen).endswith(": 长江流经上海。")
    assert note("q", "babble", wrap_response("")) == "an unreadable turn: nothing"
    assert len(note("q", said, wrap_response("x" * 5000))) < 600


def test_notes_that_fill_the_window_give_up_the_oldest() -> None:
    _, asked, _ = play("summarise", turns=80)
    lines = [line for line in asked[-1].messages[1].content.splitlines() if line.startswith("- ")]
    numbers = [int(line.partition("city number ")[2].split()[0]) for line in lines]
    whole = sum(message.content.startswith("<tool_response>") for message in asked[-1].messages)
    assert numbers == list(range(80 - whole - len(lines), 80 - whole))
    assert 0 < len(lines) < 70


def test_what_the_user_wrote_is_no_note_even_if_it_looks_like_one() -> None:
    question = f"{TASK.question}\n\nWhat your earlier calls have found:\n- I am part of the question"
    said = [Message(role="assistant", content=turn(0)), Message(role="user", content=wrap_response(result(0)))]
    past = Past([Message(role="system", content="s"), Message(role="user", content=question), *said], 2, question, "c")
    rewritten = _written_by("summarise", past)
    assert rewritten.messages[1].content.startswith(f"{question}\n\nWhat your earlier calls have found:\n- search")


def test_keep_last_cuts_text_without_spaces() -> None:
    chinese = "长安是唐朝的首都。" * 80
    said = [
        message
        for n in range(4)
        for message in (
            Message(role="assistant", content=turn(n)),
            Message(role="user", content=wrap_response(chinese)),
        )
    ]
    past = Past([Message(role="system", content="s"), Message(role="user", content="q"), *said], 2, "q", "c")
    rewritten = _written_by("keep-last", past)
    assert [len(message.content) < 150 for message in rewritten.messages[3::2]] == [True, True, False, False]


def test_a_sentence_that_the_model_does_not_write_is_extracted_and_counted() -> None:
    trajectory, asked, written = play("summarise-model", write=lambda _: Reply(text="<think>What could I"))
    lines = [line for line in asked[-1].messages[1].content.splitlines() if line.startswith("- ")]
    assert lines[0] == '- search {"query": ["city 0"]}: The city number 0 lies on the Seine.'
    assert sum(segment.unwritten for segment in trajectory.segments) == len(written)


def _written_by(policy: Memory, past: Past) -> Remembered:
    def characters(messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages)

    with pytest.raises(StopIteration) as end:
        next(rewrite(past, policy, Budget(3200, 300, 100, characters), keep=2))
    return end.value.value
