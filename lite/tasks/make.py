"""World -> tasks: makers propose, checks dispose. Deterministic for a seed; a killed run goes on where it stopped."""

import fcntl
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, Self

from lite import reward
from lite.errors import UsageError
from lite.models import Model
from lite.records import Task
from lite.tasks import aggregation, direct, enumeration, statistics, verification
from lite.tasks.check import Checker
from lite.tasks.derive import Node, hops
from lite.tasks.draft import Draft, Unit, holds
from lite.tasks.entities import entities
from lite.tasks.facts import Told, fact_store, require_facts
from lite.tasks.files import write_tasks
from lite.tasks.ground import Ground
from lite.tasks.judging import Rejected, unjudged
from lite.tasks.judging import judge as judging
from lite.tasks.spell import answer_type, spellings
from lite.tasks.write import writer as rewording
from lite.world import World

MAKERS: dict[str, ModuleType] = {
    maker.CAPABILITY: maker for maker in (direct, aggregation, enumeration, verification, statistics)
}
_PASSES = 40  # how often a unit is asked again while tasks are wanted
_DRAFTS = 8  # of a unit in a pass
_OF_PAGE = 3  # tasks in a pass: else one page of forty tables crowds out the others


@dataclass
class Tally:
    """What became of the drafts, by capability."""

    made: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Counter[str]] = field(default_factory=dict)  # check -> capability -> how many
    unjudged: Counter[str] = field(default_factory=Counter)  # kept, though the judge gave no verdict
    lost: dict[str, str] = field(default_factory=dict)  # capability -> why it gave fewer than its share

    def count(self, capability: str, check: str | None) -> None:
        """One more draft, kept where `check` is None."""
        self.made[capability] += 1
        if check is None:
            self.kept[capability] += 1
        else:
            self.rejected.setdefault(check, Counter())[capability] += 1


def make(  # noqa: PLR0913  # every setting of a run, by its name
    world: World,
    out: str | Path,
    count: int,
    *,
    capabilities: Sequence[str] = (),
    hop_range: tuple[int, int] = (1, 4),
    seed: int = 0,
    writer: Model | None = None,
    judge: Model | None = None,
    progress: Told | None = None,
    reading: Told | None = None,
) -> Tally:
    """Make `count` tasks from `world`, as many of each capability as it can carry, and write them to `out`.

    Args:
        capabilities: names of `MAKERS`; empty for all.
        hop_range: least and most look-ups.
        seed: the same gives the same tasks (without a writer).
        writer: a model that rewords the questions.
        judge: a model for the rules that need judgement.
        progress: called with (tasks kept, tasks wanted).
        reading: called with (pages read, pages in all) while the fact store is made.

    Raises:
        UsageError: `out` holds something else, a capability is not known, or the world states nothing.
    """
    chosen = _chosen(capabilities)
    store = fact_store(world, reading)
    require_facts(store, world.path)
    ground = Ground(store)
    wanted = {"world": world.digest, "count": count, "capabilities": chosen, "hops": hop_range, "seed": seed}
    wanted |= {"writer": writer.name if writer else None, "judge": judge.name if judge else None}
    with Journal(Path(out), wanted) as journal:
        models = rewording(writer, ground) if writer else None, judging(judge) if judge else None
        run = _Making(world, ground, journal, hop_range, seed, *models)
        run.fill(chosen, count, progress)
        journal.finish()
    store.close()
    return run.tally


def _chosen(names: Sequence[str]) -> list[str]:
    unknown = [name for name in names if name not in MAKERS]
    if unknown:
        raise UsageError(f"no capability is called {unknown[0]!r}: known are {', '.join(MAKERS)}")
    return [name for name in MAKERS if not names or name in names]


class _Making:
    def __init__(  # what a run is made of
        self,
        world: World,
        ground: Ground,
        journal: "Journal",
        hop_range: tuple[int, int],
        seed: int,
        writer: Callable[[Task], Task] | None,
        judge: Callable[[Task], Task | Rejected] | None,
    ) -> None:
        self.world, self.ground, self.journal = world, ground, journal
        self.checker = Checker(world, ground)
        self.least, self.most = hop_range
        self.seed, self.writer, self.judge = seed, writer, judge
        self.tally = Tally()
        self._seen: set[str] = set()

    def fill(self, capabilities: list[str], count: int, progress: Told | None) -> None:
        """Take an equal share of each capability; what one cannot give, the others may."""
        streams = {name: self._tasks(name) for name in capabilities}
        whole, rest = divmod(count, len(capabilities))
        shares = {name: whole + (place < rest) for place, name in enumerate(capabilities)}
        total, ended = 0, set[str]()
        for name, limit in (*shares.items(), *((name, count) for name in capabilities)):
            while total < count and self.tally.kept[name] < limit and name not in ended:
                task = next(streams[name], None)
                if task is None:
                    ended.add(name)
                    continue
                self.journal.keep(task)
                total += 1
                if progress:
                    progress(total, count)
        for name in capabilities:
            kept = self.tally.kept[name]
            if name in ended and kept < shares[name]:
                self.tally.lost[name] = (
                    "this world cannot carry it" if not kept else f"this world gives {kept} and no more"
                )

    def _units(self) -> list[tuple[str, int]]:
        """("table", id) and ("page", id), shuffled, one after the other while there are both."""
        rng = Random(f"{self.seed} units")  # noqa: S311  # chance that repeats
        tables, pages = self.ground.store.table_ids(), self.ground.store.stating()
        rng.shuffle(tables)
        rng.shuffle(pages)
        units: list[tuple[str, int]] = []
        for at in range(max(len(tables), len(pages))):
            units += [("table", tables[at])] if at < len(tables) else []
            units += [("page", pages[at])] if at < len(pages) else []
        return units

    def _tasks(self, capability: str) -> Iterator[Task]:
        """Sound tasks of a capability, in a pass at most one of each unit and a few of each page."""
        maker, units = MAKERS[capability], self._units()
        if not getattr(maker, "PAGES", False):
            units = [unit for unit in units if unit[0] == "table"]
        for number in range(_PASSES):
            found = 0
            of_page: Counter[str] = Counter()
            for kind, key in units:
                sheet = self.ground.by_id(key) if kind == "table" else None
                unit = Unit(f"{kind} {key}", sheet, sheet.url if sheet else self.ground.page(key).url)
                if of_page[unit.url] >= _OF_PAGE:
                    continue
                rng = Random(f"{self.seed} {capability} {unit.key} {number}")  # noqa: S311
                for place, draft in enumerate(maker.offers(unit, self.ground, rng)):
                    if place >= _DRAFTS:
                        break
                    task = self._settle(draft)
                    if task is not None:
                        found += 1
                        of_page[unit.url] += 1
                        yield task
                        break
            if not found:
                return

    def _settle(self, draft: Draft) -> Task | None:
        """The task of a draft, None where a check rejects it; what was asked before is none."""
        key = _key(draft.node)
        if {key, draft.question} & self._seen:
            return None
        self._seen |= {key, draft.question}
        if not self.least <= hops(draft.node) <= self.most:
            return None
        verdict = self.journal.verdict(key)
        if verdict is None:
            verdict = self._verdict(draft, key)
            self.journal.note(key, verdict)
        if isinstance(verdict, Rejected):
            self.tally.count(draft.capability, verdict.check)
            return None
        self.tally.count(draft.capability, None)
        self.tally.unjudged[draft.capability] += unjudged(verdict)
        return verdict

    def _verdict(self, draft: Draft, key: str) -> Task | Rejected:
        """Checked, then reworded, then judged as it is worded."""
        found = holds(draft.node, self.ground)
        answers = spellings(draft.node, found, self.ground, draft.unit) if found else ()
        if not found or not answers:
            return Rejected("single answer", "")
        task = Task(
            id=f"{draft.capability}-{key}",
            question=draft.question,
            answers=answers,
            evidence=tuple(dict.fromkeys(item.url for item in found.rests_on)),
            capability=draft.capability,
            hops=hops(draft.node),
            derivation=draft.node,
            spans=tuple(dict.fromkeys((item.url, item.start, item.end) for item in found.rests_on)),
            tolerance=_relative(draft.within, answers[0]),
            unit=draft.unit or None,
            answer_type=answer_type(draft.node, found),
            world=self.world.digest,
        ).model_copy(
            update={"unsaid": list(draft.hidden), "entities": entities(draft.node, self.ground), "form": draft.form}
        )
        failed = self.checker.check(task)
        if failed:
            return failed
        task = self.writer(task) if self.writer else task
        return self.judge(task) if self.judge else task


def _relative(within: float | None, answer: str) -> float | None:
    """A difference that is allowed as a share of the answer, which is how graders have it."""
    found = reward.number(answer)
    return within / abs(found[0]) if within and found and found[0] else None


def _key(node: Node) -> str:
    """One derivation is one task, however it is worded, and in whatever order its sources are named."""
    if isinstance(node.get("of"), list) and node["op"] != "ratio":
        node = node | {"of": sorted(node["of"], key=lambda part: json.dumps(part, sort_keys=True))}
    return blake2b(json.dumps(node, sort_keys=True).encode(), digest_size=6).hexdigest()


class Journal:
    """Verdicts as they fall, in `OUT.part`, so that a killed run need not repeat them; then the tasks, in `OUT`."""

    def __init__(self, out: Path, wanted: dict[str, Any]) -> None:
        self._out = out
        self._part = out.with_name(out.name + ".part")
        self._kept: list[Task] = []
        head = json.dumps(wanted, sort_keys=True)
        if out.exists():
            raise UsageError(f"{out} is there already: name another file, or remove it")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("a+", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{out} cannot be written ({error.strerror}): name another file") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"{out} is being made by another process: wait for it, or name another file") from None
        self._known = self._read(head)

    def _read(self, head: str) -> dict[str, dict[str, Any]]:
        """The verdicts of an earlier run of the same settings; those of other settings are dropped."""
        self._file.seek(0)
        lines = self._file.read().split("\n")
        if lines[0] == head:
            known = [json.loads(line) for line in lines[1:-1] if line]
            if lines[-1]:  # the line that a killed process was writing
                self._file.truncate(sum(len(line.encode()) + 1 for line in lines[:-1]))
            return {one["key"]: one for one in known}
        self._file.truncate(0)
        self._file.write(head + "\n")
        return {}

    def verdict(self, key: str) -> Task | Rejected | None:
        """What an earlier run found of this draft."""
        known = self._known.get(key)
        if known is None:
            return None
        return Task.model_validate(known["task"]) if "task" in known else Rejected(known["check"], known["why"])

    def note(self, key: str, verdict: Task | Rejected) -> None:
        """Write a verdict down."""
        found = verdict._asdict() if isinstance(verdict, Rejected) else {"task": json.loads(verdict.to_json())}
        self._file.write(json.dumps({"key": key, **found}, ensure_ascii=False) + "\n")

    def keep(self, task: Task) -> None:
        """One more for the file."""
        self._kept.append(task)

    def finish(self) -> None:
        """Put the tasks in place in one step. Raises UsageError when there are none."""
        if not self._kept:
            raise UsageError(f"no task was made for {self._out}: ask for other capabilities or hops, or another world")
        write_tasks(self._kept, self._out)
        self._part.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
