"""The Markdown tables of a page, each cell with the place it stands at. A table that is not rectangular is none."""

import re
from itertools import pairwise
from typing import NamedTuple

from lite.index.text import links
from lite.tasks.values import Value, clean, read_value

_RULE = re.compile(r"\|?[\s:|-]*-[\s:|-]*\|?$")
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_BAR = re.compile(r"(?<!\\)\|")


class Cell(NamedTuple):
    """One cell: what it says, the page it links to (only when to one), and where it stands in the page's text."""

    value: Value
    link: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The cell as plain text."""
        return self.value.text


class Table(NamedTuple):
    """The `nth` table of a page (from 0), under the titles of the sections around it, outermost first."""

    nth: int
    heading: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def read_tables(text: str) -> tuple[list[Table], int]:
    """The tables of `text`, and how many were broken (rows of unequal length, or no row at all)."""
    tables: list[Table] = []
    broken = nth = 0
    path: list[tuple[int, str]] = []
    block: list[tuple[int, str]] = []
    fence = ""
    place = 0
    for line in [*text.splitlines(keepends=True), ""]:
        bare = line.strip()
        if fence:
            fence = "" if bare.startswith(fence) else fence
        elif bare.startswith("|"):
            block.append((place, line.rstrip("\r\n")))
        else:
            if block:
                table = _table(block, nth, tuple(title for _, title in path))
                nth += 1
                broken += table is None
                tables += [table] if table else []
                block = []
            if mark := _HEADING.match(bare):
                level = len(mark[1])
                path = [*(part for part in path if part[0] < level), (level, clean(mark[2]))]
            elif opened := _FENCE.match(line):
                fence = opened[1]
        place += len(line)
    return tables, broken


def _table(block: list[tuple[int, str]], nth: int, heading: tuple[str, ...]) -> Table | None:
    if len(block) < 3 or not _RULE.match(block[1][1].strip()):
        return None
    header = tuple(clean(cell) for cell, _ in _cells(*block[0]))
    rows = []
    for place, line in block[2:]:
        cells = _cells(place, line)
        if len(cells) != len(header):
            return None
        rows.append(tuple(_cell(raw, start) for raw, start in cells))
    return Table(nth, heading, header, tuple(rows))


def _cells(place: int, line: str) -> list[tuple[str, int]]:
    """(Markdown, place in the page) of each cell of a row."""
    bars = [found.start() for found in _BAR.finditer(line)]
    if not bars or line[: bars[0]].strip():
        return []
    if line[bars[-1] + 1 :].strip():
        bars.append(len(line))
    return [(line[a + 1 : b], place + a + 1) for a, b in pairwise(bars)]


def _cell(raw: str, start: int) -> Cell:
    body = raw.strip()
    start += len(raw) - len(raw.lstrip())
    targets = list(links(body))
    return Cell(read_value(body), targets[0][0] if len(targets) == 1 else "", start, start + len(body))
