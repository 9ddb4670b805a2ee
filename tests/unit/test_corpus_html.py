"""HTML to Markdown: nothing that says something is lost, nothing that only decorates stays, and nothing raises."""

import contextlib
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite.corpus.html import MAX_HTML, Document, decode
from lite.corpus.page import NotAPage

URL = "https://a.org/wiki/Page"


def md(html: str | bytes, url: str = URL) -> str:
    return Document(html.encode() if isinstance(html, str) else html).markdown(url)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h1>A</h1><p>b<p>c", "# A\n\nb\n\nc"),
        ("<h3> A <a href=/x>b</a>\n</h3>text", "### A [b](https://a.org/x)\n\ntext"),
        ("<h2><div>A</div><div>B</div></h2>", "## A B"),
        ("one<br>two<br/><br/>three", "one\ntwo\nthree"),
        ("<p>a&nbsp;b\n\n  c&#173;d\u200be", "a b cde"),
        ("<b>bold</b> <i>it</i>alic <code>x</code>", "bold italic x"),
        ("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>", "- a\n- b\n  - c\n- d"),
        ("<ol><li>a<li><p>b</p><p>b2</p></ol>", "1. a\n2. b\n\n   b2"),
        ("<ol start=7><li>a<li>b</ol>", "7. a\n8. b"),
        ("<ol start=x><li>a</ol>", "1. a"),
        ("<blockquote><p>a<p>b</blockquote>c", "> a\n\n> b\n\nc"),
        ("<dl><dt>Term<dd>What it is</dl>", "Term\n\nWhat it is"),
        ("<pre>  a\n    b | c</pre>", "```\n  a\n    b | c\n```"),
        ("<pre>a ``` b</pre>", "~~~\na ``` b\n~~~"),
        ("<p>10<sup>6</sup> m<sup>2</sup>, 1<sup>st</sup>, H<sub>2</sub>O", "10^6 m^2, 1st, H2O"),
        ("<p>42<sup class=reference><a href='#n1'>[1]</a></sup>.", "42."),
        ("<p>42<sup><a href='#fn'>a</a></sup>.", "42."),
        ("<p>x<script>alert(1)</script><style>p{}</style><noscript>n</noscript>y", "xy"),
        ("<nav><a href=/>Home</a></nav><div role=navigation>menu</div>text", "text"),
        (
            "<header>Site</header><article><header><h1>T</h1></header>x<footer>by Z</footer></article>",
            "# T\n\nx\n\nby Z",
        ),
        ("<h2>A<span class='mw-editsection'>[<a href=/e>edit</a>]</span></h2>", "## A"),
        ("<p>7<span style='display: none'>0007</span>", "7"),
        ("<div style='display:none'><p>a tab</div>", "a tab"),
        ("<div class=toc><ul><li><a href='#a'>A</a></ul></div>text", "text"),
        ("<div class=toc><ul><li><a href='ch1.html'>A</a></ul></div>", "- [A](https://a.org/wiki/ch1.html)"),
        ("<p>a<!-- no -->b<?php no ?>", "ab"),
        ("<img alt='a b' class='tex'>", "$a b$"),
        ("<math><annotation encoding='application/x-tex'>x^2</annotation></math>", "$x^2$"),
        ("<details><summary>More</summary>inside</details>", "More\n\ninside"),
        ("<h3><button>How?</button></h3><p>So.<button>Close</button>", "### How?\n\nSo."),
        ("<title>T - S</title><body><header><nav>menu</nav><h1>T</h1><p class=author>Ann</header>x", "# T\n\nAnn\n\nx"),
        ("<title>P - Site</title><header><h1>Site</h1><ul><li>menu</ul></header>x", "x"),
        ("<title>Site</title><header><a href='/'><h1>Site</h1></a>menu</header>x", "x"),
        ("<h2>Install<button>Copy</button></h2><h2><span><button>Q?</button></span></h2>", "## Install\n\n## Q?"),
        ("<header><h1><a href='https://a.org/'>Site</a></h1>of all things</header>x", "x"),
        ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>の本", "漢字の本"),
        ("<title>T</title><main>a<p>b</main>c", "a\n\nb\n\nc"),
        ("<title>T</title><section>a</section><article>b</article>", "a\n\nb"),
        ("<title>T</title><header><nav>n</nav></header><main>a</main>", "a"),
        ("<head><main>a<body>b</main>c", "a\n\nbc"),
        ("<html><body><p>a</p></body><p>b</p></html><p>c</p><html><body><p>d", "a\n\nb\n\nc\n\nd"),
        ("<a href=/x><h3>Card</h3><p>text</a>", "### [Card](https://a.org/x)\n\ntext"),
    ],
)
def test_blocks_and_text(html: str, expected: str) -> None:
    assert md(html) == expected


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://b.org/x", "[t](https://b.org/x)"),
        ("//b.org/x", "[t](https://b.org/x)"),
        ("/x?y=1&amp;z=2#s", "[t](https://a.org/x?y=1&z=2#s)"),
        ("Other_(band)", "[t](https://a.org/wiki/Other_(band))"),
        ("Odd)", "[t](https://a.org/wiki/Odd%29)"),
        ("a b|c", "[t](https://a.org/wiki/a%20b%7Cc)"),
        ("\n /x\n", "[t](https://a.org/x)"),
        ("/a\u3000b\xa0c", "[t](https://a.org/a%E3%80%80b%C2%A0c)"),
        ("#here", "t"),
        ("Page#here", "t"),
        ("https://a.org/wiki/Page#here", "t"),
        ("", "t"),
        ("javascript:void(0)", "t"),
        ("mailto:a@b.org", "t"),
        ("http://[bad", "t"),
        ("https://[::1", "t"),
    ],
)
def test_links_are_absolute_or_text(href: str, expected: str) -> None:
    assert md(f'<p><a href="{href}">t</a>') == expected


def test_a_link_keeps_its_label_and_the_spaces_around_it() -> None:
    assert md("<p>see<a href=/x> the [big]\n <b>page</b> </a>now") == r"see [the \[big\] page](https://a.org/x) now"
    assert md("<p><a href=/x><img src=y></a>z") == "z"


def test_a_base_element_is_obeyed() -> None:
    assert md("<base href='//b.org/d/'><p><a href=x>t</a>") == "[t](https://b.org/d/x)"
    assert md("<base href='http://[bad'><p><a href=x>t</a>") == "[t](https://a.org/wiki/x)"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<table><tr><th>Year<th>Team<tr><td>1999<td>A|B<br>C</table>",
            ["| Year | Team |", "|---|---|", r"| 1999 | A\|B C |"],
        ),
        (
            "<table><tr><td>a<td>b<tr><td>c</table>",
            ["|  |  |", "|---|---|", "| a | b |", "| c |  |"],
        ),
        (
            "<table><tr><th>Y<th>T<tr><td rowspan=2>1999<td>x<tr><td>y<tr><td>2000<td>z</table>",
            ["| Y | T |", "|---|---|", "| 1999 | x |", "| 1999 | y |", "| 2000 | z |"],
        ),
        (
            "<table><tr><th rowspan=2>Club<th colspan=2>League<tr><th>Apps<th>Goals<tr><td>A<td>1<td>2</table>",
            ["| Club | League Apps | League Goals |", "|---|---|---|", "| A | 1 | 2 |"],
        ),
        (
            "<table><tr><th>a<th>b<th>c<tr><td>1<td colspan=2>both<tr><td>2<td>3<td>4</table>",
            ["| a | b | c |", "|---|---|---|", "| 1 | both | both |", "| 2 | 3 | 4 |"],
        ),
        (
            "<table><tr><th>a<th>b<tr><td colspan=2>Part two<tr><td>1<td>2</table>",
            ["| a | b |", "|---|---|", "| Part two |  |", "| 1 | 2 |"],
        ),
        (
            "<table class=infobox><tr><th colspan=2>Paris<tr><th>Country<td>France<tr><th>River<td>Seine</table>",
            ["Paris", "", "|  |  |", "|---|---|", "| Country | France |", "| River | Seine |"],
        ),
        (
            "<table><caption>Medals</caption><tr><th>a<th>b<tr><td>1<td>2</table>",
            ["Medals", "", "| a | b |", "|---|---|", "| 1 | 2 |"],
        ),
        (
            "<table><tr><th>a<th>b<tr><td>1<td><table><tr><td>x<td>y<tr><td>z<td>w</table></table>",
            ["| a | b |", "|---|---|", "| 1 | x, y; z, w |"],
        ),
        (
            "<table><tr><th>a<th>b<tr><td>1<td><ul><li>x<li>y</ul></table>",
            ["| a | b |", "|---|---|", "| 1 | x; y |"],
        ),
        (
            "<table><tr><th>a<th>b<th><th>c<tr><td>1<td><img alt='Yes'><td><td><img alt='Flag.svg'>2</table>",
            ["| a | b | c |", "|---|---|---|", "| 1 | Yes | 2 |"],
        ),
        (
            "<table><tr><td><table border=1><tr><th>a<th>b<tr><td>1<td>2</table><td>side</table>",
            ["| a | b |", "|---|---|", "| 1 | 2 |", "", "side"],
        ),
        ("<table><tr><td>only a frame</table>", ["only a frame"]),
        ("<table role=presentation><tr><td>a<td>b</table>", ["a", "", "b"]),
        ("<table></table><table><tr></table><table><tr><td></table>x", ["x"]),
        (
            "<table border=1><tr><td rowspan=0>a<td>b<tr><td>c</table>",
            ["|  |  |", "|---|---|", "| a | b |", "| a | c |"],
        ),
        ("<table border=1><tr><td colspan=x rowspan=-1>a<td>b</table>", ["|  |  |", "|---|---|", "| a | b |"]),
        ("<table border=1>stray<tr>loose<td>a<td>b</table>", ["stray loose", "", "|  |  |", "|---|---|", "| a | b |"]),
    ],
)
def test_tables(html: str, expected: list[str]) -> None:
    assert md(html) == "\n".join(expected)


def test_no_table_is_too_large_or_too_deep_to_be_kept() -> None:
    wide = md("<table border=1><tr>" + "<td colspan=1000>x" * 100 + "<tr><td>last" * 2000 + "</table>")
    assert wide.count("last") == 2000
    assert len(wide) < 100_000
    heavy = md("<table border=1>" + ("<tr><td colspan=1000>" + "word " * 200 + "<td>y") * 300 + "</table>")
    assert heavy.count("| y") == 300
    assert len(heavy) < 10_000_000
    deep = md("<table border=1><tr><th>h<td>a" * 300 + "core")
    assert "core" in deep
    assert "core" in md("<table><tr><td><h2>x</h2>" * 300 + "core")


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        ("é".encode(), None, "é"),
        ("é".encode("cp1252"), None, "é"),
        (b"<meta charset=iso-8859-1>\x93q\x94", None, "<meta charset=iso-8859-1>“q”"),
        ("<meta charset='windows-1251'>Привет".encode("cp1251"), None, "<meta charset='windows-1251'>Привет"),
        ("<meta http-equiv=Content-Type content='text/html; charset=Shift_JIS'>日本".encode("shift_jis"), None, None),
        ("<meta charset=gb2312>中国".encode("gb18030"), None, "<meta charset=gb2312>中国"),
        ("髙島屋 ① Ⅱ".encode("cp932"), "Shift_JIS", "髙島屋 ① Ⅱ"),
        ("日本".encode("shift_jis"), "x-sjis", "日本"),
        ("這裏是恒生銀行".encode("big5hkscs"), "big5", "這裏是恒生銀行"),
        ("똠방각하".encode("cp949"), "EUC-KR", "똠방각하"),
        ("대한민국".encode("cp949"), "windows-949", "대한민국"),
        ("ประเทศ".encode("cp874"), "tis-620", "ประเทศ"),
        ("é".encode("utf-16"), None, "é"),
        ("\ufeffé".encode(), "latin-1", "é"),
        ("Привет".encode("koi8-r"), "koi8-r", "Привет"),
        (b"<meta charset=nonsense>\xe9", None, "<meta charset=nonsense>é"),
        (b"<meta charset=utf-16>ok", None, "<meta charset=utf-16>ok"),
        (b"<meta charset=idna>ok", None, "<meta charset=idna>ok"),
        (b"<meta charset=base64>ok", None, "<meta charset=base64>ok"),
        (b"<meta charset=utf-8>bad \xff byte", None, "<meta charset=utf-8>bad \ufffd byte"),
        (
            b'<?xml version="1.0" encoding="ISO-8859-1"?><p>\xe9',
            None,
            '<?xml version="1.0" encoding="ISO-8859-1"?><p>é',
        ),
    ],
)
def test_encodings(data: bytes, charset: str | None, expected: str | None) -> None:
    text = decode(data, charset)
    assert "日本" in text if expected is None else text == expected
    assert Document(data, charset).markdown(URL).encode()


def test_title_and_canonical_link() -> None:
    page = Document(b"<title>Paris -\n Wikipedia</title><link rel='x Canonical' href=' /wiki/Paris '><h1>Paris</h1>")
    assert (page.title, page.canonical) == ("Paris", "/wiki/Paris")
    assert Document(b"<title>Whole</title><h1>Other</h1>").title == "Whole"
    for home in (b"/", b"//a.org", b"https://a.org/index.html", b"../"):
        assert Document(b"<title>Blog: How to</title><h1><a href='%s'>Blog</a></h1>" % home).title == "Blog: How to"
    assert Document(b"<title>How to | Blog</title><h1><a href='./'>How to</a></h1>").title == "How to"
    assert Document(b"<title>How to | Blog</title><h1><a href='/how'>How to</a></h1>").title == "How to"
    assert Document(b"<h1>Only <i>heading</i></h1>").title == "Only heading"
    assert Document(b"<p>x").title == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no HTML"),
        (b" \n ", "no HTML"),
        (b"<div>" * 5000 + b"x", "nested deeper than 2,048"),
        (b"x" * (MAX_HTML + 1), "longer than 16 MB"),
    ],
)
def test_what_cannot_be_a_page_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(NotAPage, match=reason):
        Document(data)


def test_ten_thousand_links_and_long_lists() -> None:
    text = md("<ul>" + "".join(f"<li><a href=/{n}>n{n}</a>" for n in range(10_000)) + "</ul>")
    assert text.count("](https://a.org/") == 10_000


def test_nul_bytes_and_forbidden_characters_do_not_cut_the_page() -> None:
    text = md(b"<p>a\0b</p>\x01\x08<p>&#0;&#xD800;&#x110000;end")
    assert text.startswith("a\ufffdb")
    assert text.endswith("end")
    text.encode()


_SOUP = (
    "<table> <tr> <td> <th> </table> </td> <caption> <ul> <ol> <li> </ul> </li> <h2> </h2> <p> "
    "</p> <a> </a> <blockquote> </blockquote> <pre> </pre> <sup> </sup> <div> </div> <body> <thead> "
    "<br> <img alt=q> <math> </math> <select> <form> <!-- --> <![CDATA[ ]]> &amp; &bogus; | word <dl> <dd> <b> "
    "<svg> <footer> <main> <span> </span> </body> </html>"
)
PIECES = [
    *_SOUP.split(),
    "<a href=/x>",
    "<td rowspan=3>",
    "<th colspan=2>",
    "<span style='display:none'>",
    "\0",
    "\ud7ff",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_any_tag_soup_becomes_text(pieces: list[str]) -> None:
    text = md("<p>start</p>" + " ".join(pieces))
    assert text.startswith("start")
    assert "\0" not in text
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        rows = [re.sub(r"\\\|", "", row).count("|") for row in table.splitlines()]
        assert len(set(rows)) == 1 or table.count("|---|") > 1 or "```" in text


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_become_text_or_a_reason(data: bytes) -> None:
    with contextlib.suppress(NotAPage):
        md(data).encode()


def test_every_word_of_a_random_table_survives() -> None:
    chance = random.Random(7)
    for _ in range(200):
        number, rows = 0, []
        for _ in range(chance.randint(1, 6)):
            cells = []
            for _ in range(chance.randint(1, 5)):
                number += 1
                spans = f"rowspan={chance.randint(0, 4)} colspan={chance.randint(1, 4)}"
                cells.append(f"<{chance.choice(['td', 'th'])} {spans}>w{number}w</td>")
            rows.append("<tr>" + "".join(cells))
        text = md(f"<table border=1>{''.join(rows)}</table>")
        assert [n for n in range(1, number + 1) if f"w{n}w" not in text] == []
        widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
        assert len(widths) <= 1
