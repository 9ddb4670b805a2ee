"""Wording: what a strict reader of made questions stumbled over."""

from random import Random

import pytest

from lite.tasks.aggregation import contradict, related, same_row
from lite.tasks.enumeration import _round_between
from lite.tasks.sheet import Sheet, says, sheet_of
from lite.tasks.statistics import extreme_words
from lite.tasks.tables import read_tables
from lite.tasks.wording import about_page, condition, predicate, value_of


def sheet(header: str, *rows: str) -> Sheet:
    rule = "---|" * (header.count("|") + 1)
    [table], _ = read_tables(f"## List\n\n| {header} |\n|{rule}\n" + "".join(f"| {row} |\n" for row in rows))
    return sheet_of("https://t.test/x", "Things", "Things", table)


FILMS = sheet("Title | Role | Director", "Moon | Ann | Bob Roe", "Star | Maid | Cy Poe", "Sun | Cook | Di Moe")
TEAMS = sheet("Team | Capacity", "Alba | 3000", "Bor | 4000", "Cal | 5000")


def every(make) -> set[str]:
    return {make(Random(seed)) for seed in range(60)}


def test_a_role_is_listed_for_a_title_and_is_not_its_own():
    role, director = FILMS.value_columns()
    assert all("role of" not in core for core in every(lambda rng: value_of("Moon", role, FILMS, rng)))
    assert any("given for Moon" in core for core in every(lambda rng: value_of("Moon", director, FILMS, rng)))


def test_codes_and_outcomes_are_no_names():
    table = sheet(
        "Player | Country | Position", "Ann Lee | JPN | FW", "Bob Roe | UK | DNF-11", "Cy Poe | Japan | Guard"
    )
    country, position = table.value_columns()
    assert [says(row[country.at], country) for row in table.rows] == [False, True, True]
    assert [says(row[position.at], position) for row in table.rows] == [True, False, True]


def test_only_what_is_of_one_matter_is_compared():
    assert related("Most crowded countries and territories", "Most populous countries and territories")
    assert related("2011 Torneo Descentralizado", "1983 Torneo Descentralizado")
    assert not related("2012 Aerobic Gymnastics World Championships", "1959 International Cross Country Championships")


def test_two_parishes_of_one_name_are_not_one():
    wigan = sheet("Parish | Locality", "St Ann | Wigan", "St Joseph | Leigh", "St John | Atherton")
    trafford = sheet("Parish | Locality", "St Ann | Stretford", "St Paul | Sale", "St Mark | Urmston")
    assert same_row(wigan, wigan.rows[0], trafford, trafford.rows[0])
    assert contradict(wigan, wigan.rows[0], trafford, trafford.rows[0])
    assert not contradict(wigan, wigan.rows[0], wigan, wigan.rows[0])


def test_a_team_has_a_stadium_capacity_and_none_of_its_own():
    [capacity] = TEAMS.value_columns()
    assert capacity.noun is not None
    assert capacity.noun.one == "stadium capacity"
    assert capacity.header == "Capacity"


def test_a_description_by_the_same_column_is_said_to_be_the_same():
    role = FILMS.value_columns()[0]
    words = condition(role, "is", "the role listed for Alba in the table on the B page", FILMS, Random(0))
    assert words == "with the same role as Alba in the table on the B page"


@pytest.mark.parametrize("relation", ["born", "died", "founded", "district", "college football", "state"])
def test_what_is_asked_of_a_long_description_does_not_trail_behind_it(relation):
    what = "the player listed with Rome as the city in the table on the Alba page"
    asked = every(lambda rng: about_page(relation, "text" if relation in {"district", "state"} else "date", what, rng))
    assert asked
    for question in asked:
        tail = question.partition(what)[2]
        assert tail == "?" or (tail.count(" ") == 1 and tail not in {" in?", " for?"}), question


@pytest.mark.parametrize(
    ("low", "high", "bound"), [(371, 373, None), (481, 489, 485), (59_133, 59_208, None), (70, 130, 100)]
)
def test_bounds_are_numbers_that_a_person_would_name(low, high, bound):
    assert _round_between(low, high) == bound


def test_the_most_of_an_amount_is_called_as_people_call_it():
    assert extreme_words("Area") == ("has the largest area", "has the smallest area")
    assert extreme_words("Height") == ("has the greatest height", "has the smallest height")
    assert extreme_words("Elevation") == ("has the highest elevation", "has the lowest elevation")


def test_what_a_page_states_is_said_of_its_subject():
    assert predicate("whose country is Venezuela") == "is in Venezuela"
    assert predicate("whose series is metalloids") == "has metalloids as series"
    assert predicate("born in 1984") == "was born in 1984"


def test_a_day_is_on_and_a_year_is_in():
    games = sheet("Title | Released", "Moon | 4 May 2016", "Star | 5 May 2016", "Sun | 6 May 2017")
    released = games.value_columns()[0]
    assert condition(released, "is", "4 May 2016", games, Random(0)) == "released on 4 May 2016"
    assert condition(released, "in", "2016", games, Random(0)) == "released in 2016"
