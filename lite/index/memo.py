"""What a model once made of something, kept in SQLite: asked the same again, it is looked up."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lite.errors import WorldError
from lite.shipped import cache_dir

_PATIENCE = 30.0  # seconds that another process may be writing


class Memo:
    """Texts by key. The file is opened for each access, which costs little beside a model: any thread may come."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def beside(cls, world: Path, digest: str, name: str) -> "Memo":
        """The one of that name beside a world, or in the cache when the world's folder is read-only."""
        if os.access(world, os.W_OK):
            return cls(world / f"{name}.sqlite")
        return cls(cache_dir() / name / f"{digest}.sqlite")

    def get(self, key: str) -> str | None:
        """What was kept under `key`."""
        if not self._path.exists():
            return None
        with self._opened() as db:
            row = db.execute("select value from memo where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: str) -> None:
        """Keep `value`; what is there already stays."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as db:
            db.execute("insert or ignore into memo values (?, ?)", (key, value))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)) as db:
                db.execute("create table if not exists memo (key text primary key, value text) without rowid")
                yield db
        except sqlite3.Error as error:
            raise WorldError(f"{self._path} cannot be used ({error}): remove it, it is made again") from None
