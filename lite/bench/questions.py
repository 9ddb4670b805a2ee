"""Questions whose answers are known to stand on certain pages: the two forms that question sets have."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from lite.corpus.streams import filled_lines
from lite.errors import UsageError
from lite.records import Record


class Question(Record):
    """A query and the pages that answer it; `first` is the one to be found first, where the set has an order."""

    id: str
    query: str
    relevant: tuple[str, ...]
    first: str | None = None

    def within(self, resolve: Callable[[str], str | None]) -> tuple[Self, int]:
        """The question with its pages under the names the world stores them by, and how many are not in it.

        Pages that the world stores as one count once; those it does not have can never be found, and stay.
        """
        found = [(resolve(url), url) for url in self.relevant]
        missing = sum(name is None for name, _ in found)
        names = tuple(dict.fromkeys(name or url for name, url in found))
        first = resolve(self.first) or self.first if self.first else None
        return self.model_copy(update={"relevant": names, "first": first}), missing


def read_questions(path: str | Path, limit: int | None = None) -> list[Question]:
    """The questions of a JSONL file, packed or not.

    A line is `{"id","query","relevant":[urls]}` or `{"id","question","evidence":[urls]}`.

    Raises:
        UsageError: the file cannot be read, or a line is neither of the two; it is named.
    """
    file = Path(path)
    out = [_question(line, f"{file}, line {number}") for number, line in filled_lines(file)[:limit]]
    if not out:
        raise UsageError(f'{file} holds no questions: each line is {{"id", "query", "relevant": [urls]}}')
    return out


def _question(line: bytes, where: str) -> Question:
    form = f'{where} is no question: a line is {{"id", "query", "relevant": [urls]}} or has "question" and "evidence"'
    try:
        value: Any = json.loads(line)
        if "relevant" in value:
            found = Question(id=str(value["id"]), query=value["query"], relevant=value["relevant"])
        else:
            evidence = value["evidence"]
            first = evidence[0] if evidence else None
            found = Question(id=str(value["id"]), query=value["question"], relevant=evidence, first=first)
    except (ValueError, TypeError, KeyError, ValidationError):
        raise UsageError(form) from None
    if not found.relevant:
        raise UsageError(f"{where} names no page that answers it: remove the line")
    return found
