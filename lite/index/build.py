"""Sources become a world: read, settle, write pages and lexical index, embed, and at the very end `world.json`.

A build may be killed at any moment. Reading goes on after the last batch (its progress is stored with its pages),
embedding after the last vectors; writing, which takes seconds where those take hours, starts over.
"""

import errno
import hashlib
import itertools
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import lite
from lite.corpus import files_of, read_pages, size_of
from lite.errors import CorpusError, UsageError, WorldError
from lite.index import lock, manifest
from lite.index.embedding import Encoder, embed_missing
from lite.index.lexical import LexicalWriter
from lite.index.manifest import Embedding, Settings, Source, WorldInfo
from lite.index.pages import PageStore, PageWriter
from lite.index.staging import Staging, storable

PAGES, LEXICAL, STAGING, VECTORS = "pages.sqlite", "lexical", "build.sqlite", "vectors.lance"
_OURS = {PAGES, f"{PAGES}-journal", LEXICAL, STAGING, f"{STAGING}-wal", f"{STAGING}-shm", f"{STAGING}-journal"}
_OURS |= {VECTORS, lock.FILE, f"{manifest.FILE}.new"}
_BATCH = 1000  # records a transaction
_SAMPLE = 2000  # pages the compression dictionary is trained on


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is. `read` counts `done` and `total` in bytes of all sources, the other stages in pages."""

    stage: str  # read, write, embed
    pages: int  # so far in this stage
    done: int
    total: int


def settings_of(
    sources: Sequence[str | Path],
    out: Path,
    embedder: str,
    limit: int | None,
    layout: str | None,
    base_url: str | None,
) -> Settings:
    """The settings of a build, its sources described so that a second build knows whether they are the same.

    `out` may lie within a source; what the build itself puts there is no part of it.

    Raises:
        UsageError: no source, a source that does not exist, or a limit below 1.
    """
    if not sources:
        raise UsageError("a world needs pages: name at least one source")
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} pages leaves nothing: give 1 or more")
    described = tuple(
        Source(name=storable(str(s)), bytes=size_of(s, without=out), digest=_source_digest(s, out)) for s in sources
    )
    return Settings(sources=described, embedder=embedder, limit=limit, layout=layout, base_url=base_url)


def build_date(given: str | None) -> str:
    """`given`, else the date of SOURCE_DATE_EPOCH, else today's. Raises UsageError unless it is YYYY-MM-DD."""
    if given is None:
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        day = datetime.fromtimestamp(int(epoch), UTC).date() if epoch.isdecimal() else date.today()  # noqa: DTZ011
        return day.isoformat()
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError:
        raise UsageError(f"{given!r} is not a date: write it as YYYY-MM-DD") from None


def build(
    sources: Sequence[str | Path],
    out: Path,
    settings: Settings,
    *,
    encoder: Callable[[], Encoder] | None,
    dated: str | None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Build the world of `settings` in `out`, or finish the build that was interrupted there.

    Args:
        sources: those of the settings, as the system has their names.
        out: a new or empty folder, or one where the same build was interrupted or is finished (then nothing is done).
        settings: from `settings_of`.
        encoder: loads the embedder; None for a lexical world.
        dated: the world's date, for `build_date`.
        progress: called a few times a second while the build works.

    Raises:
        UsageError: the date is none, or the name of `out` is no UTF-8, in which Tantivy takes it.
        WorldError: `out` holds something else, is finished with another date, or another process is writing it.
        CorpusError: a source cannot be read, or holds no page. The pages of those before it are kept; where there
            are none, what the build had made is removed.
    """
    built = build_date(dated)
    if storable(str(out)) != str(out):
        raise UsageError(f"{storable(str(out))} is no valid UTF-8: give the folder of the world another name")
    if _finished(out, settings):
        kept = manifest.read(out).built
        if dated is not None and built != kept:
            raise WorldError(f"{out} is finished and dated {kept}: leave the date out, or name another folder")
        if not (out / STAGING).exists():
            return
    existed = out.exists()
    if existed and not out.is_dir():
        raise WorldError(f"{out} is a file: name a folder for the world")
    loaded = encoder() if encoder else None  # what is missing shows before hours of reading
    work = None
    try:
        with _writable(out), lock.writing(out):
            if not _finished(out, settings):
                work = _Build(sources, out, settings, progress or (lambda _: None))
                work.run(loaded, built)
            _remove_staging(out)
    except CorpusError as error:
        if work and work.kept:
            raise CorpusError(
                f"{error} ({work.kept} pages of the sources before it are kept in {out}: mend this source or leave it "
                "out, and run the command again)"
            ) from None
        _remove_staging(out)
        if not existed:
            out.rmdir()
        raise


def interrupted(folder: Path) -> str | None:
    """Why there is no world in `folder` yet, in one line with the next step; None when nothing was begun there."""
    holder = lock.holder(folder)
    if holder:
        return f"{folder} is being built by {holder}: wait until it is done"
    if (folder / STAGING).exists():
        return f"the build of {folder} was interrupted: run the same `lite world build` again to finish it"
    return None


def _finished(out: Path, settings: Settings) -> bool:
    if not (out / manifest.FILE).exists():
        return False
    if manifest.read(out).settings.same_as(settings):
        return True
    raise WorldError(f"{out} is a finished world of other sources or settings: name another folder, or remove this one")


def _remove_staging(out: Path) -> None:
    for path in out.glob(f"{STAGING}*"):
        path.unlink()


class _Build:
    def __init__(
        self,
        sources: Sequence[str | Path],
        out: Path,
        settings: Settings,
        progress: Callable[[Progress], None],
    ) -> None:
        self._sources = sources  # the settings have their names as JSON can
        self._out, self._settings, self._report = out, settings, progress
        self.kept = 0  # pages that were read before a source that could not be
        known = _OURS if (out / STAGING).exists() else {lock.FILE}
        foreign = sorted({entry.name for entry in out.iterdir()} - known)
        if foreign:
            raise WorldError(f"{out} holds {foreign[0]}, which is no part of this build: name a new folder")
        try:
            self._staging = Staging(out / STAGING)
        except sqlite3.DatabaseError as error:
            if _is_full(error):
                raise
            raise WorldError(f"{out / STAGING} is damaged ({error}): remove {out} and build again") from None
        try:
            self._check_same()
        except WorldError:
            self._staging.close()
            raise

    def _check_same(self) -> None:
        if not self._staging.get("records", 0):  # nothing would be lost
            self._staging.clear()
            self._staging.put("settings", self._settings.model_dump(mode="json"))
            return
        begun = Settings.model_validate(self._staging.get("settings"))
        sound = self._staging.get("sound")  # how many sources came before one that could not be read
        same = begun.same_as(self._settings) if sound is None else begun.begins_as(self._settings, sound)
        if not same:
            names = " ".join(source.name for source in begun.sources)
            raise WorldError(
                f"{self._out} holds an unfinished build of {names} with other settings or contents: run the command "
                f"that began it, or remove {self._out}"
            )
        if sound is not None:
            self._staging.put("settings", self._settings.model_dump(mode="json"))
            self._staging.put("sound", None)  # from here on these sources count

    def run(self, encoder: Encoder | None, built: str) -> None:
        try:
            stage = self._staging.get("stage", "read")
            if stage == "read":
                self._read()
                self._staging.put("stage", "write")
            if stage in {"read", "write"}:
                self._write()
                self._staging.put("stage", "embed")
            embedding = self._embed(encoder) if encoder else None
            manifest.write(self._account(embedding, built), self._out)
        finally:
            self._staging.close()

    # ------------------------------------------------------------ read

    def _read(self) -> None:
        before = 0
        for number, source in enumerate(self._settings.sources):
            try:
                self._read_source(f"source {number}", self._sources[number], before)
            except CorpusError:
                self._staging.rewind()
                self._staging.put("sound", number)
                self.kept = self._staging.get("records", 0)
                raise
            before += source.bytes
        if not self._staging.get("records", 0):
            raise CorpusError("the sources hold no page: name a source with pages")

    def _read_source(self, name: str, source: str | Path, before: int) -> None:
        done = self._staging.get(name, 0)
        if not done:
            self._staging.mark()
        total = sum(each.bytes for each in self._settings.sources)
        read = 0

        def count(size: int) -> None:
            nonlocal read
            read = size

        layout, base = self._settings.layout, self._settings.base_url
        records = read_pages(source, layout=layout, base_url=base, progress=count)
        stream = itertools.islice(records, done, None)
        while batch := list(itertools.islice(stream, self._room())):
            done += len(batch)
            self._staging.add(batch, (name, done))
            self._report(Progress("read", self._staging.get("records"), before + read, total))

    def _room(self) -> int:
        """Records the next batch may have: a limit counts pages, so near it they are taken singly."""
        limit = self._settings.limit
        if limit is None:
            return _BATCH
        left = limit - self._staging.get("records", 0)
        return min(_BATCH, left)

    # ------------------------------------------------------------ write

    def _write(self) -> None:
        total = self._staging.settle()
        pages = PageWriter(self._out / PAGES, self._staging.sample(_SAMPLE))
        lexical = LexicalWriter(self._out / LEXICAL)
        for page in self._staging.pages():
            pages.add(page)
            lexical.add(page.id, page.titles, page.text)
            if page.id % _BATCH == 0 or page.id == total:
                self._report(Progress("write", page.id, page.id, total))
        pages.finish(self._staging.aliases())
        lexical.finish()

    # ------------------------------------------------------------ embed

    def _embed(self, encoder: Encoder) -> Embedding:
        from lite.index.vectors import VectorWriter

        begun = self._staging.get("embedder")
        if begun not in {None, encoder.fingerprint}:
            raise WorldError(f"{self._out} was begun with another version of {encoder.name}: remove it and build again")
        self._staging.put("embedder", encoder.fingerprint)
        vectors = VectorWriter(self._out, encoder.dim)
        with closing(PageStore(self._out / PAGES)) as store:
            embed_missing(store, vectors, encoder, "page", lambda n, of: self._report(Progress("embed", n, n, of)))
        return Embedding(name=encoder.name, fingerprint=encoder.fingerprint, dim=encoder.dim, index=vectors.finish())

    # ------------------------------------------------------------ account

    def _account(self, embedding: Embedding | None, built: str) -> WorldInfo:
        store = PageStore(self._out / PAGES)
        digest = digest_of(store)
        counts: dict[str, Any] = store.counts() | self._staging.counts()
        store.close()
        # Equal pages make equal lexical indexes; vector indexes are trained, so each build of one is its own.
        index_id = (
            uuid.uuid4().hex if embedding else hashlib.blake2b(f"lexical {digest}".encode(), digest_size=16).hexdigest()
        )
        return WorldInfo(
            digest=digest,
            index_id=index_id,
            built=built,
            version=lite.__version__,
            embedding=embedding,
            settings=self._settings,
            **counts,
        )


def digest_of(store: PageStore) -> str:
    """The content digest of the pages and aliases of a store."""
    return manifest.content_digest(store.records())


def _source_digest(source: str | Path, out: Path) -> str:
    """A digest of the names and bytes of the files that reading the source looks at."""
    state = hashlib.blake2b(digest_size=16)
    for name, entry in files_of(source, without=out):
        state.update(f"{len(name)}:{name}".encode(errors="surrogateescape") + _file_digest(entry))
    return state.hexdigest()


def _file_digest(path: Path) -> bytes:
    """A digest of a file's bytes; of what cannot be read it is empty, and the reader says why."""
    if not path.is_file():  # to open a named pipe would wait for ever
        return b""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return b""


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Make the folder. What the disk refuses is one clear line, and the next run goes on from what was written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except Exception as error:
        if _is_full(error):
            raise WorldError(f"no space left on the disk of {out}: free some and run the same command again") from None
        if "disk i/o error" in str(error).lower():  # SQLite's word for a used-up quota, and for a disk that fails
            raise WorldError(f"{out} cannot be written ({error}): see to its disk, then run the same again") from None
        if isinstance(error, PermissionError | NotADirectoryError):
            raise WorldError(f"{out} cannot be written ({error.strerror}): name a folder of your own") from None
        raise


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    text = str(error).lower()  # SQLite, Tantivy and LanceDB have only words for it
    return "database or disk is full" in text or "no space left" in text
