"""What a world is asked while it is measured: distinct queries, pages drawn at random, both mixed as an agent does."""

import random
from pathlib import Path
from typing import NamedTuple

from lite.bench.questions import read_questions
from lite.index.pages import PageStore, StoredPage
from lite.index.text import plain, sentences

SEARCHES = 0.63  # of the tool calls of upstream's training; the rest are visits
_SEED = 73_200_000


class Ask(NamedTuple):
    """One tool call: a search for `query`, or where there is a `url` a visit with the query as its goal."""

    query: str
    url: str = ""


def pages_of(store: PageStore, count: int) -> list[StoredPage]:
    """At most `count` pages drawn at random, always the same ones."""
    ids = store.ids()
    drawn = random.Random(_SEED).sample(ids, min(count, len(ids)))  # noqa: S311  # a sample, no secret
    return [store.page(key) for key in drawn]


def queries_of(store: PageStore, count: int, questions: str | Path | None = None) -> list[str]:
    """At most `count` distinct queries: of a file of questions, else made from the pages.

    A made one is the title and up to eight words of a sentence of a page: longer than what people type, about as long
    as what agents ask.
    """
    if questions is not None:
        return list(dict.fromkeys(each.query for each in read_questions(questions)))[:count]
    draw = random.Random(_SEED)  # noqa: S311  # a sample, no secret
    made: dict[str, None] = {}
    for page in pages_of(store, 2 * count):
        said = [words for each in sentences(plain(page.text)[:4000]) if len(words := each.split()) >= 4]
        words = draw.choice(said)[:8] if said else page.text.split()[:8]
        made.setdefault(f"{page.title} {' '.join(words)}".strip()[:200])
        if len(made) == count:
            break
    return list(made)


def calls_of(store: PageStore, queries: list[str]) -> list[Ask]:
    """A tool call for each query, 63 of 100 a search and 37 the visit of a page drawn at random with it as the goal."""
    draw = random.Random(_SEED)  # noqa: S311  # a sample, no secret
    pages = pages_of(store, len(queries))
    return [
        Ask(query) if draw.random() < SEARCHES else Ask(query, pages[number % len(pages)].url)
        for number, query in enumerate(queries)
    ]
