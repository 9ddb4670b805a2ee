"""A Hugging Face tokenizer as llama.cpp reads it: byte-level BPE, as the llama and qwen families have it."""

import json
from collections.abc import Iterator
from typing import Any

from lite.errors import UsageError

_NORMAL, _CONTROL, _USER, _UNUSED = 1, 3, 4, 5  # GGUF's types of tokens
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# How a text is cut before it is merged: by a pattern, with digits alone, or as GPT-2; and llama.cpp's name for it.
_CUTS = {
    (_LETTERS + r"\p{N}" + _REST,): "qwen2",
    (_LETTERS + r"\p{N}{1,3}" + _REST,): "llama-bpe",
    ("digits", "gpt-2"): "smollm",
    ("gpt-2",): "gpt-2",
}


def write_tokenizer(tokenizer: Any, size: int, writer: Any) -> None:
    """Write a tokenizer and its chat template into a GGUF file that is being made.

    Args:
        tokenizer: a fast one of transformers.
        size: tokens of the model; those beyond the tokenizer's are never used.
        writer: the gguf library's.

    Raises:
        UsageError: it is of a kind that is not known here.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    told = json.loads(backend.to_str()) if backend is not None else {}
    model, cuts = told.get("model", {}), tuple(_cuts(told.get("pre_tokenizer") or {}))
    normal = (told.get("normalizer") or {"type": "NFC"})["type"] == "NFC"  # Qwen's; llama.cpp leaves it out
    if model.get("type") != "BPE" or model.get("byte_fallback") or cuts not in _CUTS or not normal:
        raise UsageError("this tokenizer cannot be written as GGUF here: name the base by its GGUF file")
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [_UNUSED] * size
    for token, number in model["vocab"].items():
        tokens[number], kinds[number] = token, _NORMAL
    for added in told.get("added_tokens", ()):
        tokens[added["id"]], kinds[added["id"]] = added["content"], _CONTROL if added["special"] else _USER
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_CUTS[cuts])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]])
    for name in ("bos", "eos", "pad"):
        number = getattr(tokenizer, f"{name}_token_id", None)
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(bool(tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]))
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _cuts(part: dict[str, Any]) -> Iterator[str]:
    """What a pre-tokenizer does, part by part."""
    kind = part.get("type")
    if kind == "Sequence":
        for one in part["pretokenizers"]:
            yield from _cuts(one)
    elif kind == "Split":
        yield part["pattern"].get("Regex", "?")
    elif kind == "Digits" and part.get("individual_digits"):
        yield "digits"
    elif kind == "ByteLevel" and not part.get("add_prefix_space"):
        yield from ["gpt-2"] * part.get("use_regex", True)
    else:
        yield "?"
