"""Whatever somebody has becomes a stream of `Page | Broken`.

    .jsonl .ndjson .json (.gz .zst)         one object a line, in three layouts or a named one    jsonl.py
    .html .htm .md .markdown .txt           one page a file                                       documents.py
    a folder                                everything this table names, in it and below          folder.py
    .zip .tar .tar.gz .tgz .tar.zst         HTML, Markdown, text and JSONL members, packed or not archives.py
    .parquet                                one page a row                                        parquet.py
    .warc .warc.gz                          extra `warc`                                          warc.py
    .zim                                    extra `zim`                                           zim.py

Reading is streaming and its order is that of the file, or of the sorted paths of a folder. A record that is no page
is a `Broken` that names its place; only a source that gives nothing at all is an error.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lite.corpus.addresses import SIDECAR, Addresses
from lite.corpus.documents import SUFFIXES as DOCUMENTS
from lite.corpus.folder import leads_out, learn_names, read_file, walk
from lite.corpus.jsonl import read_jsonl
from lite.corpus.layouts import LAYOUTS, layout_of
from lite.corpus.page import broken
from lite.corpus.streams import PACKED, Count, chunks
from lite.errors import CorpusError, MissingExtra
from lite.records import Broken, Page

__all__ = ["LAYOUTS", "files_of", "local_bases", "passed_over", "read_pages", "size_of"]

_KINDS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys(sorted(DOCUMENTS), "document"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".tzst"), "archive"),
    ".parquet": "parquet",
    ".warc": "warc",
    ".zim": "zim",
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
        layout: of JSONL and Parquet files: "flat", "dolma" or "serper", or "url=NAME,title=NAME,text=NAME" with the
            names of the fields or columns; by default recognised per file.
        base_url: completes relative URLs, and is the address of files that name none of their own.
        progress: called with the bytes of the source read so far; `size_of` is what it reaches.

    Raises:
        UsageError: there is no such layout, or the base URL is none.
        CorpusError: the path is missing or no reader knows it, or there is no page in it. Raised when the stream is
            read, the last one at its end.
        MissingExtra: the source needs a library that is not installed.
    """
    path = Path(source)
    if layout is not None:
        layout_of(layout)
    meter = _Meter(progress)
    stream = _read_folder(path, layout, base_url, meter) if path.is_dir() else _read_one(path, layout, base_url, meter)
    pages, first = 0, None
    for record in stream:
        if isinstance(record, Page):
            pages += 1
        elif first is None:
            first = record
        yield record
    meter.finish(path)
    if not pages:
        why = f" (first: {first.where}: {first.reason})" if first else ""
        raise CorpusError(f"{path} holds no page{why}; {_known()}")


def size_of(source: str | Path, *, without: Path | None = None) -> int:
    """Bytes that reading `source` goes through, what lies in the folder `without` left out.

    Raises:
        CorpusError: the source does not exist.
    """
    files = files_of(source, without=without)
    return sum(file.stat().st_size for name, file in files if not name or _readable(name))


def files_of(source: str | Path, *, without: Path | None = None) -> list[tuple[str, Path]]:
    """The files that decide what `read_pages` gives, as (path within the source, file), in a fixed order.

    Of a folder they are those that a reader knows and every `files.jsonl`, except in the folder `without`. A file is
    named "", and has the `files.jsonl` beside it where that can name it or its members.

    Raises:
        CorpusError: the source does not exist.
    """
    path = Path(source)
    _must_exist(path)
    if not path.is_dir():
        beside = path.parent / SIDECAR
        named = _kind(path) in {"document", "archive"} and beside.is_file()
        return [("", path), *([(SIDECAR, beside)] if named else [])]
    return [(name, path / name) for name in _walk(path, without) if _kind(Path(name)) and not leads_out(path, name)]


def passed_over(source: str | Path, *, without: Path | None = None) -> Counter[str]:
    """How many files of a folder no reader knows, by the ending of their names, the folder `without` left out."""
    path = Path(source)
    names = _walk(path, without) if path.is_dir() else []
    return Counter(Path(name).suffix.lower() for name in names if _kind(Path(name)) is None)


def local_bases(source: str | Path) -> set[str]:
    """What comes after `https://local/` in the addresses of files that name none: a folder, or one file's name."""
    path = Path(source)
    names = walk(path) if path.is_dir() else [""]
    bases = set()
    for name in names:
        kind = _kind(path / name)
        if kind == "document":
            bases.add(f"{path.resolve().name}/" if name else path.name)
        elif kind == "archive":
            bases.add(f"{_below(name.rpartition('/')[0], _stem(path / name))}/")
    return bases


class _Meter:
    """Adds up the bytes that readers report. Some pass over bytes unseen, so that the end is set by the source."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self._progress, self._read = progress, 0

    def __call__(self, size: int) -> None:
        self._read += size
        if self._progress and size:
            self._progress(self._read)

    def finish(self, path: Path) -> None:
        if self._progress:
            self._progress(max(self._read, size_of(path)))


def _read_folder(path: Path, layout: str | None, base_url: str | None, count: Count) -> Iterator[Page | Broken]:
    closed: list[OSError] = []
    names = walk(path, closed.append)
    for error in closed:
        yield broken(error.filename, "folder", error.strerror)
    addresses = Addresses(path.resolve().name, base_url)
    yield from learn_names(path, names, addresses)
    for name in names:
        if not _readable(name):
            continue
        file = path / name
        if leads_out(path, name):
            yield broken(file, "file", "a link that leads out of the folder")
        elif _kind(file) == "document":
            yield read_file(file, name, addresses, count)
        else:
            try:
                yield from _read_records(file, layout, base_url, count, name.rpartition("/")[0])
            except (CorpusError, MissingExtra) as error:
                yield broken(file, "file", error)
            except OSError as error:
                yield broken(file, "file", error.strerror)


def _read_one(path: Path, layout: str | None, base_url: str | None, count: Count) -> Iterator[Page | Broken]:
    _must_exist(path)
    try:
        path.open("rb").close()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}; check its permissions") from None
    if path.stat().st_size == 0:
        raise CorpusError(f"{path} is empty; {_known()}")
    if _kind(path) != "document":
        yield from _read_records(path, layout, base_url, count)
        return
    addresses = Addresses("", base_url)
    yield from _beside(path, addresses)
    yield read_file(path, path.name, addresses, count)


def _beside(path: Path, addresses: Addresses) -> Iterator[Broken]:
    if (path.parent / SIDECAR).is_file():
        yield from learn_names(path.parent, [SIDECAR], addresses)


def _read_records(
    path: Path, layout: str | None, base_url: str | None, count: Count, inside: str = ""
) -> Iterator[Page | Broken]:
    """The records of one file that holds many, in the subfolder `inside` of its source. Readers are loaded when a file
    asks for them.
    """
    match _kind(path):
        case "jsonl":
            yield from read_jsonl(chunks(path, count), str(path), layout=layout, base_url=base_url)
        case "archive":
            from lite.corpus.archives import read_archive

            addresses = Addresses(_below(inside, _stem(path)), base_url, inside)
            yield from _beside(path, addresses)
            yield from read_archive(path, addresses, count=count, layout=layout, base_url=base_url)
        case "parquet":
            from lite.corpus.parquet import read_parquet

            yield from read_parquet(path, count=count, layout=layout, base_url=base_url)
        case "warc":
            from lite.corpus.warc import read_warc

            yield from read_warc(path, count=count)
        case "zim":
            from lite.corpus.zim import read_zim

            yield from read_zim(path, count=count, base_url=base_url)
        case _:
            raise CorpusError(f"{path} is of no kind that can be read; {_known()}")


def _walk(path: Path, without: Path | None) -> list[str]:
    left_out = without.resolve() if without else None
    names = walk(path)
    if left_out is None or not left_out.is_relative_to(path.resolve()):
        return names
    return [name for name in names if not (path / name).absolute().parent.resolve().is_relative_to(left_out)]


def _kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return _KINDS.get(suffixes[-1]) if suffixes else None


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _stem(path: Path) -> str:
    name = path.name
    while (suffix := Path(name).suffix.lower()) in _KINDS or suffix in PACKED:
        name = name[: -len(suffix)]
    return name


def _readable(name: str) -> bool:
    return name.rpartition("/")[2] != SIDECAR and _kind(Path(name)) is not None


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise CorpusError(f"{path} does not exist; give a file or a folder of pages")


def _known() -> str:
    return f"what can be read: a folder, or {' '.join(_KINDS)}, JSONL and tar also as .gz or .zst"
