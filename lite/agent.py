"""The loop: a question becomes a trajectory.

`episode()` is a generator that does no input or output and reads no clock: it yields Generate and Call events,
receives Reply, Observation or Fault, and returns the Trajectory. Each Turn is yielded too, as it happens, for whoever
watches. `lite.drive` carries the events out; chat, evaluation and training run these same lines.
"""

import json
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from lite.dialect import ASK_FOR_ANSWER, ParsedTurn, parse_turn, quote, storable, wrap_response
from lite.errors import UsageError
from lite.memory import Budget
from lite.recipe import Limits
from lite.records import Call, Fault, Generate, Message, Observation, Reply, Sampling, Stop, Task, Trajectory, Turn
from lite.reward import contains_answer
from lite.tools import schema_lines, strings

Event = Generate | Call | Turn  # a Turn asks for nothing: it lets a listener see what was just said or observed
Answer = Reply | Observation | Fault | None

# Upstream's structure (DESIGN §7). The lines from "# Tools" to the call format are the ones Qwen models were trained
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


def system_prompt(date: str, file: str | Path | None = None) -> str:
    """The system prompt, ending in the current date (DESIGN §7).

    Args:
        date: the world's build date by default, never the clock, so that a run repeats.
        file: a text that takes the prompt's place; `{tools}` and `{date}` in it are filled in.
    """
    text = _SYSTEM
    if file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the prompt file {file} cannot be read ({error}): name a UTF-8 text file") from None
    return text.replace("{tools}", schema_lines()).replace("{date}", date)


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
    late: bool = False

    def end(self, stop: Stop, fault: Fault | None = None, error: str | None = None) -> Trajectory:
        answer = self.turns[-1].answer if self.turns and stop is not Stop.FAILED else None
        return Trajectory(
            task_id=self.task.id,
            question=self.task.question,
            attempt=self.attempt,
            messages=tuple(self.messages[: self.opening]),
            turns=tuple(self.turns),
            answer=answer,
            answered=answer is not None,
            stop=stop,
            failed=fault.where if fault else None,
            error=fault.error if fault else error,
            sources=self._sources(answer),
        )

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
) -> Generator[Event, Answer, Trajectory]:
    """One attempt at one task, as a generator of events. Reads no clock and does no input or output."""
    messages = [Message(role="system", content=system), Message(role="user", content=quote(task.question))]
    progress = _Progress(task, attempt, messages, opening=len(messages))
    conversation = f"{task.id}/{attempt}"
    if budget.room(messages) < 1:
        return progress.end(Stop.CONTEXT, error=f"the question alone fills the window of {budget.context} tokens")
    while True:
        limit = _limit_reached(progress, limits, budget)
        if limit is not None:
            _ask(messages)
        reply = yield Generate(
            messages=tuple(messages),
            max_tokens=max(1, budget.last_room(messages) if limit else budget.room(messages)),
            sampling=sampling,
            form="answer" if limit else "turn" if progress.seen else "call",
            conversation=conversation,
        )
        if isinstance(reply, Fault):
            return progress.end(Stop.FAILED, reply)
        if not isinstance(reply, Reply):
            raise TypeError(f"Generate is answered by a Reply or a Fault, not by {type(reply).__name__}")
        progress.late |= reply.late
        reply = reply.model_copy(update={"text": storable(reply.text)})
        parsed = parse_turn(reply.text)
        turn = _turn(reply, parsed, asked=limit is not None)
        messages.append(Message(role="assistant", content=reply.text))
        yield turn
        if parsed.answer is not None or limit is not None:
            progress.turns.append(turn)
            return progress.end(limit or Stop.ANSWERED)
        observation = yield from _act(progress, parsed, limits)
        if isinstance(observation, Fault):
            progress.turns.append(turn)
            return progress.end(Stop.FAILED, observation)
        whole = observation.text
        text = budget.fit(messages, observation.text)
        observation = _seen(observation, text)
        progress.seen |= observation.shown | observation.read
        progress.read += [url for url in observation.read if url not in progress.read]
        messages.append(Message(role="user", content=wrap_response(text)))
        turn = _observed(turn, observation, text, shortened=text != whole)
        progress.turns.append(turn)
        yield turn
        stop = _hopeless(progress, parsed, limits)
        if stop is not None:
            return progress.end(stop)


def _limit_reached(progress: _Progress, limits: Limits, budget: Budget) -> Stop | None:
    if len(progress.turns) >= limits.turns:
        return Stop.TURNS
    if limits.calls is not None and progress.calls.total() >= limits.calls:
        return Stop.CALLS
    if progress.late:
        return Stop.TIME
    return Stop.CONTEXT if budget.room(progress.messages) < 1 else None


def _hopeless(progress: _Progress, parsed: ParsedTurn, limits: Limits) -> Stop | None:
    """Why going on would lead nowhere: unreadable turns in a row, or a call repeated after its warning."""
    if progress.malformed >= limits.malformed:
        return Stop.MALFORMED
    if parsed.call is not None and progress.calls[_key(parsed.call)] > limits.repeated:
        return Stop.REPEATED
    return None


def _act(progress: _Progress, parsed: ParsedTurn, limits: Limits) -> Generator[Event, Answer, Observation | Fault]:
    """The observation that answers a turn: from the tools, or an error the loop itself can tell."""
    if parsed.call is None:
        progress.malformed += 1
        return Observation(text=f"Error: {parsed.malformed}. Write one <tool_call> or one <answer>.", ok=False)
    progress.malformed = 0
    key = _key(parsed.call)
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


def _ask(messages: list[Message]) -> None:
    """Ask for the last answer, in the user message that stands last: some templates refuse two in a row."""
    last = messages.pop()
    messages.append(Message(role="user", content=f"{last.content}\n\n{ASK_FOR_ANSWER}"))


def _key(call: Call) -> str:
    """What makes two calls the same: a bare string counts as a list of one here too."""
    arguments = {name: strings(value) or value for name, value in call.arguments.items()}
    return json.dumps([call.tool, arguments], sort_keys=True)


def _turn(reply: Reply, parsed: ParsedTurn, *, asked: bool) -> Turn:
    return Turn(
        text=reply.text,
        think=parsed.think,
        call=parsed.call,
        answer=parsed.answer,
        malformed="cut off at its token limit" if parsed.malformed and reply.finish == "length" else parsed.malformed,
        repairs=parsed.repairs,
        asked=asked,
        prompt_tokens=reply.prompt_tokens,
        cached_tokens=reply.cached_tokens,
        completion_tokens=reply.completion_tokens,
        token_ids=reply.token_ids,
        logprobs=reply.logprobs,
        model_seconds=reply.seconds,
    )


def _observed(turn: Turn, observation: Observation, text: str, *, shortened: bool) -> Turn:
    return turn.model_copy(
        update={
            "observation": text,
            "tool_error": not observation.ok and turn.malformed is None,
            "shortened": shortened,
            "shown": tuple(observation.shown),
            "read": tuple(observation.read),
            "tool_seconds": observation.seconds,
        }
    )
