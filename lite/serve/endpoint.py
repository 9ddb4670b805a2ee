"""What an interface is made of: endpoints, each a path, the request it takes, the reply it gives, and the work.

Routes, validation and the OpenAPI description are all made from the same declarations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from lite.serve.engine import Engine, Refusal
from lite.serve.limits import Limits


def _limits(info: ValidationInfo) -> Limits:
    return info.context if isinstance(info.context, Limits) else Limits()


def _short(value: str, info: ValidationInfo) -> str:
    most = _limits(info).chars
    if len(value) > most:
        raise ValueError(f"{len(value)} characters, at most {most} are taken")
    return value


def few(limit: str) -> AfterValidator:
    """At most as many items as a server's limit of that name."""

    def check(value: list[str], info: ValidationInfo) -> list[str]:
        most = getattr(_limits(info), limit)
        if len(value) > most:
            raise ValueError(f"{len(value)} items, at most {most} are taken")
        return value

    return AfterValidator(check)


def _most_results(value: int, info: ValidationInfo) -> int:
    most = _limits(info).results
    if value > most:
        raise ValueError(f"{value} results, at most {most} are given")
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_short)]
Texts = Annotated[list[Text], Field(min_length=1), few("batch")]
Urls = Annotated[list[Text], Field(min_length=1), few("urls")]
OneOrMore = Annotated[Texts, BeforeValidator(_listed, json_schema_input_type=str | list[str])]
Count = Annotated[int, Field(ge=1), AfterValidator(_most_results)]


class Request(BaseModel):
    """The body of a request. Types are taken as they are, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    mask: Annotated[list[Text], few("urls"), Field(description="URLs that do not exist for this request.")] = []


class Reply(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Error(Reply):
    """The body of an answer with a status from 400 on: one line that says what to mend."""

    error: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One POST of an interface. `work` blocks; its docstring is the endpoint's description."""

    path: str
    request: type[Request]
    reply: type[Reply]
    work: Callable[[Engine, Any], Reply]

    def answer(self, engine: Engine, body: bytes) -> str:
        """The reply to `body`, as JSON. Blocks.

        Raises:
            Refusal: see `read`.
            LiteError: the world cannot do what was asked for.
        """
        return self.work(engine, self.read(body, engine.limits)).model_dump_json()

    def read(self, body: bytes, limits: Limits) -> Request:
        """The request in `body`.

        Raises:
            Refusal: it is not JSON (400), or not a request of this endpoint (422).
        """
        try:
            return self.request.model_validate_json(body, context=limits)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            said = first["msg"].removeprefix("Value error, ")
            if first["type"] == "json_invalid":
                raise Refusal(400, f"the request is not JSON: {said.removeprefix('Invalid JSON: ')}") from None
            where = ".".join(str(part)[:100] for part in first["loc"])
            raise Refusal(422, f"{where}: {said}" if where else said) from None
