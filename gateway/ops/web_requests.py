"""What HTTP requests and answers have in common: whose they are, and JSON in and out."""

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from gateway.ops.actions import Caller, need
from gateway.ops.problems import bad_request

CALLER = web.RequestKey("caller", Caller)
"""Whose token a request over TCP has shown."""


def caller_of(request: web.Request, least: str) -> Caller:
    """Give who asks; Problem where this needs another role."""
    caller = request[CALLER]
    need(caller.role, least)
    return caller


async def read_json(request: web.Request) -> Any:  # noqa: ANN401  (JSON of a client)
    """Read a body as JSON; Problem where it is none."""
    try:
        return msgspec.json.decode(await request.read())
    except msgspec.DecodeError:
        raise bad_request("body.json", "the body is no JSON") from None


def json_response(value: object, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=msgspec.json.encode(value), status=int(status), content_type="application/json")
