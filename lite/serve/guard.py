"""Who may talk to a server of ours: Host and Origin are checked before any request is looked at.

A page on the web can make a browser send requests to this machine. It cannot do so under a name of this machine
(Host), unless its own name is made to point here, and a browser says where a request comes from (Origin). So requests
for any other name, or from any other origin, are refused.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """ASGI middleware: answers 403, or 400 where Host is missing or twice there, instead of passing a request on.

    Args:
        app: what is guarded.
        bound: the address the server listens on. On a wildcard address (0.0.0.0, ::) every numeric Host is let in:
            only names can be made to point elsewhere.
        names: further Host names that are let in.
    """

    def __init__(self, app: App, *, bound: str = "127.0.0.1", names: Collection[str] = ()) -> None:
        self._app = app
        self._names = LOOPBACK | {bound.lower().strip("[]")} | {name.lower().strip("[]") for name in names}
        self._numeric = _is_wildcard(bound)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, or answer it with one line that says why not."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refused = self._refusal(scope["headers"])
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1]})
        else:
            status, line = refused
            headers = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps({"error": line}).encode()})

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        pairs = [(name.lower(), value.decode("latin-1")) for name, value in headers]
        hosts = [value for name, value in pairs if name == b"host"]
        if len(hosts) != 1:
            return 400, "a request names one Host"
        name = _name(hosts[0])
        if name not in self._names and not (self._numeric and _is_address(name)):
            return 403, f"this server does not answer to the Host it was called by: start it with --allow {name}"
        for origin in (value for key, value in pairs if key == b"origin"):
            if origin.lower() not in {f"http://{hosts[0].lower()}", f"https://{hosts[0].lower()}"}:
                return 403, "this server takes no requests from pages of other origins"
        return None


def _name(host: str) -> str:
    """The name in a Host header: without port, and without the brackets of an IPv6 address."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_wildcard(bound: str) -> bool:
    return _is_address(bound.strip("[]")) and ip_address(bound.strip("[]")).is_unspecified
