"""A run directory: what was asked for (`manifest.json`), what came of it (`trajectories.jsonl`, append-only), and what
is under way (`replies.jsonl`).

A record is one line, written and flushed whole. A killed run leaves at most one half-written line, which the next
opening cuts off; what is complete is never written again.
"""

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from lite import __version__
from lite.errors import UsageError
from lite.records import Reply, Trajectory


class Run:
    """An open run directory. One process writes at a time; the lock dies with it."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._file = (path / "trajectories.jsonl").open("ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"{path} is being written by another process: wait for it, or name another run") from None
        cut_half_line(self._file.fileno())

    @classmethod
    def start(cls, path: str | Path, settings: dict[str, Any]) -> Self:
        """Create a run, or go on with one of the same settings.

        Raises:
            UsageError: the folder holds a run of other settings, or something else.
        """
        folder = Path(path)
        manifest = {"lite": __version__, "python": platform.python_version(), "settings": settings}
        known = read_manifest(folder)
        if known is not None:
            differing = sorted(
                key
                for key in known["settings"].keys() | settings.keys()
                if known["settings"].get(key) != settings.get(key)
            )
            if not differing:
                return cls(folder, known)
            if _begun(folder) and all(key.endswith(("_digest", "_index")) for key in differing):
                changed = " and ".join(dict.fromkeys(key.partition("_")[0] for key in differing))
                raise UsageError(f"the {changed} of {folder} changed since: bring that back, or begin a run elsewhere")
            if _begun(folder):
                raise UsageError(
                    f"{folder} holds a run with other settings ({', '.join(differing)}): name another folder"
                )
            run = cls(folder, manifest)  # it never got to a trajectory (a misspelt model, say), and nobody is at it
            run.write("manifest.json", _manifest_text(manifest))
            return run
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(entry.name != "manifest.json.part" for entry in folder.iterdir()):
                raise UsageError(f"{folder} is not empty and holds no run: name another folder")
            _write_atomically(folder / "manifest.json", _manifest_text(manifest))
        except OSError as error:
            raise UsageError(f"{folder} cannot be written ({error.strerror}): name another folder") from None
        return cls(folder, manifest)

    def append(self, trajectory: Trajectory) -> None:
        """Write one trajectory; it is on its way to the disk when this returns."""
        self._file.write(trajectory.to_json().encode() + b"\n")
        self._file.flush()

    def trajectories(self) -> Iterator[Trajectory]:
        """What the run holds so far, in the order it was written."""
        yield from read_trajectories(self.path)

    def journal(self) -> "Journal":
        """The replies of episodes that are not over; open it once what is done has been looked at."""
        return Journal(self.path / "replies.jsonl")

    def write(self, name: str, text: str) -> None:
        """Write a file of the run, whole or not at all."""
        _write_atomically(self.path / name, text)

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Journal:
    """Every reply of the episodes under way, written as it comes: a killed run goes on behind its last whole turn.

    An episode that is over is taken out when the file is next opened, so the file holds what is under way, and what
    has been done since.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = {key: replies for key, replies in _read_replies(path).items() if replies}
        lines = "".join(_reply_line(key, one) for key, replies in self._kept.items() for one in replies)
        _write_atomically(path, lines)
        self._file = path.open("ab")

    def replies(self, key: str) -> list[Reply]:
        """What the model had said in this episode, in order; the caller's to keep."""
        return self._kept.pop(key, [])

    def add(self, key: str, reply: Reply) -> None:
        """Write one reply; it is on its way to the disk when this returns."""
        self._file.write(_reply_line(key, reply).encode())
        self._file.flush()

    def end(self, key: str) -> None:
        """The episode is over, and recorded elsewhere."""
        self._file.write(json.dumps({"key": key, "end": True}).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; one that nobody needs is removed."""
        self._file.close()
        if not any(_read_replies(self._path).values()):
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reply_line(key: str, reply: Reply) -> str:
    return json.dumps({"key": key, "reply": reply.model_dump(mode="json", exclude_defaults=True)}) + "\n"


def _read_replies(path: Path) -> dict[str, list[Reply]]:
    """Replies by episode, those that are over left out; a half-written last line counts for nothing."""
    found: dict[str, list[Reply]] = {}
    if not path.exists():
        return found
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            try:
                value = json.loads(line)
                if value.get("end"):
                    found.pop(value["key"], None)
                else:
                    found.setdefault(value["key"], []).append(Reply.model_validate(value["reply"]))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UsageError(f"{path} is damaged: remove it; episodes under way are begun again") from None
    return found


def read_manifest(path: str | Path) -> dict[str, Any] | None:
    """The manifest of a run; None where there is none. Raises UsageError when it cannot be read."""
    file = Path(path) / "manifest.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read ({error}): name another folder") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("settings"), dict):
        raise UsageError(f"{file} is not the manifest of a run: name another folder")
    return manifest


def read_trajectories(path: str | Path) -> Iterator[Trajectory]:
    """The trajectories of a run folder. Raises UsageError naming the line that is not one."""
    file = Path(path) / "trajectories.jsonl"
    if not file.exists():
        raise UsageError(f"{path} holds no trajectories.jsonl: give the folder of a run")
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return  # a record in the making
            try:
                yield Trajectory.from_json(line)
            except ValidationError:
                raise UsageError(f"{file}, line {number} is no trajectory: remove the line to go on") from None


def _manifest_text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False)


def digest(text: str) -> str:
    """A short fingerprint of a text, for a manifest."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _begun(folder: Path) -> bool:
    """Whether there is anything to lose: trajectories, replies of those under way, the curves of a training run."""
    files = (folder / name for name in ("trajectories.jsonl", "replies.jsonl", "metrics.jsonl"))
    return any(file.exists() and file.stat().st_size > 0 for file in files)


def cut_half_line(descriptor: int) -> None:
    """Drop what follows the last newline: the line a killed process was writing."""
    end = size = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)


def _write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
