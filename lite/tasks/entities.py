"""What a task stands on: the things that it asks about, those on the way, and those that answer it.

A list stands on every member, and so does a count or a sum. Rows that were only compared with the answer (the others of
a rank, the two lists that meet in one) are its background: they do not count.
"""

from typing import Any

from lite.tasks.derive import Node, derive, fitting
from lite.tasks.ground import Ground
from lite.tasks.statements import bare_name

_AMONG = {"meet", "most", "least", "rank"}


def entities(node: Node, ground: Ground) -> list[str]:
    """The names of what a derivation stands on, sorted. A page is meant by what it is about, whatever its address."""
    return sorted(_names(node, ground) - {""})


def _names(node: Node, ground: Ground) -> set[str]:
    op = node["op"]
    if op == "find":
        return _of_rows(node, ground)
    answer = {_name(item, ground) for item in derive(node, ground).items}
    if op == "fact":
        page = node["page"]
        if isinstance(page, dict):
            return answer | _names(page, ground) | {_title(derive(page, ground).one().link, ground)}
        return answer | {_title(page, ground)}
    parts: list[Any] = node["of"] if isinstance(node["of"], list) else [node["of"]]
    if op in _AMONG:
        return answer.union(*(_described(part, ground) for part in parts))
    return answer.union(*(_names(part, ground) for part in parts))


def _of_rows(node: Node, ground: Ground) -> set[str]:
    sheet, rows, _ = fitting(node, ground)
    columns = {sheet.subject, sheet.header.index(node["get"])}
    return {_name(row[at], ground) for row in rows for at in columns} | _described(node, ground)


def _described(node: Node, ground: Ground) -> set[str]:
    """What the conditions of a node describe and do not name."""
    return set[str]().union(*(_names(what, ground) for _, _, what in node.get("where", ()) if isinstance(what, dict)))


def _name(item: Any, ground: Ground) -> str:
    """Of a cell or an item: what its page is about, or its own words; "" for a number or a date."""
    if item.link:
        return _title(item.link, ground)
    return item.value.text if item.value.kind == "text" else ""


def _title(url: str, ground: Ground) -> str:
    return bare_name(ground.title_of(url))
