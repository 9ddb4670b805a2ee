"""A model is asked about tasks: to judge what no program can."""

import re
from collections.abc import Callable
from typing import NamedTuple

from lite.models import Model
from lite.records import Fault, Generate, Message, Sampling, Task

RULES = {
    "self-contained": "it can be understood without seeing anything else",
    "specific": "it asks for one definite thing that can be looked up",
    "unambiguous": "it can be read in one way only",
    "closed": "it is not open-ended and asks for no opinion",
    "not trivial": "it cannot be answered from its own words or by common sense alone",
    "bound to time": "its answer does not change from day to day",
    "natural": "it is plain, correct language that a person could use",
}
_JUDGE = (
    "You check questions that have to be answered by looking things up. A question must keep these rules:\n"
    + "\n".join(f"- {name}: {meaning}" for name, meaning in RULES.items())
    + "\nReply with the single word GOOD, or with BAD, the name of the first rule that it breaks, a colon, and why in "
    "a few words."
)
_TOKENS = 1024  # of a reply: a thinking model thinks first
_GOOD = re.compile(r"[\s*\"'`]*GOOD\b", re.IGNORECASE)
_BAD = re.compile(rf"[\s*\"'`]*(?:BAD\b[\s:,*-]*)?({'|'.join(RULES)})\b[\s:,*\"'`-]*", re.IGNORECASE)


class Rejected(NamedTuple):
    """Which check a task failed, and what there was to say about it."""

    check: str
    why: str


def judge(model: Model) -> Callable[[Task], Task | Rejected]:
    """Asks a model about the rules that need judgement.

    A task comes back as it is where the model finds it good, and with `unjudged` where no verdict can be read: a model
    that babbles must not throw tasks away.
    """

    def look(task: Task) -> Task | Rejected:
        said = ask(model, _JUDGE, task.question, f"judge/{task.id}")
        if said is not None and _GOOD.match(said):
            return task
        broken = _BAD.match(said or "")
        if broken:
            return Rejected(f"judge: {broken[1].lower()}", " ".join((said or "")[broken.end() :].split())[:120])
        return task.model_copy(update={"unjudged": "the judge failed" if said is None else said[:120]})

    return look


def unjudged(task: Task) -> bool:
    """Whether a judge was asked about `task` and gave no verdict."""
    return "unjudged" in (task.model_extra or {})


def ask(model: Model, system: str, text: str, name: str) -> str | None:
    """What the model replies, less its thinking; None where it fails, or thinks for ever."""
    messages = (Message(role="system", content=system), Message(role="user", content=text))
    request = Generate(messages=messages, max_tokens=_TOKENS, sampling=Sampling(temperature=0.0), conversation=name)
    [reply] = model.generate([request])
    if isinstance(reply, Fault):
        return None
    _, thought, said = reply.text.rpartition("</think>")
    return None if "<think>" in said else said.lstrip() if thought else said
