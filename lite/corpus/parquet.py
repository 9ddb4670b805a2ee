"""Parquet: a page a row, its columns recognised or named as the fields of JSONL are. The one door to pyarrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lite.corpus.layouts import COLUMNS, PATIENCE, Layout, layout_of, recognise
from lite.corpus.page import NotAPage, broken, make_page, one_line, shorten
from lite.corpus.streams import Count
from lite.errors import CorpusError
from lite.records import Broken, Page

_ROWS = 256  # decoded at a time


def read_parquet(
    path: Path, *, count: Count, layout: str | None = None, base_url: str | None = None
) -> Iterator[Page | Broken]:
    """Pages of one file, in row order. Only the columns that a layout looks at are read.

    Raises:
        UsageError: there is no such layout.
        CorpusError: the file is truncated or no Parquet file, or no row of it fits a layout.
    """
    fields, wanted = layout_of(layout) if layout else (None, COLUMNS)
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"{path} is truncated or no Parquet file ({one_line(error)}); fetch it again") from None
    with file:
        names = file.schema_arrow.names
        columns = [name for name in names if name in wanted]
        misfits: list[Broken] = []  # as in JSONL
        for row, record in _records(file, columns, count) if columns else ():
            fields = fields or (recognise(record) if isinstance(record, dict) else None)
            if fields is None:
                misfits.append(broken(path, f"row {row}", "no url and text under a known name"))
                if len(misfits) > PATIENCE:
                    break
                continue
            yield from misfits
            misfits.clear()
            try:
                yield _page(record, fields, base_url)
            except NotAPage as error:
                yield broken(path, f"row {row}", error)
        if fields is None or not columns:
            has = ", ".join(shorten(name, 20) for name in names[:8])
            raise CorpusError(
                f"{path} has no row with a url and a text under a known name (its columns: {has}); "
                "say which with a layout: url=NAME,text=NAME"
            )


def _page(record: dict[str, Any] | str, fields: Layout, base_url: str | None) -> Page:
    if isinstance(record, str):
        raise NotAPage(record)
    url, title, text = (_text(value) for value in fields(record))
    return make_page(url, title, text, base_url)


def _records(file: pq.ParquetFile, columns: list[str], count: Count) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Row number, from 1, and record; or why the rows from there to the end of their group cannot be read."""
    start = 0
    for group in range(file.num_row_groups):
        row = start
        try:
            for batch in file.iter_batches(batch_size=_ROWS, row_groups=[group], columns=columns):
                for record in _decoded(batch):
                    row += 1
                    yield row, record
        except (pa.ArrowException, OSError) as error:
            yield row + 1, f"the rest of row group {group} cannot be read ({one_line(error)})"
        facts = file.metadata.row_group(group)
        start += facts.num_rows
        count(sum(facts.column(number).total_compressed_size for number in range(facts.num_columns)))


def _decoded(batch: pa.RecordBatch) -> list[dict[str, Any] | str]:
    try:
        return batch.to_pylist()
    except UnicodeDecodeError:
        return [_row(batch.slice(number, 1)) for number in range(batch.num_rows)]


def _row(batch: pa.RecordBatch) -> dict[str, Any] | str:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.object[error.start]:#04x} at {error.start:,})"


def _text(value: object) -> object:
    """Columns written without a type of text hold bytes."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAPage(f"not UTF-8 (byte {value[error.start]:#04x} at {error.start:,})") from None
