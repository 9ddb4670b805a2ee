"""A checkpoint written out says what the checkpoint says: SmolLM2 itself, with an adapter."""

import json
from pathlib import Path

import pytest

from lite.errors import ModelError, UsageError
from lite.models import load_model
from lite.recipe import PolicySettings
from lite.records import Generate, Message, Sampling
from lite.shipped import shipped
from tests.train.conftest import MISSING
from tests.train.test_gguf import TOKENS, said_by, torch_says

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


ASKED = Generate(
    messages=(
        Message(role="system", content=shipped("recipes/small-prompt.txt").read_text()),
        Message(role="user", content="When was the University of Bologna founded?"),
    ),
    max_tokens=TOKENS,
    sampling=Sampling(temperature=0),
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    """The adapter that is shipped, as a checkpoint, and the turn that torch writes with it in float32."""
    from lite.train.policy import Policy

    folder = tmp_path_factory.mktemp("checkpoint")
    settings = PolicySettings(dtype="float32")
    plain = Policy.load(settings, seed=1)
    policy = Policy.load(settings, seed=1, adapter=shipped("recipes/atlas/adapter.gguf"))
    policy.save(folder)
    expected = torch_says(policy.model, policy.tokenizer, ASKED)
    assert len(expected.token_ids) == TOKENS >= 40
    assert expected.token_ids[:5] != torch_says(plain.model, plain.tokenizer, ASKED).token_ids[:5]
    return folder, expected


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "q8_0"])
def test_a_merged_model_says_what_the_checkpoint_says(tmp_path: Path, checkpoint, kind: str) -> None:
    from lite.train.export import export

    folder, expected = checkpoint
    out = tmp_path / "merged.gguf"
    export(folder, out, base="smollm2", merge=True, kind=kind)
    found = said_by(f"llamacpp:{out}", ASKED)
    alike = next(
        (n for n, pair in enumerate(zip(found.token_ids, expected.token_ids, strict=True)) if pair[0] != pair[1]),
        TOKENS,
    )
    pairs = list(zip(found.logprobs[:alike], expected.logprobs[:alike], strict=True))
    assert alike >= (TOKENS if kind != "q8_0" else 1)  # of words that are as likely, rounding to 8 bits takes another
    assert max(abs(a - b) for a, b in pairs) < {"f32": 0.02, "f16": 0.05, "bf16": 0.2, "q8_0": 0.6}[kind]


@pytest.mark.parametrize("kind", ["f32", "f16"])
def test_an_adapter_says_what_the_checkpoint_says(tmp_path: Path, checkpoint, kind: str) -> None:
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.export import export

    folder, expected = checkpoint
    export(folder, tmp_path / "adapter.gguf", base="smollm2", kind=kind)
    assert said_by(f"llamacpp:{smollm2_gguf()}+{tmp_path / 'adapter.gguf'}", ASKED).token_ids == expected.token_ids


def test_a_folder_says_what_the_checkpoint_says(tmp_path: Path, checkpoint) -> None:
    from lite.models.smollm2 import smollm2_gguf
    from lite.train.export import export

    folder, expected = checkpoint
    export(folder, tmp_path / "merged", base="smollm2", merge=True)
    assert said_by(f"transformers:{tmp_path / 'merged'}", ASKED).token_ids == expected.token_ids
    base = f"transformers:{smollm2_gguf()}"
    assert said_by(f"{base}+{folder}", ASKED).token_ids == expected.token_ids
    with pytest.raises(ModelError, match=r"adapter_config\.json: give the folder"):
        load_model(f"{base}+{tmp_path}")
    with pytest.raises(UsageError, match="holds no adapter"):
        export(tmp_path, tmp_path / "x.gguf", base="smollm2")


def test_the_base_is_what_the_run_was_told_to_train(tmp_path: Path) -> None:
    from lite.train.export import export

    best = tmp_path / "run" / "stage-1" / "best"
    best.mkdir(parents=True)
    (best / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"in no training run: .*--base"):
        export(best, tmp_path / "x.gguf")
    settings = {"policy": {"model": "llamacpp:/nowhere/mine.gguf"}}
    (tmp_path / "run" / "manifest.json").write_text(json.dumps({"settings": settings}))
    with pytest.raises(UsageError, match=r"there is no /nowhere/mine\.gguf"):
        export(best, tmp_path / "x.gguf")
    with pytest.raises(UsageError, match=r"there is no /nowhere/other\.gguf"):
        export(best, tmp_path / "x.gguf", base="llamacpp:/nowhere/other.gguf")


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
