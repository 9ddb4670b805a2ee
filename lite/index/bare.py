"""The files of a world through their libraries alone, and what a plain program would write: what `lite bench world`
compares the world's own code with. Nothing else uses this.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
import zstandard

from lite.index import generation, manifest
from lite.index.lexical import query_terms
from lite.index.vectors import PROBES


def parts_of(world: Path) -> tuple[Path, manifest.WorldInfo]:
    """The folder of the world's present generation, and its account."""
    info = manifest.read(world)
    return generation.folder_of(world, info.generation), info


class BareText:
    """The lexical index through Tantivy: a query of the same terms, the best ids."""

    def __init__(self, folder: Path) -> None:
        index = tantivy.Index.open(str(folder / generation.LEXICAL))
        self._schema, self._searcher = index.schema, index.searcher()

    @staticmethod
    def terms(query: str) -> list[str]:
        """What the world looks up for `query`, so that making it is no part of the comparison."""
        return query_terms(query, stopwords=False)

    def search(self, terms: Sequence[str], k: int) -> list[int]:
        """Ids of the `k` best pages."""
        should, term = tantivy.Occur.Should, tantivy.Query.term_query
        clauses = [(should, term(self._schema, field, each, "freq")) for each in terms for field in ("body", "title")]
        found = self._searcher.search(tantivy.Query.boolean_query(clauses), k, count=False).hits
        return self._searcher.fast_field_values("id", [address for _, address in found])  # type: ignore[return-value]


class BareVectors:
    """The vectors through LanceDB and their index; where there is no index, one product of matrices in NumPy, which is
    many times faster than LanceDB's own scan.
    """

    def __init__(self, folder: Path, index: str) -> None:
        import lancedb

        self._table: Any = lancedb.connect(folder).open_table("vectors")
        self._matrix: np.ndarray | None = None
        if index == "exact":
            flat = self._table.to_arrow()["vector"].combine_chunks().flatten().to_numpy()
            self._matrix = np.ascontiguousarray(flat.reshape(self._table.count_rows(), -1))

    def search(self, vector: np.ndarray, k: int) -> list[int]:
        """The `k` nearest rows, or their pages."""
        if self._matrix is not None:
            scores = self._matrix @ vector
            best = np.argpartition(-scores, min(k, len(scores) - 1))[:k]
            return best[np.argsort(-scores[best])].tolist()
        query = self._table.search(vector).distance_type("cosine").nprobes(PROBES).refine_factor(2).limit(k)
        return query.select(["id", "_distance"]).to_arrow()["id"].to_pylist()


class BarePages:
    """The page store through SQLite and Zstandard: a row by its URL, unpacked."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(f"{(folder / generation.PAGES).resolve().as_uri()}?mode=ro", uri=True)
        self._db.execute("pragma mmap_size = 2147418112")
        row = self._db.execute("select data from dictionary").fetchone()
        shared = zstandard.ZstdCompressionDict(row[0]) if row else None
        self._unpack = zstandard.ZstdDecompressor(dict_data=shared).decompress

    def read(self, url: str) -> tuple[str, str]:
        """(title, text) of the page at exactly this URL."""
        title, body = self._db.execute("select title, body from pages where url = ?", (url,)).fetchone()
        return title, self._unpack(body).decode()

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def write_text_index(folder: Path, pages: Iterable[tuple[int, str, str]]) -> None:
    """What a plain program would write with Tantivy: title and text with its English tokenizer and positions.

    One thread and as much memory as a world's own writer has.
    """
    folder.mkdir(parents=True)
    schema = tantivy.SchemaBuilder()
    schema.add_integer_field("id", stored=False, indexed=True, fast=True)
    schema.add_text_field("title", tokenizer_name="en_stem", index_option="position")
    schema.add_text_field("body", tokenizer_name="en_stem", index_option="position")
    index = tantivy.Index(schema.build(), path=str(folder))
    writer = index.writer(heap_size=256_000_000, num_threads=1)
    for key, title, text in pages:
        writer.add_document(tantivy.Document(id=key, title=title, body=text))
    writer.commit()
    writer.wait_merging_threads()
