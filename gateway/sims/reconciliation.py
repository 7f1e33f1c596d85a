"""Comparing what we intend with what the hosts show, card by card, and mending what differs if that is wanted."""

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.context import House
from gateway.privacy.masks import mask
from gateway.sims.cards import UNKNOWN, Sim, SimShelf
from gateway.sims.cards import from_row as sim_of
from gateway.sims.host_runtime import Desk, line_of
from gateway.store.async_submit import submit
from gateway.store.batch import Batch, Shelf
from gateway.store.tables import sims
from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import UNSETTLED, Condition, Holding, KeysHeld, Reading
from provisioning.sim_lifecycle import State

PAGE = 200


class Difference(msgspec.Struct, frozen=True):
    """A card that its host holds otherwise than we intend; `repaired`: it was brought to it, and read back."""

    iccid: str
    host: str
    state: str
    wanted: str
    found: str
    repaired: bool = False


class SeeCards(msgspec.Struct):
    """How the hosts held some cards, as a unit: nothing but `observed` changes."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = (SimShelf,)
    seen: dict[str, str]

    def keys(self, shelf: Shelf[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the cards."""
        return self.seen

    def decide(self, batch: Batch) -> int:
        """Note it, and give the number of cards."""
        for iccid, access in self.seen.items():
            sim = batch.shelf(SimShelf).get(iccid)
            if sim is not None:
                sim.see(access, batch.now)
        return len(self.seen)


async def reconcile(house: House, desks: dict[str, Desk], host: str | None, *, repair: bool) -> list[Difference]:
    """Read every settled card back from its host; cards that an order works on are left alone."""
    found: list[Difference] = []
    after = ""
    while True:
        page = await asyncio.to_thread(house.read, lambda connection: _page(connection, after))  # noqa: B023  (run before the next turn)
        if not page:
            return found
        after = page[-1].iccid
        mine = [sim for sim in page if sim.host in desks and (host is None or sim.host == host)]
        outcomes = await asyncio.gather(*(_compare(house, desks[sim.host], sim, repair=repair) for sim in mine))
        await submit(house.lane, SeeCards({sim.iccid: access for sim, (access, _) in zip(mine, outcomes, strict=True)}))
        found += [difference for _, difference in outcomes if difference is not None]


def _page(connection: Connection, after: str) -> list[Sim]:
    rows = connection.execute(
        select(sims).where(sims.c.iccid > after, sims.c.order_id.is_(None)).order_by(sims.c.iccid).limit(PAGE)
    )
    return [sim_of(tuple(row)) for row in rows]


async def _compare(house: House, desk: Desk, sim: Sim, *, repair: bool) -> tuple[str, Difference | None]:
    """Give how the host holds a card, and the difference if there is one."""
    wanted = sim.wanted
    if wanted is None:
        return sim.observed, None
    line = line_of(house, sim)
    try:
        async with desk.slots:
            reading = await desk.host.read(line)
        if reading.shows(wanted):
            return _seen(reading), None
        before = _tell(reading)
        if repair:
            async with desk.slots:
                if not is_repairable(sim, await desk.host.inspect(line)):
                    return _seen(reading), _difference(sim, wanted, f"{before}; left as it is: not what we put there")
                await desk.host.bring(f"reconcile.{sim.iccid}.{house.clock()}", line, wanted)
                reading = await desk.host.read(line)
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
    return not foreign and sim.state is not State.DESTROYED


def _difference(sim: Sim, wanted: Condition, found: str, *, repaired: bool = False) -> Difference:
    return Difference(sim.iccid, sim.host, sim.state, _shown(wanted), found, repaired)


def _tell(reading: Reading) -> str:
    return _shown(reading.condition) + (", with other keys" if reading.keys_match is False else "")


def _seen(reading: Reading) -> str:
    return UNKNOWN if reading.condition == UNSETTLED else reading.condition.access


def _shown(condition: Condition) -> str:
    if condition == UNSETTLED:
        return "half this way, half that"
    return condition.access + (f" as {mask(condition.msisdn)}" if condition.msisdn else "")
