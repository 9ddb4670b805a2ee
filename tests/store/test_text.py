# ruff: noqa: RUF001  # Chinese punctuation and typographic quotes are meant
"""The rules that index, queries, snippets and visits share."""

from typing import SupportsIndex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite.index.text import PASSAGE_WORDS, analyzer, links, passages, plain, segment, sentences, terms, words
from lite.index.urls import url_key, url_words


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=200))
def test_index_and_query_agree_on_any_text(text: str) -> None:
    assert analyzer().analyze(segment(text)) == terms(text)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Росси́я, крупнейшее госуда́рство", "государство"),
        ("Королёв", "Королев"),
        ("Αθήνα", "Αθηνα"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("the city of İzmir", "Izmir"),
        ("दिल्ली भारत की राजधानी है", "दिल्ली"),
        ("தமிழ் நாடு", "தமிழ்"),
        ("ประเทศไทย", "ประเทศ"),
        ("अ॒ग्निमी॑ळे पु॒रोहि॑तं", "पुरोहितं"),
        ("សាធារណរដ្ឋ", "ធារណរដ្ឋ"),
    ],
)
def test_marks_fold_away_and_cut_no_word(text: str, query: str) -> None:
    found, asked = terms(text), terms(query)
    assert any(found[n : n + len(asked)] == asked for n in range(len(found)))
    assert analyzer().analyze(segment(text)) == found


def test_terms() -> None:
    assert terms("The Cities' RUNNING, 1,234 foo_bar") == ["the", "citi", "run", "1", "234", "foo", "bar"]
    assert terms("Zürich ｆｕｌｌ Zu\u0308rich ﬁve") == ["zurich", "full", "zurich", "five"]
    assert terms("我的iPhone手机") == ["我的", "iphon", "手机"]
    assert terms("茶") == ["茶"]
    assert terms("x" * 200) == []


def test_words_count_what_a_reader_takes_in() -> None:
    assert words("Three little words.") == 3
    assert words("[a](https://w.test/b)") == 5
    assert words("北京大学") == 2
    assert words("") == 0


def test_a_run_of_initials_is_one_sentence_and_costs_what_it_is_long() -> None:
    class Counted(str):  # noqa: SLOT000  # one of them is made
        """Counts the characters that are cut out of it."""

        cut = 0

        def __getitem__(self, key: SupportsIndex | slice) -> str:
            found = super().__getitem__(key)
            Counted.cut += len(found)
            return found

    text = Counted("  Here " + "A. " * 3000 + "Nobody came. The end.")
    assert sentences(text) == ["Here " + "A. " * 3000 + "Nobody came.", "The end."]
    assert Counted.cut < 10 * len(text)


def test_sentences() -> None:
    assert sentences("Dr. A. Reed came. He saw the U.S. Army! (It left.) Was it 3.5 km? Yes.") == [
        "Dr. A. Reed came.",
        "He saw the U.S. Army!",
        "(It left.)",
        "Was it 3.5 km?",
        "Yes.",
    ]
    assert sentences("北京是首都。上海是城市！广州呢？") == ["北京是首都。", "上海是城市！", "广州呢？"]


def test_passages_keep_what_surrounds_them() -> None:
    text = "Lead.\n\n# Top\n\n## Towns ##\n\n| Name | Size |\n|:--|--:|\n| A | 1 |\n|  |  |\n| B | 2 |\n\n### Deep\n- one\n- two\n  more\n## Next\n```\n# code\n\n| x |\n```\nEnd"
    found = [(p.kind, p.heading, p.header, p.text) for p in passages(text)]
    assert found == [
        ("text", "", "", "Lead."),
        ("row", "Top > Towns", "| Name | Size |", "| A | 1 |"),
        ("row", "Top > Towns", "| Name | Size |", "| B | 2 |"),
        ("list", "Top > Towns > Deep", "", "- one\n- two\n  more"),
        ("code", "Top > Next", "", "```\n# code\n\n| x |\n```"),
        ("text", "Top > Next", "", "End"),
    ]


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="a. #|-*`\n[]()北。", max_size=400))
def test_passages_lose_no_word(text: str) -> None:
    kept = " ".join(f"{p.heading} {p.header} {p.text}" for p in passages(text))
    assert {"a", "北"} & set(text) <= set(kept)


@pytest.mark.parametrize("unit", ["word ", "Ein Satz. ", "北京", "北京。", "x", "- item of a list\n", "a.b,c;"])
def test_passages_stay_short(unit: str) -> None:
    found = passages(unit * 3000)
    assert len(found) > 5
    assert max(words(p.text) for p in found) <= 3 * PASSAGE_WORDS + 1
    assert "".join("".join(p.text.split()) for p in found) == "".join((unit * 3000).split())


@pytest.mark.parametrize(
    "bad", ["[", "[a](x", "[a](" + "x" * 50, "[a]((", "![[](", "# ", "|", "```\n", ". ", "-", "**a ", "`a**", "```"]
)
def test_long_and_open_constructs_come_to_an_end(bad: str) -> None:
    """A rule that is quadratic in the text would be at this for hours."""
    text = bad * (1_000_000 // len(bad))
    assert len(passages(text)) >= 0
    assert len(plain(text)) <= len(text)
    assert all(target for target, _ in links(text))


def test_only_bold_loses_its_stars() -> None:
    for bold, bare in (
        ("**Rome** is (**very**) old, **so** **old**.", "Rome is (very) old, so old."),
        ("- **Term:** what *it* is\n| **a *b* c** | 这是**重点**。|", "- Term: what *it* is\n| a *b* c | 这是重点。|"),
        ("**B**ritish ***both***", "British *both*"),
    ):
        assert plain(bold) == bare
    for kept in (
        "2**10 equals 1024 and 2**20 is more",
        "(a+b)**2 ** 3",
        "call `f(**given, **more)` so",
        "```\nx = **given, y**2\n**a**\n```",
        "** no bold **",
        "**open",
    ):
        assert plain(kept) == kept


@pytest.mark.parametrize(
    "word", ["Rindfleischetikettierungsüberwachung", "водонепроницаемостями", "გამოუთქმელობისათვის"]
)
def test_long_words_of_any_script_are_terms(word: str) -> None:
    assert len(terms(f"a {word} b")) == 3


def test_links() -> None:
    text = 'See [a](https://w.test/a_(b)), ![pic](p.png), [b [c]](</x> "title") and [d](http://w.test/d#e).'
    assert list(links(text)) == [("https://w.test/a_(b)", "a"), ("/x", "b [c]"), ("http://w.test/d#e", "d")]
    assert plain(text) == "See a, pic, b [c] and d."
    anchor, target = "a long [1] anchor " * 60, "/x_(y)" * 500
    assert list(links(f"[{anchor}]({target})")) == [(target, anchor)]


def test_url_keys_join_spellings_and_keep_addresses_apart() -> None:
    same = ["https://w.test/Côte d'x", "HTTP://W.test:80/C%C3%B4te%20d%27x", "https://w.test:443/C%c3%b4te d'x"]
    assert len({url_key(url) for url in same}) == 1
    apart = [
        "https://w.test/a/b",
        "https://w.test/a%2Fb",
        "https://w.test/a%252Fb",
        "https://w.test/A/b",
        "https://w.test/a/b/",
    ]
    apart += [
        "https://w.test/a/b?",
        "https://w.test/a/b#",
        "https://w.test/a%3Fb",
        "https://w.test:8080/a/b",
        "ftp://w.test/a/b",
    ]
    assert len({url_key(url) for url in apart}) == len(apart)
    assert url_key("https://w.test") == url_key("https://W.TEST/")


@settings(max_examples=300, deadline=None)
@given(url=st.text(max_size=60))
def test_a_key_is_its_own_key(url: str) -> None:
    for each in (url, f"http://{url}", f"https://w.test/{url}"):
        assert url_key(url_key(each)) == url_key(each)
        url_words(each)
