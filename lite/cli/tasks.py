"""`lite tasks`: tasks from a world, checked, rated, chosen; and the world grown by its own questions."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lite.cli.agent import agent_options, no_model, settings_of
from lite.cli.options import as_json, folder, new_file
from lite.errors import UsageError

if TYPE_CHECKING:
    from lite.tasks.make import Tally


@click.group()
def tasks() -> None:
    """Make tasks from a world, check them, rate them, choose among them."""


@tasks.command("facts")
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--subject", help="Show what is known of this subject.")
@click.option("-n", "limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="The most to show.")
@as_json
def tasks_facts(directory: Path, subject: str | None, limit: int, as_json: bool) -> None:
    """Read the facts out of a world's tables and first lines, once, and say what there is."""
    from lite import console
    from lite.tasks.facts import fact_store
    from lite.world import World

    with World.open(directory) as world, console.ProgressView("pages") as view:
        store = fact_store(world, lambda done, total: view.update("reading", done, total, done))
    with closing(store):
        found = list(store.look(subject, limit)) if subject else []
        if as_json:
            facts = [fact._asdict() | {"page": store.page(fact.page).url} for fact in found]
            console.show_json({"path": str(store.path), **store.counts(), **store.about, "facts": facts})
            return
        for fact in found:
            console.say(f"{fact.subject} | {fact.relation} | {fact.value}  ({store.page(fact.page).url})")
        if subject and not found:
            raise UsageError(f"no fact has the subject {subject!r}: names are compared whole, case does not count")
        if not subject:
            rows = [(name, f"{count:,}") for name, count in store.counts().items()]
            rows += [("broken tables", store.about["broken tables"])]
            rows += [(f"  {name}", f"{count:,}") for name, count in store.relations(limit)]
            console.table(rows, title=str(store.path))


@tasks.command("make")
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--out", required=True, type=folder, metavar="TASKS.jsonl", help="A new file.")
@click.option("-n", "count", default=1000, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--capability", "capabilities", multiple=True, metavar="NAME", help="May be repeated; all by default.")
@click.option("--hops", default="1-4", show_default=True, metavar="A-B", help="Least and most look-ups.")
@click.option("--seed", default=0, show_default=True, type=int, help="The same gives the same tasks.")
@click.option("--writer", metavar="SPEC", help="A model that rewords the questions.")
@click.option("--judge", metavar="SPEC", help="A model for the rules that need judgement.")
@as_json
def tasks_make(directory: Path, out: Path, count: int, hops: str, as_json: bool, **options: Any) -> None:
    """Make checked tasks. Killed, the same command goes on."""
    from lite import console
    from lite.tasks.make import make
    from lite.world import World

    hop_range = _hops(hops)
    with ExitStack() as stack:
        world = stack.enter_context(World.open(directory))
        view = stack.enter_context(console.ProgressView("tasks"))
        models = {name: _model(stack, options.pop(name)) for name in ("writer", "judge")}
        tally = make(
            world,
            out,
            count,
            hop_range=hop_range,
            progress=lambda done, total: view.update("making", done, total, done),
            reading=lambda done, total: view.update("reading facts", done, total, done),
            **models,
            **options,
        )
    if as_json:
        console.show_json(
            {
                "made": tally.made,
                "kept": tally.kept,
                "rejected": tally.rejected,
                "unjudged": tally.unjudged,
                "lost": tally.lost,
            }
        )
    else:
        _show(tally, count, out)
    if not models["judge"]:
        console.note("the rules that need judgement were skipped: --judge SPEC runs them")


def _hops(text: str) -> tuple[int, int]:
    least, _, most = text.partition("-")
    try:
        found = (int(least), int(most or least))
    except ValueError:
        found = (0, 0)
    if not 1 <= found[0] <= found[1]:
        raise UsageError(f"--hops {text} is no range: write 1-4, or 2")
    return found


def _model(stack: ExitStack, spec: str | None) -> Any:
    from lite.models import load_model

    return stack.enter_context(closing(load_model(spec))) if spec else None


def _show(tally: "Tally", count: int, out: Path) -> None:
    """The table of made, rejected by reason, and kept."""
    from lite import console

    names = list(tally.made)
    width = max([8, *map(len, names)])
    console.say("  ".join([f"{'':<22}", *(f"{name:>{width}}" for name in names), f"{'all':>8}"]), "bold")

    def line(title: str, counts: dict[str, int]) -> None:
        cells = (f"{counts.get(name, 0):>{width},}" for name in names)
        console.say("  ".join([f"{title:<22}", *cells, f"{sum(counts.values()):>8,}"]))

    line("made", tally.made)
    for check, counts in sorted(tally.rejected.items()):
        line(f"  {check}", counts)
    line("kept", tally.kept)
    if tally.unjudged.total():
        line("  unjudged", tally.unjudged)
    for capability, why in tally.lost.items():
        console.say(f"{capability}: {why}", "yellow")
    kept = sum(tally.kept.values())
    console.say(f"{kept:,} tasks in {out}" + (f", of {count:,} asked for" if kept < count else ""), "green")


@tasks.command("check")
@click.argument("file", type=folder, metavar="TASKS.jsonl")
@click.option("--world", "directory", required=True, type=folder, metavar="DIR", help="The world they are of.")
@click.option("--out", type=new_file, help="Write the sound ones here, stamped with this world.")
@click.option("--judge", metavar="SPEC", help="A model for the rules that need judgement.")
@as_json
def tasks_check(file: Path, directory: Path, out: Path | None, judge: str | None, as_json: bool) -> None:
    """Derive every answer again from the pages; say which tasks are not sound, and why."""
    from lite import console
    from lite.evaluate import read_tasks
    from lite.tasks.check import check_all
    from lite.tasks.files import write_tasks
    from lite.tasks.judging import unjudged
    from lite.world import World

    with ExitStack() as stack:
        given = read_tasks(file)
        world = stack.enter_context(World.open(directory))
        view = stack.enter_context(console.ProgressView("tasks"))
        judging = _model(stack, judge)
        sound, rejected = check_all(
            world, given, judging, lambda done, total: view.update("checking", done, total, done)
        )
        if out is not None:
            write_tasks([task.model_copy(update={"world": world.digest}) for task in sound], out)
    if as_json:
        console.show_json({"sound": len(sound), "rejected": {name: list(one) for name, one in rejected.items()}})
    else:
        for name, one in rejected.items():
            console.say(f"{name}: {one.check}: {one.why}", "red")
        console.say(f"{len(sound):,} of {len(given):,} tasks are sound.", "green" if not rejected else "yellow")
        if count := sum(map(unjudged, sound)):
            console.say(f"Of {count:,} the judge's reply gives no verdict.", "yellow")
    if not judge:
        console.note("the rules that need judgement were skipped: --judge SPEC runs them")


@tasks.command("rate")
@click.argument("file", type=folder, metavar="TASKS.jsonl")
@click.option("--world", "directory", required=True, type=folder, metavar="DIR", help="The world to research in.")
@click.option("--out", required=True, type=new_file, metavar="RATED.jsonl", help="The tasks with their counts.")
@click.option("-k", default=8, show_default=True, type=click.IntRange(min=1), help="Tries a task.")
@click.option("--closed", type=click.IntRange(min=0), help="Closed-book tries a task; as many as -k by default.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="Only the first so many tasks.")
@click.option("--width", type=click.IntRange(min=1), help="Tries under way together.")
@agent_options
@as_json
def tasks_rate(file: Path, directory: Path, out: Path, as_json: bool, **options: Any) -> None:
    """Try every task K times, with the tools and without. Killed, the same command goes on."""
    from lite import console
    from lite.tasks.rate import rate

    named = {name: options.pop(name) for name in ("k", "closed")}
    settings = settings_of(options)
    if "model" not in settings:
        no_model()
    with console.ProgressView("tries") as view:
        rating = rate(
            file,
            world=directory,
            out=out,
            progress=lambda stage, done, total: view.update(stage, done, total, done),
            **named,
            **settings,
        )
    if as_json:
        console.show_json(rating.model_dump(mode="json"))
        return
    rows = [(f"{right} of {rating.k} right", f"{count} tasks") for right, count in rating.correct.items()]
    rows += [(f"{right} right closed-book", f"{count} tasks") for right, count in rating.closed_correct.items()]
    console.table([*rows, ("tries that failed", str(rating.failed))], title=f"{rating.tasks} tasks in {out}")


@tasks.command("select")
@click.argument("file", type=folder, metavar="RATED.jsonl")
@click.option("--out", required=True, type=new_file, metavar="STAGE.jsonl", help="The stage.")
@click.option("--keep", metavar="FILTER", help='Such as "1 <= correct <= 7 and hops > 1".')
@click.option("--not-closed-book", is_flag=True, help="Leave out what the model answered without searching.")
@click.option("--balance", metavar="FIELD,...", help="As many of every combination of these fields.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="At most so many.")
def tasks_select(file: Path, out: Path, balance: str | None, **options: Any) -> None:
    """Choose the tasks of a training stage; each says why it is in."""
    from lite import console
    from lite.curriculum import select
    from lite.evaluate import read_tasks
    from lite.tasks.files import write_tasks

    given = read_tasks(file)
    names = [name.strip() for name in balance.split(",") if name.strip()] if balance else []
    chosen = select(given, balance=names, **options)
    if not chosen:
        raise UsageError(f"none of the {len(given)} tasks of {file} is left: widen the filter")
    write_tasks(chosen, out)
    console.say(f"{len(chosen):,} of {len(given):,} tasks in {out}", "green")


@tasks.command("split")
@click.argument("file", type=folder, metavar="TASKS.jsonl")
@click.option("--out", required=True, type=folder, metavar="DIR", help="For train.jsonl, dev.jsonl and test.jsonl.")
@click.option("--test", default=0.25, show_default=True, help="Share to test on.")
@click.option("--dev", default=0.1, show_default=True, help="Share to choose by.")
@click.option("--seed", default=0, show_default=True, type=int, help="The same gives the same splits.")
@click.option("--zst", is_flag=True, help="Write them packed, as .jsonl.zst.")
def tasks_split(file: Path, out: Path, *, zst: bool, **shares: Any) -> None:
    """Part tasks into train, dev and test by entity: no test task stands on anything that was trained on."""
    from lite import console
    from lite.evaluate import read_tasks
    from lite.tasks.files import write_tasks
    from lite.tasks.split import split_by_entity

    given = read_tasks(file)
    parts = split_by_entity(given, **shares)
    empty = [name for name, chosen in parts.items() if not chosen and shares.get(name, 1)]
    if empty:
        raise UsageError(f"nothing is left for {empty[0]}: {len(given)} tasks hang together too closely; make more")
    for name, chosen in parts.items():
        if chosen:
            write_tasks(chosen, out / f"{name}.jsonl{'.zst' if zst else ''}")
    rows = [(name, f"{len(chosen):,}") for name, chosen in parts.items()]
    left = len(given) - sum(map(len, parts.values()))
    console.table([*rows, ("left out, being of two splits", f"{left:,}")], title=str(out))


@tasks.command("grow")
@click.argument("directory", type=folder, metavar="DIR")
@click.option("--tasks", "file", required=True, type=folder, metavar="TASKS.jsonl", help="The questions to search.")
@click.option("--from", "sources", required=True, multiple=True, type=folder, help="Pages to search; may be repeated.")
@click.option("--out", required=True, type=new_file, metavar="TASKS.jsonl", help="The tasks, of the grown world.")
@click.option("--near", default=5, show_default=True, type=click.IntRange(1, 100), help="Pages a question, at most.")
@click.option("--mask-source", is_flag=True, help="Hide each task's own pages; drop it where they alone answer it.")
def tasks_grow(directory: Path, file: Path, sources: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Add to a world what its questions find in a larger pool: pages that support, and near misses."""
    from lite import console
    from lite.evaluate import read_tasks
    from lite.tasks.files import write_tasks
    from lite.tasks.grow import grow

    with console.ProgressView("questions") as view:
        growth, kept = grow(
            directory,
            read_tasks(file),
            sources,
            progress=lambda done, total: view.update("searching", done, total, done),
            **options,
        )
    if kept:
        write_tasks(kept, out)
    rows = [(name.replace("_", " "), f"{count:,}") for name, count in growth.model_dump().items()]
    console.table(rows, title=str(directory))
    if not kept:
        raise UsageError(f"the answer of no task stands anywhere else in {directory}: grow it from more pages")


@tasks.command("export")
@click.argument("file", type=folder, metavar="TASKS.jsonl")
@click.option("--out", required=True, type=new_file, help="A .parquet or .jsonl file.")
@click.option("--date", default="2026-01-01", show_default=True, help="What the prompt tells the agent; YYYY-MM-DD.")
def tasks_export(file: Path, out: Path, date: str) -> None:
    """Write tasks in the public LiteResearcher-Data layout (.parquet) or as they are (.jsonl)."""
    from lite import console
    from lite.evaluate import read_tasks
    from lite.tasks.files import export_tasks

    given = read_tasks(file)
    export_tasks(given, out, date)
    console.say(f"{len(given):,} tasks in {out}", "green")


@tasks.command("import")
@click.argument("file", type=folder, metavar="FILE")
@click.option("--out", required=True, type=new_file, metavar="TASKS.jsonl", help="A JSONL file.")
def tasks_import(file: Path, out: Path) -> None:
    """Read tasks of the public layout (.parquet) or of ours (.jsonl)."""
    from lite import console
    from lite.tasks.files import import_tasks, write_tasks

    read = import_tasks(file)
    write_tasks(read, out)
    console.say(f"{len(read):,} tasks in {out}", "green")
