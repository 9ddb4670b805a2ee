"""A recipe as it will run: read, changed by `--set`, its paths made absolute."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lite.errors import UsageError
from lite.evaluate import read_tasks
from lite.machine import cores, has_gpu
from lite.models import located
from lite.recipe import TrainSettings, beside, read_toml
from lite.records import Task
from lite.train.draw import first_of_each

_FILES = ("world", "train", "dev")


def read_recipe(path: Path, changes: tuple[str, ...] = ()) -> TrainSettings:
    """The settings of a recipe file.

    Args:
        path: the TOML file; paths in it are taken from its folder.
        changes: of single settings, as `updates.tasks=4`; a value is TOML, or else a string.

    Raises:
        UsageError: one line naming what does not fit.
    """
    values = read_toml(path)
    for change in changes:
        _set(values, change)
    settings, place = TrainSettings.read(values), beside(path)
    found: dict[str, Any] = {name: place(getattr(settings, name)) for name in _FILES}
    if settings.agent.prompt:
        found["agent"] = settings.agent.model_copy(update={"prompt": place(settings.agent.prompt)})
    if settings.sft and settings.sft.files:
        found["sft"] = settings.sft.model_copy(update={"files": tuple(map(place, settings.sft.files))})
    if settings.exam:
        found["exam"] = settings.exam.model_copy(update={"of": place(settings.exam.of)})
    policy = settings.policy
    changed = {"model": located(policy.model, place), "adapter": place(policy.adapter) if policy.adapter else None}
    found["policy"] = policy.model_copy(update=changed)
    if settings.judge:
        found["judge"] = located(settings.judge, place)
    return settings.model_copy(update=found)


def _set(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {change!r} sets nothing: write it as updates.tasks=4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = name.strip().split(".")
    inner: Any = values
    for part in path:
        inner = _inside(inner, part, change)
    if not isinstance(inner, dict):
        raise UsageError(f"--set {change!r}: {path[-1]} is a value and has no settings of its own")
    inner[last] = value


def _inside(settings: Any, part: str, change: str) -> Any:
    """A group of settings, a member of a list by its number, or a value."""
    if isinstance(settings, dict):
        return settings.setdefault(part, {})
    if isinstance(settings, list) and not (part.isdigit() and int(part) < len(settings)):
        raise UsageError(f"--set {change!r}: there are {len(settings)} of these, from 0 on: write stages.0.steps=10")
    return settings[int(part)] if isinstance(settings, list) else settings


def tasks_of(settings: TrainSettings, which: str) -> list[Task]:
    """The tasks of "train", "dev" or "exam" that the recipe is about.

    Raises:
        UsageError: the file cannot be read, or holds none of them.
    """
    path = settings.exam.of if which == "exam" and settings.exam else getattr(settings, which)
    tasks = [
        task
        for task in _tasks_in(Path(path))
        if (not settings.capabilities or task.capability in settings.capabilities)
        and (settings.hops is None or (task.hops or 1) <= settings.hops)
    ]
    if not tasks:
        raise UsageError(f"{path} has no task of the capabilities and hops that the recipe asks for")
    return tasks


def _tasks_in(path: Path) -> list[Task]:
    """A file's tasks, read once for the checks, the estimate and the course."""
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> list[Task]:
    return read_tasks(path)


def held_out_tasks(settings: TrainSettings) -> list[Task]:
    """The tasks that every look tries."""
    return first_of_each(tasks_of(settings, "dev"), settings.held_out.tasks)


def exam_tasks(settings: TrainSettings) -> list[Task]:
    """The exam's tasks, none where the recipe has no exam.

    Raises:
        UsageError: the file cannot be read, or one of its tasks is trained on or chosen by.
    """
    if settings.exam is None:
        return []
    chosen = first_of_each(tasks_of(settings, "exam"), settings.exam.tasks)
    for which in ("train", "dev"):
        known = {task.id for task in tasks_of(settings, which)}
        seen = next((task.id for task in chosen if task.id in known), None)
        if seen is not None:
            raise UsageError(f"the exam's task {seen} stands in {which} too: name tasks that no other part uses")
    return chosen


def task_files(settings: TrainSettings) -> dict[str, list[Task]]:
    """The tasks that a recipe tries, by the file they are in.

    Raises:
        UsageError: as `tasks_of` and `exam_tasks` do.
    """
    files = {getattr(settings, which): tasks_of(settings, which) for which in ("train", "dev")}
    return files | ({settings.exam.of: exam_tasks(settings)} if settings.exam else {})


def estimate(settings: TrainSettings) -> dict[str, Any]:
    """What the recipe asks of the machine, by rule of thumb: rollouts and tokens a step, gigabytes, hours.

    An episode is taken to fill half of its window. Hours: at the speed of the machines in dev/LOG.md, and no guess at a
    GPU's (None); half or twice as long is no surprise. Memory: the weights once for torch and once for each llama.cpp,
    its keys and values of the episodes, and the activations of the largest part that is computed at once. Disk: what a
    run keeps of adapters and optimizers, its rollouts as text, and the world where it is built.
    """
    from lite.train.policy import base_of

    base, updates = base_of(settings.policy.model), settings.updates
    files = [base] if base.is_file() else list(base.glob("*.safetensors"))
    weights = sum(file.stat().st_size for file in files) / 1e9
    stages = [
        {
            "steps": stage.steps,
            "rollouts_a_step": updates.tasks * updates.rollouts,
            "tokens_a_step": updates.tasks * updates.rollouts * (stage.context or settings.agent.context) // 2,
            "rated_rollouts": stage.pool * stage.tries if stage.rated else 0,
        }
        for stage in settings.stages
    ]
    width = settings.sampler.width * settings.sampler.workers
    wide = settings.policy.dtype == "float32"
    trained = weights / 4 if settings.policy.load_in_4bit else weights * (2 if wide and base.is_file() else 1)
    # Of SmolLM2: with layers and width these grow as the root of the weights.
    layers, sampling = (weights / 0.27) ** 0.5, 0.0
    if settings.sampler.engine == "llamacpp" and base.is_file():  # the others take what is left
        sampling = settings.sampler.workers * weights + 23e-6 * layers * width * settings.agent.context
    part = updates.tokens if settings.stages else settings.agent.context  # a cold start computes row by row
    activations = (3e-3 if wide else 2e-3) * layers * part
    activations /= 5 if settings.policy.gradient_checkpointing else 1
    return {
        "tasks": len(tasks_of(settings, "train")),
        "held_out": len(held_out_tasks(settings)),
        "exam": len(exam_tasks(settings)),
        "stages": stages,
        "hours": _hours(settings, weights, stages),
        "gigabytes": round(trained + sampling + activations + 1.0, 1),
        "disk_gigabytes": round(_disk(settings, weights, stages), 1),
    }


def _hours(settings: TrainSettings, weights: float, stages: Sequence[dict[str, Any]]) -> float | None:
    """Of cold start, stages with their ratings and looks, and exam, on the processor's cores."""
    if has_gpu():
        return None
    narrow = settings.policy.dtype != "float32"
    # Tokens a second and core: SmolLM2's, with and without bf16 in the processor; others' go by their weights.
    speed = cores() * 0.27 / max(weights, 0.01)
    sample, learn = (350 * speed, 150 * speed) if narrow else (100 * speed, 50 * speed)
    episode = settings.agent.context / 2
    look = len(held_out_tasks(settings)) * episode / sample
    parts = [True, settings.policy.adapter, settings.sft, *stages]  # the base is tried too, and what is begun with
    seconds = sum(map(bool, parts)) * len(exam_tasks(settings)) * episode / sample
    if settings.sft:
        updates = settings.sft.updates(settings.sft.demonstrations)
        seconds += updates * (settings.sft.rows * episode / learn + look / settings.sft.every)
    for stage in stages:
        share = min(1.0, (settings.updates.rows or settings.updates.rollouts) / settings.updates.rollouts)
        step = stage["tokens_a_step"] * (1 / sample + share * settings.updates.updates / learn)
        seconds += stage["rated_rollouts"] * episode / sample
        seconds += stage["steps"] * step + look * (1 + stage["steps"] / settings.held_out.every)
    return round(seconds / 3600, 1)


def _disk(settings: TrainSettings, weights: float, stages: Sequence[dict[str, Any]]) -> float:
    """Gigabytes. SmolLM2's adapter of rank 16 has 20 MB; other models' grow with the root of their weights."""
    adapter = 0.02 * settings.policy.rank / 16 * (weights / 0.27) ** 0.5
    kept = adapter * (2 * 4 + 3) * (1 + len(stages))  # of each part two checkpoints with optimizers, and the best
    rollouts = sum(stage["steps"] * stage["rollouts_a_step"] for stage in stages) * 8e-6
    corpus = Path(settings.world)
    built = corpus.stat().st_size * 1e-9 if corpus.is_file() else 0.0
    return kept + rollouts + built * (30 if corpus.suffix in {".zst", ".gz"} else 5)
