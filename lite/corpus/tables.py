"""An HTML table becomes a rectangular pipe table: what spans rows or columns is repeated, empty ones are left out."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lite.corpus.markdown import Renderer

Element = Any  # an lxml element; only html.py knows the library

REPEATED = 4_000_000  # characters that spans may repeat in one document; past it a span counts as one cell
SLOTS = 1_000_000  # of a rectangle; a table that would need more is written row by row without one
DEPTH = 12  # tables inside tables; deeper ones are written as plain blocks
_HEADER_ROWS = 3  # as many rows of headings at the top are joined to one
_DATA = re.compile(r"wikitable|infobox|sortable|dataframe|datatable")
_BLOCK_CONTENT = {"h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr", "article", "section", "main", "form"}

Slot = tuple[int, str, bool]  # which cell, its text, whether it is a heading


def is_layout(table: Element) -> bool:
    """Whether a table only arranges blocks: by its role, or holding what no cell of data holds."""
    if table.get("role") in ("presentation", "none"):
        return True
    if _DATA.search((table.get("class") or "").lower()) or table.get("border") not in (None, "", "0"):
        return False
    cells = [cell for row in _rows(table)[0] for cell in row]
    if any(cell.tag == "th" for cell in cells) or table.find("caption") is not None:
        return False
    return len(cells) == 1 or any(_holds_blocks(cell) for cell in cells)


def _holds_blocks(cell: Element) -> bool:
    return any(
        inner.tag in _BLOCK_CONTENT or (inner.tag == "table" and _is_data(inner)) for inner in cell.iterdescendants()
    )


def _is_data(table: Element) -> bool:
    rows = _rows(table)[0]
    return len(rows) > 1 and max(map(len, rows)) > 1


def blocks(table: Element, renderer: "Renderer") -> list[str]:
    """The table's caption, if it has one, and the table, each a block."""
    rows, stray = _rows(table)
    caption = table.find("caption")
    above = [text for text in (renderer.cell(caption) if caption is not None else "", " ".join(stray.split())) if text]
    width = max((sum(_span(cell.get("colspan"), 1000) for cell in row) for row in rows), default=0)
    if width * len(rows) > SLOTS:
        return above + [text for row in rows if (text := _flat_row(row, renderer))]
    grid = _without_empty(_grid(rows, renderer))
    while grid and len({slot[0] for slot in grid[0]}) == 1 and (len(grid) > 1 or len(grid[0]) > 1):
        above.append(grid.pop(0)[0][1])  # a row of one cell above all others is a caption in fact
        grid = _without_empty(grid)
    if not grid:
        return above
    if len(grid[0]) == 1:
        return above + [row[0][1] for row in grid]
    return [*above, _pipes(grid)]


def flat(table: Element, renderer: "Renderer") -> str:
    """A table inside a cell, on one line: cells joined by commas, rows by semicolons."""
    rows, stray = _rows(table)
    lines = (_flat_row(row, renderer) for row in rows)
    return "; ".join(line for line in (" ".join(stray.split()), *lines) if line)


def _flat_row(cells: list[Element], renderer: "Renderer") -> str:
    return ", ".join(text for cell in cells if (text := renderer.cell(cell)))


def _rows(table: Element) -> tuple[list[list[Element]], str]:
    """The cells of each row, tables inside cells left alone; and text that stands outside every cell."""
    rows: list[list[Element]] = []
    stray: list[str] = [table.text or ""]
    stack = list(reversed(table))
    while stack:
        element = stack.pop()
        stray.append(element.tail or "")
        if element.tag == "tr":
            stray.append(element.text or "")
            stray.extend(child.tail or "" for child in element)
            rows.append([child for child in element if child.tag not in ("script", "style", "template")])
        elif element.tag in ("td", "th", "table", "p", "div", "ul", "ol"):
            rows.append([element])  # markup without its row
        elif element.tag not in ("caption", "script", "style", "template"):
            stray.append(element.text or "")
            stack.extend(reversed(element))
    return rows, " ".join(stray)


def _grid(rows: list[list[Element]], renderer: "Renderer") -> list[list[Slot]]:
    """All slots of the table, spans repeated; every row has the same length."""
    grid: list[list[Slot]] = []
    hanging: dict[int, tuple[int, Slot]] = {}  # column -> rows still to fill, and with what
    number = 0
    for index, cells in enumerate(rows):
        row: list[Slot] = []
        for cell in cells:
            _fill(row, hanging)
            number += 1
            text = renderer.cell(cell)
            slot = (number, text, cell.tag == "th")
            across = _span(cell.get("colspan"), 1000)
            down = _span(cell.get("rowspan"), len(rows) - index) or len(rows) - index
            cost = (across * down - 1) * (len(text) + 3)
            if cost > renderer.budget[0]:
                across = down = 1
            else:
                renderer.budget[0] -= cost
            for column in range(len(row), len(row) + max(across, 1)):
                row.append(slot)
                if down > 1:
                    hanging[column] = (down - 1, slot)
        _fill(row, hanging)
        while hanging and len(row) <= max(hanging):
            row.append((0, "", False))
            _fill(row, hanging)
        grid.append(row)
    width = max(map(len, grid), default=0)
    return [row + [(0, "", False)] * (width - len(row)) for row in grid]


def _fill(row: list[Slot], hanging: dict[int, tuple[int, Slot]]) -> None:
    """Take what hangs down from the rows above into the columns that come next."""
    while (held := hanging.pop(len(row), None)) is not None:
        left, slot = held
        if left > 1:
            hanging[len(row)] = (left - 1, slot)
        row.append(slot)


def _span(text: str | None, most: int) -> int:
    try:
        return max(0, min(int((text or "1").strip()), most))
    except ValueError:
        return 1


def _without_empty(grid: list[list[Slot]]) -> list[list[Slot]]:
    grid = [row for row in grid if any(slot[1] for slot in row)]
    if not grid:
        return []
    # A column that only repeats the cells to its left came from a span that nothing divides.
    keep = [
        column
        for column in range(len(grid[0]))
        if any(row[column][1] and (column == 0 or row[column][0] != row[column - 1][0]) for row in grid)
    ]
    return [[row[column] for column in keep] for row in grid]


def _pipes(grid: list[list[Slot]]) -> str:
    head, body = _header(grid)
    lines = [_line(head), "|" + "---|" * len(head)]
    for row in body:
        whole = len({slot[0] for slot in row}) == 1  # a heading between rows is said once
        lines.append(_line([row[0][1]] + [""] * (len(row) - 1) if whole else [slot[1] for slot in row]))
    return "\n".join(lines)


def _line(texts: list[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def _header(grid: list[list[Slot]]) -> tuple[list[str], list[list[Slot]]]:
    """The texts of the heading row and the rows below; without headings the first is empty."""
    count = 0
    while count < min(len(grid) - 1, _HEADER_ROWS) and all(slot[2] or not slot[1] for slot in grid[count]):
        count += 1
    if count and not any(any(not slot[2] and slot[1] for slot in row) for row in grid[count:]):
        count = 1  # all cells are headings: only the first row is one
    heads: list[str] = []
    for column in range(len(grid[0])):
        slots = dict.fromkeys((row[column][0], row[column][1]) for row in grid[:count])
        heads.append(" ".join(text for _, text in slots if text))
    return heads, grid[count:]
