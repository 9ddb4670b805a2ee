"""A training run from recipe to checkpoint: world, demonstrations, cold start, stages. Each part that is done stays
done; a killed run goes on behind the last checkpoint: of a stage after each step, of a cold start after each look.

    runs/NAME/  manifest.json  metrics.jsonl  state.json  world/  start/  demonstrations.jsonl  sft/  stages/N.jsonl
                stage-N/  exam/  agent.toml
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from lite.agents import as_toml
from lite.drive import prompt_of
from lite.errors import ModelError, UsageError
from lite.evaluate import read_tasks
from lite.extras import need
from lite.index.memo import Memo
from lite.judge import Judge
from lite.models import load_model
from lite.models.transformers import Transformers
from lite.models.turn import Tokens
from lite.models.vllm import Vllm
from lite.recipe import AgentSettings, ColdStart, NamedAgent, TrainSettings
from lite.records import Sampling, Task, Trajectory
from lite.run import Run, cut_half_line, digest
from lite.shipped import cache_dir
from lite.tasks.files import write_tasks
from lite.train.checkpoints import newest_checkpoint
from lite.train.checks import of_this_world
from lite.train.curves import Line, as_text, read_metrics
from lite.train.demos import demonstrations, given, keep, read_demonstrations
from lite.train.draw import Drawer
from lite.train.exam import line_of, sit
from lite.train.groups import Row
from lite.train.policy import ADAPTER, Policy, base_of
from lite.train.pool import choose
from lite.train.recipes import exam_tasks, held_out_tasks, task_files, tasks_of
from lite.train.rollouts import Attempt, Inline, Rollout, Sampler, Workers
from lite.train.signals import Look
from lite.train.unsloth import import_first
from lite.world import World

Tell = Callable[[str], None]
Metric = Callable[[Line], None]
AGENT = "agent.toml"
_ROLLBACKS = 1
_SLOWER = 0.5  # times the learning rate after a collapse


class Course:
    """A run of `settings` in `folder`.

    Args:
        settings: the recipe.
        folder: the run's; what is in it of the same settings is gone on with.
        tell: takes a line for whoever watches.
        metric: takes each line of `metrics.jsonl`; None: `tell` gets it as text.

    Raises:
        UsageError: the folder holds another run, or the recipe cannot be carried out.
        MissingExtra: torch is not installed, which `check` would have said before, with all else that is missing.
    """

    def __init__(self, settings: TrainSettings, folder: Path, tell: Tell, metric: Metric | None = None) -> None:
        if settings.policy.loader == "unsloth":
            import_first()
        if (cards := need("torch", "train").cuda.device_count()) > 1:
            raise UsageError(f"{cards} GPUs are visible and training takes one: CUDA_VISIBLE_DEVICES=0 lite train ...")
        self._base = base_of(settings.policy.model)
        self.settings, self.folder, self._tell = settings, folder, tell
        self._told: Metric = metric or (lambda line: tell(as_text(line)))
        self._train, self._dev = tasks_of(settings, "train"), tasks_of(settings, "dev")
        self._exam_tasks = exam_tasks(settings)
        self._run = Run.start(folder, settings.model_dump(mode="json"))
        lines = read_metrics(folder)
        self._began = time.monotonic() - (lines[-1]["seconds"] if lines else 0.0)
        self._state: dict[str, Any] = {}
        if (folder / "state.json").exists():
            self._state = json.loads((folder / "state.json").read_text("utf-8"))

    def run(self) -> Path | None:
        """Carry out what is not done yet; the folder of the best adapter, or None where nothing was to be trained.

        `agent.toml` is the best adapter with the prompt and limits it was examined in.

        Raises:
            ModelError: a stage collapsed twice, or a worker died.
        """
        with ExitStack() as stack:
            stack.enter_context(self._run)
            world = stack.enter_context(self._world())
            for name, tasks in task_files(self.settings).items():
                of_this_world(tasks, name, world)
            best = self._begun()
            if self.settings.sft and "sft" not in self._state:
                self._cold_start(self.settings.sft, best, world)
            best = self._path("sft") or best
            for number in range(1, len(self.settings.stages) + 1):
                if f"stage-{number}" not in self._state:
                    self._stage(number, best, world)
                best = self._path(f"stage-{number}") or best
            if self._exam_tasks:
                self._exam(world)
            if best:
                self._write_agent(best)
        return best

    def _write_agent(self, best: Path) -> None:
        from lite.train.stage import agent_of

        agent, model = agent_of(self.settings.agent, None), self.settings.policy.model
        if agent.prompt:
            shutil.copyfile(agent.prompt, self.folder / "prompt.txt")
            agent = agent.model_copy(update={"prompt": "prompt.txt"})
        adapter = best.relative_to(self.folder)
        spec = f"{model}+{adapter if model.startswith('transformers:') else adapter / ADAPTER}"
        about = f"What {self.settings.name} came to, with the prompt and limits of its exam: --agent takes this file."
        self._run.write(AGENT, as_toml(NamedAgent(model=spec, **dict(agent)), about))

    def _path(self, part: str) -> Path | None:
        found = self._state.get(part, {}).get("best")
        return self.folder / found if found else None

    def _begun(self) -> Path | None:
        """The adapter that the recipe begins with, as a checkpoint of the run; None: a fresh one."""
        policy = self.settings.policy
        if policy.adapter and "start" not in self._state:
            Policy.load(policy, seed=self.settings.seed, adapter=Path(policy.adapter)).save(self.folder / "start")
            self._done("start", best="start")
        return self._path("start")

    def _done(self, part: str, **told: Any) -> None:
        self._state[part] = told
        self._run.write("state.json", json.dumps(self._state, indent=2))

    def _world(self) -> World:
        """The recipe's world, built first where it names a corpus."""
        named = Path(self.settings.world)
        if (named / "world.json").exists():
            return World.open(named)
        built = self.folder / "world"
        if not (built / "world.json").exists():
            self._tell(f"building the world of {named.name}")
        return World.build([named], built)

    def _sampler(self, world: World, agent: AgentSettings, policy: Callable[[], Policy]) -> Sampler:
        """What writes rollouts; only the engine that runs the policy itself needs it."""
        chosen, context = self.settings.sampler, agent.context
        if chosen.engine == "vllm":
            return Inline(self._vllm(agent), world, chosen.width)
        if chosen.engine == "transformers":
            return Inline(self._reader(policy(), context), world, chosen.width)
        return Workers(self._base, world.path, context=context, workers=chosen.workers, width=chosen.width)

    def _vllm(self, agent: AgentSettings) -> Vllm:
        policy, sampler = self.settings.policy, self.settings.sampler
        return Vllm(
            self._base,
            context=agent.context,
            dtype=policy.dtype,
            rank=policy.rank,
            width=sampler.width,
            memory=sampler.memory,
        )

    def _reader(self, policy: Policy, context: int) -> Transformers:
        """The policy itself as a model of the loop."""
        return Transformers(policy.model, policy.tokenizer, name=str(self._base), context=context)

    def _metric(self, line: dict[str, Any]) -> None:
        told = {"seconds": round(time.monotonic() - self._began, 1), **line}
        with (self.folder / "metrics.jsonl").open("ab+") as file:
            cut_half_line(file.fileno())
            file.write(json.dumps(told).encode() + b"\n")
        self._told(told)

    # ------------------------------------------------------------ cold start

    def _demonstrations(self, cold: ColdStart, world: World, reader: Transformers) -> list[Tokens]:
        """What the cold start learns from, as ids: the expert's episodes and those of files, kept by the same rules."""
        wanted = _balanced(self._train, cold.balance)
        kept: list[Trajectory] = []
        dropped: Counter[str] = Counter()

        system = prompt_of(self.settings.agent, world)
        for file in cold.files:
            for found in given(file, self._train, self._secret(), system, cold.each):
                if isinstance(found, str):
                    dropped[found] += 1
                else:
                    kept.append(found)
        while wanted and (room := cold.demonstrations - len(kept)) > 0:
            batch, wanted = wanted[: 2 * room], wanted[2 * room :]
            agent, seed = self.settings.agent, self.settings.seed
            played = demonstrations(batch, world, agent, cold, seed=seed, count=reader.count)
            worth, not_worth = keep(self._train, played)
            kept += [one for _, one in worth]
            dropped.update(not_worth)
        rows = [(one, reader.prompts.sequences(one)) for one in kept[: cold.demonstrations]]
        window = self.settings.agent.context
        fitting = [(one, own) for one, own in rows if all(len(row.ids) <= window for row in own)]
        if lost := len(rows) - len(fitting):
            dropped["longer than the window"] = lost
        if not fitting:
            raise UsageError(
                f"no demonstration was worth keeping ({dict(dropped)}): give the agent more context or words"
            )
        self._run.write("demonstrations.jsonl", "".join(one.to_json() + "\n" for one, _ in fitting))
        sequences = [row for _, own in fitting for row in own]
        tokens = sum(len(one.ids) for one in sequences)
        counts = {"demonstrations": len(fitting), "sequences": len(sequences), "tokens": tokens}
        self._metric({**counts, "dropped": dict(dropped)})
        return sequences

    def _secret(self) -> set[str]:
        """Questions that a checkpoint is chosen or the run measured by."""
        return {task.question for task in (*self._dev, *self._exam_tasks)}

    def _cold_start(self, cold: ColdStart, start: Path | None, world: World) -> None:
        from lite.train.cold import Cold
        from lite.train.stage import agent_of

        settings, folder = self.settings, self.folder / "sft"
        folder.mkdir(exist_ok=True)
        resume = newest_checkpoint(folder)
        policy = Policy.load(settings.policy, seed=settings.seed, adapter=resume or start)
        agent = agent_of(settings.agent, None)
        reader = self._reader(policy, agent.context)
        if resume:
            kept = read_demonstrations(self.folder / "demonstrations.jsonl")
            sequences = _as_tokens((one for one in kept if isinstance(one, Trajectory)), reader)
        else:
            sequences = self._demonstrations(cold, world, reader)
        sampler = self._sampler(world, agent, lambda: policy)
        try:
            part = Cold(settings, cold, agent, held_out_tasks(settings), sampler, folder, self._metric)
            best = part.run(policy, sequences, resume)
        finally:
            sampler.close()
        self._done("sft", best="sft/best", **(best.told if best else {}))
        _forget_checkpoints(folder)

    # ------------------------------------------------------------ stages

    def _stage(self, number: int, start: Path | None, world: World) -> None:
        from lite.train.stage import Stage, agent_of

        settings, stage = self.settings, self.settings.stages[number - 1]
        collapses = self._state.get("collapses", {}).get(str(number), [])
        folder = self.folder / f"stage-{number}"
        if len(collapses) > _ROLLBACKS:
            raise ModelError(
                f"stage {number} collapsed again ({collapses[-1]}): the last healthy adapter is {folder / 'best'}; "
                "try a lower learning rate"
            )
        folder.mkdir(exist_ok=True)
        resume = newest_checkpoint(folder)
        policy = Policy.load(settings.policy, seed=settings.seed, adapter=resume or self._healthy(number) or start)
        agent = agent_of(settings.agent, stage)
        with ExitStack() as stack:
            judge = self._judge(stack)
            sampler = stack.enter_context(closing(self._sampler(world, agent, lambda: policy)))
            adapter = start / ADAPTER if start else None
            tasks = self._selected(number, sampler, agent, adapter)
            lowered = stage.learning_rate * _SLOWER ** len(collapses)
            at_work = Stage(
                number,
                settings,
                stage.model_copy(update={"learning_rate": lowered}),
                tasks,
                held_out_tasks(self.settings),
                sampler,
                folder,
                self._metric,
                self._anchors(policy) if settings.updates.anchor else (),
                start,
                judge,
                self._first_look(agent),
            )
            at_work.run(policy, resume)
        self._note_first_look(agent, at_work.first)
        if at_work.alarm is not None:
            self._collapsed(number, collapses, at_work.alarm.why)
            self._stage(number, start, world)
            return
        told = at_work.look.told if at_work.look else {}  # it begins with a look, so there is one
        self._done(f"stage-{number}", best=f"stage-{number}/best", **told)

    def _first_look(self, agent: AgentSettings) -> Look | None:
        """What an earlier stage, or an earlier go of this one, began with: what is forgotten is measured by that.

        An agent of other limits is another measure.
        """
        found = self._state.get("first", {}).get(_measure(agent))
        return Look.model_validate(found) if found else None

    def _note_first_look(self, agent: AgentSettings, first: Look | None) -> None:
        if first is not None:
            self._done("first", **(self._state.get("first", {}) | {_measure(agent): first.model_dump(mode="json")}))

    def _judge(self, stack: ExitStack) -> Judge | None:
        """Who judges answers, if the recipe names one; closed with `stack`. Verdicts are good for every run."""
        if self.settings.judge is None:
            return None
        model = stack.enter_context(closing(load_model(self.settings.judge)))
        return Judge(model, Memo(cache_dir() / "verdicts.sqlite"))

    def _healthy(self, number: int) -> Path | None:
        """The best adapter of a stage that collapsed and begins again."""
        found = self.folder / f"stage-{number}" / "healthy"
        return found if found.exists() else None

    def _collapsed(self, number: int, before: list[str], why: str) -> None:
        """Go back to the best checkpoint and note the collapse; the second one ends the run, for good.

        The note comes last: killed before it, the stage begins again from what is healthy.
        """
        folder = self.folder / f"stage-{number}"
        self._metric({"stage": number, "collapse": why})
        if len(before) < _ROLLBACKS:
            shutil.rmtree(folder / "healthy", ignore_errors=True)
            shutil.copytree(folder / "best", folder / "healthy")
            _forget_checkpoints(folder)
        known = self._state.get("collapses", {})
        self._done("collapses", **(known | {str(number): [*before, why]}))

    def _selected(self, number: int, sampler: Sampler, agent: AgentSettings, adapter: Path | None) -> list[Task]:
        """The tasks of a stage; what was chosen once stays."""
        stage, path = self.settings.stages[number - 1], self.folder / "stages" / f"{number}.jsonl"
        if path.exists():
            return read_tasks(path)
        roll = partial(sampler.roll, settings=agent, adapter=adapter)
        kept, told = choose(stage, self._train, roll, self.settings.seed + number)
        if told:
            self._metric({"stage": number, **told})
        path.parent.mkdir(exist_ok=True)
        write_tasks(kept, path)
        return kept

    def _anchors(self, policy: Policy) -> Sequence[Row]:
        path = self.folder / "demonstrations.jsonl"
        found = (one for one in read_demonstrations(path) if isinstance(one, Trajectory))
        reader = self._reader(policy, self.settings.agent.context)
        return [Row(one.ids, one.sampled, None) for one in _as_tokens(found, reader)]

    # ------------------------------------------------------------ exam

    def _exam(self, world: World) -> None:
        """The base, what was begun with, the cold start and each stage, all on the same tasks; what is done stays."""
        parts = ("start", "sft", *(f"stage-{number}" for number in range(1, len(self.settings.stages) + 1)))
        adapters = {"base": None, **{part: best for part in parts if (best := self._path(part))}}
        for name, adapter in adapters.items():
            if f"exam-{name}" not in self._state:
                path = self.folder / "exam" / f"{name}.jsonl"
                marks = sit(self._exam_tasks, path, partial(self._examined, adapter, world), self._tell)
                line = line_of(name, marks)
                self._metric(line)
                self._done(f"exam-{name}", accuracy=line["accuracy"])

    def _examined(self, adapter: Path | None, world: World, tasks: Sequence[Task]) -> Iterator[Rollout]:
        from lite.train.stage import agent_of

        agent = agent_of(self.settings.agent, None)
        load = partial(Policy.load, self.settings.policy, seed=self.settings.seed, adapter=adapter)
        sampler = self._sampler(world, agent, load)
        try:
            attempts = [Attempt(task, 0, 0) for task in tasks]
            yield from sampler.roll(attempts, agent, adapter / ADAPTER if adapter else None)
        finally:
            sampler.close()


def _forget_checkpoints(folder: Path) -> None:
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _measure(agent: AgentSettings) -> str:
    """What of an agent decides how far it gets, greedy as a look is."""
    return digest(agent.model_copy(update={"sampling": Sampling()}).model_dump_json())


def _as_tokens(trajectories: Iterable[Trajectory], reader: Transformers) -> list[Tokens]:
    return [sequence for one in trajectories for sequence in reader.prompts.sequences(one)]


def _balanced(tasks: Sequence[Task], shares: dict[str, float]) -> list[Task]:
    """Tasks by turns of their capabilities, each as often as its share says."""
    names = {task.capability or "all" for task in tasks}
    rest = max(0.0, 1 - sum(shares.values())) / max(1, len(names - set(shares)))
    whole = {name: shares.get(name, rest) for name in sorted(names)}
    return Drawer(tasks, {name: share for name, share in whole.items() if share > 0}, 0).next(len(tasks))
