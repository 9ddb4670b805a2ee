"""What the atlas knows: plain records of countries, cities, airports, elements and so on, linked by their keys."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Continent:
    """One of six: Antarctica is left out."""

    code: str
    name: str
    slug: str


@dataclass(frozen=True)
class Country:
    """A row of the GeoNames country table. Absent facts are None or empty."""

    iso: str
    iso3: str
    name: str
    slug: str
    aliases: tuple[str, ...]
    noun: str  # "country" or "territory"; "area" where the status is disputed
    continent: str
    capital: str | None
    capital_id: int | None
    area: int | None  # km2
    population: int | None
    tld: str | None
    currency: str | None
    calling: tuple[str, ...]  # "+33"
    languages: tuple[str, ...]  # official in the whole country
    neighbours: tuple[str, ...]
    zones: tuple[str, ...]

    @property
    def the(self) -> str:
        """The name inside a sentence, with its article where English uses one."""
        return f"the {self.name}" if self.iso in WITH_ARTICLE else self.name

    @property
    def density(self) -> float | None:
        """Inhabitants per km2, one decimal."""
        return round(self.population / self.area, 1) if self.population and self.area else None


WITH_ARTICLE = frozenset(
    {
        "AE", "AX", "BQ", "BS", "CC", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IM",
        "KM", "KY", "MH", "MP", "MV", "NL", "PH", "PN", "PS", "SB", "TC", "US", "VG", "VI",
    }
)  # fmt: skip


@dataclass(frozen=True)
class State:
    """A state of the United States (or the District of Columbia)."""

    code: str
    name: str
    slug: str
    counties: int


@dataclass(frozen=True)
class City:
    """A city of GeoNames."""

    id: int
    name: str
    slug: str
    country: str
    state: str | None
    population: int
    lat: float
    lon: float
    zone: str
    capital: bool


@dataclass(frozen=True)
class Airport:
    """An airport with scheduled flights that serves a city of the atlas."""

    iata: str
    icao: str
    name: str
    city: int
    country: str
    region: str | None
    elevation: int  # feet above mean sea level
    lat: float
    lon: float
    zone: str
    runways: int
    longest: int | None  # feet


@dataclass(frozen=True)
class Zone:
    """A zone of the tz database."""

    name: str
    standard: int  # minutes east of UTC
    summer: int | None  # minutes east of UTC in summer, where clocks change


@dataclass(frozen=True)
class Currency:
    """A currency in use."""

    code: str
    name: str


@dataclass(frozen=True)
class Language:
    """A language that is official somewhere."""

    code: str
    name: str
    own: str | None  # its name in itself


@dataclass(frozen=True)
class Element:
    """A chemical element. Absent facts are None; so are those on which the sources differ."""

    number: int
    symbol: str
    name: str
    slug: str
    also: str | None  # the other usual spelling
    period: int
    group: int | None
    block: str
    series: str
    weight: float
    config: str
    cas: str
    radioactive: bool
    melting: float | None  # degrees Celsius
    boiling: float | None
    density: float | None  # g/cm3
    negativity: float | None  # Pauling
    how: str  # discovered, isolated, synthesised, antiquity or -
    discoverers: tuple[str, ...]
    year: int | None
    places: tuple[str, ...]  # ISO codes
    named: tuple[tuple[str, str], ...]  # (kind, what)
    origin: str

    @property
    def century(self) -> int:
        """The century of its year, 0 without one; the year 2000 belongs to the 20th."""
        return (self.year - 1) // 100 + 1 if self.year else 0


@dataclass
class Facts:
    """Everything, by key."""

    continents: dict[str, Continent]
    countries: dict[str, Country]
    states: dict[str, State]
    cities: dict[int, City]
    airports: dict[str, Airport]
    zones: dict[str, Zone]
    currencies: dict[str, Currency]
    languages: dict[str, Language]
    elements: dict[str, Element]
    in_country: dict[str, list[City]] = field(default_factory=dict)
    in_state: dict[str, list[City]] = field(default_factory=dict)
    airports_of: dict[int, list[Airport]] = field(default_factory=dict)
    people: dict[str, list[Element]] = field(default_factory=dict)
    by_currency: dict[str, list[Country]] = field(default_factory=dict)
    by_language: dict[str, list[Country]] = field(default_factory=dict)
    by_zone: dict[str, list[City]] = field(default_factory=dict)
    by_continent: dict[str, list[Country]] = field(default_factory=dict)
    by_name: dict[str, list[City]] = field(default_factory=dict)
    families: dict[str, list[Currency]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        largest_first = sorted(self.cities.values(), key=lambda c: (-c.population, c.id))
        countries = sorted(self.countries.values(), key=lambda c: c.slug)
        self.in_country = _grouped((c.country, c) for c in largest_first)
        self.in_state = _grouped((c.state, c) for c in largest_first if c.state)
        self.by_zone = _grouped((c.zone, c) for c in largest_first)
        self.by_name = _grouped((c.name, c) for c in largest_first)
        self.airports_of = _grouped((a.city, a) for a in sorted(self.airports.values(), key=lambda a: a.iata))
        in_order = sorted(self.elements.values(), key=lambda e: (e.year or 9999, e.number))
        self.people = _grouped((name, e) for e in in_order for name in e.discoverers)
        self.by_currency = _grouped((c.currency, c) for c in countries if c.currency)
        self.by_language = _grouped((code, c) for c in countries for code in c.languages)
        self.by_continent = _grouped((c.continent, c) for c in countries)

        families = _grouped((x.name.split()[-1].lower(), x) for x in self.currencies.values())
        self.families = {name: members for name, members in sorted(families.items()) if len(members) > 1}

    def city_label(self, city: City) -> str:
        """The city's name, qualified as far as this world needs it to single the city out."""
        same = self.by_name[city.name]
        if len(same) == 1:
            return city.name
        if city.state:
            return f"{city.name}, {self.states[city.state].name}"
        return f"{city.name}, {self.countries[city.country].name}"


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)
