"""From messages to the text a model was trained on: its own chat template, and control tokens only where it put them.

A chat template comes out of a model file, so it is code from elsewhere: it runs in Jinja's immutable sandbox. What
messages say is data: a string in it that happens to spell a control token (`<|im_end|>`) stays text.
"""

import datetime as dt
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lite.dialect import wrap_response
from lite.records import Message

# `strftime_now` of templates such as Llama 3's. Never the clock: a run must repeat. This is Llama 3's own default.
TEMPLATE_DATE = dt.datetime(2024, 7, 26, tzinfo=dt.UTC)

DIALECT_TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
_BLANK = " \t\n\v\f\r"  # what C calls space
_SPACE = f"[{_BLANK}]*"
_MARK = "\uf8ff"  # private use: stands around the number of a shielded string


class _Generation(Extension):
    """`{% generation %}`: marks the assistant's tokens for training; here its body alone counts."""

    tags = {"generation"}  # noqa: RUF012  # the base class declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _to_json(value: Any, **options: Any) -> str:
    """As the templates' authors have it: plain JSON, nothing escaped for HTML."""
    return json.dumps(value, ensure_ascii=options.pop("ensure_ascii", False), **options)


class ChatTemplate:
    """A model file's Jinja chat template.

    Attributes:
        takes_system: whether it knows a system role.
        parts: whether it puts an empty line behind the thought of an earlier turn, whatever stood there (Qwen3).
        opens: what it writes of the model's turn: `<think>` and a line break (QwQ, Qwen3's thinking models), or ''.

    Raises (constructor and `render`):
        ValueError: the template cannot be compiled, or refuses these messages.
    """

    def __init__(self, source: str, *, bos: str = "", eos: str = "") -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = TEMPLATE_DATE.strftime
        self._tokens = {"bos_token": bos, "eos_token": eos}
        try:
            self._template = environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ValueError(f"its chat template cannot be read: {error}") from None
        self.takes_system = self._renders_system()
        self.opens = self._opened()
        self.parts = self._parted()

    def _renders_system(self) -> bool:
        probe = [Message(role="system", content="\uf8f0"), Message(role="user", content="hello")]
        try:
            return "\uf8f0" in self._render(probe)
        except ValueError:
            return False

    def _opened(self) -> str:
        rendered = self.render([Message(role="user", content="hello")])
        tail = rendered[max(0, rendered.rfind("<think>")) :]
        return tail if tail.strip() == "<think>" else ""

    def _parted(self) -> bool:
        said = Message(role="assistant", content="<think>\nb\n</think>\nc")
        try:
            shown = self.render(
                [Message(role="user", content="a"), said, Message(role="user", content=wrap_response("d"))]
            )
        except ValueError:
            return False
        return "</think>\n\nc" in shown

    def _render(self, messages: Sequence[Message]) -> str:
        chat = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return self._template.render(messages=chat, add_generation_prompt=True, **self._tokens)
        except Exception as error:  # noqa: BLE001  # the template is foreign code: whatever it raises is a refusal
            raise ValueError(f"the chat template refuses these messages: {error}") from None

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt, up to the opening of the assistant's turn. A system text joins the first user message where
        the template knows no system role.
        """
        return self._render(messages if self.takes_system else fold_system(messages))


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """The same messages with the system texts put in front of the first user message."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    for index, message in enumerate(rest):
        if system and message.role == "user":
            rest[index] = Message(role="user", content=f"{system}\n\n{message.content}")
            return rest
    return [Message(role="user", content=system), *rest] if system else rest


class ControlTokens:
    """The strings that a vocabulary encodes as control tokens.

    `shield` hides those that occur in a message before the template is rendered; `split` cuts the rendered text
    into control tokens (ids) and plain text (strings, shields taken off again). The dialect's own tags are never
    hidden: where a vocabulary has a token for one, a message means that token. Some tokens swallow the white space
    to their left or right.
    """

    def __init__(
        self, ids: Mapping[str, int], *, strip_left: Collection[str] = (), strip_right: Collection[str] = ()
    ) -> None:
        self._ids = dict(ids)
        longest_first = sorted(self._ids, key=lambda text: (-len(text), text))
        self._strings = [*(text for text in longest_first if text not in DIALECT_TAGS), _MARK]
        self._number = {text: number for number, text in enumerate(self._strings)}
        self._hidden = re.compile("|".join(map(re.escape, self._strings)))
        spaced = (
            (_SPACE if text in strip_left else "") + re.escape(text) + (_SPACE if text in strip_right else "")
            for text in longest_first
        )
        self._control = re.compile("|".join(spaced) or r"(?!)")
        self._shields = re.compile(f"{_MARK}([0-9]+){_MARK}")

    def shield(self, text: str) -> str:
        """`text` with every control-token string replaced by its number between marks."""
        return self._hidden.sub(lambda match: f"{_MARK}{self._number[match[0]]}{_MARK}", text)

    def unshield(self, text: str) -> str:
        """The inverse of `shield`."""
        return self._shields.sub(lambda match: self._strings[int(match[1])], text)

    def split(self, rendered: str) -> list[int | str]:
        """Ids of the template's control tokens and the text between them, in order."""
        pieces: list[int | str] = []
        end = 0
        for match in self._control.finditer(rendered):
            if match.start() > end:
                pieces.append(self.unshield(rendered[end : match.start()]))
            text = match[0] if match[0] in self._ids else match[0].strip(_BLANK)
            pieces.append(self._ids[text])
            end = match.end()
        if end < len(rendered):
            pieces.append(self.unshield(rendered[end:]))
        return pieces
