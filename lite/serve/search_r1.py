"""`--api search-r1`: the retriever that Search-R1 trains against.

Its corpus is Wikipedia in passages of a hundred words, so `contents` is the page's title in quotes, as in that
corpus, and about a hundred words of the page that serve the query. A document's `id` is the page's URL.
"""

from typing import Annotated

from pydantic import Field

from lite.records import Hit
from lite.serve.endpoint import Count, Endpoint, Reply, Request, Text, few
from lite.serve.engine import Engine
from lite.serve.limits import Limits

WORDS = 100
LIMITS = Limits(batch=5_000, body=20_000_000)  # its client sends all searches of a training step at once


class Retrieve(Request):
    """Queries, embedded together; its client asks with none, too, where no episode of a step searches."""

    queries: Annotated[list[Text], few("batch")]
    topk: Count | None = Field(None, description="Documents a query; 3, as upstream, where it is left out.")
    return_scores: bool = False


class Document(Reply):
    """A passage of a page."""

    id: str
    contents: str


class Scored(Reply):
    """A document with its score."""

    document: Document
    score: float


class Retrieved(Reply):
    """The documents of each query, best first: with scores, or bare where none were asked for."""

    result: list[list[Scored]] | list[list[Document]]


def retrieve(engine: Engine, request: Retrieve) -> Retrieved:
    """Retrieve documents for many queries."""
    found = engine.search(request.queries, request.topk or 3, mask=request.mask).results if request.queries else []
    documents = [[_document(engine, hit, results.query) for hit in results] for results in found]
    if not request.return_scores:
        return Retrieved(result=documents)
    scored = [
        [Scored(document=document, score=hit.score) for document, hit in zip(bare, results, strict=True)]
        for bare, results in zip(documents, found, strict=True)
    ]
    return Retrieved(result=scored)


def _document(engine: Engine, hit: Hit, query: str) -> Document:
    page = engine.world.visit(hit.url, query, words=WORDS)
    title = " ".join(hit.title.split())
    return Document(id=hit.url, contents=f'"{title}"\n{page.evidence}')


ENDPOINTS = (Endpoint("/retrieve", Retrieve, Retrieved, retrieve),)
