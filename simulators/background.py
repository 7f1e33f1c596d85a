"""The simulators for code that is not asynchronous: each runs in a thread of its own and is asked from outside."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from simulators.customers import Customer
from simulators.handsets import Heard
from simulators.host_api import HostApi
from simulators.host_faults import Fault
from simulators.host_services import Resource
from simulators.pgw import Pgw
from simulators.report import summary
from simulators.session import Demand
from simulators.smsc import Smsc
from simulators.smsc_faults import SmscFault

PATIENCE: Final = 10.0
"""Seconds that anything asked of a simulator may take."""
RATING_GROUP: Final = 100
MB: Final = 1_000_000
T = TypeVar("T")


class Service(Protocol):
    """What starts and stops."""

    async def start(self) -> object:
        """Begin."""

    async def stop(self) -> None:
        """End."""


class Background:
    """A thread with an event loop; a context manager that starts it and, at the end, stops what was started in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulators", daemon=True)
        self._stoppers: list[Callable[[], Awaitable[None]]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for stop in reversed(self._stoppers):
                self.call(_awaited(stop))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def call(self, work: Coroutine[None, None, T], patience: float = PATIENCE) -> T:
        """Do something in the thread and give what came of it; TimeoutError after `patience` seconds."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(patience)
        finally:
            future.cancel()

    def do(self, act: Callable[[], T]) -> T:
        """Call a function in the thread: simulators are touched from there alone."""

        async def work() -> T:
            return act()

        return self.call(work())

    def keep(self, service: Service) -> None:
        """Start something, and stop it at the end."""
        self.call(_awaited(service.start))
        self._stoppers.append(service.stop)


class BackgroundSmsc:
    """A message centre: an ESME binds to `host` and `port`, the test plays the customers."""

    def __init__(self, thread: Background, **options: Any) -> None:  # noqa: ANN401  (those of Smsc)
        self._thread = thread
        self._smsc = thread.do(lambda: Smsc(**options))
        thread.keep(self._smsc)
        self.host, self.port = "127.0.0.1", self._smsc.port

    def text_in(self, number: str, code: str, words: str) -> None:
        """A customer texts."""
        self._thread.do(lambda: self._smsc.text_in(number, code, words))

    def expect(self, number: str, words: str, patience: float = PATIENCE) -> Heard:
        """Wait until this number has a text that contains these words; TimeoutError if none comes."""
        return self._thread.call(self._smsc.handsets.expect(number, words, patience), patience + 1.0)

    def heard(self, number: str) -> list[str]:
        """Return the words of all texts that this number got."""
        return self._thread.do(lambda: self._smsc.handsets.heard(number))

    def next_texts(self, *faults: SmscFault | str | None) -> None:
        """Let these faults befall the next texts; None: nothing."""
        chosen = [None if fault is None else SmscFault(fault) for fault in faults]
        self._thread.do(lambda: self._smsc.faults.next_texts(*chosen))

    def summary(self) -> dict[str, object]:
        """Everything that was counted."""
        return self._thread.do(self._smsc.summary)


class BackgroundHostApi:
    """An activation API: a client calls `url`."""

    def __init__(self, thread: Background, **options: Any) -> None:  # noqa: ANN401  (those of HostApi)
        self._thread = thread
        self._host = thread.do(lambda: HostApi(**options))
        thread.keep(self._host)
        self.url = self._host.url

    def next_changes(self, *faults: Fault | str | None) -> None:
        """Let these faults befall the next calls that change something; None: nothing."""
        chosen = [None if fault is None else Fault(fault) for fault in faults]
        self._thread.do(lambda: self._host.faults.next_changes(*chosen))

    def services(self) -> dict[str, Resource]:
        """Return what the host holds, by service id."""
        return self._thread.do(lambda: dict(self._host.services))

    def effects(self) -> dict[str, int]:
        """Return how often each serviceOrderId did something."""
        return self._thread.do(lambda: dict(self._host.inventory.effects))

    def summary(self) -> dict[str, object]:
        """Everything that was counted."""
        return self._thread.do(self._host.summary)


class BackgroundPgw:
    """A PGW with one connection to an online charging system, once `connect` has been called."""

    def __init__(self, thread: Background, **options: Any) -> None:  # noqa: ANN401  (those of Pgw)
        self._thread, self._options = thread, {"pace": 0.0, "tx": 2.0} | options
        self._pgw: Pgw | None = None

    def connect(self, host: str, port: int) -> None:
        """Connect; ConnectionError if that cannot be done."""
        options: dict[str, Any] = {"random": Random(1)} | self._options  # noqa: S311  (traffic, no secret)
        pgw = self._pgw = self._thread.do(lambda: Pgw((host, port), **options))
        self._thread.keep(pgw)
        if not pgw.up:
            raise ConnectionError(f"{host}:{port}: {pgw.last_failure}")

    def run(self, imsi: str, msisdn: str, octets: int, rating_group: int | None = RATING_GROUP) -> int:
        """Run one data session to its end and give the Result-Code of its last answer; 0 if it got none."""
        pgw = self._pgw
        if pgw is None:
            raise RuntimeError("the PGW is not connected: call connect first")
        session = self._thread.do(
            lambda: pgw.new_session(Customer(imsi, msisdn), [(rating_group, Demand(octets, 100 * MB))])
        )
        self._thread.call(pgw.run(session), patience=60.0)
        return session.result_code

    def summary(self) -> dict[str, object]:
        """Everything that was counted."""
        pgw = self._pgw
        return {} if pgw is None else self._thread.do(lambda: summary(pgw, 0.0))


async def _awaited(act: Callable[[], Awaitable[T]]) -> T:
    return await act()
