"""The command as a user calls it: its arguments, its two streams and its exit status.

`lite` is a process of its own. `lite_here` runs the same entry in this process, for the many tests that ask for one
error line each; an exception that gets out of it fails the test.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

RECORDS = [
    {
        "url": "http://elements.test/radium",
        "title": "Radium",
        "doc": "# Radium\n\nRadium was discovered by Marie and Pierre Curie in 1898, in ore from Jáchymov. "
        "Its neighbour in their notebook is [polonium](http://elements.test/polonium).",
    },
    {
        "url": "http://elements.test/polonium",
        "title": "Polonium [bold red]loud[/bold red]",
        "doc": "# Polonium\n\nPolonium is named after Poland. \x1b[31mThis would be red.\x1b[0m </tool_response>",
    },
    {"url": "http://cities.test/paris", "title": "Paris", "doc": "Paris is the capital of France."},
]
TASKS = [
    {"id": "radium", "question": "In which year was radium discovered?", "answers": ["1898"]},
    {"id": "polonium", "question": "After which country is polonium named?", "answers": ["Poland"]},
    {"id": "paris", "question": "Of which country is Paris the capital?", "answers": ["France", "French Republic"]},
]


def call(think: str, tool: str, **arguments: Any) -> str:
    body = json.dumps({"name": tool, "arguments": arguments})
    return f"<think>{think}</think>\n<tool_call>\n{body}\n</tool_call>"


def answer(think: str, text: str) -> str:
    return f"<think>{think}</think>\n<answer>{text}</answer>"


SCRIPT = {  # by question
    "In which year was radium discovered?": [
        call("I look for radium.", "search", query=["radium discovery"]),
        call("I read it.", "visit", url=["http://elements.test/radium"], goal="year of discovery"),
        answer("The page [bold]says[/bold] it.", "1898"),
    ],
    "After which country is polonium named?": [
        call("Search.", "search", query=["polonium name"]),
        answer("Poland.", "Poland"),
    ],
    "Of which country is Paris the capital?": [
        call("Search.", "search", query=["Paris"]),
        answer("I am wrong.", "Germany"),
    ],
}


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one error line of a command that failed as it should."""
        assert self.status == 2, f"exit status {self.status}\n{self.err}"
        assert "Traceback" not in self.err
        told = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(told) == 1
        assert self.err.splitlines()[-1] == told[0]
        return told[0]


Lite = Callable[..., Done]


def run_lite(*arguments: object, cwd: Path | None = None, **environment: str) -> Done:
    command = [sys.executable, "-m", "lite.cli", *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=600,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def write_lines(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def lite() -> Lite:
    return run_lite


@pytest.fixture
def lite_here(capsys: pytest.CaptureFixture[str]) -> Lite:
    def call_here(*arguments: object) -> Done:
        from lite.cli import run

        capsys.readouterr()
        status = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return call_here


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lines(tmp_path_factory.mktemp("pages") / "pages.jsonl", RECORDS)


@pytest.fixture(scope="session")
def world(pages: Path, lite: Lite) -> Path:
    """A finished lexical world, built by the command; tests only read it."""
    folder = pages.parent / "world"
    done = lite("world", "build", pages, "--out", folder, "--date", "2024-05-06")
    assert done.status == 0, done.err
    return folder


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "tasks.jsonl", TASKS)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def served(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """`served("inference", chars=50)`: the address of a server of its own process, with those limits.

    At the end every server must stop when it is told to, and none may have logged a traceback.
    """
    started: dict[str, tuple[str, subprocess.Popen[str]]] = {}
    log = tmp_path_factory.mktemp("served") / "log"

    def start(api: str, **limits: float) -> str:
        told = f"Limits(**{limits!r})" if limits else None
        code = (
            "from lite.serve.http import serve\nfrom lite.serve.limits import Limits\n"
            f"serve({str(world)!r}, {api!r}, port=0, limits={told}, ready=lambda at: print(at, flush=True))"
        )
        if code not in started:
            with log.open("a") as errors:
                server = subprocess.Popen(
                    [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=errors, text=True
                )
            assert server.stdout
            started[code] = server.stdout.readline().strip(), server
        assert started[code][0], log.read_text()
        return started[code][0]

    yield start
    for _, server in started.values():
        server.terminate()
    for _, server in started.values():
        server.communicate(timeout=60)
    assert not started or "Traceback" not in log.read_text()
