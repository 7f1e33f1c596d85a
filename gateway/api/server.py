"""The gateway's HTTP faces: health and metrics on TCP, the commands' actions on a Unix socket (0660, role by uid)."""

import errno
import os
import pwd
import socket
import stat
import struct
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from pathlib import Path

from aiohttp import web

from gateway.api import access
from gateway.api.action import Params, RunningAction
from gateway.api.actions.order_fields import read_key
from gateway.api.actions.table import ACTIONS
from gateway.api.actions.texts import SmsActions, read_texts
from gateway.api.answers.nodes import Health
from gateway.api.callers import ADMIN, AUDITOR, OPERATOR, Caller, need
from gateway.api.connections import Listener
from gateway.api.openapi import served
from gateway.api.problems import Problem, bad_request, not_found
from gateway.api.web_requests import (
    CALLER,
    MAX_BODY,
    caller_of,
    in_our_words,
    json_response,
    problem_response,
    read_json,
    read_object,
)
from gateway.concerns import Concern
from gateway.context import GatewayContext
from gateway.metrics.registry import Metrics
from gateway.privacy.access import CAUSES
from gateway.store.errors import StoreError
from gateway.store.private_files import make_folder

PAGE_METHODS = ("GET", "HEAD")
PROBE_SECONDS = 1.0
"""How long a socket that is there already may take to answer."""
Checks = Callable[[], dict[str, bool]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Alarm = Callable[[str, Mapping[str, object]], None]


class Server:
    """Both listeners of one gateway; `ready` is asked at each request.

    `actions` are those that need the running gateway, beside `gateway.api.actions.table`; `routes` stand beside those of
    health and texts, and those that begin with one of `open_paths` see to their callers themselves.
    """

    def __init__(
        self,
        context: GatewayContext,
        metrics: Metrics,
        texts: SmsActions,
        *,
        actions: Mapping[str, RunningAction],
        routes: Sequence[web.RouteDef] = (),
        open_paths: tuple[str, ...] = (),
        live: Checks,
        ready: Checks,
        concerns: Callable[[], list[Concern]] = list,
        alarm: Alarm = lambda _event, _fields: None,
    ) -> None:
        """Take what is served, and who is told of a failure of ours; nothing is bound before `start`."""
        self._context, self._metrics, self._texts, self._actions = context, metrics, texts, actions
        self._routes, self._open_paths = routes, open_paths
        self._live, self._ready, self._alarm = live, ready, alarm
        self._concerns = concerns
        self._guard = access.Guard()
        self._listeners: list[Listener] = []
        self._bound: tuple[int, int] | None = None
        self.port = 0

    async def start(self) -> None:
        """Bind the TCP port and the Unix socket; OSError names what is taken."""
        api = self._context.settings.api
        self.port = await self._listen_tcp(api.listen.host, api.listen.port)
        await self._listen_unix(api.socket)

    async def stop(self) -> None:
        """Finish the requests at hand and unbind."""
        for listener in self._listeners:
            await listener.close()
        path = self._context.settings.api.socket
        if self._bound is not None and _identity(path) == self._bound:  # and not somebody else's, put there since
            path.unlink(missing_ok=True)

    async def _listen_tcp(self, host: str, port: int) -> int:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._problems, self._once_each, self._let_in])
        app.on_response_prepare.append(in_our_words)
        app.router.add_get("/livez", self._health(self._live, list))
        app.router.add_get("/readyz", self._health(self._ready, self._concerns))
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_post("/v1/sms", self._post_sms)
        app.router.add_post("/v1/sms/batch", self._post_sms_batch)
        app.router.add_get("/v1/sms/{id:(?!batch$)[^/]+}", self._get_sms)
        app.router.add_routes([served(), *self._routes])
        self._listeners.append(Listener(app))
        return await self._listeners[-1].on_port(host, port)

    async def _listen_unix(self, path: Path) -> None:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._problems, self._once_each])
        app.on_response_prepare.append(in_our_words)
        app.router.add_post("/v1/actions/{action}", self._act)
        self._listeners.append(Listener(app))
        listener = _unix_listener(path)
        self._bound = _identity(path)
        await self._listeners[-1].on_socket(listener)

    @web.middleware
    async def _problems(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn refusals into problem bodies, and a failure of ours into one that says nothing of its inside."""
        try:
            return await handler(request)
        except Problem as problem:
            found = problem.with_traceback(None)  # it would keep what was read of the body for a collector to find
        except StoreError as error:
            found = Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error))
        except web.HTTPException as error:
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None  # RFC 9110 §15.5.6
            found = Problem(HTTPStatus(error.status), f"http.{error.status}", error.reason, allow)
        except Exception as error:  # noqa: BLE001  (whatever is wrong with us ends here, and the client learns that it is)
            found = self._failed(request, error)
        response = problem_response(found)
        if not request.content.is_eof():
            response.force_close()  # its body still comes, and is not to cost more than it has
        return response

    def _failed(self, request: web.Request, error: Exception) -> Problem:
        route = request.match_info.route.resource
        where = route.canonical if route is not None else "none"
        self._alarm("http.request.failed", {"route": where, "detail": f"{type(error).__name__} at {_origin(error)}"})
        detail = "the gateway failed, and its log says where: look how things stand before you ask again"
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "http.500", detail)

    @web.middleware
    async def _once_each(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        access.check_fields(request.headers)
        return await handler(request)

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for one of api.tokens: under /v1/ always, for the rest of whoever comes from elsewhere than this machine."""
        if request.path.startswith(self._open_paths):
            return await handler(request)
        api, headers = self._context.settings.api, request.headers
        loopback = access.is_loopback(request.remote)
        if loopback or api.names:
            absolute = not request.raw_path.startswith(("/", "*"))  # it stands above the header (RFC 9112 §3.2.2)
            access.check_host(request.url.host if absolute else headers.get("Host"), (*api.names, api.listen.host))
        page = not request.path.startswith(access.API)
        if page and loopback and not access.was_forwarded(headers):
            return await handler(request)
        given = access.shown_token(headers.get("Authorization"), page=page and request.method in PAGE_METHODS)
        if given is None:
            self._metrics.refused_tokens.labels("missing").inc()
            raise _no_token(page=page)
        client = access.client_of(request.remote, headers)
        token = self._guard.find(given, api.tokens, client, self._context.monotonic())
        if isinstance(token, access.Refusals):
            raise self._refused(client, token, page=page)
        if page and access.is_in_clear(headers) and self._guard.is_first_in_clear(client):
            self._alarm("api.login.in_clear", {"address": client})
        request[CALLER] = Caller(token.name, token.role, frozenset(token.rights), f"api:{token.name}")
        return await handler(request)

    def _refused(self, address: str, refusals: access.Refusals, *, page: bool) -> Problem:
        """Count a wrong token, log the first of an address and the one that makes it wait, and say what to do."""
        left = refusals.until - self._context.monotonic()
        self._metrics.refused_tokens.labels("limited" if refusals.waits else "wrong").inc()
        if refusals.wrong in (1, access.ALLOWED) and not refusals.waits:
            self._alarm("api.token.refused", {"address": address, "wrong": refusals.wrong})
        if not refusals.waits:
            return _no_token(page=page)
        detail = f"too many wrong tokens came from your address: try again in {ceil(left)} s"
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, "token.limited", detail, {"Retry-After": str(ceil(left))})

    async def _post_sms(self, request: web.Request) -> web.Response:
        client = caller_of(request, OPERATOR).name
        key, given = read_key(request.headers.get("Idempotency-Key")), await read_json(request)
        if key is None and "Idempotency-Key" in request.headers:
            raise bad_request("order.key", "the header Idempotency-Key is empty: give a key, or leave it out")
        if key is not None and isinstance(given, dict) and given.get("reference") is None:
            given["reference"] = key  # what repeats a text is its reference, whichever way it comes
        accepted = await self._texts.send(client, read_texts([given]))
        return json_response(accepted.messages[0], HTTPStatus.ACCEPTED)

    async def _post_sms_batch(self, request: web.Request) -> web.Response:
        client = caller_of(request, OPERATOR).name
        given = await read_json(request)
        if not isinstance(given, list):
            raise bad_request("sms.batch", "the body is no list of texts: give one, like [{...}]")
        whole = all(isinstance(each, dict) and each.get("reference") is not None for each in given)
        if "Idempotency-Key" in request.headers and not whole:  # the same batch again would be sent again
            raise bad_request("sms.batch", "a batch has no Idempotency-Key: give each text a reference of its own")
        return json_response(await self._texts.send(client, read_texts(given)), HTTPStatus.ACCEPTED)

    async def _get_sms(self, request: web.Request) -> web.Response:
        return json_response(await self._texts.show(request.match_info["id"]))

    def _health(self, checks: Checks, concerns: Callable[[], list[Concern]]) -> Handler:
        async def answer(_request: web.Request) -> web.Response:
            found = checks()
            well = all(found.values())
            return json_response(
                Health(well, found, concerns()), HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
            )

        return answer

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _act(self, request: web.Request) -> web.Response:
        name = request.match_info["action"]
        caller = _caller(request, self._context.settings.api.auditors)
        waited = self._actions.get(name)
        if waited is not None:
            need(caller.role, waited.role)
            return json_response(await waited.perform(await _params(request), caller))
        action = ACTIONS.get(name)
        if action is None:
            raise not_found("action.unknown", f"there is no action {name!r}")
        need(caller.role, action.role)
        params = await _params(request)
        return json_response(await self._context.in_thread(action.perform, self._context, params, caller))


def _no_token(*, page: bool) -> Problem:
    detail = "give one of api.tokens as `Authorization: Bearer ...`"
    if page:
        detail += ", or as the password that a browser asks for, under any name"
    headers = {"WWW-Authenticate": access.challenge(page=page)}
    return Problem(HTTPStatus.UNAUTHORIZED, "token.missing", detail, headers)


def _unix_listener(path: Path) -> socket.socket:
    """Bind the socket that only root, our uid and our group may open; OSError says why it cannot be had."""
    make_folder(path.parent)
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


async def _params(request: web.Request) -> Params:
    return await read_object(request, "params.json", empty=b"{}")


def _origin(error: BaseException) -> str:
    """Name the innermost line of our own where an error came from: file and number, no values."""
    place = "an unknown place"
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if any(part in ("gateway", "provisioning", "protocols") for part in path.parts):
            place = f"{path.name}:{frame.lineno}"
    return place


def _caller(request: web.Request, auditors: Sequence[str]) -> Caller:
    """Root and the gateway's own uid are admin, and may see causes, as they may read the store; its group is operator.

    Of the group those who are named as auditors are that.
    """
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is None:
        return Caller("socket:unknown", OPERATOR)
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid in (0, os.geteuid()):
        return Caller(f"socket:{uid}", ADMIN, frozenset({CAUSES}))
    return Caller(f"socket:{uid}", AUDITOR if _is_named(uid, auditors) else OPERATOR)


def _is_named(uid: int, users: Sequence[str]) -> bool:
    """Return whether a user of this machine is one of these; of one without a name nobody knows."""
    try:
        return pwd.getpwuid(uid).pw_name in users
    except KeyError:
        return False
