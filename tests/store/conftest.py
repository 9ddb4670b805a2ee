"""Small corpora and the worlds built from them; every store is the real one."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import zstandard

from lite.world import World

ATLAS = Path(__file__).resolve().parents[2] / "data" / "atlas.jsonl.zst"
QUESTIONS = (
    "capital of Andorra",
    "airport with the IATA code BKK",
    "Who discovered radium?",
    "most populous city of North Macedonia",
    "currency",
    "the of and",
    "",
    "Zürich Flughafen 苏黎世",
)


def everything(world: World) -> str:
    """All that a world says to the questions above, byte for byte."""
    found = [world.search(question, 10) for question in QUESTIONS]
    visits = [world.visit(hit.url, result.query, words=60).to_json() for result in found for hit in list(result)[:2]]
    return json.dumps([[result.to_json() for result in found], visits])


@pytest.fixture(scope="session")
def answers() -> Callable[[World], str]:
    return everything


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[..., Path]:
    """corpus({"name": "text"}): a file of pages https://w.test/name, titled by their names; or of whole records."""

    def write(pages: dict[str, str] | Iterable[dict[str, str]], name: str = "pages.jsonl") -> Path:
        records: Iterable[object] = pages
        if isinstance(pages, dict):
            records = [{"url": f"https://w.test/{key}", "title": key, "doc": text} for key, text in pages.items()]
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return path

    return write


@pytest.fixture
def world_of(tmp_path: Path, corpus: Callable[..., Path]) -> Iterator[Callable[..., World]]:
    """world_of({"name": "text"}): a lexical world of such pages."""
    opened: list[World] = []

    def build(pages: dict[str, str] | Iterable[dict[str, str]]) -> World:
        number = len(opened)
        opened.append(World.build(corpus(pages, f"{number}.jsonl"), tmp_path / f"world {number}", date="2026-01-02"))
        return opened[-1]

    yield build
    for world in opened:
        world.close()


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The shipped atlas as a lexical world."""
    with World.build(ATLAS, tmp_path_factory.mktemp("atlas") / "world", date="2026-01-02") as world:
        yield world


@pytest.fixture(scope="session")
def atlas_records() -> list[dict[str, str]]:
    with ATLAS.open("rb") as file:
        return [json.loads(line) for line in zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()]


@pytest.fixture
def locked_copy(atlas: World) -> Iterator[Path]:
    """A copy of the atlas in a folder that nobody may write, outside pytest's private folder."""
    root = Path(tempfile.mkdtemp(prefix="lite-read-only-"))
    root.chmod(0o755)
    copy = Path(shutil.copytree(atlas.path, root / "world"))
    for path in (*copy.rglob("*"), copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield copy
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(root)


CITIES = ["Rome", "Oslo", "Lima", "Cairo"]
NAMES = [
    "Ann Lee",
    "Bob Roe",
    "Cy Poe",
    "Di Moe",
    "Ed Fox",
    "Flo Ray",
    "Gus Orr",
    "Hal Ivy",
    "Ida Jay",
    "Jon Kay",
    "Kim Low",
    "Lou May",
]
CLUBS = [
    "Alba",
    "Borussia",
    "Calcio",
    "Dynamo",
    "Estrela",
    "Fortuna",
    "Galatea",
    "Helios",
    "Iris",
    "Juno",
    "Kronos",
    "Lyra",
]


def link(name: str) -> str:
    return f"[{name}](https://t.test/{name.replace(' ', '_')})"


@pytest.fixture(scope="session")
def league_pages() -> list[dict[str, str]]:
    """Twelve clubs with captains, two seasons of a league, and a page for each captain and club."""
    made = []
    for year, shift in ((2010, 0), (2012, 1)):
        rows = [
            f"| {link(club)} | {CITIES[(n // 3 + shift * (n == 5)) % 4]} | {link(NAMES[(n + shift) % 12])} "
            f"| {8000 + 1700 * n + 100 * shift} | {1900 + 5 * n} |"
            for n, club in enumerate(CLUBS)
        ]
        table = "| Club | City | Captain | Capacity | Founded |\n|---|---|---|---|---|\n" + "\n".join(rows)
        text = f"The {year} league had twelve clubs.\n\n## Teams\n\n{table}\n"
        made.append({"url": f"https://t.test/{year}_league", "title": f"{year} league", "doc": text})
    for n, name in enumerate(NAMES):
        text = f"{name} (born {n + 1} May {1980 + n // 2}) is a player."
        made.append({"url": f"https://t.test/{name.replace(' ', '_')}", "title": name, "doc": text})
    for n, club in enumerate(CLUBS):
        text = f"{club} is a club. It was founded in {1900 + 5 * n}.\n\n- **City:** {CITIES[n // 3]}\n"
        made.append({"url": f"https://t.test/{club}", "title": club, "doc": text})
    return made


@pytest.fixture(scope="session")
def league(league_pages: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world of these pages, which is not changed."""
    folder = tmp_path_factory.mktemp("league")
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in league_pages))
    with World.build(folder / "pages.jsonl", folder / "world") as world:
        yield world
