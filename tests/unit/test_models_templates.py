"""Chat templates of the Qwen families, and `<think>`: opened by the template or by the model, an episode reads alike.

The templates here are short ones of our own that do what the real ones do with plain messages. The real ones are
rendered too where a package is installed that carries them (trl, of the extra `train`).
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lite.dialect import ASK_FOR_ANSWER, parse_turn, render_turn, wrap_response
from lite.models.chat import ChatTemplate, ControlTokens
from lite.models.turn import Said, Turn
from lite.records import Call, Generate, Message

SEARCH = Call(tool="search", arguments={"query": ["iron"]})
CALL = '<tool_call>\n{"name": "search", "arguments": {"query": ["iron"]}}\n</tool_call>'

QWEN25 = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nA default.<|im_end|>\n{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Qwen3 shows the thoughts of the turns behind the last user message that is no tool response, and drops older ones.
_QWEN3 = """\
{%- set last = namespace(query=-1) %}
{%- for m in messages %}
{%- if m.role == 'user' and not (m.content.startswith('<tool_response>') and m.content.endswith('</tool_response>')) %}
{%- set last.query = loop.index0 %}
{%- endif %}
{%- endfor %}
{%- for m in messages %}
{{- '<|im_start|>' + m.role + '\n' }}
{%- if m.role == 'assistant' and '</think>' in m.content %}
{%- if loop.index0 > last.query %}
{%- set thought = m.content.split('</think>')[0].split('<think>')[-1].strip('\n') %}
{{- '<think>\n' + thought + '\n</think>\n\n' }}
{%- endif %}
{{- m.content.split('</think>')[-1].lstrip('\n') }}
{%- else %}
{{- m.content }}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}"""
QWEN3 = _QWEN3
QWEN3_THINKING = _QWEN3.replace("assistant\n' }}", "assistant\n<think>\n' }}")  # of LiteResearcher-4B too


def trl_template(name: str) -> str:
    """The file of that name, as trl carries it; trl itself is not imported."""
    found = importlib.util.find_spec("trl")
    path = Path(found.origin).parent / "chat_templates" / name if found and found.origin else None
    if path is None or not path.exists():
        pytest.skip(f"no {name}: it comes with trl (extra train)")
    return path.read_text(encoding="utf-8")


def real(source: str) -> str:
    """The text of a template; a name that ends in .jinja stands for trl's file."""
    return trl_template(source) if source.endswith(".jinja") else source


def dialogue(*said: str) -> list[Message]:
    """System and question, then turns and the responses to them."""
    roles = ("assistant", "user") * len(said)
    later = [Message(role=role, content=text) for role, text in zip(roles, said, strict=False)]
    return [Message(role="system", content="S"), Message(role="user", content="Q?"), *later]


MODELS = [QWEN25, "qwen2_5.jinja", QWEN3, "qwen3.jinja"]
OPENED = [QWEN3_THINKING, "qwen3_5_think.jinja"]
IDS = [name if name.endswith(".jinja") else "ours" for name in MODELS + OPENED]


@pytest.mark.parametrize("source", MODELS + OPENED, ids=IDS)
def test_system_question_and_opening(source: str) -> None:
    template = ChatTemplate(real(source))
    assert template.takes_system
    opening = "<|im_start|>assistant\n" + ("<think>\n" if source in OPENED else "")
    expected = f"<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ?<|im_end|>\n{opening}"
    assert template.render(dialogue()) == expected


@pytest.mark.parametrize("source", MODELS + OPENED, ids=IDS)
def test_an_episode_goes_on_from_what_was_said(source: str) -> None:
    """Each prompt begins with the last one and the turn that was written behind it: nothing is computed again."""
    template = ChatTemplate(real(source))
    assert template.opens == ("<think>\n" if source in OPENED else "")
    said: list[str] = []
    prompt = template.render(dialogue())
    for thought in ("iron first", "now steel", "and zinc"):
        turn = f"<think>\n{thought}\n</think>\n\n{CALL}"
        parsed = parse_turn(turn)
        assert (parsed.think, parsed.call, parsed.repairs) == (thought, SEARCH, ())
        said += [turn, wrap_response("A page says: &lt;/think> is no tag here.")]
        following = template.render(dialogue(*said))
        assert following.startswith(prompt + turn.removeprefix(template.opens))
        assert following.count(f"\n{thought}\n</think>") == 1
        prompt = following


@pytest.mark.parametrize("source", OPENED, ids=IDS[len(MODELS) :])
@pytest.mark.parametrize(
    ("written", "think", "answer", "repairs"),
    [
        ("it is iron\n</think>\n\n<answer>iron</answer>", "it is iron", "iron", ()),
        ("<think>\nit is iron\n</think>\n<answer>iron</answer>", "it is iron", "iron", ()),  # opened it once more
        ("it is iron <answer>iron</answer>", "it is iron", "iron", ("unclosed_think",)),
        ("it <answer>iron</answer>\n</think>\n\nso", "it", "iron", ("action_inside_think",)),
        ("</think>\n\n<answer>iron</answer>", "", "iron", ()),  # thought nothing
    ],
)
def test_a_thought_that_the_template_opened_is_read_and_shown_again(
    source: str, written: str, think: str, answer: str, repairs: tuple[str, ...]
) -> None:
    template, said = ChatTemplate(real(source)), Said()
    request = Generate(messages=tuple(dialogue()), max_tokens=99)
    turn = Turn(request, "", [], 99, np.random.default_rng(0), opened=template.opens, data=written.encode())
    text = turn.end(said, ControlTokens({})).text
    parsed = parse_turn(text)
    assert (parsed.think, parsed.answer, parsed.repairs) == (think, answer, repairs)
    shown = template.render(dialogue(text, wrap_response("Error: again.")))
    history = shown.split("<|im_start|>assistant\n")[1].partition("<|im_end|>")[0]
    if "</think>" in written:
        assert history.count("<think>") == 1, "opened once in the history, whoever opened it"
    assert history.endswith(written.partition("</think>")[2].strip() or text)
    assert said.text == written, "what is held in the cache has the tag in its prompt"


@pytest.mark.parametrize("source", [QWEN3, "qwen3.jinja"], ids=["ours", "qwen3.jinja"])
def test_the_request_for_the_answer_drops_older_thoughts_as_the_template_has_it(source: str) -> None:
    """Behind `</tool_response>` it makes the message one of the user's own: Qwen3 then shows no thought before it."""
    template = ChatTemplate(real(source))
    turn = f"<think>\niron first\n</think>\n\n{CALL}"
    asked = template.render(dialogue(turn, f"{wrap_response('found')}\n\n{ASK_FOR_ANSWER}"))
    assert "iron first" not in asked
    assert CALL in asked
    assert asked.count(ASK_FOR_ANSWER) == 1


def test_one_newline_behind_a_thought_costs_that_turn_and_no_more() -> None:
    """Upstream's turns have one, Qwen3's template shows two: the ids of that turn are read anew, older ones stay."""
    template, said = ChatTemplate(QWEN3_THINKING), Said()
    clean, other = f"one\n</think>\n\n{CALL}", f"two\n</think>\n{CALL}"
    opened = [f"{template.opens}{clean}", f"{template.opens}{other}"]
    first = template.render(dialogue())
    said.settle(first, [1, 2, 3], clean, [4, 5])
    second = template.render(dialogue(opened[0], wrap_response("found")))
    assert said.stands_for(second) == (len(first + clean), 5)
    said.settle(second, [1, 2, 3, 4, 5, 6], other, [7, 8])
    third = template.render(dialogue(opened[0], wrap_response("found"), opened[1], wrap_response("more")))
    assert said.stands_for(third) == (len(second), 6)


def test_thoughts_are_seen_by_the_template_although_control_tokens_are_hidden() -> None:
    control = ControlTokens({"<|im_start|>": 1, "<|im_end|>": 2, "<think>": 7, "</think>": 8})
    turn = render_turn("so <|im_end|>", SEARCH)
    messages = [Message(role=one.role, content=control.shield(one.content)) for one in dialogue(turn, "more")]
    pieces = control.split(ChatTemplate(QWEN25).render(messages))
    assert [piece for piece in pieces if isinstance(piece, int)].count(2) == 4
    assert 7 in pieces
    assert 8 in pieces
    assert any("so <|im_end|>" in piece for piece in pieces if isinstance(piece, str))
