"""The OpenAPI description of a server, made from the declarations that serve it."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from lite import __version__
from lite.serve.endpoint import Endpoint, Error, Reply
from lite.serve.limits import Limits

_REF = "#/components/schemas/{model}"


def describe(
    api: str, about: str, endpoints: Iterable[Endpoint], looks: Mapping[str, type[Reply]], limits: Limits
) -> dict[str, Any]:
    """An OpenAPI 3.1 document.

    Args:
        api: name of the interface.
        about: what it is, in Markdown.
        endpoints: what is posted.
        looks: path -> reply of what is read with GET.
        limits: of the server; they stand under `x-limits`.
    """
    endpoints = list(endpoints)
    replies = dict.fromkeys([Error, *(endpoint.reply for endpoint in endpoints), *looks.values()])
    requests = dict.fromkeys(endpoint.request for endpoint in endpoints)
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(reply, "serialization") for reply in replies]
    models.extend((request, "validation") for request in requests)
    names, schemas = models_json_schema(models, ref_template=_REF)

    def answers(reply: type[Reply]) -> dict[str, Any]:
        good, bad = names[reply, "serialization"], names[Error, "serialization"]
        return {"200": _content("Done.", good), "4XX": _content("Not done, and why.", bad)}

    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        body = {"required": True, **_content("", names[endpoint.request, "validation"])}
        del body["description"]
        summary = (endpoint.work.__doc__ or "").strip()
        paths[endpoint.path] = {"post": {"summary": summary, "requestBody": body, "responses": answers(endpoint.reply)}}
    for path, reply in looks.items():
        paths[path] = {"get": {"summary": (reply.__doc__ or "").strip(), "responses": answers(reply)}}
    title = f"literesearcher-lite, {api}"
    info = {"title": title, "version": __version__, "description": about, "x-limits": limits.model_dump()}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas["$defs"]}}


def _content(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
