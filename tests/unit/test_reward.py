# ruff: noqa: RUF001  # Chinese punctuation is meant
"""What counts as right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite.evaluate import read_tasks
from lite.records import Stop, Task, Trajectory
from lite.reward import contains_answer, exact, f1, grade, lists, number, set_f1
from tests.conftest import CLONE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234", (1234.0, "")),
        ("$1,234.50", (1234.5, "dollar")),
        ("-$5", (-5.0, "dollar")),
        ("USD 5 billion", (5e9, "dollar")),
        ("-5 °C", (-5.0, "°C")),
        ("\u22125", (-5.0, "")),
        ("12 km\u00b2", (12.0, "km2")),
        ("3.5 million", (3_500_000.0, "")),
        ("2 billion people", (2e9, "people")),
        ("1668.3 K", (1668.3, "K")),
        ("2008 Olympics", None),
        ("12 Monkeys", None),
        ("1,2", None),
        ("1990s", None),
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
        ("8849 metres", ["8,849 m"], 1.0),
        ("2,944 square kilometres", ["2,944 km\u00b2"], 1.0),
        ("2,944 sq. km", ["2,944 km\u00b2"], 1.0),
        ("2,944 km", ["2,944 km\u00b2"], 0.0),
        ("31.7 people per square kilometre", ["31.7 per km\u00b2"], 1.0),
        ("31.7/km\u00b2", ["31.7 per km\u00b2"], 1.0),
        ("7.26 grams per cubic centimetre", ["7.26 g/cm\u00b3"], 1.0),
        ("1,090 degrees Celsius", ["1,090 °C"], 1.0),
        ("1,090 °F", ["1,090 °C"], 0.0),
        ("50 percent", ["50%"], 1.0),
        ("5\u2030", ["5%"], 0.0),
        ("90 km per hour", ["90 km/h"], 1.0),
        ("US$5 million", ["5,000,000 US dollars"], 1.0),
        ("$5 per day", ["€5 per day"], 0.0),
        ("591 feet", ["591 ft", "591"], 1.0),
        ("591", ["591 ft", "591"], 1.0),
        ("591 parsecs", ["591 ft", "591"], 0.0),
        ("591 m", ["591 ft", "591"], 0.0),
        ("591 m", ["591"], 1.0),
        ("31,000 people", ["31,000"], 1.0),
        ("1990s", ["1990"], 0.0),
        ("1990's", ["1990s"], 1.0),
        ("44 bc", ["44"], 0.0),
        ("44 bc", ["44 BC"], 1.0),
        ("5 or six", ["5"], 0.0),
        ("12 not sure", ["12"], 0.0),
        ("1e5", ["1"], 0.0),
        ("12 widgets", ["12 widget"], 1.0),
        ("-$5", ["$5"], 0.0),
        ("-5 Degrees", ["5 degrees"], 0.0),
        ("UTC+1", ["UTC-1"], 0.0),
        ("UTC\u221201:00", ["UTC-01:00"], 1.0),
        ("+5:30", ["-5:30"], 0.0),
        ("+5:30", ["5:30"], 1.0),
        ("F-16", ["F 16"], 1.0),
        ("1990-1991", ["1990\u20131991"], 1.0),
        ("\u2013183 °C", ["\u2212183 °C"], 1.0),
        ("minus 183 °C", ["\u2212183 °C"], 1.0),
        ("\u2011218.8", ["-218.8"], 1.0),
        ("4 758 762", ["4,758,762"], 1.0),
        ("4\u202f758\u202f762 people", ["4758762"], 1.0),
        ("-5 °C", ["-5 degrees Celsius"], 1.0),
        ("5 July 1987", ["July 5, 1987"], 1.0),
        ("1987-07-05", ["July 5, 1987"], 1.0),
        ("6 July 1987", ["July 5, 1987"], 0.0),
        ("1914 \u2013 1918", ["1914\u20131918"], 1.0),
        ("2 - 1", ["2\u20131"], 1.0),
        ("10 \u2013 20 km", ["10\u201320 km"], 1.0),
        ("Boeing 747 - 400", ["Boeing 747-400"], 1.0),
        ("about \u22125 °C", ["-5 °C"], 1.0),
        ("O\u2212", ["O-"], 1.0),
        ("F\u266f minor", ["F# minor"], 1.0),
        ("127", ["127 Hours"], 0.0),
        ("> 50", ["50"], 0.0),
        (">50", ["50"], 0.0),
        ("\u226450", ["50"], 0.0),
        ("50+", ["50"], 0.0),
        ("50+", ["50+"], 1.0),
        ("C", ["C++"], 0.0),
        ("C#", ["C++"], 0.0),
        ("C++", ["c++"], 1.0),
        ("A-", ["A+"], 0.0),
        ("A", ["A-"], 0.0),
        ("O-", ["O-"], 1.0),
        ("S\u00e3o Tom\u00e9 & Pr\u00edncipe", ["Sao Tome and Principe"], 1.0),
        ("Lodz", ["\u0141\u00f3d\u017a"], 1.0),
        ("Diyarbakir", ["Diyarbak\u0131r"], 1.0),
        ("2,350米", ["2350 m"], 1.0),
        ("2350公尺", ["2,350米"], 1.0),
        ("2350公里", ["2,350米"], 0.0),
        ("30平方公里", ["30 km\u00b2"], 1.0),
        ("1987", ["1987年"], 1.0),
        ("1958年", ["1958年7月1日"], 0.0),
        ("臺北市", ["台北市"], 1.0),
    ],
)
def test_exact_match(answer: str, references: list[str], right: float) -> None:
    assert exact(answer, references) == right


def test_no_length_of_a_unit_raises() -> None:
    for unit in ("a/" * 5000, "m" + "2" * 5000, "square " * 5000):
        assert exact(f"5 {unit}", ["5"]) == exact(f"5 {unit}", ["5 m"]) == 0.0


def test_what_was_asked_for_may_stand_behind_its_number() -> None:
    asked = "How many countries have more than 10 airports?"
    assert exact("7 countries", ["7"], asked=asked) == exact("7 airports", ["7"], asked=asked) == 1.0
    assert exact("7 islands", ["7"], asked=asked) == exact("7 countries", ["7"]) == 0.0


def test_every_accepted_answer_of_the_shipped_tasks_is_right() -> None:
    for file in sorted((CLONE / "data" / "tasks").glob("*.jsonl.zst")):
        for task in read_tasks(file):
            for answer in task.answers:
                one = Trajectory(task_id=task.id, question=task.question, stop=Stop.ANSWERED, answer=answer)
                assert grade(task, one).value == 1.0, (task.id, answer)


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


def test_members_are_joined_in_chinese_too() -> None:
    cast = ["李大海", "陈晓晓", "赵美丽"]
    for answer in ("李大海、陈晓晓和赵美丽", "李大海，赵美丽，以及陳曉曉", "赵美丽; 陈晓晓; 李大海"):
        assert lists(answer, cast), answer
    assert not lists("李大海、陈晓晓和王五", cast)
    assert set_f1("李大海、王五", cast) == pytest.approx(2 / 5)
