"""One turn being written by a model in this process: its prompt as ids, and what is sampled, whatever computes it.

Engines give logits; everything else about a turn is here: which control tokens are in a prompt, where a turn ends, and
what of it is said, remembered and recorded.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lite.dialect import STOP, replayed
from lite.errors import ModelError
from lite.models.chat import ChatTemplate, ControlTokens
from lite.models.sampling import choose, log_probability, random_for
from lite.records import Fault, Generate, Message, Reply, Trajectory
from lite.records import Turn as SaidTurn

_STOP = STOP.encode()


class Vocabulary(Protocol):
    """What a turn needs of a tokenizer."""

    bos: int
    opens_with_bos: bool

    def tokenize(self, text: str) -> Sequence[int]:
        """Ids of plain text: no control token comes out of it, whatever it spells."""
        ...

    def piece(self, token: int) -> bytes:
        """Bytes of one token; a control token has none, unless it is one of the dialect's tags."""
        ...

    def ends_turn(self, token: int) -> bool:
        """Is this an end-of-generation token?"""
        ...


class Walk(Protocol):
    """A grammar walking along one turn."""

    def allows(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these tokens may come next."""
        ...

    def accept(self, token: int) -> None:
        """Move on over a token that `allows` allowed."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


@dataclass
class Said:
    """What a conversation has said so far, as text and as ids."""

    text: str = ""  # the rendered text that `ids` stand for; the next prompt usually goes on from it
    ids: list[int] = field(default_factory=list)
    joints: list[tuple[int, int]] = field(default_factory=list)  # (len(text), len(ids)) where a turn began or ended

    def stands_for(self, rendered: str) -> tuple[int, int]:
        """The longest start of `rendered`, in characters and in ids, that was already said here word for word."""
        for chars, count in reversed(self.joints):
            if rendered.startswith(self.text[:chars]):
                return chars, count
        return 0, 0

    def settle(self, rendered: str, ids: Sequence[int], said: str, sampled: Sequence[int]) -> None:
        """Note a finished turn: the prompt's text and ids, then what the model said and the ids it sampled."""
        chars, _ = self.stands_for(rendered)
        self.joints = [joint for joint in self.joints if joint[0] <= chars]
        self.text, self.ids = rendered + said, [*ids, *sampled]
        self.joints += [(len(rendered), len(ids)), (len(self.text), len(self.ids))]


@dataclass(eq=False)
class Turn:
    """One request on its way."""

    request: Generate
    rendered: str
    ids: list[int]
    room: int  # tokens it may sample
    random: np.random.Generator
    opened: str = ""  # of its text, what the template has written already
    grammar: Walk | None = None
    cached: int = 0
    sampled: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # len(data) after each sampled token
    data: bytes = b""
    stop: int = -1  # where in `data` the stop tag begins
    finish: Literal["", "stop", "length", "failed"] = ""
    error: str = ""
    seconds: float = 0.0

    def sample(self, logits: NDArray[np.float32], vocabulary: Vocabulary) -> None:
        """Choose the next token; sets `finish` when it is the last one."""
        sampling, grammar = self.request.sampling, self.grammar
        token = choose(logits, sampling, set(self.sampled), self.random, grammar.allows if grammar else None)
        if token is None:  # the grammar has no way on
            self.finish = "stop"
            return
        if grammar and not vocabulary.ends_turn(token):
            grammar.accept(token)
        self.take(token, log_probability(logits, token, sampling.temperature), vocabulary)

    def take(self, token: int, logprob: float, vocabulary: Vocabulary) -> None:
        """Go on by a token that was chosen; sets `finish` when it is the last one."""
        self.sampled.append(token)
        self.logprobs.append(logprob)
        if vocabulary.ends_turn(token):
            self.finish = "stop"
            return
        tail = max(0, len(self.data) - len(_STOP))
        self.data += vocabulary.piece(token)
        self.ends.append(len(self.data))
        self.stop = self.data.find(_STOP, tail)
        if self.stop >= 0:
            self.finish = "stop"
        elif len(self.sampled) >= self.room:
            self.finish = "length"

    def end(self, said: Said, control: ControlTokens) -> Reply:
        """The reply, noted in what its conversation has said."""
        whole, sampled = self.data, self.sampled  # what the conversation stands for, and its ids (no end of turn)
        spoken = sampled[: len(self.ends)]
        if self.stop >= 0:
            spoken, whole = _up_to(self.stop, spoken, self.ends, self.data)
            sampled = sampled[: len(spoken) + (len(whole) < self.stop)]
        said.settle(self.rendered, self.ids, control.shield(_decode(whole)), spoken)
        text = _decode(self.data[: self.stop] if self.stop >= 0 else self.data)
        return Reply(
            text=text if text.lstrip().startswith("<think>") else self.opened + text,
            finish="length" if self.finish == "length" else "stop",
            prompt_tokens=len(self.ids),
            cached_tokens=self.cached,
            completion_tokens=len(self.sampled),
            token_ids=tuple(sampled),
            logprobs=tuple(self.logprobs[: len(sampled)]),
            seconds=self.seconds,
        )


@dataclass(frozen=True)
class Tokens:
    """A conversation as the model computed it.

    Attributes:
        ids: all of it.
        sampled: which of them the model wrote; the others are prompts and observations.
        logprobs: of those sampled, as they were when they were sampled; 0 elsewhere, and where they are not known.
    """

    ids: list[int]
    sampled: list[bool]
    logprobs: list[float]


@dataclass(frozen=True)
class Prompts:
    """From messages to ids, for one model."""

    vocabulary: Vocabulary
    template: ChatTemplate
    control: ControlTokens
    context: int

    def render(self, messages: Sequence[Message]) -> str:
        """The template's text, what the messages have of control tokens hidden."""
        shield = self.control.shield
        return self.template.render([Message(role=each.role, content=shield(each.content)) for each in messages])

    def ids(self, rendered: str, *, opening: bool = True) -> list[int]:
        """Ids of a rendered text; `opening` says that it stands at the beginning."""
        ids: list[int] = []
        for piece in self.control.split(rendered):
            ids += [piece] if isinstance(piece, int) else self.vocabulary.tokenize(piece)
        if opening and self.vocabulary.opens_with_bos and ids[:1] != [self.vocabulary.bos]:
            ids.insert(0, self.vocabulary.bos)
        return ids

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt these messages make. Raises ModelError when the chat template refuses them."""
        try:
            return len(self.ids(self.render(messages)))
        except ValueError as error:
            raise ModelError(f"this model cannot be asked: {error}") from None

    def turn(self, request: Generate, known: Said | None) -> Turn | Fault:
        """A request as a turn; what `known` has said before keeps the ids it was said with."""
        try:
            rendered = self.render(request.messages)
        except ValueError as error:
            return Fault(where="model", error=str(error))
        chars, count = known.stands_for(rendered) if known else (0, 0)
        ids = (known.ids[:count] if known else []) + self.ids(rendered[chars:], opening=not chars)
        if len(ids) >= self.context:  # what was sampled can be more tokens than the same text makes
            ids = self.ids(rendered)
        if len(ids) >= self.context:
            return Fault(
                where="model", error=f"a prompt of {len(ids)} tokens does not fit the window of {self.context}"
            )
        return Turn(
            request=request,
            rendered=rendered,
            ids=ids,
            room=max(1, min(request.max_tokens, self.context - len(ids))),
            opened=self.template.opens,
            random=random_for(request.sampling.seed, request.conversation, request.number),
        )

    def sequences(self, trajectory: Trajectory) -> list[Tokens]:
        """The ids of a conversation, made as its prompts were: what was sampled is never tokenised again.

        One for each prefix that turns were written behind: memory may rewrite what stands before a turn (see
        `Trajectory.sequences`), and so may the template (Qwen3 drops older thoughts, and has line breaks of its own
        around them). Turns without ids (a demonstration's) are tokenised as the template would have them written,
        each with the token that ends it.
        """
        said = Said()  # one for all: what memory leaves of earlier turns keeps the ids they were sampled with
        return [row for before, turns in trajectory.sequences() for row in self._tokens(before, turns, said)]

    def _tokens(self, before: Sequence[Message], turns: Sequence[SaidTurn], said: Said) -> list[Tokens]:
        rows = [row := Tokens([], [], [])]
        turns = [turn.model_copy(update={"text": self._as_kept(turn)}) for turn in turns]
        for place, turn in enumerate(turns):
            rendered = self.render(replayed(before, turns[: place + 1])[: -1 - (turn.observation is not None)])
            chars, count = said.stands_for(rendered)
            prompt = said.ids[:count] + self.ids(rendered[chars:], opening=not chars)
            if turn.token_ids is None:
                sampled = [*self.vocabulary.tokenize(self._behind_opening(turn.text)), self._end_of_turn()]
            else:
                sampled = list(turn.token_ids)
            if sum(row.sampled[common(row.ids, prompt) :]) > 1:  # what was sampled stands there otherwise now
                rows.append(row := Tokens([], [], []))
            _append(row, prompt, sampled, turn.logprobs or [0.0] * len(sampled))
            spoken, text = self._spoken(sampled)
            said.settle(rendered, prompt, self.control.shield(text), spoken)
        return rows

    def _as_kept(self, turn: SaidTurn) -> str:
        """A demonstration's turn as the template shows it later on, so that the ids of later prompts go on from it."""
        head, closed, rest = turn.text.partition("</think>")
        shown_otherwise = self.template.parts and turn.token_ids is None and closed
        return f"{head}</think>\n\n{rest.lstrip()}" if shown_otherwise else turn.text

    def _behind_opening(self, text: str) -> str:
        """A turn less what the template has written of it."""
        tag = "<think>"
        opened = self.template.opens and text.startswith(tag)
        return text.removeprefix(tag).removeprefix("\n") if opened else text

    def _spoken(self, sampled: Sequence[int]) -> tuple[list[int], str]:
        """What of a turn's ids the conversation goes on from, and its text."""
        spoken = [token for token in sampled if not self.vocabulary.ends_turn(token)]
        pieces = [self.vocabulary.piece(token) for token in spoken]
        ends, data = list(accumulate(map(len, pieces))), b"".join(pieces)
        stop = data.find(_STOP)
        if stop >= 0:
            spoken, data = _up_to(stop, spoken, ends, data)
        return spoken, _decode(data)

    def _end_of_turn(self) -> int:
        """The token by which the template ends an assistant's turn."""
        chat = [Message(role="user", content="a"), Message(role="assistant", content="b")]
        behind = self.render([*chat, Message(role="user", content="c")])[len(self.render(chat[:1])) :]
        ends = (token for token in self.ids(behind, opening=False) if self.vocabulary.ends_turn(token))
        found = next(ends, None)
        if found is None:
            raise ValueError("the chat template ends no assistant turn with a token of its own")
        return found


def _append(row: Tokens, prompt: Sequence[int], sampled: Sequence[int], logprobs: Sequence[float]) -> None:
    """Let `row` go on as `prompt` and what was sampled behind it. What of the row is no part of the prompt is dropped:
    the token in which a stop tag began.
    """
    kept = common(row.ids, prompt)
    behind = len(prompt) - kept
    row.ids[kept:] = [*prompt[kept:], *sampled]
    row.sampled[kept:] = [False] * behind + [True] * len(sampled)
    row.logprobs[kept:] = [0.0] * behind + list(logprobs)


def _up_to(stop: int, spoken: Sequence[int], ends: Sequence[int], data: bytes) -> tuple[list[int], bytes]:
    """A turn up to its stop tag: tokens from the one in which the tag begins are not part of it."""
    kept = [token for token, end in zip(spoken, ends, strict=True) if end <= stop]
    return kept, data[: ends[len(kept) - 1]] if kept else b""


def in_order(turns: Sequence[Turn | Fault]) -> list[Turn]:
    """The turns that can be written, in an order that the order of the requests has no part in."""
    ready = [turn for turn in turns if isinstance(turn, Turn)]
    return sorted(ready, key=lambda turn: (turn.request.conversation, turn.rendered))


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common start."""
    length = min(len(first), len(second))
    if first[:length] == second[:length]:
        return length
    return next(place for place in range(length) if first[place] != second[place])


def _decode(data: bytes) -> str:
    """Text of sampled bytes; a character cut off at the end is left out."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)
