"""What the model may call: `search` and `visit`, their schemas, and the text they answer with.

The schemas and the observation text are upstream's training environment's, to the letter. A call that
cannot be carried out is answered by `Error: …`: the model's fault is an observation, never an exception.
"""

import json
from collections.abc import Generator, Sequence
from typing import Any

from lite.dialect import quote
from lite.errors import UsageError
from lite.index.text import plain
from lite.reading import Reader
from lite.records import Call, Fault, Generate, Observation, Reply, Results, Visit, listed
from lite.world import World

SCHEMAS: tuple[dict[str, Any], ...] = (
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Performs batched web searches: supply an array 'query'; the tool retrieves the top 10 "
            "results for each query in one call.",
            "parameters": {
                "type": "object",
                "properties": {
                    "query": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Array of query strings. Include multiple complementary search queries in a "
                        "single call.",
                    }
                },
                "required": ["query"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "visit",
            "description": "Visit webpage(s) and return the summary of the content.",
            "parameters": {
                "type": "object",
                "properties": {
                    "url": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "The URL(s) of the webpage(s) to visit. Can be a single URL or an array of "
                        "URLs.",
                    },
                    "goal": {
                        "type": "string",
                        "description": "The specific information goal for visiting webpage(s).",
                    },
                },
                "required": ["url", "goal"],
            },
        },
    },
)

NAMES = tuple(schema["function"]["name"] for schema in SCHEMAS)
Steps = Generator[Generate, Reply | Fault | None, Observation | Fault]
_JOIN = "\n\n=======\n\n"
MOST_AT_ONCE = 10  # queries or URLs one call may carry; the rest is dropped and the model is told


def schema_lines(names: Sequence[str] = NAMES) -> str:
    """The tools of these names as JSON function schemas, one a line, as they stand inside `<tools></tools>`."""
    chosen = (schema for schema in SCHEMAS if schema["function"]["name"] in names)
    return "\n".join(json.dumps(schema, ensure_ascii=False) for schema in chosen)


class Toolset:
    """The two tools over one world, for one task: its masked pages exist for neither of them.

    Args:
        world: where the tools look.
        mask: URLs that are hidden, from search and visit alike.
        results: hits a query (upstream: 10).
        visit_words: words of evidence a visited page.
        names: of the tools that there are.
        reader: reads visited pages; without one the passages that serve the goal are extracted.
        links: whether evidence has the addresses that its links lead to.
    """

    def __init__(
        self,
        world: World,
        *,
        mask: str | Sequence[str] = (),
        results: int = 10,
        visit_words: int = 400,
        names: Sequence[str] = NAMES,
        reader: Reader | None = None,
        links: bool = True,
    ) -> None:
        self._reader = reader
        self._links = links
        self._names = tuple(names)
        self._world = world
        self._mask = listed(mask)
        self._results = results
        self._visit_words = visit_words

    def run(self, call: Call) -> Observation:
        """Carry out one call. Never raises for what the model wrote.

        Raises:
            UsageError: a page would have to be read by a model (`steps` says what it is to write).
        """
        try:
            next(self.steps(call))
        except StopIteration as end:
            if isinstance(end.value, Observation):
                return end.value
        raise UsageError("a page of this visit has not been read by that model yet: visit it in an episode first")

    def steps(self, call: Call) -> Steps:
        """Carry out one call; whatever a model has to write for it is asked for on the way."""
        if call.tool not in self._names:
            are = "tool is" if len(self._names) == 1 else "tools are"
            return _error(f"there is no tool named {quote(call.tool)}. The {are} {' and '.join(self._names)}.")
        if call.tool == "search":
            return self._search(call.arguments)
        return (yield from self._visit(call.arguments))

    def _search(self, arguments: dict[str, Any]) -> Observation:
        queries = strings(arguments.get("query"))
        if not queries:
            return _error('search needs "query", an array of strings.')
        shown: dict[str, str] = {}
        parts = []
        for query in queries[:MOST_AT_ONCE]:
            results = self._world.search(query, self._results, mask=self._mask)
            parts.append(_search_text(results, already=shown))
            shown |= {hit.url: hit.snippet for hit in results if hit.url not in shown}
        return Observation(text=_JOIN.join([*parts, *_dropped(queries)]), shown=shown)

    def _visit(self, arguments: dict[str, Any]) -> Steps:
        urls = list(dict.fromkeys(strings(arguments.get("url"))))
        goal = arguments.get("goal")
        if not urls:
            return _error('visit needs "url", an array of strings.')
        if not isinstance(goal, str):
            return _error('visit needs "goal", a string that says what to look for.')
        mode = "raw" if self._reader else "extract"
        views = []
        for url in urls[:MOST_AT_ONCE]:
            view = self._world.visit(url, goal, words=self._visit_words, mask=self._mask, mode=mode)
            if self._reader and view.found:
                seen = yield from self._reader.read(view)
                if isinstance(seen, Fault):
                    return seen
                view = seen
            if not self._links:
                view = view.model_copy(update={"evidence": plain(view.evidence), "summary": plain(view.summary)})
            views.append(view)
        read = {view.url: view.evidence for view in views if view.found}
        if self._reader:  # an extract has its summary from the evidence; what a model writes may be new
            read |= {view.url: f"{view.evidence}\n{view.summary}" for view in views if view.found}
        return Observation(text=_JOIN.join([*map(self._visit_text, views), *_dropped(urls)]), read=read)

    def _visit_text(self, view: Visit) -> str:
        evidence, summary = quote(view.evidence), quote(view.summary)
        if not view.found:
            evidence = "The provided webpage content could not be accessed. Please check the URL or file format."
            near = self._world.nearest(view.url, mask=self._mask)
            if near:  # models make addresses up: those that exist are more use than a bare refusal
                evidence += f" The nearest pages that exist: {quote(', '.join(near))}"
            summary = "The webpage content could not be processed, and therefore, no information is available."
        head = f"The useful information in {quote(view.url)} for user goal {quote(view.goal)} as follows: "
        return f"{head}\n\nEvidence in page: \n{evidence}\n\nSummary: \n{summary}"


def _search_text(results: Results, already: dict[str, str]) -> str:
    fresh = [hit for hit in results if hit.url not in already]
    query = quote(results.query)
    if not fresh:
        return f"No results found for '{query}'. Try with a more general query."
    lines = [f"{n}. [{quote(hit.title)}]({quote(hit.url)})\n{quote(hit.snippet)}" for n, hit in enumerate(fresh, 1)]
    return f"A Google search for '{query}' found {len(fresh)} results:\n\n## Web Results\n" + "\n\n".join(lines)


def strings(value: Any) -> list[str]:
    """A list of non-empty strings; a bare string counts as a list of one."""
    items = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [item.strip() for item in items if isinstance(item, str) and item.strip()]


def _dropped(items: Sequence[str]) -> list[str]:
    extra = len(items) - MOST_AT_ONCE
    return [f"Error: {extra} more were asked for at once; at most {MOST_AT_ONCE} are answered."] if extra > 0 else []


def _error(message: str) -> Observation:
    return Observation(text=f"Error: {message}", ok=False)
