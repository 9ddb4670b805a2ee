"""Reports as Markdown, for a file that people read."""

from collections.abc import Sequence
from pathlib import Path

from lite.errors import UsageError


def markdown(title: str, tables: Sequence[Sequence[Sequence[str]]], remarks: Sequence[str]) -> str:
    """A heading, the remarks as a list, and the tables, each with a first row that names its columns."""
    parts = [f"# {title}", "", *(f"- {line}" for line in remarks)]
    for table in tables:
        head, *rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
        parts += ["", head, "|" + "---|" * len(table[0]), *rows]
    return "\n".join([*parts, ""])


def write(path: Path, text: str) -> None:
    """Write a report. Raises UsageError when the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name another file") from None
