"""Whether a finished world is what its `world.json` says."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from lite.errors import WorldError
from lite.index import manifest
from lite.index.build import LEXICAL, PAGES, digest_of
from lite.index.lexical import LexicalIndex, damaged
from lite.index.manifest import WorldInfo
from lite.index.pages import PageStore
from lite.index.staging import text_hash


def check(folder: Path, info: WorldInfo) -> list[str]:
    """What is wrong with the finished world in `folder`, a line each: pages, indexes and digest must agree."""
    found: list[str] = []
    try:
        found += _check_pages(folder, info)
    except WorldError as error:
        found.append(str(error))
    indexes: dict[str, Callable[[], int]] = {"the lexical index": lambda: LexicalIndex(folder / LEXICAL).count}
    if info.embedding:
        from lite.index.vectors import VectorIndex

        indexes["the vector index"] = lambda: VectorIndex(folder).count
    for name, count in indexes.items():
        try:
            rows = count()
        except WorldError as error:
            found.append(str(error))
        else:
            found += [f"{name} has {rows} of {info.pages} pages"] if rows != info.pages else []
    found += [f"{LEXICAL}/{name} is damaged: its checksum is another" for name in damaged(folder / LEXICAL)]
    return found


def _check_pages(folder: Path, info: WorldInfo) -> Iterator[str]:
    with closing(PageStore(folder / PAGES)) as store:
        counts = store.counts()
        expected = {"pages": info.pages, "aliases": info.aliases, "links": info.links, "chars": info.chars}
        yield from (
            f"{counts[name]} {name}, {manifest.FILE} says {n}" for name, n in expected.items() if counts[name] != n
        )
        if digest_of(store) != info.digest:
            yield "the pages do not give the content digest of world.json"
        for page in store.pages():
            if text_hash(page.text) != page.hash:
                yield f"the text of {page.url} does not give its hash"
