"""Questions about the atlas: their record, which split they fall into, and how a few hundred are chosen."""

import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .corrections import UNSETTLED, UNSETTLED_CAPITAL
from .links import Links
from .model import City, Country, Facts
from .reading import slug

SHARES = (("train", 60), ("dev", 15), ("test", 25))  # percent of the entities


@dataclass
class Question:
    """A task to be: `derivation` says how the answer follows from the evidence, so that a program can check it."""

    kind: str  # the template's name; with `about` it makes the id
    about: tuple[str, ...]
    question: str
    answers: Sequence[str]
    evidence: Sequence[str]
    capability: str
    hops: int
    entities: Sequence[str]  # "country:FR", "element:Na"; all of one split
    derivation: dict[str, Any] = field(default_factory=dict)

    def record(self, split: str) -> dict[str, Any]:
        """The task's line in tasks.jsonl."""
        return {
            "id": "-".join(["atlas", self.kind, *(slug(a) for a in self.about)]),
            "question": self.question,
            "answers": list(dict.fromkeys(spelling for a in self.answers for spelling in (a, plain(a)))),
            "evidence": list(dict.fromkeys(self.evidence)),
            "capability": self.capability,
            "hops": self.hops,
            "split": split,
            "entities": sorted(set(self.entities)),
            "derivation": self.derivation,
        }


class Splits:
    """Which split an entity belongs to. Elements that share a discoverer go together: one names the other."""

    def __init__(self, facts: Facts) -> None:
        self.head: dict[str, str] = {}
        for name, elements in sorted(facts.people.items()):
            for e in elements:
                self._join(f"person:{name}", f"element:{e.symbol}")
        for e in facts.elements.values():
            for kind, what in e.named:
                if kind in ("person", "institution") and what in facts.people:
                    self._join(f"person:{what}", f"element:{e.symbol}")

    def _find(self, key: str) -> str:
        while self.head.get(key, key) != key:
            key = self.head[key]
        return key

    def _join(self, a: str, b: str) -> None:
        low, high = sorted((self._find(a), self._find(b)))
        self.head[high] = low

    def of(self, entity: str) -> str:
        """The split of one entity."""
        place, seen = zlib.crc32(("split " + self._find(entity)).encode()) % 100, 0
        for name, share in SHARES:
            seen += share
            if place < seen:
                return name
        raise AssertionError("shares add up to 100")

    def common(self, entities: Iterable[str]) -> str | None:
        """The one split of all these entities, or None."""
        splits = {self.of(e) for e in entities}
        return splits.pop() if len(splits) == 1 else None


class Maker:
    """What the makers of questions share: the facts, the pages' URLs, and wordings of things."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)
        self.countries = [c for c in facts.countries.values() if c.iso not in UNSETTLED]
        self.capitals = [c for c in self.countries if c.capital_id and c.iso not in UNSETTLED_CAPITAL]
        self.elements = sorted(facts.elements.values(), key=lambda e: e.number)
        self.dated = [e for e in self.elements if e.year and e.how != "-" and e.discoverers]

    def capital_of(self, c: Country) -> City:
        """The capital of one of `self.capitals`."""
        return self.facts.cities[c.capital_id or 0]

    def settled(self, city: City) -> bool:
        """Whether nobody would argue about the country of the city."""
        return city.country not in UNSETTLED

    def keys(self, *countries: Country) -> list[str]:
        """The countries as entities of a question."""
        return [f"country:{c.iso}" for c in countries]

    def money(self, code: str) -> list[str]:
        """A currency's name and code, as answers."""
        return [self.facts.currencies[code].name, code]

    def person(self, name: str) -> list[str]:
        """A person's full name and surname, as answers."""
        return [name, name.rsplit(maxsplit=1)[-1]]

    def home(self, city: City) -> list[str]:
        """The entities that a question about a city is about: its country, and its state in the United States."""
        return [f"country:{city.country}"] + ([f"state:{city.state}"] if city.state else [])


def plain(answer: str) -> str:
    """`São Tomé` as people without the accents on their keyboard write it; other scripts stay as they are."""
    folded = unicodedata.normalize(
        "NFKD", answer.replace("ø", "o").replace("\u2019", "'").replace("\u2018", "'").replace("\u2212", "-")
    )
    return "".join(c for c in folded if not unicodedata.combining(c)) if folded.isprintable() else answer


def says(question: str, answer: str) -> bool:
    """Whether the question gives its answer away."""
    return re.search(rf"(?<![\w.,]){re.escape(answer.casefold())}(?![\w,]|\.\d)", question.casefold()) is not None


def bare(temperature: str) -> list[str]:
    """`1,538 °C` and the same without its unit."""
    return [temperature, temperature.removesuffix(" °C")]


def pick(candidates: Iterable[Question], splits: Splits, quotas: dict[str, int]) -> list[tuple[Question, str]]:
    """For each kind as many questions as its quota, spread over the splits by their shares, the same every time."""
    pools: dict[tuple[str, str], list[Question]] = defaultdict(list)
    seen: set[str] = set()
    for q in candidates:
        split = splits.common(q.entities)
        given = q.capability != "verification" and says(q.question, q.answers[0])
        if split and not given and q.question not in seen:
            seen.add(q.question)
            pools[q.kind, split].append(q)
    chosen: list[tuple[Question, str]] = []
    for kind, quota in quotas.items():
        for split, share in SHARES:
            pool = sorted(pools[kind, split], key=lambda q: zlib.crc32(q.question.encode()))
            chosen += [(q, split) for q in pool[: max(1, round(quota * share / 100))]]
    return chosen
