"""One JSON object a line, plain, gzip or zstd, in three layouts that are recognised per file or named.

flat    {"url", "title", "doc"}                         the released LiteResearcher corpus; also "text", "content"
dolma   {"id", "text", "metadata": {"title", "url"}}    Dolma and its kin
serper  {"link", "title", "content" | "snippet"}        results of a search API
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from lite.corpus.page import MAX_BYTES, NotAPage, make_page, shorten
from lite.corpus.streams import Count, DamagedArchive, chunks, lines
from lite.errors import CorpusError, UsageError
from lite.records import Broken, Page

Fields = tuple[object, object, object]  # url, title, text; None where the record has none
_PATIENCE = 100  # records without a URL and a text, before the file is given up


def _flat(record: dict[str, Any]) -> Fields:
    return record.get("url"), record.get("title"), _first(record, "doc", "text", "content")


def _dolma(record: dict[str, Any]) -> Fields:
    metadata = record.get("metadata")
    inner = metadata if isinstance(metadata, dict) else {}
    return _first(inner, "url"), _first(inner, "title") or record.get("title"), record.get("text")


def _serper(record: dict[str, Any]) -> Fields:
    return record.get("link"), record.get("title"), _first(record, "content", "snippet")


def _first(record: dict[str, Any], *names: str) -> object:
    return next((record[name] for name in names if record.get(name)), None)


LAYOUTS: dict[str, Callable[[dict[str, Any]], Fields]] = {"flat": _flat, "dolma": _dolma, "serper": _serper}


def read_jsonl(
    path: Path, *, count: Count, layout: str | None = None, base_url: str | None = None
) -> Iterator[Page | Broken]:
    """Pages of one file, in file order. Blank lines are skipped; everything else that is no page is a `Broken`.

    Raises:
        UsageError: `layout` is not one of `LAYOUTS`.
        CorpusError: the file cannot be opened, holds no record, or no record that fits a layout.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"no layout is called {layout!r}; use one of: {', '.join(LAYOUTS)}")
    fields = LAYOUTS[layout] if layout else None
    name, misfits, number, keys, first = str(path), 0, 0, "", ""
    for number, record in _records(path, count):
        if isinstance(record, Broken):
            first = first or record.reason
            yield record
            continue
        fields = fields or _recognise(record)
        if fields is None:
            misfits, keys = misfits + 1, keys or ", ".join(shorten(key, 20) for key in list(record)[:8])
            if misfits > _PATIENCE:
                break
            yield Broken(source=name, where=f"line {number}", reason="no url and text under a known name")
            continue
        try:
            yield make_page(*fields(record), base_url)
        except NotAPage as error:
            yield Broken(source=name, where=f"line {number}", reason=str(error))
    if number == 0:
        raise CorpusError(f"{path} is empty; give a file with one JSON object a line")
    if fields is None:
        raise CorpusError(_unrecognised(path, keys, first))


def _recognise(record: dict[str, Any]) -> Callable[[dict[str, Any]], Fields] | None:
    for fields in LAYOUTS.values():
        url, _, text = fields(record)
        if url and text:
            return fields
    return None


def _unrecognised(path: Path, keys: str, first: str) -> str:
    if keys:
        return (
            f"{path} has no record with a url and a text under a known name (it has: {keys}); "
            "rename them to url, title and doc"
        )
    array = f"; for a JSON array: jq -c '.[]' {path.name} > pages.jsonl" if ".json" in path.suffixes else ""
    return f"{path} holds no JSON object on a line of its own ({first}){array or '; give one with an object a line'}"


def _records(path: Path, count: Count) -> Iterator[tuple[int, dict[str, Any] | Broken]]:
    """Line number and record of each line that is not blank."""
    name, number = str(path), 0
    try:
        for number, line in enumerate(lines(chunks(path, count), MAX_BYTES), 1):
            if isinstance(line, int):
                reason = f"line longer than {MAX_BYTES >> 20} MB ({line / 2**20:,.0f} MB)"
                yield number, Broken(source=name, where=f"line {number}", reason=reason)
                continue
            if not line or line.isspace():
                continue
            try:
                yield number, _object(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except NotAPage as error:
                yield number, Broken(source=name, where=f"line {number}", reason=str(error))
    except DamagedArchive as error:
        yield number + 1, Broken(source=name, where=f"after line {number}", reason=str(error))


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
