"""`world.json`: what a finished world says of itself. Written last and in one step; without it there is no world."""

import json
import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from lite.errors import WorldError
from lite.index import generation
from lite.index.generation import sync
from lite.records import Broken, Record

FORMAT = 4
FILE = "world.json"


class Source(Record):
    """A source as the build saw it. `digest` says whether another one is the same."""

    name: str
    bytes: int
    digest: str


class Policy(Record):
    """What of the pages a world takes, and what it makes of them; the same for its build and all that is added."""

    embedder: str = "none"
    vectors: Literal["page", "passage"] = "page"
    near_duplicates: Literal["keep", "drop"] = "keep"
    min_chars: int = Field(default=0, ge=0)
    languages: tuple[str, ...] = ()
    include: tuple[str, ...] = ()  # URLs, as shell patterns: one of these
    exclude: tuple[str, ...] = ()  # ... and none of those


class Settings(Record):
    """What a build was asked for: the same settings on a finished world are nothing to do."""

    sources: tuple[Source, ...]
    policy: Policy = Policy()
    limit: int | None = None
    layout: str | None = None
    base_url: str | None = None

    def same_as(self, other: "Settings") -> bool:
        """Whether both describe the same build; where a source lies does not matter."""
        return len(self.sources) == len(other.sources) and self.begins_as(other, len(self.sources))

    def begins_as(self, other: "Settings", count: int) -> bool:
        """Whether both read the same first `count` sources in the same way."""
        ours, theirs = (
            (s.policy, s.limit, s.layout, s.base_url, [(x.bytes, x.digest) for x in s.sources[:count]])
            for s in (self, other)
        )
        return ours == theirs


class Change(Record):
    """What one command did to a world, in pages: `lite world build`, `add`, `remove`, `compact` or `check --repair`."""

    operation: str
    sources: tuple[str, ...] = ()
    added: int = 0
    updated: int = 0  # their text, title or name
    removed: int = 0


class Embedding(Record):
    """The embedder of a world's vectors, and how they are searched: `exact` or `ivf-rq4`."""

    name: str
    fingerprint: str
    dim: int
    index: str


class WorldInfo(Record):
    """A world's own account. Counts are of the finished world; `records` and what follows are of its sources."""

    format: int = FORMAT
    generation: int = 1
    digest: str  # of the content: the same pages give the same, whatever the order or the machine
    index_id: str  # of the indexes: two builds with the same one answer alike
    built: str  # a date, YYYY-MM-DD
    version: str  # of literesearcher-lite
    pages: int
    aliases: int
    links: int
    chars: int
    embedding: Embedding | None = None
    settings: Settings
    records: int
    repeated: int  # records whose URL had been read before
    conflicts: int  # URLs that came with more than one text
    near_duplicates: int  # pages whose text nearly is that of another one, found in the world or dropped from it
    filtered: dict[str, int] = Field(default_factory=dict)  # reason -> pages that the policy left out
    broken: dict[str, int] = Field(default_factory=dict)  # reason -> how many
    broken_first: tuple[Broken, ...] = ()
    changes: tuple[Change, ...] = ()  # the history of the world, oldest first
    path: str = ""  # filled in when a world is opened
    sizes: dict[str, int] = Field(default_factory=dict)  # bytes on disk by part


def write(info: WorldInfo, folder: Path) -> None:
    """Put `world.json` in place in one step."""
    new = folder / f"{FILE}.new"
    with new.open("w", encoding="utf-8") as file:
        json.dump(info.model_dump(mode="json", exclude={"path", "sizes"}), file, ensure_ascii=False, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / FILE)
    sync(folder)


def read(folder: Path) -> WorldInfo:
    """The account of the world in `folder`.

    Raises:
        WorldError: `world.json` is missing, is of another format, or cannot be read.
    """
    try:
        value: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
        found = value["format"]
    except FileNotFoundError:
        raise WorldError(f"{folder} is not a world (it has no {FILE}): build one with `lite world build`") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WorldError(f"{folder / FILE} cannot be read ({error}): copy the world again, or build it again") from None
    if found != FORMAT:
        raise WorldError(
            f"{folder} has format {found}, this one reads {FORMAT}: remove it and build it again, or change versions"
        )
    try:
        return WorldInfo.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WorldError(f"{folder / FILE} is damaged at {where}: copy the world again, or build it again") from None


def hold(folder: Path) -> tuple[WorldInfo, int]:
    """The account of the world in `folder`, and a hold on its generation, which a writer may be about to replace.

    Raises:
        WorldError: there is no world that this version can read.
    """
    while True:
        info = read(folder)
        ours = generation.folder_of(folder, info.generation)
        try:
            return info, generation.hold(ours)
        except FileNotFoundError:
            if read(folder).generation == info.generation:
                raise WorldError(
                    f"{folder} lacks its folder {ours.name}: copy the world again, or build it again"
                ) from None


def content_digest(records: Iterable[tuple[str, str, bytes]]) -> str:
    """Digest of (URL, title, content hash) triples: of the pages in the order of URLs, then of the aliases likewise."""
    state = blake2b(digest_size=16)
    for url, title, content in records:
        for part in (url.encode(), title.encode(), content):
            state.update(b"%d:" % len(part))
            state.update(part)
    return state.hexdigest()


def sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk of the parts of a generation."""
    return {entry.name: sum(map(_size, _files(entry))) for entry in sorted(folder.iterdir())}


def _files(entry: Path) -> Iterator[Path]:
    return entry.rglob("*") if entry.is_dir() else iter((entry,))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
