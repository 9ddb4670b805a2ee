"""A conversation: questions that go on from each other, over one world with one model."""

from lite.dialect import quote, replayed
from lite.drive import Listener, drive, prompt_of, start
from lite.errors import UsageError
from lite.models import Model
from lite.recipe import AgentSettings
from lite.records import Message, Stop, Task, Trajectory, Turn, storable
from lite.world import World

_STOPPED = Message(role="assistant", content="(stopped by the user)")
_SHORTEST = 2  # messages of an exchange: its question and its answer


class Conversation:
    """Follow-up questions see what was asked, looked up and answered before, as long as half of what is free holds it.

    What does not fit is let go from the oldest on: of a question first the steps between it and its answer, then the
    question itself.
    """

    def __init__(
        self, world: World, model: Model, settings: AgentSettings, *, listener: Listener | None = None
    ) -> None:
        self._world, self._model, self._settings = world, model, settings
        self._listener = listener or Listener()
        self._asked: list[list[Message]] = []  # a list a question: itself, then assistant and user in turn
        self._seen: dict[str, None] = {}  # URLs that some answer could name

    @property
    def messages(self) -> list[Message]:
        """All that a follow-up goes on from."""
        return _flat(self._asked)

    def ask(self, question: str) -> Trajectory:
        """Research one question. An interrupt (Ctrl-C) stops it, keeps the turns that are whole, and is raised again.

        Raises:
            UsageError: the question is empty, or alone fills the window; the conversation stays as it was.
        """
        if not question.strip():
            raise UsageError("the question is empty: ask something")
        task = Task(id="chat", question=storable(question), answers=())
        kept = self._fitting(task)
        keeper = _Keeper(self._listener, self._seen)
        one = start(task, self._world, self._model, self._settings, before=_flat(kept), known=frozenset(self._seen))
        try:
            [(_, trajectory)] = drive([one], self._model, listener=keeper)
        except KeyboardInterrupt:
            asked = Message(role="user", content=quote(task.question))
            self._asked = [*kept, [*replayed([asked], keeper.turns), _STOPPED]]
            raise
        if trajectory.stop is Stop.CONTEXT and not trajectory.turns:
            raise UsageError(f"{trajectory.error}: shorten it, or give the model a larger --context")
        self._asked = [*kept, _exchange(task, trajectory)]
        return trajectory

    def _fitting(self, task: Task) -> list[list[Message]]:
        """The conversation less the oldest of it, so that the new question has half of what is free."""
        system = Message(role="system", content=prompt_of(self._settings, self._world))
        question = Message(role="user", content=quote(task.question))
        base = self._model.count([system, question])
        most = (self._model.context - base - self._settings.limits.answer_tokens) // 2
        kept = list(self._asked)
        while kept and self._model.count([system, *_flat(kept), question]) - base > most:
            long = next((place for place, one in enumerate(kept) if len(one) > _SHORTEST), None)
            if long is None:
                kept.pop(0)
            else:
                kept[long] = [kept[long][0], kept[long][-1]]
        return kept


def _flat(exchanges: list[list[Message]]) -> list[Message]:
    return [message for exchange in exchanges for message in exchange]


def _exchange(task: Task, trajectory: Trajectory) -> list[Message]:
    """What was said. Where memory has rewritten it, the question and the end of it are kept."""
    said = replayed([], trajectory.turns)
    if trajectory.segments or not said or said[-1].role == "user":
        said = [said[-1]] if said and said[-1].role == "assistant" else [_STOPPED]
    return [Message(role="user", content=quote(task.question)), *said]


class _Keeper(Listener):
    """Passes everything on, and keeps the turns that are whole, and the URLs they have shown."""

    def __init__(self, other: Listener, seen: dict[str, None]) -> None:
        self._other, self._seen = other, seen
        self.turns: list[Turn] = []

    def said(self, index: int, turn: Turn) -> None:
        self._other.said(index, turn)

    def observed(self, index: int, turn: Turn) -> None:
        self.turns.append(turn)
        self._seen |= dict.fromkeys((*turn.shown, *turn.read))
        self._other.observed(index, turn)

    def ended(self, index: int, trajectory: Trajectory) -> None:
        self._other.ended(index, trajectory)
