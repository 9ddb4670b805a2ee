"""A folder: every file in it and below that some reader knows, in the order of their paths."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lite.corpus.addresses import SIDECAR, Addresses
from lite.corpus.documents import read_document
from lite.corpus.page import MAX_BYTES, NotAPage, broken
from lite.corpus.streams import Count, DamagedArchive, chunks, lines, whole
from lite.errors import CorpusError
from lite.records import Broken, Page


def walk(folder: Path, refused: Callable[[OSError], None] | None = None) -> list[str]:
    """Paths of the files below `folder`, relative to it, with `/` and in code point order.

    Names that begin with a dot are left out. A link to a folder is not followed; a link to a file is listed, and
    `leads_out` says whether it may be read. `refused` is told of every folder that cannot be read.
    """
    found: list[str] = []
    for at, folders, files in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(at).relative_to(folder)
        found.extend((inside / name).as_posix() for name in files if not name.startswith("."))
    return sorted(found)


def leads_out(folder: Path, path: str) -> bool:
    """Whether the file at `path` is a link to something outside `folder` (or to nothing)."""
    file = folder / path
    if not file.is_symlink():
        return False
    return not file.exists() or not file.resolve().is_relative_to(folder.resolve())


def learn_names(folder: Path, paths: list[str], addresses: Addresses) -> Iterator[Broken]:
    """Read every `files.jsonl` among `paths`, from the top down; yields the lines that say nothing usable."""
    for path in sorted((p for p in paths if p.rpartition("/")[2] == SIDECAR), key=lambda p: (p.count("/"), p)):
        if leads_out(folder, path):
            continue
        try:
            bad = addresses.learn(lines(chunks(folder / path, _ignore), MAX_BYTES), path.rpartition("/")[0])
        except DamagedArchive as error:
            bad = [(0, str(error))]
        for number, reason in bad:
            yield broken(folder / path, f"line {number}", reason)


def read_file(file: Path, path: str, addresses: Addresses, count: Count) -> Page | Broken:
    """The page in one HTML, Markdown or text file, which is `path` within its source."""
    try:
        data = whole(chunks(file, count), MAX_BYTES)
        if data is not None:
            return read_document(data, path, addresses)
        reason = f"longer than {MAX_BYTES >> 20} MB"
    except (NotAPage, CorpusError, DamagedArchive) as error:
        reason = str(error)
    return broken(file, "file", reason)


def _ignore(_: int) -> None:
    pass
