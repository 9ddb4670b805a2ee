"""Demonstrations: trajectories to learn from, the scripted expert's or others', and what makes one worth it."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lite.agent import call_key
from lite.corpus.page import broken
from lite.corpus.streams import filled_lines
from lite.dialect import RESPONSE, parse_turn, quote
from lite.drive import drive, start
from lite.memory import Count
from lite.recipe import AgentSettings, ColdStart
from lite.records import Broken, Message, Stop, Task, Trajectory, Turn, storable
from lite.reward import abstains, contains_answer, grade, members
from lite.run import digest
from lite.tasks.facts import fact_store
from lite.tasks.ground import Ground
from lite.tools import strings
from lite.train.expert import Expert
from lite.train.plan import Plan, Planner, Unplanned
from lite.world import World

Reason = Literal[
    "failed",
    "cut short",
    "no answer",
    "abstains",
    "wrong answer",
    "unreadable turn",
    "repaired turn",
    "same call too often",
    "too few calls",
    "too many tool errors",
    "call without a thought",
    "evidence not seen",
    "broken",
    "unknown task",
    "held out",
    "a copy",
    "enough of its task",
]
_SAME_CALL = 3  # the most times one call may be made
_ERRORS = 2  # the most calls that may be answered by an error
_CALCULATED = {"count", "sum", "mean", "difference", "ratio"}  # answers that stand on no page


def demonstrations(
    tasks: Sequence[Task],
    world: World,
    settings: AgentSettings,
    cold: ColdStart,
    *,
    seed: int = 0,
    width: int = 16,
    count: Count | None = None,
) -> Iterator[Trajectory]:
    """The scripted expert's episodes in varied words, graded; not all are worth keeping.

    Args:
        cold: how many attempts at each task, how many detours, how many pages in one call, what need not be visited.
        width: episodes under way together.
        count: tokens of messages by the model that is to learn from them; by default a cautious estimate.
    """
    by_id = {task.id: task for task in tasks}
    store = fact_store(world)
    planner = Planner(Ground(store))

    def plan(name: str) -> Plan | None:
        try:
            return planner.plan(by_id[name])
        except Unplanned:
            return None

    expert = Expert(plan, cold, seed=seed, context=settings.context, count=count or estimated)
    todo = [(task, attempt) for task in tasks for attempt in range(cold.attempts)]
    episodes = (start(task, world, expert, settings, attempt=attempt) for task, attempt in todo)
    try:
        for index, ended in drive(episodes, expert, width=width):
            yield ended.model_copy(update={"reward": grade(todo[index][0], ended)})
    finally:
        store.close()


def estimated(messages: Sequence[Message]) -> int:
    """Tokens of a prompt where no tokenizer is at hand: three characters each, which few texts exceed."""
    return 3 + sum(5 + len(message.content) // 3 for message in messages)


# ---------------------------------------------------------------- what is kept


def keep(
    tasks: Sequence[Task], trajectories: Iterable[Trajectory]
) -> tuple[list[tuple[Task, Trajectory]], Counter[Reason]]:
    """The trajectories worth learning from, each with its task, and why the others are not. Unknown tasks raise."""
    by_id = {task.id: task for task in tasks}
    kept: list[tuple[Task, Trajectory]] = []
    dropped: Counter[Reason] = Counter()
    for one in trajectories:
        task = by_id[one.task_id]
        reason = why_not(task, one)
        if reason is None:
            kept.append((task, one))
        else:
            dropped[reason] += 1
    return kept, dropped


def why_not(task: Task, trajectory: Trajectory) -> Reason | None:
    """Why a trajectory is not worth learning from, by the paper's rules; None where it is.

    "At least two calls where the task needs them" is read as: for a task of more than one hop, two calls or more that
    were not answered by an error; for any other, one.
    """
    found = _ending(task, trajectory)
    if found is not None:
        return found
    calls = [turn for turn in trajectory.turns if turn.call is not None]
    times = Counter(call_key(turn.call) for turn in calls if turn.call is not None)
    errors = sum(turn.tool_error for turn in calls)
    if any(turn.malformed for turn in trajectory.turns):
        return "unreadable turn"
    if any(turn.repairs for turn in trajectory.turns):
        return "repaired turn"  # its text is what would be learnt, and it is not what was meant
    if max(times.values(), default=0) > _SAME_CALL:
        return "same call too often"
    if errors > _ERRORS:
        return "too many tool errors"
    if len(calls) - errors < (2 if (task.hops or 1) > 1 else 1):
        return "too few calls"
    if not all(turn.think.strip() for turn in calls):
        return "call without a thought"
    return None if _seen(task, trajectory) else "evidence not seen"


def _ending(task: Task, trajectory: Trajectory) -> Reason | None:
    """What is wrong with how it ended."""
    if trajectory.stop is Stop.FAILED:
        return "failed"
    if trajectory.stop is not Stop.ANSWERED:
        return "cut short"
    if not trajectory.answer:
        return "no answer"
    reward = trajectory.reward or grade(task, trajectory)
    if not reward.value:
        return "abstains" if abstains(trajectory.answer) else "wrong answer"
    return None


def _seen(task: Task, trajectory: Trajectory) -> bool:
    """Whether what the answer rests on was shown: the answer itself, or the pages that it is calculated from."""
    told = "\n".join(turn.observation or "" for turn in trajectory.turns)
    if (task.derivation or {}).get("op") in _CALCULATED:
        pages = {url for turn in trajectory.turns for url in (*turn.shown, *turn.read)}
        return set(task.evidence) <= pages
    answer = trajectory.answer or ""
    wanted = members(task.answers[0]) if task.answer_type == "list" else [answer]
    if all(contains_answer(told, part) for part in wanted):
        return True
    return any(contains_answer(told, accepted) for accepted in task.answers)


# ---------------------------------------------------------------- reading


def given(
    path: str | Path, tasks: Sequence[Task], secret: Collection[str], system: str, each: int | None = None
) -> Iterator[Trajectory | Reason]:
    """The trajectories of a file (see `read_demonstrations`) that are worth learning from, behind the prompt `system`;
    in the place of each other one why it is not.

    No copies, and of one task no more than `each`: of a policy's own tries most that are right are of tasks that it
    can do already. Chats bring their own tasks; a question in `secret` (of held-out tasks) is not learnt from. Token
    ids are left out: they are of the vocabulary of whoever wrote them.
    """
    by_id = {task.id: task for task in (*(() if Path(path).is_dir() else imported_tasks(path)), *tasks)}
    shown: dict[str, set[tuple[tuple[str, str | None], ...]]] = {}
    for one in read_demonstrations(path, system=system):
        if isinstance(one, Broken):
            yield "broken"
        elif one.task_id not in by_id:
            yield "unknown task"
        elif one.question in secret or by_id[one.task_id].question in secret:
            yield "held out"
        elif reason := why_not(by_id[one.task_id], one):
            yield reason
        else:
            of_task = shown.setdefault(one.task_id, set())
            all_of_it = tuple((turn.text, turn.observation) for turn in one.turns)
            if all_of_it in of_task:
                yield "a copy"
            elif len(of_task) == each:
                yield "enough of its task"
            else:
                of_task.add(all_of_it)
                yield _as_ours(one, system)


def _as_ours(one: Trajectory, system: str) -> Trajectory:
    """A trajectory behind our prompt, as text alone."""

    def behind(messages: Sequence[Message]) -> tuple[Message, ...]:
        first = Message(role="system", content=system)
        return (first, *(message for message in messages if message.role != "system"))

    turns = tuple(turn.model_copy(update={"token_ids": None, "logprobs": None}) for turn in one.turns)
    segments = tuple(part.model_copy(update={"messages": behind(part.messages)}) for part in one.segments)
    return one.model_copy(update={"turns": turns, "segments": segments, "messages": behind(one.messages)})


def read_demonstrations(path: str | Path, *, system: str | None = None) -> Iterator[Trajectory | Broken]:
    """Trajectories of a run folder, of a JSONL file of them, or of another agent's chats in the dialect's tags.

    A chat has `messages`; its question stands behind the last "User: " of its second message, and its accepted
    answers in `answer`. Lines that are neither are `Broken`.

    Args:
        system: the prompt that takes the place of a chat's own, which explains tools in other words.

    Raises:
        CorpusError: the file cannot be read.
    """
    file = Path(path)
    file = file / "trajectories.jsonl" if file.is_dir() else file
    for number, line in filled_lines(file):
        try:
            value = json.loads(line)
            yield _chat(value, system) if "task_id" not in value else Trajectory.from_json(line)
        except _MISREAD as error:
            first = (
                error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
            )
            yield broken(file, f"line {number}", f"no trajectory ({first})")


# What reading a line that is something else may raise.
_MISREAD = (ValidationError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
_QUESTION = re.compile(r"(?:^|\n)User: ")
_VISITED = re.compile(r"The useful information in (\S+) for user goal ")
_HIT = re.compile(r"^\d+\. \[.*\]\((\S+)\)$", re.MULTILINE)


def imported_tasks(path: str | Path) -> list[Task]:
    """The tasks of another agent's chats, for `keep`; lines that are no chat have none."""
    found: dict[str, Task] = {}
    for _, line in filled_lines(Path(path)):
        with suppress(*_MISREAD):
            task = _task(json.loads(line))
            found.setdefault(task.id, task)
    return list(found.values())


def _task(line: dict[str, Any]) -> Task:
    """The task of a chat; its accepted answers are a text, or texts, or lists of them."""
    question = storable(_QUESTION.split(line["messages"][1]["content"])[-1].strip())
    given = [line["answer"]] if isinstance(line["answer"], str) else line["answer"]
    answers = [storable(text) for part in given for text in ([part] if isinstance(part, str) else part)]
    return Task(id=f"chat-{digest(question)}", question=question, answers=tuple(answers))


def _chat(line: dict[str, Any], system: str | None) -> Trajectory:
    """Another agent's chat as a trajectory of ours."""
    said = [Message(role=one["role"], content=storable(one["content"])) for one in line["messages"]]
    roles = [one.role for one in said]
    if roles[:2] != ["system", "user"] or roles[2:] != ["assistant", "user"] * (len(said) // 2 - 1) + ["assistant"]:
        raise ValueError("its roles do not take turns")
    task = _task(line)
    question = task.question
    turns = [_turn(one, after) for one, after in zip(said[2::2], [*said[3::2], None], strict=True)]
    answer = turns[-1].answer
    opening = said[:2] if system is None else [Message(role="system", content=system), _asked(question)]
    made = Trajectory(
        task_id=task.id,
        question=question,
        messages=tuple(opening),
        turns=tuple(turns),
        answer=answer,
        answered=answer is not None,
        stop=Stop.ANSWERED if answer is not None else Stop.MALFORMED,
    )
    return made.model_copy(update={"reward": grade(task, made)})


def _asked(question: str) -> Message:
    return Message(role="user", content=quote(question))


def _turn(said: Message, after: Message | None) -> Turn:
    parsed = parse_turn(said.content)
    found = RESPONSE.search(after.content) if after else None
    if after is not None and found is None:
        raise ValueError("a user's message is no tool response")
    observation = found[1] if found else None
    urls = strings(parsed.call.arguments.get("url")) if parsed.call else []
    visited = [url for url in _VISITED.findall(observation or "") if url in urls]
    return Turn(
        text=said.content,
        think=parsed.think,
        call=parsed.call,
        answer=parsed.answer,
        malformed=parsed.malformed,
        repairs=parsed.repairs,
        observation=observation,
        shown=tuple(dict.fromkeys(_HIT.findall(observation or ""))),
        read=tuple(dict.fromkeys(visited)),
    )
