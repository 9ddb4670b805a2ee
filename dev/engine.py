"""Our llama.cpp engine against llama-cpp-python's own `create_completion`: same file, prompts, sampling and threads.

    python dev/engine.py [WIDTH ...] [MODEL.gguf ...]       1 4 8 16, SmolLM2; a width of 0 is for the second part alone

The one decodes 1, 4, 8 or 16 episodes together, the other does the same episodes one after the other; they take turns
in one process, one thread each. Tokens are counted as sampled; `whole` has the prompt's own part computed too (the
system prompt is held by both), `decoding` has it computed beforehand. Then ten turns of four episodes: how much of
their prompts had to be computed.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zstandard

from lite.agent import system_prompt
from lite.dialect import wrap_response
from lite.models.llamacpp import LlamaCpp
from lite.models.smollm2 import smollm2_gguf
from lite.records import Generate, Message, Reply, Sampling
from lite.shipped import shipped

ROUNDS = {1: 4, 4: 2, 8: 2, 16: 1}  # by how many episodes there are
TOKENS = 64  # a turn
CONTEXT = 4096
TURNS, EPISODES, OBSERVATION, SHORT = 10, 4, 120, 8  # of the second part; words a page, tokens a turn
SAMPLING = Sampling()  # upstream's
SYSTEM = Message(role="system", content=system_prompt("2026-11-26"))


def atlas() -> list[dict[str, str]]:
    """Its pages."""
    with zstandard.open(shipped("data/atlas.jsonl.zst"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def questions(count: int) -> list[str]:
    """Distinct ones, one about each page of the atlas."""
    titles = dict.fromkeys(page["title"] for page in atlas())
    return [f"What is the most surprising fact about {title}, and where is it written?" for title in titles][:count]


def pages(count: int) -> list[str]:
    """Texts of the atlas, of equal length."""
    texts = [page["doc"].split() for page in atlas()]
    return [" ".join(words[:OBSERVATION]) for words in texts if len(words) >= OBSERVATION][:count]


class Ours:
    """Episodes together."""

    name = "lite, together"

    def __init__(self, path: Path) -> None:
        self.model = LlamaCpp(path, context=CONTEXT, threads=1)

    def generate(self, texts: Sequence[str], most: int) -> int:
        """One turn for each question; the tokens sampled."""
        asked = [
            Generate(
                messages=(SYSTEM, Message(role="user", content=text)),
                max_tokens=most,
                sampling=SAMPLING,
                conversation=text,
            )
            for text in texts
        ]
        replies = self.model.generate(asked)
        return sum(reply.completion_tokens for reply in replies if isinstance(reply, Reply))

    def ids(self, text: str) -> list[int]:
        """The prompt of a question, for both."""
        prompts = self.model.prompts  # the other gets the very same ids
        return prompts.ids(prompts.render([SYSTEM, Message(role="user", content=text)]))


class Theirs:
    """Episodes one after the other."""

    name = "create_completion, in turn"

    def __init__(self, path: Path, ids: Callable[[str], list[int]]) -> None:
        import llama_cpp

        self.ids = ids
        self.model = llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False)

    def generate(self, texts: Sequence[str], most: int) -> int:
        """One turn for each question; the tokens sampled."""
        return sum(self._one(text, most) for text in texts)

    def _one(self, text: str, most: int) -> int:
        done: Any = self.model.create_completion(
            self.ids(text),
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


def speed(path: Path, widths: Sequence[int]) -> None:
    """The first part: tokens a second."""
    ours = Ours(path)
    theirs = Theirs(path, ours.ids)
    fresh = iter(questions(3 + 2 * sum(width * rounds for width, rounds in ROUNDS.items())))
    for side in (ours, theirs):
        side.generate([next(fresh)], 2)  # the system prompt
    ours.generate([next(fresh)] + [f"{n}?" for n in range(max(widths) - 1)], 2)  # room for all of them
    print("| episodes | engine | whole: tok/CPU-s | tok/s | decoding: tok/CPU-s | tok/s |\n|---|---|---|---|---|---|")
    for width, rounds in [(width, ROUNDS[width]) for width in widths]:
        totals: dict[tuple[str, str], Counter[str]] = {}
        for number in range(rounds):
            whole, held = [next(fresh) for _ in range(width)], [next(fresh) for _ in range(width)]
            for side in (ours, theirs) if number % 2 else (theirs, ours):
                groups = [held] if side is ours else [[text] for text in held]
                measured = [("whole", spent(lambda side=side, texts=whole: side.generate(texts, TOKENS)))]
                for group in groups:
                    side.generate(group, 1)
                    once = spent(lambda side=side, texts=group: side.generate(texts, TOKENS))
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


def prefill(path: Path) -> None:
    """The second part: how much of ten turns' prompts is computed."""
    model = LlamaCpp(path, context=CONTEXT * 2, threads=1)
    texts = iter(pages(TURNS * EPISODES))
    talks = [[SYSTEM, Message(role="user", content=text)] for text in questions(EPISODES)]
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
    widths = [int(word) for word in sys.argv[1:] if word.isdigit()] or [*ROUNDS]
    for path in [Path(word) for word in sys.argv[1:] if not word.isdigit()] or [smollm2_gguf()]:
        print(f"\n{path.name}")
        if any(widths):
            speed(path, [width for width in widths if width])
        if 0 in widths or len(widths) == len(ROUNDS):
            prefill(path)


if __name__ == "__main__":
    main()
