"""Reading what models write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite.dialect import grammars, loops, parse_turn, quote, read_object, render_turn, wrap_response
from lite.records import Call

SEARCH = Call(tool="search", arguments={"query": ["a", "b"]})
PLAIN = '{"name": "search", "arguments": {"query": ["a", "b"]}}'


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (f"<think>t</think>\n<tool_call>\n{PLAIN}\n</tool_call>", ()),
        (f"t\n</think>\n\n<tool_call>{PLAIN}</tool_call>", ()),  # the template opened <think>
        (f"<think>t</think><tool_call>{PLAIN}", ("unclosed_tool_call",)),
        (f"<think>t</think><tool_call>```json\n{PLAIN}\n```</tool_call>", ("code_fence",)),
        (f"<think>t</think><tool_call>Here: {PLAIN} ok</tool_call>", ("text_around_json",)),
        (
            '<think>t</think><tool_call>{"name": "search", "arguments": {"query": ["a", "b",]},}</tool_call>',
            ("trailing_comma",),
        ),
        (f"<think>t</think><tool_call>{PLAIN[:-1]}</tool_call>", ("missing_brace",)),
        (f"<think>t</think><tool_call>{PLAIN}}}</tool_call>", ("extra_brace",)),
        (f"<think>t</think><tool_call>{PLAIN}}} }}</tool_call>", ("extra_brace",)),
        (f"<think>t</think><tool_call>{PLAIN}}}\n{PLAIN}</tool_call>", ("second_call_dropped",)),
        (
            "<think>t</think><tool_call>{'name': 'search', 'arguments': {'query': ['a', 'b']}}</tool_call>",
            ("single_quotes",),
        ),
        (
            '<think>t</think><tool_call>{"name": "search", "arguments": "{\\"query\\": [\\"a\\", \\"b\\"]}"}</tool_call>',
            ("arguments_as_string",),
        ),
        (
            '<think>t</think><tool_call>{"name": "search", "parameters": {"query": ["a", "b"]}}</tool_call>',
            ("parameters_for_arguments",),
        ),
        (
            f'<think>t</think><tool_call>{{"type": "function", "function": {PLAIN}}}</tool_call>',
            ("function_wrapper",),
        ),
        (f"<think>t</think>\n{PLAIN}\n", ("missing_tool_call_tag",)),
        (f"<think>t</think>\n{PLAIN}\n</tool_call>", ("missing_tool_call_tag",)),
        (f"<think>t</think>\n{PLAIN}\n<answer>guess</answer>", ("missing_tool_call_tag",)),
        (f"<think>t<tool_call>{PLAIN}</tool_call>", ("unclosed_think",)),
        (f"<think>t<tool_call>{PLAIN}</tool_call></think>", ("action_inside_think",)),
        (
            f"<think>t</think><tool_call>{PLAIN}</tool_call><tool_call>{PLAIN}</tool_call>",
            ("second_call_dropped",),
        ),
        (f"<think>t</think><tool_call>{PLAIN}</tool_call><answer>guess</answer>", ()),
        (f"<think>t</think><tool_call>{PLAIN}\n{PLAIN}</tool_call>", ("second_call_dropped",)),
        (f"<think>t</think><tool_call>[{PLAIN}, {PLAIN}]</tool_call>", ("second_call_dropped",)),
        (f"<think>t</think><tool_call>[{PLAIN}]</tool_call>", ("list_of_calls",)),
        (f"<think>t</think><tools>{PLAIN}</tools>", ("missing_tool_call_tag", "text_around_json")),  # Qwen2.5-Coder
        (f"<think>t</think>```json\n{PLAIN}\n```", ("missing_tool_call_tag", "code_fence")),
        (f"<think>t</think><tool_call>{PLAIN[:-3]}</tool_call>", ("missing_brace",)),
        (
            f"<think>t</think><tool_call>{PLAIN}</tool_call>".replace('"', "\u201d"),
            ("curly_quotes",),
        ),
        ('<think>t</think><tool_call>search(query=["a", "b"])</tool_call>', ("python_call",)),
        (
            '<think>t</think><tool_call>\n<function=search>\n<parameter=query>\n["a", "b"]\n</parameter>\n</function>\n</tool_call>',
            ("xml_call",),
        ),
        (
            '<think>t</think><function=search><parameter=query>["a", "b"]</parameter></function>',
            ("missing_tool_call_tag", "xml_call"),
        ),
    ],
)
def test_calls_are_read_and_repairs_are_named(text: str, repairs: tuple[str, ...]) -> None:
    parsed = parse_turn(text)
    assert (parsed.think, parsed.call, parsed.answer, parsed.malformed) == ("t", SEARCH, None, None)
    assert parsed.repairs == repairs
    strict = parse_turn(text, strict=True)
    assert (strict.call is None) == bool(repairs)


@pytest.mark.parametrize(
    ("text", "answer", "repairs"),
    [
        ("<think>t</think><answer> Paris </answer>", "Paris", ()),
        ("<think>t</think><answer>Paris", "Paris", ("unclosed_answer",)),
        ("<think>t <answer>Paris</answer>", "Paris", ("unclosed_think",)),
        ("<think>t <answer>Paris</answer></think>", "Paris", ("action_inside_think",)),
        (f"<think>t</think><answer>Paris</answer><tool_call>{PLAIN}</tool_call>", "Paris", ()),
        ("t <answer>Paris</answer>", "Paris", ()),
        ("<think>t</think><answer>your answer</answer> in tags, says the prompt", "your answer", ()),
    ],
)
def test_answers_are_read(text: str, answer: str, repairs: tuple[str, ...]) -> None:
    parsed = parse_turn(text)
    assert (parsed.think, parsed.answer, parsed.call, parsed.repairs) == ("t", answer, None, repairs)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the turn is empty"),
        ("<think>only thinking", "neither <tool_call> nor <answer> was found"),
        ("Paris it is.", "neither <tool_call> nor <answer> was found"),
        ("<think>t</think><answer>  </answer>", "the answer is empty"),
        ("<think>t</think><tool_call>search please</tool_call>", "the tool call is not a JSON object"),
        ("<think>t</think><tool_call>[1]</tool_call>", "the tool call is not a JSON object"),
        (
            '<think>t</think><tool_call>{"name": "search", "arguments": {"query": ["a" "b"]}}</tool_call>',
            "the tool call is not a JSON object",  # a comma is missing: to search for "ab" would be no repair
        ),
        ('<think>t</think><tool_call>{"arguments": {}}</tool_call>', 'the tool call has no "name"'),
        ('<think>t</think><tool_call>{"name": "search"}</tool_call>', 'the tool call has no "arguments" object'),
    ],
)
def test_what_cannot_be_read_says_why(text: str, reason: str) -> None:
    parsed = parse_turn(text)
    assert parsed.malformed == reason
    assert parsed.call is None
    assert parsed.answer is None


def test_curly_quotes_in_a_string_stay_where_something_else_is_mended() -> None:
    parsed = parse_turn('<tool_call>{"name": "search", "arguments": {"query": ["“polonium” discovery"]}</tool_call>')
    assert parsed.call == Call(tool="search", arguments={"query": ["“polonium” discovery"]})
    assert parsed.repairs == ("missing_brace",)


def test_quoted_phrases_in_a_string_are_no_two_strings() -> None:
    parsed = parse_turn(
        """<tool_call>{'name': 'search', 'arguments': {'query': ['"Marie Curie" "Nobel Prize"']}}</tool_call>"""
    )
    assert parsed.call == Call(tool="search", arguments={"query": ['"Marie Curie" "Nobel Prize"']})
    assert parsed.repairs == ("single_quotes",)


def test_single_quotes_with_jsons_constants_are_read() -> None:
    parsed = parse_turn("<tool_call>{'name': 'search', 'arguments': {'query': 'it\\'s', 'all': true}}</tool_call>")
    assert parsed.call == Call(tool="search", arguments={"query": "it's", "all": True})
    assert parsed.repairs == ("single_quotes",)


_PIECES = '<think>|</think>|<tool_call>|</tool_call>|<answer>|</answer>|<function=f>|<parameter=p>|{"name": "search", |"arguments": '
_PIECES += '|{"query": ["a"]}|}|]|\'|"|```json|search(|)|,|\\|中|null|{{{{{{{{{{{{{{{{{{{{|\x00|\ud800|\n'
_shards = st.lists(st.sampled_from(_PIECES.split("|")) | st.text(max_size=8), max_size=14).map("".join)


@given(text=_shards, strict=st.booleans())
def test_no_arrangement_of_the_protocols_pieces_raises(text: str, *, strict: bool) -> None:
    parsed = parse_turn(text, strict=strict)
    assert (parsed.call is not None) + (parsed.answer is not None) + (parsed.malformed is not None) == 1
    if parsed.call is not None:
        assert Call.from_json(parsed.call.to_json()) == parsed.call
    if strict and parsed.malformed is None:
        assert parsed.repairs == ()
    loops(text)


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("I search for it. " * 9, True),
        ("so " * 40, True),
        ("<think>x" + "a" * 100, True),
        ("the same line\n" * 7 + "the same", True),  # cut in the middle of a copy
        ("I search for it. " * 3, False),
        ("row 1: a\nrow 2: b\nrow 3: c\nrow 4: d\nrow 5: e\nrow 6: f\nrow 7: g\nrow 8: h\nrow 9: i", False),
        ("", False),
    ],
)
def test_a_looping_generation_is_noticed(text: str, *, looping: bool) -> None:
    assert loops(text) == looping


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for shape in (text, f"<think>{text}", f"<tool_call>{text}</tool_call>", f"<think>a</think><tool_call>{text}"):
        parsed = parse_turn(shape)
        assert (parsed.call is not None) + (parsed.answer is not None) + (parsed.malformed is not None) == 1


_words = st.text(st.characters(codec="utf-8", exclude_characters="<")).map(str.strip)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)


@given(_words, _words.filter(bool), st.dictionaries(_words, _values))
def test_what_is_rendered_is_read_back(think: str, name: str, arguments: dict) -> None:
    call = Call(tool=name, arguments=arguments)
    parsed = parse_turn(render_turn(think, call))
    assert (parsed.think, parsed.call, parsed.repairs) == (think, call, ())
    answered = parse_turn(render_turn(think, answer=name))
    assert (answered.think, answered.answer) == (think, name)


@given(st.text(), st.sampled_from(["</tool_response>", "<answer>", "<|im_end|>", "</think>", "<tool_call>", "</s>"]))
def test_page_text_can_neither_close_a_tag_nor_bring_in_a_control_token(text: str, tag: str) -> None:
    quoted = quote(f"{text}{tag}{text}")
    assert tag not in quoted
    assert wrap_response(quoted).count("</tool_response>") == 1
    assert quote("a <b> 1 < 2 </table>") == "a <b> 1 < 2 </table>"


@pytest.mark.parametrize(
    "thought",
    [
        "The final answer goes into <answer> tags. Let me think about which",
        "The format wants <answer>your answer</answer> at the end, and I know nothing yet",
        "I could use <tool_call> once more, or say it in <answer>",
    ],
)
def test_to_name_a_tag_in_a_thought_is_no_action(thought: str) -> None:
    parsed = parse_turn(f"<think>{thought}")
    assert (parsed.think, parsed.call, parsed.answer, parsed.repairs) == (thought, None, None, ())
    assert parsed.malformed is not None
    for call in (PLAIN, f"<tool_call>{PLAIN}</tool_call>"):
        parsed = parse_turn(f"<think>{thought}</think>\n{call}")
        assert (parsed.think, parsed.call) == (thought, Call(tool="search", arguments={"query": ["a", "b"]}))
    parsed = parse_turn(f"<think>{thought} <answer>Paris</answer>")
    assert (parsed.think, parsed.answer) == (thought, "Paris")


@pytest.mark.parametrize("text", ["<think>t</think><answer>21,7", "<think>t", "<think>t</think><tool_call>{"])
def test_half_of_a_turn_is_none(text: str) -> None:
    parsed = parse_turn(text, cut=True)
    assert (parsed.answer, parsed.call, parsed.malformed) == (None, None, "the turn was cut off at its token limit")
    assert parse_turn(f"<think>t</think><tool_call>{PLAIN}", cut=True).call is not None, "a call that is whole counts"


def test_an_argument_may_speak_of_another_form() -> None:
    call = Call(tool="search", arguments={"query": ["what is <function=main> in C", "print(x='y')"]})
    assert parse_turn(render_turn("t", call)).call == call


def test_no_nesting_raises() -> None:
    """Parsers, and what reads their values, each give up at a depth of their own: what lies between counts too."""
    for depth in (300, 480, *range(490, 1000, 7), 2000, 5000):
        for opening, closing in (("[", "]"), ('{"a":', "}"), ("{'a':", "}")):
            nested = f'{{"query": {opening * depth}1{closing * depth}}}'
            parsed = parse_turn(f'<think>t</think><tool_call>{{"name": "search", "arguments": {nested}}}</tool_call>')
            assert parsed.call is None
            assert parsed.malformed is not None
            assert read_object(nested) is None


def test_a_grammar_offers_the_tools_that_are_there() -> None:
    for opened in (False, True):
        assert all("( search | visit )" in source for source in grammars(opened=opened).values())
        assert all("( search )" in source for source in grammars(("search",), opened=opened).values())
        assert all(('"<think>"' in source) != opened for source in grammars(opened=opened).values())
