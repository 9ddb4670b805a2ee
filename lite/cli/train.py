"""`lite train`: from a recipe to an adapter that researches better."""

import json
from pathlib import Path

import click

from lite.cli.options import as_json
from lite.errors import UsageError


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.  [runs/NAME]")
@click.option("--set", "changes", multiple=True, metavar="A.B=C", help="Change a setting; may be given again.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and load nothing.")
@as_json
def train(recipe: Path, out: Path | None, changes: tuple[str, ...], resume: bool, dry_run: bool, as_json: bool) -> None:
    """Train a model in its world: demonstrations, then GRPO stage by stage.

    Everything it writes is in the run's folder; a killed run goes on with --resume. At a terminal a live view shows how
    far it is; elsewhere each figure is a line.
    """
    from lite.train.checks import check
    from lite.train.recipes import read_recipe

    settings = read_recipe(recipe, changes)
    folder = out or Path("runs") / settings.name
    asked = check(settings, folder)
    if dry_run:
        told = {"settings": settings.model_dump(mode="json"), "estimate": asked}
        click.echo(json.dumps(told, indent=None if as_json else 2, ensure_ascii=False))
        return
    if (folder / "manifest.json").exists() and not resume:
        raise UsageError(f"{folder} holds a run already: give --resume to go on with it, or another --out")
    from lite import console
    from lite.train.course import AGENT, Course
    from lite.train.curves import read_metrics
    from lite.train.view import TrainView

    if as_json or not console.out.is_terminal:
        best = Course(settings, folder, lambda line: click.echo(line, err=as_json)).run()
    else:
        view = TrainView(settings)
        course = Course(settings, folder, view.note, view.take)
        for line in read_metrics(folder):
            view.take(line)
        with view.live(console.out):
            best = course.run()
    if as_json:
        click.echo(json.dumps({"run": str(folder), "best": str(best) if best else None}))
    elif best:
        click.echo(f'the best adapter is in {best}: lite ask WORLD "QUESTION" --agent {folder / AGENT}')


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN")
@as_json
def report(run: Path, as_json: bool) -> None:
    """Draw the curves of a training run and say what it gained on its exam; of one under way, what there is.

    Writes report.md, index.html, curves.svg and curves.png into RUN/report.
    """
    from lite.train.report import as_markdown
    from lite.train.report import report as write

    found = write(run)
    if as_json:
        click.echo(found.model_dump_json())
    else:
        click.echo(as_markdown(found))
        click.echo(f"drawn in {run}/report/index.html")


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="CHECKPOINT")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="PATH", help="FILE.gguf, or a folder.")
@click.option("--base", metavar="SPEC", help="The model it was trained on; by default what its run says.")
@click.option("--merge", is_flag=True, help="The whole model, the adapter in its weights.")
@click.option("--type", "kind", default="f16", show_default=True, type=click.Choice(["f32", "f16", "bf16", "q8_0"]),
              help="Numbers of a GGUF file; an adapter's are f32 or f16.")  # fmt: skip
def export(checkpoint: Path, out: Path, base: str | None, merge: bool, kind: str) -> None:
    """Write a trained adapter, or the merged model, for llama.cpp (GGUF), PEFT or transformers (a folder)."""
    from lite.train.export import export as write

    write(checkpoint, out, base=base, merge=merge, kind=kind)
    click.echo(f"written to {out}")
