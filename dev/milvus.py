"""Our world beside Milvus Lite, at 100,000 passages: the same texts, vectors and queries. Not part of the package.

    python dev/million.py world --rows 100000 --out /tmp/million/world-100k
    python dev/milvus.py prepare                  texts, vectors, queries and the exact answers
    python dev/milvus.py ours                     our world
    /tmp/milvus3-venv/bin/python dev/milvus.py peer 3     pymilvus[milvus-lite] 3.x, the rewrite
    /tmp/milvus2-venv/bin/python dev/milvus.py peer 2     milvus-lite 2.5.1 with pymilvus 2.6.17, the C++ one
    python dev/milvus.py table

Each is a process of its own. Dense search and BM25 ask for 10 hits; hybrid fuses 50 ranks of each by reciprocal rank.
Ours also reads the ten pages and cuts their snippets; Milvus returns the URLs only.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path("/tmp/million")
DATA = ROOT / "milvus"
ROWS, QUERIES, DEPTH, BATCH = 100_000, 200, 50, 5000
INDEXES: dict[str, list[tuple[str, str, dict[str, Any], dict[str, Any]]]] = {
    "2": [
        ("FLAT", "FLAT", {}, {}),
        ("IVF_FLAT", "IVF_FLAT", {"nlist": 316}, {"nprobe": 64}),
    ],
    "3": [
        ("FLAT", "FLAT", {}, {}),
        ("IVF_FLAT nprobe 64", "IVF_FLAT", {"nlist": 316}, {"nprobe": 64}),
        ("IVF_FLAT nprobe 200", "", {}, {"nprobe": 200}),
        ("HNSW ef 200", "HNSW", {"M": 16, "efConstruction": 150}, {"ef": 200}),
    ],
}


def times(work: Callable[[int], Any], count: int) -> tuple[list[float], list[Any]]:
    """Milliseconds of `work` for each query, and what it gave."""
    for number in range(count, count + 10):
        work(number)
    spent, found = [], []
    for number in range(count):
        began = time.perf_counter()
        found.append(work(number))
        spent.append(1000 * (time.perf_counter() - began))
    return spent, found


def figures(work: Callable[[int], list[str]], exact: list[list[str]] | None = None) -> dict[str, float]:
    """p50, p95 and CPU in milliseconds, and the recall of the exact ten."""
    cpu = time.process_time()
    spent, found = times(work, QUERIES)
    cpu = 1000 * (time.process_time() - cpu) / (QUERIES + 10)
    p50, p95 = np.percentile(spent, (50, 95))
    out = {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "cpu": round(cpu, 2)}
    if exact is not None:
        pairs = zip(found, exact, strict=True)
        out["recall"] = round(float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs])), 4)
    return out


def load() -> tuple[list[dict[str, str]], np.ndarray, list[str], np.ndarray, list[list[str]]]:
    """Passages, vectors, queries, their vectors, and the URLs of the exact ten of each."""
    pages = [json.loads(line) for line in (DATA / "pages.jsonl").read_text("utf-8").splitlines()]
    asked = json.loads((DATA / "queries.json").read_text("utf-8"))
    return pages, np.load(DATA / "vectors.npy"), asked["queries"], np.load(DATA / "asked.npy"), asked["exact"]


@click.group()
def main() -> None:
    """Compare at 100,000 passages."""


@main.command()
def prepare() -> None:
    """Write what all sides read."""
    import lancedb

    from lite.bench.sample import queries_of
    from lite.index.vectors import _batches
    from lite.world import World

    DATA.mkdir(exist_ok=True)
    with World.open(ROOT / "world-100k") as world:
        pages = [
            {"id": page.id, "url": page.url, "title": page.title, "doc": page.text} for page in world.pages.pages()
        ]
        queries = queries_of(world.pages, QUERIES + 10)
        asked = np.asarray(world.embed(queries), np.float32)
        table = lancedb.connect(world.path / "g1").open_table("vectors")
        stored = {page: row for _, ids, rows in _batches(table) for page, row in zip(ids.tolist(), rows, strict=True)}
    vectors = np.stack([stored[page["id"]] for page in pages])
    best = np.argsort(-(asked[:QUERIES] @ vectors.T), axis=1)[:, :10]
    exact = [[pages[number]["url"] for number in row] for row in best]
    (DATA / "pages.jsonl").write_text("".join(json.dumps(page, ensure_ascii=False) + "\n" for page in pages), "utf-8")
    (DATA / "queries.json").write_text(json.dumps({"queries": queries, "exact": exact}), "utf-8")
    np.save(DATA / "vectors.npy", vectors.astype(np.float32))
    np.save(DATA / "asked.npy", asked.astype(np.float32))
    click.echo(f"{len(pages):,} passages, {len(queries)} queries")


@main.command()
def ours() -> None:
    """Measure our world; vectors of the queries are given, as to Milvus."""
    from lite.world import World

    _, _, queries, asked, exact = load()
    found: dict[str, Any] = {}
    ways = {
        "dense": ({"mode": "dense"}, exact),
        "BM25": ({"mode": "lexical"}, None),
        "hybrid": ({"mode": "hybrid"}, None),
    }
    for name, (settings, right) in ways.items():
        with World.open(ROOT / "world-100k") as world:
            world.embed(["warm up"])

            def search(number: int, world: World = world, settings: dict[str, Any] = settings) -> list[str]:
                hits = world.search(queries[number], 10, vector=asked[number], **settings)
                return [hit.url for hit in hits]

            found[name] = figures(search, right)
    (DATA / "ours.json").write_text(json.dumps({"ours": found}))
    click.echo(json.dumps(found))


@main.command()
@click.argument("version", type=click.Choice(["2", "3"]))
def peer(version: str) -> None:
    """Measure one Milvus Lite, with every index it offers."""
    import pymilvus

    pages, vectors, queries, asked, exact = load()
    file = DATA / f"milvus{version}.db"
    (shutil.rmtree if file.is_dir() else Path.unlink)(file) if file.exists() else None
    client = pymilvus.MilvusClient(str(file))
    began = time.monotonic()
    _insert(pymilvus, client, pages, vectors)
    found: dict[str, Any] = {"insert": round(time.monotonic() - began, 1), "pymilvus": pymilvus.__version__}
    click.echo(json.dumps(found))
    for name, kind, build, search in INDEXES[version]:
        if kind:
            began = time.monotonic()
            _index(client, kind, build)
            found[f"build {name}"] = round(time.monotonic() - began, 1)

        def dense(number: int, search: dict[str, Any] = search) -> list[str]:
            settings = {"metric_type": "COSINE", "params": search}
            rows = client.search("p", data=[asked[number].tolist()], anns_field="v", limit=10, output_fields=["url"],
                                 search_params=settings)  # fmt: skip
            return [row["entity"]["url"] for row in rows[0]]

        def hybrid(number: int, search: dict[str, Any] = search) -> list[str]:
            request = pymilvus.AnnSearchRequest
            settings = {"metric_type": "COSINE", "params": search}
            legs = [
                request(data=[asked[number].tolist()], anns_field="v", param=settings, limit=DEPTH),
                request(data=[queries[number]], anns_field="s", param={"metric_type": "BM25"}, limit=DEPTH),
            ]
            rows = client.hybrid_search("p", reqs=legs, ranker=pymilvus.RRFRanker(60), limit=10, output_fields=["url"])
            return [row["entity"]["url"] for row in rows[0]]

        found[f"dense {name}"] = figures(dense, exact)
        click.echo(json.dumps(found))
        found[f"hybrid {name}"] = figures(hybrid)
        click.echo(json.dumps(found))

    def words(number: int) -> list[str]:
        rows = client.search("p", data=[queries[number]], anns_field="s", limit=10, output_fields=["url"],
                             search_params={"metric_type": "BM25"})  # fmt: skip
        return [row["entity"]["url"] for row in rows[0]]

    found["BM25"] = figures(words)
    (DATA / f"milvus{version}.json").write_text(json.dumps({f"milvus{version}": found}))
    click.echo(json.dumps(found))


def _insert(pymilvus: Any, client: Any, pages: list[dict[str, str]], vectors: np.ndarray) -> None:
    kinds = pymilvus.DataType
    words = "english" if pymilvus.__version__ < "3" else "standard"  # all that 3.x has for English
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", kinds.INT64, is_primary=True)
    schema.add_field("url", kinds.VARCHAR, max_length=2000)
    schema.add_field(
        "text",
        kinds.VARCHAR,
        max_length=4000,
        enable_analyzer=True,
        analyzer_params={"type": words},
    )
    schema.add_field("v", kinds.FLOAT_VECTOR, dim=vectors.shape[1])
    schema.add_field("s", kinds.SPARSE_FLOAT_VECTOR)
    bm25 = pymilvus.Function(
        name="bm25", input_field_names=["text"], output_field_names=["s"], function_type=pymilvus.FunctionType.BM25
    )
    schema.add_function(bm25)
    indexes = client.prepare_index_params()
    indexes.add_index("s", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    indexes.add_index("v", index_type="FLAT", metric_type="COSINE")
    client.create_collection("p", schema=schema, index_params=indexes)
    for start in range(0, len(pages), BATCH):
        rows = [
            {"id": start + n, "url": page["url"][:500], "text": f"{page['title']} {page['doc']}"[:1000], "v": vector}
            for n, (page, vector) in enumerate(
                zip(pages[start : start + BATCH], vectors[start : start + BATCH].tolist(), strict=True)
            )
        ]
        client.insert("p", rows)
    client.flush("p")
    client.load_collection("p")


def _index(client: Any, kind: str, build: dict[str, Any]) -> None:
    client.release_collection("p")
    client.drop_index("p", "v")
    indexes = client.prepare_index_params()
    indexes.add_index("v", index_type=kind, metric_type="COSINE", params=build)
    client.create_index("p", indexes)
    client.load_collection("p")


@main.command()
def table() -> None:
    """What was measured, and the ratio to ours."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(DATA.glob("*.json")):
        if file.name != "queries.json":
            found |= json.loads(file.read_text())
    mine = found["ours"]
    for side, rows in found.items():
        for name, row in rows.items():
            if isinstance(row, dict):
                base = mine[name.split()[0]]
                said = ", ".join(f"{key} {value}" for key, value in row.items())
                click.echo(f"{side:8} {name:28} {said}; over ours: p50 {row['p50'] / base['p50']:.2f}, p95 "
                           f"{row['p95'] / base['p95']:.2f}")  # fmt: skip
            else:
                click.echo(f"{side:8} {name:28} {row}")


if __name__ == "__main__":
    sys.exit(main())
