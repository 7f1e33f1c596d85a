"""The gateway's HTTP faces: health and metrics on TCP, the commands' actions on a Unix socket (0660, role by uid)."""

import asyncio
import errno
import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from gateway.house import House
from gateway.ops import openapi
from gateway.ops.actions import ACTIONS, ADMIN, OPERATOR, AsyncAction, Caller, need
from gateway.ops.metrics import Metrics
from gateway.ops.problems import Problem, bad_request, not_found
from gateway.ops.texts import Texts
from gateway.ops.web_requests import CALLER, caller_of, json_response, read_json
from gateway.store.errors import StoreError

MAX_BODY = 8 * 1024 * 1024
"""Octets of one request's body."""
PROBE_SECONDS = 1.0
"""How long a socket that is there already may take to answer."""
Health = Callable[[], dict[str, bool]]
Status = Callable[[], dict[str, Any]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Both listeners of one gateway; `ready` and `status` are asked at each request.

    `actions` are those that need the running gateway, beside `gateway.ops.actions.ACTIONS`; `routes` stand beside those of
    health and texts, and those that begin with one of `open_paths` see to their callers themselves.
    """

    def __init__(
        self,
        house: House,
        metrics: Metrics,
        texts: Texts,
        *,
        actions: Mapping[str, AsyncAction],
        routes: Sequence[web.RouteDef] = (),
        open_paths: tuple[str, ...] = (),
        live: Health,
        ready: Health,
        status: Status,
    ) -> None:
        """Take what is served; nothing is bound before `start`."""
        self._house, self._metrics, self._texts, self._actions = house, metrics, texts, actions
        self._routes, self._open_paths = routes, open_paths
        self._live, self._ready, self._status = live, ready, status
        self._runners: list[web.AppRunner] = []
        self._bound: tuple[int, int] | None = None
        self.port = 0

    async def start(self) -> None:
        """Bind the TCP port and the Unix socket; OSError names what is taken."""
        api = self._house.settings.api
        self.port = await self._listen_tcp(api.listen.host, api.listen.port)
        await self._listen_unix(api.socket)

    async def stop(self) -> None:
        """Finish the requests at hand and unbind."""
        for runner in self._runners:
            await runner.cleanup()
        path = self._house.settings.api.socket
        if self._bound is not None and _identity(path) == self._bound:  # and not somebody else's, put there since
            path.unlink(missing_ok=True)

    async def _listen_tcp(self, host: str, port: int) -> int:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_problems, self._let_in])
        app.router.add_get("/livez", self._health(self._live))
        app.router.add_get("/readyz", self._health(self._ready))
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_post("/v1/sms", self._post_sms)
        app.router.add_post("/v1/sms/batch", self._post_sms_batch)
        app.router.add_get("/v1/sms/{id}", self._get_sms)
        app.router.add_routes([openapi.served(), *self._routes])
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, host, port)
        await site.start()
        return int(runner.addresses[0][1])

    async def _listen_unix(self, path: Path) -> None:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_problems])
        app.router.add_post("/v1/actions/{action}", self._act)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
        await runner.setup()
        self._runners.append(runner)
        listener = _unix_listener(path)
        self._bound = _identity(path)
        await web.SockSite(runner, listener).start()

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for one of api.tokens: under /v1/ always, for the rest of whoever comes from elsewhere than this machine."""
        if request.path.startswith(self._open_paths):
            return await handler(request)
        near = ip_address(request.remote or "0.0.0.0").is_loopback  # noqa: S104  (an address compared, none bound)
        if near and not request.path.startswith("/v1/"):
            return await handler(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        token = next((token for token in self._house.settings.api.tokens if token.token.matches(given)), None)
        if scheme.lower() != "bearer" or token is None:
            detail = "give one of api.tokens as `Authorization: Bearer ...`"
            raise Problem(HTTPStatus.UNAUTHORIZED, "token.missing", detail)
        request[CALLER] = Caller(token.name, token.role)
        return await handler(request)

    async def _post_sms(self, request: web.Request) -> web.Response:
        client = caller_of(request, OPERATOR).name
        (accepted,) = await self._texts.send(client, [await read_json(request)])
        return json_response(accepted, HTTPStatus.ACCEPTED)

    async def _post_sms_batch(self, request: web.Request) -> web.Response:
        client = caller_of(request, OPERATOR).name
        given = await read_json(request)
        if not isinstance(given, list):
            raise bad_request("sms.batch", "the body is no list of texts")
        return json_response({"messages": await self._texts.send(client, given)}, HTTPStatus.ACCEPTED)

    async def _get_sms(self, request: web.Request) -> web.Response:
        return json_response(await self._texts.show(request.match_info["id"]))

    def _health(self, checks: Health) -> Handler:
        async def answer(_request: web.Request) -> web.Response:
            found = checks()
            status = 200 if all(found.values()) else 503
            return web.json_response({"ok": status == 200, "checks": found}, status=status)

        return answer

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _act(self, request: web.Request) -> web.Response:
        name = request.match_info["action"]
        caller = _caller(request)
        if name == "status":
            return json_response(self._status())
        waited = self._actions.get(name)
        if waited is not None:
            need(caller.role, waited.role)
            return json_response(await waited.run(await _params(request), caller))
        action = ACTIONS.get(name)
        if action is None:
            raise not_found("action.unknown", f"there is no action {name!r}")
        need(caller.role, action.role)
        params = await _params(request)
        return json_response(await asyncio.to_thread(action.run, self._house, params))


def _unix_listener(path: Path) -> socket.socket:
    """Bind the socket that only root, our uid and our group may open; OSError says why it cannot be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_way(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


def _make_way(path: Path) -> None:
    """Remove a socket that a gateway which was killed left behind; OSError for whatever else is there, which is not touched."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "is there and no socket: name a free path in api.socket", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise OSError(error.errno or errno.EADDRINUSE, "may be in use: nobody could be asked", str(path)) from error
    raise OSError(errno.EADDRINUSE, "somebody listens there already: name another path in api.socket", str(path))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


async def _params(request: web.Request) -> dict[str, Any]:
    try:
        params = json.loads(await request.read() or b"{}")
    except ValueError:
        raise bad_request("params.json", "the body is no JSON object") from None
    if not isinstance(params, dict):
        raise bad_request("params.json", "the body is no JSON object")
    return params


def _caller(request: web.Request) -> Caller:
    """Root and the gateway's own uid are admin; whoever else may open the socket is in its group: operator."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is None:
        return Caller("socket:unknown", OPERATOR)
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Caller(f"socket:{uid}", ADMIN if uid in (0, os.geteuid()) else OPERATOR)


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into problem bodies."""
    try:
        return await handler(request)
    except Problem as problem:
        found = problem
    except StoreError as error:
        found = Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error))
    except web.HTTPException as error:
        found = Problem(HTTPStatus(error.status), f"http.{error.status}", error.reason)
    except (TypeError, ValueError) as error:
        found = bad_request("params.invalid", str(error))
    return web.Response(
        body=msgspec.json.encode(found.body()), status=int(found.status), content_type="application/problem+json"
    )
