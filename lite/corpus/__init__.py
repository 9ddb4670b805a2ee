"""Whatever somebody has becomes a stream of `Page | Broken`.

    .jsonl .ndjson .json    one object a line, three layouts (also .gz, .zst)       jsonl.py
    .html .htm .md .txt     one page a file                                          html.py, documents.py
    a folder                everything above in it and below                         folder.py

Reading is streaming and its order is that of the file, or of the sorted paths of a folder. A record that is no page
is a `Broken` that names its place; only a source that gives nothing at all is an error.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from lite.corpus.addresses import SIDECAR, Addresses
from lite.corpus.documents import SUFFIXES as DOCUMENTS
from lite.corpus.folder import leads_out, learn_names, read_file, walk
from lite.corpus.jsonl import LAYOUTS, read_jsonl
from lite.corpus.streams import Count
from lite.errors import CorpusError
from lite.records import Broken, Page

__all__ = ["LAYOUTS", "read_pages", "size_of"]

_PACKED = (".gz", ".zst")
_KINDS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys(DOCUMENTS, "document"),
}


def read_pages(
    source: str | Path,
    *,
    layout: str | None = None,
    base_url: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Page | Broken]:
    """Every page of `source`, and in its place every record that is none.

    Args:
        source: a file or a folder.
        layout: of JSONL files: "flat", "dolma" or "serper"; by default recognised per file.
        base_url: completes relative URLs, and is the address of files that name none of their own.
        progress: called with the bytes of the source read so far; `size_of` is what it reaches.

    Raises:
        CorpusError: the path is missing or no reader knows it, or there is no page in it. Raised when the stream is
            read, the last one at its end.
    """
    path = Path(source)
    meter = _Meter(progress)
    stream = _read_folder(path, layout, base_url, meter) if path.is_dir() else _read_one(path, layout, base_url, meter)
    pages, first = 0, None
    for record in stream:
        if isinstance(record, Page):
            pages += 1
        elif first is None:
            first = record
        yield record
    meter.finish()
    if not pages:
        why = f" (first: {first.where}: {first.reason})" if first else ""
        raise CorpusError(f"{path} holds no page{why}; {_known()}")


def size_of(source: str | Path) -> int:
    """Bytes that reading `source` goes through. Raises CorpusError when it does not exist."""
    path = Path(source)
    _must_exist(path)
    if not path.is_dir():
        return path.stat().st_size
    return sum((path / name).stat().st_size for name in walk(path) if _readable(name) and not leads_out(path, name))


class _Meter:
    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self._progress, self._read = progress, 0

    def __call__(self, size: int) -> None:
        self._read += size
        if self._progress and size:
            self._progress(self._read)

    def finish(self) -> None:
        if self._progress:
            self._progress(self._read)


def _read_folder(path: Path, layout: str | None, base_url: str | None, count: Count) -> Iterator[Page | Broken]:
    names = walk(path)
    addresses = Addresses(path.resolve().name, base_url)
    yield from learn_names(path, names, addresses)
    for name in names:
        if not _readable(name):
            continue
        if leads_out(path, name):
            yield Broken(source=str(path / name), where="file", reason="a link that leads out of the folder")
            continue
        if _kind(path / name) == "document":
            yield read_file(path / name, name, addresses, count)
            continue
        try:
            yield from _read_kind(path / name, layout, base_url, count)
        except CorpusError as error:
            yield Broken(source=str(path / name), where="file", reason=str(error))


def _read_one(path: Path, layout: str | None, base_url: str | None, count: Count) -> Iterator[Page | Broken]:
    _must_exist(path)
    if path.stat().st_size == 0:
        raise CorpusError(f"{path} is empty; {_known()}")
    if _kind(path) != "document":
        yield from _read_kind(path, layout, base_url, count)
        return
    addresses = Addresses("", base_url)
    if (path.parent / SIDECAR).is_file():
        yield from learn_names(path.parent, [SIDECAR], addresses)
    yield read_file(path, path.name, addresses, count)


def _read_kind(path: Path, layout: str | None, base_url: str | None, count: Count) -> Iterator[Page | Broken]:
    kind = _kind(path)
    if kind == "jsonl":
        return read_jsonl(path, count=count, layout=layout, base_url=base_url)
    raise CorpusError(f"{path} is of no kind that can be read; {_known()}")


def _kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return _KINDS.get(suffixes[-1]) if suffixes else None


def _readable(name: str) -> bool:
    return name.rpartition("/")[2] != SIDECAR and _kind(Path(name)) is not None


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise CorpusError(f"{path} does not exist; give a file or a folder of pages")


def _known() -> str:
    return f"what can be read: a folder, or {' '.join(_KINDS)}"
