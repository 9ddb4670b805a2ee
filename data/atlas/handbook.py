"""The handbook: a data sheet an element, tables of them by property, group, period, century and place."""

from collections.abc import Callable, Iterator

from . import text as t
from .links import Links
from .model import Country, Element, Facts
from .reading import slug
from .text import Page, choose


class Handbook:
    """The data sheets and tables of elements."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.to = Links(facts)
        self.elements = sorted(facts.elements.values(), key=lambda e: e.number)
        self.dated = sorted(
            (e for e in self.elements if e.year and e.how != "-"), key=lambda e: (e.year or 0, e.number)
        )

    def pages(self) -> Iterator[Page]:
        """Every page of the site, in a fixed order."""
        yield from (self._sheet(e) for e in self.elements)
        yield from self._groups()
        yield from self._properties()
        yield from self._discoveries()
        yield self._names()
        yield self._front()

    def _sheet(self, e: Element) -> Page:
        to = self.to
        before, after = (self._facts_of(e.number - 1), self._facts_of(e.number + 1))
        found = "known since antiquity" if e.how == "antiquity" else None
        if e.year and e.how != "-":
            found = f"{e.year}, {t.listed([to.person(p) for p in e.discoverers])}"
        return t.page(
            to.data_url(e),
            f"{t.upper(e.name)} ({e.symbol}): data sheet",
            f"# {t.upper(e.name)} ({e.symbol})",
            choose(
                e.symbol + "sheet",
                f"Element {e.number} of the table; the encyclopedia tells {t.link('its story', to.element_url(e))}.",
                f"Data of {to.element(e)}, element {e.number}.",
                f"{t.upper(e.name)} stands at number {e.number} in the periodic table. See also {to.element(e)} in the "
                "encyclopedia.",
            ),
            t.table(
                ["Property", "Value"],
                [
                    (k, v)
                    for k, v in [
                        ("Atomic number", e.number),
                        ("Symbol", e.symbol),
                        ("Standard atomic weight" if not e.radioactive else "Atomic weight", f"{e.weight:.6g}"),
                        ("Group", t.link(str(e.group), _group_url(e.group)) if e.group else None),
                        ("Period", t.link(str(e.period), _period_url(e.period))),
                        ("Block", t.link(e.block, f"{t.HANDBOOK}/block/{e.block}")),
                        ("Series", t.link(e.series, f"{t.HANDBOOK}/series/{slug(e.series)}")),
                        ("Electron configuration", e.config),
                        ("Melting point", t.temperature(e.melting) if e.melting is not None else None),
                        ("Boiling point", t.temperature(e.boiling) if e.boiling is not None else None),
                        ("Density", f"{e.density:g} g/cm³" if e.density is not None else None),
                        ("Electronegativity (Pauling)", e.negativity),
                        ("CAS number", e.cas),
                        ("Found", found),
                    ]
                    if v is not None
                ],
            ),
            " ".join(
                [f"Before it: {to.data(before)}." if before else "", f"After it: {to.data(after)}." if after else ""]
            ).strip(),
        )

    def _facts_of(self, n: int) -> Element | None:
        return self.elements[n - 1] if 1 <= n <= len(self.elements) else None

    def _groups(self) -> Iterator[Page]:
        for n in range(1, 19):
            yield self._group(_group_url(n), f"Group {n}", [e for e in self.elements if e.group == n])
        for n in range(1, 8):
            yield self._group(_period_url(n), f"Period {n}", [e for e in self.elements if e.period == n])
        for block in "spdf":
            these = [e for e in self.elements if e.block == block]
            yield self._group(f"{t.HANDBOOK}/block/{block}", f"The {block} block", these)
        for series in sorted({e.series for e in self.elements}):
            these = [e for e in self.elements if e.series == series]
            yield self._group(f"{t.HANDBOOK}/series/{slug(series)}", t.upper(series), these)

    def _group(self, url: str, title: str, these: list[Element]) -> Page:
        return t.page(
            url,
            f"{title} of the periodic table",
            f"# {title} of the periodic table",
            f"{t.upper(t.count(len(these), 'element'))}.",
            t.table(
                ["Element", "Symbol", "Atomic number", "Melting point (°C)", "Density (g/cm³)"],
                [
                    (
                        self.to.data(e),
                        e.symbol,
                        e.number,
                        _plain(e.melting),
                        f"{e.density:g}" if e.density is not None else t.DASH,
                    )
                    for e in these
                ],
            ),
        )

    def _properties(self) -> Iterator[Page]:
        kinds: list[tuple[str, str, Callable[[Element], float | None]]] = [
            ("melting-points", "Melting points (°C)", lambda e: e.melting),
            ("boiling-points", "Boiling points (°C)", lambda e: e.boiling),
            ("densities", "Densities (g/cm³)", lambda e: e.density),
            ("electronegativity", "Electronegativity on the Pauling scale", lambda e: e.negativity),
        ]
        for name, title, value in kinds:
            these = sorted(
                (e for e in self.elements if value(e) is not None), key=lambda e: (-(value(e) or 0), e.number)
            )
            yield t.page(
                f"{t.HANDBOOK}/table/{name}",
                f"{title} of the elements",
                f"# {title} of the elements",
                f"{len(these)} elements, the highest value first; elements without an agreed value are left out.",
                t.table(
                    ["Rank", "Element", "Symbol", title],
                    [(i, self.to.data(e), e.symbol, _plain(value(e))) for i, e in enumerate(these, 1)],
                ),
            )

    def _discoveries(self) -> Iterator[Page]:
        dated = self.dated
        yield t.page(
            f"{t.HANDBOOK}/discoveries",
            "Discoveries of the elements in order",
            "# Discoveries of the elements in order",
            "Elements known since antiquity, and those on whose year histories differ, are left out.",
            t.table(
                ["Year", "Element", "Credited"],
                [(e.year, self.to.element(e), t.listed([self.to.person(p) for p in e.discoverers])) for e in dated],
            ),
        )
        for century in self._centuries():
            these = [e for e in dated if e.century == century]
            yield t.page(
                f"{t.HANDBOOK}/discoveries/century-{century}",
                f"Elements of the {t.rank(century)} century",
                f"# Elements discovered, isolated or first made in the {t.rank(century)} century",
                f"{t.upper(t.count(len(these), 'element'))} of known year.",
                t.table(["Year", "Element", "Symbol"], [(e.year, self.to.data(e), e.symbol) for e in these]),
            )
        for where in self._places():
            these = [e for e in dated if where.iso in e.places]
            yield t.page(
                f"{t.HANDBOOK}/discoveries/in/{where.slug}",
                f"Elements found in {where.the}",
                f"# Elements found in {where.the}",
                f"{t.upper(t.count(len(these), 'element'))} of known year {'was' if len(these) == 1 else 'were'} "
                f"discovered, isolated or first made in what is today {self.to.the_country(where.iso)}.",
                t.table(
                    ["Element", "Year", "Credited"],
                    [(self.to.data(e), e.year, t.listed([self.to.person(p) for p in e.discoverers])) for e in these],
                ),
            )
        old = [e for e in self.elements if e.how == "antiquity"]
        yield t.page(
            f"{t.HANDBOOK}/discoveries/antiquity",
            "Elements known since antiquity",
            "# Elements known since antiquity",
            t.bullets(f"{self.to.data(e)} ({e.symbol})" for e in old),
        )

    def _centuries(self) -> list[int]:
        return sorted({e.century for e in self.dated})

    def _places(self) -> list[Country]:
        codes = {iso for e in self.dated for iso in e.places}
        return sorted((self.facts.countries[iso] for iso in codes), key=lambda c: c.slug)

    def _names(self) -> Page:
        rows = []
        for e in self.elements:
            for kind, what in e.named:
                rows.append((self.to.element(e), self.to.named_after(kind, what) or what))
        return t.page(
            f"{t.HANDBOOK}/namesakes",
            "What elements are named after",
            "# Elements named after places, people, gods and celestial bodies",
            t.table(["Element", "Named after"], rows),
        )

    def _front(self) -> Page:
        tables = ["melting-points", "boiling-points", "densities", "electronegativity"]
        return t.page(
            f"{t.HANDBOOK}/",
            "Handbook of the elements",
            "# Handbook of the elements",
            "Data sheets and tables. A melting point, boiling point or density is given where two compilations agree.",
            "## Tables\n\n"
            + t.bullets(
                [t.link(name.replace("-", " "), f"{t.HANDBOOK}/table/{name}") for name in tables]
                + [t.link("discoveries", f"{t.HANDBOOK}/discoveries"), t.link("namesakes", f"{t.HANDBOOK}/namesakes")]
                + [t.link("known since antiquity", f"{t.HANDBOOK}/discoveries/antiquity")]
                + [
                    t.link(f"found in the {t.rank(n)} century", f"{t.HANDBOOK}/discoveries/century-{n}")
                    for n in self._centuries()
                ]
                + [t.link(f"found in {c.the}", f"{t.HANDBOOK}/discoveries/in/{c.slug}") for c in self._places()]
                + [t.link(f"{b} block", f"{t.HANDBOOK}/block/{b}") for b in "spdf"]
                + [t.link(f"group {n}", _group_url(n)) for n in range(1, 19)]
                + [t.link(f"period {n}", _period_url(n)) for n in range(1, 8)]
            ),
            "## Data sheets\n\n" + t.bullets(f"{self.to.data(e)} ({e.symbol})" for e in self.elements),
        )


def _plain(value: float | None) -> str:
    """A number in a table cell, with a minus sign below zero and no empty decimals."""
    return t.DASH if value is None else t.number(int(value) if value == int(value) else value).replace("-", t.MINUS)


def _group_url(n: int) -> str:
    return f"{t.HANDBOOK}/group/{n}"


def _period_url(n: int) -> str:
    return f"{t.HANDBOOK}/period/{n}"
