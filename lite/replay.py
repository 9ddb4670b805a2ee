"""A saved run, carried out again: its calls in its world, or its questions with another model."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lite.agent import call_key
from lite.dialect import quote
from lite.drive import Episode, Listener, drive, manifest, open_model, prompt_of, start, tools_of
from lite.errors import UsageError
from lite.evaluate import evaluate, read_tasks, tasks_digest
from lite.models import Model, not_for
from lite.recipe import AgentSettings, EvalSettings
from lite.records import Message, Record, Stop, Task, Trajectory, Turn
from lite.run import Run, digest, read_manifest, read_trajectories
from lite.world import World


class Difference(Record):
    """An observation that came out otherwise."""

    task_id: str
    attempt: int
    turn: int  # from 1
    call: str
    at: int  # first character that differs; -1: it was cut when it was recorded, and differs behind the cut
    recorded: str  # some text from there on
    now: str


class Replayed(Record):
    """What carrying out a run's calls again has shown."""

    trajectories: int
    calls: int
    differing: tuple[Difference, ...] = ()
    same_pages: bool  # the world's digest is the recorded one
    same_index: bool  # and its index too: searches are bound to answer alike


def replay_calls(run: str | Path, *, world: World | str | Path | None = None) -> Replayed:
    """Carry out every tool call of a run again and compare each observation with the recorded one, byte for byte.

    Of an observation that had been cut to fit the window, its head is compared as text and the whole by its
    fingerprint.

    Args:
        run: its folder.
        world: another world to do it in; by default the one the run names.

    Raises:
        UsageError: the folder is no run.
        WorldError: the world cannot be opened.
    """
    recorded, settings = _settings(run)
    if not isinstance(world, World):
        with World.open(world or recorded["world"]) as opened:
            return replay_calls(run, world=opened)
    found: list[Difference] = []
    calls = trajectories = 0
    for one in read_trajectories(run):
        trajectories += 1
        task = Task(id=one.task_id, question=one.question, answers=(), mask=one.mask)
        tools = tools_of(task, world, settings, recorded.get("reader", ""))
        for number, turn in _carried_out(one, settings.limits.repeated):
            calls += 1
            now = tools.run(turn.call).text if turn.call else ""
            if (at := _differs(turn, now)) is not None:
                found.append(_difference(one, number, turn, now, at))
    return Replayed(
        trajectories=trajectories,
        calls=calls,
        differing=tuple(found),
        same_pages=world.digest == recorded.get("world_digest"),
        same_index=world.index_id == recorded.get("world_index"),
    )


def _settings(run: str | Path) -> tuple[dict[str, Any], AgentSettings]:
    known = read_manifest(run)
    if known is None or "world" not in known["settings"]:
        raise UsageError(f"{run} is not a run: give the folder of lite eval --out or lite ask --save")
    recorded = known["settings"]
    fields = {key: value for key, value in recorded.items() if key in AgentSettings.model_fields}
    return recorded, AgentSettings.read(fields)


def _carried_out(one: Trajectory, repeated: int) -> list[tuple[int, Turn]]:
    """Turns (from 1) whose call went to the world; one made too often was answered by the loop itself."""
    count: Counter[str] = Counter()
    found = []
    for number, turn in enumerate(one.turns, 1):
        if turn.call is not None and turn.observation is not None:
            count[call_key(turn.call)] += 1
            if count[call_key(turn.call)] < repeated:
                found.append((number, turn))
    return found


def _differs(turn: Turn, now: str) -> int | None:
    """The first character at which the observation differs, -1 behind a cut, None where it is the same."""
    recorded = turn.observation or ""
    if turn.shortened:
        recorded = recorded.rpartition("\n")[0]  # less the mark of the cut
        if now.startswith(recorded):
            return None if turn.whole == digest(now) else -1
    if recorded == now:
        return None
    length = min(len(recorded), len(now))
    return next((place for place in range(length) if recorded[place] != now[place]), length)


def _difference(one: Trajectory, number: int, turn: Turn, now: str, at: int) -> Difference:
    start = max(0, at)
    return Difference(
        task_id=one.task_id,
        attempt=one.attempt,
        turn=number,
        call=turn.call.to_json() if turn.call else "",
        at=at,
        recorded=(turn.observation or "")[start : start + 80],
        now=now[start : start + 80],
    )


def left_out(run: str | Path, model: str) -> list[str]:
    """Settings of a run that a model of this name does not have."""
    recorded, _ = _settings(run)
    return [key for key in not_for(model) if recorded.get(key)]


def replay_questions(
    run: str | Path, *, model: Model | str, out: str | Path, listener: Listener | None = None
) -> list[tuple[Trajectory, Trajectory]]:
    """Ask the questions of a run once more, of another model, everything else as recorded: follow-ups of a chat behind
    the recorded conversation, and less the settings that this kind of model does not have.

    Returns:
        (the recorded, the new) trajectory of each question and attempt, in the recorded order.

    Raises:
        UsageError: the folder is no run or an empty one, its tasks, world or prompt changed since, or `out` holds
            another run.
        LiteError: the world or the model cannot be opened.
    """
    recorded, settings = _settings(run)
    name = model if isinstance(model, str) else model.name
    fields = left_out(run, model) if isinstance(model, str) else []
    plain = {key: AgentSettings.model_fields[key].default for key in fields}
    recorded, settings = recorded | plain, settings.model_copy(update=plain)
    before = {_asked(one): one for one in read_trajectories(run)}
    if not before:
        raise UsageError(f"{run} holds no trajectory yet: name another run")
    with World.open(recorded["world"]) as world:
        _check_unchanged(run, recorded, settings, world)
        if "tasks" in recorded:
            chosen = {key: value for key, value in recorded.items() if key in EvalSettings.model_fields}
            tasks, *_ = (chosen.pop(key) for key in ("tasks", "world", "model"))
            evaluate(tasks, world=world, model=model, out=out, listener=listener, **chosen)
        else:
            _ask_again(list(before.values()), world, (model, name), settings, out, listener)
    after = {_asked(one): one for one in read_trajectories(out)}
    return [(one, after[key]) for key, one in before.items() if key in after]


def _check_unchanged(run: str | Path, recorded: dict[str, Any], settings: AgentSettings, world: World) -> None:
    """Two runs are compared by their model alone: raise UsageError where anything else differs."""
    now = {
        "world_digest": world.digest,
        "world_index": world.index_id,
        "prompt_digest": digest(prompt_of(settings, world)),
    }
    if "tasks" in recorded:
        now["tasks_digest"] = tasks_digest(read_tasks(recorded["tasks"])[: recorded.get("limit")])
    changed = dict.fromkeys(key.partition("_")[0] for key, value in now.items() if value != recorded.get(key))
    if changed:
        raise UsageError(
            f"{run} cannot be asked again as it was: its {' and '.join(changed)} changed since; bring that back, or "
            "run both models anew and compare those runs"
        )


def _ask_again(
    recorded: Sequence[Trajectory],
    world: World,
    named: tuple[Model | str, str],
    settings: AgentSettings,
    out: str | Path,
    listener: Listener | None,
) -> None:
    """Questions that were asked one by one (`lite ask --save`)."""
    with ExitStack() as stack:
        run = stack.enter_context(Run.start(out, manifest(settings, world, named[1])))
        done = {_asked(one) for one in run.trajectories() if one.stop is not Stop.FAILED}
        todo = {key: one for one in recorded if (key := _asked(one)) not in done}
        if todo:
            model = open_model(stack, named[0], settings)
            journal = stack.enter_context(run.journal())
            episodes = [_begun(one, world, model, settings) for one in todo.values()]
            for index, trajectory in drive(episodes, model, listener=listener, journal=journal):
                run.append(trajectory)
                journal.end(episodes[index].key)


def _begun(one: Trajectory, world: World, model: Model, settings: AgentSettings) -> Episode:
    """A recorded question, behind the conversation that it went on from."""
    task = Task(id=one.task_id, question=one.question, answers=(), mask=one.mask)
    episode = start(task, world, model, settings, before=one.messages[1:-1])
    episode.key = digest(json.dumps([(message.role, message.content) for message in one.messages[1:]]))
    return episode


def _asked(one: Trajectory) -> tuple[str, int, tuple[Message, ...]]:
    """What tells a question from the others of its run: its task, with its mask, and what it went on from."""
    return one.task_id, one.attempt, one.messages[1:] or (Message(role="user", content=quote(one.question)),)
