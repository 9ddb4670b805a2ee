"""`lite serve`: a world over HTTP, in the wire formats that existing clients speak.

One process, one world, one loaded embedder; requests are worked on in a few threads. Every request may carry
`"mask": [urls]`, so that one server serves many tasks.
"""

import json
from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from lite import __version__
from lite.errors import LiteError, UsageError
from lite.serve.endpoint import Endpoint, Reply
from lite.serve.engine import Engine, Refusal
from lite.serve.guard import App
from lite.serve.intake import Intake, refused
from lite.serve.limits import Limits
from lite.serve.listen import listen
from lite.serve.openapi import describe
from lite.serve.stats import Counts, Stats, Tally
from lite.world import World

_MODULES = {"environment": "environment", "inference": "inference", "search-r1": "search_r1", "serper": "serper"}


class Health(Reply):
    """The server answers, and which world it serves."""

    status: Literal["healthy"] = "healthy"
    api: str
    version: str
    world: str  # the digest of its content
    index: str
    pages: int
    embedder: str | None


def serve(
    world: str | Path,
    api: str = "environment",
    host: str = "127.0.0.1",
    port: int = 8018,
    *,
    limits: Limits | None = None,
    allow: Collection[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the world in the folder `world` until Ctrl-C or a TERM signal.

    Args:
        world: its folder.
        api: "environment", "inference", "search-r1" or "serper".
        host: the address to listen on; others than this machine can call only where it is not a loopback one.
        port: 0 takes any free one.
        limits: what one request may ask for; by default what the interface's own clients ask for at most.
        allow: Host names that the server answers to besides this machine's own.
        ready: told the server's address once it can be called.

    Raises:
        UsageError: there is no such interface, or the address cannot be listened on.
        WorldError: the world cannot be opened.
    """
    own: Limits = getattr(_module(api), "LIMITS", Limits())
    limits = limits or own
    with World.open(world) as opened:
        engine = Engine(opened, limits)
        try:
            listen(application(engine, api), host, port, allow=allow, patience=limits.patience, ready=ready)
        finally:
            engine.close()


def application(engine: Engine, api: str) -> App:
    """The ASGI application of one interface. It checks no Host and no Origin: `lite.serve.guard.Guard` does.

    Raises:
        UsageError: there is no such interface.
    """
    module = _module(api)
    endpoints: tuple[Endpoint, ...] = module.ENDPOINTS
    looks = {"/health": Health, "/stats": Stats}
    document = json.dumps(describe(api, module.__doc__ or "", endpoints, looks, engine.limits), ensure_ascii=False)
    tally = Tally([*(endpoint.path for endpoint in endpoints), *looks, "/openapi.json"])
    health, counts = _health(engine, api), _counts(engine)
    routes = [
        *(_post(endpoint, engine) for endpoint in endpoints),
        _get("/health", health.model_dump_json),
        _get("/stats", lambda: tally.stats(counts).model_dump_json()),
        _get("/openapi.json", lambda: document),
    ]
    return Intake(Starlette(routes=routes, exception_handlers=dict(_FATES)), engine.limits, tally)


def _module(api: str) -> ModuleType:
    if api not in _MODULES:
        raise UsageError(f"no interface is called {api!r}: use {', '.join(_MODULES)}")
    return import_module(f"lite.serve.{_MODULES[api]}")


def _post(endpoint: Endpoint, engine: Engine) -> Route:
    async def answer(request: HttpRequest) -> Response:
        return _json(await engine.run(endpoint.answer, engine, await request.body()))

    return Route(endpoint.path, answer, methods=["POST"])


def _get(path: str, tell: Callable[[], str]) -> Route:
    async def answer(_: HttpRequest) -> Response:
        return _json(tell())

    return Route(path, answer)


def _json(body: str) -> Response:
    return Response(body, media_type="application/json")


def _health(engine: Engine, api: str) -> Health:
    info = engine.info
    embedder = info.embedding.name if info.embedding else None
    return Health(
        api=api, version=__version__, world=info.digest, index=info.index_id, pages=info.pages, embedder=embedder
    )


def _counts(engine: Engine) -> Counts:
    info = engine.info
    return Counts(pages=info.pages, aliases=info.aliases, links=info.links)


async def _refusal(_: HttpRequest, error: Refusal) -> Response:
    return refused(error.status, str(error))


async def _usage(_: HttpRequest, error: UsageError) -> Response:
    return refused(422, str(error))


async def _world(_: HttpRequest, error: LiteError) -> Response:
    return refused(503, str(error))


async def _unrouted(request: HttpRequest, error: HTTPException) -> Response:
    line = f"{request.method} {request.url.path[:200]}: {error.detail.lower()}, see /openapi.json"
    answer = refused(error.status_code, line)
    answer.headers.update(error.headers or {})
    return answer


async def _bug(_: HttpRequest, error: Exception) -> Response:
    return refused(500, f"a fault of the server ({type(error).__name__}): its log says more")


_FATES: dict[Any, Any] = {
    Refusal: _refusal,
    UsageError: _usage,
    LiteError: _world,
    HTTPException: _unrouted,
    Exception: _bug,
}
