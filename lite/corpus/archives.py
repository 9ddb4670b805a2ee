"""Zip and tar archives of pages. Members are read as a stream; nothing is written to disk, so nothing can escape."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from lite.corpus.addresses import SIDECAR, Addresses
from lite.corpus.documents import SUFFIXES, read_document
from lite.corpus.jsonl import read_jsonl
from lite.corpus.page import MAX_BYTES, NotAPage
from lite.corpus.streams import Count, DamagedArchive, Stream, chunks, lines, whole
from lite.errors import CorpusError
from lite.records import Broken, Page

_JSONL = {".jsonl", ".ndjson"}
_PIECE = 1 << 18
_END = b"\0" * 512  # what a complete tar ends with, at least

Member = tuple[str, Iterator[bytes]]  # path, bytes; the bytes must be read before the next member is asked for


def read_archive(
    path: Path, addresses: Addresses, *, count: Count, layout: str | None = None, base_url: str | None = None
) -> Iterator[Page | Broken]:
    """Pages of the HTML, Markdown, text and JSONL members of an archive, in its own order.

    A `files.jsonl` beside the archive or in it names its members. Other members are left out, links and devices too.

    Raises:
        CorpusError: the file is no archive.
    """
    name = str(path)
    members = _zip_members if zipfile.is_zipfile(path) else _tar_members
    for member in members(path, lambda _: None, {SIDECAR}):
        if not isinstance(member, Broken):
            folder = member[0].rpartition("/")[0]
            for number, reason in addresses.learn(lines(member[1], MAX_BYTES), folder):
                yield Broken(source=name, where=f"{member[0]} line {number}", reason=reason)
    for member in members(path, count, SUFFIXES | _JSONL):
        if isinstance(member, Broken):
            yield member
            continue
        at, pieces = member
        if PurePosixPath(at).suffix.lower() in _JSONL:
            yield from _lines_of(f"{name}/{at}", pieces, layout, base_url)
        else:
            yield _document(name, at, pieces, addresses)


def _document(name: str, at: str, pieces: Iterator[bytes], addresses: Addresses) -> Page | Broken:
    try:
        data = whole(pieces, MAX_BYTES)
        if data is not None:
            return read_document(data, at, addresses)
        reason = f"longer than {MAX_BYTES >> 20} MB"
    except (NotAPage, DamagedArchive) as error:
        reason = str(error)
    return Broken(source=name, where=at, reason=reason)


def _lines_of(name: str, pieces: Iterator[bytes], layout: str | None, base_url: str | None) -> Iterator[Page | Broken]:
    try:
        yield from read_jsonl(pieces, name, layout=layout, base_url=base_url)
    except CorpusError as error:
        yield Broken(source=name, where="file", reason=str(error))


def _wanted(at: str, kinds: set[str]) -> bool:
    path = PurePosixPath(at)
    if any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.parts):
        return False
    if path.name == SIDECAR:
        return SIDECAR in kinds
    return path.suffix.lower() in kinds


def _inside(at: str) -> str:
    """A member's path without `./` and doubled slashes. Raises NotAPage for one that would leave the archive."""
    parts = [part for part in at.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or at.startswith("/"):
        raise NotAPage("its path leads out of the archive")
    return "/".join(parts)


def _zip_members(path: Path, count: Count, kinds: set[str]) -> Iterator[Member | Broken]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise CorpusError(f"{path} is truncated or no zip archive ({error}); check how it was copied") from None
    with archive:
        for info in archive.infolist():
            count(info.compress_size)
            if info.is_dir() or not _wanted(info.filename, kinds):
                continue
            try:
                at = _inside(info.filename)
                file = archive.open(info)
            except (NotAPage, zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
                yield Broken(source=str(path), where=info.filename, reason=str(error))
                continue
            with file:
                yield at, _pieces(file, [])


def _tar_members(path: Path, count: Count, kinds: set[str]) -> Iterator[Member | Broken]:
    stream = Stream(chunks(path, count))
    last, cut = "", []
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue]  # it would keep every header
                last = info.name
                if not info.isreg() or not _wanted(info.name, kinds):
                    continue
                try:
                    at = _inside(info.name)
                except NotAPage as error:
                    yield Broken(source=str(path), where=info.name, reason=str(error))
                    continue
                if (file := archive.extractfile(info)) is not None:
                    yield at, _pieces(file, cut)
        # tarfile takes a cut or damaged header for the end.
        if not cut and (stream.tail(len(_END)) != _END or any(piece.strip(b"\0") for piece in stream)):
            yield Broken(source=str(path), where=f"after {last}", reason="truncated, or damaged at this place")
    except (tarfile.TarError, DamagedArchive) as error:
        if not last:
            raise CorpusError(f"{path} is truncated or no tar archive ({error}); check how it was copied") from None
        if cut:
            return
        yield Broken(source=str(path), where=f"in or after {last}", reason=f"truncated or damaged: {error}")


def _pieces(file: IO[bytes], cut: list[str]) -> Iterator[bytes]:
    """The bytes of an open member. DamagedArchive, noted in `cut`, where they end early or their checksum is wrong."""
    while True:
        try:
            piece = file.read(_PIECE)
        except (DamagedArchive, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as error:
            cut.append(str(error))
            raise DamagedArchive(f"its bytes cannot be read ({error})") from None
        if not piece:
            return
        yield piece
