"""What stands between the socket and an application: the whole body, within bounds of size and time, and the count."""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from time import perf_counter
from typing import Any

from starlette.responses import Response

from lite.serve.endpoint import Error
from lite.serve.engine import Refusal
from lite.serve.guard import App
from lite.serve.limits import Limits
from lite.serve.stats import Tally

_DRAINED = 64_000_000  # bytes of a body that is refused


class Gone(Exception):
    """The client has hung up before its request was whole."""


class Intake:
    """ASGI middleware: takes in a request's body before the application sees it, and counts the answer.

    Args:
        app: the application.
        limits: bytes of a body (413 beyond), and seconds to send it in (408 beyond).
        tally: counts every answer; None does not.
    """

    def __init__(self, app: App, limits: Limits, tally: Tally | None = None) -> None:
        self._app = app
        self._limits = limits
        self._tally = tally

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        status = 0

        async def note(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        if self._tally:
            self._tally.active += 1
        try:
            await self._serve(scope, receive, note)
        finally:
            if self._tally:
                self._tally.active -= 1
                if status:
                    self._tally.add(scope["path"], status, perf_counter() - start)

    async def _serve(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        try:
            body = await self._body(scope["headers"], receive)
        except Refusal as refusal:
            answer = refused(refusal.status, str(refusal))
            answer.headers["connection"] = "close"  # what has not been read of the request will not be
            await answer(scope, receive, send)
            return
        except Gone:
            return
        given = False

        async def whole() -> MutableMapping[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, whole, send)

    async def _body(self, headers: list[tuple[bytes, bytes]], receive: Any) -> bytes:
        most = self._limits.body
        declared = next((value for name, value in headers if name.lower() == b"content-length"), b"")
        size = int(declared) if declared.isdigit() and len(declared) < 16 else 0  # others are cut off as they come
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self._limits.patience):
                while more and max(size, len(body)) <= most:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Gone
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refusal(408, f"the request was not whole after {self._limits.patience:g} seconds") from None
        if max(size, len(body)) > most:
            await self._drained(len(body), size, receive, more=more)
            raise Refusal(413, f"the request is longer than {most} bytes: ask for less at once")
        return bytes(body)

    async def _drained(self, read: int, size: int, receive: Any, *, more: bool) -> None:
        """Take in what still comes of a body that is too long: clients that send it whole see no answer before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.patience):
                while more and max(read, size) <= _DRAINED:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Gone
                    read += len(message.get("body", b""))
                    more = message.get("more_body", False)


def refused(status: int, line: str) -> Response:
    """The answer to a request that is not carried out: its status, and one line of JSON."""
    return Response(Error(error=line).model_dump_json(), status, media_type="application/json")
