"""Questions in words: several ways to name a table, a condition, a description, and to ask for each kind of value."""

import re
from collections.abc import Sequence
from random import Random

from lite.tasks.chinese import chinese_questions
from lite.tasks.nouns import WORDS, Noun, key_noun
from lite.tasks.sheet import Column, Sheet

_IN = {"city", "town", "country", "state", "county", "province", "region", "district", "municipality", "suburb"}
_PLURAL_COUNT = re.compile(r"(?:[a-z]+s|people)$")
_ONE_COUNT = {"loss", "gross", "mass", "radius", "attendance", "series"}
# What a thing, not a person or a place, can be said to have: "films whose genre is", "clubs whose stadium is".
_OWNED = set(WORDS["owned"])
_PERSONAL = {"nationality", "club", "team", "college", "school", "university", "position", "occupation", "profession"}
NAMED = 5  # words: a longer name of a thing is a description


def source(sheet: Sheet, rng: Random) -> str:
    """A noun phrase for a table."""
    title, under = sheet.title, " - ".join(sheet.heading)
    if re.match(r"Lists? of ", title):
        whole = f"the {title[0].lower()}{title[1:]}"
        return rng.choice((f'the "{under}" part of {whole}', f'{whole} (section "{under}")')) if under else whole
    quoted = f'"{title}"' if title[0].isdigit() or title.startswith("The ") else title
    bare = title.removeprefix("The ")
    if under:
        return rng.choice((
            f'the "{under}" table of the article on {quoted}',
            f'the table "{under}" on the {bare} page',
            f'the {bare} article, section "{under}"',
            f'the "{under}" section of the page about {quoted}',
            f'the {bare} page (under "{under}")',
        ))  # fmt: skip
    return rng.choice((f"the table in the article on {quoted}", f"the table on the {bare} page"))


def asked(core: str, where: str, rng: Random) -> str:
    """A question: `core` without its mark, bound to a table."""
    capital = core[0].upper() + core[1:]
    forms = [
        f"In {where}, {core}?",
        f"According to {where}, {core}?",
        f"Going by {where}, {core}?",
        f"Per {where}, {core}?",
    ]
    if len(core.split()) < 20:
        forms += [f"{capital}, according to {where}?", f"{capital}, going by {where}?"]
        forms.append(f"{capital}, as given in {where}?" if " in " in core else f"{capital} in {where}?")
    return rng.choice(forms)


def counted(noun: Noun) -> bool:
    """Whether one asks "how many" of it."""
    last = noun.one.rpartition(" ")[2]
    return noun.sort == "count" and bool(_PLURAL_COUNT.fullmatch(last)) and last not in _ONE_COUNT


def counts(sheet: Sheet, column: Column) -> bool:
    """Whether a column holds whole numbers of something that one asks "how many" of."""
    if column.noun is None or not counted(column.noun) or column.unit:
        return False
    return all((row[column.at].value.number or 0.0).is_integer() for row in sheet.rows)


def value_of(what: str, column: Column, sheet: Sheet, rng: Random) -> str:
    """The core of a question for one cell; `what` names the row."""
    noun, rows = column.noun, sheet.rows_are
    assert noun is not None  # noqa: S101  # makers only ask for what has a name
    one = noun.one
    if noun.sort == "event":
        return when(what, one, rng)
    if sheet.columns[sheet.subject].kind == "year" and noun.sort in {"count", "measure"}:
        return (
            f"how many {one} are given for {what}" if counts(sheet, column) else f"what is the {one} given for {what}"
        )
    if sheet.columns[sheet.subject].kind == "year":
        return (
            f"who is listed as the {one} for {what}" if noun.sort == "person" else f"which {one} is listed for {what}"
        )
    if noun.sort == "person":
        return rng.choice((f"who is the {one} given for {what}", f"who is listed as {one} for {what}"))
    if counts(sheet, column):
        return rng.choice((f"how many {one} are listed for {what}", f"how many {one} does {what} have"))
    if noun.sort in {"count", "measure", "code"}:
        return rng.choice((f"what is the {one} of {what}", f"what {one} is given for {what}"))
    if noun.sort == "time":
        return rng.choice((f"which {one} is given for {what}", f"which {one} is listed for {what}"))
    if one in _IN and rows.sort in {"thing", "place"}:
        return rng.choice((f"in which {one} is {what}", f"which {one} is given for {what}"))
    forms = [f"which {one} is listed for {what}", f"which {one} is given for {what}"]
    if has_one(noun) and (rows.sort != "place" or noun.sort in {"place", "count", "measure"}):  # no venue of a city
        forms += [f"what is given as the {one} of {what}"]
        forms += [f"what is the {one} of {what}"] if rows.sort in {"thing", "place"} else []
    return rng.choice(forms)


def has_one(noun: Noun) -> bool:
    """Whether "the X of Y" is plain English: a film's genre and a player's club, not a film's role."""
    return noun.sort in {"place", "count", "measure"} or noun.one.rpartition(" ")[2] in _OWNED | _PERSONAL


def when(what: str, participle: str, rng: Random) -> str:
    """The core of a question for a date."""
    if participle == "died":
        return f"when did {what} die"
    return rng.choice((f"when was {what} {participle}", f"on what date or in what year was {what} {participle}"))


def condition(column: Column, how: str, value: str, sheet: Sheet, rng: Random) -> str:
    """A clause that singles rows out, to stand after "the players" or "the player"."""
    noun = column.noun
    assert noun is not None  # noqa: S101
    one = noun.one
    if value.startswith(f"the {one} listed for "):  # a description
        return f"with the same {one} as {value.removeprefix(f'the {one} listed for ')}"
    if noun.sort == "event":
        on = "on" if len(value.split()) > 2 or value.count("-") > 1 else "in"
        words = {"in": "in", "is": on, ">": "after", "<": "before"}[how]
        return f"who died {words} {value}" if one == "died" else f"{one} {words} {value}"
    if how in "<>":
        more, fewer = ("more than", "fewer than" if counts(sheet, column) else "less than")
        amount = f"{more if how == '>' else fewer} {value}"
        return f"with {amount} {one}" if counts(sheet, column) else f"with {an(one)} of {amount}"
    if how == "in":
        return f"whose {one} falls in {value}"
    if len(value.split()) > NAMED or _has(sheet.rows_are, noun):
        return f"whose {one} is {value}"
    if noun.sort == "person":
        return rng.choice((f"with {value} as {one}", f"listed with {value} as {one}"))
    if noun.sort == "time":
        return f"listed under the {one} {value}"
    return f"listed with {value} as the {one}"


def _has(rows: Noun, noun: Noun) -> bool:
    """Whether "whose" is plain English: a player's club, a stadium's city, a film's genre."""
    if rows.sort == "person":
        return noun.sort in {"thing", "place"}
    return rows.sort in {"thing", "place"} and (noun.sort == "place" or noun.one.rpartition(" ")[2] in _OWNED)


_THROUGH = {
    "born": "born in {}",
    "died": "who died in {}",
    "director": "directed by {}",
    "author": "written by {}",
    "artist": "recorded by {}",
    "county": "located in {}",
    "district": "located in {}",
    "year of release": "released in {}",
}


def through(relation: str, how: str, value: str) -> str | None:
    """A clause on what the row's own page states."""
    words = {"in": "in", "is": "in", ">": "after", "<": "before"}
    if relation in {"base", "birthplace"}:
        return None  # one page says the city, the other its state: no way to tell them apart by words
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
    return f"with {an(noun.one)} of {'more' if how == '>' else 'less'} than {value}" if how in "<>" else None


def predicate(clause: str) -> str:
    """A clause as what follows the subject of a sentence: "born in 1984" -> "was born in 1984"."""
    if clause.startswith("who "):
        return clause.removeprefix("who ")
    if clause.startswith("whose "):
        noun, _, value = clause.removeprefix("whose ").partition(" is ")
        return f"is in {value}" if noun in _IN else f"has {value} as {noun}"
    return f"has {clause.removeprefix('with ')}" if clause.startswith("with ") else f"was {clause}"


PARTICIPLES = frozenset(
    "founded established formed incorporated built constructed opened completed launched created".split()  # noqa: SIM905
)
_ASKED = {
    "born": (
        "When was {} born?",
        "What is the date of birth of {}?",
        "On what date was {} born?",
        "What is {}'s birth date?",
    ),
    "died": ("When did {} die?", "On what date did {} die?", "What is the date of death of {}?"),
    "director": ("Who directed {}?", "Who is the director of {}?", "{} was directed by whom?"),
    "year of release": (
        "In what year did {} come out?",
        "What is the release year of {}?",
        "What year was {} released?",
    ),
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
    forms = list(_forms(relation, kind))
    if len(what.split()) > NAMED:  # a description is better not followed by much, and never by a stranded "in"
        last = [form for form in forms if form.endswith("{}?")]
        short = [form for form in forms if re.search(r"^\w.* \{\} (?!in\b|for\b)[a-z]+\?$", form)]
        forms = last + short if len(what.split()) < 16 else last
    if not forms:
        return None
    question = rng.choice(forms).format(what)
    return question[0].upper() + question[1:]


def an(word: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _forms(relation: str, kind: str) -> Sequence[str]:  # noqa: C901  # one relation after the other
    if chinese := chinese_questions(relation):
        return chinese if kind != "several" else ()
    if relation == "born" and kind == "year":
        return ("When was {} born?", "In what year was {} born?", "What is the year of birth of {}?")
    if relation in _ASKED:
        return [form for form in _ASKED[relation] if kind != "date" or "year" not in form]
    if relation in PARTICIPLES:
        asked_year = (f"In what year was {{}} {relation}?", f"{{}} was {relation} in which year?")
        return (
            f"When was {{}} {relation}?",
            *(asked_year if kind == "year" else (f"On what date was {{}} {relation}?",)),
        )
    if relation.startswith("college "):
        sport = relation.removeprefix("college ")
        return (
            f"For which college did {{}} play {sport}?",
            f"Where did {{}} play college {sport}?",
            f"Which college team did {{}} play {sport} for?",
            f"What was the college {sport} team of {{}}?",
        )
    if relation.startswith("population at the "):
        census = relation.removeprefix("population at ")
        return (
            f"At {census}, what was the population of {{}}?",
            f"How many people lived in {{}} at {census}?",
            f"What population did {census} record for {{}}?",
        )
    noun = key_noun(relation)
    if noun is None or noun.sort == "event":
        return ()
    amount = noun.sort in {"count", "measure"}
    if (kind == "number" and not amount and noun.sort != "code") or (kind != "number" and amount):
        return ()
    if noun.one in _IN:
        return (f"In which {noun.one} is {{}}?", f"Which {noun.one} is {{}} in?", f"{{}} is in which {noun.one}?")
    if amount:
        return (
            f"What is the {noun.one} of {{}}?",
            f"What {noun.one} is given for {{}}?",
            f"What is {{}}'s {noun.one}?",
        )
    return (f"What is the {noun.one} of {{}}?", f"What {noun.one} is given for {{}}?", f"What is {{}}'s {noun.one}?")
