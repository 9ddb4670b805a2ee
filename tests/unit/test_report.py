"""The figures of an evaluation, from trajectories made by hand."""

import pytest

from lite.recipe import Prices
from lite.records import Call, Segment, Stop, Task, Trajectory, Turn
from lite.report import OUTCOMES, Share, as_markdown, majority, outcome, rows, share, summarise
from lite.reward import abstains, grade

TASKS = [Task(id=f"t{n}", question="?", answers=("Paris",), capability="direct") for n in range(4)]


def attempt(task: int, answer: str | None, number: int = 0, *, turns: tuple[Turn, ...] = (), **fields) -> Trajectory:
    stop = fields.pop("stop", Stop.ANSWERED if answer else Stop.TURNS)
    made = Trajectory(
        task_id=f"t{task}", question="?", attempt=number, answer=answer, answered=answer is not None, stop=stop,
        turns=turns, **fields,
    )  # fmt: skip
    return made.model_copy(update={"reward": grade(TASKS[task], made)})


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (attempt(0, "Paris"), "right"),
        (attempt(0, "Paris", stop=Stop.TURNS), "right"),
        (attempt(0, "Lyon"), "wrong"),
        (attempt(0, "I don't know."), "abstained"),
        (attempt(0, None), "truncated"),
        (attempt(0, None, stop=Stop.CONTEXT, turns=(Turn(text=""),)), "truncated"),
        (attempt(0, None, stop=Stop.CONTEXT), "too_long"),
        (attempt(0, None, stop=Stop.REPEATED), "stuck"),
        (attempt(0, None, stop=Stop.FAILED, failed="tool"), "tool_failure"),
        (attempt(0, None, stop=Stop.FAILED, failed="model"), "model_failure"),
        (Trajectory(task_id="x", question="?", answer="a", answered=True, stop=Stop.ANSWERED), "ungraded"),
    ],
)
def test_every_trajectory_has_one_outcome(one: Trajectory, expected: str) -> None:
    assert outcome(one) == expected
    assert expected in OUTCOMES


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know",
        "Unknown",
        "N/A",
        "It cannot be determined from the pages.",
        "未知",
        "We could not find any of it.",
        "The answer is unknown.",
        "不清楚",
        "I can't tell.",
        "I cannot verify this",
        "找不到",
        "无法回答",
        "没有找到答案",
        "無法確定",
    ],
)
def test_saying_that_one_does_not_know_is_abstaining(answer: str) -> None:
    assert abstains(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Paris",
        "No",
        "None Shall Pass",
        "The Unknown Soldier",
        "I, Robot",
        "Not Fade Away",
        "I Can't Get No Satisfaction",
        "I Don't Like Mondays",
        "未到期",
        "没到过北京的人",
        "We Can't Stop",
    ],
)
def test_names_that_sound_like_it_are_answers(answer: str) -> None:
    assert not abstains(answer)


def test_pass_and_majority_of_k() -> None:
    answers = {0: ("Paris", "Lyon", "paris"), 1: ("Lyon", "Paris", "Lyon"), 2: ("Nice", "Lyon", "Nice")}
    tried = [attempt(task, said, n) for task, three in answers.items() for n, said in enumerate(three)]
    tried += [attempt(3, "Paris", 0), attempt(3, None, 1, stop=Stop.FAILED, failed="model"), attempt(3, "Paris", 2)]
    report = summarise(TASKS, tried, model="m", world="w", attempts=3)
    assert (report.tasks, report.trajectories, report.graded) == (4, 12, 11)
    assert report.intervals["pass@3"].value == pytest.approx(2 / 3, abs=1e-4)  # t3 has a failure: left out
    assert report.intervals["majority@3"].value == pytest.approx(1 / 3, abs=1e-4)
    assert report.exact == pytest.approx((2 / 3 + 1 / 3 + 0 + 1) / 4, abs=1e-4)
    assert report.outcomes == {"right": 5, "wrong": 6, "model_failure": 1}
    assert "pass@3" in as_markdown(report)


def test_the_latest_of_an_attempt_counts_and_other_tasks_do_not() -> None:
    other = Trajectory(task_id="other", question="?", stop=Stop.ANSWERED)
    failed = attempt(0, None, stop=Stop.FAILED, failed="tool")
    report = summarise(TASKS, [failed, other, attempt(0, "Paris"), attempt(1, "Lyon", 7)], model="m", world="w")
    assert (report.tasks, report.exact, report.outcomes) == (1, 1.0, {"right": 1})


def test_who_abstains_has_no_vote_and_numbers_are_compared_as_numbers() -> None:
    voted = majority(
        TASKS[0], [attempt(0, said, n) for n, said in enumerate(["unknown", "unknown", "1,000", "7", "1000"])]
    )
    assert voted is not None
    assert voted.answer == "1,000"
    assert majority(TASKS[0], [attempt(0, "unknown"), attempt(0, None, 1)]) is None


def test_votes_are_counted_as_the_grader_compares() -> None:
    several = Task(id="t0", question="?", answers=("Oslo; Bergen",), answer_type="list")
    said = ["Rome", "Oslo; Bergen", "Rome", "Bergen and Oslo", "Bergen, Oslo"]
    voted = majority(several, [attempt(0, one, n) for n, one in enumerate(said)])
    assert voted is not None
    assert voted.answer == "Oslo; Bergen"
    about = Task(id="t0", question="?", answers=("100",), tolerance=0.05)
    voted = majority(about, [attempt(0, one, n) for n, one in enumerate(["7", "100", "7", "102", "98"])])
    assert voted is not None
    assert voted.answer == "100"


def test_a_turn_that_strict_refused_was_not_repaired() -> None:
    turns = (
        Turn(text="", malformed="needs repair: code_fence", repairs=("code_fence", "missing_brace")),
        Turn(text="", malformed="the turn is empty", repairs=("unclosed_think",)),
        Turn(text="", repairs=("code_fence",)),
    )
    report = summarise(TASKS, [attempt(0, "Paris", turns=turns)], model="m", world="w")
    assert (report.malformed_turns, report.repaired_turns) == (2, 1)
    assert (report.repairs, report.refused) == ({"code_fence": 1}, {"code_fence": 1})
    assert "refused for need of repair" in dict(rows(report))


def test_intervals_hold_the_mean_repeat_and_know_their_ignorance() -> None:
    found = share([1.0] * 30 + [0.0] * 70)
    assert found == share([1.0] * 30 + [0.0] * 70)
    assert found.low < found.value == 0.3 < found.high
    assert 0.08 < found.value - found.low < 0.1  # 1.96 * sqrt(0.3 * 0.7 / 100) = 0.09
    nothing = share([0.0] * 60)
    assert (nothing.low, nothing.value) == (0.0, 0.0)
    assert 0.05 < nothing.high < 0.07
    assert share([1.0] * 60).low == pytest.approx(1 - nothing.high, abs=1e-4)
    assert (share([]).low, share([]).high) == (0.0, 1.0)
    assert share([0.5]) == Share(value=0.5, low=0.0125, high=0.9875)
    assert share([0.5] * 4) == Share(value=0.5, low=0.1988, high=0.8012)


def test_costs_count_queries_and_pages_that_were_answered() -> None:
    def turn(tool: str, **arguments) -> Turn:
        return Turn(text="", call=Call(tool=tool, arguments=arguments), observation="seen", prompt_tokens=10)

    refused = turn("search", query="again").model_copy(update={"tool_error": True})
    mended = turn("search", query="x").model_copy(update={"repairs": ("code_fence", "trailing_comma")})
    turns = (turn("search", query=["a", "b"]), turn("visit", url=["u", "v", "u"], goal="g"), refused, mended)
    segment = Segment(start=1, policy="summarise-model", messages=(), prompt_tokens=5, completion_tokens=2)
    report = summarise(
        TASKS, [attempt(0, "Paris", turns=turns, segments=(segment,), unseen=("http://x",))],
        model="m", world="w", prices=Prices(search=10, visit=5),
    )  # fmt: skip
    assert (report.queries, report.visits) == (3, 2)
    assert report.cost == pytest.approx(0.04)
    assert (report.prompt_tokens, report.completion_tokens, report.rewrites) == (45, 2, 1)
    assert report.repairs == {"code_fence": 1, "trailing_comma": 1}
    lines = dict(rows(report))
    assert lines["on the open web"].startswith("$0.04 (3 queries, 2 pages; Tavily")
    assert lines["cites what it never saw"] == "1 of 1"
    assert lines["repairs"] == "code fence 1, trailing comma 1"
