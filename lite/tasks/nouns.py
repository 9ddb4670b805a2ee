"""What a column is called in a sentence. A header that no plain word can be made of gives no noun, and so no task."""

import re
from pathlib import Path
from typing import NamedTuple


class Noun(NamedTuple):
    """`one` entry is a "player", several are `many`; `sort` is person, place, time, event, measure, count or thing.

    Of an event ("opened"), `one` is the participle. A `measure` can be compared, a `count` can be added up too.
    """

    one: str
    many: str = ""
    sort: str = "thing"


def _read() -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("nouns.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            words[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            words[list(words)[-1]] += line.split()
    return words


WORDS = _read()
_OWN = {
    "name": Noun("name", "", "name"),
    "names": Noun("name", "", "name"),
    "year": Noun("year", "years", "time"),
    "date": Noun("date", "dates", "time"),
    "season": Noun("season", "seasons", "time"),
    "date listed": Noun("listed", "", "event"),
    "release date": Noun("released", "", "event"),
    "date of birth": Noun("born", "", "event"),
    "birth date": Noun("born", "", "event"),
    "birthdate": Noun("born", "", "event"),
    "dob": Noun("born", "", "event"),
    "birth": Noun("born", "", "event"),
    "death": Noun("died", "", "event"),
    "date of death": Noun("died", "", "event"),
    "year built": Noun("built", "", "event"),
    "year opened": Noun("opened", "", "event"),
    "year founded": Noun("founded", "", "event"),
    "year established": Noun("established", "", "event"),
    "opening": Noun("opened", "", "event"),
    "opening date": Noun("opened", "", "event"),
    "pos": Noun("position", "positions"),
    "nat": Noun("nationality", "nationalities"),
    "pts": Noun("points", "", "count"),
    "apps": Noun("appearances", "", "count"),
    "att": Noun("attendance", "", "count"),
    "pop": Noun("population", "", "count"),
    "winners": Noun("winner", "winners", "person"),
    "champion": Noun("champion", "champions", "winner"),
    "champions": Noun("champion", "champions", "winner"),
    "winning team": Noun("winning team", "winning teams"),
    "runner-up": Noun("runner-up", "runners-up", "winner"),
    "runners-up": Noun("runner-up", "runners-up", "winner"),
    "city or town": Noun("city or town", "", "place"),
    "city, state": Noun("city and state", "", "place"),
    "city and state": Noun("city and state", "", "place"),
    "name on the register": Noun("listed site", "listed sites"),
    "landmark name": Noun("landmark", "landmarks"),
    "airport name": Noun("airport", "airports"),
    "original title": Noun("original title"),
    "film title used in nomination": Noun("film", "films"),
    "call sign": Noun("call sign", "call signs"),
    "call letters": Noun("call letters"),
    "gold": Noun("gold medals", "", "count"),
    "silver": Noun("silver medals", "", "count"),
    "bronze": Noun("bronze medals", "", "count"),
    "lga": Noun("local government area", "local government areas", "place"),
    "iata": Noun("IATA code", "IATA codes", "code"),
    "icao": Noun("ICAO code", "ICAO codes", "code"),
    "code": Noun("code", "codes", "code"),
    "symbol": Noun("symbol", "symbols", "code"),
    "head coach": Noun("head coach", "head coaches", "person"),
    "head of state": Noun("head of state", "", "person"),
    "kit manufacturer": Noun("kit manufacturer", "kit manufacturers"),
    "shirt sponsor": Noun("shirt sponsor", "shirt sponsors"),
    "school": Noun("school", "schools"),
    "people": Noun("person", "people", "person"),
    "alma mater": Noun("alma mater"),
    "stadium capacity": Noun("stadium capacity", "", "count"),
    "seating capacity": Noun("seating capacity", "", "count"),
    "frequency": Noun("frequency", "frequencies"),
    "electronegativity": Noun("electronegativity", "", "measure"),
    "melting point": Noun("melting point", "", "measure"),
    "boiling point": Noun("boiling point", "", "measure"),
    "atomic number": Noun("atomic number", "", "code"),
    "population density": Noun("population density", "", "measure"),
    "calling code": Noun("calling code", "calling codes", "code"),
}
_IRREGULAR = {
    "person": "people",
    "series": "series",
    "species": "species",
    "batsman": "batsmen",
    "aircraft": "aircraft",
    "alumnus": "alumni",
    "chairman": "chairmen",
}
_NEVER = re.compile(
    r"\b(?:notes?|refs?|references?|remarks?|comments?|descriptions?|details?|notability|images?|photos?|sources?|link|"
    r"website|logo|map|coord\w*|info\w*|summary|reason|other|age|aged|years?|current\w*|present|latest|recent|today|"
    r"tenure|active|term|period|span|from|to|ranking|ranks?|score|no|nos|number|#|pick|overall|time|record|gap|"
    r"changes?|difference|significance|association|achievements?|claim to fame|known for|cause|outcome|value|"
    r"average in final|worth|past|since|last|next|cast|citations?|explanation|meaning|example|stipulation|w|l|d|t|"
    r"fee|total|pld|gp|gf|ga|gd|sr|id|key|us|uk|no\.)\b|[#%/†*?&+=<>\"]|\d",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[A-Za-z][a-z]{2,}(?:[ -][A-Za-z][a-z]+){0,3}")
_OPTIONAL = re.compile(r"\s*\((?:s|es|ies)\)|\s*\(.*\)$|\s*\[.*\]$")
_PARTICIPLE = re.compile(r"(?:ed|ing)$")


def plural(word: str) -> str:
    """The plural of an English noun (of the last word of a phrase)."""
    if " or " in word:
        return " or ".join(map(plural, word.split(" or ")))
    if " of " in word:
        head, _, rest = word.partition(" of ")
        return f"{plural(head)} of {rest}"
    head, _, last = word.rpartition(" ")
    low = last.lower()
    if low in _IRREGULAR:
        last = _IRREGULAR[low]
    elif re.search(r"[^aeiou]y$", low):
        last = last[:-1] + "ies"
    elif low.endswith(("s", "x", "ch", "sh")):
        last += "es"
    else:
        last += "s"
    return f"{head} {last}" if head else last


_WORDS: dict[str, Noun] = {}
for _sort in ("person", "thing", "place", "count", "measure", "event"):
    _many = plural if _sort in {"person", "thing", "place"} else lambda _: ""
    for _word in WORDS[_sort]:
        _known = _sort in {"person", "thing", "place"} and _word in _WORDS
        _WORDS[_word] = _WORDS[_word] if _known else Noun(_word, _many(_word), _sort)


_UNIT = re.compile(rf"(?:(?:square|cubic|sq\.?|cu\.?) )?(?:{'|'.join(map(re.escape, WORDS['unit']))})")
_SCALE = re.compile(r"((?:US|A|C|NZ)?[$€£¥])? ?(thousand|million|billion)s?", re.IGNORECASE)


def header_unit(header: str) -> str:
    """The unit that a header gives: "Area (km²)" has "km²", "Budget (in millions)" "million"."""
    found = re.search(r"\((?:in )?([^()]+)\)$", header)
    said = found[1].strip() if found else ""
    if scale := _SCALE.fullmatch(said):
        return (scale[1] or "") + scale[2].lower()
    return said if _UNIT.fullmatch(said) else ""


_PROPER = re.compile(
    r"\b(?:olympic|european|american|asian|african|english|british|french|german|italian|spanish|chinese|japanese|indian|"
    r"roman|latin|greek|grammy|oscar|emmy)(?=s?\b)"
)


def noun(header: str, title: str = "") -> Noun | None:
    """What to call a column with this header, None where that would not be plain English. A page's title shows which
    of its words are names: "Ivy League championships".
    """
    found = _noun(header)
    if found is None:
        return None
    names = [name for name in re.findall(r"(?:[A-Z][a-z]+ )+[A-Z][a-z]+", title) if name in header]

    def cased(text: str) -> str:
        for name in names:
            text = text.replace(name.lower(), name)
        return _PROPER.sub(lambda word: word[0].title(), text)

    return Noun(cased(found.one), cased(found.many), found.sort)


def _single(low: str) -> str:
    """A measure in the singular: of "boiling points", each has one."""
    known = _OWN.get(low[:-1]) or _WORDS.get(low[:-1]) if low.endswith("s") else None
    return low[:-1] if known and known.sort == "measure" else low


def _noun(header: str) -> Noun | None:
    text = " ".join(_OPTIONAL.sub("", header).split()).rstrip(".:")
    text = re.sub(r"^names? of (?:the )?", "", text, flags=re.IGNORECASE)
    low = text.lower()
    low = _single(low)
    if low in {"percentage", "status"}:
        return None  # of what, and since when?
    if low in _OWN:
        return _OWN[low]
    if low in _WORDS:
        return _WORDS[low]
    if low.endswith("s") and low[:-1] in _WORDS and _WORDS[low[:-1]].sort in {"person", "thing", "place"}:
        return _WORDS[low[:-1]]
    if not _PLAIN.fullmatch(text) or _NEVER.search(text):
        return None
    last = low.rpartition(" ")[2]
    known = _WORDS.get(last)
    if known and " " in low:
        return Noun(low, plural(low) if known.many else "", known.sort)
    if _PARTICIPLE.search(low) or " " not in low:
        return None  # an unknown single word may be anything: a verb, an abbreviation, a name
    head = low.partition(" of ")[0].rpartition(" ")[2]
    if head.endswith("s") and not head.endswith(("ss", "us", "is")):
        return None  # "members of parliament": one cell may hold one or several
    if re.search(r"\b(?:or|and|by|at|for|with|in|under|on|as)\b", low):
        return None
    return Noun(low)


_KEYS = {"code", "name", "number", "weight", "configuration", "zone", "density", "point", "language", "languages"}


def key_noun(relation: str) -> Noun | None:
    """What to call a stated relation ("ISO 3166 two-letter code"), None where that would not be plain English."""
    found = noun(relation)
    if found and found.sort != "name":
        return found
    last = relation.rpartition(" ")[2]
    if last in _KEYS and re.fullmatch(r"[A-Z][\w -]{3,40}", relation):
        first = relation.partition(" ")[0]
        kept = relation if first.isupper() else relation[0].lower() + relation[1:]
        return Noun(kept, "", "code" if last in {"code", "number"} else "thing")
    return None


_ROWS = re.compile(
    r"^(?:full |complete )?lists? of (?:the )?([a-z][a-z' -]*?)"
    r"(?: (?:in|by|of|at|for|from|with|on|to|and|that|who|since|under|named|\().*)?$",
    re.IGNORECASE,
)


_NO_ROWS = {
    "result",
    "event",
    "race",
    "award",
    "game",
    "stage",
    "round",
    "series",
    "class",
    "medal",
    "source",
    "season",
    "edition",
}


def row_noun(header: str, titles: tuple[str, ...]) -> Noun:
    """What the rows of a table are, whose subject column has this header, under these titles (innermost last)."""
    own = noun(header)
    if own and own.sort in {"person", "thing", "place", "code"} and own.many:
        return own
    for title in reversed(titles):
        listed = _ROWS.match(title)
        if found := _titled(listed[1] if listed else title.lower(), whole=listed is not None):
            return found
    return Noun("entry", "entries", "entry")


def _titled(words: str, *, whole: bool) -> Noun | None:
    """What is listed under a title: "tallest buildings" are buildings; of a title that is no list, one word only."""
    words = re.sub(r"^(?:\w+est|main|major|notable|top|first|origin) ", "", words)
    if words == "alumni":
        return Noun("alumnus", "alumni", "person")
    last = words.rpartition(" ")[2].lower()
    if not last.endswith("s") or len(words.split()) > 3 or not (whole or words == last):
        return None
    for one in (last[:-1], last[:-3] + "y"):
        known = _WORDS.get(one)
        if known and known.many == last and one not in _NO_ROWS:
            return Noun(words[: len(words) - len(last)] + one, words, known.sort)
    return None
