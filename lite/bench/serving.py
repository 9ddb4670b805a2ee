"""How many tool calls a second a world answers: in this process, and over HTTP by a server of its own."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

from lite.bench.sample import Ask
from lite.bench.timing import measured
from lite.errors import WorldError
from lite.records import Record
from lite.world import Mode, World

_TYPES = {"lexical": "sparse", "dense": "dense", "hybrid": "hybrid"}


class Calls(Record):
    """Tool calls a second, 63 % searches and 37 % visits, all distinct."""

    name: str
    calls: int
    per_second: float
    per_cpu_second: float | None  # None over HTTP: the server's CPU time is not ours


def in_process(path: Path, calls: Sequence[Ask], mode: Mode, threads: int) -> Calls:
    """Answer `calls` in a world that remembers nothing of them, in so many threads."""
    with World.open(path) as world:
        world.search("warm up", mode=mode)

        def answer(ask: Ask) -> None:
            if ask.url:
                world.visit(ask.url, ask.query)
            else:
                world.search(ask.query, mode=mode)

        with measured() as timer:
            _in_threads(threads, calls, lambda share: [answer(each) for each in share])
    spent = timer.spent
    name = f"{mode}, in process, {threads} thread{'s' if threads > 1 else ''}"
    return Calls(
        name=name,
        calls=len(calls),
        per_second=round(len(calls) / spent.wall, 1),
        per_cpu_second=round(len(calls) / max(spent.cpu, 1e-9), 1),
    )


def over_http(path: Path, calls: Sequence[Ask], mode: Mode, clients: int) -> Calls:
    """The same over loopback: `lite serve` in a process of its own, so many clients that wait for each answer."""
    with _server(path) as port:

        def client(share: Sequence[Ask]) -> None:
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            for each in share:
                _post(connection, each, mode)
            connection.close()

        client([Ask("warm up")])
        began = time.perf_counter()
        _in_threads(clients, calls, client)
        wall = time.perf_counter() - began
    name = f"{mode}, over HTTP, {clients} client{'s' if clients > 1 else ''}"
    return Calls(name=name, calls=len(calls), per_second=round(len(calls) / wall, 1), per_cpu_second=None)


def _post(connection: HTTPConnection, ask: Ask, mode: Mode) -> None:
    path, body = "/search", {"query": ask.query, "search_type": _TYPES[mode]}
    if ask.url:
        path, body = "/query", {"url": ask.url, "goal": ask.query}
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise WorldError(f"lite serve answered {answer.status} ({said[:200]!r}): see lite world check")


@contextmanager
def _server(path: Path) -> Iterator[int]:
    """The port of a `lite serve` that runs until the block ends."""
    command = [sys.executable, "-m", "lite.cli", "serve", str(path), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None  # noqa: S101  # it is a pipe
            said = server.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
            if not found:
                raise WorldError(f"lite serve does not start ({said.strip()}): lite doctor says what is missing")
            yield int(found[1])
        finally:
            server.terminate()


def _in_threads(count: int, calls: Sequence[Ask], work: Callable[[Sequence[Ask]], Any]) -> None:
    """`work` on a share of the calls in each of `count` threads; what one raises is raised here."""
    raised: list[BaseException] = []

    def run(share: Sequence[Ask]) -> None:
        try:
            work(share)
        except BaseException as error:  # noqa: BLE001  # raised again below
            raised.append(error)

    threads = [Thread(target=run, args=(calls[number::count],)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
