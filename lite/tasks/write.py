"""A model rewords questions; what it writes is kept only where nothing was lost and nothing was added."""

import re
from collections.abc import Callable

from lite.models import Model
from lite.records import Task
from lite.tasks.check import unsaid, worded_badly
from lite.tasks.ground import Ground
from lite.tasks.judging import ask

_WRITER = """\
Reword the question so that it sounds like a person asking a colleague. Keep every name, number, title, date and \
condition exactly as it is written; add nothing, answer nothing. Reply with the question alone, on one line."""
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def writer(model: Model, ground: Ground) -> Callable[[Task], Task]:
    """Rewords a task's question, and gives the task back as it was where the new wording loses or adds something."""

    def reword(task: Task) -> Task:
        said = ask(model, _WRITER, task.question, f"writer/{task.id}")
        question = " ".join((said or "").strip().strip('"').split())
        return (
            task.model_copy(update={"question": question, "template": task.question})
            if _same(task, question, ground)
            else task
        )

    return reword


def _same(task: Task, question: str, ground: Ground) -> bool:
    """Whether a new wording has every name, number and constraint of the derivation, and nothing else of that kind."""
    if not question.endswith(("?", ".")) or not 0.4 <= len(question) / max(1, len(task.question)) <= 1.8:
        return False
    if set(_NUMBER.findall(question)) != set(_NUMBER.findall(task.question)):
        return False
    reworded = task.model_copy(update={"question": question})
    if worded_badly(reworded):
        return False
    return next(unsaid(question, task.derivation or {}, ground.sheet, ground), None) is None
