"""Scripted replies: in order for each conversation, and honest when they run out."""

import json

import pytest

from lite.errors import UsageError
from lite.models import load_model
from lite.models.scripted import Scripted
from lite.records import Fault, Generate, Message, Reply


def request(*texts: str, max_tokens: int = 50, conversation: str = "") -> Generate:
    """User and assistant in turn, the user first."""
    roles = ("user", "assistant") * len(texts)
    messages = tuple(Message(role=role, content=text) for role, text in zip(roles, texts, strict=False))
    return Generate(messages=messages, max_tokens=max_tokens, conversation=conversation)


def text_of(result: Reply | Fault) -> str:
    assert isinstance(result, Reply)
    return result.text


def test_a_list_is_played_from_the_start_in_every_conversation() -> None:
    model = Scripted(["one", "two"])
    replies = model.generate([request("q"), request("q", "one", "r"), request("another")])
    assert [text_of(reply) for reply in replies] == ["one", "two", "one"]


def test_one_reply_more_than_there_are_is_a_fault_and_harms_nobody_else() -> None:
    ran_out, fine = Scripted(["one"]).generate([request("q", "one", "r"), request("q")])
    assert isinstance(ran_out, Fault)
    assert ran_out.where == "model"
    assert "1 replies" in ran_out.error
    assert text_of(fine) == "one"


def test_a_mapping_goes_by_the_longest_part_of_the_question() -> None:
    model = Scripted({"Paris": ["short"], "capital of Paris": ["long"]})
    assert text_of(model.generate([request("the capital of Paris?")])[0]) == "long"
    assert isinstance(model.generate([request("Berlin?")])[0], Fault)


def test_a_function_sees_the_messages() -> None:
    model = Scripted(lambda messages: messages[-1].content.upper())
    assert text_of(model.generate([request("hello")])[0]) == "HELLO"


def test_tokens_are_words_and_limits_are_kept() -> None:
    model = Scripted(["a b  c d"], context=8)
    reply = model.generate([request("one two", max_tokens=2)])[0]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish, reply.prompt_tokens, reply.completion_tokens) == ("a b", "length", 4, 2)
    whole = model.generate([request("one two")])[0]
    assert (text_of(whole), whole.finish) == ("a b  c d", "stop")
    assert isinstance(model.generate([request("one two three four five six seven")])[0], Fault)


def test_a_file_is_a_script(tmp_path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"q": ["from a file"]}), encoding="utf-8")
    model = load_model(f"scripted:{path}", context=99)
    assert model.context == 99
    assert text_of(model.generate([request("q")])[0]) == "from a file"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"7", b'"text"', b'[["nested"]]', b'{"q": "text"}', b"[1]", b"\xff\xfe"]
)
def test_a_file_that_is_no_script_is_one_line(tmp_path, content: bytes) -> None:
    path = tmp_path / "script.json"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        Scripted.from_file(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Scripted.from_file(tmp_path / "no.json")


@pytest.mark.parametrize("spec", ["", "scripted", "scripted:", "gpt", "openai:name", "llamacpp:"])
def test_a_spec_that_names_no_model_says_which_there_are(spec: str) -> None:
    with pytest.raises(UsageError, match="smollm2"):
        load_model(spec)
