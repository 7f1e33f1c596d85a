"""Comparing what we intend with what the hosts show, card by card, and mending what differs if that is wanted."""

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.sims.cards import UNKNOWN, Sim, SimRows
from gateway.sims.cards import from_row as sim_of
from gateway.sims.host_runtime import HostRuntime, line_of
from gateway.store.async_submit import submit
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.tables import sims
from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import UNSETTLED, Condition, Holding, HostReading, KeysHeld
from provisioning.sim_lifecycle import SimState

PAGE = 200


class Difference(msgspec.Struct, frozen=True):
    """A card that its host holds otherwise than we intend; `repaired`: it was brought to it, and read back."""

    iccid: str
    host: str
    state: str
    wanted: str
    found: str
    repaired: bool = False


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
) -> list[Difference]:
    """Read every settled card back from its host; cards that an order works on are left alone."""
    found: list[Difference] = []
    after = ""
    while True:
        page = await context.read_async(lambda connection: _page(connection, after))  # noqa: B023  (run before the next turn)
        if not page:
            return found
        after = page[-1].iccid
        mine = [sim for sim in page if sim.host in host_runtimes and (host is None or sim.host == host)]
        outcomes = await asyncio.gather(
            *(_compare(context, host_runtimes[sim.host], sim, repair=repair) for sim in mine)
        )
        await submit(
            context.lane, RecordObserved({sim.iccid: access for sim, (access, _) in zip(mine, outcomes, strict=True)})
        )
        found += [difference for _, difference in outcomes if difference is not None]


def _page(connection: Connection, after: str) -> list[Sim]:
    rows = connection.execute(
        select(sims).where(sims.c.iccid > after, sims.c.order_id.is_(None)).order_by(sims.c.iccid).limit(PAGE)
    )
    return [sim_of(tuple(row)) for row in rows]


async def _compare(
    context: GatewayContext, host_runtime: HostRuntime, sim: Sim, *, repair: bool
) -> tuple[str, Difference | None]:
    """Give how the host holds a card, and the difference if there is one."""
    wanted = sim.wanted
    if wanted is None:
        return sim.observed, None
    line = line_of(context, sim)
    try:
        async with host_runtime.slots:
            reading = await host_runtime.host.read(line)
        if reading.shows(wanted):
            return _seen(reading), None
        before = _tell(reading)
        if repair:
            async with host_runtime.slots:
                if not is_repairable(sim, await host_runtime.host.inspect(line)):
                    return _seen(reading), _difference(sim, wanted, f"{before}; left as it is: not what we put there")
                await host_runtime.host.bring(f"reconcile.{sim.iccid}.{context.clock()}", line, wanted)
                reading = await host_runtime.host.read(line)
        mended = repair and reading.shows(wanted)
        return _seen(reading), _difference(sim, wanted, before, repaired=mended)
    except (HostRefused, HostUnavailable) as error:
        return UNKNOWN, _difference(sim, wanted, mask(str(error)))


def is_repairable(sim: Sim, found: Holding) -> bool:
    """Whether what a host holds of a card is ours to repair: never another number, nor other keys than the card's.

    Of a destroyed card nothing at the host is ours: its IMSI may have gone to somebody else.
    """
    if not found.present:
        return True
    foreign = found.other_card or found.keys is KeysHeld.OTHER or found.msisdn not in (None, sim.msisdn)
    return not foreign and sim.state is not SimState.DESTROYED


def _difference(sim: Sim, wanted: Condition, found: str, *, repaired: bool = False) -> Difference:
    return Difference(sim.iccid, sim.host, sim.state, _shown(wanted), found, repaired)


def _tell(reading: HostReading) -> str:
    return _shown(reading.condition) + (", with other keys" if reading.keys_match is False else "")


def _seen(reading: HostReading) -> str:
    return UNKNOWN if reading.condition == UNSETTLED else reading.condition.access


def _shown(condition: Condition) -> str:
    if condition == UNSETTLED:
        return "half this way, half that"
    return condition.access + (f" as {mask(condition.msisdn)}" if condition.msisdn else "")
