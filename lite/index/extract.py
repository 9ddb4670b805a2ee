"""What a reader with a goal takes from a page: the passages that serve it, and the sentence that says most.

Passages are scored against the goal's terms as BM25 scores documents. A term weighs by how rare it is in the world,
times how rare it is among the page's own passages: the page's subject stands in most of them and tells none apart.
Everything is counted in words, so nothing depends on a tokenizer, and the same page and goal give the same text.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from math import log

from lite.index.text import Passage, items, passages, plain, sentences, terms, words

SNIPPET_WORDS = 60
_K1, _B, _TYPICAL = 1.2, 0.4, 40  # BM25: saturation, length penalty, words of a typical passage
_CONTEXT = 0.5  # what a term counts in the heading or header of a passage, against one in its text
_LEAD = 0.1  # share of a full match that the page's first passage has for free; the n-th has 1/n of it

_PIPE = re.compile(r"(?<!\\)\|")

Idf = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage, ready to be scored."""

    passage: Passage
    found: tuple[str, ...]  # its terms; counted as they are asked for, which is cheaper than counting all
    context: frozenset[str]  # the terms of its heading and header


def pieces_of(text: str) -> tuple[Piece, ...]:
    """The passages of `text` with their terms."""
    contexts: dict[str, frozenset[str]] = {}
    out = []
    for passage in passages(text) or ([Passage(text.strip())] if text.strip() else []):
        around = f"{passage.heading} {plain(passage.header)}"
        if around not in contexts:
            contexts[around] = frozenset(terms(around))
        out.append(Piece(passage, tuple(terms(plain(passage.text))), contexts[around]))
    return tuple(out)


def weigh(goal: Sequence[str], pieces: Sequence[Piece], idf: Idf) -> dict[str, float]:
    """The weight of each goal term on this page; terms that are nowhere on it are left out."""
    weights = {}
    for term in goal:
        spread = sum(term in piece.found or term in piece.context for piece in pieces)
        if spread:
            weights[term] = idf(term) * log(1 + len(pieces) / spread) / log(1 + len(pieces))
    return weights


def score(found: Sequence[str], context: Collection[str], weights: dict[str, float]) -> float:
    """BM25 of the terms of one passage or sentence, its context counted in part."""
    fading = _K1 * (1 - _B + _B * len(found) / _TYPICAL)
    total = 0.0
    for term, weight in weights.items():
        tf = found.count(term) or (_CONTEXT if term in context else 0)
        if tf:
            total += weight * tf * (_K1 + 1) / (tf + fading)
    return total


def snippet(pieces: Sequence[Piece], asked: Sequence[str], idf: Idf) -> str:
    """The passage that answers best, as plain text of up to about `SNIPPET_WORDS` words."""
    if not pieces:
        return ""
    weights = weigh(asked, pieces, idf)
    best = max(_scores(pieces, weights), key=lambda pair: (pair[0], -pair[1]))[1]
    return _shorten(shown(pieces[best].passage), weights)


def _scores(pieces: Sequence[Piece], weights: dict[str, float]) -> list[tuple[float, int]]:
    lead = _LEAD * sum(weights.values())
    return [(score(piece.found, piece.context, weights) + lead / (n + 1), n) for n, piece in enumerate(pieces)]


def shown(passage: Passage) -> str:
    """A passage as plain text that can stand alone: a table row names its columns."""
    if passage.kind == "list":
        return "; ".join(" ".join(item.split()) for item in items(plain(passage.text)))
    if passage.kind != "row":
        return " ".join(plain(passage.text).split())
    cells = _cells(passage.text)
    names = _cells(passage.header)
    if len(names) == len(cells):
        cells = [f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True) if cell]
    row = "; ".join(cell for cell in cells if cell)
    return f"{passage.heading} | {row}" if passage.heading else row


def _cells(row: str) -> list[str]:
    cells = _PIPE.split(plain(row).strip().removeprefix("|").removesuffix("|"))
    return [" ".join(cell.replace("\\|", "|").split()) for cell in cells]


def _shorten(text: str, weights: dict[str, float]) -> str:
    """Up to `SNIPPET_WORDS` words of `text`, where the weights are densest."""
    if words(text) <= SNIPPET_WORDS:
        return text
    parts = text.split(" ") if text.count(" ") * 3 > len(terms(text)) else list(text)
    joint = " " if " " in text and len(parts) < len(text) else ""
    size = SNIPPET_WORDS if joint else 2 * SNIPPET_WORDS
    gains = [sum(weights.get(term, 0.0) for term in terms(part)) for part in parts] if joint else [0.0] * len(parts)
    total = best = sum(gains[:size])
    start = 0
    for n in range(1, max(1, len(parts) - size + 1)):
        total += gains[n + size - 1] - gains[n - 1]
        if total > best + 1e-9:
            best, start = total, n
    start = max(0, min(start, len(parts) - size))
    cut = joint.join(parts[start : start + size])
    return f"{'… ' if start else ''}{cut}{' …' if start + size < len(parts) else ''}"


def extract(pieces: Sequence[Piece], goal: Sequence[str], idf: Idf, budget: int) -> tuple[str, str]:
    """(evidence, summary) for the terms of a goal, the evidence within `budget` words.

    Passages are taken by score and shown in page order, a table's rows under its header, each section under its
    heading. What the goal's passages leave of the budget is filled from the head of the page. Without a goal the
    head of the page is the evidence and its first sentence the summary.
    """
    if not pieces:
        return "", ""
    weights = weigh(goal, pieces, idf)
    ranked = [n for _, n in sorted(_scores(pieces, weights), key=lambda pair: (-pair[0], pair[1]))]
    chosen = _within(pieces, ranked, budget)
    summary = _summary([pieces[n] for n in chosen], weights)
    return _render(pieces, chosen, budget), summary


def _within(pieces: Sequence[Piece], ranked: Iterable[int], budget: int) -> list[int]:
    """The best passages that fit the budget together, in page order; always at least one."""
    chosen: list[int] = []
    frames: set[tuple[str, str]] = set()
    left = budget
    for n in ranked:
        passage = pieces[n].passage
        frame = (passage.heading, passage.header)
        cost = words(passage.text) + (words(" ".join(frame)) if frame not in frames else 0)
        if cost > left and chosen:
            continue
        chosen.append(n)
        frames.add(frame)
        left -= cost
        if left <= 0:
            break
    return sorted(chosen)


def _render(pieces: Sequence[Piece], chosen: Sequence[int], budget: int) -> str:
    """The chosen passages as Markdown; `…` stands where something was left out."""
    lines: list[str] = []
    heading = header = None
    before = -1
    for n in chosen:
        passage = pieces[n].passage
        if n != before + 1:
            lines += ["", "…"]
        if passage.heading != heading:
            heading, header = passage.heading, None
            lines += ["", f"## {heading}"] if heading else []
        if passage.kind == "row":
            if passage.header != header:
                header = passage.header
                columns = max(1, header.strip().strip("|").count("|") + 1)
                lines += ["", header, "|" + "---|" * columns] if header else [""]
            lines.append(passage.text)
        else:
            header = None
            lines += ["", passage.text]
        before = n
    if chosen[-1] != len(pieces) - 1:
        lines += ["", "…"]
    text = "\n".join(lines).strip()
    return text if len(chosen) > 1 else _first_words(text, budget)


def _first_words(text: str, budget: int) -> str:
    """The first line breaks and words of `text` that fit `budget`: a single passage may be longer than that."""
    if words(text) <= budget:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if words(text[:middle]) <= budget else (low, middle - 1)
    return f"{text[:low].rstrip()} …"


def _sentences(passage: Passage) -> list[str]:
    """What a summary may consist of: a sentence, an item of a list, a row of a table."""
    if passage.kind == "list":
        return [" ".join(item.split()) for item in items(plain(passage.text))]
    return sentences(shown(passage)) if passage.kind == "text" else [shown(passage)]


def _summary(pieces: Sequence[Piece], weights: dict[str, float]) -> str:
    """The best sentence (or table row) of the evidence; the first one where no term of the goal is on the page."""
    best, found = -1.0, ""
    for piece in pieces:
        for sentence in _sentences(piece.passage):
            value = score(terms(sentence), piece.context, weights)
            if value > best + 1e-9:
                best, found = value, sentence
    return _first_words(found, SNIPPET_WORDS)
