"""The vector index by itself, on vectors made here; and the loop that fills it, with an encoder made here."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lite.index import vectors as module
from lite.index.embedding import embed_missing, texts_of
from lite.index.pages import PageStore
from lite.index.rows import FOLDER, RowsDamaged
from lite.index.vectors import VectorIndex, VectorWriter
from lite.world import World


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def clustered(count: int, dim: int = 32) -> np.ndarray:
    random = np.random.default_rng(0)
    centres = random.normal(size=(200, dim))
    return unit(centres[random.integers(0, 200, count)] + 0.5 * random.normal(size=(count, dim)))


def hashes(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def link(old: Path, new: Path) -> None:
    for path in old.rglob("*"):
        if path.is_file():
            (new / path.relative_to(old)).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, new / path.relative_to(old))


# ---------------------------------------------------------------- rows


def test_ids_have_gaps_and_any_order_and_go(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.float32)
    writer = VectorWriter(tmp_path, 4)
    assert writer.present().tolist() == []
    writer.add([900, 7], rows[:2])
    writer.add([3, 50], rows[2:])
    assert writer.present().tolist() == [3, 7, 50, 900]
    writer.remove([7, 8])
    writer.remove([])
    assert writer.finish() == "exact"
    assert VectorWriter(tmp_path, 4).present().tolist() == [3, 50, 900]
    index = VectorIndex(tmp_path)
    assert (index.count, index.present().tolist()) == (3, [3, 50, 900])
    assert index.search(rows[0], 1) == [(900, 1.0)]
    assert index.search(rows[1], 9) == [(3, 0.0), (50, 0.0), (900, 0.0)]
    assert index.search(rows[0], 9, hidden={900, 3, 50}) == []


def test_an_empty_index_answers(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, 4)
    assert writer.finish() == "exact"
    assert VectorIndex(tmp_path).search(np.ones(4, np.float32), 3) == []


def test_a_page_has_the_score_of_its_best_row(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, 4)
    writer.add([5, 2, 2, 5, 9], unit(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [3, 4, 0, 0], [0, 0, 1, 0], [4, 3, 0, 0]])))
    writer.finish()
    index = VectorIndex(tmp_path)
    assert index.present().tolist() == [2, 5, 9]
    assert index.search(np.array([1, 0, 0, 0], np.float32), 3) == [(5, 1.0), (9, 0.8), (2, 0.6)]


def test_pages_that_tie_with_the_last_are_not_cut(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, 2)
    same = np.tile(np.float32([0.6, 0.8]), (20, 1))
    same[::2] += 3e-8  # what another batch rounds otherwise
    writer.add(range(20), same)
    writer.add([99], np.float32([[0, 1]]))
    writer.finish()
    index = VectorIndex(tmp_path)
    assert index.search(np.float32([0, 1]), 3) == [(99, 1.0), *((page, 0.8) for page in range(20))]
    assert index.search(np.float32([0, 1]), 3, hidden={99, 0}) == [(page, 0.8) for page in range(1, 20)]


# ---------------------------------------------------------------- a large index


@pytest.fixture(scope="module")
def indexed() -> Iterator[None]:
    """From 50,000 rows of 32 numbers on there is an index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EXACT_UP_TO", 50_000 * 32)
        yield


@pytest.fixture(scope="module")
def large(indexed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,200 pages with two or three rows each."""
    folder = tmp_path_factory.mktemp("large")
    rows = clustered(50_500)
    writer = VectorWriter(folder, 32)
    for start in range(0, len(rows), 10_000):
        part = rows[start : start + 10_000]
        writer.add([(start + i) * 2 // 5 for i in range(len(part))], part)
    assert writer.finish() == "ivf-rq4"
    return folder


def test_a_large_index_fetches_rows_until_it_has_the_pages(large: Path) -> None:
    index = VectorIndex(large)
    rows, right = clustered(50_500), 0
    for query in rows[::2525]:
        scores = np.full(20_200, -1.0)
        np.maximum.at(scores, np.arange(len(rows)) * 2 // 5, rows @ query)
        exact = set(np.argsort(-scores)[:50].tolist())
        found = index.search(query, 50)
        assert found == index.search(query, 50)
        assert len({page for page, _ in found}) == len(found) == 50
        right += len(exact & {page for page, _ in found})
        hidden = {page for page, _ in found}
        again = index.search(query, 50, hidden=hidden)
        assert len(again) == 50
        assert not hidden & {page for page, _ in again}
    assert right >= 0.9 * 20 * 50


def test_damage_of_the_mapped_rows_is_told_apart_from_that_of_the_table(large: Path, tmp_path: Path) -> None:
    shutil.copytree(large, tmp_path, dirs_exist_ok=True)
    mapped = tmp_path / FOLDER / "vectors.npy"
    whole = mapped.read_bytes()
    index = VectorIndex(tmp_path)
    assert index.faults() == index.faults_of_rows() == []
    mapped.with_suffix(".new").write_bytes(whole[:-9000] + bytes(9000))
    mapped.with_suffix(".new").replace(mapped)  # what is mapped must not be cut short
    assert VectorIndex(tmp_path).faults_of_rows() == ["vectors.rows is damaged: it holds other rows than vectors.lance"]
    for damage in (whole[:-9000], whole[:20], b""):
        mapped.unlink()
        mapped.write_bytes(damage)
        with pytest.raises(RowsDamaged, match=r"vectors\.rows is damaged .*`lite world check --repair` makes it anew"):
            VectorIndex(tmp_path)
    assert VectorWriter(tmp_path, 32).finish() == "ivf-rq4"
    assert mapped.read_bytes() == whole


def test_a_hard_linked_copy_can_be_changed_and_the_old_one_is_not(large: Path, tmp_path: Path) -> None:
    """What `world add` rests upon: LanceDB writes new files only, so generations can share theirs."""
    link(large, tmp_path)
    before, reader = hashes(large), VectorIndex(large)
    queries = clustered(5)
    answers = [reader.search(query, 10) for query in queries]
    writer = VectorWriter(tmp_path, 32)
    for change in (
        lambda: writer.remove(range(1100)),
        lambda: writer.add([70_001, 70_002], queries[:2]),
        lambda: writer._partition(320),
        writer.finish,
    ):
        change()
        assert hashes(large) == before
        assert [reader.search(query, 10) for query in queries] == answers
        assert [VectorIndex(large).search(query, 10) for query in queries] == answers
    new = VectorIndex(tmp_path)
    assert new.count == 50_500 - 2750 + 2
    assert new.search(queries[1], 1) == [(70_002, 1.0)]


def test_what_is_added_to_an_index_is_found_and_what_is_removed_is_not(large: Path, tmp_path: Path) -> None:
    link(large, tmp_path)
    writer = VectorWriter(tmp_path, 32)
    fresh = unit(np.random.default_rng(5).normal(size=(300, 32)))
    writer.add(range(100_000, 100_300), fresh)
    writer.remove([1, 2, 3])
    assert writer.finish() == "ivf-rq4"
    index = VectorIndex(tmp_path)
    assert all(index.search(row, 1)[0][0] == page for page, row in zip(range(100_000, 100_300), fresh, strict=True))
    assert not {page for row in clustered(10) for page, _ in index.search(row, 10)} & {1, 2, 3}


def test_a_world_that_shrinks_becomes_exact_again(large: Path, tmp_path: Path) -> None:
    link(large, tmp_path)
    writer = VectorWriter(tmp_path, 32)
    writer.remove(range(500))
    assert writer.finish() == "exact"
    assert VectorIndex(tmp_path).search(clustered(50_500)[1999], 1) == [(799, 1.0)]


def test_few_different_vectors_get_the_partitions_they_can_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """k-means makes no more clusters than there are different vectors, and LanceDB raises when asked for more."""
    monkeypatch.setattr(module, "EXACT_UP_TO", 3000 * 8)
    rows = np.tile(unit(np.random.default_rng(0).normal(size=(2, 8))), (2000, 1))
    writer = VectorWriter(tmp_path, 8)
    writer.add(range(4000), rows)
    assert not writer._partition(10)
    monkeypatch.setattr(module, "_partition_size", lambda _rows: 10)
    assert writer.finish() == "ivf-rq4"
    found = VectorIndex(tmp_path).search(rows[0], 5)
    assert len(found) >= 5
    assert {(page % 2, score) for page, score in found} == {(0, 1.0)}


# ---------------------------------------------------------------- what is embedded


class Letters:
    """An encoder that counts letters: real vectors of the right shape, in no time."""

    name, dim, fingerprint = "letters", 26, "0"

    def encode(self, texts: Sequence[str], kind: str = "passage") -> np.ndarray:
        counts = [[1 + text.lower().count(chr(97 + i)) for i in range(26)] for text in texts]
        return unit(np.array(counts))

    def unknown_share(self, text: str) -> float:
        return 0.0


KILLED = """
import os, runpy, signal, sys
from pathlib import Path
from lite.index.embedding import embed_missing
from lite.index.pages import PageStore
from lite.index.rows import FOLDER, RowsDamaged
from lite.index.vectors import VectorWriter
Letters = runpy.run_path(sys.argv[3])["Letters"]
def progress(done, total):
    if done >= 500:
        os.kill(os.getpid(), signal.SIGKILL)
embed_missing(PageStore(Path(sys.argv[1])), VectorWriter(Path(sys.argv[2]), 26), Letters(), "passage", progress)
"""


@pytest.fixture
def store(tmp_path: Path, corpus: Callable[..., Path]) -> Path:
    """800 pages of one to three sections."""
    pages = {
        f"p{i:03}": "\n\n".join(f"# Part {n}\n\nText {n} of page {i}." for n in range(1 + i % 3)) for i in range(800)
    }
    World.build(corpus(pages), tmp_path / "w").close()
    return next((tmp_path / "w").rglob("pages.sqlite"))


def test_embedding_killed_goes_on_and_follows_the_store(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "vectors"
    command = [sys.executable, "-c", KILLED, str(store), str(out), __file__]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    writer = VectorWriter(out, 26)
    kept = len(writer.present())
    assert 500 <= kept < 800
    writer.remove([10])
    writer.add([5000], np.ones((1, 26), np.float32))  # of a page that is no more
    seen: list[tuple[int, int]] = []
    with closing(PageStore(store)) as pages:
        embed_missing(pages, writer, Letters(), "passage", lambda *now: seen.append(now))
        assert writer.present().tolist() == pages.ids()
        assert seen[-1] == (800, 800)
        assert seen[0][0] > kept
        writer.finish()
        assert VectorIndex(out).count == sum(len(texts_of(p.title, p.text, "passage")) for p in pages.pages())
        embed_missing(pages, writer, Letters(), "passage", lambda *now: seen.append(now))
    assert seen[-1] == (800, 800)


def test_passages_are_packed_below_their_headings_with_the_title() -> None:
    text = (
        "# A\n\n"
        + "One short sentence here. " * 60
        + "\n\n## B\n\n| x | [y](http://u) |\n|---|---|\n"
        + "| 1 | 2 |\n" * 3
    )
    first, second, rows = texts_of("Title", text, "passage")
    assert first.startswith("Title\nA\nOne short sentence here.")
    assert second.startswith("Title\nA\nOne short")
    assert rows == "Title\nA > B\n| x | y |\n| 1 | 2 |\n| 1 | 2 |\n| 1 | 2 |"
    assert all(len(part.split()) <= 220 for part in (first, second, rows))
    assert texts_of("Title", "", "passage") == ["Title"]
    assert texts_of("Title", "Text of [Kyoto](https://w.test/kyoto).", "page") == ["Title\nText of Kyoto."]
