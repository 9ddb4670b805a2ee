"""`lite mcp`: the two tools over the Model Context Protocol, on standard input and output or over HTTP.

Tools, schemas and texts are those of `lite.tools`. A client hides pages from one call with `"_meta": {"mask": [urls]}`
beside the arguments, out of its model's reach; `mask` of the server hides them from every call.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from lite import __version__
from lite.extras import need
from lite.records import Call, Observation, listed
from lite.serve.engine import Engine, Refusal
from lite.serve.guard import App
from lite.serve.intake import Intake
from lite.serve.limits import Limits
from lite.serve.listen import listen
from lite.tools import SCHEMAS, Toolset
from lite.world import World

PATH = "/mcp"
_ABOUT = (
    "A closed copy of a part of the web: `search` finds pages in it and `visit` reads them. Nothing outside it can be "
    "reached, and the same call gives the same answer every time."
)


def serve_mcp(
    world: str | Path,
    *,
    http: bool = False,
    host: str = "127.0.0.1",
    port: int = 8019,
    mask: str | Sequence[str] = (),
    limits: Limits | None = None,
    allow: Collection[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the world in the folder `world` until the client goes (stdio), or until Ctrl-C or a TERM signal (HTTP).

    Args:
        world: its folder.
        http: streamable HTTP instead of standard input and output.
        host: the address to listen on.
        port: 0 takes any free one.
        mask: URLs that do not exist for any call.
        limits: what one call may ask for.
        allow: Host names that the server answers to besides this machine's own.
        ready: told the address of the protocol (`http://127.0.0.1:8019/mcp`) once it can be called; HTTP only.

    Raises:
        UsageError: the address cannot be listened on.
        WorldError: the world cannot be opened.
        MissingExtra: the protocol's SDK is not installed.
    """
    need("mcp.server.lowlevel", "mcp")
    limits = limits or Limits()
    with World.open(world) as opened:
        engine = Engine(opened, limits)
        try:
            server = tool_server(engine, mask)
            if http:
                tell = (lambda address: ready(f"{address}{PATH}")) if ready else None
                listen(application(server, limits), host, port, allow=allow, patience=limits.patience, ready=tell)
            else:
                need("anyio", "mcp").run(_on_stdio, server)
        finally:
            engine.close()


def tool_server(engine: Engine, mask: str | Sequence[str] = ()) -> Any:
    """The `mcp.server.lowlevel.Server` with the two tools over `engine`'s world."""
    from mcp import types
    from mcp.server.lowlevel import Server

    hints = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    functions = [schema["function"] for schema in SCHEMAS]
    tools = [
        types.Tool(
            name=function["name"],
            description=function["description"],
            input_schema=function["parameters"],
            annotations=hints,
        )
        for function in functions
    ]

    async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        asked = (params.meta or {}).get("mask", [])
        seen = await _observe(engine, Call(tool=params.name, arguments=params.arguments or {}), mask, asked)
        return types.CallToolResult(content=[types.TextContent(type="text", text=seen.text)], is_error=not seen.ok)

    return Server(
        "literesearcher-lite",
        version=__version__,
        instructions=_ABOUT,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def application(server: Any, limits: Limits) -> App:
    """The ASGI application of streamable HTTP, at `/mcp`. Host and Origin are the business of `lite.serve.guard`."""
    from mcp.server.transport_security import TransportSecuritySettings

    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, json_response=True, transport_security=unchecked
    )
    return Intake(app, limits)


async def _on_stdio(server: Any) -> None:
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


async def _observe(engine: Engine, call: Call, mask: str | Sequence[str], asked: Any) -> Observation:
    """The observation of one call, without the pages of the server's mask and of the one the client `asked` for."""
    limits = engine.limits
    if not isinstance(asked, list) or not all(isinstance(url, str) for url in asked) or len(asked) > limits.urls:
        return _error(f"_meta.mask is an array of at most {limits.urls} URLs.")
    if any(len(text) > limits.chars for text in [*_texts(call.arguments), *asked]):
        return _error(f"a query, URL or goal has at most {limits.chars} characters.")
    try:
        return await engine.run(Toolset(engine.world, mask=[*listed(mask), *asked]).run, call)
    except Refusal as refusal:
        return _error(f"{refusal}.")


def _texts(arguments: dict[str, Any]) -> list[str]:
    values = [item for value in arguments.values() for item in (value if isinstance(value, list) else [value])]
    return [value for value in values if isinstance(value, str)]


def _error(message: str) -> Observation:
    return Observation(text=f"Error: {message}", ok=False)
