"""What a reader with a goal takes from a page: the passages that serve it, and the sentence that says most.

Passages are scored against the goal's terms as BM25 scores documents. A term weighs by how rare it is in the world,
times how rare it is among the page's own passages: the page's subject stands in most of them and tells none apart.
Everything is counted in words, so nothing depends on a tokenizer, and the same page and goal give the same text.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain
from math import log
from typing import NamedTuple

from lite.index.text import (
    FINE_PART,
    Passage,
    is_lone,
    items,
    passages,
    plain,
    sentences,
    simplified,
    stems_of,
    terms_each,
    words,
    words_of,
)

SNIPPET_WORDS = 60
_K1, _B, _TYPICAL = 1.2, 0.4, 40  # BM25: saturation, length penalty, words of a typical passage
_CONTEXT = 0.5  # what a term counts in the heading or header of a passage, against one in its text
_LEAD = 0.1  # share of a full match that the page's first passage has for free; the n-th has 1/n of it

_PART = re.compile(r"\s*\S+")
_PIPE = re.compile(r"(?<!\\)\|")

Idf = Callable[[str], float]
_NONE: Mapping[str, int] = {}


class _Index(NamedTuple):
    """The terms of a page's passages."""

    flat: list[str]  # of all passages in order
    ends: list[int]  # where each passage's terms end
    contexts: list[frozenset[str]]  # the terms of each passage's heading and header


class Reading:
    """A page to be read for a goal: it is cut into passages, and their terms are found, when first needed."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def passages(self) -> Sequence[Passage]:
        """The page's passages in order; a text that has none is one."""
        return passages(self._text) or ([Passage(self._text.strip())] if self._text.strip() else [])

    @cached_property
    def _index(self) -> _Index:
        frames = [(passage.heading, passage.header) for passage in self.passages]
        distinct = list(dict.fromkeys(frames))
        texts = [plain(passage.text) for passage in self.passages]
        around = [f"{heading} {plain(header)}" for heading, header in distinct]
        found = terms_each([*texts, *around])
        context = dict(zip(distinct, map(frozenset, found[len(texts) :]), strict=True))
        bodies = found[: len(texts)]
        return _Index(
            list(chain.from_iterable(bodies)), list(accumulate(map(len, bodies))), [context[frame] for frame in frames]
        )

    def matches(self, goal: Sequence[str]) -> "Matches":
        """Where the terms of a goal stand in the passages."""
        flat, ends, contexts = self._index
        wanted = frozenset(goal)
        if wanted and all(map(is_lone, wanted)):  # such characters stand in pairs: they count as them
            flat = [next((one for one in goal if one in term), term) for term in flat]
        counts: dict[int, dict[str, int]] = {}
        n = 0
        for at in [at for at, term in enumerate(flat) if term in wanted]:
            while at >= ends[n]:
                n += 1
            count = counts.setdefault(n, {})
            count[flat[at]] = count.get(flat[at], 0) + 1
        around = {id(context): wanted & context for context in contexts}
        return Matches(counts, [around[id(context)] for context in contexts], [0, *ends])

    def holds(self, phrase: Sequence[str]) -> int | None:
        """The first passage in which the terms of `phrase` begin to stand one after the other."""
        flat, ends, _ = self._index
        first, *inner, last = phrase if len(phrase) > 1 else (*phrase, "")
        # A lone character at either end may stand with a neighbour that is no part of the phrase.
        begins = [n for n, term in enumerate(flat) if term == first or (is_lone(first) and term.endswith(first))]
        for at in begins:
            end = at + len(inner) + 1
            if flat[at + 1 : end] != inner:
                continue
            term = flat[end] if end < len(flat) else ""
            if len(phrase) == 1 or term == last or (is_lone(last) and term.startswith(last)):
                return next(n for n, end in enumerate(ends) if at < end)
        return None


class Matches(NamedTuple):
    """What the passages of a page have of the terms of a goal."""

    counts: dict[int, dict[str, int]]  # passage -> term -> how often its text has it
    around: list[frozenset[str]]  # the terms in each passage's heading and header
    bounds: list[int]  # where each passage's terms begin, and at last where they end

    def weigh(self, goal: Sequence[str], idf: Idf) -> dict[str, float]:
        """The weight of each goal term on this page; terms that are nowhere on it are left out."""
        spread = dict.fromkeys(goal, 0)
        for count in self.counts.values():
            for term in count:
                spread[term] += 1
        for n, around in enumerate(self.around):
            for term in around.difference(self.counts.get(n, ())):
                spread[term] += 1
        whole = log(1 + len(self.around))
        return {
            term: idf(term) * log(1 + len(self.around) / having) / whole for term, having in spread.items() if having
        }

    def scores(self, weights: dict[str, float]) -> list[tuple[float, int]]:
        """(score, number) of each passage."""
        lead = _LEAD * sum(weights.values())
        out = []
        for n, around in enumerate(self.around):
            count = self.counts.get(n, _NONE)
            length = self.bounds[n + 1] - self.bounds[n]
            out.append((score(count, length, around, weights) + lead / (n + 1), n))
        return out


def score(count: Mapping[str, int], length: int, context: Collection[str], weights: dict[str, float]) -> float:
    """BM25 of the terms of one passage or sentence of `length` terms, its context counted in part."""
    if not count and not context:
        return 0.0
    fading = _K1 * (1 - _B + _B * length / _TYPICAL)
    total = 0.0
    for term, weight in weights.items():
        tf = count.get(term) or (_CONTEXT if term in context else 0)
        if tf:
            total += weight * tf * (_K1 + 1) / (tf + fading)
    return total


def snippet(page: Reading, asked: Sequence[str], idf: Idf, *, phrase: bool = False) -> str:
    """The passage that answers best, as plain text of up to about `SNIPPET_WORDS` words.

    With `phrase`, that is the one in which the terms stand one after the other.
    """
    if not page.passages:
        return ""
    if len(page.passages) == 1 and words(only := shown(page.passages[0])) <= SNIPPET_WORDS:
        return only
    matches = page.matches(asked)
    weights = matches.weigh(asked, idf)
    best = page.holds(asked) if phrase and asked else None
    if best is None:
        best = max(matches.scores(weights), key=lambda pair: (pair[0], -pair[1]))[1]
    return _shorten(shown(page.passages[best]), weights)


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


def _shorten(text: str, weights: dict[str, float], limit: int = SNIPPET_WORDS) -> str:
    """Up to `limit` words of `text`, where the weights are densest, as many before as behind; else its head."""
    if words(text) <= limit:
        return text
    parts, fine = list(_PART.finditer(text)), False
    if len(parts) * 3 <= len(terms_each([text])[0]):  # little white space: Chinese, or JSON
        parts, fine = list(FINE_PART.finditer(text)), True
    gains = _gains_fine(text, parts, weights) if fine else _gains(text, [part[0] for part in parts], weights)
    if not any(gains):
        return _first_words(text, limit)
    # Two unspaced characters make a word.
    costs = [0.5 if fine and is_lone(part[0][-1]) else max(1, words(part[0])) for part in parts]
    first, last = _window(costs, gains, limit)
    before, behind = "… " if first else "", " …" if last < len(parts) else ""
    end = parts[last].start() if last < len(parts) else len(text)
    return f"{before}{text[parts[first].start() : end].strip()}{behind}"


def _window(costs: Sequence[float], gains: Sequence[float], limit: int) -> tuple[int, int]:
    """(first, one behind the last) part of the run within `limit` that gains most; of equals that in their middle."""
    runs: list[tuple[int, int]] = []
    best = total = held = 0.0
    end = 0
    for first in range(len(costs)):
        while end < len(costs) and held + costs[end] <= limit:
            held, total, end = held + costs[end], total + gains[end], end + 1
        if total > best + 1e-9:
            best, runs = total, [(first, end)]
        elif runs and runs[-1][0] == first - 1 and total > best - 1e-9:
            runs.append((first, end))
        if end == len(costs):
            break
        if end > first:
            held, total = held - costs[first], total - gains[first]
        else:
            end = first + 1  # one part that is longer than the limit by itself
    return runs[len(runs) // 2] if runs else (0, max(1, end))


def _gains(text: str, parts: Sequence[str], weights: dict[str, float]) -> list[float]:
    """What each part of `text` has of the weights."""
    gains = [0.0] * len(parts)
    said = list(set(words_of(text)))
    hot = [word for word, stem in zip(said, stems_of(said), strict=True) if stem in weights]
    ascii_only = text.isascii()  # then a word stands in the text as it is; else it may be another form of it
    near = [n for n, part in enumerate(parts) if not ascii_only or any(word in part for word in hot)]
    for n, found in zip(near, terms_each(parts[n] for n in near), strict=True):
        gains[n] = sum(weights.get(term, 0.0) for term in found)
    return gains


def _gains_fine(text: str, parts: Sequence[re.Match[str]], weights: dict[str, float]) -> list[float]:
    """The same of parts that are words or single characters: a pair of these counts where it begins."""
    gains = _gains(text, [part[0] for part in parts], {term: w for term, w in weights.items() if not is_lone(term)})
    place = {part.end() - 1: n for n, part in enumerate(parts)}
    said = simplified(text)
    for term, weight in weights.items():
        for found in re.finditer(re.escape(term), said) if is_lone(term[0]) else ():
            if (n := place.get(found.start())) is not None:
                gains[n] += weight
    return gains


def extract(page: Reading, goal: Sequence[str], idf: Idf, budget: int) -> tuple[str, str]:
    """(evidence, summary) for the terms of a goal, the evidence within `budget` words.

    Passages are taken by score and shown in page order, a table's rows under its header, each section under its
    heading. What the goal's passages leave of the budget is filled from the head of the page. Without a goal the
    head of the page is the evidence and its first sentence the summary.
    """
    if not page.passages:
        return "", ""
    matches = page.matches(goal)
    weights = matches.weigh(goal, idf)
    ranked = [n for _, n in sorted(matches.scores(weights), key=lambda pair: (-pair[0], pair[1]))]
    chosen = _within(page.passages, ranked, budget)
    summary = _summary([(page.passages[n], matches.around[n]) for n in chosen], weights)
    pieces = page.passages
    if len(chosen) == 1:  # which may be longer than the budget: a row, an item, a block of code
        one = pieces[chosen[0]]
        room = budget - words(f"{one.heading} {one.header}")
        pieces = [*pieces]
        pieces[chosen[0]] = one._replace(text=_part_of(one, weights, max(room, budget // 2)))
    return _render(pieces, chosen, budget), summary


def _part_of(passage: Passage, weights: dict[str, float], limit: int) -> str:
    """Up to `limit` words of a passage's text; code stays fenced."""
    if passage.kind != "code" or words(passage.text) <= limit:
        return _shorten(passage.text, weights, limit)
    fence, _, code = passage.text.partition("\n")
    mark = fence.strip()[:3]
    code = code.rstrip().removesuffix(mark).rstrip()
    return f"{fence}\n{_shorten(code, weights, limit)}\n{mark}"


def _within(pieces: Sequence[Passage], ranked: Iterable[int], budget: int) -> list[int]:
    """The best passages that fit the budget together, in page order; always at least one."""
    chosen: list[int] = []
    frames: set[tuple[str, str]] = set()
    left = budget
    for n in ranked:
        passage = pieces[n]
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


def _render(pieces: Sequence[Passage], chosen: Sequence[int], budget: int) -> str:
    """The chosen passages as Markdown; `…` stands where something was left out."""
    lines: list[str] = []
    heading = header = None
    before = -1
    for n in chosen:
        passage = pieces[n]
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


def _summary(chosen: Sequence[tuple[Passage, frozenset[str]]], weights: dict[str, float]) -> str:
    """The best sentence (or table row) of the evidence; the first one where no term of the goal is on the page."""
    said = [(sentence, around) for passage, around in chosen for sentence in _sentences(passage)]
    if not weights:
        return _first_words(said[0][0], SNIPPET_WORDS) if said else ""
    best, found = -1.0, ""
    for (sentence, around), stems in zip(said, terms_each(sentence for sentence, _ in said), strict=True):
        count = {term: stems.count(term) for term in weights}
        value = score(count, len(stems), around, weights)
        if value > best + 1e-9:
            best, found = value, sentence
    return _shorten(found, weights)
