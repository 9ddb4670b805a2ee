"""Zip and tar archives of pages. Members are read as a stream; nothing is written to disk, so nothing can escape."""

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from lite.corpus.addresses import SIDECAR, Addresses
from lite.corpus.documents import SUFFIXES, read_document
from lite.corpus.jsonl import read_jsonl
from lite.corpus.page import MAX_BYTES, NotAPage, broken, one_line
from lite.corpus.streams import PACKED, Count, DamagedArchive, Stream, chunks, lines, unpacked, whole
from lite.errors import CorpusError
from lite.records import Broken, Page

_JSONL = {".jsonl", ".ndjson", ".json"}
_PIECE = 1 << 18
# What the libraries raise for damage; RuntimeError also for a password, RecursionError for headers of headers.
_BAD_TAR = (tarfile.TarError, ValueError, OverflowError, RecursionError)
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
_BLOCK = 512
_END = b"\0" * _BLOCK  # what a complete tar ends with, at least

Member = tuple[str, Iterator[bytes]]  # path, bytes; the bytes must be read before the next member is asked for


def read_archive(
    path: Path, addresses: Addresses, *, count: Count, layout: str | None = None, base_url: str | None = None
) -> Iterator[Page | Broken]:
    """Pages of the HTML, Markdown, text and JSONL members of an archive, packed or not, in its own order.

    A `files.jsonl` beside the archive or in it names its members. Other members are left out, links and devices too.

    Raises:
        CorpusError: the file is no archive.
    """
    name = str(path)
    members = _zip_members if _is_zip(path) else _tar_members
    for member in members(path, lambda _: None, {SIDECAR}):
        if not isinstance(member, Broken):
            folder = member[0].rpartition("/")[0]
            for number, reason in addresses.learn(lines(member[1], MAX_BYTES), folder):
                yield broken(name, f"{member[0]} line {number}", reason)
    for member in members(path, count, SUFFIXES | _JSONL):
        if isinstance(member, Broken):
            yield member
            continue
        at, pieces = member
        pieces = unpacked(pieces, PurePosixPath(at))
        if _suffix(at) in _JSONL:
            yield from _lines_of(f"{name}/{at}", pieces, layout, base_url)
        else:
            yield _document(name, at, pieces, addresses)


def _is_zip(path: Path) -> bool:
    """By its beginning: a tar may hold a zip or a docx near its end, where `zipfile` looks for what tells a zip."""
    with path.open("rb") as file:
        head = file.read(_BLOCK)
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:  # one that unpacks itself begins with a program
        return head.startswith(b"PK") or (path.suffix.lower() == ".zip" and zipfile.is_zipfile(path))
    return False


def _document(name: str, at: str, pieces: Iterator[bytes], addresses: Addresses) -> Page | Broken:
    try:
        data = whole(pieces, MAX_BYTES)
        if data is not None:
            return read_document(data, at, addresses)
        reason = f"longer than {MAX_BYTES >> 20} MB"
    except (NotAPage, DamagedArchive, CorpusError) as error:
        reason = str(error)
    return broken(name, at, reason)


def _lines_of(name: str, pieces: Iterator[bytes], layout: str | None, base_url: str | None) -> Iterator[Page | Broken]:
    try:
        yield from read_jsonl(pieces, name, layout=layout, base_url=base_url)
    except CorpusError as error:
        yield broken(name, "file", error)


def _wanted(at: str, kinds: set[str]) -> bool:
    path = PurePosixPath(at)
    if any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.parts):
        return False
    if path.name == SIDECAR:
        return SIDECAR in kinds
    return _suffix(at) in kinds


def _suffix(at: str) -> str:
    """What kind of file a member is: `.html` of `page.html` and of `page.html.gz`."""
    path = PurePosixPath(at)
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()


def _inside(at: str) -> str:
    """A member's path without `./` and doubled slashes. Raises NotAPage for one that would leave the archive."""
    parts = [part for part in at.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or at.startswith("/"):
        raise NotAPage("its path leads out of the archive")
    return "/".join(parts)


def _zip_members(path: Path, count: Count, kinds: set[str]) -> Iterator[Member | Broken]:
    try:
        archive = zipfile.ZipFile(path)
    except _BAD_ZIP as error:
        raise CorpusError(
            f"{path} is truncated or no zip archive ({one_line(error)}); check how it was copied"
        ) from None
    with archive:
        for info in archive.infolist():
            count(info.compress_size)
            if info.filename.endswith("/") or not _wanted(info.filename, kinds):
                continue
            try:
                at = _inside(info.filename)
                file = archive.open(info)
            except (NotAPage, *_BAD_ZIP) as error:
                yield broken(path, info.filename, error)
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
                    yield broken(path, info.name, error)
                    continue
                if (file := archive.extractfile(info)) is not None:
                    yield at, _pieces(file, cut)
        # tarfile takes a cut or damaged header for the end.
        if not cut and (stream.tail(len(_END)) != _END or any(piece.strip(b"\0") for piece in stream)):
            yield broken(path, f"after {last}", "truncated, or damaged at this place")
    except CorpusError:
        raise
    except (DamagedArchive, *_BAD_TAR) as error:
        if not last:
            raise CorpusError(
                f"{path} is truncated or no tar archive ({one_line(error)}); check how it was copied"
            ) from None
        if cut:
            return
        yield broken(path, f"in or after {last}", f"truncated or damaged: {one_line(error)}")


def _pieces(file: IO[bytes], cut: list[str]) -> Iterator[bytes]:
    """The bytes of an open member. DamagedArchive, noted in `cut`, where they end early or their checksum is wrong."""
    while True:
        try:
            piece = file.read(_PIECE)
        except (DamagedArchive, *_BAD_TAR, *_BAD_ZIP) as error:
            cut.append(str(error))
            raise DamagedArchive(f"its bytes cannot be read ({one_line(error)})") from None
        if not piece:
            return
        yield piece
