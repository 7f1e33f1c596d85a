"""A host operator's activation API (TMF640 v4) to test against: it answers 201 or 202, calls back, and fails as it is told.

As `tpo simulate host-api`, or in a test:

    async with HostApi(mode=Mode.ASYNC) as host:
        host.faults.next_changes(Fault.TIMEOUT_AFTER)
        ...                                        # a client of host.url
        assert host.inventory.effects["order-1"] == 1
"""

import asyncio
import math
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from hmac import compare_digest
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from protocols.rate_limit import TokenBucket
from simulators.host_callbacks import Callbacks
from simulators.host_faults import Fault, Faults
from simulators.host_services import Inventory, Refusal, Resource, check_change, check_new, order_of

BASE: Final = "/tmf-api/ServiceActivationAndConfiguration/v4"
MAX_BODY: Final = 64 * 1024
KEPT_MONITORS: Final = 100_000
MAX_PAGE: Final = 1000
_CHANGES: Final = frozenset({"POST", "PATCH", "DELETE"})
_KEPT_HEADERS: Final = frozenset({"Allow", "Retry-After"})
_FILTERS: Final = frozenset({"supportingResource.id", "state", "limit", "offset"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Mode(StrEnum):
    """How the host takes what it is asked."""

    SYNC = "sync"
    """Done, then answered: 201, 200, 204."""
    ASYNC = "async"
    """Answered 202, then done; a Monitor tells of it, and an event to whoever listens."""


class Tell(StrEnum):
    """Where a 202 names its Monitor; the specification leaves it open."""

    LOCATION = "location"
    LINK = "link"
    BODY = "body"
    NOWHERE = "nowhere"


class HostApi:
    """One host operator, on one address; an asynchronous context manager.

    A serviceOrderId that comes again gets what it got (`repeats_conflict`: 409 instead) and changes nothing. Keys are
    refused. What it holds outlives `stop` and `start`, which listens on the same port again.

    Args:
        work_seconds: how long the work of a 202 takes; None: until `finish` is called.
        deletes: whether DELETE is offered (else 405).
        rate: calls that change something a second, beyond which it answers 429; 0: no limit. `limit_reads`: all calls count.
        slow_seconds, late_seconds: for the faults `slow` and `callback-late`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        mode: Mode = Mode.SYNC,
        tell: Tell = Tell.LOCATION,
        work_seconds: float | None = 0.0,
        faults: Faults | None = None,
        repeats_conflict: bool = False,
        deletes: bool = True,
        token: str | None = None,
        rate: float = 0.0,
        limit_reads: bool = False,
        slow_seconds: float = 0.5,
        late_seconds: float = 0.5,
        seed: int = 1,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults = faults or Faults(seed=seed)
        self.inventory = Inventory(seed)
        self.callbacks = Callbacks(late_seconds=late_seconds, seed=seed)
        self.monitors: dict[str, Resource] = {}
        self.calls: Counter[str] = Counter()
        """Calls by kind: create, change, delete, read, search, monitor, hub; `limited` were answered 429."""
        self.asked: Counter[str] = Counter()
        """How often each serviceOrderId was heard; `inventory.effects` has how often it did something."""
        self.happened: Counter[Fault] = Counter()
        self.port = port
        self.mode, self.tell = mode, tell
        self._host, self._tls, self._clock, self._seed = host, tls, clock, seed
        self._work_seconds, self._slow_seconds = work_seconds, slow_seconds
        self._repeats_conflict, self._deletes, self._limit_reads = repeats_conflict, deletes, limit_reads
        self._authorization = None if token is None else f"Bearer {token}".encode()
        self._bucket = TokenBucket(rate, rate / 10, clock())
        self._runner: web.AppRunner | None = None
        self._over = asyncio.Event()
        self._monitored = 0
        self._working: dict[str, str] = {}
        self._waiting: list[Callable[[], Awaitable[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "HostApi":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where the API begins."""
        scheme = "http" if self._tls is None else "https"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self.port}{BASE}"

    @property
    def services(self) -> dict[str, Resource]:
        """What the host holds, by service id."""
        return self.inventory.services

    async def start(self) -> None:
        """Listen; OSError if the address can't be had."""
        self._over.clear()
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._guard])
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/service", self._search),
            ("POST", "/service", self._create),
            ("GET", "/service/{id}", self._read),
            ("PATCH", "/service/{id}", self._change),
            ("DELETE", "/service/{id}", self._delete),
            ("GET", "/monitor/{id}", self._monitor),
            ("POST", "/hub", self._subscribe),
            ("DELETE", "/hub/{id}", self._unsubscribe),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, BASE + path, handler)
        # A client that has gone away ends what is left of its call: only answers are ever waited for.
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1, handler_cancellation=True
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self.port, ssl_context=self._tls).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = int(runner.addresses[0][1])
        self.inventory.base = self.url

    async def stop(self) -> None:
        """Cut all connections and end all work; what was done stays."""
        self._over.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.callbacks.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def finish(self) -> int:
        """Do all work that waits for this (`work_seconds=None`), in the order in which it came; tells how much."""
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            await work()
        return len(waiting)

    def summary(self) -> dict[str, object]:
        """Everything that was counted, as a JSON object."""
        states = Counter(service["state"] for service in self.services.values())
        return {
            "services": dict(sorted(states.items())),
            "calls": dict(sorted(self.calls.items())),
            "orders": {
                "asked": len(self.asked),
                "done": len(self.inventory.effects),
                "repeated": self.asked.total() - len(self.asked),
                "done_twice": sum(count > 1 for count in self.inventory.effects.values()),
            },
            "faults": {str(fault): count for fault, count in sorted(self.happened.items())},
            "callbacks": dict(sorted(self.callbacks.counters.items())),
        }

    # Every call

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who may, as fast as may be; what is refused gets an Error."""
        try:
            self._let_in(request)
            return await handler(request)
        except Refusal as refusal:
            return _json(refusal.body(), refusal.status)
        except web.HTTPException as error:
            response = _json(Refusal(HTTPStatus(error.status), "http", error.reason).body(), HTTPStatus(error.status))
            response.headers.update({name: error.headers[name] for name in _KEPT_HEADERS & set(error.headers)})
            return response

    def _let_in(self, request: web.Request) -> None:
        if self._authorization is not None:
            given = request.headers.get("Authorization", "").encode("utf-8", "replace")
            if not compare_digest(given, self._authorization):
                raise Refusal(HTTPStatus.UNAUTHORIZED, "token", "give your token")
        if request.path.startswith(f"{BASE}/hub") or not (self._limit_reads or request.method in _CHANGES):
            return
        now = self._clock()
        if not self._bucket.available(now, 1):
            self.calls["limited"] += 1
            seconds = max(1, math.ceil(self._bucket.ready_at(now) - now))
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(seconds)})
        self._bucket.take(now)

    # The resources

    async def _search(self, request: web.Request) -> web.Response:
        self.calls["search"] += 1
        query = request.query
        if not set(query) <= _FILTERS:
            raise Refusal(HTTPStatus.BAD_REQUEST, "filter", "there is no such filter")
        card = query.get("supportingResource.id")
        await self._read_fault(request, f"search/{card}")
        offset, limit = _count(query.get("offset", "0")), min(_count(query.get("limit", "100")), MAX_PAGE)
        page, total = self.inventory.search(card, query.get("state"), offset, limit)
        response = _json(page, HTTPStatus.OK if len(page) == total else HTTPStatus.PARTIAL_CONTENT)
        response.headers.update({"X-Total-Count": str(total), "X-Result-Count": str(len(page))})
        return response

    async def _read(self, request: web.Request) -> web.Response:
        self.calls["read"] += 1
        await self._read_fault(request, f"read/{request.match_info['id']}")
        return _json(self.inventory.find(request.match_info["id"]))

    async def _monitor(self, request: web.Request) -> web.Response:
        self.calls["monitor"] += 1
        await self._read_fault(request, f"monitor/{request.match_info['id']}")
        monitor = self.monitors.get(request.match_info["id"])
        if monitor is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "unknown", "there is no such monitor")
        return _json(monitor)

    async def _create(self, request: web.Request) -> web.Response:
        self.calls["create"] += 1
        body = await _object(request)
        check_new(body)
        order = order_of(body)
        self.asked[order] += 1
        kind = "serviceCreateEvent"
        return await self._carry_out(
            request, order, body, kind, HTTPStatus.CREATED, lambda: self.inventory.create(body)
        )

    async def _change(self, request: web.Request) -> web.Response:
        self.calls["change"] += 1
        body = await _object(request)
        check_change(body)
        name, order = request.match_info["id"], order_of(body)
        before = self.inventory.find(name)["state"]
        self.asked[order] += 1
        moved = body.get("state", before) != before
        kind = "serviceStateChangeEvent" if moved else "serviceAttributeValueChangeEvent"
        return await self._carry_out(
            request, order, body, kind, HTTPStatus.OK, lambda: self.inventory.change(name, body)
        )

    async def _delete(self, request: web.Request) -> web.Response:
        self.calls["delete"] += 1
        name = request.match_info["id"]
        if not self._deletes:
            raise web.HTTPMethodNotAllowed("DELETE", ["GET", "PATCH"])
        self.inventory.find(name)
        kind, status = "serviceDeleteEvent", HTTPStatus.NO_CONTENT
        return await self._carry_out(request, f"delete/{name}", {}, kind, status, lambda: self.inventory.delete(name))

    async def _subscribe(self, request: web.Request) -> web.Response:
        self.calls["hub"] += 1
        callback = (await _object(request)).get("callback")
        if not isinstance(callback, str) or not callback.startswith(("http://", "https://")):
            raise Refusal(HTTPStatus.BAD_REQUEST, "callback", "callback is no address")
        name = self.callbacks.subscribe(callback)
        if name is None:
            raise Refusal(HTTPStatus.CONFLICT, "callback_known", "this address listens already")
        return _json({"id": name, "callback": callback}, HTTPStatus.CREATED)

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        if not self.callbacks.unsubscribe(request.match_info["id"]):
            raise Refusal(HTTPStatus.NOT_FOUND, "unknown", "there is no such listener")
        return web.Response(status=HTTPStatus.NO_CONTENT)

    # What a call does, and what befalls it

    async def _carry_out(
        self,
        request: web.Request,
        order: str,
        body: Resource,
        kind: str,
        status: HTTPStatus,
        act: Callable[[], Resource],
    ) -> web.Response:
        """Do what is asked, now or by and by, with the fault that befalls this call."""
        fault = self.faults.of_change(order)
        await self._before(request, fault)
        if self._repeats_conflict and order and self.inventory.effects[order]:
            raise Refusal(HTTPStatus.CONFLICT, "order_known", f"the order {order} was taken already")
        if order in self._working:
            response = self._taken(self._working[order])
        elif self.mode is Mode.ASYNC or fault is Fault.WORK_FAILS:
            response = self._taken(await self._begin(request, order, body, kind, act, fault))
        else:
            service = act()
            await self._call_back([(kind, {"service": service})], fault)
            response = web.Response(status=status) if status == HTTPStatus.NO_CONTENT else _json(service, status)
            response.headers["Location"] = service["href"]
        await self._after(request, fault)
        return response

    async def _begin(
        self,
        request: web.Request,
        order: str,
        body: Resource,
        kind: str,
        act: Callable[[], Resource],
        fault: Fault | None,
    ) -> str:
        """Begin work that a Monitor tells of; gives the Monitor's id."""
        self._monitored += 1
        name = f"mon-{self._seed}-{self._monitored}"
        if len(self.monitors) >= KEPT_MONITORS:
            del self.monitors[next(iter(self.monitors))]
        self.monitors[name] = {
            "@type": "Monitor",
            "id": name,
            "href": f"{self.url}/monitor/{name}",
            "sourceHref": f"{self.url}{request.path.removeprefix(BASE)}",
            "state": "InProgress",
            "request": {"method": request.method, "to": request.path, "body": msgspec.json.encode(body).decode()},
        }
        self._working[order] = name

        async def work() -> None:
            await self._work(name, order, kind, act, fault)

        if fault is Fault.CALLBACK_FIRST:
            await work()
        elif self._work_seconds is None:
            self._waiting.append(work)
        else:
            task = asyncio.create_task(self._by_and_by(self._work_seconds, work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return name

    async def _by_and_by(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(seconds)
        await work()

    async def _work(self, name: str, order: str, kind: str, act: Callable[[], Resource], fault: Fault | None) -> None:
        monitor = self.monitors.get(name, {})
        events: list[tuple[str, Resource]] = []
        try:
            if fault is Fault.WORK_FAILS:
                raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "work_failed", "the network element did not take it")
            service = act()
        except Refusal as refusal:
            error = msgspec.json.encode(refusal.body()).decode()
            monitor |= {"state": "InError", "response": {"statusCode": str(int(refusal.status)), "body": error}}
        else:
            told = msgspec.json.encode(service).decode()
            monitor |= {"state": "Completed", "response": {"statusCode": "200", "body": told}}
            events.append((kind, {"service": service}))
        self._working.pop(order, None)
        events.append(("monitorStateChangeEvent", {"monitor": monitor}))
        await self._call_back(events, fault)

    async def _call_back(self, events: list[tuple[str, Resource]], fault: Fault | None) -> None:
        if self.callbacks.listeners:
            await self.callbacks.tell([self.callbacks.event(kind, about) for kind, about in events], fault)

    def _taken(self, name: str) -> web.Response:
        """Answer 202, naming the Monitor where this host does."""
        href = f"{self.url}/monitor/{name}"
        if self.tell is Tell.BODY:
            return _json(self.monitors[name], HTTPStatus.ACCEPTED)
        headers = {Tell.LOCATION: {"Location": href}, Tell.LINK: {"Link": f'<{href}>; rel="monitor"'}}
        return web.Response(status=HTTPStatus.ACCEPTED, headers=headers.get(self.tell, {}))

    async def _read_fault(self, request: web.Request, name: str) -> None:
        fault = self.faults.of_read(name)
        await self._before(request, fault)
        await self._after(request, fault)

    async def _before(self, request: web.Request, fault: Fault | None) -> None:
        if fault is None:
            return
        self.happened[fault] += 1
        match fault:
            case Fault.ERROR_BEFORE:
                raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "broken", "something went wrong")
            case Fault.CONFLICT:
                raise Refusal(HTTPStatus.CONFLICT, "conflict", "not as things stand")
            case Fault.TIMEOUT_BEFORE:
                await self._never_answer(request)
            case Fault.DROPPED:
                _cut(request)

    async def _after(self, request: web.Request, fault: Fault | None) -> None:
        match fault:
            case Fault.ERROR_AFTER:
                raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "broken", "something went wrong")
            case Fault.TIMEOUT_AFTER:
                await self._never_answer(request)
            case Fault.SLOW:
                await asyncio.sleep(self._slow_seconds)

    async def _never_answer(self, request: web.Request) -> None:
        """Wait until the client has gone, which ends this task, or the host ends."""
        await self._over.wait()
        _cut(request)


def _cut(request: web.Request) -> None:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


async def _object(request: web.Request) -> Resource:
    if request.content_type not in ("application/json", "application/merge-patch+json"):
        raise web.HTTPUnsupportedMediaType
    try:
        return msgspec.json.decode(await request.read(), type=Resource)
    except (ValueError, RecursionError):
        raise Refusal(HTTPStatus.BAD_REQUEST, "json", "the body is no JSON object") from None


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refusal(HTTPStatus.BAD_REQUEST, "page", "limit and offset are numbers")
    return int(text)
