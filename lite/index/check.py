"""Whether a finished world is what its `world.json` says."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from lite.errors import WorldError, one_line
from lite.index import manifest
from lite.index.account import digest_of
from lite.index.generation import LEXICAL, PAGES, SIGNATURES
from lite.index.lexical import LexicalIndex, damaged
from lite.index.manifest import WorldInfo
from lite.index.near import Signatures, signature
from lite.index.pages import PageStore
from lite.index.staging import text_hash


def faults_of(folder: Path, info: WorldInfo) -> dict[str, list[str]]:
    """What is wrong with a generation, a line each, by part: pages, indexes and digest must agree.

    `pages` is what everything else is derived from; `unreadable` are vectors that cannot even be copied.
    """
    found: dict[str, list[str]] = {"pages": [], "lexical": [], "signatures": [], "vectors": [], "unreadable": []}
    keys: list[int] = []
    try:
        with closing(PageStore(folder / PAGES)) as store:
            found["pages"] += _of_pages(store, info)
            keys = store.ids()
            found["signatures"] += _of_signatures(folder / SIGNATURES, store)
    except WorldError as error:
        found["pages"].append(str(error))
        return found
    try:
        found["lexical"] += _compared("the lexical index", np.array(LexicalIndex(folder / LEXICAL).ids()), keys)
    except WorldError as error:
        found["lexical"].append(str(error))
    found["lexical"] += [f"{LEXICAL}/{name} is damaged: its checksum is another" for name in damaged(folder / LEXICAL)]
    if info.embedding:
        from lite.index.rows import RowsDamaged
        from lite.index.vectors import VectorIndex

        try:
            vectors = VectorIndex(folder)
            found["vectors"] += _compared("the vector index", vectors.present(), keys)
            found["unreadable"] += vectors.faults()
            if not found["unreadable"]:
                found["vectors"] += vectors.faults_of_rows()
        except RowsDamaged as error:
            found["vectors"].append(str(error))
        except (WorldError, RuntimeError, OSError, ValueError) as error:  # LanceDB has no kind of its own for damage
            found["unreadable"].append(f"the vectors cannot be read ({one_line(error)})")
    return found


def _of_pages(store: PageStore, info: WorldInfo) -> Iterator[str]:
    counts = store.counts()
    expected = {"pages": info.pages, "aliases": info.aliases, "links": info.links, "chars": info.chars}
    yield from (f"{counts[name]} {name}, {manifest.FILE} says {n}" for name, n in expected.items() if counts[name] != n)
    if digest_of(store) != info.digest:
        yield "the pages do not give the content digest of world.json"
    for page in store.pages():
        if text_hash(page.text) != page.hash:
            yield f"the text of {page.url} does not give its hash"


def _of_signatures(path: Path, store: PageStore) -> Iterator[str]:
    if not path.exists():
        yield f"{path.name} is missing"
        return
    rows = Signatures(path).rows
    for page in store.pages():
        if page.id > len(rows) or (rows[page.id - 1] != signature(page.text)).any():
            yield f"{path.name} is damaged: the signature of {page.url} is another"
            return


def _compared(name: str, found: np.ndarray, keys: list[int]) -> list[str]:
    missing, extra = len(np.setdiff1d(keys, found)), len(np.setdiff1d(found, keys))
    return [f"{name} lacks {missing} of {len(keys)} pages and has {extra} that are none"] if missing or extra else []
