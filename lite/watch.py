"""An episode as a person sees it: while it happens, or from its record."""

import json
from contextlib import AbstractContextManager
from typing import Self

from rich.rule import Rule
from rich.status import Status
from rich.text import Text

from lite.console import out, plain, say, show_indented
from lite.drive import Listener
from lite.records import Call, Stop, Trajectory, Turn
from lite.tools import strings

_EXCERPT = 12  # lines of an observation that the live view shows

_STOPS = {
    Stop.ANSWERED: "it answered",
    Stop.TURNS: "the turn limit was reached",
    Stop.CALLS: "the limit of tool calls was reached",
    Stop.TIME: "its time was up",
    Stop.CONTEXT: "the model's window was full",
    Stop.MALFORMED: "its turns could not be read",
    Stop.REPEATED: "it said or called the same again and again",
    Stop.FAILED: "it failed through no fault of the model's",
}


class EpisodeView(Listener, AbstractContextManager["EpisodeView"]):
    """Prints an episode as it happens. Observations are cut to a few lines unless `full`."""

    def __init__(self, *, full: bool = False) -> None:
        self._full = full
        self._turns = 0
        self._waiting: Status | None = None

    def __enter__(self) -> Self:
        if out.is_terminal:
            self._waiting = out.status("thinking")
            self._waiting.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting is not None:
            self._waiting.stop()

    def said(self, index: int, turn: Turn) -> None:
        """Print the thought and the call."""
        self._turns += 1
        speed = f"{turn.model_seconds:.1f} s, {turn.prompt_tokens} tokens in, {turn.completion_tokens} out"
        out.print(Rule(Text(f"turn {self._turns} · {speed}", "dim"), align="left", style="dim"))
        if turn.think:
            out.print(plain(turn.think, "italic"), soft_wrap=True)
        if turn.call is not None:
            out.print(_call_line(turn.call), soft_wrap=True)
        if turn.malformed is not None:
            say(f"unreadable turn: {turn.malformed}", "red")
            show_indented(turn.text, "dim")

    def observed(self, index: int, turn: Turn) -> None:
        """Print what came back."""
        text = turn.observation or ""
        lines = text.splitlines()
        shown = lines if self._full else lines[:_EXCERPT]
        show_indented("\n".join(shown), "red" if turn.tool_error else "dim")
        if len(lines) > len(shown):
            say(f"   ... {len(lines) - len(shown)} more lines", "dim")

    def ended(self, index: int, trajectory: Trajectory) -> None:
        """Print the answer and what it rests on."""
        self.__exit__()
        self._turns = 0  # another question of a chat may follow
        if trajectory.turns:  # an episode that never began ends in an error line
            show_answer(trajectory)


def _call_line(call: Call) -> Text:
    """`search "a" "b"`, `visit URL for goal`; anything else as it was written."""
    queries, urls, goal = (call.arguments.get(name) for name in ("query", "url", "goal"))
    if call.tool == "search" and (wanted := strings(queries)):
        return Text.assemble(("search  ", "bold green"), plain("  ".join(f'"{one}"' for one in wanted)))
    if call.tool == "visit" and (wanted := strings(urls)):
        return Text.assemble(("visit   ", "bold green"), plain("  ".join(wanted), "cyan"), plain(f"  for: {goal}"))
    return Text.assemble(plain(f"{call.tool}  ", "bold green"), plain(json.dumps(call.arguments, ensure_ascii=False)))


def show_answer(trajectory: Trajectory) -> None:
    """The answer, the URLs it rests on, and how the episode ended."""
    out.print(Rule(style="dim"))
    if trajectory.answered:
        out.print(Text.assemble(("Answer: ", "bold"), plain(trajectory.answer or "", "bold")), soft_wrap=True)
    else:
        say("No answer.", "bold yellow")
    if trajectory.sources:
        say("Its sources:")
        for url in trajectory.sources:
            say(f"  {url}", "cyan")
    if trajectory.unseen:
        say("It names what nothing had shown it:", "yellow")
        for url in trajectory.unseen:
            say(f"  {url}", "yellow")
    turns = "1 turn" if len(trajectory.turns) == 1 else f"{len(trajectory.turns)} turns"
    say(f"{turns}, {trajectory.seconds:.1f} s; {_STOPS[trajectory.stop]}", "dim")


def show_trajectory(trajectory: Trajectory) -> None:
    """A recorded episode, printed as it was seen when it happened, with every observation in full."""
    say(f"Question: {trajectory.question}", "bold")
    view = EpisodeView(full=True)
    for turn in trajectory.turns:
        view.said(0, turn)
        if turn.observation is not None:
            view.observed(0, turn)
    view.ended(0, trajectory)
