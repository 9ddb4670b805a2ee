"""Co-construction: the world grows by what its own questions find in a larger pool of pages.

Each question is searched in the pool; the pages that hold the answer are support, the others that come near are hard
distractors. Both go into the world. With `mask_source`, a task's own evidence is hidden from it, and it is kept only
where another page of the grown world says the answer beside the names that the question gives.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lite.corpus.export import write_pages
from lite.errors import UsageError
from lite.records import Page, Record, Task
from lite.reward import tokens
from lite.tasks.check import says_answer
from lite.tasks.derive import nodes
from lite.tasks.facts import Told
from lite.world import World


class Growth(Record):
    """What growing a world came to."""

    support: int  # pages added that hold an answer
    distractors: int  # pages added that do not
    kept: int  # tasks
    dropped: int  # tasks whose answer is found nowhere but on their own pages
    contradicted: int  # tasks for which an added page gives the subject another value


def grow(
    path: Path,
    tasks: Sequence[Task],
    sources: Sequence[Path],
    *,
    near: int = 5,
    mask_source: bool = False,
    progress: Told | None = None,
) -> tuple[Growth, list[Task]]:
    """Search every question in the pool `sources`, add what is found to the world in `path`; returns the tasks too.

    Args:
        near: pages a question brings in, at most.
        mask_source: hide each task's evidence from it too, and keep it only where its answer stands elsewhere.
        progress: called with (questions searched, questions in all).

    Raises:
        UsageError: the pool cannot be read, or there are no tasks.
    """
    if not tasks:
        raise UsageError("there are no tasks to grow by: make some with `lite tasks make`")
    with TemporaryDirectory(prefix="lite-pool-") as scratch:
        with World.build(list(sources), Path(scratch) / "pool") as pool, World.open(path) as world:
            found = _search(pool, world, tasks, near, progress)
            pages = [pool.pages.page(key) for key in found.values()]
            fresh = [Page(url=page.url, title=page.title, text=page.text) for page in pages]
        file = Path(scratch) / "found.jsonl"
        if fresh:
            write_pages(fresh, file)
            with World.open(path) as world:
                world.add(file).close()
    with World.open(path) as grown:
        settled = [_settle(task, grown, fresh, mask_source=mask_source) for task in tasks]
    kept = [task for task in settled if task is not None]
    support = sum(any(_holds(page.text, task) for task in tasks) for page in fresh)
    contradicted = sum(bool((task.derivation or {}).get("distractors")) for task in kept)
    return Growth(
        support=support,
        distractors=len(fresh) - support,
        kept=len(kept),
        dropped=len(tasks) - len(kept),
        contradicted=contradicted,
    ), kept


def _search(pool: World, world: World, tasks: Sequence[Task], near: int, progress: Told | None) -> dict[str, int]:
    """URL -> page id of what the questions find in the pool and the world does not have."""
    found: dict[str, int] = {}
    for count, task in enumerate(tasks, 1):
        for hit in pool.search(task.question, near):
            key = pool.pages.find(hit.url)
            if key and hit.url not in found and world.resolve(hit.url) is None:
                found[hit.url] = key[0]
        if progress:
            progress(count, len(tasks))
    return found


def _holds(text: str, task: Task) -> bool:
    """Whether a page says the answer, and the names that the question gives."""
    return says_answer(text, task) and _about(text, task)


def _about(text: str, task: Task) -> bool:
    names = _names(task)
    said = set(tokens(text))
    return bool(names) and all(set(tokens(name)) <= said for name in names)


def _names(task: Task) -> list[str]:
    """What the derivation is asked by; of a task without one, the capitalised words of its question."""
    if task.derivation:
        given = [
            what for part in nodes(task.derivation) for _, _, what in part.get("where", ()) if isinstance(what, str)
        ]
        if given:
            return given
    words = task.question.split()[1:]
    return [word.strip("?,.\"'()") for word in words if word[:1].isupper() or word[:1].isdigit()]


def _settle(task: Task, world: World, fresh: Sequence[Page], *, mask_source: bool) -> Task | None:
    """The task in the grown world: masked, its contradictions marked; None where its answer is found nowhere else."""
    marked = [page.url for page in fresh if _about(page.text, task) and not _holds(page.text, task)]
    derivation = dict(task.derivation) if task.derivation else None
    if derivation is not None and marked:
        derivation["distractors"] = marked
    update: dict[str, object] = {"derivation": derivation, "world": world.digest}
    if mask_source:
        mask = tuple(dict.fromkeys((*task.mask, *task.evidence)))
        elsewhere = _elsewhere(task, world, mask)
        if not elsewhere:
            return None
        update |= {"mask": mask, "evidence": tuple(elsewhere), "spans": (), "found_at": elsewhere}
    return task.model_copy(update=update)


def _elsewhere(task: Task, world: World, mask: Sequence[str]) -> list[str]:
    """Pages that say the answer when those in `mask` are hidden."""
    hits = world.search(task.question, 10, mask=mask)
    return [hit.url for hit in hits if _holds(world.visit(hit.url, mode="raw", mask=mask).evidence, task)][:3]
