"""What a recipe asks for and cannot have here, said in one line before anything heavy is loaded."""

import importlib.metadata
import importlib.util
import json
import math
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from lite.agent import system_prompt
from lite.curriculum import read_filter
from lite.dialect import ASK_FOR_ANSWER
from lite.drive import TOOLS
from lite.errors import MissingExtra, ModelError, UsageError
from lite.extras import missing, requirements
from lite.index import manifest
from lite.machine import available_memory, has_gpu
from lite.models import read_spec
from lite.models.engine import check_gguf
from lite.recipe import AgentSettings, Limits, PolicySettings, TrainSettings
from lite.records import Task
from lite.train.policy import base_of
from lite.train.recipes import estimate, task_files, tasks_of
from lite.world import World

# What was run beside Unsloth 2026.10.9 (dev/LOG.md). Unsloth's own caps are read from its metadata.
_BESIDE_UNSLOTH = {"trl": "trl==1.14.2", "transformers": "transformers==5.17.0", "datasets": "datasets==4.8.5"}
_OURS = (
    "accelerate",
    "datasets",
    "gguf",
    "llama-cpp-python",
    "peft",
    "torch",
    "transformers",
    "trl",
    "unsloth",
    "vllm",
)
_TRAINERS = tuple((module, "train") for module in ("torch", "trl", "peft", "datasets", "gguf"))
_ENGINES = {
    "llamacpp": ("llama_cpp", "train,llama"),
    "transformers": ("transformers", "train"),
    "vllm": ("vllm", "train,vllm"),
}
_TURN = 64  # tokens; a shorter turn cannot think and call
_HIT = 60  # tokens of a search hit, at least
_FRAME = 60  # tokens around a page's evidence, at least


def check(settings: TrainSettings, folder: Path) -> dict[str, Any]:
    """Refuse a recipe that cannot be carried out here. Reads small files only.

    Args:
        settings: the recipe.
        folder: of the run; it need not exist.

    Returns:
        What the recipe asks of the machine (`estimate`).

    Raises:
        MissingExtra: an installed library has a version that does not fit.
        ModelError: the policy's file is no model.
        UsageError: the world or the tasks are missing or do not belong together, or context, memory or disk is short.
    """
    if unfit := next(versions(settings.policy.loader, settings.sampler.engine), None):
        raise MissingExtra(unfit)
    for module, extra in (*_TRAINERS, _ENGINES[settings.sampler.engine]):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(missing(module, extra))
    base = base_of(settings.policy.model)
    if base.is_file():
        check_gguf(base)
    elif not (base / "config.json").is_file():
        raise ModelError(f"{base} has no config.json: give the folder of a Hugging Face model, or a GGUF file")
    if settings.sampler.engine == "llamacpp" and base.is_dir():
        raise UsageError(
            f'sampler.engine = "llamacpp" reads GGUF files, and {base} is a folder: set "transformers", or "vllm"'
        )
    _adapter(settings.policy)
    if bool(settings.reward.judge) != bool(settings.judge):
        raise UsageError(
            'a judge needs both a model and a weight: judge = "openai:NAME@http://HOST/v1" before the first [group], '
            "and judge = 1.0 in [reward]"
        )
    if settings.judge:
        read_spec(settings.judge)
    _world(settings, folder)
    _names(settings)
    _agree(settings)
    _context(settings)
    asked = estimate(settings)
    _memory(asked["gigabytes"])
    _disk(asked["disk_gigabytes"], folder)
    return asked


def _adapter(policy: PolicySettings) -> None:
    """An adapter in a folder keeps the shape it was trained in: a recipe that says another would record a lie."""
    if not policy.adapter:
        return
    named = Path(policy.adapter)
    config = named if named.suffix == ".gguf" else named / "adapter_config.json"
    if not config.is_file():
        raise UsageError(f"policy.adapter: {named} is no GGUF file and no folder with an adapter_config.json: name one")
    if config == named:
        return
    try:
        told = json.loads(config.read_bytes())
        shape = (("rank", told["r"], policy.rank), ("alpha", told["lora_alpha"], policy.alpha))
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"policy.adapter: {config} is none that PEFT wrote for LoRA: name another adapter") from None
    for name, there, said in shape:
        if there != said:
            raise UsageError(f"{named} has {name} {there} and policy.{name} is {said}: set it to {there}")


# ---------------------------------------------------------------- libraries


def versions(loader: str, engine: str = "") -> Iterator[str]:
    """A line for each installed library whose version does not fit, with the command that mends it. Imports none.

    Libraries that are not installed are not spoken of: who asks for them says so.
    """
    asked = {"train", "llama" if engine == "llamacpp" else engine, *([loader] if _installed(loader) else ())}
    for text, extra in requirements():
        if extra in asked:
            yield from _unfit(text, f"literesearcher-lite[{extra}]")
    if loader == "unsloth" and (version := _installed("unsloth")):
        for text in importlib.metadata.requires("unsloth") or []:
            yield from _unfit(text, f"unsloth {version}", _BESIDE_UNSLOTH)


def _unfit(text: str, whose: str, pins: dict[str, str] | None = None) -> Iterator[str]:
    name = re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0]
    found = _installed(name) if name in _OURS else None
    if found is None:
        return
    from packaging.requirements import Requirement  # transformers brings it, and so does accelerate

    wanted = Requirement(text)
    if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
        return
    if not wanted.specifier.contains(found, prereleases=True):
        pin = (pins or {}).get(name, f"{name}{wanted.specifier}")
        yield f"{name} {found} does not fit {whose}, which wants {wanted.specifier}: pip install '{pin}'"


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


# ---------------------------------------------------------------- world and tasks


def _world(settings: TrainSettings, folder: Path) -> None:
    """The world is there, or its corpus is; the tasks are read, and compared with a world that is finished."""
    named = Path(settings.world)
    if not named.exists():
        raise UsageError(f"there is no {named}: name a world's folder (lite world build makes one) or a corpus file")
    tasks = task_files(settings)
    ready = next((one for one in (named, folder / "world") if (one / manifest.FILE).is_file()), None)
    if ready is None:
        return  # it is built first, and then compared
    with World.open(ready) as world:
        for name, those in tasks.items():
            of_this_world(those, name, world)


def _names(settings: TrainSettings) -> None:
    """What a recipe names is there: kinds of tasks, fields of filters, files of demonstrations."""
    tasks = tasks_of(settings, "train")
    kinds = {task.capability or "all" for task in tasks}
    shares = {f"stages.{n}.capabilities": stage.capabilities for n, stage in enumerate(settings.stages)}
    if settings.sft:
        shares["sft.balance"] = settings.sft.balance
    for name, named in shares.items():
        if unknown := sorted(set(named) - kinds):
            raise UsageError(f"{name}: no task has the capability {unknown[0]}: there are {', '.join(sorted(kinds))}")
    known = sorted({"tries", "correct", *(field for task in tasks for field in task.model_dump())})
    for n, stage in enumerate(settings.stages):
        try:
            read_filter(stage.keep or "1", known)
        except UsageError as error:
            raise UsageError(f"stages.{n}.keep: {error}") from None
    lost = next((file for file in (settings.sft.files if settings.sft else ()) if not Path(file).exists()), None)
    if lost is not None:
        raise UsageError(f"sft.files: there is no {lost}: name a run's folder, or a file of trajectories")


def _agree(settings: TrainSettings) -> None:
    """No setting takes from another what it needs."""
    updates = settings.updates
    if updates.rows and (updates.loss == "dapo" or updates.kl or updates.entropy):
        raise UsageError(
            "updates.rows draws tries by their advantages, of which neither kl and entropy nor the tokens that dapo "
            "divides by know: leave it out, or these"
        )
    if settings.sft and not settings.sft.attempts and not settings.sft.files:
        raise UsageError(
            "sft.attempts = 0 leaves no demonstrations: name sft.files, or let the expert try each task once"
        )
    if settings.updates.entropy and settings.policy.loader == "unsloth":
        raise UsageError(f"updates.entropy is not in the {_BESIDE_UNSLOTH['trl']} that Unsloth wants: set it to 0")
    if settings.updates.anchor and not settings.sft:
        raise UsageError("updates.anchor needs demonstrations: give the recipe an [sft] part, or set it to 0")
    if settings.agent.grammar:
        raise UsageError("agent.grammar: rollouts are free, or the policy would not be what is sampled: leave it out")


def of_this_world(tasks: Sequence[Task], file: str, world: World) -> None:
    """Refuse tasks that were made in another world, or, where they do not say which, whose pages this one lacks.

    Raises:
        UsageError: naming the first task.
    """
    others = [task for task in tasks if task.world is not None and task.world != world.digest]
    if others:
        raise UsageError(
            f"{file}: {len(others):,} of {len(tasks):,} tasks are of another world than {world.path}, {others[0].id} "
            f"the first: lite tasks check {file} --world {world.path} --out NEW.jsonl keeps those that hold in this one"
        )
    for task in tasks:
        lost = next((url for url in task.evidence if task.world is None and world.pages.find(url) is None), None)
        if lost is not None:
            raise UsageError(f"{file}: {task.id} needs {lost}, which is not in {world.path}: name the tasks' own world")


# ---------------------------------------------------------------- what fits


def _context(settings: TrainSettings) -> None:
    """A window has to hold the prompt, a question, a turn, what a tool says, and the last answer.

    Tokens are estimated from characters, rather too few than too many: a recipe that barely fits is let through.
    """
    agent, limits = settings.agent, settings.agent.limits
    prompt = system_prompt("2026-01-01", agent.prompt, TOOLS[agent.tools])
    parts = {
        "the prompt": _tokens(prompt),
        "a question": math.ceil(median(_tokens(task.question) for task in tasks_of(settings, "train"))),
        "a tool's answer": _observation(agent, limits),
        "a turn and the answer": _TURN + limits.answer_tokens + _tokens(ASK_FOR_ANSWER),
    }
    needed = sum(parts.values())
    windows = {"agent.context": agent.context}
    windows |= {f"stages.{n}.context": stage.context for n, stage in enumerate(settings.stages) if stage.context}
    for name, window in windows.items():
        if window < needed:
            told = ", ".join(f"{part} {count}" for part, count in parts.items())
            raise UsageError(
                f"{name} = {window} is too small, about {needed} tokens are needed ({told}): raise it, or lower "
                "agent.limits.results and visit_words"
            )


def _observation(agent: AgentSettings, limits: Limits) -> int:
    page = _FRAME + round(1.3 * limits.visit_words)
    return max(limits.results * _HIT, page if agent.tools == "all" else 0)


def _tokens(text: str) -> int:
    """Tokens of a text, by rule of thumb: four Latin characters each, or one and a half others."""
    latin = sum(character.isascii() for character in text)
    return math.ceil(latin / 4 + (len(text) - latin) / 1.5)


def _memory(needed: float) -> None:
    """Memory of the machine. On a GPU the weights are elsewhere, and what is free there is not asked."""
    free = available_memory() / 1e9
    if needed > free and not has_gpu():
        raise UsageError(
            f"the run takes about {needed:,.1f} GB of memory and {free:,.1f} GB are free: free some, or lower "
            "updates.tokens, sampler.workers or sampler.width"
        )


def _disk(needed: float, folder: Path) -> None:
    there = next(one for one in _upwards(folder.absolute()) if one.exists())
    free = shutil.disk_usage(there).free / 1e9
    if needed > free:
        raise UsageError(
            f"the run writes about {needed:,.1f} GB and {there} has {free:,.1f} GB free: free some, or give "
            "another --out"
        )


def _upwards(folder: Path) -> Iterable[Path]:
    yield folder
    yield from folder.parents
