"""Under which names a record holds its URL, title and text: three layouts, recognised or named, or names given.

flat    {"url", "title", "doc"}                         the released LiteResearcher corpus; also "text", "content"
dolma   {"id", "text", "metadata": {"title", "url"}}    Dolma and its kin
serper  {"link", "title", "content" | "snippet"}        results of a search API
"""

from collections.abc import Callable
from typing import Any

from lite.errors import UsageError

Fields = tuple[object, object, object]  # url, title, text; None where the record has none
Layout = Callable[[dict[str, Any]], Fields]


def _flat(record: dict[str, Any]) -> Fields:
    return record.get("url"), record.get("title"), _first(record, "doc", "text", "content")


def _dolma(record: dict[str, Any]) -> Fields:
    metadata = record.get("metadata")
    inner = metadata if isinstance(metadata, dict) else {}
    return inner.get("url"), inner.get("title") or record.get("title"), record.get("text")


def _serper(record: dict[str, Any]) -> Fields:
    return record.get("link"), record.get("title"), _first(record, "content", "snippet")


def _first(record: dict[str, Any], *names: str) -> object:
    return next((record[name] for name in names if record.get(name)), None)


LAYOUTS: dict[str, Layout] = {"flat": _flat, "dolma": _dolma, "serper": _serper}
PATIENCE = 100  # records in a row that fit no layout, before a file is given up
COLUMNS = ("url", "title", "doc", "text", "content", "metadata", "link", "snippet")  # what they look at


def layout_of(name: str) -> tuple[Layout, tuple[str, ...]]:
    """The layout called `name`, or given as "url=NAME,title=NAME,text=NAME", and the fields it looks at.

    A NAME with dots leads into an object: "url=metadata.source.url". The title may be left out.

    Raises:
        UsageError: there is no such layout.
    """
    if name in LAYOUTS:
        return LAYOUTS[name], COLUMNS
    parts = (part.partition("=") for part in name.split(",") if "=" in part)
    given = {field.strip(): of.strip() for field, _, of in parts}
    if not {"url", "text"} <= given.keys() <= {"url", "title", "text"}:
        raise UsageError(
            f"no layout is called {name!r}; use one of: {', '.join(LAYOUTS)}, or name the fields: url=NAME,text=NAME"
        )
    paths = [given[field].split(".") if field in given else [] for field in ("url", "title", "text")]
    return (
        lambda record: (_lead(record, paths[0]), _lead(record, paths[1]), _lead(record, paths[2])),
        tuple(path[0] for path in paths if path),
    )


def _lead(record: object, path: list[str]) -> object:
    if not path:
        return None
    for name in path:
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record


def recognise(record: dict[str, Any]) -> Layout | None:
    """The first layout under which `record` has a URL and a text."""
    for layout in LAYOUTS.values():
        url, _, text = layout(record)
        if url and text:
            return layout
    return None
