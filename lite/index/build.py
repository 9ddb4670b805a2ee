"""Sources become a world, or come into one: read, settle, write pages and indexes, embed, and at the very end
`world.json`, which names the generation that was made.

Any of it may be killed at any moment. Reading goes on after the last batch (its progress is stored with its pages),
embedding after the last vectors; writing, which takes seconds where those take hours, starts over.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import zstandard

from lite.dates import iso_date
from lite.errors import CorpusError, UsageError, WorldError, one_line
from lite.index import generation, lock, manifest
from lite.index.account import account
from lite.index.collect import Collector, Progress
from lite.index.disk import is_refused, writable
from lite.index.embedding import Encoder
from lite.index.generation import folder_of
from lite.index.manifest import Change, Embedding, Settings, WorldInfo
from lite.index.parts import embed, last_page, near_duplicates, write
from lite.index.staging import NAMED, Staging, tally
from lite.records import storable

STAGING = "build.sqlite"
_OURS = {STAGING, f"{STAGING}-wal", f"{STAGING}-shm", f"{STAGING}-journal", lock.FILE, f"{manifest.FILE}.new"}


def build_date(given: str | None) -> str:
    """`given`, else the date of SOURCE_DATE_EPOCH, else today's. Raises UsageError where that is no date."""
    if given is None:
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        try:
            day = datetime.fromtimestamp(int(epoch), UTC).date() if epoch.isdecimal() else date.today()  # noqa: DTZ011
        except (ValueError, OverflowError, OSError):
            raise UsageError(f"SOURCE_DATE_EPOCH={epoch} is no date: give seconds since 1970, or a --date") from None
        return day.isoformat()
    day = iso_date(given)
    if day is None:
        raise UsageError(f"{given!r} is not a date: write it as YYYY-MM-DD")
    return day


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
        settings: from `lite.index.sources.settings_of`.
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
        with writable(out), lock.writing(out), _sound(out, f"remove {out} and build again"):
            if _finished(out, settings):
                tidy(out, manifest.read(out))
            else:
                work = _Work(sources, out, settings, None, progress or (lambda _: None))
                work.run(loaded, built)
    except CorpusError as error:
        if work and work.kept:
            raise _kept_error(error, work.kept, out) from None
        remove_staging(out)
        if not existed:
            out.rmdir()
        raise


def add(
    sources: Sequence[str | Path],
    world: Path,
    settings: Settings,
    *,
    encoder: Callable[[], Encoder] | None,
    dated: str | None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Add the pages of `sources` to a finished world, or finish the addition that was interrupted there.

    A page whose URL the world has takes its place. Arguments and errors are those of `build`; the world's date stays
    unless `dated` gives another.
    """
    built = build_date(dated) if dated is not None else None
    loaded = encoder() if encoder else None
    work = None
    try:
        with writable(world), lock.writing(world), _sound(world):
            info = manifest.read(world)
            if published(world, info):
                same = _staged(world).same_as(settings)
                tidy(world, info)
                if same:
                    return
            work = _Work(sources, world, settings, info, progress or (lambda _: None))
            work.run(loaded, built or info.built)
    except CorpusError as error:
        if work and work.kept:
            raise _kept_error(error, work.kept, world) from None
        remove_staging(world)
        raise


def interrupted(folder: Path) -> str | None:
    """Why there is no world in `folder` yet, in one line with the next step; None when nothing was begun there."""
    holder = lock.holder(folder)
    if holder:
        return f"{folder} is being built by {holder}: wait until it is done"
    if (folder / STAGING).exists():
        return f"the build of {folder} was interrupted: run the same `lite world build` again to finish it"
    return None


def tidy(world: Path, info: WorldInfo) -> None:
    """Remove what belongs to no finished generation: staging, and generations nobody reads. The lock must be held."""
    remove_staging(world)
    generation.drop_others(world, {info.generation})


def remove_staging(out: Path) -> None:
    """Forget an interrupted build or addition."""
    for path in out.glob(f"{STAGING}*"):
        path.unlink()


@contextmanager
def _sound(out: Path, mend: str = "") -> Iterator[None]:
    """Damage to what is staged is one clear line; by default the next step is a finished world's."""
    try:
        yield
    except (sqlite3.DatabaseError, zstandard.ZstdError, json.JSONDecodeError) as error:
        if is_refused(error):
            raise
        mend = mend or f"`lite world check {out} --repair` drops it"
        raise WorldError(f"{out / STAGING} is damaged ({one_line(error)}): {mend}") from None


def _kept_error(error: CorpusError, kept: int, out: Path) -> CorpusError:
    return CorpusError(
        f"{error} ({kept} pages of the sources before it are kept in {out}: mend this source or leave it out, and run "
        "the command again)"
    )


def _finished(out: Path, settings: Settings) -> bool:
    if not (out / manifest.FILE).exists():
        return False
    if manifest.read(out).settings.same_as(settings):
        return True
    raise WorldError(
        f"{out} is a finished world of other sources or settings: `lite world add` adds to it, or name another folder"
    )


def published(world: Path, info: WorldInfo) -> bool:
    """Whether something is staged that was finished, but for tidying up."""
    if not (world / STAGING).exists():
        return False
    with _sound(world), closing(Staging(world / STAGING)) as staging:
        begun = staging.get("generation")
    return begun is not None and begun <= info.generation


def _staged(world: Path) -> Settings:
    with closing(Staging(world / STAGING)) as staging:
        return Settings.model_validate(staging.get("settings"))


class _Work:
    """One build, or one addition to the world `base`, as far as it has come in its staging."""

    def __init__(
        self,
        sources: Sequence[str | Path],
        out: Path,
        settings: Settings,
        base: WorldInfo | None,
        progress: Callable[[Progress], None],
    ) -> None:
        self._sources = sources  # the settings have their names as JSON can
        self._out, self._settings, self._base, self._report = out, settings, base, progress
        self._number = base.generation + 1 if base else 1
        self._folder = folder_of(out, self._number)  # what is made
        self._before = folder_of(out, base.generation) if base else None
        self.kept = 0  # pages that were read before a source that could not be
        if base is None:
            known = {entry for entry in _OURS if (out / STAGING).exists()} | {lock.FILE}
            foreign = sorted(e.name for e in out.iterdir() if e.name not in known and not self._is_unfinished(e))
            if foreign:
                raise WorldError(f"{out} holds {foreign[0]}, which is no part of this build: name a new folder")
        self._staging = Staging(out / STAGING)
        try:
            self._check_same()
        except BaseException:  # a full disk, for one: the lock must not stay with an object that nobody gets
            self._staging.close()
            raise

    def _is_unfinished(self, entry: Path) -> bool:
        return entry == self._folder and (self._out / STAGING).exists()

    def _check_same(self) -> None:
        if not self._staging.get("records", 0):  # nothing would be lost
            self._staging.clear()
            self._staging.put("settings", self._settings.model_dump(mode="json"))
            self._staging.put("generation", self._number)
            return
        begun = Settings.model_validate(self._staging.get("settings"))
        sound = self._staging.get("sound")  # how many sources came before one that could not be read
        same = begun.same_as(self._settings) if sound is None else begun.begins_as(self._settings, sound)
        if not same:
            names = " ".join(source.name for source in begun.sources)
            what, drop = ("build", f"remove {self._out}")
            if self._base:
                what, drop = "addition", f"drop it by `lite world check {self._out} --repair`"
            raise WorldError(
                f"{self._out} holds an unfinished {what} of {names} with other settings or contents: run the command "
                f"that began it, or {drop}"
            )
        if sound is not None:
            self._staging.put("settings", self._settings.model_dump(mode="json"))
            self._staging.put("sound", None)  # from here on these sources count

    def run(self, encoder: Encoder | None, built: str) -> None:
        """Go on to the end: a new generation that `world.json` names, or none where nothing changes."""
        try:
            stage = self._staging.get("stage", "read")
            if stage == "read":
                self._collect()
                self._staging.put("stage", "write")
            if stage in {"read", "write"}:
                if not self._write():
                    self._staging.close()
                    tidy(self._out, self._unchanged(built))
                    return
                self._staging.put("stage", "embed")
            embedding = self._embed(encoder) if encoder else None
            info = self._account(embedding, built)
            generation.make_durable(self._folder)
            manifest.write(info, self._out)
        finally:
            self._staging.close()
        tidy(self._out, info)

    def _unchanged(self, built: str) -> WorldInfo:
        assert self._base is not None  # noqa: S101  # a build without pages has raised
        if built != self._base.built:
            manifest.write(self._base.model_copy(update={"built": built}), self._out)
        return self._base

    def _collect(self) -> None:
        collector = Collector(self._staging, self._sources, self._settings, self._report)
        try:
            collector.run()
        except CorpusError:
            self.kept = collector.kept
            raise

    def _write(self) -> bool:
        def report(pages: int, total: int) -> None:
            self._report(Progress("write", pages, pages, total))

        return write(self._staging, self._base, self._before, self._folder, self._settings.policy, report)

    def _embed(self, encoder: Encoder) -> Embedding:
        of_base = self._base.embedding.fingerprint if self._base and self._base.embedding else None
        begun = self._staging.get("embedder", of_base)
        if begun not in {None, encoder.fingerprint}:
            raise WorldError(
                f"{self._out} was begun with another version of {encoder.name}: install that one, or build a new world"
            )
        self._staging.put("embedder", encoder.fingerprint)

        def report(done: int, total: int) -> None:
            self._report(Progress("embed", done, done, total))

        return embed(self._folder, encoder, self._settings.policy.vectors, report)

    def _account(self, embedding: Embedding | None, built: str) -> WorldInfo:
        counts = self._staging.counts()
        if "near_duplicates" not in counts:
            counts["near_duplicates"] = near_duplicates(self._folder, above=last_page(self._before))
        names = tuple(source.name for source in self._settings.sources)
        change = Change(operation="add" if self._base else "build", sources=names, **counts.pop("change"))
        if self._base is None:
            return account(self._folder, None, embedding, change, settings=self._settings, built=built, **counts)
        old = self._base
        for name in ("records", "repeated", "conflicts", "near_duplicates"):
            counts[name] += getattr(old, name)
        for name in ("broken", "filtered"):
            counts[name] = tally(getattr(old, name), counts[name])
        counts["broken_first"] = (*old.broken_first, *counts["broken_first"])[:NAMED]
        return account(self._folder, old, embedding, change, built=built, **counts)
