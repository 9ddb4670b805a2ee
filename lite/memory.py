"""The context budget: what is used, what the next turn may use, what is kept for the last answer.

Policy `stop`: when the next turn would not fit, the agent is asked for its answer. An observation that is too long
for the window is shortened to what fits, counted with the model's own tokenizer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lite.dialect import ASK_FOR_ANSWER, wrap_response
from lite.records import Message

Count = Callable[[Sequence[Message]], int]
_SHORTEST_TURN = 64  # tokens; a turn that may write less than this cannot think and call
_LONGEST_WORD = 40  # characters
_CUT = "\n[…]"


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
        """Tokens the last answer may write; below 1 when the prompt fills the window."""
        return min(self.context - self.count(messages), self.answer)

    def fit(self, messages: Sequence[Message], observation: str) -> str:
        """`observation` whole if a turn and an answer fit behind it, else its head in two thirds of what is free."""
        free = self.context - self._kept() - self.count(messages)
        limit = self.context - self._kept() - _SHORTEST_TURN

        def fits(text: str) -> bool:
            return self.count([*messages, Message(role="user", content=wrap_response(text))]) <= limit

        if fits(observation):
            return observation
        limit -= max(0, free // 3 - _SHORTEST_TURN)
        low, high = 0, len(observation)  # `low` characters fit, or none do
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(observation[:middle] + _CUT) else (low, middle)
        space = observation.rfind(" ", max(0, low - _LONGEST_WORD), low)  # Chinese has none: cut where it is full
        return observation[: space if space > 0 else low] + _CUT

    def _kept(self) -> int:
        """The last answer and the request for it, the latter by an upper bound that holds for any tokenizer."""
        return self.answer + len(ASK_FOR_ANSWER) // 3
