"""The simulated host's events: who listens, and how an event reaches them, or late, twice, in another order, or never."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import aiohttp
import msgspec

from simulators.host_faults import Fault

MAX_LISTENERS: Final = 16
MAX_AT_ONCE: Final = 64
DEADLINE: Final = 5.0
"""Seconds for a listener to take an event; it is sent once."""


class Callbacks:
    """The hub of TMF640: each event goes to every listener's address by POST, its kind in `eventType`.

    Args:
        late_seconds: how late a late event is.
        seed: part of every id that is given.
    """

    def __init__(self, *, late_seconds: float, seed: int) -> None:
        self.counters: Counter[str] = Counter()
        """Events sent, failed (nobody took them), lost, doubled, late and held."""
        self.listeners: dict[str, str] = {}
        self._late_seconds, self._seed, self._given = late_seconds, seed, 0
        self._held: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)

    def subscribe(self, callback: str) -> str | None:
        """Take a listener; None if it is one already, or there are too many."""
        if callback in self.listeners.values() or len(self.listeners) >= MAX_LISTENERS:
            return None
        self._given += 1
        name = f"hub-{self._seed}-{self._given}"
        self.listeners[name] = callback
        return name

    def unsubscribe(self, name: str) -> bool:
        """Let a listener go."""
        return self.listeners.pop(name, None) is not None

    def event(self, kind: str, about: dict[str, object]) -> bytes:
        """Write an event of TMF640: `kind` such as serviceCreateEvent."""
        self._given += 1
        now = datetime.now(UTC).isoformat()
        return msgspec.json.encode(
            {
                "eventId": f"event-{self._seed}-{self._given}",
                "eventTime": now,
                "timeOcurred": now,  # as the specification spells it
                "eventType": kind,
                "event": about,
            }
        )

    async def tell(self, events: list[bytes], fault: Fault | None) -> None:
        """Send events, each after the one before; returns when the listeners have had them for CALLBACK_FIRST, else at once."""
        if not self.listeners:
            return
        delay = 0.0
        match fault:
            case Fault.CALLBACK_LOST:
                self.counters["lost"] += len(events)
                return
            case Fault.CALLBACK_DISORDER:
                self.counters["held"] += len(events)
                self._held = events
                return
            case Fault.CALLBACK_DOUBLED:
                self.counters["doubled"] += len(events)
                events = events * 2
            case Fault.CALLBACK_LATE:
                self.counters["late"] += len(events)
                delay = self._late_seconds
        held, self._held = self._held, []
        if fault is Fault.CALLBACK_FIRST:
            await self._send(events + held, delay)
            return
        task = asyncio.create_task(self._send(events + held, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Send nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, events: list[bytes], delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        for event in events:
            for callback in list(self.listeners.values()):
                async with self._at_once:
                    await self._post(callback, event)

    async def _post(self, callback: str, event: bytes) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE))
        taken = False
        with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
            headers = {"Content-Type": "application/json"}
            async with self._session.post(callback, data=event, headers=headers, allow_redirects=False) as response:
                taken = response.status < 300
        self.counters["sent" if taken else "failed"] += 1
