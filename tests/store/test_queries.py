# ruff: noqa: RUF001  # signs that look like others are what it is about
"""Text that a model or a user writes is data: whatever stands in it, only its words count, and nothing raises."""

import random
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite.index.scripts import FOLDING, INDIC, UNSPACED
from lite.records import Results
from lite.world import World

ODD = (
    '"', "'", "“", "”", ":", "(", ")", "[", "]", "{", "}", "*", "?", "~", "~2", "^", "^4", "+", "-", "!", "&&", "||", "\\", "/", "<", ">", "=",
    "AND", "OR", "NOT", "TO", "IN", "NEAR", "title:", "body:", "id:1", "title:radium", "_exists_", "[a TO b]", "{1 TO *}", "/ra.*/", "%", "_", ";--",
    "\0", "\n", "\r", "\t", "\x1f", "\x85", "\u2028", "\u200b", "\u202e", "\ufeff", "\ufffd", "\ud800", "\udfff", "\U0001f6a2", "👩‍🚀", "🇦🇩",
    "e\u0301", "ß", "İ", "ﬁ", "½", "™", "㈱", "１２", "ａｂ", "\u0301", "x" * 50, "1,234.5", "-1", "1e9", "北京", "茶", "機", "カメラ", "中文AND中文", "한국", "مرحبا", "Москва",
)  # fmt: skip
PLAIN = ("radium", "capital", "of", "Andorra", "the", "airport", "BKK", "Zürich", "1898", "country", "discovered")


def only_words(query: str) -> str:
    """The query without anything that is no letter and no digit; what looks like one counts as one (™ is TM), and
    accents that stand alone are nothing at all.
    """
    text = unicodedata.normalize("NFKC", query.encode("utf-8", "replace").decode())
    return "".join(
        char if char.isalnum() or re.match(f"[{UNSPACED}{INDIC}]", char) else " " for char in text.translate(FOLDING)
    )


def mixed(seed: int) -> str:
    dice = random.Random(seed)
    parts = [dice.choice(ODD if dice.random() < 0.6 else PLAIN) for _ in range(dice.randint(1, 25))]
    return dice.choice(("", " ")).join(parts)


def ask(world: World, query: str) -> None:
    """Everything that takes words, with these."""
    found = world.search(query, 5)
    assert Results.from_json(found.to_json()) == found
    assert found.hits == world.search(only_words(query), 5).hits
    phrase = world.search(query, 5, phrase=True)
    assert phrase.hits == world.search(only_words(query), 5, phrase=True).hits
    assert len(world.nearest(query)) <= 3
    page = "https://encyclopedia.atlas.test/country/andorra"
    seen, same = (world.visit(page, goal, words=40) for goal in (query, only_words(query)))
    assert (seen.evidence, seen.summary) == (same.evidence, same.summary)
    assert seen.evidence
    assert not world.visit(query, query).found


def test_thousands_of_mixtures_are_only_words(atlas: World) -> None:
    for seed in range(2000):
        ask(atlas, mixed(seed))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=200) | st.lists(st.sampled_from([*ODD, *PLAIN]), max_size=20).map(" ".join))
def test_any_text_is_only_words(atlas: World, query: str) -> None:
    ask(atlas, query)


@pytest.mark.parametrize(
    "query",
    ["(" * 20_000, '"' * 10_000, "radium " * 1_500, "a" * 10_000, "北" * 10_000, "radium AND (" * 900, "\0" * 10_000, "NOT " * 2_500, "* " * 5_000,
     " ".join(map(str, range(2_500))), "e" + "\u0301" * 9_999],
)  # fmt: skip
def test_long_text_is_only_words(atlas: World, query: str) -> None:
    ask(atlas, query)


# ---------------------------------------------------------------- phrases

SEA = {
    "a": "The old ships of the line sailed. They had no captain.",
    "b": "A ship sailed, of old, by the line.",
    "c": "Lines of old ship models.",
    "d": "A captain of an old ship.",
}
WorldOf = Callable[..., World]


def names(results: Results) -> set[str]:
    return {hit.url.removeprefix("https://w.test/") for hit in results}


def test_a_phrase_stands_as_it_is_asked_for(world_of: WorldOf) -> None:
    world = world_of(SEA)
    for query, found in {
        "ship of the line": {"a"},
        "SHIPS, of the lines!": {"a"},  # any form of a word; what stands between words does not count
        "old ship": {"a", "c", "d"},
        "ship old": set(),
        "of the": {"a"},  # function words count, for they are part of it
        "captain": {"a", "d"},
        "sailed they": {"a"},
        "kraken": set(),
        "old kraken": set(),
        "": set(),
        '"': set(),
    }.items():
        results = world.search(query, phrase=True)
        assert names(results) == found, query
        assert results.mode == "lexical"


def test_a_phrase_is_found_in_titles_but_not_across_two(world_of: WorldOf) -> None:
    records = [
        {"url": "https://w.test/1", "title": "Otter Lake", "doc": "A village."},
        {"url": "https://w.test/2", "title": "Village Green", "doc": "A village."},  # the same page by another name
    ]
    world = world_of(records)
    for query, count in {"otter lake": 1, "village green": 1, "lake village": 0, "green otter": 0}.items():
        assert len(world.search(query, phrase=True)) == count, query


def test_a_chinese_phrase_is_an_exact_substring(world_of: WorldOf) -> None:
    text = "北京大学位于北京市海淀区,大学城在南边。"
    world = world_of({"zh": text})
    for size in (2, 3, 5):
        for start in range(len("北京大学位于北京市海淀区") - size + 1):
            assert world.search(text[start : start + size], phrase=True).hits
    for query in ("北大", "大学北京", "海淀区大学", "京市北"):
        assert not world.search(query, phrase=True).hits, query
        assert world.search(f"{query} 大学城").hits


def test_a_chinese_phrase_may_begin_and_end_with_one_character(world_of: WorldOf) -> None:
    filler = "没有事情发生。" * 60
    text = f"{filler}\n\n公元2008年奥运会在北京举行，于3月5日宣布。\n\nA股市场上涨。\n\n{filler}"
    world = world_of({"zh": text, "other": f"{filler}年2008，日5月3，股A。"})
    for phrase in ("2008年", "2008年奥运", "3月", "3月5日", "月5", "A股", "行，于3", "于3月5日宣"):
        (hit,) = world.search(phrase, phrase=True).hits
        assert hit.title == "zh"
        assert phrase in hit.snippet, phrase
    for phrase in ("2008奥", "元2008年会", "B股", "3日"):
        assert not world.search(phrase, phrase=True).hits, phrase


def test_a_word_the_index_does_not_hold_keeps_its_place(world_of: WorldOf) -> None:
    long = "x" * 60
    world = world_of({"a": f"Before {long} after.", "b": "Before after."})
    assert names(world.search(f"before {long} after", phrase=True)) == {"a"}
    assert names(world.search("before after", phrase=True)) == {"b"}


def test_a_phrase_is_shown_where_it_stands(world_of: WorldOf) -> None:
    filler = "\n\n".join(f"The line of ships number {n} had a ship and another line of the ship." for n in range(40))
    (hit,) = world_of({"a": f"{filler}\n\nShe was a ship of the line.\n\n{filler}"}).search(
        "ship of the line", phrase=True
    )
    assert hit.snippet == "She was a ship of the line."


def test_addresses_of_links_are_no_words_of_a_text(world_of: WorldOf) -> None:
    world = world_of({"a": "The [old](https://kraken.test/squid) **ship** sailed."})
    assert not world.search("kraken squid").hits
    assert world.search("the old ship sailed", phrase=True).hits


def test_equal_phrases_stand_in_the_order_of_urls(world_of: WorldOf) -> None:
    records = [{"url": f"https://w.test/{n:03}", "title": "T", "doc": f"A ship of line {n}."} for n in range(60, 0, -1)]
    hits = world_of(records).search("ship of line", 20, phrase=True).hits
    assert [hit.url for hit in hits] == [f"https://w.test/{n:03}" for n in range(1, 21)]
    assert all(one.score >= other.score for one, other in pairwise(hits))
