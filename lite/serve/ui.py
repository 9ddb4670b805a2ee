"""A window on a world, for a person with a browser: search it, read its pages as the agent does, see what is in it.

Everything is made here, on the server: the pages need no JavaScript, no network and nothing but this package. Text of
the world is data (see `lite.serve.markup`), and a Content-Security-Policy says so to the browser too.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import escape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from lite.dialect import wrap_response
from lite.errors import LiteError, UsageError
from lite.index.lexical import query_terms
from lite.index.pages import StoredPage
from lite.index.text import links
from lite.index.urls import url_words
from lite.records import Call
from lite.serve import addresses, markup
from lite.serve.addresses import reader
from lite.serve.listen import listen
from lite.tools import Toolset
from lite.world import World

MOST_HITS = 100
LIST = 200  # rows of a list that are shown at once
_TEXT = 2_000  # characters a query or a goal may have here
_SLOW = 3_000_000  # characters of a page that take the agent's reader more than a second
_SCANNED = 2_000_000  # characters of a page that are searched for links out of the world
_CHECKED = 5_000  # of those links
_CARRIED = 200  # characters of a goal that links to further pages carry along
_SOURCE = 100_000  # characters of source that are shown at once
_VIEWS = {
    "agent": "Agent\N{RIGHT SINGLE QUOTATION MARK}s view",
    "whole": "Whole page",
    "source": "Source",
    "links": "Links",
}
_WORDS = (100, 200, 400, 800)
_PHRASE = "phrase"  # stands among the modes here: the words of the query one after the other
_TEMPLATES = Path(__file__).parent / "templates"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def show(
    directory: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8020,
    allow: Collection[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the window on the world in `directory` until Ctrl-C.

    Args:
        directory: of a finished world.
        host: the address to listen on.
        port: 0 takes any free one.
        allow: Host names that are let in besides those of this machine.
        ready: told the window's address.

    Raises:
        WorldError: there is no world that can be opened.
        UsageError: the address cannot be listened on.
        MissingExtra: a library of the extra `serve` is not installed.
    """
    with World.open(directory) as world:
        listen(application(world), host, port, allow=allow, ready=ready)


def application(world: World) -> Starlette:
    """The window as an ASGI application. It checks no Host: `lite.serve.guard.Guard` does, around it."""
    window = Window(world)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        Thread(target=window.warm, daemon=True).start()
        yield

    routes = [
        Route("/", window.search),
        Route("/page", window.page),
        Route("/world", window.account),
        Route("/site", window.site),
        Route("/style.css", _file("style.css", "text/css; charset=utf-8")),
        Route("/icon.svg", _file("icon.svg", "image/svg+xml")),
    ]
    faults = {LiteError: window.mendable, HTTPException: window.refused, Exception: window.failed}
    return Starlette(routes=routes, exception_handlers=faults, lifespan=lifespan)  # pyright: ignore[reportArgumentType]


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = (_TEMPLATES / name).read_bytes()

    def answer(_: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return answer


class Shown(NamedTuple):
    """A search hit as it is written on the page."""

    href: str
    title: str
    url: str
    snippet: Any
    score: float


class Window:
    """The pages, each from a request. They block: Starlette runs them in threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.pages
        self._info = world.info()
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: markup.clean(value) if type(value) is str else value,
        )
        self._templates.filters |= {"crumbs": addresses.crumbs, "size": _size, "exact": escape, "number": "{:,}".format}
        self._templates.globals |= {
            "info": self._info,
            "name": world.path.resolve().name,
            "reader": reader,
            "site_link": addresses.site_link,
            "counted": _counted,
            "q": "",
            "mode": "",
            "k": 10,
        }

    def warm(self) -> None:
        """Count the sites and load the embedder while a person still types; a search says it where that fails."""
        _ = self._sites
        with suppress(LiteError):
            self._world.embed(["the first query"])

    def _answer(self, template: str, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(values), status, headers=_HEADERS)

    # ------------------------------------------------------------ search

    def search(self, request: Request) -> Response:
        """`/`: the search box; with `q`, what was found."""
        query, mode = _text(request, "q").strip(), request.query_params.get("mode", "")
        k = _number(request, "k", 10, MOST_HITS)
        if not query:
            return self._answer("home.html", starts=self._starts, sites=self._sites, mode=mode, k=k)
        phrase = mode == _PHRASE
        named: Any = None if phrase else mode or None  # search says which modes there are
        began = perf_counter()
        results = self._world.search(query, k, mode=named, phrase=phrase)
        seconds = perf_counter() - began
        asked = frozenset(query_terms(query, stopwords=phrase))
        call = Call(tool="search", arguments={"query": [query]})
        given = "" if mode else wrap_response(Toolset(self._world, results=k).run(call).text)  # the agent names no mode
        hits = [
            Shown(reader(hit.url, q=query), hit.title, hit.url, markup.highlighted(hit.snippet, asked), hit.score)
            for hit in results
        ]
        return self._answer(
            "results.html",
            q=query,
            mode=mode,
            k=k,
            results=results,
            hits=hits,
            seconds=seconds,
            words=asked,
            given=given,
        )

    @cached_property
    def _starts(self) -> list[tuple[str, str]]:
        """(URL, title) of a few pages to begin with, the same ones each time."""
        count = self._info.pages
        keys = dict.fromkeys(1 + (2 * n + 1) * count // 12 for n in range(6))
        known = self._store.urls([key for key in keys if key <= count])
        return [self._titled(url) for url in known.values()]

    @cached_property
    def _sites(self) -> Counter[str]:
        """How many pages each site has."""
        return addresses.sites(self._store.addresses())

    # ------------------------------------------------------------ one page

    def page(self, request: Request) -> Response:
        """`/page?url=`: one page, in one of four views."""
        url, query = request.query_params.get("url", ""), _text(request, "q")
        view = request.query_params.get("view", "agent")
        if view not in _VIEWS:
            raise UsageError(f"no view of a page is called {view!r}: use {', '.join(_VIEWS)}")
        found = self._store.find(url)
        if found is None:
            return self._unknown(url, query)
        key, name = found
        page = self._store.page(key)
        goal = _text(request, "goal") if "goal" in request.query_params else query
        kept = {"view": view, "q": query, "goal": goal}
        values = {
            "page": page,
            "asked_for": name if name != page.url else "",
            "aliases": self._store.aliases_of(key),
            "out": self._store.links(key),
            "into": self._store.linking(key, LIST + 1),
            "view": view,
            "views": {each: (label, reader(page.url, **kept | {"view": each})) for each, label in _VIEWS.items()},
            "q": query,
            "goal": goal,
            "here": lambda number: reader(page.url, **kept, part=number),
            "there": lambda target: reader(target, **_brief(kept)),
            "most": LIST,
        }
        return self._answer(f"page_{view}.html", **values, **getattr(self, f"_{view}")(request, page, goal, kept))

    def _agent(self, request: Request, page: StoredPage, goal: str, kept: dict[str, str]) -> dict[str, Any]:
        """What the agent takes from the page, and the very text it is given."""
        words = _number(request, "words", 400, 2_000)
        values = {"words": words, "choices": sorted({*_WORDS, words}), "visit": None}
        if len(page.text) > _SLOW and "goal" not in request.query_params:
            return values
        visit = self._world.visit(page.url, goal, words=words)
        asked = frozenset(query_terms(goal, stopwords=False))
        call = Call(tool="visit", arguments={"url": [page.url], "goal": goal})
        given = Toolset(self._world, visit_words=words).run(call).text
        return values | {
            "visit": visit,
            "evidence": markup.rendered(visit.evidence, self._resolver(kept), asked),
            "summary": markup.highlighted(visit.summary, asked),
            "given": wrap_response(given),
        }

    def _whole(self, request: Request, page: StoredPage, goal: str, kept: dict[str, str]) -> dict[str, Any]:
        starts = markup.cuts(page.text)
        part = _number(request, "part", 1, len(starts))
        text = markup.part_of(page.text, starts, part)
        return {"parts": len(starts), "part": part, "html": markup.rendered(text, self._resolver(kept))}

    def _source(self, request: Request, page: StoredPage, goal: str, kept: dict[str, str]) -> dict[str, Any]:
        starts = markup.cuts(page.text, _SOURCE)
        part = _number(request, "part", 1, len(starts))
        text = markup.part_of(page.text, starts, part, header=False)
        return {"parts": len(starts), "part": part, "text": text}

    def _links(self, request: Request, page: StoredPage, goal: str, kept: dict[str, str]) -> dict[str, Any]:
        """Links out of the world are looked for within bounds; `complete` says whether that was the whole page."""
        targets: dict[str, str] = {}
        for target, anchor in links(page.text[:_SCANNED]):
            targets.setdefault(target, anchor)
        checked = list(targets)[:_CHECKED]
        outside = [(url, targets[url]) for url in checked if self._store.find(url) is None]
        complete = len(page.text) <= _SCANNED and len(checked) == len(targets)
        return {"outside": outside, "complete": complete}

    def _resolver(self, kept: dict[str, str]) -> markup.Resolve:
        """Where the reader goes for a link's target: the view and the goal stay as they are."""
        brief = _brief(kept)

        @lru_cache(None)
        def resolve(target: str) -> str | None:
            found = self._store.find(target)
            return reader(found[1], **brief) if found else None

        return resolve

    def _unknown(self, url: str, query: str) -> Response:
        """No such page: those with titles like the words of its address, and those whose addresses begin like it."""
        near = [self._titled(name) for name in self._world.nearest(url, 5)]
        begins = url[: url.rfind("/") + 5]
        beside = self._store.titles(url, f"{begins}\U0010ffff", 3) if url else []
        return self._answer("unknown.html", 404, url=url, near=near, beside=beside, q=query, words=url_words(url))

    def _titled(self, url: str) -> tuple[str, str]:
        return self._store.titles(url, f"{url}\0", 1)[0]

    # ------------------------------------------------------------ the world

    def account(self, request: Request) -> Response:
        """`/world`: what the world holds and what it was made from."""
        return self._answer(
            "world.html",
            sites=self._sites.most_common(LIST),
            all_sites=len(self._sites),
            duplicates=self._store.duplicates(LIST),
            broken=sorted((self._info.filtered | self._info.broken).items(), key=lambda pair: -pair[1]),
        )

    def site(self, request: Request) -> Response:
        """`/site?name=`: the pages of one site, in the order of their addresses."""
        name, after = request.query_params.get("name", ""), request.query_params.get("after", "")
        if name not in self._sites:
            raise HTTPException(404, f"no page of this world is from {name or 'a site without a name'}")
        rows: list[tuple[str, str]] = []
        for start, end in addresses.ranges(name):
            rows += self._store.titles(max(start, f"{after}\0" if after else ""), end, LIST + 1 - len(rows))
        following = addresses.site_link(name, rows[LIST - 1][0]) if len(rows) > LIST else ""
        return self._answer(
            "site.html", site=name, rows=rows[:LIST], total=self._sites[name], after=after, following=following
        )

    # ------------------------------------------------------------ what went wrong

    def mendable(self, request: Request, error: LiteError) -> Response:
        """A fault of the request (400), or of the world and what it needs (503): one line and the next step."""
        status = 400 if isinstance(error, UsageError) else 503
        return self._answer("fault.html", status, title="That did not work", line=str(error))

    def refused(self, request: Request, error: HTTPException) -> Response:
        """A path or a method that is not there."""
        title = "Not here" if error.status_code == 404 else "That cannot be done"
        return self._answer("fault.html", error.status_code, title=title, line=error.detail)

    def failed(self, request: Request, error: Exception) -> Response:
        """A fault of this program: the page says so, the terminal shows where."""
        line = f"{type(error).__name__} in lite itself: the terminal that runs `lite ui` shows where."
        return self._answer("fault.html", 500, title="This is our fault", line=line)


def _text(request: Request, name: str) -> str:
    text = request.query_params.get(name, "")
    if len(text) > _TEXT:
        raise UsageError(f"{name} has {len(text):,} characters: this page takes up to {_TEXT:,}, lite search takes any")
    return text


def _number(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.get(name) or str(default)
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= most):
        raise UsageError(f"{name} is {given[:40]!r}: give a whole number from 1 to {most:,}")
    return int(given)


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _size(count: float) -> str:
    """Bytes in the unit a person reads."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def _brief(kept: dict[str, str]) -> dict[str, str]:
    """What every link of a page carries along: a long goal would make ten thousand of them long."""
    return {name: value for name, value in kept.items() if len(value) <= _CARRIED}
