"""Our llama.cpp engine against llama-cpp-python's own `create_completion`: same file, prompts, sampling and threads.

    python dev/engine.py [WIDTH ...] [MODEL.gguf[+ADAPTER.gguf] ...]

Widths are 1 4 8 16, the model is what `--agent atlas` runs; a width of 0 asks for the second part alone.

The one decodes 1, 4, 8 or 16 episodes together, the other does the same episodes one after the other; they take turns
in one process, one thread each. What is written is the second turn of episodes that the scripted expert has begun in
the atlas: after a search and its results. Tokens are counted as sampled; `whole` has the prompt's own part computed
too (the system prompt is held by both), `decoding` has it computed beforehand. Then ten turns of four episodes: how
much of their prompts had to be computed.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zstandard

from lite.agents import named_agent
from lite.dialect import replayed, wrap_response
from lite.evaluate import read_tasks
from lite.models.llamacpp import LlamaCpp
from lite.models.smollm2 import smollm2_gguf
from lite.recipe import ColdStart
from lite.records import Generate, Message, Reply, Sampling
from lite.shipped import shipped
from lite.train.demos import demonstrations
from lite.world import World

ROUNDS = {1: 4, 4: 1, 8: 1, 16: 1}  # by how many episodes there are
TOKENS = 64  # a turn
CONTEXT = 4096
TURNS, EPISODES, OBSERVATION, SHORT = 10, 4, 120, 8  # of the second part; words a page, tokens a turn
SAMPLING = Sampling(temperature=0.6, top_p=1.0, top_k=0, presence_penalty=0.0)  # as in training
Talk = tuple[Message, ...]


def begun(count: int) -> list[Talk]:
    """Conversations in which the second turn is to be written."""
    agent = named_agent("atlas")
    tasks = [task for task in read_tasks(shipped("data/tasks/train.jsonl.zst")) if task.capability == "direct"]
    with TemporaryDirectory() as folder:
        world = World.build(shipped("data/atlas.jsonl.zst"), Path(folder) / "world", date="2026-11-26")
        found = demonstrations(tasks[:count], world, agent, ColdStart(detours=0))
        talks = [tuple(replayed(one.messages, one.turns[:1])) for one in found]
        world.close()
    return talks


def pages(count: int) -> list[str]:
    """Texts of the atlas, of equal length."""
    with zstandard.open(shipped("data/atlas.jsonl.zst"), "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["doc"].split() for line in lines]
    return [" ".join(words[:OBSERVATION]) for words in texts if len(words) >= OBSERVATION][:count]


class Ours:
    """Episodes together."""

    name = "lite, together"

    def __init__(self, path: Path, adapter: str | None) -> None:
        self.model = LlamaCpp(path, context=CONTEXT, threads=1, adapter=adapter)

    def generate(self, talks: Sequence[Talk], most: int) -> int:
        """One turn in each; the tokens sampled."""
        asked = [
            Generate(messages=talk, max_tokens=most, sampling=SAMPLING, conversation=talk[1].content) for talk in talks
        ]
        replies = self.model.generate(asked)
        return sum(reply.completion_tokens for reply in replies if isinstance(reply, Reply))

    def ids(self, talk: Talk) -> list[int]:
        """The prompt, for both: the other gets the very same ids."""
        return self.model.prompts.ids(self.model.prompts.render(talk))


class Theirs:
    """Episodes one after the other."""

    name = "create_completion, in turn"

    def __init__(self, path: Path, adapter: str | None, ids: Callable[[Talk], list[int]]) -> None:
        import llama_cpp

        self.ids = ids
        self.model = llama_cpp.Llama(
            str(path), n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, lora_path=adapter, verbose=False
        )

    def generate(self, talks: Sequence[Talk], most: int) -> int:
        """One turn in each; the tokens sampled."""
        return sum(self._one(talk, most) for talk in talks)

    def _one(self, talk: Talk, most: int) -> int:
        done: Any = self.model.create_completion(
            self.ids(talk),
            max_tokens=most,
            temperature=SAMPLING.temperature,
            top_p=SAMPLING.top_p,
            top_k=SAMPLING.top_k,
            min_p=0.0,
            presence_penalty=SAMPLING.presence_penalty,
            repeat_penalty=1.0,
            stop=["<tool_response>"],
            seed=1,
        )
        return done["usage"]["completion_tokens"]


def spent(work: Callable[[], int]) -> tuple[int, float, float]:
    """(tokens, CPU seconds, wall seconds)."""
    cpu, wall = time.process_time(), time.perf_counter()
    tokens = work()
    return tokens, time.process_time() - cpu, time.perf_counter() - wall


def speed(path: Path, adapter: str | None, widths: Sequence[int]) -> None:
    """The first part: tokens a second."""
    ours = Ours(path, adapter)
    theirs = Theirs(path, adapter, ours.ids)
    fresh = iter(begun(2 + max(widths) + 2 * sum(width * ROUNDS[width] for width in widths)))
    for side in (ours, theirs):
        side.generate([next(fresh)], 2)  # the system prompt
    ours.generate([next(fresh) for _ in range(max(widths))], 2)  # room for all of them
    print("| episodes | engine | whole: tok/CPU-s | tok/s | decoding: tok/CPU-s | tok/s |\n|---|---|---|---|---|---|")
    for width, rounds in [(width, ROUNDS[width]) for width in widths]:
        totals: dict[tuple[str, str], Counter[str]] = {}
        for number in range(rounds):
            whole, held = [next(fresh) for _ in range(width)], [next(fresh) for _ in range(width)]
            for side in (ours, theirs) if number % 2 else (theirs, ours):
                groups = [held] if side is ours else [[talk] for talk in held]
                measured = [("whole", spent(lambda side=side, talks=whole: side.generate(talks, TOKENS)))]
                for group in groups:
                    side.generate(group, 1)
                    once = spent(lambda side=side, talks=group: side.generate(talks, TOKENS))
                    measured.append(("decoding", once))
                for kind, (tokens, cpu, wall) in measured:
                    found = totals.setdefault((side.name, kind), Counter())
                    found.update({"tokens": tokens, "cpu": cpu, "wall": wall})
        for side in (ours, theirs):
            both = [totals[side.name, kind] for kind in ("whole", "decoding")]
            figures = " | ".join(f"{one['tokens'] / one[unit]:.1f}" for one in both for unit in ("cpu", "wall"))
            print(f"| {width} | {side.name} | {figures} |", flush=True)
    theirs.model.close()
    ours.model.close()


def prefill(path: Path, adapter: str | None) -> None:
    """The second part: how much of ten turns' prompts is computed."""
    model = LlamaCpp(path, context=CONTEXT * 2, threads=1, adapter=adapter)
    texts = iter(pages(TURNS * EPISODES))
    talks = [list(talk[:2]) for talk in begun(EPISODES)]
    counts: dict[str, Counter[str]] = {"first turn": Counter(), "later turns": Counter()}
    cpu = time.process_time()
    for turn in range(TURNS):
        asked = [
            Generate(messages=tuple(talk), max_tokens=SHORT, sampling=SAMPLING, conversation=str(n), turn=turn)
            for n, talk in enumerate(talks)
        ]
        for talk, reply in zip(talks, model.generate(asked), strict=True):
            if not isinstance(reply, Reply):
                raise SystemExit(f"turn {turn}: {reply.error}")
            part = counts["later turns" if turn else "first turn"]
            part.update(prompt=reply.prompt_tokens, cached=reply.cached_tokens, sampled=reply.completion_tokens)
            talk.append(Message(role="assistant", content=reply.text))
            talk.append(Message(role="user", content=wrap_response(next(texts))))
    for name, part in counts.items():
        computed = part["prompt"] - part["cached"]
        share = part["cached"] / part["prompt"]
        print(f"{name}: {part['prompt']:,} prompt tokens, {computed:,} computed, {share:.1%} saved")
    whole = sum(counts.values(), Counter())
    print(
        f"all: {whole['prompt']:,} prompt tokens, {whole['prompt'] - whole['cached']:,} computed "
        f"({whole['prompt'] / (whole['prompt'] - whole['cached']):.1f} times fewer), {whole['sampled']:,} sampled, "
        f"{time.process_time() - cpu:.1f} CPU-s"
    )
    model.close()


def main() -> None:
    """Both parts, for each model."""
    widths = [int(word) for word in sys.argv[1:] if word.isdigit()] or [0, *ROUNDS]
    for spec in [word for word in sys.argv[1:] if not word.isdigit()] or [named_agent("atlas").model]:
        base, _, adapter = spec.partition("+")
        path = smollm2_gguf() if base == "smollm2" else Path(base)
        print(f"\n{path.name}, {adapter or 'no adapter'}")
        if any(widths):
            speed(path, adapter or None, [width for width in widths if width])
        if 0 in widths:
            prefill(path, adapter or None)


if __name__ == "__main__":
    main()
