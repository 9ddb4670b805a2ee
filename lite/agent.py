"""The loop: a question becomes a trajectory.

`episode()` is a generator that does no input or output and reads no clock: it yields Generate and Call events,
receives Reply, Observation or Fault, and returns the Trajectory. Each Turn is yielded too, as it happens, for whoever
watches. `lite.drive` carries the events out; chat, evaluation and training run these same lines.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lite.dialect import ParsedTurn, ask_for_answer, loops, parse_turn, quote, wrap_response
from lite.errors import UsageError
from lite.memory import Budget, Past, rewrite
from lite.recipe import Limits
from lite.records import (
    Call,
    Fault,
    Generate,
    Message,
    Observation,
    Reply,
    Sampling,
    Segment,
    Stop,
    Task,
    Trajectory,
    Turn,
    storable,
)
from lite.reward import contains_answer
from lite.run import digest
from lite.tools import NAMES, schema_lines, strings

Event = Generate | Call | Turn  # a Turn asks for nothing: it lets a listener see what was just said or observed
Answer = Reply | Observation | Fault | None
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\]|\\，。；：、！？（）《》「」]+")  # noqa: RUF001  # Chinese punctuation ends one
# What a tool says back of a call: the words of a search, and an address under which there is nothing.
_ECHO = re.compile(
    r"^A Google search for '.*' found \d+ results:$|^No results found for '.*'\. Try with .*$"
    r"|^The useful information in (?s:(?:(?! as follows: ).)*) as follows: \n\nEvidence in page: \n"
    r"The provided webpage content could not be ",
    re.MULTILINE,
)
_LOOPS = 2  # looping turns that end an episode: the first is told

# Upstream's structure. The lines from "# Tools" to the call format are the ones Qwen models were trained
# on; the example keeps small models from copying a placeholder.
_SYSTEM = """\
You are a research assistant. You answer a question by looking things up on the web, step by step, until you are \
sure. Begin with a search; visit the pages that look useful; follow their links; search with other words when nothing \
useful comes back. Never answer from memory.

Every turn is one thought and one action. Either you call a tool:
<think>I need the year in which the Golden Gate Bridge was opened, so I search for it.</think>
<tool_call>
{"name": "search", "arguments": {"query": ["Golden Gate Bridge opening year"]}}
</tool_call>
or, only after the pages have told you, you answer:
<think>The page about the bridge says that it was opened in 1937.</think>
<answer>1937</answer>

# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>
The function's result comes in the next message. The answer inside <answer></answer> holds only words, numbers or a \
phrase, no explanation. Begin every turn with <think>, and end it after one </tool_call> or one </answer>.
Current date: {date}"""


_BROWSE = " visit the pages that look useful; follow their links;"


def system_prompt(date: str, file: str | Path | None = None, tools: Sequence[str] = NAMES) -> str:
    """The system prompt, ending in the current date.

    Args:
        date: the world's build date by default, never the clock, so that a run repeats.
        file: a text that takes the prompt's place; `{tools}` and `{date}` in it are filled in.
        tools: names of those there are.
    """
    text = _SYSTEM if "visit" in tools else _SYSTEM.replace(_BROWSE, "")
    if file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the prompt file {file} cannot be read ({error}): name a UTF-8 text file") from None
    return text.replace("{tools}", schema_lines(tools)).replace("{date}", date)


@dataclass
class _Progress:
    """What one episode has so far."""

    task: Task
    attempt: int
    messages: list[Message]
    opening: int
    turns: list[Turn] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)  # URL -> text the model has seen of it
    read: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    loops: int = 0
    late: bool = False
    segments: list[Segment] = field(default_factory=list)
    rewritten: Segment | None = None  # by memory since the last turn
    known: Collection[str] = ()  # URLs that an earlier question of the conversation has shown
    began: tuple[Message, ...] = ()  # what stood before the first turn

    def __post_init__(self) -> None:
        self.began = tuple(self.messages)

    @property
    def conversation(self) -> str:
        return f"{self.task.id}/{self.attempt}"

    def end(self, stop: Stop, fault: Fault | None = None, error: str | None = None) -> Trajectory:
        answer = self.turns[-1].answer if self.turns and stop is not Stop.FAILED else None
        return Trajectory(
            task_id=self.task.id,
            question=self.task.question,
            attempt=self.attempt,
            mask=self.task.mask,
            messages=self.began,
            turns=tuple(self.turns),
            segments=tuple(self.segments),
            answer=answer,
            answered=answer is not None,
            stop=stop,
            failed=fault.where if fault else None,
            error=fault.error if fault else error,
            sources=self._sources(answer),
            unseen=self._unseen() if answer is not None else (),
        )

    def _unseen(self) -> tuple[str, ...]:
        """URLs that the last turn names although nothing that the model was shown has them; what it asked for itself
        and what it said before shows nothing.
        """
        texts = [message.content for message in self.began if message.role != "assistant"]
        texts += [_ECHO.sub("", turn.observation) for turn in self.turns if turn.observation]
        shown = {_plain(url) for text in texts for url in _addresses(text)} | {
            _plain(url) for url in (*self.seen, *self.known)
        }
        named = dict.fromkeys(_addresses(self.turns[-1].text))
        return tuple(url for url in named if _plain(url) not in shown)

    def _sources(self, answer: str | None) -> tuple[str, ...]:
        """Pages the answer rests on: those whose seen text holds it, visited ones first, then the other visited."""
        if answer is None:
            return ()
        holding = [url for url, text in self.seen.items() if contains_answer(text, answer)]
        order = [u for u in self.read if u in holding] + [u for u in self.read if u not in holding]
        return tuple(dict.fromkeys([*order, *(u for u in holding if u not in self.read)]))


def episode(
    task: Task,
    *,
    system: str,
    budget: Budget,
    limits: Limits,
    sampling: Sampling,
    attempt: int = 0,
    before: Sequence[Message] = (),
    known: Collection[str] = (),
) -> Generator[Event, Answer, Trajectory]:
    """One attempt at one task, as a generator of events. Reads no clock and does no input or output.

    `before` is a conversation that the question goes on from, behind the system prompt; `known` are the URLs it saw.
    """
    messages = [Message(role="system", content=system), *before, Message(role="user", content=quote(task.question))]
    progress = _Progress(task, attempt, messages, opening=len(messages), known=known)
    if budget.room(messages) < 1:
        return progress.end(Stop.CONTEXT, error=f"the question alone fills the window of {budget.context} tokens")
    while True:
        if budget.room(messages) < 1 and (fault := (yield from _remember(progress, budget, limits))):
            return progress.end(Stop.FAILED, fault)
        limit = _limit_reached(progress, limits, budget)
        reply = yield _next_turn(progress, budget, sampling, limit)
        if isinstance(reply, Fault):
            return progress.end(Stop.FAILED, reply)
        if not isinstance(reply, Reply):
            raise TypeError(f"Generate is answered by a Reply or a Fault, not by {type(reply).__name__}")
        progress.late |= reply.late
        reply = reply.model_copy(update={"text": storable(reply.text)})
        parsed = parse_turn(reply.text, strict=limits.strict, cut=reply.finish == "length")
        turn = _turn(reply, parsed, asked=limit is not None)
        messages.append(Message(role="assistant", content=reply.text))
        yield turn
        if parsed.answer is not None or limit is not None:
            progress.turns.append(turn)
            return progress.end(limit or Stop.ANSWERED)
        observation = yield from _act(progress, parsed, limits, reply.text)
        if isinstance(observation, Observation) and not budget.fits(messages, observation.text):
            observation = (yield from _remember(progress, budget, limits, observation.text)) or observation
        if isinstance(observation, Fault):
            progress.turns.append(turn)
            return progress.end(Stop.FAILED, observation)
        turn = _take_in(progress, turn, observation, budget)
        yield turn
        stop = _hopeless(progress, parsed, limits)
        if stop is not None:
            return progress.end(stop)


def _next_turn(progress: _Progress, budget: Budget, sampling: Sampling, limit: Stop | None) -> Generate:
    """The event that asks for the next turn, or for the answer when a limit is reached."""
    messages = progress.messages
    if limit is not None:
        ask_for_answer(messages)
    if progress.rewritten is not None:
        new = {"start": len(progress.turns), "messages": tuple(messages)}
        progress.segments.append(progress.rewritten.model_copy(update=new))
        progress.rewritten = None
    return Generate(
        messages=tuple(messages),
        max_tokens=max(1, budget.last_room(messages) if limit else budget.room(messages)),
        sampling=sampling,
        form="answer" if limit else "turn" if progress.seen else "call",
        conversation=progress.conversation,
        turn=len(progress.turns),
    )


def _remember(
    progress: _Progress, budget: Budget, limits: Limits, coming: str = ""
) -> Generator[Event, Answer, Fault | None]:
    """Let memory make room in the conversation."""
    past = Past(progress.messages, progress.opening, progress.task.question, progress.conversation)
    steps = rewrite(past, limits.memory, budget, keep=limits.keep, coming=coming)
    answer: Reply | Fault | None = None
    while True:
        try:
            event = next(steps) if answer is None else steps.send(answer)
        except StopIteration as end:
            written = end.value
            break
        given = yield event
        if not isinstance(given, Reply | Fault):
            raise TypeError(f"Generate is answered by a Reply or a Fault, not by {type(given).__name__}")
        answer = given
    if written is None or isinstance(written, Fault):
        return written
    progress.messages[:] = written.messages
    spent = progress.rewritten or Segment(start=0, policy=limits.memory, messages=())
    progress.rewritten = spent.model_copy(
        update={
            "prompt_tokens": spent.prompt_tokens + written.prompt_tokens,
            "completion_tokens": spent.completion_tokens + written.completion_tokens,
            "seconds": round(spent.seconds + written.seconds, 3),
            "unwritten": spent.unwritten + written.unwritten,
        }
    )
    return None


def _take_in(progress: _Progress, turn: Turn, observation: Observation, budget: Budget) -> Turn:
    """Show the model its observation, as much of it as fits, and note what it has seen now."""
    whole = observation.text
    text = budget.fit(progress.messages, whole)
    observation = _seen(observation, text)
    for url, passage in (*observation.shown.items(), *observation.read.items()):
        known = progress.seen.get(url, "")
        progress.seen[url] = known if passage in known else f"{known}\n{passage}".strip()
    progress.read += [url for url in observation.read if url not in progress.read]
    progress.messages.append(Message(role="user", content=wrap_response(text)))
    turn = _observed(turn, observation, text, whole)
    progress.turns.append(turn)
    return turn


def _limit_reached(progress: _Progress, limits: Limits, budget: Budget) -> Stop | None:
    if len(progress.turns) >= limits.turns:
        return Stop.TURNS
    if limits.calls is not None and progress.calls.total() >= limits.calls:
        return Stop.CALLS
    if progress.late:
        return Stop.TIME
    return Stop.CONTEXT if budget.room(progress.messages) < 1 else None


def _hopeless(progress: _Progress, parsed: ParsedTurn, limits: Limits) -> Stop | None:
    """Why going on would lead nowhere: unreadable turns in a row, a call or a loop again after its warning."""
    if progress.loops >= _LOOPS:
        return Stop.REPEATED
    if progress.malformed >= limits.malformed:
        return Stop.MALFORMED
    if parsed.call is not None and progress.calls[call_key(parsed.call)] > limits.repeated:
        return Stop.REPEATED
    return None


def _act(
    progress: _Progress, parsed: ParsedTurn, limits: Limits, text: str
) -> Generator[Event, Answer, Observation | Fault]:
    """The observation that answers a turn: from the tools, or an error the loop itself can tell."""
    if parsed.call is None:
        progress.malformed += 1
        if loops(text):
            progress.loops += 1
            return Observation(
                text="Error: the turn said the same words again and again. Write one <tool_call> or one <answer>.",
                ok=False,
            )
        return Observation(text=f"Error: {parsed.malformed}. Write one <tool_call> or one <answer>.", ok=False)
    progress.malformed = 0
    key = call_key(parsed.call)
    progress.calls[key] += 1
    if progress.calls[key] >= limits.repeated:
        count = progress.calls[key]
        return Observation(text=f"Error: this same call has now been made {count} times. Try another.", ok=False)
    observation = yield parsed.call
    if not isinstance(observation, Observation | Fault):
        raise TypeError(f"Call is answered by an Observation or a Fault, not by {type(observation).__name__}")
    return observation


def _seen(observation: Observation, text: str) -> Observation:
    """The observation less the pages that the model did not get to see because `text`, what it was told, was cut."""
    if text == observation.text:
        return observation

    def left(pages: dict[str, str]) -> dict[str, str]:
        starts = {url: text.find(quote(url)) for url in pages}
        return {
            url: passage if quote(passage) in text else text[starts[url] :]
            for url, passage in pages.items()
            if starts[url] >= 0
        }

    return observation.model_copy(update={"shown": left(observation.shown), "read": left(observation.read)})


def _addresses(text: str) -> list[str]:
    """The URLs in a text, less the punctuation behind them."""
    return [found.rstrip(".,;:!?)*") for found in _ADDRESS.findall(text)]


def _plain(url: str) -> str:
    """A URL by what tells it from others."""
    return url.partition("://")[2].removeprefix("www.").rstrip("/")


def call_key(call: Call) -> str:
    """What makes two calls the same: a bare string counts as a list of one here too."""
    arguments = {name: strings(value) or value for name, value in call.arguments.items()}
    return json.dumps([call.tool, arguments], sort_keys=True)


def _turn(reply: Reply, parsed: ParsedTurn, *, asked: bool) -> Turn:
    return Turn(
        text=reply.text,
        think=parsed.think,
        call=parsed.call,
        answer=parsed.answer,
        malformed=parsed.malformed,
        repairs=parsed.repairs,
        asked=asked,
        prompt_tokens=reply.prompt_tokens,
        cached_tokens=reply.cached_tokens,
        completion_tokens=reply.completion_tokens,
        token_ids=reply.token_ids,
        logprobs=reply.logprobs,
        model_seconds=reply.seconds,
    )


def _observed(turn: Turn, observation: Observation, text: str, whole: str) -> Turn:
    return turn.model_copy(
        update={
            "observation": text,
            "tool_error": not observation.ok and turn.malformed is None,
            "shortened": text != whole,
            "whole": digest(whole) if text != whole else None,
            "shown": tuple(observation.shown),
            "read": tuple(observation.read),
            "reader_prompt_tokens": observation.prompt_tokens,
            "reader_completion_tokens": observation.completion_tokens,
            "reader_seconds": observation.reader_seconds,
            "tool_seconds": observation.seconds,
        }
    )
