"""What several tests of the loop stand on: a server that runs beside them, and a world of nine facts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseServer
from typing import Any, TypeVar

import pytest

from lite.world import World

Server = TypeVar("Server", bound=BaseServer)  # the syntax for it came with Python 3.12


class JsonHandler(BaseHTTPRequestHandler):
    """What handlers of a stand-in model server have in common: JSON in, JSON out, and nothing on stderr."""

    def do_GET(self) -> None:
        self.models()

    def do_POST(self) -> None:
        self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def models(self) -> None:
        """Say which models there are: none."""
        self.send(200, {"data": []})

    def reply(self, body: dict[str, Any]) -> None:
        """Answer what was posted."""
        raise NotImplementedError

    def send(self, status: int, body: Any, **headers: str) -> None:
        """A whole response; bytes go as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing: the test's output stays clean."""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server, answering in a thread of its own until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a world with nine pages, a fact each; a file may have a world of its own."""
    folder = tmp_path_factory.mktemp("facts")
    pages = [{"url": f"https://e.test/{n}", "title": f"Fact {n}", "doc": f"This is fact {n}."} for n in range(9)]
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    World.build(folder / "pages.jsonl", folder / "world", date="2026-01-02").close()
    return folder / "world"
