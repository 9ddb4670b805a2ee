"""What several tests of the loop stand on: a server that runs beside them, and a world of nine facts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseServer
from typing import TypeVar

import pytest

from lite.world import World

Server = TypeVar("Server", bound=BaseServer)  # the syntax for it came with Python 3.12


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
