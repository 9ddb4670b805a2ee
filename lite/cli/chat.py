"""`lite chat` and `lite replay`: a conversation in a world, and a saved run carried out again."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lite.cli.agent import agent_options, no_model, settings_of
from lite.cli.options import as_json, folder
from lite.errors import UsageError

if TYPE_CHECKING:
    from lite.replay import Replayed

_SHOWN = 10  # differences that are printed in full


@click.command()
@click.argument("directory", type=folder, metavar="DIR")
@agent_options
@click.option("--save", type=folder, metavar="RUN", help="Append to RUN each trajectory that Ctrl-C does not stop.")
@click.option("--full", is_flag=True, help="Show every observation whole.")
def chat(directory: Path, save: Path | None, full: bool, **options: Any) -> None:
    """Ask questions that go on from each other. Ctrl-C stops an answer, at the prompt it ends the chat (as does /quit).

    When the window fills, older observations are cut to their heads, unless --memory says otherwise.
    """
    from contextlib import ExitStack

    from lite import console, drive
    from lite.chat import Conversation
    from lite.recipe import AgentSettings
    from lite.run import Run
    from lite.watch import EpisodeView
    from lite.world import World

    chosen = settings_of(options)
    name = chosen.pop("model", None) or no_model()
    chosen["limits"] = {"memory": "keep-last"} | chosen["limits"]
    settings = AgentSettings.read(chosen)
    with ExitStack() as stack:
        world = stack.enter_context(World.open(directory))
        run = stack.enter_context(Run.start(save, drive.manifest(settings, world, name))) if save else None
        model = drive.open_model(stack, name, settings)
        talk = Conversation(world, model, settings, listener=(view := EpisodeView(full=full)))
        console.say(f"{world.info().pages:,} pages of {world.date}; {model.name}. /quit ends the chat.", "dim")
        while (question := console.ask()) is not None:
            try:
                with view:
                    trajectory = talk.ask(question)
            except UsageError as error:
                console.note(f"error: {error}")
            except KeyboardInterrupt:
                console.note("stopped; what was looked up so far is kept")
            else:
                if trajectory.failed:
                    console.note(f"the {trajectory.failed} failed ({trajectory.error}); what came before is kept")
                if run is not None:
                    run.append(trajectory)


@click.command()
@click.argument("run", type=folder, metavar="RUN")
@click.option("--world", "directory", type=folder, metavar="DIR", help="Another world than the run's own.")
@click.option("--model", metavar="SPEC", help="Ask the run's questions of this model instead.")
@click.option("--out", type=folder, metavar="RUN", help="With --model: folder of the new run.")
@as_json
def replay(run: Path, directory: Path | None, model: str | None, out: Path | None, as_json: bool) -> int:
    """Carry out every tool call of a saved run again, and compare each observation byte for byte.

    Says whether the world's pages and its index are those of the run. Exit status 1 when an observation differs.
    With --model the questions are asked again instead, everything else as recorded.
    """
    from lite import console
    from lite.replay import left_out, replay_calls, replay_questions

    if model is None:
        if out is not None:
            raise UsageError("--out is where --model writes: add --model, or leave it out")
        found = replay_calls(run, world=directory)
        if as_json:
            console.show_json(found.model_dump(mode="json"))
        else:
            _show(found)
        return int(bool(found.differing))
    if out is None or directory is not None:
        raise UsageError("--model asks again in the run's own world and needs --out for the new run")
    for name in left_out(run, model):
        console.note(f"the run's {name} is left out: {model} has no such setting")
    pairs = replay_questions(run, model=model, out=out)
    if as_json:
        console.show_json([{"before": a.model_dump(mode="json"), "after": b.model_dump(mode="json")} for a, b in pairs])
        return 0
    for before, after in pairs:
        console.say(before.question, "bold")
        for one in (before, after):
            console.say(f"   {one.answer if one.answered else f'no answer ({one.stop})'}  [{len(one.turns)} turns]")
    same = sum(a.answered and a.answer == b.answer for a, b in pairs)
    console.say(f"{len(pairs)} questions, {same} answered in the same words. The new run is {out}.")
    return 0


def _show(found: "Replayed") -> None:
    from lite import console

    for one in found.differing[:_SHOWN]:
        place = "behind the recorded cut" if one.at < 0 else f"character {one.at}"
        console.say(f"{one.task_id} attempt {one.attempt} turn {one.turn}: differs ({place})", "bold red")
        console.say(f"   {one.call}")
        console.say(f"   recorded: {one.recorded!r}")
        console.say(f"   now:      {one.now!r}")
    if len(found.differing) > _SHOWN:
        console.say(f"... and {len(found.differing) - _SHOWN} more")
    pages = "the same pages" if found.same_pages else "other pages"
    index = "the same index" if found.same_index else "another index"
    console.say(f"The world holds {pages} and {index} as when the run was made.")
    same = found.calls - len(found.differing)
    console.say(f"{found.trajectories} episodes, {found.calls} calls: {same} observations the same, byte for byte.")
