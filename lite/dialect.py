"""The text protocol between model and loop: `<think>`, `<tool_call>`, `<tool_response>`, `<answer>`.

The tags and their order are upstream's, so that LiteResearcher-4B's weights feel at home. `parse_turn`
never raises: what cannot be read is named, what can be repaired is repaired and the repair is named too.
"""

import ast
import json
import re
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from typing import Any

from lite.records import Call, Message, Turn, storable

STOP = "<tool_response>"  # generation ends before it: what follows is the world's to write

ASK_FOR_ANSWER = (
    "You have now reached the limit of this research. Do not call any more tools. Based on all the information "
    "above, think once more and give what you consider the most likely answer in the following format:\n"
    "<think>your final thinking</think>\n<answer>your answer</answer>"
)

# One well-formed turn as llama.cpp's GBNF. A tag cannot start inside the thinking or the answer, strings are JSON
# strings without control characters, and repetitions are bounded, so that a tiny model cannot babble for ever.
_GRAMMAR = r"""
think ::= "<think>" [^<\n] [^<]{0,500} "</think>\n"
answer ::= "<answer>" [^<\n]{1,400} "</answer>"
call ::= "<tool_call>\n" ( search | visit ) "\n</tool_call>"
search ::= "{\"name\": \"search\", \"arguments\": {\"query\": [" string ( ", " string ){0,2} "]}}"
visit ::= "{\"name\": \"visit\", \"arguments\": {\"url\": [" string ( ", " string ){0,2} "], \"goal\": " string "}}"
string ::= "\"" ( [^"\\\x00-\x1f] | "\\" ["\\/bfnrt] ){1,240} "\""
"""
# The protocol's tags, and what the chat templates in use spell their control tokens with: <|im_end|> (DeepSeek has
# wide bars), </s>, <end_of_turn>, [INST], <<SYS>>.
_TAGS = re.compile(
    r"<(?=/?(?:think|tool_call|tool_response|tools|answer)\b|[|\uff5c][^|\uff5c<>]{1,40}[|\uff5c]>"
    r"|/?(?:s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_header_id|end_header_id)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\])"
)
_ENTITY = {"<": "&lt;", "[": "&#91;"}
_DEEPEST = 16  # levels of nesting that the arguments of a call may have
_NESTS = (Mapping, list, tuple)
_FENCE = re.compile(r"^```[a-zA-Z]*\s*|\s*```$")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_CURLY = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")
# Qwen3-Coder's calls: <function=search><parameter=query>…</parameter></function>
_XML_CALL = re.compile(r"<function=([^\s<>]{1,64})>(.*?)(?:</function>|$)", re.DOTALL)
_XML_ARGUMENT = re.compile(r"<parameter=([^\s<>]{1,64})>(.*?)(?:</parameter>|(?=<parameter=)|$)", re.DOTALL)
_ACTION = re.compile(r"<tool_call>|<answer>")
_ACTION_IN_THOUGHT = re.compile(
    r"<tool_call>(?=\s*(?:[\[{`]|<function=|\w+\())|<answer>(?=(?:(?!<answer>).)*</answer>\s*$)", re.DOTALL
)
NEEDS_REPAIR = "needs repair"  # why a turn could not be read, with `strict`
CUT = "the turn was cut off at its token limit"  # why such a turn could not be read
_LOOP_COPIES, _LOOP_CHARS, _LOOP_PERIOD = 5, 80, 240  # how often, how long in all, how long one copy may be


def grammars(tools: Sequence[str] | None = None, *, opened: bool = False) -> dict[str, str]:
    """The grammar of a turn that may call these tools (None: all), by the form that a Generate asks for.

    `opened` says that the chat template has written `<think>` already.
    """
    rules = _GRAMMAR if tools is None else _GRAMMAR.replace("search | visit", " | ".join(tools))
    if opened:
        rules = rules.replace('"<think>" ', "", 1)
    forms = {"turn": "( call | answer )", "call": "call", "answer": "answer"}
    return {form: f"root ::= think {action}{rules}" for form, action in forms.items()}


def quote(text: str) -> str:
    """Page text as data: its protocol tags and chat-template tokens lose their power (`<` becomes `&lt;`)."""
    return _TAGS.sub(lambda match: _ENTITY[match[0]], text)


def wrap_response(observation: str) -> str:
    """The user message that carries an observation back to the model."""
    return f"<tool_response>\n{observation}\n</tool_response>"


def ask_for_answer(messages: list[Message]) -> None:
    """Ask for the last answer, in the user message that stands last: some templates refuse two in a row."""
    last = messages.pop()
    messages.append(Message(role="user", content=f"{last.content}\n\n{ASK_FOR_ANSWER}"))


def replayed(before: Sequence[Message], turns: Sequence[Turn]) -> list[Message]:
    """The conversation that turns were: what stood before them, then turns and observations as the model saw them."""
    messages = list(before)
    for turn in turns:
        if turn.asked and messages and not messages[-1].content.endswith(ASK_FOR_ANSWER):
            ask_for_answer(messages)
        messages.append(Message(role="assistant", content=turn.text))
        if turn.observation is not None:
            messages.append(Message(role="user", content=wrap_response(turn.observation)))
    return messages


# What `wrap_response` writes: an observation, and what the loop may have said behind it.
RESPONSE = re.compile(r"<tool_response>\n(.*)\n</tool_response>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ParsedTurn:
    """What a turn says: a call, an answer, or why neither could be read."""

    think: str = ""
    call: Call | None = None
    answer: str | None = None
    malformed: str | None = None
    repairs: tuple[str, ...] = ()


def render_turn(think: str, call: Call | None = None, answer: str | None = None) -> str:
    """A turn in the dialect; `parse_turn` is its inverse for texts that hold none of the tags."""
    head = f"<think>\n{think}\n</think>\n"
    if call is not None:
        body = json.dumps({"name": call.tool, "arguments": call.arguments}, ensure_ascii=False)
        return f"{head}<tool_call>\n{body}\n</tool_call>"
    return f"{head}<answer>{answer or ''}</answer>"


def parse_turn(text: str, *, strict: bool = False, cut: bool = False) -> ParsedTurn:
    """Read one assistant turn. With `strict`, a turn that would need a repair is malformed.

    The first of call and answer counts: what a model writes after its call is its guess at the tool's response. `cut`
    says that the turn ended at its token limit: half an answer is none.
    """
    repairs: list[str] = []
    think, rest = _split_thinking(text, repairs)
    parsed = _read_action(think, rest, repairs)
    if cut and (parsed.malformed is not None or "unclosed_answer" in parsed.repairs):
        return ParsedTurn(think=parsed.think, malformed=CUT, repairs=parsed.repairs)
    if strict and parsed.repairs and parsed.malformed is None:
        return ParsedTurn(think=think, malformed=f"{NEEDS_REPAIR}: {parsed.repairs[0]}", repairs=parsed.repairs)
    return parsed


def _split_thinking(text: str, repairs: list[str]) -> tuple[str, str]:
    """The thinking and what follows it. A template may have opened `<think>` for the model."""
    body = text.lstrip()
    opened = body.startswith("<think>")
    if opened:
        body = body[len("<think>") :]
    head, closed, rest = body.partition("</think>")
    if closed:
        inside = None if _ACTION.search(rest) or _bare_call(rest, []) else _acts(head)
        if inside is None:
            return head.strip(), rest
        repairs.append("action_inside_think")
        return head[:inside].strip(), head[inside:]
    if opened:  # never closed: the thinking ends where an action begins
        inside = _acts(body)
        if inside is None:
            return body.strip(), ""
        repairs.append("unclosed_think")
        return body[:inside].strip(), body[inside:]
    start = found.start() if (found := _ACTION.search(body)) else 0
    return body[:start].strip(), body[start:]


def _acts(thought: str) -> int | None:
    """Where in a thought the model acts: a call, or an answer that ends the thought. To name a tag is no action."""
    found = _ACTION_IN_THOUGHT.search(thought)
    return found.start() if found else None


def _bare_call(head: str, repairs: list[str]) -> Call | None:
    """A call without its tags."""
    if not ("{" in head and '"name"' in head) and "<function=" not in head:
        return None
    call = _read_call(head.replace("</tool_call>", ""), repairs)
    return call if isinstance(call, Call) else None


def _read_action(think: str, rest: str, repairs: list[str]) -> ParsedTurn:
    call_at, answer_at = rest.find("<tool_call>"), rest.find("<answer>")
    head = rest[: min((at for at in (call_at, answer_at) if at >= 0), default=len(rest))]
    if (call := _bare_call(head, bare := [])) is not None:
        return ParsedTurn(think=think, call=call, repairs=(*repairs, "missing_tool_call_tag", *bare))
    if call_at >= 0 and (answer_at < 0 or call_at < answer_at):
        body, closed, tail = rest[call_at + len("<tool_call>") :].partition("</tool_call>")
        if not closed:
            body = body.partition("<answer>")[0]
            repairs.append("unclosed_tool_call")
        if "<tool_call>" in tail:
            repairs.append("second_call_dropped")
        call = _read_call(body, repairs)
        if isinstance(call, Call):
            return ParsedTurn(think=think, call=call, repairs=tuple(repairs))
        return ParsedTurn(think=think, malformed=call, repairs=tuple(repairs))
    if answer_at >= 0:
        answer, closed, _ = rest[answer_at + len("<answer>") :].partition("</answer>")
        if not closed:
            repairs.append("unclosed_answer")
        if answer.strip():
            return ParsedTurn(think=think, answer=answer.strip(), repairs=tuple(repairs))
        return ParsedTurn(think=think, malformed="the answer is empty", repairs=tuple(repairs))
    reason = "the turn is empty" if not (think or rest.strip()) else "neither <tool_call> nor <answer> was found"
    return ParsedTurn(think=think or rest.strip(), malformed=reason, repairs=tuple(repairs))


def _read_call(body: str, repairs: list[str]) -> Call | str:
    """The call in `body`, or why there is none."""
    value = _loads(body)  # first of all: an argument may speak of the other forms
    if not isinstance(value, Mapping | list):
        value = _read_other_forms(body, repairs) or _read_json(body.strip(), repairs)
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        repairs.append("list_of_calls" if len(value) == 1 else "second_call_dropped")
        value = value[0]
    if not isinstance(value, Mapping):
        return "the tool call is not a JSON object"
    if "function" in value and isinstance(value["function"], Mapping):
        value = value["function"]
        repairs.append("function_wrapper")
    name, arguments = value.get("name"), value.get("arguments")
    if arguments is None and isinstance(value.get("parameters"), Mapping):
        arguments = value["parameters"]
        repairs.append("parameters_for_arguments")
    if not isinstance(name, str) or not name:
        return 'the tool call has no "name"'
    if isinstance(arguments, str):
        repairs.append("arguments_as_string")
        arguments = _read_json(arguments.strip(), repairs)
    if not isinstance(arguments, Mapping):
        return 'the tool call has no "arguments" object'
    plain = _as_json(arguments)
    if plain is None:
        return 'the "arguments" of the tool call are not plain JSON'
    return Call(tool=storable(name), arguments=plain)


def _read_other_forms(body: str, repairs: list[str]) -> dict[str, Any] | None:
    """A call that is no JSON: Qwen3-Coder's tags, or Python's `search(query=["…"])`."""
    if match := _XML_CALL.search(body):
        repairs.append("xml_call")
        found = {name: text.strip() for name, text in _XML_ARGUMENT.findall(match[2])}
        lists = {name: _loads(text) if text.startswith(("[", "{")) else None for name, text in found.items()}
        return {"name": match[1], "arguments": {k: text if lists[k] is None else lists[k] for k, text in found.items()}}
    text = _FENCE.sub("", body.strip())
    if not text.endswith(")") or not text[:1].isalpha():
        return None
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
            return None
        arguments = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg is not None}
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    repairs.append("python_call")
    return {"name": node.func.id, "arguments": arguments}


def _as_json(value: Mapping[Any, Any]) -> dict[str, Any] | None:
    """`value` as JSON knows it; None where it holds what JSON does not (`...`, bytes, NaN) or is nested too deeply.

    What a model writes ends up in a file of JSON lines: nothing may get in that could not be written there.
    """
    if _too_deep(value):
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return json.loads(storable(text))


def _too_deep(value: Any) -> bool:
    """Level by level: what a parser has just managed may be too deep for a function that calls itself."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = [one.values() if isinstance(one, Mapping) else one for one in level if isinstance(one, _NESTS)]
        level = [one for several in inner for one in several]
    return bool(level)


def _closed(text: str) -> str:
    """`text` with the braces and brackets that are still open closed, innermost first."""
    opened: list[str] = []
    quoted = escaped = False
    for char in text:
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "{[":
            opened.append("}" if char == "{" else "]")
        elif opened and char == opened[-1]:
            opened.pop()
    return text if quoted or len(opened) > _DEEPEST else text + "".join(reversed(opened))


_Mend = tuple[str, Callable[[str], str]]
_MENDS: tuple[_Mend, ...] = (
    ("code_fence", lambda text: _FENCE.sub("", text)),
    ("text_around_json", lambda text: text[text.find("{") : text.rfind("}") + 1] if "}" in text else text),
    ("curly_quotes", lambda text: text.translate(_CURLY)),
    ("trailing_comma", lambda text: _TRAILING_COMMA.sub(r"\1", text)),
    ("missing_brace", _closed),
)
_SPARING = tuple(mend for mend in _MENDS if mend[0] != "curly_quotes")


def _read_json(text: str, repairs: list[str]) -> Any:
    """`text` as JSON, after as few repairs as it takes, one on top of the other; None when none of them help."""
    # Quotes that are curly may be meant, in a string: they are straightened only where nothing else helps.
    for mends in (_SPARING, _MENDS) if text.translate(_CURLY) != text else (_MENDS,):
        value, applied = _mended(text, mends)
        if value is not None:
            repairs += applied
            return value
    return None


def _mended(text: str, mends: Sequence[_Mend]) -> tuple[Any, list[str]]:
    applied: list[str] = []
    value = _loads(text)
    for name, mend in mends:
        mended = mend(text)
        if value is None and mended != text:
            text = mended
            applied.append(name)
            value = _loads(text)
    if value is None and (value := _python_literal(text)) is not None:
        applied.append("single_quotes")
    if value is None and (found := _first_object(text)) is not None:
        value, name = found
        applied.append(name)
    return value, applied


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a model was to write, with the repairs of a tool call; None where there is none."""
    value = _read_json(text.strip(), [])
    return _as_json(value) if isinstance(value, Mapping) else None


def _loads(text: str) -> Any:
    try:
        return json.loads(text, strict=False)  # a raw newline inside a string is what small models write
    except (ValueError, RecursionError):
        return None


def _first_object(text: str) -> tuple[Any, str] | None:
    """The first of several JSON objects that stand one behind the other, or one with brackets too many behind it; and
    the name of that repair.
    """
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return None
    rest = text[end:].lstrip(" \t\r\n,;}]")
    if not isinstance(value, Mapping) or (rest and not rest.startswith("{")):
        return None
    return value, "second_call_dropped" if rest else "extra_brace"


def _python_literal(text: str) -> Any:
    """A Python dictionary; JSON's `true`, `false` and `null` may stand in it."""
    try:
        if _adjacent(text):  # Python would make one string of two
            return None
        tree = _Constants().visit(ast.parse(text.strip(), mode="eval"))
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError, tokenize.TokenError):
        return None
    return value if isinstance(value, Mapping) else None


def _adjacent(text: str) -> bool:
    """Whether two strings stand one behind the other. Raises SyntaxError where `text` is no Python."""
    kinds = [token.type for token in tokenize.generate_tokens(StringIO(text.strip()).readline)]
    return any(a == b == tokenize.STRING for a, b in pairwise(kinds))


class _Constants(ast.NodeTransformer):
    """JSON's constants as Python's."""

    def visit_Name(self, node: ast.Name) -> ast.AST:  # the name that ast calls
        """`true` for True, and so on; another name stays, and is refused."""
        known = {"true": True, "false": False, "null": None}
        return ast.Constant(known[node.id]) if node.id in known else node


def loops(text: str) -> bool:
    """Does `text` end in one stretch said again and again? Looping is how small models fill a turn."""
    tail = text.rstrip()[-_LOOP_COPIES * _LOOP_PERIOD :]
    for period in range(1, min(_LOOP_PERIOD, len(tail) // _LOOP_COPIES) + 1):
        length = max(_LOOP_COPIES * period, _LOOP_CHARS)
        if length <= len(tail) and tail[-length + period :] == tail[-length:-period]:
            return True
    return False
