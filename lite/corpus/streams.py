"""Bytes of a file in bounded pieces: plain, gzip or zstd, with a truncated or damaged archive told apart from its end.

zstandard's own stream reader takes a cut file for a finished one, so frames are followed here.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

import zstandard

from lite.errors import CorpusError

Count = Callable[[int], None]  # told how many bytes of the source were read

PACKED = (".gz", ".zst")  # what may follow the suffix of a kind

_PLAIN = 1 << 18
_PACKED = 1 << 8  # bytes given to a decompressor at a time: zstd can make 32,000 times as many of them
_WINDOW = 1 << 27  # bytes of zstd window, as its command line allows by default


class DamagedArchive(Exception):
    """A compressed file that ends too early or cannot be unpacked further; what came before it was delivered."""


def chunks(path: Path, count: Count) -> Iterator[bytes]:
    """The unpacked bytes of `path`. The compression is told by the first bytes, not by the name.

    Raises:
        DamagedArchive: after the last readable byte of a truncated or damaged archive.
        CorpusError: the file cannot be opened, or its name promises a compression that its bytes do not show.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}; check the path and its permissions") from None
    with file:
        magic = file.peek(4)[:4]
        new = _decoder(path, magic)
        if new is None:
            yield from _raw(file, _PLAIN, count)
        else:
            yield from _unpack(_raw(file, _PACKED, count), new)


def unpacked(pieces: Iterator[bytes], name: PurePath | None = None) -> Iterator[bytes]:
    """The unpacked bytes of what `pieces` are, by their first ones; a name may promise a compression.

    Raises:
        DamagedArchive: after the last readable byte of what is truncated or damaged.
        CorpusError: the name promises a compression that the bytes do not show.
    """
    first = next(pieces, b"")
    new = _decoder(name or PurePath(), first[:4])
    joined = chain([first], pieces)
    if new is None:
        yield from joined
    else:
        yield from _unpack((piece[n : n + _PACKED] for piece in joined for n in range(0, len(piece), _PACKED)), new)


def _decoder(path: PurePath, magic: bytes) -> Callable[[], Any] | None:
    if magic[:2] == b"\x1f\x8b":
        return lambda: zlib.decompressobj(wbits=31)
    if magic == b"\x28\xb5\x2f\xfd" or (magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5):
        return lambda: zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    named = {".gz": "gzip", ".tgz": "gzip", ".zst": "zstd", ".tzst": "zstd"}.get(path.suffix.lower())
    if named and magic and magic[:1] not in (b"{", b"<"):
        raise CorpusError(f"{path} is not a {named} file, whatever its name says; check how it was made or copied")
    return None


def _raw(file: io.BufferedReader, size: int, count: Count) -> Iterator[bytes]:
    told = 0
    while piece := file.read(size):
        told += len(piece)
        if told >= _PLAIN:
            count(told)
            told = 0
        yield piece
    count(told)


def _unpack(pieces: Iterator[bytes], new: Callable[[], Any]) -> Iterator[bytes]:
    decoder, read, finished = new(), 0, True
    for piece in pieces:
        read += len(piece)
        rest = piece
        while rest:
            if finished and not rest.strip(b"\0"):
                break  # tape padding between or after members
            if finished:
                decoder, finished = new(), False
            try:
                out = decoder.decompress(rest)
            except (zlib.error, zstandard.ZstdError) as error:
                raise DamagedArchive(f"the archive is damaged near byte {read:,} ({error})") from None
            if out:
                yield out
            if not decoder.eof:
                break
            finished, rest = True, decoder.unused_data
    if not finished:
        raise DamagedArchive(f"the archive is truncated: it ends at byte {read:,}, in the middle of its data")


def lines(pieces: Iterator[bytes], limit: int) -> Iterator[bytes | int]:
    """The lines of a byte stream without their ends; for a line longer than `limit` its length instead.

    Holds at most `limit` bytes and one piece. When `pieces` raises, the unfinished last line is dropped with it.
    """
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        size += len(first)
        if size <= limit:
            held.append(first)
        else:
            held.clear()
        if not others:
            continue
        yield b"".join(held) if size <= limit else size
        *whole, rest = others
        for line in whole:
            yield line if len(line) <= limit else len(line)
        held, size = ([rest] if len(rest) <= limit else []), len(rest)
    if size:
        yield b"".join(held) if size <= limit else size


def filled_lines(path: Path) -> list[tuple[int, bytes]]:
    """The lines of a small file, packed or not, with their numbers from 1, without the blank ones.

    Raises:
        CorpusError: it cannot be read, or is a damaged archive.
    """
    try:
        text = b"".join(chunks(path, lambda _: None))
    except DamagedArchive as error:
        raise CorpusError(f"{path} cannot be read: {error}; copy it again") from None
    return [(number, line) for number, line in enumerate(text.split(b"\n"), 1) if line.strip()]


def whole(pieces: Iterator[bytes], limit: int) -> bytes | None:
    """All bytes of a stream, or None when there are more than `limit`."""
    held, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            return None
        held.append(piece)
    return b"".join(held)


class Stream(io.RawIOBase):
    """A read-only file over pieces of bytes, for libraries that read from one. It remembers the end of what it gave."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self._tail = b""
        self.position = 0

    def readable(self) -> bool:
        """True: it can only be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer` as far as the next piece goes; 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self._tail = (self._tail + bytes(buffer[max(0, size - 1024) : size]))[-1024:]
        self.position += size
        return size

    def tail(self, size: int) -> bytes:
        """The last `size` bytes that were read, up to 1,024."""
        return self._tail[-size:]
