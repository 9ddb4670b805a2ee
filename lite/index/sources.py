"""The sources of a build or an addition, described so that the same command given again is known as the same."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lite.corpus import files_of, local_bases, size_of
from lite.errors import UsageError
from lite.index.manifest import Policy, Settings, Source
from lite.records import storable


def settings_of(
    sources: Sequence[str | Path],
    out: Path,
    policy: Policy,
    *,
    limit: int | None = None,
    layout: str | None = None,
    base_url: str | None = None,
) -> Settings:
    """The settings of a build, or of an addition to the world in `out`.

    `out` may lie within a source; what the build itself puts there is no part of it.

    Raises:
        UsageError: no source, a source that does not exist, two that give the same addresses, or a limit below 1.
    """
    if not sources:
        raise UsageError("a world needs pages: name at least one source")
    if policy.vectors == "passage" and policy.embedder == "none":
        raise UsageError("vectors a passage need an embedder: name one with --embedder, or leave --vectors out")
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} pages leaves nothing: give 1 or more")
    if base_url is None and len(sources) > 1:
        _check_addresses(sources)
    described = tuple(
        Source(name=storable(str(s)), bytes=size_of(s, without=out), digest=_source_digest(s, out)) for s in sources
    )
    return Settings(sources=described, policy=policy, limit=limit, layout=layout, base_url=base_url)


def _check_addresses(sources: Sequence[str | Path]) -> None:
    """Raise UsageError for two sources whose files would have the same addresses: pages would be lost unseen."""
    of_base: dict[str, str | Path] = {}
    for source in sources:
        for base in sorted(local_bases(source)):
            other = of_base.setdefault(base, source)
            if Path(other).resolve() != Path(source).resolve():
                raise UsageError(
                    f"{other} and {source} would both have their pages at https://local/{storable(base)}: build from "
                    "their common parent folder, or add one of them afterwards with a --base-url"
                )


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
