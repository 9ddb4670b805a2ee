"""Put an ASGI application on a port, tell where, and serve until it is interrupted."""

import os
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from time import monotonic
from typing import Any

from lite.errors import UsageError
from lite.extras import need
from lite.serve.guard import App, Guard


def listen(
    app: App,
    host: str,
    port: int,
    *,
    allow: Collection[str] = (),
    patience: float = 10.0,
    ready: Callable[[str], None] | None = None,
    **settings: Any,
) -> None:
    """Serve `app`, guarded, on `host` and `port` until Ctrl-C or a TERM signal.

    Args:
        app: an ASGI application.
        host: the address to listen on.
        port: 0 takes any free one.
        allow: Host names that are let in besides those of this machine (see `Guard`).
        patience: seconds that a client may take for the head of its request.
        ready: told the server's address (`http://127.0.0.1:8018`) once it can be called.
        settings: further ones of `uvicorn.Config`.

    Raises:
        UsageError: the address cannot be listened on.
        MissingExtra: uvicorn is not installed.
    """
    uvicorn = need("uvicorn", "serve")
    listener = _bind(host, port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}"
    guarded = Guard(app, bound=host, names=allow)
    defaults = {"log_level": "warning", "access_log": False, "server_header": False, "timeout_graceful_shutdown": 3}
    server = _patient(uvicorn.Server, patience)(uvicorn.Config(guarded, **(defaults | settings)))
    with listener:
        if ready is not None:
            ready(address)  # from here on the system takes connections, and the server answers them in a moment
        with suppress(KeyboardInterrupt):  # how a person stops a server
            server.run(sockets=[listener])


def _patient(server: type[Any], patience: float) -> type[Any]:
    """A `uvicorn.Server` that hangs up on clients that connect and do not get a request said.

    Uvicorn waits for ever for the head of a request. A connection's `cycle` is its latest request.
    """

    class Patient(server):
        _silent: dict[Any, tuple[Any, float]]  # connection -> its latest request, and since when there is no other

        async def on_tick(self, counter: int) -> bool:
            if counter % 10 == 0:  # once a second
                self._hang_up(monotonic())
            return await super().on_tick(counter)

        def _hang_up(self, now: float) -> None:
            before = getattr(self, "_silent", {})
            self._silent = {}
            for connection in self.server_state.connections:
                cycle: Any = getattr(connection, "cycle", connection)  # a WebSocket has none
                if cycle is connection or (cycle is not None and not cycle.response_complete):
                    continue
                latest, since = before.get(connection, (cycle, now))
                self._silent[connection] = (cycle, since if latest is cycle else now)
            for connection, (_, since) in self._silent.items():
                if now - since > patience:
                    connection.transport.close()

    return Patient


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError, UnicodeError) as error:
        why = str(error)
        if isinstance(error, OSError) and error.errno:  # its own words may repeat the address
            why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        raise UsageError(f"cannot listen on {host} port {port} ({why}): choose others with --host and --port") from None
    # Connections inherit it. Without it every answer waits some 40 ms for the client's delayed acknowledgement of its
    # head: asyncio sets it only on sockets that were made with a protocol number, and create_server makes none.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
