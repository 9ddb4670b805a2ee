"""The context budget, and what happens when it is reached: what an agent that cannot hold everything remembers.

An observation that is too long for the window is shortened to what fits, counted with the model's own tokenizer.
When the window fills, one of three policies (`Limits.memory`): `stop` asks for the answer; `keep-last` cuts the older
observations to their heads; `summarise` turns each older call and its result into one sentence, the mechanism of the
paper's 64k runs. A rewrite changes what the following turns are written behind: it starts a new `Segment`.
"""

import json
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import islice

from lite.dialect import ASK_FOR_ANSWER, RESPONSE, parse_turn, quote, wrap_response
from lite.recipe import Memory
from lite.records import Fault, Generate, Message, Reply, Sampling, storable

Count = Callable[[Sequence[Message]], int]
_SHORTEST_TURN = 64  # tokens; a turn that may write less than this cannot think and call
_LONGEST_WORD = 40  # characters
_CUT = "\n[…]"
_HEADS = (60, 15)  # words of an older observation that keep-last leaves, the second where the first is too much
_SENTENCE = 40  # words, the most of one
_SENTENCE_TOKENS = 96  # at least: who thinks first has a turn to do it in
_NOTES = "\n\nWhat your earlier calls have found:\n"
_WORD = re.compile(r"[\u3400-\u9fff\u3040-\u30ff]|[^\W_]+")
# A word of a head: what stands between spaces, a part of it where it is long, a character of Chinese.
_PIECE = re.compile(r"[\u3400-\u9fff\u3040-\u30ff]|[^\s\u3400-\u9fff\u3040-\u30ff]{1,40}")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_FRAME = re.compile(r"^(A Google search for '|The useful information in |Evidence in page:|Summary:|## |=======)")


@dataclass(frozen=True)
class Budget:
    """Tokens of one model's window.

    Attributes:
        context: the window, prompt and reply together.
        turn: the most one turn may write.
        answer: kept free for the last answer.
        count: tokens of the prompt that some messages make.
    """

    context: int
    turn: int
    answer: int
    count: Count

    def room(self, messages: Sequence[Message]) -> int:
        """Tokens the next turn may write so that the agent can still be asked for its answer; below 1: none."""
        free = self.context - self.count(messages) - self._kept()
        return 0 if free < _SHORTEST_TURN else min(free, self.turn)

    def last_room(self, messages: Sequence[Message]) -> int:
        """Tokens the last answer may write: a whole turn where that fits, for who thinks thinks now too."""
        free = self.context - self.count(messages)
        # Room was kept for it: where tokens are but estimated, the estimate has risen since, and the server may judge.
        return min(free, max(self.answer, self.turn)) if free > 0 else self.answer

    def fits(self, messages: Sequence[Message], observation: str = "", *, spare: int = 0) -> bool:
        """Whether a turn and an answer fit behind `observation`, with `spare` tokens left over."""
        said = [Message(role="user", content=wrap_response(observation))] if observation else []
        return self.count([*messages, *said]) <= self.context - self._kept() - _SHORTEST_TURN - spare

    def fit(self, messages: Sequence[Message], observation: str) -> str:
        """`observation` whole if a turn and an answer fit behind it, else its head in two thirds of what is free."""
        if self.fits(messages, observation):
            return observation
        free = self.context - self._kept() - self.count(messages)
        spare = max(0, free // 3 - _SHORTEST_TURN)
        low, high = 0, len(observation)  # `low` characters fit, or none do
        while low + 1 < high:
            middle = (low + high) // 2
            fits = self.fits(messages, observation[:middle] + _CUT, spare=spare)
            low, high = (middle, high) if fits else (low, middle)
        space = observation.rfind(" ", max(0, low - _LONGEST_WORD), low)  # Chinese has none: cut where it is full
        return observation[: space if space > 0 else low] + _CUT

    def _kept(self) -> int:
        """The last answer and the request for it, the latter by an upper bound that holds for any tokenizer."""
        return self.answer + len(ASK_FOR_ANSWER) // 3


@dataclass
class Remembered:
    """A rewritten conversation, and what the model spent on the rewriting."""

    messages: list[Message]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    unwritten: int = 0  # notes that the model was asked for and did not write: extracted in its place


Writing = Generator[Generate, Reply | Fault | None, Remembered | Fault | None]


@dataclass(frozen=True)
class Past:
    """A conversation as memory sees it.

    Attributes:
        messages: all of it; behind the first `opening` ones assistant and user take turns.
        opening: what memory never touches but to add its notes to the last of them, the question.
        question: what is being researched.
        conversation: its name, as in Generate.
    """

    messages: Sequence[Message]
    opening: int
    question: str
    conversation: str


def rewrite(past: Past, policy: Memory, budget: Budget, *, keep: int, coming: str = "") -> Writing:
    """Make room, by `policy`, for a turn and for the observation that is `coming`.

    The newest `keep` observations, the coming one among them, stay whole as long as that makes room enough.

    Returns:
        None when nothing can be shortened (always for `stop`); a Fault when the model failed while summarising.
    """
    whole = max(0, keep - bool(coming))
    if policy == "keep-last":
        return _keep_last(past, budget, whole, coming)
    if policy in {"summarise", "summarise-model"}:
        return (yield from _summarise(past, budget, whole, coming, by_model=policy == "summarise-model"))
    return None


def _enough(budget: Budget, messages: Sequence[Message], coming: str) -> bool:
    """Room for a whole turn, what is coming, and something left, so that the next turn does not rewrite again."""
    return budget.fits(messages, coming, spare=min(budget.turn + budget.context // 8, budget.context // 3))


def _keep_last(past: Past, budget: Budget, whole: int, coming: str) -> Remembered | None:
    shortened: list[Message] = []
    for head in _HEADS:
        for kept in range(whole, -1, -1):
            shortened = _cut_older(past, kept, head)
            if _enough(budget, shortened, coming):
                return Remembered(shortened) if shortened != list(past.messages) else None
    return Remembered(shortened) if shortened != list(past.messages) else None


def _cut_older(past: Past, whole: int, head: int) -> list[Message]:
    """All observations but the newest `whole` cut to their first `head` words."""
    messages = list(past.messages)
    places = [n for n in range(past.opening, len(messages)) if messages[n].role == "user"]
    for place in places[: len(places) - whole]:
        found = RESPONSE.match(messages[place].content)
        if found and (end := _end_of_head(found[1], head)) is not None:
            text = wrap_response(found[1][:end] + _CUT)
            messages[place] = Message(role="user", content=text + messages[place].content[found.end() :])
    return messages


def _end_of_head(text: str, words: int) -> int | None:
    """Where the first `words` words end, those of Chinese a character each; None where there are no more than that."""
    text = text.removesuffix(_CUT)
    found = list(islice(_PIECE.finditer(text), words + 1))
    return found[-2].end() if len(found) > words else None


def _summarise(past: Past, budget: Budget, whole: int, coming: str, *, by_model: bool) -> Writing:
    pairs = _pairs(past)
    if not pairs:
        return None
    old = _notes(past)
    notes = [note(past.question, said.content, seen.content) for said, seen in pairs]
    count = max(1, len(pairs) - whole)
    while count < len(pairs) and not _enough(budget, _with_notes(past, [*old, *notes[:count]], count), coming):
        count += 1
    spent = Remembered([])
    if by_model:
        for place, (said, seen) in enumerate(pairs[:count]):
            reply = yield _ask_for_sentence(past, said.content, seen.content, budget)
            if not isinstance(reply, Reply):
                return reply
            written = _written(reply.text, said.content)
            notes[place] = written or notes[place]
            spent.unwritten += not written
            spent.prompt_tokens += reply.prompt_tokens
            spent.completion_tokens += reply.completion_tokens
            spent.seconds += reply.seconds
    kept = [*old, *notes[:count]]
    while kept and not budget.fits(_with_notes(past, kept, count), spare=budget.context // 4):
        kept = kept[1:]  # the notes themselves fill the window: the oldest are given up
    spent.messages = _with_notes(past, kept, count)
    return spent


def _pairs(past: Past) -> list[tuple[Message, Message]]:
    """Past calls with their observations, oldest first."""
    rest = list(past.messages[past.opening :])
    return list(zip(rest[0::2], rest[1::2], strict=False))


def _with_notes(past: Past, notes: Sequence[str], count: int) -> list[Message]:
    """The conversation with all its notes, `notes`, in the place of earlier ones and of the first `count` pairs."""
    *before, asked = past.messages[: past.opening]
    lines = "".join(f"- {line}\n" for line in notes)
    text = asked.content[: _end_of_question(past)] + (_NOTES + lines if lines else "")
    return [*before, Message(role="user", content=text), *past.messages[past.opening + 2 * count :]]


def _notes(past: Past) -> list[str]:
    """The notes that stand behind the question already."""
    behind = past.messages[past.opening - 1].content[_end_of_question(past) :]
    return [line.removeprefix("- ") for line in behind.removeprefix(_NOTES).splitlines()]


def _end_of_question(past: Past) -> int:
    return len(quote(past.question))


def note(question: str, said: str, seen: str) -> str:
    """One sentence on a past call: what was called, and the sentence of its result that fits the question best."""
    found = RESPONSE.match(seen)
    text = found[1] if found else seen
    wanted = set(_words(f"{question} {_called(said)}"))
    best, score = "", 0.0
    for line in _SENTENCES.split(text):
        words = _words(line)
        if words and not _FRAME.match(line):
            value = len(wanted & set(words)) / (len(words) + 8) ** 0.5
            if not best or value > score:
                best, score = line.strip(), value
    return f"{_called(said)}: {_clipped(best) or 'nothing'}"


def _called(said: str) -> str:
    call = parse_turn(said).call
    return f"{call.tool} {json.dumps(call.arguments, ensure_ascii=False)}" if call else "an unreadable turn"


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _clipped(sentence: str) -> str:
    words = sentence.split()
    clipped = sentence if len(words) <= _SENTENCE else " ".join(words[:_SENTENCE]) + " …"
    return clipped if len(clipped) <= 10 * _SENTENCE else clipped[: 10 * _SENTENCE] + " …"


def _ask_for_sentence(past: Past, said: str, seen: str, budget: Budget) -> Generate:
    """Ask the model for its sentence on one past call, in a conversation of its own."""
    found = RESPONSE.match(seen)
    text = found[1] if found else seen

    def asked(result: str) -> list[Message]:
        request = (
            f"Somebody researches this question: {past.question}\nThe call: {_called(said)}\nIts result:\n{result}\n\n"
            "Say in one sentence what this result tells about the question, with the names, numbers and addresses "
            "that matter. Write the sentence only."
        )
        return [Message(role="user", content=request)]

    writes = max(_SENTENCE_TOKENS, min(budget.turn, budget.context // 3))
    while budget.count(asked(text)) > budget.context - writes - 16 and text:
        text = text[: len(text) * 3 // 4]
    return Generate(
        messages=tuple(asked(text)),
        max_tokens=writes,
        sampling=Sampling(temperature=0, presence_penalty=0),
        form="free",
    )


def _written(text: str, said: str) -> str:
    """The model's sentence behind the call it is about; '' where it wrote none."""
    _, closed, rest = storable(text).rpartition("</think>")
    line = " ".join((rest if closed or "<think>" not in rest else "").split())
    return f"{_called(said)}: {_clipped(quote(line))}" if line else ""
