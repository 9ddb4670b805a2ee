"""`--api serper`: the shape of Serper's Google search, for agents that were written for it."""

from pydantic import Field

from lite.serve.endpoint import Count, Endpoint, Reply, Request, Text
from lite.serve.engine import Engine


class Search(Request):
    """A query. What Serper's clients send besides it and `num` is taken, and means nothing here."""

    q: Text
    num: Count = 10
    gl: Text | None = Field(None, description="Country: ignored.")
    hl: Text | None = Field(None, description="Language: ignored.")
    location: Text | None = Field(None, description="Ignored.")
    tbs: Text | None = Field(None, description="Time range: ignored, a world has one date.")
    type: Text | None = Field(None, description="Ignored.")
    autocorrect: bool | None = Field(None, description="Ignored.")
    autocomplete: bool | None = Field(None, description="Ignored.")
    page: int = Field(1, ge=1, description="Which `num` hits: the first, …; they end at the server's limit.")


class Organic(Reply):
    """One hit."""

    title: str
    link: str
    snippet: str
    position: int


class Found(Reply):
    """The hits, best first; `position` counts from 1 on each page."""

    organic: list[Organic]


def search(engine: Engine, request: Search) -> Found:
    """Search for one query."""
    last = min(request.page * request.num, engine.limits.results)
    results = engine.search([request.q], last, mask=request.mask).results[0]
    hits = results.hits[(request.page - 1) * request.num :]
    return Found(
        organic=[
            Organic(title=hit.title, link=hit.url, snippet=hit.snippet, position=n) for n, hit in enumerate(hits, 1)
        ]
    )


ENDPOINTS = (Endpoint("/search", Search, Found, search),)
