"""Visit modes that let a model read the page: `llm` at one go, `read` part by part with a running memory.

What was read is kept by page, goal, model and prompt, so the same visit gives the same text again, and costs
nothing. A Reader does no input or output but that: it yields what the model is to write.
"""

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal

from lite.dialect import quote, read_object
from lite.index.memo import Memo
from lite.memory import Count
from lite.records import Fault, Generate, Message, Reply, Sampling, Visit, storable
from lite.run import digest

Reading = Generator[Generate, Reply | Fault | None, Visit | Fault]

_WRITES = 512  # tokens of one reply, at least
_SPARE = 16  # tokens that a count may be off by
_PART = 6000  # characters of a part that `read` looks at
_PARTS = 12  # of a page, at most
_CHARACTERS = 12  # of a token, at most: a longer page is not even counted
_CUT = "\n[…]"
_GREEDY = Sampling(temperature=0, presence_penalty=0)

_LLM = """\
You read a web page for somebody who has a goal, and report what the page says about it.

Page:
{page}

Goal: {goal}

Reply with one JSON object and nothing else, with three strings in it:
"rational": which parts of the page serve the goal, and why;
"evidence": what these parts say, as fully as it matters and in the page's own words, with names, numbers and dates;
"summary": what follows from it for the goal, in one short paragraph. If the page says nothing about it, say so."""

_READ = """\
You read a long web page part by part for somebody who has a goal. Goal: {goal}

What the parts before have told:
{memory}

Part {number} of {parts}:
{page}

Reply with one JSON object and nothing else:
"found": what this part newly says about the goal, in its own words, with names, numbers and dates; "" if nothing;
"summary": all that is known about the goal so far, in one short paragraph;
"go_on": true if the next part is worth reading, false if the goal is reached or the page is about something else."""


class Reader:
    """Reads pages with a model.

    Args:
        mode: of visits, "llm" or "read".
        model: its name, and what else of it decides what it writes.
        context: its window in tokens.
        count: tokens of a prompt, as it counts them.
        turn: tokens of a turn: who thinks first needs as many for a reply.
        memo: what it has read before; None: a model in training, whose readings hold for this moment only.
    """

    def __init__(
        self, mode: Literal["llm", "read"], *, model: str, context: int, count: Count, turn: int, memo: Memo | None
    ) -> None:
        self._mode: Literal["llm", "read"] = mode
        self._model, self._context, self._count, self._memo = model, context, count, memo
        self._writes = max(_WRITES, turn)

    def read(self, page: Visit) -> Reading:
        """What the page (whole, as a `raw` visit gives it) says about the goal of the visit."""
        prompt = _LLM if self._mode == "llm" else _READ
        page = page.model_copy(update={"evidence": quote(page.evidence)})  # data, to this model too
        about = [digest(page.evidence), page.goal, self._model, self._mode, digest(prompt), self._writes]
        key = digest(json.dumps(about, ensure_ascii=False))
        known = self._memo.get(key) if self._memo else None
        if known is None:
            said = yield from (self._at_one_go(page) if self._mode == "llm" else self._by_parts(page))
            if isinstance(said, Fault):
                return said
            known = json.dumps(said, ensure_ascii=False)
            if self._memo:
                self._memo.put(key, known)
                known = self._memo.get(key) or known  # what another episode has put there meanwhile counts
        evidence, summary = json.loads(known)
        return page.model_copy(update={"evidence": evidence, "summary": summary, "mode": self._mode})

    def _at_one_go(self, page: Visit) -> Generator[Generate, Reply | Fault | None, list[str] | Fault]:
        reply = yield self._asking(lambda text: _LLM.format(page=text, goal=quote(page.goal)), page.evidence)
        if not isinstance(reply, Reply):
            return _failed(reply)
        value = _object(reply.text)
        return [_text(value, "evidence"), _text(value, "summary")]

    def _by_parts(self, page: Visit) -> Generator[Generate, Reply | Fault | None, list[str] | Fault]:
        found: list[str] = []
        summary = ""
        parts = _parts(page.evidence)
        for number, part in enumerate(parts, 1):
            memory = summary or "(nothing yet)"
            reply = yield self._asking(
                lambda text, n=number, known=memory: _READ.format(
                    page=text, goal=quote(page.goal), memory=known, number=n, parts=len(parts)
                ),
                part,
            )
            if not isinstance(reply, Reply):
                return _failed(reply)
            value = _object(reply.text)
            summary = _text(value, "summary") or summary
            if told := _text(value, "found"):
                found.append(told)
            if value.get("go_on") is False:
                break
        return ["\n".join(found), summary]

    def _asking(self, prompt: Callable[[str], str], page: str) -> Generate:
        """The request, with as much of the page as fits the window."""
        writes = min(self._writes, self._context // 3)
        most = self._context - writes - _SPARE

        def asked(text: str) -> Sequence[Message]:
            return [Message(role="user", content=prompt(text))]

        text = page[: _CHARACTERS * most]
        if len(text) < len(page) or self._count(asked(text)) > most:
            low, high = 0, len(text)  # `low` characters fit
            while low + 16 < high:
                middle = (low + high) // 2
                low, high = (middle, high) if self._count(asked(text[:middle] + _CUT)) <= most else (low, middle)
            text = text[:low] + _CUT
        return Generate(messages=tuple(asked(text)), max_tokens=writes, sampling=_GREEDY, form="free")


def _parts(text: str) -> list[str]:
    """A page cut at line ends into parts of about `_PART` characters, the first `_PARTS` of them."""
    parts = [""]
    for line in text.splitlines(keepends=True):
        pieces = [line[start : start + _PART] for start in range(0, len(line), _PART)]
        for piece in pieces:
            if len(parts[-1]) + len(piece) > _PART and parts[-1]:
                parts.append("")
            parts[-1] += piece
    return parts[:_PARTS]


def _object(text: str) -> dict[str, Any]:
    """The JSON object of a reply, repaired like a tool call. A reply that is none at all counts as the summary."""
    _, closed, rest = storable(text).rpartition("</think>")
    said = rest if closed or "<think>" not in rest else ""
    for whole in (said, said + '"}', said[: said.rfind('",')] + '"}'):  # as if it had not been cut off
        if (value := read_object(whole)) is not None:
            return value
    return {"summary": said}


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found.strip() if isinstance(found, str) else ""


def _failed(reply: Fault | None) -> Fault:
    return Fault(where="tool", error=f"the page's reader failed: {reply.error if reply else 'it was not asked'}")
