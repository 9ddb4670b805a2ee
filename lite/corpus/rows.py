"""Rows of plain values to and from Parquet, for files that are no pages: sets of tasks, for one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lite.corpus.page import one_line
from lite.errors import UsageError


def write_rows(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Write `rows` to the Parquet file `out`, whole or not at all; the columns are those of the rows."""
    new = out.with_name(f"{out.name}.new")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        pq.write_table(pa.Table.from_pylist(list(rows)), new)
        new.replace(out)
    finally:
        new.unlink(missing_ok=True)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file. Raises UsageError when it is none."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path} is truncated or no Parquet file ({one_line(error)}): fetch it again") from None
