"""The values that travel the road from corpus file to evaluation table. All are frozen; all go to and from JSON.

Page -> Hit, Visit -> Task -> Turn -> Trajectory -> Reward -> Report. Nothing here does input or output.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field


def storable(text: str) -> str:
    """`text` as UTF-8 can hold it: halves of surrogate pairs joined where both are there, else U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def listed(given: str | Iterable[str]) -> tuple[str, ...]:
    """What was given, one or several: a single text is one element, not its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


class Record(BaseModel):
    """A frozen value. Unknown fields are refused, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        """One line of JSON; fields at their defaults are left out."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The inverse of `to_json`. Raises pydantic.ValidationError (a ValueError) for anything else."""
        return cls.model_validate_json(text)


# ---------------------------------------------------------------- corpus


class Page(Record):
    """One document of the closed web. `url` (fragment included) is its identity; `text` is Markdown."""

    url: str
    title: str = ""
    text: str


class Broken(Record):
    """A record of a source that is no page: counted, named, skipped."""

    source: str  # file, as the user wrote it
    where: str  # "line 17", "page.html", "byte 1024"
    reason: str


# ---------------------------------------------------------------- world


class Hit(Record):
    """One search result. `snippet` is the passage that matched (up to about 60 words)."""

    url: str
    title: str
    snippet: str
    score: float


class Results(Record):
    """What one query found, best first; `mode` is the mode that ran, `notes` say what was left out and why."""

    query: str
    mode: Literal["hybrid", "lexical", "dense"]
    hits: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Hit]:  # type: ignore[override]  # iterating results means iterating hits
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)


class Visit(Record):
    """What a reader with `goal` takes from a page. `found` is False when the page is not in the world (or masked)."""

    url: str
    goal: str = ""
    found: bool = True
    title: str = ""
    evidence: str = ""
    summary: str = ""
    mode: Literal["extract", "raw", "llm", "read"] = "extract"


# ---------------------------------------------------------------- tasks


class Task(Record):
    """A question with its reference answers. Unknown fields are kept: public question sets carry their own.

    `answers` are accepted spellings, the plainest first; of an `answer_type` "list", the members joined by "; ".
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    question: str
    answers: tuple[str, ...]
    evidence: tuple[str, ...] = ()
    capability: str | None = None
    hops: int | None = None
    derivation: dict[str, Any] | None = None  # how the answer follows from the evidence (lite.tasks.derive)
    spans: tuple[tuple[str, int, int], ...] = ()  # (URL, start, end) in characters: where the evidence stands
    mask: tuple[str, ...] = ()
    tolerance: float | None = None
    unit: str | None = None
    answer_type: str | None = None
    world: str | None = None


# ---------------------------------------------------------------- the loop's events


class Message(Record):
    """One message of a chat, as a model's template takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sampling(Record):
    """How a model samples. Defaults are upstream's; temperature 0 is greedy."""

    temperature: float = Field(default=0.6, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    top_k: int = Field(default=20, ge=0)  # 0: no limit
    presence_penalty: float = 1.1
    seed: int = 0


class Generate(Record):
    """Event: the episode wants the next assistant turn. Generation stops before `<tool_response>`."""

    messages: tuple[Message, ...]
    max_tokens: int
    sampling: Sampling = Sampling()
    # What a grammar, where one is in force, holds the turn to: a call while nothing has been looked up yet, an answer
    # when that is all that will do. Without a grammar the model is free.
    form: Literal["turn", "call", "answer", "free"] = "turn"  # free: no turn of the dialect (memory, a reader)
    conversation: str = ""  # the same for every turn of one episode, so that a model can keep its cache warm
    turn: int | None = None  # turns of the episode before this one; None: as many as assistant messages

    @property
    def number(self) -> int:
        """Place of this turn in its conversation, from 0, whatever memory has rewritten since."""
        return self.turn if self.turn is not None else sum(one.role == "assistant" for one in self.messages)


class Reply(Record):
    """A model's answer to Generate. Token ids and log-probabilities are those sampled, where the model gives them."""

    text: str
    finish: Literal["stop", "length"] = "stop"
    prompt_tokens: int = 0
    cached_tokens: int = 0  # part of the prompt that was not computed again
    completion_tokens: int = 0
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    seconds: float = 0.0
    late: bool = False  # drive() says that the episode's time is up


class Call(Record):
    """Event: the episode wants a tool. `arguments` are as the model wrote them, after repair."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Observation(Record):
    """A tool's answer. `ok` is False for the model's faults (unknown tool, bad arguments): `Error: …` is its text."""

    text: str
    ok: bool = True
    shown: dict[str, str] = Field(default_factory=dict)  # URL -> snippet, of hits the model has now seen
    read: dict[str, str] = Field(default_factory=dict)  # URL -> evidence, of pages it has now visited and found
    seconds: float = 0.0
    prompt_tokens: int = 0  # of the model that read pages for it
    completion_tokens: int = 0
    reader_seconds: float = 0.0  # its own


class Fault(Record):
    """The world's fault, given to the episode instead of a Reply or Observation; it ends as `failed`."""

    where: Literal["model", "tool"]
    error: str


# ---------------------------------------------------------------- trajectory


class Stop(StrEnum):
    """Why an episode ended; exactly one holds."""

    ANSWERED = "answered"  # it wrote <answer> by itself
    TURNS = "turns"  # the turn limit
    CALLS = "calls"  # the tool-call limit
    TIME = "time"  # the time limit
    CONTEXT = "context"  # the next turn would not fit the window
    MALFORMED = "malformed"  # turn after turn that could not be read
    REPEATED = "repeated"  # the same call again after it had been told
    FAILED = "failed"  # the world's fault: left out of the group, never graded


class Turn(Record):
    """One assistant turn and what came of it."""

    text: str  # as generated
    think: str = ""
    call: Call | None = None
    answer: str | None = None
    malformed: str | None = None  # why the turn could not be read
    repairs: tuple[str, ...] = ()  # names of the repairs that made it readable
    asked: bool = False  # the agent had been asked for its last answer
    observation: str | None = None  # text returned to the model, wrapper excluded
    tool_error: bool = False
    shortened: bool = False  # the observation was cut to fit the context
    whole: str | None = None  # fingerprint of the whole observation where it was cut
    shown: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    reader_prompt_tokens: int = 0  # of the model that read pages for the observation
    reader_completion_tokens: int = 0
    reader_seconds: float = 0.0
    model_seconds: float = 0.0
    tool_seconds: float = 0.0


class Reward(Record):
    """The grades of one trajectory by name, each 0 to 1; `value` is the one that counts. None: it was not graded."""

    value: float | None = None
    parts: dict[str, float] = Field(default_factory=dict)


class Segment(Record):
    """What memory made of a conversation: the turns from `start` on were written behind `messages`."""

    start: int  # index of the first turn under the new prefix
    policy: str  # what rewrote it
    messages: tuple[Message, ...]  # the whole prompt of that turn
    prompt_tokens: int = 0  # spent by the model on the rewriting
    completion_tokens: int = 0
    seconds: float = 0.0
    unwritten: int = 0  # sentences that it was asked for and did not write: extracted in their place


class Trajectory(Record):
    """One attempt at one task: every turn, how it ended, and the pages the answer rests on."""

    task_id: str
    question: str
    attempt: int = 0  # 0 to k-1 when a task is tried k times
    mask: tuple[str, ...] = ()  # URLs that did not exist for it
    messages: tuple[Message, ...] = ()  # what stood before the first turn: system prompt and question
    turns: tuple[Turn, ...] = ()
    segments: tuple[Segment, ...] = ()  # where memory rewrote what stood before a turn
    answer: str | None = None
    answered: bool = False
    stop: Stop
    failed: Literal["model", "tool", "judge"] | None = None
    error: str | None = None
    sources: tuple[str, ...] = ()  # pages whose text the model read, visited ones first
    unseen: tuple[str, ...] = ()  # URLs that the last turn names and that nothing it was shown had in it
    reward: Reward | None = None
    seconds: float = 0.0

    def sequences(self) -> Iterator[tuple[tuple[Message, ...], tuple[Turn, ...]]]:
        """(what stood before, the turns written behind it), one pair for each prefix: a training sequence each."""
        starts = [0, *(segment.start for segment in self.segments), len(self.turns)]
        before = [self.messages, *(segment.messages for segment in self.segments)]
        for messages, start, end in zip(before, starts, starts[1:], strict=False):
            if end > start:
                yield messages, self.turns[start:end]
