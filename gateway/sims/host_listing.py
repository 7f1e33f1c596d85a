"""What else a host holds: cards of ours that are to be in stock, and lines that are not ours and get service for nothing.

The inventory is compared with its hosts card by card; here a host's own list is compared with the inventory. Nothing of it is
ever changed.
"""

import asyncio
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.sims.cards import Sim
from gateway.sims.cards import from_row as sim_of
from gateway.sims.host_runtime import HostRuntime, line_of
from gateway.sims.views import Difference
from gateway.store.tables import lines, sims
from gateway.subscribers.identifier_history import ICCID, IMSI, MSISDN
from provisioning.errors import HostRefused
from provisioning.hosts.interface import ABSENT, UNLISTED, UNSETTLED, Condition, HeldLine
from provisioning.sim_lifecycle import SimState

PAGE = 500
STRANGERS = 1000
"""Lines of a host that are told and not ours; a host that other operators use as well may have millions."""
NOT_OURS = "not ours"
"""The state of what is not in the inventory."""
_AT_A_HOST = frozenset({SimState.ACTIVE, SimState.SUSPENDED, SimState.QUARANTINED})


class HostList(msgspec.Struct, frozen=True):
    """What a host's list shows that it should not hold: cards of ours, and lines that are not ours."""

    ours: list[Difference] = []
    strangers: list[Difference] = []


class _Known(msgspec.Struct, frozen=True):
    """What we know of the lines of one page: our cards by ICCID and by IMSI, and whose each number is now."""

    cards: dict[str, Sim]
    owners: dict[tuple[str, str], int]
    promised: dict[str, str]
    """The ICCID of the card that has each MSISDN, or is to have it."""


async def list_host(context: GatewayContext, name: str, host_runtime: HostRuntime) -> HostList:
    """Compare a host's list with the inventory; HostUnavailable. A host without a list is asked for each card in stock."""
    found = HostList()
    try:
        async for page in host_runtime.host.lines():
            for start in range(0, len(page), PAGE):
                chunk = page[start : start + PAGE]
                known = await context.read_async(lambda connection: _known(connection, chunk))  # noqa: B023  (run before the next turn)
                for line in chunk:
                    _judge(found, name, line, known)
    except HostRefused as error:
        if error.code != UNLISTED:
            raise
        found.ours.extend(await _in_stock(context, name, host_runtime))
    return found


def _judge(found: HostList, name: str, line: HeldLine, known: _Known) -> None:
    sim = known.cards.get(line.iccid or "") or known.cards.get(line.imsi or "")
    told = shown(Condition(line.access, line.msisdn))
    if sim is not None:
        if sim.order_id is None and not _is_compared(sim, name):
            elsewhere = f"; its host is {sim.host}" if sim.state in _AT_A_HOST else ""
            found.ours.append(Difference(sim.iccid, name, sim.state, shown(ABSENT), told + elsewhere))
        return
    owner = known.owners.get((IMSI, line.imsi or ""), known.owners.get((ICCID, line.iccid or "")))
    number_of = known.owners.get((MSISDN, line.msisdn or ""))
    taken = line.msisdn is not None and number_of != owner and (number_of is not None or line.msisdn in known.promised)
    if (owner is None or taken) and len(found.strangers) < STRANGERS:
        state = NOT_OURS if owner is None else "a line without a card"
        words = told + ("; the number is ours" if taken else "")
        found.strangers.append(Difference(line.iccid or "", name, state, shown(ABSENT), words, imsi=line.imsi or ""))


def _is_compared(sim: Sim, name: str) -> bool:
    """Whether the comparison by cards tells of it; a card that was adopted without a host may stand anywhere."""
    if sim.state in _AT_A_HOST:
        return sim.host in (name, "")
    return sim.state is SimState.DESTROYED and sim.host == name


def _known(connection: Connection, page: Iterable[HeldLine]) -> _Known:
    numbers = {
        kind: {value for line in page if (value := getattr(line, kind)) is not None} for kind in (ICCID, IMSI, MSISDN)
    }
    among = sims.c.iccid.in_(numbers[ICCID]) | sims.c.imsi.in_(numbers[IMSI])
    found = [sim_of(tuple(row)) for row in connection.execute(select(sims).where(among))]
    # A card that is no more stands behind one that has its IMSI now.
    found.sort(key=lambda sim: sim.state is not SimState.DESTROYED)
    cards = {sim.imsi: sim for sim in found} | {sim.iccid: sim for sim in found}
    every = set().union(*numbers.values())
    current = select(lines.c.kind, lines.c.value, lines.c.subscriber_id).where(
        lines.c.value.in_(every), lines.c.valid_to.is_(None)
    )
    owners = {(row.kind, row.value): row.subscriber_id for row in connection.execute(current)}
    holders = select(sims.c.msisdn, sims.c.iccid).where(sims.c.msisdn.in_(numbers[MSISDN]))
    return _Known(cards, owners, {row.msisdn: row.iccid for row in connection.execute(holders)})


async def _in_stock(context: GatewayContext, name: str, host_runtime: HostRuntime) -> list[Difference]:
    """Read every card in stock from a host."""

    async def read(sim: Sim) -> Difference | None:
        async with host_runtime.slots:
            try:
                condition = (await host_runtime.host.read(line_of(context, sim))).condition
            except HostRefused as error:
                return Difference(sim.iccid, name, sim.state, shown(ABSENT), mask(str(error)))
        told = shown(condition)
        return None if condition == ABSENT else Difference(sim.iccid, name, sim.state, shown(ABSENT), told)

    found: list[Difference] = []
    after = ""
    while page := await context.read_async(lambda connection: _stock(connection, after)):  # noqa: B023  (run before the next turn)
        after = page[-1].iccid
        found += [each for each in await asyncio.gather(*map(read, page)) if each is not None]
    return found


def _stock(connection: Connection, after: str) -> list[Sim]:
    rows = select(sims).where(sims.c.iccid > after, sims.c.state == SimState.IN_STOCK, sims.c.order_id.is_(None))
    return [sim_of(tuple(row)) for row in connection.execute(rows.order_by(sims.c.iccid).limit(PAGE))]


def shown(condition: Condition) -> str:
    """Return a condition in words, the number masked."""
    if condition == UNSETTLED:
        return "half this way, half that"
    return condition.access + (f" as {mask(condition.msisdn)}" if condition.msisdn else "")
