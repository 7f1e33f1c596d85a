"""The description of the HTTP interface that `/openapi.json` gives (OpenAPI 3.1), made of `described_routes`."""

from functools import cache
from http import HTTPStatus

import msgspec
from aiohttp import web

from gateway.api.answers.nodes import Health
from gateway.api.conversion import codes_of
from gateway.api.described_routes import (
    CALLBACK,
    KEY,
    PARAMETERS,
    PATH,
    ROUTES,
    SCHEMAS,
    STORE_PROBLEMS,
    TEXT,
    Json,
    Route,
)
from gateway.api.problems import ProblemBody
from gateway.api.requests.texts import SendText


def document() -> Json:
    """Write the whole description."""
    paths: dict[str, dict[str, Json]] = {}
    types = [ProblemBody, SendText, *(route.answer for route in ROUTES if route.answer is not None)]
    schemas = msgspec.json.schema_components(types, ref_template=SCHEMAS)
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "one of api.tokens: viewer, operator, admin or auditor",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "TPO gateway", "version": "1", "description": "Paths outside /v1/ ask whoever is not on this "
                 "machine for a token too; problems are those of RFC 9457, each with a stable code. Bodies are sent as they "
                 "are: a coded one (Content-Encoding) is refused unread, and so is a text that holds U+0000."},
        "paths": paths,
        "components": {"schemas": schemas[1], "securitySchemes": {"token": bearer}},
    }  # fmt: skip


@cache
def _written() -> bytes:
    """Write the description once somebody asks for it: that takes a third of the time of a start."""
    return msgspec.json.encode(document())


def served() -> web.RouteDef:
    """Return the route of the description."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=_written(), content_type="application/json")

    return web.get(PATH, answer)


def codes(route: Route) -> dict[int, list[str]]:
    """Return every code that a route may refuse with, by status: its own, those of its request, and those that all share."""
    found = {status: list(own) for status, own in route.problems.items()}
    if route.request is not None:
        found[400] += codes_of(route.request)
    if route.role is not None:
        found[401], found[403] = ["token.missing"], ["action.forbidden", *found.get(403, ())]
        found[429] = ["token.limited"]
        found.setdefault(400, []).append("params.invalid")
        found[503] = list(STORE_PROBLEMS)
    if route.body is not None:
        found[413] = ["http.413"]
        found[503].append("gateway.runtime.drain")
    if route.method == "post":
        found.setdefault(400, []).append("body.broken")
        found[408], found[415] = ["body.slow"], ["body.encoding"]
    found.setdefault(400, []).extend(("http.400", "header.repeated"))
    if route.path not in (CALLBACK, CALLBACK + "/{event}"):
        found[400].append("host.invalid")
        found[421] = ["host.unknown"]
    found[500] = ["http.500"]
    if route.key and not route.path.endswith("/orders"):
        found[503].remove("gateway.runtime.drain")
    return {status: list(dict.fromkeys(own)) for status, own in sorted(found.items())}


def _operation(route: Route) -> Json:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": PARAMETERS.get(name, TEXT)} for name in names
    ]
    parameters += route.query
    if route.key:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": KEY})
    answered: Json = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        (schema,), _ = msgspec.json.schema_components([route.answer], ref_template=SCHEMAS)
        answered["content"] = {
            route.media: {} if route.answer is bytes else {"schema": schema}
        }  # octets have no schema
    answers = {str(route.status): answered} | {
        str(status): _problem(status, own) for status, own in codes(route).items()
    }
    if route.answer is Health:
        answers["503"] = {**answered, "description": HTTPStatus(503).phrase}
    operation: Json = {"summary": route.summary, "parameters": parameters, "responses": answers}
    if route.role is not None:
        operation |= {"security": [{"token": []}], "description": _needs(route.role)}
    if route.body is not None:
        content = {"application/json": {"schema": route.body, "example": route.example}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _needs(role: str) -> str:
    least, _, beside = role.partition(" or ")
    return f"Needs the role {least} or one above it{f', or {beside}' if beside else ''}."


def _problem(status: int, own: list[str]) -> Json:
    narrowed = {"properties": {"code": {"enum": own}}}
    schema = {"allOf": [{"$ref": SCHEMAS.format(name=ProblemBody.__name__)}, narrowed]}
    content = {"application/problem+json": {"schema": schema}}
    return {"description": HTTPStatus(status).phrase, "content": content}
