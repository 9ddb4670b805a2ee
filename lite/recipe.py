"""Settings, each declared once and validated. An unknown key is an error that names the nearest known one."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lite.errors import UsageError
from lite.records import Sampling


class Settings(BaseModel):
    """Base of every group of settings: frozen, and refusing what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """Validate a plain mapping (from TOML, JSON or a command line).

        Raises:
            UsageError: one line naming the first key that does not fit, and the nearest known one.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            if first["type"] == "missing":
                raise UsageError(f"the setting {key} is missing: add it") from None
            if first["type"] != "extra_forbidden":
                raise UsageError(f"{key} = {first['input']!r} does not fit: {first['msg'].lower()}") from None
            known = _fields(cls, first["loc"][:-1])
            near = get_close_matches(str(first["loc"][-1]), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise UsageError(f"no setting is called {key}: {hint}") from None


def _fields(settings: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The names of the settings at `path` below `settings`."""
    for part in path:
        inner = settings.model_fields[str(part)].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            settings = inner
    return list(settings.model_fields)


# stop: the agent is asked for its answer. keep-last: older observations are cut to their heads. summarise: each older
# call and its result become one sentence, the best one of the result, or (summarise-model) one the model writes.
Memory = Literal["stop", "keep-last", "summarise", "summarise-model"]


class Limits(Settings):
    """What one episode may use. Defaults are for a chat on a laptop; DESIGN §7 has the paper's for training."""

    turns: int = Field(default=20, ge=1)  # assistant turns; the last answer it may be asked for comes on top
    calls: int | None = Field(default=None, ge=0)  # tool calls; None: as many as the turns allow
    seconds: float | None = Field(default=None, gt=0)  # wall time; checked between turns
    turn_tokens: int = Field(default=768, ge=16)  # the most one turn may write
    answer_tokens: int = Field(default=256, ge=16)  # always kept free for the last answer
    results: int = Field(default=10, ge=1, le=100)  # hits a query
    visit_words: int = Field(default=400, ge=20)  # words of evidence a page
    visit_mode: Literal["extract", "llm", "read"] = "extract"  # llm, read: the model itself reads the page
    strict: bool = False  # a turn that needs a repair is unreadable
    memory: Memory = "stop"  # what happens when the window fills
    keep: int = Field(default=2, ge=1)  # the newest observations that memory leaves whole
    malformed: int = Field(default=3, ge=1)  # unreadable turns in a row before the episode ends
    repeated: int = Field(default=3, ge=2)  # the same call so often is answered by a warning; once more ends it all


class AgentSettings(Settings):
    """How a model is loaded and how it researches."""

    context: int = Field(default=8192, ge=256)  # tokens, prompt and reply together
    grammar: bool = False  # hold every turn to the dialect (llama.cpp)
    threads: int | None = Field(default=None, ge=1)  # CPU threads of a model in this process; None: the library chooses
    native_tools: bool = False  # the server gets the tools by its own protocol (openai)
    prompt: str | None = None  # a file that replaces the system prompt
    tools: Literal["all", "search"] = "all"  # search: for comparison; no page can be visited
    limits: Limits = Limits()
    sampling: Sampling = Sampling()


class NamedAgent(AgentSettings):
    """An agent whole: the model by its name, and how it researches."""

    model: str


class Prices(Settings):
    """What public services ask for, in US dollars. For saying what a run would have cost; nothing depends on it."""

    search: float = Field(default=8.0, ge=0)  # 1,000 queries
    visit: float = Field(default=1.6, ge=0)  # 1,000 pages
    source: str = (
        "Tavily pay-as-you-go, basic: $0.008 a query and for five pages, docs.tavily.com/documentation/api-credits"
    )
    date: str = "2026-11-26"


class EvalSettings(NamedAgent):
    """Everything that decides the outcome of an evaluation; the run's manifest holds it."""

    tasks: str
    world: str
    limit: int | None = Field(default=None, ge=1)  # only the first so many tasks
    attempts: int = Field(default=1, ge=1)  # at each task: k
    prices: Prices = Prices()
    width: int = Field(default=4, ge=1)  # episodes run in step: a batch is decoded two to three times as fast


class DemoSettings(Settings):
    """What `lite demo` runs: `recipes/demo.toml`."""

    embedder: str
    agent: NamedAgent


def read_toml(path: Path) -> dict[str, Any]:
    """A recipe's file as a plain mapping. Raises UsageError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as TOML ({error}): mend it, or name another recipe") from None
