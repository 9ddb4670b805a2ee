"""Settings, each declared once and validated. An unknown key is an error that names the nearest known one."""

from difflib import get_close_matches
from typing import Any, Self

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
            if first["type"] != "extra_forbidden":
                raise UsageError(f"{key} = {first['input']!r} does not fit: {first['msg'].lower()}") from None
            near = get_close_matches(key, cls.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(cls.model_fields)}"
            raise UsageError(f"no setting is called {key}: {hint}") from None


class Limits(Settings):
    """What one episode may use. Defaults are for a chat on a laptop; DESIGN §7 has the paper's for training."""

    turns: int = Field(20, ge=1)  # assistant turns; the last answer it may be asked for comes on top
    calls: int | None = Field(None, ge=0)  # tool calls; None: as many as the turns allow
    seconds: float | None = Field(None, gt=0)  # wall time; checked between turns
    turn_tokens: int = Field(768, ge=16)  # the most one turn may write
    answer_tokens: int = Field(256, ge=16)  # always kept free for the last answer
    results: int = Field(10, ge=1, le=100)  # hits a query
    visit_words: int = Field(400, ge=20)  # words of evidence a page
    malformed: int = Field(3, ge=1)  # unreadable turns in a row before the episode ends
    repeated: int = Field(3, ge=2)  # the same call this often is answered by a warning; once more ends the episode


class EvalSettings(Settings):
    """Everything that decides the outcome of an evaluation; the run's manifest holds it."""

    tasks: str
    world: str
    model: str
    context: int = Field(8192, ge=256)
    grammar: bool = False
    threads: int | None = None
    limits: Limits = Limits()
    sampling: Sampling = Sampling()
    prompt: str | None = None
    limit: int | None = Field(None, ge=1)  # only the first so many tasks
    width: int = Field(1, ge=1)  # episodes in step
