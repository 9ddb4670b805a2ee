"""Rollouts: the agent's own loop on the tasks of a step, in worker processes that share the work.

A worker holds one engine and one open world. What a rollout says depends on its task, its seed and the adapter alone
(float weights are computed alike in any company), so it does not matter which worker takes it, or how many there are.
"""

import multiprocessing
import os
import queue
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from lite.drive import Episode, drive, start
from lite.errors import LiteError, ModelError
from lite.models import load_model
from lite.models.transformers import Transformers
from lite.models.turn import Tokens
from lite.models.vllm import Vllm
from lite.recipe import AgentSettings
from lite.records import Task, Trajectory
from lite.reward import grade
from lite.world import World

_WAIT = 2.0  # seconds between two looks at whether the workers live


@dataclass(frozen=True)
class Attempt:
    """One try at one task, sampled by a seed of its own."""

    task: Task
    number: int
    seed: int


@dataclass(frozen=True)
class Rollout:
    """What came of it: the trajectory, graded, and what the model computed, a sequence for each of its segments."""

    attempt: Attempt
    trajectory: Trajectory
    sequences: tuple[Tokens, ...]


class Sampler(Protocol):
    """What carries out rollouts."""

    def roll(self, attempts: Sequence[Attempt], settings: AgentSettings, adapter: Path | None) -> Iterator[Rollout]:
        """Every attempt's rollout, in the order they end."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


def episode_of(attempt: Attempt, world: World, model: Any, settings: AgentSettings) -> Episode:
    """The attempt as an episode of `drive`."""
    sampling = settings.sampling.model_copy(update={"seed": attempt.seed})
    chosen = settings.model_copy(update={"sampling": sampling})
    return start(attempt.task, world, model, chosen, attempt=attempt.number, in_training=True)


def finished(attempt: Attempt, trajectory: Trajectory, model: Any) -> Rollout:
    """A trajectory, graded and as ids."""
    graded = trajectory.model_copy(update={"reward": grade(attempt.task, trajectory)})
    return Rollout(attempt, graded, tuple(model.prompts.sequences(graded)))


class Inline:
    """Rollouts that this process carries out, on the very model that is in training or on an engine beside it."""

    def __init__(self, model: Transformers | Vllm, world: World, width: int) -> None:
        self._model, self._world, self._width = model, world, width

    def roll(self, attempts: Sequence[Attempt], settings: AgentSettings, adapter: Path | None) -> Iterator[Rollout]:
        """Every attempt's rollout, in the order they end."""
        episodes = (episode_of(attempt, self._world, self._model, settings) for attempt in attempts)
        with self._model.wearing(adapter):
            for index, trajectory in drive(episodes, self._model, width=self._width):
                yield finished(attempts[index], trajectory, self._model)

    def close(self) -> None:
        """Free the model."""
        self._model.close()


class Workers:
    """Rollouts in processes of their own, by llama.cpp, one thread each.

    Args:
        base: the base model's GGUF file.
        world: the world's folder.
        context: window in tokens.
        workers: processes.
        width: episodes under way together in each.

    Raises:
        ModelError: a worker could not start.
    """

    def __init__(self, base: Path, world: Path, *, context: int, workers: int, width: int) -> None:
        self._width = width
        spawn = multiprocessing.get_context("spawn")
        self._todo: Any = spawn.Queue()
        self._done: Any = spawn.Queue()
        self._orders = [spawn.Pipe() for _ in range(workers)]
        self._processes = [
            spawn.Process(
                target=_work,
                args=(base, world, context, theirs, self._todo, self._done),
                name=f"lite-rollouts-{number}",
                daemon=True,
            )
            for number, (_, theirs) in enumerate(self._orders)
        ]
        for process in self._processes:
            process.start()
        for _ in self._processes:
            self._next()

    def roll(self, attempts: Sequence[Attempt], settings: AgentSettings, adapter: Path | None) -> Iterator[Rollout]:
        """Every attempt's rollout, in the order they end.

        Raises:
            ModelError: a worker died, or could not wear the adapter.
        """
        if not attempts:
            return  # a worker that is to hold none under way reads no queue to its end
        for attempt in attempts:
            self._todo.put(attempt)
        for ours, _ in self._orders:
            self._todo.put(None)
            ours.send((settings, adapter, min(self._width, -(-len(attempts) // len(self._processes)))))
        left, working = len(attempts), len(self._processes)
        while left or working:
            found = self._next()
            if found is None:
                working -= 1
            else:
                left -= 1
                yield found

    def _next(self) -> Any:
        while True:
            try:
                found = self._done.get(timeout=_WAIT)
            except queue.Empty:
                dead = next((process for process in self._processes if not process.is_alive()), None)
                if dead is not None:
                    self.close()
                    raise ModelError(
                        f"{dead.name} died (status {dead.exitcode}; -9: no memory was left): free memory, or take "
                        "fewer workers or a smaller width, then --resume"
                    ) from None
                continue
            if isinstance(found, str):
                self.close()
                raise ModelError(f"a rollout worker failed: {found}")
            return found

    def close(self) -> None:
        """End the workers."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(5)
        self._done.close()
        self._todo.close()


def _work(base: Path, world: Path, context: int, orders: Any, todo: Any, done: Any) -> None:
    """A worker's life: an order comes, attempts are taken from the common queue until it is empty."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(KeyboardInterrupt):  # the terminal sends it to all; whoever started us ends us
        try:
            model = load_model(f"llamacpp:{base}", context=context, threads=1)
            with World.open(world) as opened:
                done.put(None)
                while True:
                    settings, adapter, width = orders.recv()
                    _carry_out(model, opened, settings, adapter, width, todo, done)
        except EOFError:
            return
        except LiteError as error:
            done.put(str(error))
        except Exception:  # noqa: BLE001  # whatever it is has to reach the process that can say it
            done.put(traceback.format_exc(limit=-3))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, killed or not: the queues would never say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _carry_out(
    model: Any, world: World, settings: AgentSettings, adapter: Path | None, width: int, todo: Any, done: Any
) -> None:
    model.wear(adapter)
    taken: list[Attempt] = []

    def episodes() -> Iterator[Episode]:
        while (found := todo.get()) is not None:
            taken.append(found)
            yield episode_of(found, world, model, settings)

    for index, trajectory in drive(episodes(), model, width=width):
        done.put(finished(taken[index], trajectory, model))
    done.put(None)
