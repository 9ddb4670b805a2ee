"""Guesses from what a conversation holds already."""

from lite.models.lookup import GUESSED, Lookup


def test_what_stood_behind_the_last_like_place_is_guessed() -> None:
    told = Lookup([1, 2, 3, 7, 8, 9, 2, 3, 4, 5, 6, 2, 3])
    assert told.guess() == [4, 5, 6]
    told.add(7)  # one token agrees with the newest "3", three with the first one
    assert told.guess() == [8, 9, 2]


def test_there_are_always_as_many() -> None:
    assert Lookup([5]).guess() == [5] * GUESSED
    assert Lookup([1, 2, 3]).guess() == [3] * GUESSED
    assert Lookup([1, 2, 1]).guess() == [2, 1, 1]
