"""Pages back into a file that every reader of ours takes: JSONL in the flat layout, plain, `.gz` or `.zst`."""

import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from lite.errors import UsageError
from lite.records import Page

_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def write_pages(pages: Iterable[Page], out: Path) -> int:
    """Write `pages` to `out`, a line each, and return their number; the file is there when it is whole.

    Raises:
        UsageError: the name ends in none of .jsonl, .jsonl.gz and .jsonl.zst, or no file can be there.
    """
    if not out.name.endswith(_SUFFIXES):
        raise UsageError(f"{out.name} says no format: end it in {' or '.join(_SUFFIXES)}")
    if out.is_dir() or not out.parent.is_dir():
        raise UsageError(
            f"{out} {'is a folder' if out.is_dir() else 'lies in no folder'}: name a file in one that is there"
        )
    new = out.with_name(f"{out.name}.new")
    count = 0
    try:
        with packed(new, out.suffix) as file:
            for count, page in enumerate(pages, 1):  # noqa: B007  # the last number is the count
                record = {"url": page.url, "title": page.title, "doc": page.text}
                file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        new.replace(out)
    finally:
        new.unlink(missing_ok=True)
    return count


@contextmanager
def packed(path: Path, suffix: str) -> Iterator[IO[bytes]]:
    """A new file to write to: packed for a suffix .gz or .zst, with the same bytes each time."""
    with path.open("wb") as raw:
        if suffix == ".gz":
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:  # no name, no time: equal bytes
                yield cast("IO[bytes]", file)
        elif suffix == ".zst":
            with zstandard.ZstdCompressor(level=6).stream_writer(raw, closefd=False) as file:
                yield cast("IO[bytes]", file)
        else:
            yield raw
