"""A model is asked about tasks: to judge what no program can."""

from collections.abc import Callable

from lite.models import Model
from lite.records import Fault, Generate, Message, Sampling, Task

_JUDGE = """\
You check exam questions. A question is good when it is self-contained, has exactly one answer, is plain English that \
a person could ask, is not open-ended, and needs no opinion. Reply with the single word GOOD, or with BAD and the \
reason in a few words."""


def judge(model: Model) -> Callable[[Task], str | None]:
    """Asks a model about the rules that need judgement; returns its reason against a task, None where it has none."""

    def look(task: Task) -> str | None:
        said = ask(model, _JUDGE, task.question, f"judge/{task.id}")
        if said is None:
            return "the judge did not answer"
        verdict = said.strip()
        return None if verdict.upper().startswith("GOOD") else verdict[:120] or "the judge said nothing"

    return look


def ask(model: Model, system: str, text: str, name: str) -> str | None:
    """What the model replies, None where it fails."""
    messages = (Message(role="system", content=system), Message(role="user", content=text))
    request = Generate(messages=messages, max_tokens=200, sampling=Sampling(temperature=0.0), conversation=name)
    [reply] = model.generate([request])
    return None if isinstance(reply, Fault) else reply.text
