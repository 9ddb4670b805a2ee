"""A model that says what a recorded run's model said: to look into a run, and to carry it out in another world."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lite.dialect import CUT, RESPONSE, quote
from lite.errors import UsageError
from lite.records import Fault, Generate, Message, Reply, Stop, Trajectory
from lite.run import read_trajectories


class Replay:
    """The replies of recorded trajectories, each at its own question, attempt and turn.

    Its window is without bounds, so no observation is shortened and no episode ends for its context; limits of turns
    and calls hold, and who was asked for an answer because the window was full or the time up is asked for it at the
    same turn (then `time` is why). What a model wrote for memory, or read of a page (visit modes llm and read), is not
    recorded: to ask for it is a Fault.

    Args:
        trajectories: the later of two attempts at one question counts.
        name: what the run's manifest calls it.
    """

    def __init__(self, trajectories: Sequence[Trajectory], *, name: str = "replay") -> None:
        self.name = name
        self.context = sys.maxsize
        self._attempts = {(quote(one.question), one.attempt): one for one in trajectories}
        self._questions = sorted({question for question, _ in self._attempts}, key=len, reverse=True)

    @classmethod
    def from_run(cls, path: str | Path) -> "Replay":
        """The trajectories of a run's folder.

        Raises:
            UsageError: the folder holds none.
        """
        found = list(read_trajectories(path))
        if not found:
            raise UsageError(f"{path} holds no trajectory yet: name another run")
        return cls(found, name=f"replay:{path}")

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """The recorded reply to each."""
        return [self._reply(request) for request in requests]

    def count(self, messages: Sequence[Message]) -> int:
        """Words of all messages: what the recorded model counted is not known here."""
        return sum(1 + len(message.content.split()) for message in messages)

    def close(self) -> None:
        """Nothing to free."""

    def _reply(self, request: Generate) -> Reply | Fault:
        if request.form == "free":
            return _fault(
                "what a model wrote for its memory or read of a page is not recorded: lite replay RUN without --model "
                "carries the calls out again, and lite eval or ask with --memory summarise --visit-mode extract plays "
                "the turns"
            )
        asked = _last_question(request.messages)
        question = next((q for q in self._questions if f"{asked}\n\n".startswith(f"{q}\n\n")), None)
        attempt = request.conversation.rpartition("/")[2]
        one = self._attempts.get((question or "", int(attempt) if attempt.isdecimal() else 0))
        if one is None:
            return _fault(f"{self.name} holds no such attempt at this question")
        if request.number >= len(one.turns):
            return _fault(f"{self.name} has {len(one.turns)} turns of this question and was asked for one more")
        turn = one.turns[request.number]
        following = one.turns[request.number + 1 : request.number + 2]
        return Reply(
            text=turn.text,
            finish="length" if turn.malformed == CUT else "stop",
            late=one.stop in {Stop.TIME, Stop.CONTEXT} and any(after.asked for after in following),
            prompt_tokens=turn.prompt_tokens,
            cached_tokens=turn.cached_tokens,
            completion_tokens=turn.completion_tokens,
            token_ids=turn.token_ids,
            logprobs=turn.logprobs,
            seconds=turn.model_seconds,
        )


def _last_question(messages: Sequence[Message]) -> str:
    """The last thing a user has said, others of a chat before it; what the loop adds stands behind a blank line."""
    said = (message.content for message in reversed(messages) if message.role == "user")
    return next((text for text in said if not RESPONSE.match(text)), "")


def _fault(error: str) -> Fault:
    return Fault(where="model", error=error)
