"""Tokens of prompts that only a server can count: never too few, and exact where it has told."""

from collections.abc import Iterator

import pytest

from lite.models import load_model
from lite.models.estimate import Estimate
from lite.models.llamacpp import LlamaCpp
from lite.records import Message

TEXTS = {
    "prose": "The bridge was opened in May 1937, after four years of work by some hundreds of men. " * 40,
    "table": "| 2019 | 2,165,423 | 51.7 % | 12/31 |\n" * 80,
    "addresses": "https://en.wikipedia.org/wiki/List_of_tallest_buildings_in_New_York_City?oldid=98765 " * 30,
    "chinese": "唐朝的首都长安是当时世界上最大的城市之一。" * 20,
    "code": '{"name": "search", "arguments": {"query": ["who", "when"]}}\n' * 50,
}
SYSTEM = Message(role="system", content="You are a research assistant. You look things up, step by step. " * 20)


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaCpp]:
    loaded = load_model("smollm2", context=8192)
    assert isinstance(loaded, LlamaCpp)
    yield loaded
    loaded.close()


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_guess_is_not_too_low_whatever_was_told_before(model: LlamaCpp, text: str) -> None:
    estimate = Estimate()
    asked = [SYSTEM, Message(role="user", content="When was the bridge opened?")]
    estimate.learn(asked, model.count(asked), bare=True)
    assert estimate.tokens(asked) == model.count(asked)
    more = [*asked, Message(role="assistant", content="I look."), Message(role="user", content=text)]
    assert model.count(more) <= estimate.tokens(more) < 2 * model.count(more)
    estimate.learn(more, model.count(more), bare=True)
    assert estimate.tokens(more) == model.count(more)


def test_text_that_is_dearer_than_the_guess_raises_it(model: LlamaCpp) -> None:
    names = "Łódź, Çanakkale, Dvořák, Šiauliai, Þingvellir, Ærøskøbing, " * 30  # to an English vocabulary two a letter
    estimate = Estimate()
    first, second = ([Message(role="user", content=names + end)] for end in ("Łódź", "Dvořák"))
    assert estimate.tokens(first) < model.count(first)
    estimate.learn(first, model.count(first), bare=True)
    assert model.count(second) <= estimate.tokens(second) < 1.1 * model.count(second)


def test_a_report_that_is_not_of_the_whole_prompt_teaches_nothing() -> None:
    """As of a server that leaves out what it has kept from an earlier prompt."""
    estimate = Estimate()
    asked = [SYSTEM, Message(role="user", content="word " * 1000)]
    guessed = estimate.tokens(asked)
    estimate.learn(asked, 20, bare=True)
    assert estimate.tokens(asked) == guessed
    estimate.learn(asked, 1300, bare=True)
    more = [*asked, Message(role="assistant", content="I look.")]
    estimate.learn(more, 1200, bare=True)
    assert estimate.tokens(more) > 1300


def test_what_a_server_adds_of_its_own_makes_no_text_dearer() -> None:
    estimate = Estimate()
    asked, other = ([SYSTEM, Message(role="user", content="word " * length)] for length in (200, 400))
    before = estimate.tokens(other)
    estimate.learn(asked, 2 * estimate.tokens(asked), bare=False)  # the schemas of its tools
    assert estimate.tokens(other) == before


def test_a_script_that_is_cheaper_to_this_vocabulary_is_taken_for_less() -> None:
    """Chinese has .2 tokens a byte in Qwen's, and .6 in SmolLM2's; what has been seen counts with a margin."""
    estimate = Estimate()
    first, second = ([Message(role="user", content=end * 300)] for end in ("长安", "洛阳"))
    guessed = estimate.tokens(second)
    estimate.learn(first, 400, bare=True)
    assert 1.3 * 400 < estimate.tokens(second) < 0.6 * guessed
    estimate.learn(second, 700, bare=True)  # dearer than that: it counts from now on
    third = [Message(role="user", content="开封" * 300)]
    assert 700 <= estimate.tokens(third) <= guessed
