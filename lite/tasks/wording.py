"""Questions in words: several ways to name a table, a condition, a description, and to ask for each kind of value."""

import re
from collections.abc import Sequence
from random import Random

from lite.tasks.nouns import Noun, key_noun
from lite.tasks.sheet import Column, Sheet

_IN = {"city", "town", "country", "state", "county", "province", "region", "district", "municipality", "suburb"}
_PLURAL_COUNT = re.compile(r"(?:[a-z]+s|people)$")
_ONE_COUNT = {"loss", "gross", "mass", "radius", "attendance", "series"}


def source(sheet: Sheet, rng: Random) -> str:
    """A noun phrase for a table."""
    title, under = sheet.title, " - ".join(sheet.heading)
    if re.match(r"Lists? of ", title):
        whole = f"the {title[0].lower()}{title[1:]}"
        return rng.choice((f'the "{under}" part of {whole}', f'{whole} (section "{under}")')) if under else whole
    article = "the " if re.match(r"\d{4}\b", title) else ""
    if under:
        return rng.choice((
            f'the "{under}" table of the article on {article}{title}',
            f'the table "{under}" on the {title} page',
            f'the {title} article, section "{under}"',
            f'the "{under}" section of the page about {article}{title}',
        ))  # fmt: skip
    return rng.choice((f"the table in the article on {article}{title}", f"the table on the {title} page"))


def asked(core: str, where: str, rng: Random) -> str:
    """A question: `core` without its mark, bound to a table."""
    capital = core[0].upper() + core[1:]
    return rng.choice((
        f"In {where}, {core}?",
        f"According to {where}, {core}?",
        f"Going by {where}, {core}?",
        f"Looking at {where}, {core}?",
        f"{capital}, according to {where}?",
        f"{capital}, going by {where}?",
        f"Per {where}, {core}?",
    ))  # fmt: skip


def counted(noun: Noun) -> bool:
    """Whether one asks "how many" of it."""
    last = noun.one.rpartition(" ")[2]
    return noun.sort == "count" and bool(_PLURAL_COUNT.fullmatch(last)) and last not in _ONE_COUNT


def value_of(what: str, column: Column, rows: Noun, rng: Random, timed: bool = False) -> str:  # noqa: FBT001, FBT002
    """The core of a question for one cell; `what` names the row, `timed` says that it is a year."""
    noun = column.noun
    assert noun is not None  # noqa: S101  # makers only ask for what has a name
    one = noun.one
    if noun.sort == "event":
        return when(what, one, rng)
    if timed:
        return f"who is listed as the {one} for {what}" if noun.sort == "person" else f"which {one} is listed for {what}"
    if noun.sort == "person":
        return rng.choice((f"who is the {one} given for {what}", f"who is listed as {one} for {what}"))
    if counted(noun):
        return rng.choice((f"how many {one} are listed for {what}", f"how many {one} does {what} have"))
    if noun.sort in {"count", "measure", "code"}:
        return rng.choice((f"what is the {one} of {what}", f"what {one} is given for {what}"))
    if one in _IN and rows.sort in {"thing", "place"}:
        return rng.choice((f"in which {one} is {what}", f"which {one} is given for {what}"))
    return rng.choice((
        f"which {one} is listed for {what}", f"what is the {one} of {what}", f"what is given as the {one} of {what}"
    ))  # fmt: skip


def when(what: str, participle: str, rng: Random) -> str:
    """The core of a question for a date."""
    if participle == "died":
        return f"when did {what} die"
    return rng.choice((f"when was {what} {participle}", f"on what date or in what year was {what} {participle}"))


def condition(column: Column, how: str, value: str, rng: Random) -> str:
    """A clause that singles rows out, to stand after "the players"."""
    noun = column.noun
    assert noun is not None  # noqa: S101
    one = noun.one
    if noun.sort == "event":
        verb = "died" if one == "died" else f"was {one}" if how == "is" else f"were {one}"
        words = {"in": "in", "is": "in", ">": "after", "<": "before"}[how]
        return f"that {verb} {words} {value}".replace("that was ", "that was ") if how == "is" else f"{one} {words} {value}"
    if how == ">":
        return f"with more than {value} {one}" if counted(noun) else f"with a {one} of more than {value}"
    if how == "<":
        return f"with fewer than {value} {one}" if counted(noun) else f"with a {one} of less than {value}"
    if how == "in":
        return f"whose {one} falls in {value}"
    if counted(noun):
        return f"with exactly {value} {one}"
    if noun.sort == "person":
        return rng.choice((f"whose {one} is {value}", f"with {value} as {one}"))
    return rng.choice((f"whose {one} is {value}", f"listed with {value} as the {one}", f"that have {value} as their {one}"))


def single(clause: str) -> str:
    """A clause for one row."""
    return clause.replace("that have ", "that has ").replace(" as their ", " as its ").replace("that were ", "that was ")


_THROUGH = {
    "born": "born in {}",
    "died": "who died in {}",
    "birthplace": "born in {}",
    "director": "directed by {}",
    "author": "written by {}",
    "artist": "recorded by {}",
    "county": "located in {}",
    "district": "located in {}",
    "year of release": "released in {}",
    "base": "based in {}",
}


def through(relation: str, how: str, value: str) -> str | None:
    """A clause on what the row's own page states."""
    words = {"in": "in", "is": "in", ">": "after", "<": "before"}
    if relation.startswith("college "):
        return f"who played {relation} for {value}"
    if relation in {"born", "died", "year of release"} or relation in PARTICIPLES:
        clause = _THROUGH.get(relation, f"{relation} in {{}}").format(value)
        return clause.replace(" in ", f" {words[how]} ", 1)
    if relation in _THROUGH and how == "is":
        return _THROUGH[relation].format(value)
    noun = key_noun(relation)
    if noun is None:
        return None
    if how == "is":
        return f"whose {noun.one} is {value}"
    return f"with a {noun.one} of {'more' if how == '>' else 'less'} than {value}" if how in "<>" else None


PARTICIPLES = frozenset(
    "founded established formed incorporated built constructed opened completed launched created".split()  # noqa: SIM905
)
_ASKED = {
    "born": ("When was {} born?", "What is the date of birth of {}?", "On what date was {} born?", "What is {}'s birth date?"),
    "died": ("When did {} die?", "On what date did {} die?", "What is the date of death of {}?"),
    "director": ("Who directed {}?", "Who is the director of {}?", "{} was directed by whom?"),
    "year of release": ("In what year did {} come out?", "What is the release year of {}?", "What year was {} released?"),
    "author": ("Who wrote {}?", "Who is the author of {}?", "{} was written by whom?"),
    "artist": ("Who recorded {}?", "By which artist is {}?", "Which act recorded {}?"),
    "county": ("In which county is {}?", "Which county is {} in?", "{} lies in which county?"),
    "district": ("In which district is {}?", "Which district is {} in?", "{} lies in which district?"),
    "base": ("Where is {} based?", "In what place is {} based?", "What town or city is {} based in?"),
    "birthplace": ("Where was {} born?", "What is the birthplace of {}?", "In what place was {} born?"),
    "listed": (
        "When was {} listed on the National Register of Historic Places?",
        "In what year was {} added to the National Register of Historic Places?",
    ),
}  # fmt: skip


def about_page(relation: str, kind: str, what: str, rng: Random) -> str | None:
    """A question for what a page states of its subject; None where it cannot be put in words."""
    forms: Sequence[str]
    if relation in _ASKED:
        forms = _ASKED[relation]
        if kind == "year":
            forms = [form for form in forms if "date" not in form] + (["In what year was {} born?"] if relation == "born" else [])
            forms = forms or ["In what year did {} die?"]
        elif relation == "listed":
            forms = forms[:1]
    elif relation in PARTICIPLES:
        forms = (f"When was {{}} {relation}?", f"What is the date given for when {{}} was {relation}?")
        if kind == "year":
            forms = (f"When was {{}} {relation}?", f"In what year was {{}} {relation}?", f"{{}} was {relation} in which year?")
    elif relation.startswith("college "):
        sport = relation.removeprefix("college ")
        forms = (f"For which college did {{}} play {sport}?", f"Where did {{}} play college {sport}?", f"Which college team did {{}} play {sport} for?")
    elif relation.startswith("population at the "):
        census = relation.removeprefix("population at ")
        forms = (f"What was the population of {{}} at {census}?", f"How many people lived in {{}} at {census}?", f"What population did {census} record for {{}}?")
    else:
        noun = key_noun(relation)
        if noun is None or noun.sort == "event":
            return None
        forms = (f"What is the {noun.one} of {{}}?", f"Which {noun.one} does {{}} have?", f"What {noun.one} is given for {{}}?")
        if noun.sort in {"count", "measure"}:
            forms = (f"What is the {noun.one} of {{}}?", f"What {noun.one} is given for {{}}?")
    question = rng.choice(forms).format(what)
    return question[0].upper() + question[1:]
