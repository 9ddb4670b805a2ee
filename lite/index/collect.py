"""Sources into staging: every page that the policy takes, a batch a transaction, from where an earlier try stopped."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lite.corpus import read_pages
from lite.corpus.filters import page_filter
from lite.errors import CorpusError
from lite.index.manifest import Settings
from lite.index.staging import Filtered, Staging
from lite.records import Broken, Page

_BATCH = 1000  # records a transaction


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is. `read` counts `done` and `total` in bytes of all sources, the other stages in pages."""

    stage: str  # read, write, embed
    pages: int  # so far in this stage
    done: int
    total: int


class Collector:
    """Reads the sources of `settings` into `staging`.

    Args:
        staging: where they go; what it holds already is not read again.
        sources: those of the settings, as the system has their names.
        settings: how they are read, and what of them is taken.
        report: called after each batch.
    """

    def __init__(
        self, staging: Staging, sources: Sequence[str | Path], settings: Settings, report: Callable[[Progress], None]
    ) -> None:
        self._staging, self._sources, self._settings, self._report = staging, sources, settings, report
        policy = settings.policy
        self._reason_of = page_filter(
            min_chars=policy.min_chars, languages=policy.languages, include=policy.include, exclude=policy.exclude
        )

    @property
    def kept(self) -> int:
        """Pages that are staged."""
        return self._staging.get("records", 0)

    def run(self) -> None:
        """Read all sources.

        Raises:
            CorpusError: one cannot be read, and is forgotten whole; or none of them holds a page that is taken.
        """
        before = 0
        for number, source in enumerate(self._settings.sources):
            try:
                self._read_source(f"source {number}", self._sources[number], before)
            except CorpusError:
                self._staging.rewind()
                self._staging.put("sound", number)
                raise
            before += source.bytes
        if not self.kept:
            left_out = self._staging.get("filtered", {})
            why = "; ".join(f"{count} left out: {reason}" for reason, count in left_out.items())
            raise CorpusError(f"the sources hold no page{f' ({why})' if why else ''}: name a source with pages")

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
        records = self._sifted(read_pages(source, layout=layout, base_url=base, progress=count))
        stream = itertools.islice(records, done, None)
        while batch := list(itertools.islice(stream, self._room())):
            done += len(batch)
            self._staging.add(batch, (name, done))
            self._report(Progress("read", self.kept, before + read, total))

    def _sifted(self, records: Iterator[Page | Broken]) -> Iterator[Page | Broken | Filtered]:
        for record in records:
            reason = self._reason_of(record) if isinstance(record, Page) else None
            yield record if reason is None else Filtered(reason)

    def _room(self) -> int:
        """Records the next batch may have: a limit counts pages, so near it they are taken singly."""
        limit = self._settings.limit
        if limit is None:
            return _BATCH
        return min(_BATCH, limit - self.kept)
