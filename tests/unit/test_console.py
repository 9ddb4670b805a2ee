"""What is printed: page text as it is, controls taken out, progress on stderr."""

import io

import pytest
from rich.console import Console

from lite import console
from lite.records import Call, Results, Stop, Trajectory, Turn, Visit


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal's screen, as text with its escape sequences."""
    screen = io.StringIO()
    wide = Console(file=screen, force_terminal=True, color_system="standard", width=60, highlight=False)
    monkeypatch.setattr(console, "out", wide)
    monkeypatch.setattr("lite.watch.out", wide)
    return screen


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("[/]", "[/]"),
        ("a\x1b[2Jb", "a[2Jb"),
        ("a\x9b31mb", "a31mb"),
        ("a\x07\x00\r\nb\tc", "a\nb\tc"),
        ("user\u202egnp.exe", "usergnp.exe"),
        (":smile: 漢字 é", ":smile: 漢字 é"),
    ],
)
def test_text_from_outside_prints_as_itself(text: str, printed: str) -> None:
    assert console.plain(text).plain == printed


def test_a_page_cannot_drive_the_terminal(shown: io.StringIO) -> None:
    console.show_visit(
        Visit(url="http://x.test/", title="[red]t[/red]", evidence="\x1b]0;owned\x07[link=x]y", summary="s")
    )
    assert "[red]t[/red]" in shown.getvalue()
    assert "[link=x]y" in shown.getvalue()
    assert "\x1b]" not in shown.getvalue()


def test_no_hits_are_said_and_notes_are_told(shown: io.StringIO) -> None:
    console.show_results(Results(query="q", mode="lexical", notes=("dense search was left out",)))
    assert "0 hits" in shown.getvalue()
    assert "dense search was left out" in shown.getvalue()


def test_an_episode_of_odd_turns_is_shown(shown: io.StringIO) -> None:
    from lite.watch import show_trajectory

    turns = (
        Turn(text="?", malformed="the turn is empty", observation="Error: the turn is empty."),
        Turn(text="t", call=Call(tool="search", arguments={"query": "bare"}), observation="nothing"),
        Turn(text="t", call=Call(tool="visit", arguments={"url": ["u"], "goal": 7}), observation="nothing"),
        Turn(text="t", call=Call(tool="[b]fly[/b]", arguments={}), observation="Error: no such tool", tool_error=True),
        Turn(text="t", call=Call(tool="search", arguments={"query": [1, None]}), observation="nothing"),
    )
    show_trajectory(Trajectory(task_id="1", question="why?", turns=turns, stop=Stop.REPEATED))
    text = shown.getvalue()
    assert "the turn is empty" in text
    assert '"bare"' in text
    assert "[b]fly[/b]" in text
    assert "No answer." in text
    assert "said or called the same again" in text


def test_progress_without_a_terminal_is_a_line_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=told, force_terminal=False))
    with console.ProgressView("pages") as view:
        for done in range(0, 1001, 10):
            view.update("read", done, 1000, done)
        view.update("embed", 5, 10, 5)
    assert told.getvalue() == "read: 0 pages\nembed: 5 pages\n"


def test_progress_on_a_terminal_shows_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=told, force_terminal=True, width=100))
    with console.ProgressView("pages") as view:
        view.update("read", 0, 0, 0)  # nothing known of the size yet
        view.update("read", 500, 1000, 1234)
    assert "read" in told.getvalue()
    assert "1,234 pages" in told.getvalue()
