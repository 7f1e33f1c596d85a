"""Comparing what we intend with what the hosts show, card by card, and mending what differs if that is wanted."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Connection, exists, select

from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.sims.cards import UNKNOWN, Sim, SimRows
from gateway.sims.cards import from_row as sim_of
from gateway.sims.host_listing import list_host, shown
from gateway.sims.host_runtime import HostRuntime, line_of
from gateway.sims.views import Difference, Reconciliation, UnreachableHost
from gateway.store.async_submit import submit
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.tables import sims
from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import UNSETTLED, Condition, Holding, Host, HostReading, KeysHeld
from provisioning.sim_lifecycle import SimState

PAGE = 200
FAILURES = 20
"""Cards one after the other that a host cannot tell of, until it counts as down."""


class RecordObserved(Unit):
    """How the hosts held some cards: nothing but `observed` changes."""

    touches: ClassVar[tuple[type, ...]] = (SimRows,)

    seen: dict[str, str]

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the cards."""
        return self.seen

    def decide(self, batch: Batch) -> int:
        """Record it, and give the number of cards."""
        for iccid, access in self.seen.items():
            sim = batch.row_set(SimRows).get(iccid)
            if sim is not None:
                sim.see(access, batch.now)
        return len(self.seen)


async def reconcile(
    context: GatewayContext, host_runtimes: dict[str, HostRuntime], host: str | None, *, repair: bool
) -> Reconciliation:
    """Read every settled card back from its host, and every host's own list; cards that an order works on are left alone."""
    wanted = {name: runtime for name, runtime in host_runtimes.items() if host in (None, name)}
    return await _Run(context, wanted, repair=repair).run()


class _Run:
    """One comparison; a host that is found to be down is asked nothing more."""

    def __init__(self, context: GatewayContext, host_runtimes: dict[str, HostRuntime], *, repair: bool) -> None:
        self._context, self._host_runtimes, self._repair = context, host_runtimes, repair
        self._lost: dict[str, str] = {}
        self._failures = dict.fromkeys(host_runtimes, 0)

    async def run(self) -> Reconciliation:
        """Compare card by card, then what else the hosts hold."""
        rows: list[Difference] = []
        strangers: list[Difference] = []
        async for page in self._pages():
            mine = [sim for sim in page if sim.host in self._host_runtimes]
            outcomes = await asyncio.gather(*(self._compare(sim) for sim in mine))
            read = [(sim, outcome) for sim, outcome in zip(mine, outcomes, strict=True) if outcome is not None]
            await submit(self._context.lane, RecordObserved({sim.iccid: access for sim, (access, _) in read}))
            rows += [difference for _, (_, difference) in read if difference is not None]
        for name, host_runtime in self._host_runtimes.items():
            if name not in self._lost:
                try:
                    listed = await list_host(self._context, name, host_runtime)
                except HostUnavailable as error:
                    self._lose(name, error)
                else:
                    rows += listed.ours
                    strangers += listed.strangers
        return Reconciliation(rows, strangers, [UnreachableHost(*lost) for lost in self._lost.items()])

    async def _pages(self) -> AsyncIterator[list[Sim]]:
        after = ""
        while len(self._lost) < len(self._host_runtimes):
            page = await self._context.read_async(lambda connection: _page(connection, after))  # noqa: B023  (run before the next turn)
            if not page:
                return
            after = page[-1].iccid
            yield page

    async def _compare(self, sim: Sim) -> tuple[str, Difference | None] | None:
        """Return how the host holds a card, and the difference if there is one; None where the host is down."""
        wanted = sim.wanted
        if wanted is None:
            return sim.observed, None
        host_runtime = self._host_runtimes[sim.host]
        async with host_runtime.slots:
            if sim.host in self._lost:
                return None
            try:
                outcome = await _compare(self._context, host_runtime.host, sim, wanted, repair=self._repair)
            except HostRefused as error:
                return UNKNOWN, _difference(sim, wanted, mask(str(error)))
            except HostUnavailable as error:
                self._failures[sim.host] += 1
                if error.one_line and self._failures[sim.host] < FAILURES:
                    return UNKNOWN, _difference(sim, wanted, mask(str(error)))
                self._lose(sim.host, error)
                return None
        self._failures[sim.host] = 0
        return outcome

    def _lose(self, name: str, error: HostUnavailable) -> None:
        self._lost.setdefault(name, mask(str(error)))


def _page(connection: Connection, after: str) -> list[Sim]:
    rows = connection.execute(
        select(sims)
        .where(sims.c.iccid > after, sims.c.order_id.is_(None), ~_is_succeeded())
        .order_by(sims.c.iccid)
        .limit(PAGE)
    )
    return [sim_of(tuple(row)) for row in rows]


def _is_succeeded() -> ColumnElement[bool]:
    """Whether a card is destroyed and another one has its IMSI: what the host holds of that is the other one's."""
    other = sims.alias()
    has_it = exists().where(other.c.imsi == sims.c.imsi, other.c.state != SimState.DESTROYED)
    return (sims.c.state == SimState.DESTROYED) & has_it


async def _compare(
    context: GatewayContext, host: Host, sim: Sim, wanted: Condition, *, repair: bool
) -> tuple[str, Difference | None]:
    line = line_of(context, sim)
    reading = await host.read(line)
    if reading.shows(wanted):
        return _seen(reading), None
    before = _in_words(reading)
    if repair:
        if not is_repairable(sim, await host.inspect(line)):
            return _seen(reading), _difference(sim, wanted, f"{before}; left as it is: not what we put there")
        await host.bring(f"reconcile.{sim.iccid}.{context.clock()}", line, wanted)
        reading = await host.read(line)
    mended = repair and reading.shows(wanted)
    return _seen(reading), _difference(sim, wanted, before, repaired=mended)


def is_repairable(sim: Sim, found: Holding) -> bool:
    """Whether what a host holds of a card is ours to repair: never another number, nor other keys than the card's.

    Of a destroyed card nothing at the host is ours: its IMSI may have gone to somebody else.
    """
    if not found.present:
        return True
    foreign = found.other_card or found.keys is KeysHeld.OTHER or found.msisdn not in (None, sim.msisdn)
    return not foreign and sim.state is not SimState.DESTROYED


def _difference(sim: Sim, wanted: Condition, found: str, *, repaired: bool = False) -> Difference:
    return Difference(sim.iccid, sim.host, sim.state, shown(wanted), found, repaired)


def _in_words(reading: HostReading) -> str:
    return shown(reading.condition) + (", with other keys" if reading.keys_match is False else "")


def _seen(reading: HostReading) -> str:
    return UNKNOWN if reading.condition == UNSETTLED else reading.condition.access
