"""The encyclopedia's articles on the elements and on those who found them."""

from collections.abc import Iterator

from . import text as t
from .links import Links
from .model import Element, Facts
from .reading import slug
from .text import Page, choose


class Science:
    """The articles on elements, people and institutions, and their indexes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)

    def pages(self) -> Iterator[Page]:
        """Every page of the site, in a fixed order."""
        yield from (self._element(e) for e in self.facts.elements.values())
        yield from (self._person(name) for name in self.facts.people)
        yield from self._indexes()

    def _element(self, e: Element) -> Page:
        to = self.to
        article = "an" if e.series[0] in "aeiou" else "a"
        kind = "noble gas" if e.series == "noble gases" else e.series.removesuffix("s")
        lead = choose(
            e.symbol,
            f"**{t.upper(e.name)}** is a chemical element with the symbol {e.symbol} and atomic number {e.number}.",
            f"{t.upper(e.name)}, symbol {e.symbol}, is the element with atomic number {e.number}.",
            f"The chemical element {e.name} has the atomic number {e.number}; its symbol is {e.symbol}.",
        )
        if e.also:
            lead += f" The name is also spelt {e.also}."
        place = f"period {e.period} and group {e.group}" if e.group else f"period {e.period}"
        return t.page(
            to.element_url(e),
            t.upper(e.name),
            f"# {t.upper(e.name)}",
            f"{lead} It is {article} {kind} in {place} of the periodic table"
            + (", and radioactive." if e.radioactive else "."),
            "## Discovery\n\n" + self._discovery(e) if self._discovery(e) else "",
            "## Name\n\n" + self._name(e),
            "## Properties\n\n" + _properties(e) if _properties(e) else "",
            f"The {t.link('data sheet of ' + e.name, to.data_url(e))} in the Handbook has the figures.",
        )

    def _discovery(self, e: Element) -> str:
        if e.how == "antiquity":
            return choose(
                e.symbol + "old",
                "It has been known since antiquity; nobody is credited with its discovery.",
                "People have known it since ancient times, so it has no recorded discoverer.",
            )
        if not e.discoverers:
            return ""
        who = t.listed([self.to.the_person(p) for p in e.discoverers])
        where = t.listed([self.to.the_country(p) for p in e.places]) if e.places else ""
        if e.how == "-" or not e.year:
            return f"Its discovery is credited to {who}; histories differ on the details."
        shared = " The work was done in " + where + "." if where else ""
        return (
            choose(
                e.symbol + "found",
                f"It was {verb(e)} in {e.year} by {who}.",
                f"{t.upper(who)} {verb(e)} it in {e.year}.",
                f"Credit for it goes to {who}, who {verb(e)} it in {e.year}.",
            )
            + shared
        )

    def _name(self, e: Element) -> str:
        said = choose(e.symbol + "name", f"The name comes from {e.origin}.", f"It takes its name from {e.origin}.")
        pages = [u for u in (self.to.named_after(*n) for n in e.named) if u]
        if pages:
            said += f" See {t.listed(pages)}."
        return said

    def _person(self, name: str) -> Page:
        found = self.facts.people[name]
        dated = [e for e in found if e.year and e.how != "-"]
        undated = [e for e in found if e not in dated]
        namesakes = [e for e in self.facts.elements.values() if any(w == name for _, w in e.named)]
        others = sorted({p for e in found for p in e.discoverers if p != name})
        many = t.count(len(found), "element")
        the = self.to.the_person(name).split("[")[0] + name
        lead = choose(
            slug(name),
            f"{t.upper(the)} is credited with {many}.",
            f"The discovery of {many} is credited to {the}, alone or with others.",
            f"In the history of the elements, {the} stands for {many}.",
        )
        said = [
            f"{t.upper(self.to.element(e))} ({e.symbol}) was {verb(e)} in {e.year}"
            + (
                f" with {t.listed([self.to.the_person(p) for p in e.discoverers if p != name])}"
                if len(e.discoverers) > 1
                else ""
            )
            + f", in {t.listed([self.to.the_country(p) for p in e.places])}."
            for e in dated
        ]
        said += [f"{t.upper(self.to.element(e))} ({e.symbol}): histories differ on the details." for e in undated]
        return t.page(
            self.to.person_url(name),
            name,
            f"# {name}",
            lead,
            "## Elements\n\n" + (t.bullets(said) if len(said) > 1 else said[0]),
            "## Shared credit\n\n" + t.bullets(self.to.person(p) for p in others) if others else "",
            " ".join(f"The element {self.to.element(e)} is named in honour of {the}." for e in namesakes),
            f"See the Handbook's {t.link('list of discoveries', t.HANDBOOK + '/discoveries')}.",
        )

    def _indexes(self) -> Iterator[Page]:
        f, to = self.facts, self.to
        yield t.page(
            f"{t.ENCYCLOPEDIA}/index/elements",
            "Index of elements",
            "# Index of elements",
            t.bullets(f"{to.element(e)} ({e.symbol})" for e in sorted(f.elements.values(), key=lambda e: e.name)),
        )
        yield t.page(
            f"{t.ENCYCLOPEDIA}/index/people",
            "Index of people and institutions",
            "# People and institutions",
            t.bullets(
                f"{to.person(name)}: {t.listed([e.name for e in found])}"
                for name, found in sorted(f.people.items(), key=lambda p: slug(p[0].split()[-1]))
            ),
        )


def verb(e: Element) -> str:
    """What was done to it first: it was `discovered`, `first isolated` or `first made`."""
    return {"isolated": "first isolated", "synthesised": "first made"}.get(e.how, "discovered")


def _properties(e: Element) -> str:
    said = []
    if e.melting is not None:
        said.append(f"It melts at {t.temperature(e.melting)}")
        if e.boiling is not None:
            said[0] += f" and boils at {t.temperature(e.boiling)}"
        said[0] += "."
    if e.density is not None:
        said.append(f"Its density is {e.density:g} grams per cubic centimetre.")
    return " ".join(said)
