"""The elements: mendeleev's data where molmass agrees, and their discovery as elements.tsv has it."""

import sqlite3
from pathlib import Path
from typing import Any

from .model import Element
from .reading import packaged, source

# One form of the element only: of several (carbon, tin) each has its own melting point and density.
_PHASES = """SELECT atomic_number, min(melting_point) AS melting_point, min(boiling_point) AS boiling_point,
    max(is_sublimation_point) AS sublimes FROM phasetransitions GROUP BY atomic_number HAVING count(*) = 1"""
Story = dict[str, Any]
NO_GROUP = {"La", "Ac", "Lu", "Lr"}  # tables differ on which of them belong to group 3
SERIES = {"Lu": "lanthanides", "Lr": "actinides"}
ALSO = {"Al": "aluminium", "Cs": "caesium", "S": "sulphur"}


def read_elements() -> dict[str, Element]:
    """All 118 elements by symbol."""
    hand, second = _by_hand(), source("molmass").ELEMENTS
    database = packaged("mendeleev", "mendeleev/elements.db")
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        series = dict(connection.execute("SELECT id, name FROM series").fetchall())
        points = {r["atomic_number"]: r for r in connection.execute(_PHASES)}
        rows = connection.execute("SELECT * FROM elements ORDER BY atomic_number").fetchall()
    return {r["symbol"]: _element(r, points.get(r["atomic_number"]), series, second, hand) for r in rows}


def _element(
    r: sqlite3.Row, points: sqlite3.Row | None, series: dict[int, str], second: Any, hand: dict[str, Story]
) -> Element:
    other = second[r["symbol"]] if r["atomic_number"] <= 100 else None
    melting, boiling, density = None, None, None
    if other and points and not points["sublimes"]:
        melting = _both(points["melting_point"], other.tmelt, 0.01)
        boiling = _both(points["boiling_point"], other.tboil, 0.02)
    if other and points:
        density = _both(r["density"], other.density, 0.02)
    return Element(
        number=r["atomic_number"],
        symbol=r["symbol"],
        name=r["name"].lower(),
        slug=r["name"].lower(),
        also=ALSO.get(r["symbol"]),
        period=r["period"],
        group=None if r["symbol"] in NO_GROUP else r["group_id"],
        block=r["block"],
        series=SERIES.get(r["symbol"]) or series[r["series_id"]].lower().replace("poor", "post-transition"),
        weight=r["atomic_weight"],
        config=r["electronic_configuration"],
        cas=r["cas"],
        radioactive=bool(r["is_radioactive"]),
        melting=_celsius(melting),
        boiling=_celsius(boiling),
        density=density,
        negativity=r["en_pauling"],
        **hand[r["symbol"]],
    )


def _both(a: float | None, b: float | None, tolerance: float) -> float | None:
    """`a`, where the second source gives it too."""
    return a if a and b and abs(a - b) <= tolerance * abs(b) else None


def _celsius(kelvin: float | None) -> float | None:
    return None if kelvin is None else round(kelvin - 273.15, 1)


def _by_hand() -> dict[str, Story]:
    """The rows of elements.tsv by symbol."""
    table: dict[str, Story] = {}
    for line in Path(__file__).with_name("elements.tsv").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        symbol, how, people, year, places, named, origin = ["" if f == "-" else f for f in line.split("\t")]
        table[symbol] = {
            "how": how or "-",
            "discoverers": tuple(p for p in people.split(";") if p),
            "year": int(year) if year else None,
            "places": tuple(p for p in places.split(";") if p),
            "named": tuple((kind, what) for kind, _, what in (n.partition(":") for n in named.split(";") if n)),
            "origin": origin,
        }
    return table
