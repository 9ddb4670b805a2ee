"""A Hugging Face tokenizer: from messages to ids and back, for every engine that reads such folders."""

from collections.abc import Iterable, Sequence
from typing import Any

from lite.errors import ModelError
from lite.models.chat import DIALECT_TAGS, ChatTemplate, ControlTokens
from lite.models.turn import Prompts

_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "</s>")


class FastTokenizer:
    """A tokenizer of the `tokenizers` library as `lite.models.turn` asks for it, and its chat template.

    Args:
        tokenizer: as transformers loads it.
        configs: those of the model, which may name tokens that end a turn.
        name: what the model is called in messages.

    Raises:
        ModelError: it is no fast tokenizer, or has no chat template that can be used.
    """

    def __init__(self, tokenizer: Any, configs: Iterable[Any], name: str) -> None:
        if not hasattr(tokenizer, "backend_tokenizer"):
            raise ModelError(f"{name} has no tokenizer.json: take a folder that has one")
        self._backend: Any = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = True  # what a text spells is text
        self._added = tokenizer.added_tokens_decoder
        self._pieces: dict[int, bytes] = {}
        self._bytes = _byte_of_each_letter() if "ByteLevel" in repr(self._backend.decoder) else None
        self.bos = -1 if tokenizer.bos_token_id is None else int(tokenizer.bos_token_id)
        self.opens_with_bos = self.bos >= 0 and self._backend.encode("a").ids[:1] == [self.bos]
        self.ends = _ends(tokenizer, configs)
        self._template = _chat_template(tokenizer, name)

    def prompts(self, context: int) -> Prompts:
        """From messages to ids, for a window of `context` tokens."""
        return Prompts(self, self._template, self.control_tokens(), context)

    def control_tokens(self) -> ControlTokens:
        """The strings that are encoded as control tokens."""
        special = {token.content: number for number, token in self._added.items() if token.special}
        left = [token.content for token in self._added.values() if token.special and token.lstrip]
        right = [token.content for token in self._added.values() if token.special and token.rstrip]
        return ControlTokens(special, strip_left=left, strip_right=right)

    def tokenize(self, text: str) -> Sequence[int]:
        """Ids of plain text."""
        return self._backend.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids

    def piece(self, token: int) -> bytes:
        """Bytes of one token."""
        if token not in self._pieces:
            self._pieces[token] = self._spelt(token)
        return self._pieces[token]

    def ends_turn(self, token: int) -> bool:
        """Is this an end-of-generation token?"""
        return token in self.ends

    def _spelt(self, token: int) -> bytes:
        if (added := self._added.get(token)) is not None:
            return b"" if added.special and added.content not in DIALECT_TAGS else added.content.encode()
        text = self._backend.id_to_token(token) or ""  # a vocabulary may be padded with ids that are no tokens
        if self._bytes is not None and self._bytes.keys() >= set(text):
            return bytes(self._bytes[letter] for letter in text)
        if text.startswith("<0x") and text.endswith(">"):
            return bytes.fromhex(text[3:-1])
        return text.replace("\u2581", " ").encode()


def _ends(tokenizer: Any, configs: Iterable[Any]) -> set[int]:
    """End-of-generation tokens: those the model names, and those of the usual names."""
    named = [tokenizer.eos_token_id, *(getattr(config, "eos_token_id", None) for config in configs)]
    ids = {each for value in named for each in (value if isinstance(value, list) else [value]) if each is not None}
    return ids | {number for number, token in tokenizer.added_tokens_decoder.items() if token.content in _ENDS}


def _byte_of_each_letter() -> dict[str, int]:
    """The letters that byte-level vocabularies write bytes with: a printable byte is itself, the others follow 255."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _chat_template(tokenizer: Any, name: str) -> ChatTemplate:
    source = tokenizer.chat_template
    source = source.get("default") if isinstance(source, dict) else source
    if not source:
        raise ModelError(f"{name} has no chat template: take an instruct model")
    try:
        return ChatTemplate(source, bos=tokenizer.bos_token or "", eos=tokenizer.eos_token or "")
    except ValueError as error:
        raise ModelError(f"{name}: {error}: take another copy of this model") from None
