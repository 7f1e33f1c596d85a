"""Traffic for a PGW: who opens a session when, and how much goes through it. The same seed gives the same traffic."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import msgspec

from simulators.customers import Customer
from simulators.pgw import Pgw
from simulators.profiles import Profile
from simulators.session import Demand
from simulators.smsc import Smsc

SECOND_GROUP: Final = 0.3
"""How many sessions use a second rating group."""
SECOND_SHARE: Final = 0.02
"""What such a session transfers there, as part of what it does in the first."""
DETACH_SECONDS: Final = 8.0
"""How long sessions may take to end once the traffic has to stop."""


class Mix(msgspec.Struct, frozen=True):
    """Bounds of a session's octets and seconds."""

    octets: tuple[int, int] = (1_000_000, 50_000_000)
    seconds: tuple[float, float] = (5.0, 30.0)


class Traffic:
    """An endless supply of sessions."""

    def __init__(self, customers: Sequence[Customer], profile: Profile, random: Random, mix: Mix | None = None) -> None:
        self._customers, self._profile, self._random, self._mix = customers, profile, random, mix or Mix()

    def next_session(self) -> tuple[Customer, list[tuple[int | None, Demand]]]:
        """Who opens the next session, and what it will transfer in each rating group."""
        random, groups = self._random, self._profile.rating_groups
        customer = random.choice(self._customers)
        octets = random.randint(*self._mix.octets)
        seconds = random.uniform(*self._mix.seconds)
        demands = [(groups[0], Demand(octets, octets / seconds))]
        if random.random() < SECOND_GROUP:
            share = max(round(octets * SECOND_SHARE), 1)
            demands += [(group, Demand(share, share / seconds)) for group in groups[1:]]
        return customer, demands

    def next_wait(self, rate: float) -> float:
        """Seconds until the next session is opened, at `rate` a second on average; 0 asks for no waiting."""
        return self._random.expovariate(rate) if rate else 0.0


async def drive(
    pgw: Pgw,
    traffic: Traffic,
    *,
    rate: float,
    sessions: int | None,
    concurrency: int,
    stop: asyncio.Event,
    tell: Callable[[], None] = lambda: None,
    busy: Callable[[], float] = lambda: 1.0,
) -> None:
    """Open sessions until there have been `sessions` of them or `stop` is set; then let those that run end.

    `rate` is in sessions a second (0: whenever fewer than `concurrency` run), times what `busy` gives at the time; `tell` is
    called after each session.
    """
    free = asyncio.Semaphore(concurrency)
    running: set[asyncio.Task[None]] = set()

    def ended(task: asyncio.Task[None]) -> None:
        running.discard(task)
        free.release()
        tell()

    opened = 0
    while (sessions is None or opened < sessions) and not stop.is_set():
        if not await _unless(stop, free.acquire()):
            break
        task = asyncio.create_task(pgw.run(pgw.new_session(*traffic.next_session())))
        running.add(task)
        task.add_done_callback(ended)
        opened += 1
        wait = traffic.next_wait(rate * busy())
        if wait:
            await _unless(stop, asyncio.sleep(wait))
    await _drain(pgw, running, stop)


async def text(
    smsc: Smsc,
    customers: Sequence[Customer],
    words: Sequence[str],
    code: str,
    random: Random,
    *,
    rate: float,
    stop: asyncio.Event,
    busy: Callable[[], float] = lambda: 1.0,
) -> None:
    """Let customers text to a short code, `rate` a second on average times what `busy` gives, until `stop` is set."""
    while await _unless(stop, asyncio.sleep(random.expovariate(rate * busy()))) and not stop.is_set():
        smsc.text_in(random.choice(customers).msisdn, code, random.choice(words))


async def _drain(pgw: Pgw, running: set[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait for the sessions that run; once `stop` is set they report, end, and get no more time than is due."""
    if running:
        await _unless(stop, asyncio.wait(running))
    if not running:
        return
    pgw.detach_all()
    _, late = await asyncio.wait(running, timeout=DETACH_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def _unless(stop: asyncio.Event, awaitable: object) -> bool:
    """Wait for something, but no longer than until `stop` is set; True if it came about."""
    work = asyncio.ensure_future(awaitable)  # type: ignore[call-overload]  # any awaitable; its result is not looked at
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for future in (work, stopping):
        if not future.done():
            future.cancel()
    return bool(work.done() and not work.cancelled())
