"""The measures against values computed by hand; `dev/second_opinion.py` compares them with pytrec_eval."""

from math import log2

import pytest

from lite.bench.metrics import interval, ndcg, recall, reciprocal_rank
from lite.bench.questions import read_questions
from lite.errors import UsageError

RANKED = ["a", "b", "c", "d", "e"]


def test_ndcg_by_hand():
    # Found at places 2 and 4; the best ranking would have three at places 1 to 3.
    found = 1 / log2(3) + 1 / log2(5)
    best = 1 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert ndcg(RANKED, {"b", "d", "x"}, 10) == pytest.approx(found / best)
    assert ndcg(RANKED, {"b", "d", "x"}, 2) == pytest.approx((1 / log2(3)) / (1 / log2(2) + 1 / log2(3)))
    assert ndcg(RANKED, {"a"}, 10) == 1.0
    assert ndcg(RANKED, {"x"}, 10) == 0.0
    assert ndcg([], {"x"}, 10) == 0.0


def test_recall_and_reciprocal_rank_by_hand():
    assert recall(RANKED, {"b", "e", "x"}, 3) == pytest.approx(1 / 3)
    assert recall(RANKED, {"b", "e", "x"}, 10) == pytest.approx(2 / 3)
    assert reciprocal_rank(RANKED, {"e", "c"}) == pytest.approx(1 / 3)
    assert reciprocal_rank(RANKED, {"x"}) == 0.0


def test_interval_holds_the_mean_and_repeats():
    values = [0.0] * 50 + [1.0] * 50
    low, high = interval(values)
    # The standard error of this mean is 0.05.
    assert 0.37 < low < 0.43
    assert 0.57 < high < 0.63
    assert interval(values) == (low, high)
    assert interval([0.5] * 9) == (0.5, 0.5)


def test_both_forms_of_questions(tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text(
        '{"id": 1, "query": "q", "relevant": ["a", "b"]}\n\n{"id": "2", "question": "r", "evidence": ["c", "d"]}\n',
        encoding="utf-8",
    )
    one, two = read_questions(file)
    assert (one.id, one.query, one.relevant, one.first) == ("1", "q", ("a", "b"), None)
    assert (two.query, two.relevant, two.first) == ("r", ("c", "d"), "c")
    assert len(read_questions(file, limit=1)) == 1


def test_pages_stored_as_one_count_once_and_missing_ones_stay(tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text('{"id": "1", "question": "q", "evidence": ["alias", "page", "gone"]}', encoding="utf-8")
    placed, missing = read_questions(file)[0].within({"alias": "page", "page": "page"}.get)
    assert (placed.relevant, placed.first, missing) == (("page", "gone"), "page", 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "line 1 is no question"),
        ("{", "line 1 is no question"),
        ('{"id": 1, "query": "q"}', "line 1 is no question"),
        ('{"id": 1, "query": 5, "relevant": ["a"]}', "line 1 is no question"),
        ('{"id": 1, "query": "q", "relevant": []}', "names no page"),
        ("", "holds no questions"),
    ],
)
def test_what_is_no_question_is_named(tmp_path, line, said):
    file = tmp_path / "questions.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_questions(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_questions(tmp_path / "nothing.jsonl")
