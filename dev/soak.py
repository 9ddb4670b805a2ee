"""A soak: many episodes with faults injected. Each must end for the right reason, none may be lost, no memory either.

    python dev/soak.py                    500 scripted episodes, then as many of SmolLM2 as fit ten minutes
    python dev/soak.py --scripted 30 --model 0

The scripted ones go through the `openai:` client to a server on the loopback that times out, answers 500, breaks off
in the middle of a body, hangs up, sends something else, or sends nothing; what stands behind it babbles, loops, calls
tools that do not exist, fills its window, never ends. In the last part a world is deleted while it is used.
"""

import argparse
import json
import random
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lite.dialect import ASK_FOR_ANSWER, render_turn
from lite.drive import drive, start
from lite.models import Model, load_model, openai
from lite.recipe import AgentSettings
from lite.records import Call, Stop, Task, Trajectory
from lite.run import Run, read_trajectories
from lite.world import World

WIDTH = 16
TIMEOUT = 0.4  # seconds the client waits
GROWTH = 40.0  # megabytes that the second half of a soak may add
Say = Callable[[int, bool], str]  # what it writes: (turn, asked for the answer)


def call(tool: str, **arguments: Any) -> str:
    """A turn that calls a tool."""
    return render_turn("so", Call(tool=tool, arguments=arguments))


def done(text: str = "1538") -> str:
    """A turn that answers."""
    return render_turn("sure", answer=text)


def searches(turn: int, asked: bool) -> str:  # noqa: FBT001  # as Say has it
    """Something else is searched each turn."""
    return done() if asked else call("search", query=[f"fact {turn}"])


def visits(turn: int, asked: bool) -> str:  # noqa: FBT001  # as Say has it
    """A long page is visited each turn."""
    return done() if asked else call("visit", url=[f"https://e.test/long{turn % 20}"], goal=f"interest {turn}")


SCRIPT = [call("search", query=["iron"]), call("visit", url=["https://e.test/iron"], goal="melting point"), done()]
MESSY = [
    '```json\n{"name": "search", "arguments": {"query": "iron"}}\n```',
    "<think>hm<tool_call>{'name': 'visit', 'arguments': {'url': 'https://e.test/iron', 'goal': 'x',}}",
    "<answer>1538",
]
SETTINGS: dict[str, dict[str, Any]] = {"fills": {}, "remembers": {"memory": "keep-last", "turns": 12}}
SETTINGS |= {"summarises": {"memory": "summarise", "turns": 12}, "late": {"seconds": 1e-6}, "counted": {"calls": 2}}

# What the model is like, and how its episode has to end: (stop, answered).
CHARACTERS: dict[str, tuple[Say, Stop, bool]] = {
    "answers": (lambda turn, _: SCRIPT[min(turn, 2)], Stop.ANSWERED, True),
    "messy": (lambda turn, _: MESSY[min(turn, 2)], Stop.ANSWERED, True),
    "babbles": (lambda turn, _: f"I think that {turn} is a nice number.", Stop.MALFORMED, False),
    "empty": (lambda *_: "", Stop.MALFORMED, False),
    "loops": (lambda *_: "and so on " * 100, Stop.REPEATED, False),
    "insists": (lambda *_: call("search", query=["iron"]), Stop.REPEATED, False),
    "invents": (lambda turn, asked: done() if asked else call("browse", page=turn), Stop.TURNS, True),
    "wanders": (searches, Stop.TURNS, True),
    "stubborn": (lambda turn, _: searches(turn, False), Stop.TURNS, False),
    "fills": (visits, Stop.CONTEXT, True),
    "remembers": (visits, Stop.TURNS, True),
    "summarises": (visits, Stop.TURNS, True),
    "late": (searches, Stop.TIME, True),
    "counted": (searches, Stop.CALLS, True),
}
# What the server does to a request, by name; `once` to the first try of each turn, `always` from the second turn on.
TROUBLES = ("500", "half", "hangs up", "no json", "no choices", "slow")
FAULTS = ("none", *(f"once {name}" for name in TROUBLES), *(f"always {name}" for name in TROUBLES))


class Server(ThreadingHTTPServer):
    """Chat completions by the characters, with the faults that the question names."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tries: Counter[tuple[str, int]] = Counter()
        self.lock = threading.Lock()

    def handle_error(self, *_: Any) -> None:
        """A client that gives up is part of it."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The list of models."""
        self.send(b'{"data": []}')

    def do_POST(self) -> None:
        """The next turn of a character, or a fault."""
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        question = next(one["content"] for one in messages if one["role"] == "user").partition("\n")[0]
        name, character, fault = (part.strip() for part in question.split("|")[:3])
        asked = ASK_FOR_ANSWER in messages[-1]["content"]
        turn = sum(one["role"] == "assistant" for one in messages)
        with self.server.lock:
            self.server.tries[name, hash(str(messages))] += 1
            first = self.server.tries[name, hash(str(messages))] == 1
        often, _, trouble = fault.partition(" ")
        if trouble and (first if often == "once" else turn > 0):
            self.fail(trouble)
            return
        text = CHARACTERS[character][0](turn, asked)
        self.send(json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode())

    def fail(self, trouble: str) -> None:
        """What a server under trouble does."""
        if trouble == "500":
            self.send(b'{"error": {"message": "out of luck"}}', 500)
        elif trouble == "half":
            self.send(b'{"choices": [{"mess', length=1000)
            self.close_connection = True
        elif trouble == "hangs up":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif trouble == "slow":
            time.sleep(TIMEOUT * 2)
            self.close_connection = True
        else:
            self.send(b"<html>" if trouble == "no json" else b'{"choices": []}')

    def send(self, data: bytes, status: int = 200, length: int | None = None) -> None:
        """A response; `length` is what it claims to be."""
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing of it is news."""


@contextmanager
def server() -> Iterator[str]:
    """A running server, by its address."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    before, openai._PAUSE = openai._PAUSE, 0.01  # noqa: SLF001  # nobody else asks again so soon
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        openai._PAUSE = before  # noqa: SLF001
        running.shutdown()
        running.server_close()
        thread.join()


@dataclass
class Outcome:
    """What a soak has shown; `wrong` holds a line for each episode that did not end as it had to."""

    episodes: int = 0
    stops: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)  # megabytes, at equal steps
    seconds: float = 0.0

    def growth(self) -> float:
        """Megabytes that the second half has added to the most of the first."""
        half = len(self.memory) // 2
        return max(self.memory[half:]) - max(self.memory[:half]) if half else 0.0


def make_world(folder: Path) -> Path:
    """Iron, facts, and twenty long pages."""
    pages = [("iron", "Iron melts at 1538 degrees.")]
    pages += [(f"fact{n}", f"This is fact {n}, and there is no more to it.") for n in range(20)]
    for n in range(20):
        lines = [f"Paragraph {m} of page {n} has nothing of interest {n * m}, as so often." for m in range(120)]
        pages.append((f"long{n}", "\n\n".join(lines)))
    with (folder / "pages.jsonl").open("w") as file:
        for name, text in pages:
            file.write(json.dumps({"url": f"https://e.test/{name}", "title": name, "doc": text}) + "\n")
    World.build(folder / "pages.jsonl", folder / "world", date="2026-01-02").close()
    return folder / "world"


def settings_of(character: str) -> AgentSettings:
    """Limits under which a character comes to its end."""
    limits: dict[str, Any] = {"turns": 6, "results": 2, "turn_tokens": 300, "answer_tokens": 64}
    if character in {"fills", "remembers", "summarises"}:
        limits |= {"turns": 30, "visit_words": 300}
    return AgentSettings.read({"limits": limits | SETTINGS.get(character, {})})


def expected(character: str, fault: str) -> tuple[Stop, bool, str | None]:
    """(stop, answered, who failed)"""
    _, stop, answered = CHARACTERS[character]
    return (Stop.FAILED, False, "model") if fault.startswith("always") else (stop, answered, None)


def run(
    tasks: list[tuple[Task, AgentSettings]], world: World, model: Model, folder: Path, outcome: Outcome
) -> Iterator[tuple[int, Trajectory]]:
    """Drive the tasks, record every trajectory, and look at the memory 40 times."""
    began, step = time.perf_counter(), max(1, len(tasks) // 40)
    with Run.start(folder, {"soak": True}) as record, record.journal() as journal:
        episodes = (start(task, world, model, settings) for task, settings in tasks)
        for count, (index, trajectory) in enumerate(drive(episodes, model, width=WIDTH, journal=journal), 1):
            record.append(trajectory)
            journal.end(f"{trajectory.task_id}/{trajectory.attempt}")
            outcome.episodes += 1
            outcome.stops[trajectory.stop] += 1
            if count % step == 0:
                outcome.memory.append(resident())
            yield index, trajectory
    outcome.seconds += time.perf_counter() - began
    recorded = Counter(one.task_id for one in read_trajectories(folder))
    if recorded != Counter(task.id for task, _ in tasks):
        outcome.wrong.append(f"{len(tasks)} episodes were begun and {recorded.total()} recorded")


def scripted(count: int, folder: Path, seed: int = 0) -> Outcome:
    """Characters and faults in every pairing, in an order of the seed."""
    outcome = Outcome()
    pairs = [(character, fault) for character in CHARACTERS for fault in FAULTS]
    dice = random.Random(seed)  # noqa: S311  # an order, no secret
    chosen = [pairs[n % len(pairs)] for n in dice.sample(range(max(count, len(pairs))), count)]
    tasks = [
        (Task(id=f"t{n}", question=f"t{n} | {character} | {fault}", answers=("1538",)), settings_of(character))
        for n, (character, fault) in enumerate(chosen)
    ]
    with server() as url, World.open(make_world(folder)) as world:
        model = openai.OpenAI("m", url, context=6000, timeout=TIMEOUT)
        for index, ended in run(tasks, world, model, folder / "run", outcome):
            character, fault = chosen[index]
            found = (ended.stop, ended.answered, ended.failed)
            if found != expected(character, fault):
                outcome.wrong.append(f"{character}, {fault}: {found} ({ended.error})")
        model.close()
    return outcome


def deleted(count: int, folder: Path) -> Outcome:
    """A world whose folder is removed when a third of the episodes are over. What is open may live on: an episode
    ends as it would have, or fails with the tool named.
    """
    outcome = Outcome()
    chosen = [list(CHARACTERS)[n % len(CHARACTERS)] for n in range(count)]
    tasks = [
        (Task(id=f"d{n}", question=f"d{n} | {character} | none", answers=("1538",)), settings_of(character))
        for n, character in enumerate(chosen)
    ]
    path = make_world(folder)
    with server() as url, World.open(path) as world:
        model = openai.OpenAI("m", url, context=6000, timeout=5)
        for over, (index, ended) in enumerate(run(tasks, world, model, folder / "run", outcome), 1):
            if over == count // 3:
                shutil.rmtree(path)
            _, stop, answered = CHARACTERS[chosen[index]]
            found = (ended.stop, ended.answered, ended.failed)
            if found not in ((stop, answered, None), (Stop.FAILED, False, "tool")):
                outcome.wrong.append(f"{chosen[index]}, world deleted: {found} ({ended.error})")
        model.close()
    return outcome


def real(seconds: float, most: int, folder: Path, *, grammar: bool) -> Outcome:
    """SmolLM2, hot and untrained: it babbles and loops by itself; held to the grammar it calls tools, with anything in
    their arguments. Every stop but `failed` is right.
    """
    outcome = Outcome()
    asked = ["At what degree does iron melt?", "What is fact 7?", "What is said on page long3?", "Who are you?"]
    memories = ("stop", "keep-last", "summarise", "summarise-model")
    tasks = []
    for n in range(most):
        limits = {"turns": 4, "results": 2, "visit_words": 100, "turn_tokens": 96, "answer_tokens": 32}
        limits |= {"memory": memories[n % 4], "visit_mode": ("extract", "llm", "read")[n % 3]}
        settings = AgentSettings.read({"limits": limits, "sampling": {"temperature": (0.3, 0.8, 1.3)[n % 3]}})
        tasks.append((Task(id=f"m{n}", question=f"{asked[n % 4]} ({n})", answers=("1538",)), settings))
    path = make_world(folder)
    with World.open(path) as world:
        model = load_model("smollm2", context=2048, grammar=grammar)
        until = time.perf_counter() + seconds
        for start_at in range(0, most, WIDTH):
            if time.perf_counter() > until:
                break
            part = tasks[start_at : start_at + WIDTH]
            for _, ended in run(part, world, model, folder / f"run{start_at}", outcome):
                if ended.stop is Stop.FAILED or ended.answered != (ended.answer is not None):
                    outcome.wrong.append(f"{ended.task_id}: {ended.stop} ({ended.error})")
        model.close()
    return outcome


def resident() -> float:
    """Megabytes of this process in memory."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def tell(name: str, outcome: Outcome) -> None:
    """Print what came of it."""
    print(f"\n{name}: {outcome.episodes} episodes in {outcome.seconds:.0f} s")
    print("  stops:", ", ".join(f"{stop} {count}" for stop, count in outcome.stops.most_common()))
    if outcome.memory:
        steps = outcome.memory[:: max(1, len(outcome.memory) // 8)]
        print("  memory (MB):", " ".join(f"{one:.0f}" for one in steps), f"growth {outcome.growth():+.1f}")
    print("  wrong:", len(outcome.wrong))
    for line in outcome.wrong[:20]:
        print("   ", line)


def main(arguments: Iterable[str] | None = None) -> int:
    """Soak; 0 when every episode ended as it had to and the memory held."""
    parser = argparse.ArgumentParser(description="episodes with faults injected")
    parser.add_argument("--scripted", type=int, default=500)
    parser.add_argument("--model", type=int, default=100, help="episodes of SmolLM2, at most")
    parser.add_argument("--seconds", type=float, default=600.0, help="for the model's episodes")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    bad = False
    with tempfile.TemporaryDirectory() as name:
        parts: list[tuple[str, Callable[[Path], Outcome]]] = [
            ("scripted", lambda folder: scripted(chosen.scripted, folder, chosen.seed)),
            ("world deleted", lambda folder: deleted(max(15, chosen.scripted // 5), folder)),
        ]
        if half := chosen.model // 2:
            seconds = chosen.seconds / 2
            parts.append(("SmolLM2", lambda folder: real(seconds, half, folder, grammar=False)))
            parts.append(("SmolLM2, by the grammar", lambda folder: real(seconds, half, folder, grammar=True)))
        for title, part in parts:
            folder = Path(name) / title
            folder.mkdir()
            outcome = part(folder)
            tell(title, outcome)
            bad |= bool(outcome.wrong) or outcome.growth() > GROWTH
    return int(bad)


if __name__ == "__main__":
    raise SystemExit(main())
