"""Tasks in files: our JSONL, and the public LiteResearcher-Data layout (Parquet for verl), both ways.

A row of that layout: `question`, `data_source`, `prompt` (chat messages), `ability`, `reward_model` with the accepted
answers in `ground_truth.target`, and `extra_info` with `tools_kwargs`: each tool's `create_kwargs.url` is the page it
must not show. Upstream writes the mask under `search` and `browse` while its tool is called `visit`, so that the page
can still be visited; here it stands under all three names. `metadata` holds the whole task as JSON, so that nothing is
lost; a file without it is read too.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lite.agent import system_prompt
from lite.corpus.export import packed
from lite.corpus.rows import read_rows, write_rows
from lite.dates import iso_date
from lite.errors import UsageError
from lite.evaluate import read_tasks
from lite.records import Task

_TOOLS = ("search", "visit", "browse")
_SOURCE = "literesearcher-lite"


def write_tasks(tasks: Sequence[Task], out: Path) -> None:
    """Write tasks as JSONL, packed where the name ends in .gz or .zst, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    new = out.with_name(f"{out.name}.new")
    try:
        with packed(new, out.suffix) as file:
            for task in tasks:
                file.write(f"{task.to_json()}\n".encode())
        new.replace(out)
    finally:
        new.unlink(missing_ok=True)


def export_tasks(tasks: Sequence[Task], out: Path, date: str) -> None:
    """Write tasks to `out`: .parquet in the public layout, .jsonl as they are.

    Args:
        date: the date that the system prompt tells the agent.

    Raises:
        UsageError: the name of `out` ends in neither, or the date is none.
    """
    if iso_date(date) != date:
        raise UsageError(f"{date} is no date: write it as YYYY-MM-DD")
    if out.name.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst")):
        write_tasks(tasks, out)
    elif out.suffix == ".parquet":
        prompt = system_prompt(date)
        write_rows([_row(number, task, prompt) for number, task in enumerate(tasks)], out)
    else:
        raise UsageError(f"{out.name} says no format: end it in .parquet or .jsonl")


def _row(number: int, task: Task, prompt: str) -> dict[str, Any]:
    masked = task.mask[0] if task.mask else ""
    return {
        "question": task.question,
        "data_source": _SOURCE,
        "prompt": [
            {"role": "system", "content": prompt},
            {"role": "user", "content": f" Question: {task.question}"},
        ],
        "ability": "search",
        "reward_model": {"ground_truth": {"target": list(task.answers)}, "style": "rule"},
        "extra_info": {
            "index": str(number),
            "question": task.question,
            "split": str((task.model_extra or {}).get("split", "train")),
            "mask_url": masked,
            "mask_urls": list(task.mask),
            "need_tools_kwargs": True,
            "tools_kwargs": {tool: {"create_kwargs": {"url": masked}} for tool in _TOOLS},
        },
        "metadata": task.to_json(),
    }


def import_tasks(source: Path) -> list[Task]:
    """The tasks of a file in either layout.

    Raises:
        UsageError: it is neither, or a row of it is no task: which one, and why.
    """
    if source.suffix != ".parquet":
        return read_tasks(source)
    tasks = [_task(row, f"{source}, row {number}") for number, row in enumerate(read_rows(source), 1)]
    if not tasks:
        raise UsageError(f"{source} holds no tasks: it has no rows")
    return tasks


def _task(row: dict[str, Any], where: str) -> Task:
    told = row.get("metadata")
    try:
        if isinstance(told, str) and told.startswith("{") and "answers" in json.loads(told):
            return Task.from_json(told)
        extra = row.get("extra_info") or {}
        truth = row["reward_model"]["ground_truth"]
        answers = truth["target"] if isinstance(truth, dict) else truth
        answers = (answers,) if isinstance(answers, str) else tuple(map(str, answers))
        question = row.get("question") or extra.get("question") or _asked(row["prompt"])
        masks = [extra.get("mask_url"), *(_mask(extra, tool) for tool in _TOOLS), *(extra.get("mask_urls") or ())]
        name = f"{row.get('data_source') or 'imported'}-{extra.get('index', where.rpartition(' ')[2])}"
        mask = tuple(dict.fromkeys(url for url in masks if url))
        return Task(id=name, question=str(question).strip(), answers=answers, mask=mask)
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise UsageError(
            f"{where} is no task ({type(error).__name__}: {error}): it needs a question and reward_model.ground_truth"
        ) from None


def _asked(prompt: list[dict[str, str]]) -> str:
    said = next(message["content"] for message in reversed(prompt) if message["role"] == "user")
    return said.strip().removeprefix("Question:")


def _mask(extra: dict[str, Any], tool: str) -> str:
    made = ((extra.get("tools_kwargs") or {}).get(tool) or {}).get("create_kwargs") or {}
    return made.get("url") or ""
