"""`lite demo`: the shipped world with vectors, a small model, and a handful of the shipped questions."""

from hashlib import blake2b
from pathlib import Path

from lite import console
from lite.agents import named_agent
from lite.drive import Listener
from lite.evaluate import evaluate, read_tasks
from lite.recipe import DemoSettings, NamedAgent, read_toml
from lite.records import Trajectory
from lite.report import rows
from lite.run import read_trajectories
from lite.shipped import cache_dir, shipped
from lite.watch import show_trajectory
from lite.world import World


def demonstrate(directory: Path | None, count: int) -> None:
    """Build what is missing, research the first `count` tasks, show one episode in full and the table.

    Everything already there is reused: the world, and the episodes of an earlier demo with the same settings.
    """
    root = directory or default_folder()
    recipe = DemoSettings.read(read_toml(shipped("recipes/demo.toml")))
    console.say("1. The world: a few thousand pages of facts, with vectors (some minutes, the first time)", "bold")
    with console.ProgressView("pages") as view:
        world = World.build(
            shipped("data/atlas.jsonl.zst"), root / "world", embedder=recipe.embedder, progress=view.stage_of_build
        )
    with world:
        info = world.info()
        console.say(f"   {root / 'world'}: {info.pages:,} pages, {info.links:,} links")
        console.say(f"2. The agent: SmolLM2-135M, trained on the atlas, through llama.cpp; questions: {count}", "bold")
        agent = named_agent(recipe.agent)
        run = root / "runs" / _name(world, agent, count)
        tasks = _choose(count, run.with_suffix(".jsonl"))
        watch = _FirstInFull()
        report = evaluate(tasks, world=world, out=run, listener=watch, **dict(agent))
    if not watch.seen:
        console.say(f"   All of them were asked before ({run}); here is the first one again.")
        show_trajectory(next(read_trajectories(run)))
    console.say("3. The table", "bold")
    console.table(rows(report))
    console.say(f"   The model is tiny ({shipped('recipes/atlas')} says what it learnt); every step of it is in {run}.")
    console.say(f'   Yours to ask: lite ask {root / "world"} "QUESTION" --agent {recipe.agent}')


def default_folder() -> Path:
    """The clone, where this is one; else a folder of the user's cache."""
    clone = shipped("data/tasks").parents[1]
    return clone / "runs" / "demo" if (clone / "pyproject.toml").exists() else cache_dir() / "demo"


def _choose(count: int, file: Path) -> Path:
    """Write `count` of the shipped tasks to `file`: plain look-ups, taken at even steps so that they differ."""
    shipped_tasks = read_tasks(shipped("data/tasks/test.jsonl.zst"))
    plain = [task for task in shipped_tasks if task.capability == "direct" and task.hops == 1]
    count = min(count, len(plain))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{plain[n * len(plain) // count].to_json()}\n" for n in range(count)), encoding="utf-8")
    return file


def _name(world: World, agent: NamedAgent, count: int) -> str:
    """A run's folder name that changes with whatever would change its outcome."""
    return "demo-" + blake2b(f"{world.index_id} {count} {agent}".encode(), digest_size=4).hexdigest()


class _FirstInFull(Listener):
    """Prints the first episode whole, and of each later one its answer."""

    def __init__(self) -> None:
        self.seen = 0

    def ended(self, index: int, trajectory: Trajectory) -> None:
        """One more is done."""
        self.seen += 1
        if self.seen == 1:
            show_trajectory(trajectory)
        else:
            console.say(f"   {trajectory.question}  ->  {trajectory.answer or f'no answer ({trajectory.stop})'}")
