"""One JSON object a line, in the layouts of `layouts.py`."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from lite.corpus.layouts import PATIENCE, layout_of, recognise
from lite.corpus.page import MAX_BYTES, NotAPage, broken, make_page, shorten
from lite.corpus.streams import DamagedArchive, lines
from lite.errors import CorpusError
from lite.records import Broken, Page


def read_jsonl(
    pieces: Iterator[bytes], name: str, *, layout: str | None = None, base_url: str | None = None
) -> Iterator[Page | Broken]:
    """Pages of one file, in file order. Blank lines are skipped; everything else that is no page is a `Broken`.

    Args:
        pieces: the file's bytes.
        name: the file, as messages name it.
        layout: as `layouts.layout_of` takes it; by default the first record that fits one decides for the file.
        base_url: completes relative URLs.

    Raises:
        UsageError: there is no such layout.
        CorpusError: the file holds no record, or none that fits a layout.
    """
    fields = layout_of(layout)[0] if layout else None
    misfits: list[Broken] = []  # told once a layout is known; without one the file is at fault, not its records
    number, keys, first = 0, "", ""
    for number, record in _records(pieces, name):
        if isinstance(record, Broken):
            first = first or record.reason
            yield record
            continue
        fields = fields or recognise(record)
        if fields is None:
            keys = keys or ", ".join(shorten(key, 20) for key in list(record)[:8])
            misfits.append(broken(name, f"line {number}", "no url and text under a known name"))
            if len(misfits) > PATIENCE:
                break
            continue
        yield from misfits
        misfits.clear()
        try:
            yield make_page(*fields(record), base_url)
        except NotAPage as error:
            yield broken(name, f"line {number}", error)
    if number == 0:
        raise CorpusError(f"{name} is empty; give a file with one JSON object a line")
    if fields is None:
        raise CorpusError(_unrecognised(name, keys, first))


def _unrecognised(name: str, keys: str, first: str) -> str:
    if keys:
        return (
            f"{name} has no record with a url and a text under a known name (it has: {keys}); "
            "say which with a layout: url=NAME,text=NAME"
        )
    file = name.rpartition("/")[2]
    array = f"; for a JSON array: jq -c '.[]' {file} > pages.jsonl" if ".json" in file else ""
    return f"{name} holds no JSON object on a line of its own ({first}){array or '; give one with an object a line'}"


def _records(pieces: Iterator[bytes], name: str) -> Iterator[tuple[int, dict[str, Any] | Broken]]:
    """Line number and record of each line that is not blank."""
    number = 0
    try:
        for number, line in enumerate(lines(pieces, MAX_BYTES), 1):
            if isinstance(line, int):
                reason = f"line longer than {MAX_BYTES >> 20} MB ({line / 2**20:,.0f} MB)"
                yield number, broken(name, f"line {number}", reason)
                continue
            if not line or line.isspace():
                continue
            try:
                yield number, _object(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except NotAPage as error:
                yield number, broken(name, f"line {number}", error)
    except DamagedArchive as error:
        yield number + 1, broken(name, f"after line {number}", error)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = from_json(line, cache_strings="keys")
    except ValueError:
        value = _patiently(line)
    if not isinstance(value, dict):
        raise NotAPage(f"a JSON {type(value).__name__}, not an object: {shorten(line[:80].decode(errors='replace'))}")
    return value


def _patiently(line: bytes) -> object:
    """The fast parser refuses half surrogate pairs and bare control characters, which real corpora hold."""
    try:
        return json.loads(line.decode("utf-8"), strict=False)
    except UnicodeDecodeError as error:
        raise NotAPage(f"not UTF-8 (byte {line[error.start]:#04x} at column {error.start + 1})") from None
    except RecursionError:
        raise NotAPage("JSON nested too deep") from None
    except ValueError as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise NotAPage(f"not JSON ({problem}): {shorten(line[:80].decode(errors='replace'))}") from None
