"""`--api inference`: the two tool servers that LiteResearcher's inference client calls, at one address.

The text differs a little from the training environment's (`lite.tools`): a page found by several queries is shown
for each of them, a blank line stands before a snippet, and none around the line that joins two queries.
"""

from time import perf_counter

from lite.dialect import quote
from lite.records import Call, Results
from lite.serve.endpoint import Endpoint, OneOrMore, Reply, Request, Text
from lite.serve.engine import Engine
from lite.tools import Toolset

RESULTS = 10  # a query
_JOIN = "\n=======\n"


class Search(Request):
    """One query or several."""

    query: OneOrMore


class Browse(Request):
    """One page to read or several, and what for."""

    url: OneOrMore
    goal: Text = ""


class Done(Reply):
    """What the model is shown."""

    success: bool
    result: str
    elapsed_ms: float
    error: str = ""


def search(engine: Engine, request: Search) -> Done:
    """Search, and give the text that a model is shown."""
    start = perf_counter()
    found = engine.search(request.query, RESULTS, mask=request.mask)
    return Done(success=True, result=_JOIN.join(map(_shown, found.results)), elapsed_ms=_since(start))


def browse(engine: Engine, request: Browse) -> Done:
    """Read pages with a goal, and give the text that a model is shown."""
    start = perf_counter()
    call = Call(tool="visit", arguments={"url": request.url, "goal": request.goal})
    seen = Toolset(engine.world, mask=request.mask).run(call)
    if not seen.ok:
        return Done(success=False, result="", elapsed_ms=_since(start), error=seen.text.removeprefix("Error: "))
    return Done(success=True, result=seen.text, elapsed_ms=_since(start))


def _shown(results: Results) -> str:
    query = quote(results.query)
    if not results.hits:
        return f"No results found for '{query}'. Try with a more general query."
    lines = [f"{n}. [{quote(hit.title)}]({quote(hit.url)})\n\n{quote(hit.snippet)}" for n, hit in enumerate(results, 1)]
    return f"A Google search for '{query}' found {len(lines)} results:\n\n## Web Results\n" + "\n\n".join(lines)


def _since(start: float) -> float:
    return round((perf_counter() - start) * 1000, 3)


ENDPOINTS = (Endpoint("/search", Search, Done, search), Endpoint("/browse", Browse, Done, browse))
