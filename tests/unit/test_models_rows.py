"""The rows that training sees of an episode: every sampled token once, whatever the template does to earlier turns."""

from collections.abc import Sequence

import pytest

from lite.dialect import ASK_FOR_ANSWER, render_turn, replayed
from lite.models.chat import ChatTemplate, ControlTokens
from lite.models.turn import Prompts, Tokens
from lite.records import Call, Message, Stop, Trajectory
from lite.records import Turn as SaidTurn
from tests.unit.test_models_templates import QWEN3, QWEN3_THINKING, QWEN25, real

END = 256
TEMPLATES = [QWEN25, QWEN3, QWEN3_THINKING, "qwen3.jinja", "qwen3_5_think.jinja"]
IDS = ["qwen2.5", "qwen3", "qwen3-thinking", "qwen3.jinja", "qwen3_5_think.jinja"]


class Bytes:
    """A vocabulary of bytes, and the token that ends a turn."""

    bos, opens_with_bos = 0, False

    def tokenize(self, text: str) -> Sequence[int]:
        return list(text.encode())

    def piece(self, token: int) -> bytes:
        return bytes([token]) if token < END else b""

    def ends_turn(self, token: int) -> bool:
        return token == END


def prompts(template: str) -> Prompts:
    return Prompts(Bytes(), ChatTemplate(real(template)), ControlTokens({"<|im_end|>": END}), 10_000)


def turn(text: str, *, seen: str | None = None, asked: bool = False, opened: str = "", ids: bool) -> SaidTurn:
    sampled = (*text.removeprefix(opened).encode(), END)
    known = {"token_ids": sampled, "logprobs": (-0.5,) * len(sampled)} if ids else {}
    return SaidTurn(text=text, observation=seen, asked=asked, **known)


def episode(*turns: SaidTurn) -> Trajectory:
    before = (Message(role="system", content="S"), Message(role="user", content="Q?"))
    return Trajectory(task_id="t", question="Q?", messages=before, turns=turns, stop=Stop.ANSWERED)


def written(row: Tokens) -> str:
    taken = (token for token, its in zip(row.ids, row.sampled, strict=True) if its)
    return bytes(10 if token == END else token for token in taken).decode()


def look(query: str, gap: str = "\n") -> str:
    call = render_turn(f"I look for {query}.", Call(tool="search", arguments={"query": [query]}))
    return call.replace("</think>\n", f"</think>{gap}")


@pytest.mark.parametrize("template", TEMPLATES, ids=IDS)
@pytest.mark.parametrize("gap", ["\n", "\n\n", ""], ids=["break", "two", "none"])
@pytest.mark.parametrize("asked", [False, True], ids=["free", "asked"])
def test_every_sampled_token_stands_once_behind_the_prompt_it_was_sampled_behind(
    template: str, gap: str, *, asked: bool
) -> None:
    made = prompts(template)
    texts = [look("iron", gap), look("steel", gap), render_turn("It is so.", answer="zinc")]
    turns = [
        turn(
            text, seen=None if place == 2 else "found", asked=asked and place == 2, opened=made.template.opens, ids=True
        )
        for place, text in enumerate(texts)
    ]
    trajectory = episode(*turns)
    rows = made.sequences(trajectory)
    wrote = "".join(text.removeprefix(made.template.opens) + "\n" for text in texts)
    assert "".join(map(written, rows)) == wrote
    for row in rows:  # the last prompt of each, and what was sampled behind it
        count = sum(1 for its in reversed(row.sampled) if its) if all(row.sampled) else row.sampled[::-1].index(False)
        prompt = bytes(token if token < END else 10 for token in row.ids[: len(row.ids) - count]).decode()
        place = next(n for n, text in enumerate(texts) if written(row).endswith(text[-30:] + "\n"))
        shown = made.template.render(replayed(trajectory.messages, turns[: place + 1])[: -1 - (place < 2)])
        assert prompt == shown.replace("<|im_end|>", "\n")
        assert (ASK_FOR_ANSWER in prompt) == (asked and place == 2)


@pytest.mark.parametrize("template", TEMPLATES, ids=IDS)
def test_a_demonstration_makes_one_row_in_the_templates_own_words(template: str) -> None:
    texts = [look("iron"), look("steel"), render_turn("It is so.", answer="zinc")]
    turns = [turn(text, seen=None if place == 2 else "found", ids=False) for place, text in enumerate(texts)]
    made = prompts(template)
    [row] = made.sequences(episode(*turns))
    for text in texts:
        thought, _, action = text.removeprefix("<think>\n").partition("</think>\n")
        assert thought in written(row)
        assert action in written(row)
    shown = bytes(token if token < END else 10 for token in row.ids).decode()
    assert shown.count("<think>\n") == shown.count("</think>\n") == 3
    assert written(row).count("\n<think>") == (0 if made.template.opens else 2)
