"""BM25 over titles and texts in Tantivy: two fields of terms and their positions, nothing stored but a page's id.

A term counts in the title as in the text, each by its own field's statistics: that alone takes the table page of
1,118 questions into the top ten for 83 % instead of 63 %; twice the weight gains there and loses elsewhere. Texts are
indexed as a reader sees them, without the addresses of their links: 85 %, and phrases run across a link.

Positions are there for phrases. They add a half to the whole of the index's size again and some percent to its
building; queries of terms do not read them.

Queries are built term by term. Tantivy's query parsers are never used: both crash the process on deep parentheses.
"""

import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tantivy

from lite.errors import WorldError, one_line
from lite.index.text import STOPWORDS, analyzer, is_lone, plain, segment, stems, stems_of, words_of

_TOKENIZER = "lite"
_HEAP = 256_000_000  # one thread and one heap size: the same pages in the same order make the same segments
QUERY_TERMS = 64  # distinct terms of a query that are looked up; the rest of a very long one is ignored
PHRASE_TERMS = 256  # of a longer phrase the beginning is looked for
_MOST_TIES = 4096
_MAGIC = 1337  # the end of every file of a segment


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=False, indexed=True, fast=True)
    builder.add_text_field("title", tokenizer_name=_TOKENIZER, index_option="position")
    builder.add_text_field("body", tokenizer_name=_TOKENIZER, index_option="position")
    return builder.build()


class LexicalWriter:
    """Writes a whole index into `path`, replacing what is there, or changes it. Durable when `finish` returns."""

    def __init__(self, path: Path, *, new: bool) -> None:
        if new:
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        self._path = path
        with _sound(path):
            index = tantivy.Index(_schema(), path=str(path)) if new else tantivy.Index.open(str(path))
        index.register_tokenizer(_TOKENIZER, analyzer())
        self._writer = index.writer(heap_size=_HEAP, num_threads=1)

    def add(self, page: int, title: str, text: str) -> None:
        """Add one page; `title` may be several, a line each."""
        titles = [segment(line) for line in title.splitlines()]
        self._writer.add_document(tantivy.Document(id=page, title=titles, body=segment(plain(text))))

    def remove(self, pages: Iterable[int]) -> None:
        """Take out these pages; those that come back, changed, are added again."""
        for page in pages:
            self._writer.delete_documents_by_term("id", page)

    def finish(self) -> None:
        """Commit and wait until the segments are merged."""
        self._writer.commit()
        self._writer.wait_merging_threads()
        for file in self._path.iterdir():
            file.chmod(file.stat().st_mode | 0o444)  # Tantivy keeps its meta.json to itself; a world is for sharing


class LexicalIndex:
    """Read access to an index; the process's own and safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _sound(path), _lockable(path) as folder:
            index = tantivy.Index.open(str(folder))
            index.config_reader(reload_policy="manual")  # one snapshot, and no thread that watches for others
            self._searcher = index.searcher()
        self._schema = index.schema

    @property
    def count(self) -> int:
        """Pages in the index."""
        return self._searcher.num_docs

    def ids(self) -> list[int]:
        """The id of every page in the index, ascending."""
        everything = tantivy.Query.all_query()
        with _sound(self._path):
            found = self._searcher.search(everything, max(1, self.count), count=False).hits
            ids: list[Any] = self._searcher.fast_field_values("id", [address for _, address in found])
        return sorted(ids)

    def search(
        self,
        query: str,
        k: int,
        *,
        hidden: Collection[int] = (),
        stopwords: bool = False,
        phrase: bool = False,
    ) -> list[tuple[int, float]]:
        """The `k` best pages as (id, BM25 score), best first.

        Pages whose score equals that of the last are all there, up to some thousands, so there can be more than `k`.

        Args:
            query: any text; only its words count.
            k: how many.
            hidden: ids that must not appear.
            stopwords: True also looks up the English function words of the query.
            phrase: the words, all of them, must stand in a title or text one after the other.
        """
        if phrase:
            words = [(place, stem) for place, stem in enumerate(phrase_terms(query)) if stem]
            asked = [stem for _, stem in words]
        else:
            words, asked = [], query_terms(query, stopwords=stopwords)
        if len(words) <= 1 and asked and all(map(is_lone, asked)):
            query_of = [self._among(field, term) for term in asked for field in ("body", "title")]
        elif words:
            query_of = [self._phrase(field, words) for field in ("body", "title")]
        else:
            query_of = [self._term(field, term) for term in asked for field in ("body", "title")]
        return self._ranked(query_of, k, hidden)

    def by_title(self, words: str, k: int, *, hidden: Collection[int] = ()) -> list[tuple[int, float]]:
        """The `k` pages whose titles fit `words` best."""
        return self._ranked([self._term("title", term) for term in query_terms(words, stopwords=True)], k, hidden)

    def frequency(self, term: str) -> int:
        """How many pages have `term` (as `lite.index.text.terms` gives it) in their text."""
        with _sound(self._path):
            return self._searcher.doc_freq("body", term)

    def _term(self, field: str, term: str) -> Any:
        return tantivy.Query.term_query(self._schema, field, term, "freq")

    def _among(self, field: str, character: str) -> Any:
        """Pages with a lone unspaced character, which stands in the index with a neighbour mostly."""
        return tantivy.Query.regex_query(self._schema, field, f"{character}.?|.{character}")

    def _phrase(self, field: str, words: list[tuple[int, str]]) -> Any:
        if len(words) == 1:
            return self._term(field, words[0][1])
        if is_lone(words[0][1]) or is_lone(words[-1][1]):  # the text may have it with a neighbour out of the phrase
            (start, first), *inner, (end, last) = words
            before, after = ".?" * is_lone(first), ".?" * is_lone(last)
            patterns = [(start, f"{before}{first}"), *inner, (end, f"{last}{after}")]
            return tantivy.Query.regex_phrase_query(self._schema, field, patterns)  # pyright: ignore[reportArgumentType]
        return tantivy.Query.phrase_query(self._schema, field, words)  # pyright: ignore[reportArgumentType]

    def _ranked(self, any_of: list[Any], k: int, hidden: Collection[int]) -> list[tuple[int, float]]:
        """Best `k` and their ties: hits are fetched until the score falls below the k-th."""
        if not any_of or k < 1:
            return []
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, each) for each in any_of])
        limit = k + len(hidden) + 8
        while True:
            limit = min(limit, max(1, self.count))  # Tantivy makes room for as many as it is asked for
            with _sound(self._path):
                found = self._searcher.search(query, limit, count=False).hits
                ids: list[Any] = self._searcher.fast_field_values("id", [address for _, address in found])
            hits = [(page, score) for page, (score, _) in zip(ids, found, strict=True) if page not in hidden]
            complete = len(found) < limit or (len(hits) > k and hits[k - 1][1] > hits[-1][1])
            if complete or limit >= min(self.count, max(k, _MOST_TIES)):
                return [hit for hit in hits if hit[1] >= hits[k - 1][1]] if len(hits) > k else hits
            limit *= 4


def damaged(path: Path) -> list[str]:
    """Names of the files of the index in `path` that are not as they were written, by Tantivy's own checksums.

    A file of a segment ends in {"crc": CRC-32 of what stands before}, the length of that, and a magic number.
    """
    if not path.is_dir():
        return []  # opening it says so
    files = sorted(file for file in path.iterdir() if file.suffix not in {".json", ".lock"})
    return [file.name for file in files if not _is_whole(file)]


def _is_whole(file: Path) -> bool:
    with file.open("rb") as handle:
        end = handle.seek(0, os.SEEK_END) - 8
        if end < 0:
            return False
        handle.seek(end)
        length = int.from_bytes(handle.read(4), "little")
        if int.from_bytes(handle.read(4), "little") != _MAGIC or length > end:
            return False
        handle.seek(end - length)
        try:
            said = json.loads(handle.read(length))["crc"]
        except (ValueError, TypeError, KeyError):
            return False
        handle.seek(0)
        left, found = end - length, 0
        while left and (piece := handle.read(min(left, 1 << 20))):
            left, found = left - len(piece), zlib.crc32(piece, found)
    return found == said


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Damage is one clear line, also where Tantivy panics: that is no `Exception`, nor to be imported."""
    try:
        yield
    except BaseException as error:  # a panic of Rust is no Exception
        if not isinstance(error, OSError | ValueError) and type(error).__name__ != "PanicException":
            raise
        raise WorldError(
            f"{path} is not a sound lexical index ({one_line(error)}): copy the world again, or build it again"
        ) from None


@contextmanager
def _lockable(path: Path) -> Iterator[Path]:
    """`path`, or where it may not be written a passing folder of links to its files.

    Tantivy locks a file for writing while it opens an index, even one that is only read.
    """
    file = path / ".tantivy-meta.lock"
    if os.access(file if file.exists() else path, os.W_OK):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="lite-lexical-") as shadow:
        for entry in path.iterdir():
            if entry.suffix != ".lock":
                (Path(shadow) / entry.name).symlink_to(entry.resolve())
        yield Path(shadow)


def query_terms(query: str, *, stopwords: bool) -> list[str]:
    """The distinct terms a query asks for, in order.

    Without `stopwords`, function words are left out unless the query has nothing else; a word in capitals (WHO, IT)
    is a name, not one of them.
    """
    said = words_of(query)
    if not stopwords:
        shouted = query.isupper()
        said = [word for word in said if not _is_stopword(word, shouted=shouted)] or said
    return list(dict.fromkeys(stems(said)))[:QUERY_TERMS]


def _is_stopword(word: str, *, shouted: bool) -> bool:
    return word.lower() in STOPWORDS and (shouted or len(word) == 1 or not word.isupper())


def phrase_terms(query: str) -> list[str]:
    """The terms of a phrase in order, "" in the place of a word that the index does not hold."""
    return stems_of(words_of(query)[:PHRASE_TERMS])
