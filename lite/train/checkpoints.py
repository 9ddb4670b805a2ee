"""What we keep beside a trainer's own checkpoint: with it the checkpoint is whole, without it it counts for nothing."""

from pathlib import Path

from lite.records import Record

STATE = "lite.json"


def keep_state(checkpoint: Path, state: Record) -> None:
    """Write our state into a checkpoint."""
    part = checkpoint / f"{STATE}.part"
    part.write_text(state.to_json(), "utf-8")
    part.replace(checkpoint / STATE)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a part of a run that was stopped."""
    found = [path for path in folder.glob("checkpoint-*") if (path / STATE).is_file()]
    return max(found, key=lambda path: int(path.name.partition("-")[2]), default=None)
