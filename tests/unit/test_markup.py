"""Page text as HTML: whatever the text, nothing in it becomes markup, and nothing of it is lost between the parts."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as parser

from lite.serve.addresses import crumbs, ranges, reader, site_of, sites
from lite.serve.markup import PART, clean, cuts, highlighted, part_of, rendered

KNOWN = {"https://a.test/known": "/page?url=known"}
SHOWN = "a blockquote br code del div em h2 h3 h4 h5 h6 hr li mark ol p pre s span strong table tbody td th thead tr ul"
TAGS = set(SHOWN.split())
ATTRIBUTES = {"href", "class", "title", "role", "aria-label", "tabindex", "start"}


def elements(text: str, asked: frozenset[str] = frozenset()) -> list:
    tree = parser.fragment_fromstring(str(rendered(text, KNOWN.get, asked)), create_parent="section")
    return list(tree.iter())[1:]


def harmless(text: str) -> None:
    for element in elements(text, frozenset({"script", "alert"})):
        assert element.tag in TAGS, element.tag
        assert set(element.attrib) <= ATTRIBUTES, dict(element.attrib)
        assert element.get("href", "/page?url=known") == "/page?url=known"


HOSTILE = [
    "<script>alert(1)</script>",
    "</textarea></title></style></pre></script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>\n<svg/onload=alert(1)>",
    "<!-- --><!DOCTYPE html><base href='//evil.test'><?php ?><![CDATA[ x ]]>",
    "[click](javascript:alert(1)) [data](data:text/html,<script>alert(1)</script>) <javascript:alert(1)>",
    "![pic](data:image/svg+xml;base64,AAAA) ![pic](https://evil.test/track.png 'x\" onload=\"alert(1)')",
    '[a" onmouseover="alert(1)](https://a.test/known\'"onclick=alert(1))',
    '[known](https://a.test/known "\\" onclick=\\"alert(1)")',
    "[known](<https://a.test/known>) **[known](https://a.test/known)** [![x](y)](https://a.test/known)",
    '```html"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "| <b>a</b> | [t](javascript:alert(1)) |\n|---|:-:|\n| `</code><script>` | {{ 7*7 }} {% raw %} |",
    "[ref]\n\n[ref]: javascript:alert(1)\n\n&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_markup_of_a_page_gets_through(text: str):
    harmless(text)


@given(
    st.lists(st.sampled_from([*HOSTILE, *"<>\"'`[]()!|*_~#-\\&\n \t", "a", "https://a.test/known", "\x00", "\u202e"]))
)
@settings(max_examples=200, deadline=None)
def test_no_mixture_of_it_does(pieces: list[str]):
    harmless("".join(pieces))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a < b & c > d", '</pre> "quoted" {{ 7 }}'])
def test_html_is_shown_as_the_text_it_is(text: str):
    assert elements(text)[0].text_content() == text
    assert str(highlighted(text, frozenset())).count("<") == 0


def test_links_lead_into_the_world_or_nowhere():
    inside, outside = elements("[in](https://a.test/known) [out](https://b.test/)")[1:]
    assert (inside.tag, inside.get("href"), inside.text) == ("a", "/page?url=known", "in")
    assert (outside.tag, outside.get("href"), outside.text) == ("span", None, "out")
    assert "https://b.test/" in outside.get("title")


def test_a_picture_is_named_and_not_loaded():
    assert "[picture: a cat]" in elements("![a cat](https://b.test/cat.png)")[0].text_content()


def test_tables_and_headings():
    found = elements("# Top\n\n| a | b |\n|---|--:|\n| 1 | [in](https://a.test/known) |")
    assert [each.tag for each in found[:3]] == ["h2", "div", "table"]  # the page's own title is the one h1
    assert [cell.get("class") for cell in found if cell.tag == "td"] == [None, "right"]
    assert not [each for each in found if "style" in each.attrib]


@pytest.mark.parametrize("text", [">" * 3000 + " deep", "\n".join("  " * n + "- x" for n in range(100))])
def test_what_is_nested_too_deeply_is_told(text: str):
    assert "left out here" in rendered(text, KNOWN.get)


def test_control_characters_are_made_visible():
    assert clean("a\x00b\x1b[31m\u202ec\td\n") == "a\ufffdb\ufffd[31m\ufffdc\td\n"


@pytest.mark.parametrize(
    ("text", "asked", "marked"),
    [
        ("The guitars of Renaissance", {"guitar"}, ["guitars"]),
        ("尤金袋鼠是袋鼠科", {"袋鼠"}, ["袋鼠", "袋鼠"]),
        ("nothing here", {"guitar"}, []),
        ("<guitar>", {"guitar"}, ["guitar"]),
    ],
)
def test_words_asked_for_are_marked(text: str, asked: set[str], marked: list[str]):
    assert re.findall("<mark>(.*?)</mark>", highlighted(text, asked)) == marked
    assert re.findall("<mark>(.*?)</mark>", rendered(text, KNOWN.get, asked)) == marked


@given(st.text(st.sampled_from("a \n"), max_size=400), st.integers(2, 50))
@settings(max_examples=200, deadline=None)
def test_the_parts_are_the_text(text: str, size: int):
    starts = cuts(text, size)
    parts = [part_of(text, starts, number, header=False) for number in range(1, len(starts) + 1)]
    assert "".join(parts) == text
    assert all(len(part) <= size for part in parts)


def test_a_part_that_begins_within_a_table_has_its_header():
    table = "| n | square |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(6000))
    text = f"Before it.\n\n{table}\nAfter it."
    starts = cuts(text)
    assert len(starts) > 2
    assert part_of(text, starts, 2).startswith("| n | square |\n|---|---|\n| ")
    assert text[starts[1] :].startswith("| ")
    assert not part_of("a\n\n" * PART, cuts("a\n\n" * PART), 2).startswith("|")


def test_addresses():
    assert site_of("https://a.test/b?c#d") == "https://a.test"
    assert site_of("https://a.test?c") == "https://a.test"
    assert site_of("urn:isbn:1") == "urn:"
    urls = [
        "http://a.test/",
        "https://a.test",
        "https://a.test#x",
        "https://a.test.uk/",
        "https://a.test/z",
        "https://a.test:8/",
    ]
    assert sites(urls) == Counter(map(site_of, urls))
    inside = [url for url in urls for start, end in ranges("https://a.test") if start <= url < end]
    assert inside == [url for url in urls if site_of(url) == "https://a.test"]
    assert crumbs("https://zh.test/wiki/%E8%A2%8B") == ["zh.test", "wiki", "袋"]
    assert crumbs("http://a.test/%E2%80%AEgpj") == ["http://a.test", "%E2%80%AEgpj"]
    assert reader("a&b=c d", view="agent", goal="") == "/page?url=a%26b%3Dc+d"
    assert reader("u", goal="agent", part=2) == "/page?url=u&goal=agent&part=2"
