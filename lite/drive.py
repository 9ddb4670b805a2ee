"""Carrying out the events of many episodes together: generation batched on one model, calls in each one's tools.

This is where time passes: the time limits, the one retry after a fault of the world, and whoever watches are here.
"""

import sys
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lite.agent import Answer, Event, episode, system_prompt
from lite.errors import LiteError, UsageError
from lite.index.memo import Memo
from lite.memory import Budget
from lite.models import Model, known_as, load_model, located
from lite.models.continuous import Continuous, Recalling, continuous
from lite.reading import Reader
from lite.recipe import AgentSettings
from lite.records import Call, Fault, Generate, Message, Observation, Reply, Stop, Task, Trajectory, Turn, storable
from lite.run import Journal, digest
from lite.tools import NAMES, SCHEMAS, Steps, Toolset
from lite.world import World


class Listener:
    """Told what happens while it happens; `index` is the episode's place in the input. Override what you need."""

    def said(self, index: int, turn: Turn) -> None:
        """The model wrote a turn; its call, if it made one, is carried out next."""

    def observed(self, index: int, turn: Turn) -> None:
        """The turn's observation is there."""

    def ended(self, index: int, trajectory: Trajectory) -> None:
        """An episode is over."""


@dataclass
class _Work:
    """A call being carried out, and what a reader of pages has spent on it."""

    call: Call
    seconds: float = 0.0  # of the tools alone
    steps: Steps | None = None
    faults: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reader_seconds: float = 0.0


@dataclass(eq=False)
class Episode:
    """The generator of `episode()`, the tools its calls are carried out by, and its time limit in seconds."""

    steps: Generator[Event, Answer, Trajectory]
    tools: Toolset
    seconds: float | None = None
    key: str = ""  # its name in a journal
    recorded: list[Reply] = field(default_factory=list)  # what the model said before the run was killed
    index: int = 0
    started: float = 0.0
    pending: Generate | None = None
    failed: bool = False  # what is pending has come back as a Fault once
    work: _Work | None = None  # then what is pending is a page's reader, not a turn
    trajectory: Trajectory | None = None


def drive(
    episodes: Iterable[Episode],
    model: Model,
    *,
    width: int = 1,
    listener: Listener | None = None,
    journal: Journal | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[int, Trajectory]]:
    """Run episodes, `width` at a time, and yield (place in the input, trajectory) as each one ends.

    Each goes on as soon as its reply is there, where the model can do that (see `lite.models.continuous`). A request
    that comes back as a Fault is tried once more; a second Fault ends its episode as `failed`. The time limit is looked
    at after each turn: an episode that is over it is asked for its answer. With a journal, what the model had said
    before a run was killed is played first; each call is carried out again, which costs little.
    """
    waiting = enumerate(episodes)
    live: list[Episode] = []
    with closing(_Driver(continuous(model), listener or Listener(), journal, clock)) as driver:
        while True:
            while len(live) < width and (following := next(waiting, None)) is not None:
                index, fresh = following
                fresh.index = index
                live.append(fresh)
                driver.begin(fresh)
            if not live:
                return
            driver.go_on()
            for one in list(live):
                if one.trajectory is not None:
                    live.remove(one)
                    trajectory = one.trajectory.model_copy(update={"seconds": round(clock() - one.started, 3)})
                    driver.watch.ended(one.index, trajectory)
                    yield one.index, trajectory


@dataclass
class _Driver:
    """What happens between a model and the episodes that ask it."""

    model: Continuous
    watch: Listener
    journal: Journal | None
    clock: Callable[[], float]
    asked: dict[int, Episode] = field(default_factory=dict)  # by the number of their request

    def close(self) -> None:
        """Nobody waits any more for what is under way."""
        self.model.drop()

    def begin(self, one: Episode) -> None:
        """From its first event to its first request to the model."""
        one.recorded = self.journal.replies(one.key) if self.journal else []
        one.started = self.clock() - sum(reply.seconds for reply in one.recorded)
        self._advance(one, None)

    def go_on(self) -> None:
        """Wait for replies and hand them to those who asked."""
        for number, reply in self.model.ready():
            one = self.asked.pop(number)
            if isinstance(reply, Fault) and not one.failed:
                one.failed = True
                self._ask(one)
            else:
                one.failed = False
                self._advance(one, self._noted(one, reply))

    def _advance(self, one: Episode, answer: Answer) -> None:
        """Send an answer in and carry on up to the next request, after the replies that are recorded, or to the end."""
        _advance(one, answer, self.watch, self.clock)
        while one.pending is not None and one.recorded and one.work is None:
            reply = one.recorded.pop(0)
            if isinstance(self.model, Recalling):  # else it counts otherwise, and the next reply meets another request
                self.model.recall(one.pending, reply)
            _advance(one, reply, self.watch, self.clock)
        self._ask(one)

    def _ask(self, one: Episode) -> None:
        if one.pending is not None:
            self.asked[self.model.ask(one.pending)] = one

    def _noted(self, one: Episode, reply: Reply | Fault) -> Reply | Fault:
        """A reply as the episode gets it: said to be late if it is, and in the journal."""
        if one.work is not None or isinstance(reply, Fault):
            return reply  # what is read of a page is kept elsewhere, and not the episode's turn
        late = one.seconds is not None and self.clock() - one.started > one.seconds
        answer = reply.model_copy(update={"late": True}) if late else reply
        if self.journal:
            self.journal.add(one.key, answer)
        return answer


def _advance(one: Episode, answer: Answer, watch: Listener, clock: Callable[[], float]) -> None:
    """Send `answer` in and carry out what needs no model, up to the next Generate or the end."""
    one.pending = None
    try:
        while True:
            if one.work is not None:
                answer = _go_on(one, one.work, answer, clock)
                if answer is None:
                    return
            event = next(one.steps) if answer is None else one.steps.send(answer)
            answer = None
            if isinstance(event, Generate):
                one.pending = event
                return
            if isinstance(event, Call):
                one.work = _Work(event)
            elif event.observation is None:
                watch.said(one.index, event)
            else:
                watch.observed(one.index, event)
    except StopIteration as end:
        one.trajectory = end.value


def _go_on(one: Episode, work: _Work, answer: Answer, clock: Callable[[], float]) -> Observation | Fault | None:
    """Carry the call under way out, up to its end or (None) to what its reader is to write.

    A fault of the world has it begun once more: what has been read until then is known.
    """
    if isinstance(answer, Reply):
        work.prompt_tokens += answer.prompt_tokens
        work.completion_tokens += answer.completion_tokens
        work.reader_seconds += answer.seconds
    began = clock()
    given = answer if isinstance(answer, Reply | Fault) else None
    while True:
        try:
            if work.steps is None:
                work.steps, given = one.tools.steps(work.call), None
            one.pending = work.steps.send(given)
        except StopIteration as end:
            one.work = None
            spent = {
                "prompt_tokens": work.prompt_tokens,
                "completion_tokens": work.completion_tokens,
                "reader_seconds": round(work.reader_seconds, 3),
                "seconds": round(work.seconds + clock() - began, 6),
            }
            return end.value.model_copy(update=spent) if isinstance(end.value, Observation) else end.value
        except (LiteError, OSError, MemoryError) as error:  # the world's fault, never the model's
            work.steps, work.faults = None, work.faults + 1
            if work.faults == 2:
                one.work = None
                return Fault(where="tool", error=f"{type(error).__name__}: {error}")
        else:
            work.seconds += clock() - began
            return None


TOOLS: dict[str, tuple[str, ...]] = {"all": NAMES, "search": ("search",)}


def prompt_of(settings: AgentSettings, world: World) -> str:
    """The system prompt of episodes in `world`."""
    return system_prompt(world.date, settings.prompt, TOOLS[settings.tools])


def tools_of(
    task: Task, world: World, settings: AgentSettings, model: Model | str, *, in_training: bool = False
) -> Toolset:
    """The tools of one task, its masked pages out of reach.

    `model` reads pages in the visit modes `llm` and `read`; what a manifest calls the reader of a run (`reader_of`)
    can visit only what that one has read already. What a model in training reads is not kept.
    """
    limits, reader = settings.limits, None
    if limits.visit_mode != "extract":
        if isinstance(model, str):
            name, context, count = model, sys.maxsize, len
        else:
            name, context, count = reader_of(settings, model.name), model.context, model.count
        memo = None if in_training else Memo.beside(world.path, world.digest, "readings")
        reader = Reader(limits.visit_mode, model=name, context=context, count=count, turn=limits.turn_tokens, memo=memo)
    return Toolset(
        world,
        mask=task.mask,
        results=limits.results,
        visit_words=limits.visit_words,
        names=TOOLS[settings.tools],
        reader=reader,
        links=limits.links,
    )


def reader_of(settings: AgentSettings, model: str) -> str:
    """What the readings of a model of that name are kept by."""
    return f"{known_as(model)}, window {settings.context}"


def start(
    task: Task,
    world: World,
    model: Model,
    settings: AgentSettings,
    *,
    attempt: int = 0,
    before: Sequence[Message] = (),
    known: Collection[str] = (),
    in_training: bool = False,
) -> Episode:
    """An episode of `task` in `world`, ready for `drive()`: prompt, budget and masked tools put together."""
    limits = settings.limits
    steps = episode(
        task,
        system=prompt_of(settings, world),
        budget=Budget(model.context, limits.turn_tokens, limits.answer_tokens, model.count),
        limits=limits,
        sampling=settings.sampling,
        attempt=attempt,
        before=before,
        known=known,
    )
    tools = tools_of(task, world, settings, model, in_training=in_training)
    return Episode(steps, tools, limits.seconds, key=f"{task.id}/{attempt}")


def ask(
    world: World | str | Path,
    question: str,
    *,
    model: Model | str,
    listener: Listener | None = None,
    journal: Journal | None = None,
    **settings: Any,
) -> Trajectory:
    """Research one question in a world.

    Args:
        world: an open world, or the folder of one.
        model: a loaded model, or its name (see `lite.models`); a model loaded here is closed again.
        listener: told each turn as it happens.
        journal: of a run that the trajectory will be written to: asked again, a killed question goes on.
        settings: any field of `lite.recipe.AgentSettings`: `context`, `grammar`, `limits`, `sampling`, …

    Raises:
        UsageError: the question alone does not fit the model's window, or a setting is not one.
        LiteError: the world or the model cannot be opened.
    """
    chosen = AgentSettings.read(settings)
    if not question.strip():
        raise UsageError("the question is empty: ask something")
    task = Task(id="ask", question=storable(question), answers=())
    with ExitStack() as stack:
        if not isinstance(world, World):
            world = stack.enter_context(World.open(world))
        model = open_model(stack, model, chosen)
        asked = start(task, world, model, chosen)
        asked.key = key_of(question)
        [(_, trajectory)] = drive([asked], model, listener=listener, journal=journal)
    if trajectory.stop is Stop.CONTEXT and not trajectory.turns:
        raise UsageError(f"{trajectory.error}: shorten it, or give the model a larger --context")
    return trajectory


def key_of(question: str) -> str:
    """The name of a question asked by itself in a run's journal."""
    return f"ask/{digest(storable(question))}"


def manifest(settings: AgentSettings, world: World, model: str) -> dict[str, Any]:
    """All that decides the outcome, for a run's manifest: settings, world, model, and the prompt the model sees.

    Paths are absolute: a run is gone on with from whatever folder one stands in.
    """
    named = {
        "model": located(model, from_anywhere),
        "prompt": None if settings.prompt is None else from_anywhere(settings.prompt),
        "prompt_digest": digest(prompt_of(settings, world)),
        "world": from_anywhere(world.path),
        "world_digest": world.digest,
        "world_index": world.index_id,
        "date": world.date,
    }
    if settings.limits.visit_mode != "extract":
        named["reader"] = reader_of(settings, model)
    return settings.model_dump(mode="json") | named


def from_anywhere(path: str | Path) -> str:
    """A path that names the same file from every folder; bytes that are no UTF-8 are replaced."""
    return storable(str(Path(path).absolute()))


def open_model(stack: ExitStack, model: Model | str, settings: AgentSettings) -> Model:
    """`model` itself, or the one it names, closed again when `stack` is."""
    if not isinstance(model, str):
        return model
    names = TOOLS[settings.tools]
    schemas = [schema for schema in SCHEMAS if schema["function"]["name"] in names]
    loaded = load_model(
        model,
        context=settings.context,
        grammar=settings.grammar and names,
        threads=settings.threads,
        tools=schemas if settings.native_tools else (),
    )
    return stack.enter_context(closing(loaded))
