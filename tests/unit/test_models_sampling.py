"""Sampling from logits: the usual servers' order, the same numbers everywhere."""

import numpy as np
import pytest

from lite.models.sampling import choose, log_probability, random_for, turn_seed
from lite.records import Sampling

LOGITS = np.array([1.0, 3.0, 2.0, 3.0, -1.0], np.float32)
PLAIN = Sampling(temperature=1.0, top_p=1.0, top_k=0, presence_penalty=0.0)


def draws(sampling: Sampling, count: int = 4000, **options) -> np.ndarray:
    random = random_for(0, "c", 0)
    picked = [choose(LOGITS, sampling, options.get("seen", ()), random, options.get("allowed")) for _ in range(count)]
    return np.bincount(np.array(picked), minlength=len(LOGITS)) / count


def softmax(values: np.ndarray) -> np.ndarray:
    weights = np.exp(values - values.max())
    return weights / weights.sum()


def test_greedy_takes_the_highest_and_the_lower_id_of_two() -> None:
    greedy = Sampling(temperature=0, presence_penalty=0)
    assert choose(LOGITS, greedy, (), random_for(0, "", 0)) == 1


def test_without_cuts_the_draws_follow_the_softmax() -> None:
    assert np.abs(draws(PLAIN) - softmax(LOGITS)).max() < 0.03
    assert np.abs(draws(PLAIN.model_copy(update={"temperature": 0.5})) - softmax(LOGITS * 2)).max() < 0.03


def test_top_k_and_top_p_leave_the_tail_out() -> None:
    assert set(np.flatnonzero(draws(PLAIN.model_copy(update={"top_k": 3})))) == {1, 2, 3}
    assert set(np.flatnonzero(draws(PLAIN.model_copy(update={"top_p": 0.7})))) == {1, 3}
    assert set(np.flatnonzero(draws(PLAIN.model_copy(update={"top_p": 0.01})))) == {1}


def test_presence_penalty_counts_once_and_only_this_turn() -> None:
    penalised = LOGITS.copy()
    penalised[[1, 2]] -= 1.5
    sampling = PLAIN.model_copy(update={"presence_penalty": 1.5})
    assert np.abs(draws(sampling, seen={1, 2}) - softmax(penalised)).max() < 0.03
    assert np.abs(draws(sampling) - softmax(LOGITS)).max() < 0.03
    assert LOGITS[1] == 3.0


def test_a_grammar_comes_before_the_cuts() -> None:
    only = {0, 4}
    shares = draws(
        PLAIN.model_copy(update={"top_k": 2}), allowed=lambda ids: np.array([int(token) in only for token in ids])
    )
    assert np.abs(shares[[0, 4]] - softmax(LOGITS[[0, 4]])).max() < 0.03


def test_a_grammar_that_allows_a_rare_token_finds_it_among_all() -> None:
    logits = np.linspace(9, -9, 5000).astype(np.float32)
    sampling = Sampling(temperature=0, presence_penalty=0)
    assert choose(logits, sampling, (), random_for(0, "", 0), lambda ids: ids == 4321) == 4321
    assert choose(logits, sampling, (), random_for(0, "", 0), lambda ids: ids < 0) is None


def test_log_probabilities_are_those_after_temperature() -> None:
    assert log_probability(LOGITS, 2, 0.5) == pytest.approx(np.log(softmax(LOGITS * 2)[2]), abs=1e-6)
    assert log_probability(LOGITS, 2, 0) == pytest.approx(np.log(softmax(LOGITS)[2]), abs=1e-6)


def test_seeds_tell_turns_and_conversations_apart_and_stay_the_same() -> None:
    seeds = {turn_seed(seed, name, turn) for seed in (0, 1) for name in ("", "a", "1") for turn in (0, 1, 11)}
    assert len(seeds) == 18
    assert random_for(7, "a", 2).random() == random_for(7, "a", 2).random()
