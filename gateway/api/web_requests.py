"""What HTTP requests and answers have in common: whose they are, bodies within bounds, and JSON in and out."""

import asyncio
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from gateway.api.callers import Caller, need
from gateway.api.json_values import read_value
from gateway.api.problems import Problem, bad_request

CALLER = web.RequestKey("caller", Caller)
"""Whose token a request over TCP has shown."""
UNKEPT: Final = {"Cache-Control": "no-store"}
"""Answers are about customers, and about this moment: nobody on the way keeps them (RFC 9111 §5.2.2.5)."""
SERVER: Final = "tpo-gateway"
"""What we call ourselves: the versions of what we are made of are nobody's business (RFC 9110 §10.2.4)."""
PROBLEM: Final = "application/problem+json"
MAX_BODY: Final = 8 * 1024 * 1024
"""Octets of one request's body."""
BODY_SECONDS: Final = 20.0
"""From the end of a request's header to the end of its body."""


def caller_of(request: web.Request, least: str) -> Caller:
    """Return who asks; Problem where this needs another role."""
    caller = request[CALLER]
    need(caller.role, least)
    return caller


async def read_body(request: web.Request, most: int = MAX_BODY, code: str = "http.413") -> bytes:
    """Read a body as it was sent, of at most `most` octets; Problem (`code` for its size) before more of it is held.

    A coded body (RFC 9110 §8.4) is refused: what it unpacks to is known only when it is unpacked.
    """
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    transfer = request.headers.get("Transfer-Encoding", "").strip().lower()
    if coding not in ("", "identity") or transfer not in ("", "chunked"):
        detail = "the body is coded (Content-Encoding or Transfer-Encoding): send it as it is, or in chunks"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "body.encoding", detail)
    size = request.content_length
    if size is not None and size > most:
        raise _too_large(most, code)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > most:
                    raise _too_large(most, code)
    except TimeoutError:
        detail = f"the body was not whole after {BODY_SECONDS:.0f} s: send it again, faster or in parts"
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "body.slow", detail) from None
    except (web.RequestPayloadError, ConnectionError):
        raise bad_request("body.broken", "the body ended too early, or its chunks are broken: send it again") from None
    return bytes(body)


async def read_json(request: web.Request) -> object:
    """Read a body as JSON; Problem where it is none, or holds what cannot be taken."""
    return read_value(await read_body(request), "body.json")


async def read_object(request: web.Request, code: str = "body.json", *, empty: bytes = b"") -> dict[str, object]:
    """Read a body as a JSON object, `empty` in place of no body; Problem (`code`) where it is none."""
    given = read_value(await read_body(request) or empty, code)
    if not isinstance(given, dict):
        raise bad_request(code, "the body is no JSON object: give one, like {}")
    return given


def _too_large(most: int, code: str) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code, f"a body has at most {most >> 10} KiB: give it in parts")


def problem_response(problem: Problem) -> web.Response:
    """Refuse a request (RFC 9457)."""
    body = msgspec.json.encode(problem.body())
    headers = {**UNKEPT, **problem.headers}
    return web.Response(body=body, status=int(problem.status), content_type=PROBLEM, headers=headers)


async def in_our_words(_request: web.Request, response: web.StreamResponse) -> None:
    """Make a problem of what aiohttp refuses by itself, before anybody of ours is asked: an Expect that it does not know."""
    response.headers["Server"] = SERVER
    if isinstance(response, web.HTTPException) and isinstance(response, web.Response):
        problem = Problem(HTTPStatus(response.status), f"http.{response.status}", response.reason)
        response.body = body = msgspec.json.encode(problem.body())
        response.content_type = PROBLEM
        response.charset = None
        response.headers["Content-Length"] = str(len(body))  # it was reckoned before


def json_response(value: object, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Answer with JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=int(status), content_type="application/json", headers=UNKEPT)
