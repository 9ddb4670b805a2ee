"""What is written as GGUF says what torch says: whole models, and adapters."""

from pathlib import Path

import pytest

from lite.errors import ModelError, UsageError
from lite.models import load_model
from lite.recipe import PolicySettings
from lite.records import Generate, Message, Reply, Sampling
from tests.train.conftest import MISSING, tiny

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
TOKENS = 40


def asking() -> Generate:
    greedy = Sampling(temperature=0, presence_penalty=0)
    return Generate(messages=(Message(role="user", content="Where is Oslo?"),), max_tokens=TOKENS, sampling=greedy)


def said_by(spec: str, asked: Generate | None = None) -> Reply:
    model = load_model(spec, context=512)
    try:
        [reply] = model.generate([asked or asking()])
        assert isinstance(reply, Reply), reply
        return reply
    finally:
        model.close()


def torch_says(model, tokenizer, asked: Generate | None = None) -> Reply:
    from lite.models.transformers import Transformers

    [reply] = Transformers(model, tokenizer, name="torch", context=512).generate([asked or asking()])
    assert isinstance(reply, Reply), reply
    return reply


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_a_model_written_in_float32_says_the_same(tmp_path: Path, family: str) -> None:
    from lite.models.huggingface import load
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.gguf import write_model

    model, tokenizer = load(tiny(tmp_path / "model", family), "float32")
    write_model(model, smollm2_gguf(), tmp_path / "model.gguf", "f32")
    expected, found = torch_says(model, tokenizer), said_by(f"llamacpp:{tmp_path / 'model.gguf'}")
    assert found.token_ids == expected.token_ids
    assert len(set(found.token_ids)) > 3  # it is no single token over and over
    assert max(abs(a - b) for a, b in zip(found.logprobs, expected.logprobs, strict=True)) < 0.05


def test_an_adapter_says_what_peft_says(tmp_path: Path, tiny_folder: Path) -> None:
    import torch

    from lite.models.smollm2 import smollm2_gguf
    from lite.train.gguf import write_model
    from lite.train.policy import Policy

    settings = PolicySettings(model=f"transformers:{tiny_folder}", dtype="float32", rank=4, alpha=8)
    policy = Policy.load(settings, seed=1)
    write_model(_plain(tiny_folder), smollm2_gguf(), tmp_path / "base.gguf", "f32")
    before = torch_says(policy.model, policy.tokenizer)
    assert said_by(f"llamacpp:{tmp_path / 'base.gguf'}").token_ids == before.token_ids
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    after = torch_says(policy.model, policy.tokenizer)
    assert after.token_ids != before.token_ids
    adapter = policy.save(tmp_path / "adapter")
    found = said_by(f"llamacpp:{tmp_path / 'base.gguf'}+{adapter}")
    assert found.token_ids == after.token_ids
    again = Policy.load(settings, seed=2, adapter=tmp_path / "adapter")
    assert torch_says(again.model, again.tokenizer).token_ids == after.token_ids


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_an_adapter_is_read_as_it_was_written(tmp_path: Path, family: str) -> None:
    import torch

    from lite.train.policy import Policy

    settings = PolicySettings(model=f"transformers:{tiny(tmp_path / 'model', family)}", rank=4, alpha=8)
    policy = Policy.load(settings, seed=1)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    file = policy.write_gguf(tmp_path / "adapter.gguf")
    again = dict(Policy.load(settings, seed=2, adapter=file).model.named_parameters())
    trained = {name: one for name, one in policy.model.named_parameters() if one.requires_grad}
    assert len(trained) > 4
    assert all(torch.equal(one, again[name]) and again[name].requires_grad for name, one in trained.items())


def test_an_adapter_that_does_not_fit_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    from lite.train.policy import Policy

    settings = PolicySettings(model=f"transformers:{tiny_folder}", rank=4, alpha=8)
    file = Policy.load(settings, seed=1).write_gguf(tmp_path / "adapter.gguf")
    for changes, said in (
        ({"rank": 8}, "set policy.rank"),
        ({"alpha": 16.0}, "alpha 8 and policy.alpha is 16"),
        ({"targets": ("q_proj",)}, "which policy.targets leaves out"),
    ):
        with pytest.raises(ModelError, match=said):
            Policy.load(settings.model_copy(update=changes), seed=1, adapter=file)
    few = Policy.load(settings.model_copy(update={"targets": ("q_proj",)}), seed=1).write_gguf(tmp_path / "few.gguf")
    with pytest.raises(ModelError, match=r"it is no adapter of this model, or of other policy\.targets"):
        Policy.load(settings, seed=1, adapter=few)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be read as GGUF"):
        Policy.load(settings, seed=1, adapter=file)


def _plain(folder: Path):
    from lite.models.huggingface import load

    return load(folder, "float32")[0]


def test_what_cannot_be_written_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.gguf import write_model

    model = _plain(tiny_folder)
    with pytest.raises(UsageError, match="no type is called"):
        write_model(model, smollm2_gguf(), tmp_path / "x.gguf", "q4")
    model.config.model_type = "mamba"
    with pytest.raises(UsageError, match="a mamba model cannot be written"):
        write_model(model, smollm2_gguf(), tmp_path / "x.gguf", "f32")
    assert not list(tmp_path.iterdir())
