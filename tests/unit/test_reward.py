"""What counts as right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite.records import Stop, Task, Trajectory
from lite.reward import contains_answer, exact, f1, grade, number, set_f1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234", (1234.0, "")),
        ("$1,234.50", (1234.5, "dollar")),
        ("-5 °C", (-5.0, "°C")),
        ("\u22125", (-5.0, "")),
        ("12 km\u00b2", (12.0, "km2")),
        ("3.5 million", (3_500_000.0, "")),
        ("2 billion people", (2e9, "people")),
        ("1668.3 K", (1668.3, "K")),
        ("2008 Olympics", None),
        ("12 Monkeys", None),
        ("1,2", None),
        ("Paris", None),
        ("", None),
    ],
)
def test_numbers_are_read_with_their_unit(text: str, expected: tuple[float, str] | None) -> None:
    assert number(text) == expected


@pytest.mark.parametrize(
    ("answer", "references", "right"),
    [
        ("The Paris", ["paris"], 1.0),
        ("paris, France", ["Paris"], 0.0),
        ("1234", ["1,234"], 1.0),
        ("1,234 km", ["1234"], 1.0),
        ("12 km", ["12 miles"], 0.0),
        ("3.5", ["3.5 million"], 0.0),
        ("12", ["12 Monkeys"], 0.0),
        ("Zoe Wanamaker", ["Zo\u00eb Wanamaker"], 1.0),
        ("Lyon", ["Paris", "Lyon"], 1.0),
        ("\u65e5\u672c \u4e1c\u4eac", ["\u65e5\u672c\u4e1c\u4eac"], 1.0),
        ("", ["Paris"], 0.0),
        ("-39", ["39"], 0.0),
        ("39 °C", ["-39 °C"], 0.0),
        ("+5", ["-5"], 0.0),
        ("$5", ["€5"], 0.0),
        ("$5", ["5 dollars"], 1.0),
        ("$5", ["5"], 1.0),
        ("1990,1991", ["19901991"], 0.0),
        ("3 years", ["3 year"], 1.0),
        ("!!!", ["???"], 0.0),
    ],
)
def test_exact_match(answer: str, references: list[str], right: float) -> None:
    assert exact(answer, references) == right


def test_tolerance_is_relative() -> None:
    assert exact("101", ["100"]) == 0.0
    assert exact("101", ["100"], tolerance=0.02) == 1.0
    assert exact("103", ["100"], tolerance=0.02) == 0.0


def test_f1_takes_the_best_reference() -> None:
    assert f1("Guy Peter Branston", ["nobody", "Guy Peter Bromley Branston"]) == pytest.approx(6 / 7)
    assert f1("Lyon", ["Paris"]) == 0.0


def test_containing_an_answer_means_whole_words() -> None:
    assert contains_answer("It lies in Niger, they say.", "niger")
    assert not contains_answer("It lies in Nigeria.", "Niger")
    assert not contains_answer("anything", "")


def test_a_failed_trajectory_is_never_graded_and_no_answer_is_wrong() -> None:
    task = Task(id="1", question="?", answers=("x",))
    failed = Trajectory(task_id="1", question="?", stop=Stop.FAILED, failed="model", error="down", answer="x")
    assert grade(task, failed).value is None
    assert grade(task, Trajectory(task_id="1", question="?", stop=Stop.TURNS)).value == 0.0


@given(st.text(), st.text())
def test_no_text_raises_and_every_text_with_words_equals_itself(one: str, other: str) -> None:
    assert 0.0 <= f1(one, [other]) <= 1.0
    assert exact(one, [other]) in (0.0, 1.0)
    assert exact(one, [one]) == (1.0 if f1(one, [one]) else 0.0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Oslo; Bergen; Molde", 1.0),
        ("Bergen and Oslo", 0.8),
        ("Oslo, Bergen, Molde, Rome", 6 / 7),
        ("Oslo; Rome; Paris", 1 / 3),
        ("Rome", 0.0),
        ("", 0.0),
    ],
)
def test_a_list_is_graded_by_its_members(answer: str, expected: float) -> None:
    assert set_f1(answer, ["Oslo", "Bergen", "Molde"]) == pytest.approx(expected)
