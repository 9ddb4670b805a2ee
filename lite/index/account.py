"""What a generation says of itself in `world.json`, counted from its parts."""

import hashlib
import uuid
from pathlib import Path
from typing import Any

import lite
from lite.index import manifest
from lite.index.generation import PAGES
from lite.index.manifest import Change, Embedding, WorldInfo
from lite.index.pages import PageStore


def account(
    folder: Path, base: WorldInfo | None, embedding: Embedding | None, change: Change, **facts: Any
) -> WorldInfo:
    """The account of the generation in `folder`.

    Args:
        folder: of the generation.
        base: the account of the one before; None for the first, whose settings are then among the facts.
        embedding: of its vectors.
        change: what was done to make it.
        facts: fields of WorldInfo that are not counted here.
    """
    store = PageStore(folder / PAGES)
    digest = digest_of(store)
    counts = store.counts()
    store.close()
    whole = change.operation in {"build", "compact", "repair"}
    # Equal pages make equal lexical indexes when these are written whole; a change leaves its marks in the statistics,
    # and vector indexes are trained, so each of those is its own.
    index_id = uuid.uuid4().hex
    if whole and not embedding:
        index_id = hashlib.blake2b(f"lexical {manifest.FORMAT} {digest}".encode(), digest_size=16).hexdigest()
    old = base.model_dump(exclude={"path", "sizes"}) if base else {"changes": ()}
    new = {
        "generation": base.generation + 1 if base else 1,
        "digest": digest,
        "index_id": index_id,
        "version": lite.__version__,
        "embedding": embedding,
        "changes": (*old["changes"], change),
    }
    return WorldInfo.model_validate(old | new | counts | facts)


def digest_of(store: PageStore) -> str:
    """The content digest of the pages and aliases of a store."""
    return manifest.content_digest(store.records())
