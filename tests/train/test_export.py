"""A checkpoint written out says what the checkpoint says: SmolLM2 itself, with an adapter."""

from pathlib import Path

import pytest

from lite.errors import UsageError
from lite.recipe import PolicySettings
from tests.train.conftest import MISSING
from tests.train.test_gguf import said_by, torch_says

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    """An adapter that changes what the model says, and what torch says with it in float32."""
    import torch

    from lite.train.policy import Policy

    folder = tmp_path_factory.mktemp("checkpoint")
    policy = Policy.load(PolicySettings(dtype="float32", rank=4, targets=("q_proj", "k_proj", "down_proj")), seed=1)
    plain = torch_says(policy.model, policy.tokenizer).token_ids
    torch.manual_seed(2)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.02)
    policy.save(folder)
    expected = torch_says(policy.model, policy.tokenizer)
    assert expected.token_ids != plain
    return folder, expected


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "q8_0"])
def test_a_merged_model_says_what_the_checkpoint_says(tmp_path: Path, checkpoint, kind: str) -> None:
    from lite.train.export import export

    folder, expected = checkpoint
    out = tmp_path / "merged.gguf"
    export(folder, out, base="smollm2", merge=True, kind=kind)
    found = said_by(f"llamacpp:{out}")
    alike = next(
        (n for n, pair in enumerate(zip(found.token_ids, expected.token_ids, strict=False)) if pair[0] != pair[1]), 40
    )
    assert alike >= {"f32": min(40, len(expected.token_ids)), "f16": 30, "bf16": 10, "q8_0": 1}[kind]
    pairs = zip(found.logprobs[:alike], expected.logprobs[:alike], strict=True)
    assert max(abs(a - b) for a, b in pairs) < {"f32": 0.02, "f16": 0.05, "bf16": 0.2, "q8_0": 0.6}[kind]


def test_an_adapter_and_a_folder(tmp_path: Path, checkpoint) -> None:
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.export import export

    folder, expected = checkpoint
    export(folder, tmp_path / "adapter.gguf", base="smollm2")
    found = said_by(f"llamacpp:{smollm2_gguf()}+{tmp_path / 'adapter.gguf'}")  # on a bf16 base
    assert found.token_ids[:5] == expected.token_ids[:5]
    export(folder, tmp_path / "merged", base="smollm2", merge=True)
    assert said_by(f"transformers:{tmp_path / 'merged'}").token_ids == expected.token_ids
    with pytest.raises(UsageError, match="holds no adapter"):
        export(tmp_path, tmp_path / "x.gguf", base="smollm2")


TEXTS = [
    "Hello world 12345, it's 2019-01-02!\n\n  indented\tcode() {x: 1}",
    "长安是唐朝的首都。 Łódź, naïve 😀 ½",
    "<|im_start|>user\nhi<|im_end|>\n<think>a</think>",
]


def test_a_folders_tokenizer_is_written_as_llama_cpp_has_it(tmp_path: Path) -> None:
    """Beside the one in the model's own GGUF file: the same fields, and the same ids of any text."""
    import gguf
    import llama_cpp
    from transformers import LlamaConfig, LlamaForCausalLM

    from lite.models.huggingface import from_gguf, load_tokenizer
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.gguf import write_model

    tokenizer, *_ = load_tokenizer(from_gguf(smollm2_gguf()))
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    tiny = LlamaForCausalLM(LlamaConfig(vocab_size=49152, tie_word_embeddings=True, **shape))
    write_model(tiny, tokenizer, tmp_path / "tiny.gguf", "f16")
    ours, theirs = (gguf.GGUFReader(path).fields for path in (tmp_path / "tiny.gguf", smollm2_gguf()))
    for name in ("model", "pre", "tokens", "merges", "bos_token_id", "eos_token_id", "add_bos_token"):
        assert ours[f"tokenizer.ggml.{name}"].contents() == theirs[f"tokenizer.ggml.{name}"].contents(), name
    assert ours["tokenizer.chat_template"].contents() == theirs["tokenizer.chat_template"].contents()
    both = [
        llama_cpp.Llama(str(path), vocab_only=True, verbose=False) for path in (tmp_path / "tiny.gguf", smollm2_gguf())
    ]
    for text in TEXTS:
        for special in (False, True):
            mine, known = (one.tokenize(text.encode(), add_bos=False, special=special) for one in both)
            assert mine == known
    for one in both:
        one.close()


def test_a_tokenizer_of_another_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from lite.train.gguf import write_model

    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")))
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    tiny = LlamaForCausalLM(LlamaConfig(vocab_size=2, **shape))
    with pytest.raises(UsageError, match="name the base by its GGUF file"):
        write_model(tiny, words, tmp_path / "tiny.gguf", "f16")
    assert list(tmp_path.iterdir()) == []
