"""One world for all requests: its calls run in a few threads, and when too many wait, the next is turned away."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import Any, NamedTuple, ParamSpec, TypeVar

from lite.records import Results
from lite.serve.limits import Limits
from lite.world import World

P = ParamSpec("P")
T = TypeVar("T")


class Refusal(Exception):
    """A request that is not carried out: an HTTP status and one line that says why."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Found(NamedTuple):
    """The results of each query, and the seconds that went into embedding them and into looking."""

    results: list[Results]
    embedding: float
    looking: float


class Engine:
    """A world behind a server. `run` is for the event loop; what it runs are calls that block.

    Args:
        world: open; it stays open when the engine is closed.
        limits: how many threads work, how many requests may wait, and how long one may take.

    Raises:
        WorldError: the world's embedder cannot be loaded here. It is loaded at once, so that no request waits for it.
    """

    def __init__(self, world: World, limits: Limits) -> None:
        self.world = world
        self.limits = limits
        self.info = world.info()
        self.running = 0
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="lite-serve")
        world.embed(["the first query"])

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out `work` in a thread.

        Raises:
            Refusal: too many requests wait already (429), or the time is up (408). What has begun by then runs on to
                its end and counts as running until it is there.
        """
        if self.running >= self.limits.waiting:
            raise Refusal(429, f"{self.running} requests wait already: try again in a moment")
        loop = asyncio.get_running_loop()

        def done(_: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop has been closed before the work was done
                loop.call_soon_threadsafe(self._done)

        self.running += 1
        job = self._pool.submit(work, *args, **kwargs)
        job.add_done_callback(done)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), self.limits.seconds)
        except TimeoutError:
            raise Refusal(408, f"not done within {self.limits.seconds:g} seconds: ask for less at once") from None

    def _done(self) -> None:
        self.running -= 1

    def search(self, queries: Sequence[str], k: int, mode: Any = None, **settings: Any) -> Found:
        """`World.search` for each query, all of them embedded together.

        Raises:
            UsageError: the world cannot be searched that way.
        """
        start = perf_counter()
        vectors = [None] * len(queries) if mode == "lexical" else self.world.embed(queries)
        embedded = perf_counter()
        results = [
            self.world.search(query, k, mode=mode, vector=vector, **settings)
            for query, vector in zip(queries, vectors, strict=True)
        ]
        return Found(results, embedded - start, perf_counter() - embedded)

    def known(self, urls: Sequence[str], mask: Sequence[str]) -> dict[str, bool]:
        """Whether there is a page at each URL, masked ones left out."""
        return {url: self.world.resolve(url, mask=mask) is not None for url in urls}

    def close(self) -> None:
        """Let the threads go, without waiting for what they have begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
