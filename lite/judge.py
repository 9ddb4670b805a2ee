"""A model judges answers, where a right one can be worded in many ways. Verdicts are kept: nothing is asked twice."""

import re
from collections.abc import Sequence

from lite.index.memo import Memo
from lite.models import Model, known_as
from lite.records import Fault, Generate, Message, Sampling, Task
from lite.run import digest

_RULES = (
    "You grade answers. You are given a question, its reference answer and a given answer. The given answer is right "
    "if it says the same as the reference: other words, spellings and units are fine. It is wrong if it says something "
    "else, hedges, names several candidates, or gives no answer. Reply with the single word RIGHT or WRONG."
)
_VERDICT = re.compile(r"(?:.*</think>)?[\s*\"'`]*(RIGHT|WRONG)\b", re.IGNORECASE | re.DOTALL)
_TOKENS = 512  # of a verdict: a thinking model thinks first


class Judge:
    """Says of answers whether they are right.

    Args:
        model: that is asked, greedily.
        memo: where its verdicts are kept.
    """

    def __init__(self, model: Model, memo: Memo) -> None:
        self._model = model
        self._known_as = known_as(model.name)
        self._memo = memo

    def verdicts(self, answers: Sequence[tuple[Task, str]]) -> list[bool | None]:
        """Whether each answer is right; None where the model failed, or said neither."""
        texts = [_text(task, answer) for task, answer in answers]
        found = {text: self._memo.get(self._key(text)) for text in texts}
        new = [text for text in found if found[text] is None]
        for text, reply in zip(new, self._model.generate([_request(text) for text in new]), strict=True):
            said = None if isinstance(reply, Fault) else _VERDICT.match(reply.text)
            if said:
                found[text] = said[1].upper()
                self._memo.put(self._key(text), said[1].upper())
        return [None if found[text] is None else found[text] == "RIGHT" for text in texts]

    def _key(self, text: str) -> str:
        return digest(f"{self._known_as}\0{_RULES}\0{text}")


def _text(task: Task, answer: str) -> str:
    return f"Question: {task.question}\nReference: {' | '.join(task.answers)}\nGiven: {answer}"


def _request(text: str) -> Generate:
    messages = (Message(role="system", content=_RULES), Message(role="user", content=text))
    # No conversation: each is read by itself, and none is gone on with.
    return Generate(messages=messages, max_tokens=_TOKENS, sampling=Sampling(temperature=0.0), form="free")
