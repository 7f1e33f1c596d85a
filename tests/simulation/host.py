"""A host operator at the interface that the gateway has for its adapters (`provisioning.hosts.interface.Host`).

It keeps its lines whatever becomes of the gateway: a call that was sent has its effect, also where nobody is left to be told.
"""

import asyncio

import msgspec

from gateway.sims.orders import from_row
from gateway.store import tables
from provisioning.errors import HostDeclined, HostRefused, HostUnavailable
from provisioning.hosts.interface import (
    ABSENT,
    NOTHING,
    Access,
    Condition,
    HeldLine,
    Holding,
    HostReading,
    KeysHeld,
    Pending,
)
from provisioning.hosts.ownership import check_unchanged
from provisioning.orders import Mark

from .loop import Process

PORTS = (4259, 4258)
TRAVEL = 0.03
"""Seconds that a call takes at most until it has its effect: no gateway is back sooner."""


class HostModel:
    """The lines of a host, by IMSI, and every change that was made to them."""

    def __init__(self, world):
        self.world, self.loop, self.random = world, world.loop, world.chance("host")
        self.unkind = self.random.choice((0.0, 0.05, 0.2))
        self.lines, self.changes = {}, []
        """How each is held (Condition); of each change the call that made it, and the life of the gateway that sent that."""
        self.refusals = 0
        """How often it said no, for ever or for now: enough of the latter are a refusal, too."""
        self.process = Process("host")
        self.process.run(world.loop.create_task, self._listen())

    async def _listen(self):
        for port in PORTS:
            await self.world.network.listen("127.0.0.1", port, lambda accepted, _address: accepted.close())

    def held(self, imsi):
        return self.lines.get(imsi, ABSENT)

    def holding(self, imsi, msisdn=None):
        elsewhere = msisdn is not None and any(
            line.msisdn == msisdn for other, line in self.lines.items() if other != imsi
        )
        held = self.held(imsi)
        if held == ABSENT:
            return msgspec.structs.replace(NOTHING, number_elsewhere=elsewhere)
        return Holding(
            held,
            str(held.access),
            held.msisdn,
            KeysHeld.UNTOLD,
            number_elsewhere=elsewhere,
            record=msgspec.json.encode(held),
        )

    def change(self, imsi, wanted, call_id, life):
        """Hold a line otherwise, unless it is so."""
        if self.held(imsi) == wanted:
            return
        self.changes.append((call_id, life))
        self.world.story.tell("host", f"{imsi} becomes {wanted.access} by call {call_id.rpartition('.')[2]}")
        if wanted == ABSENT:
            del self.lines[imsi]
        else:
            self.lines[imsi] = wanted

    def is_done(self):
        """It owes nobody anything."""
        return True


class HostConnection:
    """What one life of the gateway speaks with it by."""

    def __init__(self, model, name, gateway):
        self.model, self.name, self.gateway = model, name, gateway
        self.random = model.random

    async def _travel(self):
        await asyncio.sleep(self.random.uniform(0.001, TRAVEL))

    def _unkind(self):
        return not self.model.world.over and self.random.random() < self.model.unkind

    async def inspect(self, line, msisdn=None):
        await self._travel()
        if self._unkind():
            raise HostUnavailable("the host does not answer")
        return self.model.holding(line.imsi, msisdn)

    async def read(self, line):
        await self._travel()
        if self._unkind():
            raise HostUnavailable("the host does not answer")
        return HostReading(self.model.held(line.imsi))

    async def bring(self, call_id, line, wanted, *, before=None):
        self._check_recorded(call_id)
        return await self._call(call_id, line, wanted, wanted, before or NOTHING)

    async def restore(self, call_id, line, wanted, before):
        back = msgspec.json.decode(before.record, type=Condition) if before.present else ABSENT
        return await self._call(call_id, line, wanted, back, before)

    async def _call(self, call_id, line, wanted, becomes, before):
        """Send a call and wait for its answer; what the host thinks of it, and when it does it, is drawn."""
        self.model.world.leases.sends(self.gateway, "a change at the host")
        check_unchanged(self.model.holding(line.imsi), before, wanted)
        self._refuse(call_id)
        after = self.random.uniform(0.001, TRAVEL)
        if self._unkind():  # it says yes and does nothing
            becomes = self.model.held(line.imsi)
        pending = 0.0 if self.random.random() < 0.8 else self.random.uniform(0.5, 3.0)
        self.model.loop.call_later(
            after + (pending if self.model.world.over else 0.0),
            self.model.change, line.imsi, becomes, call_id, self.gateway.number,
            context=self.model.process.context(),
        )  # fmt: skip
        await asyncio.sleep(after + self.random.uniform(0.001, 0.2))
        if self._unkind():
            raise HostUnavailable("the answer did not come")
        return Pending(pending) if pending else None

    def _refuse(self, call_id):
        if self._unkind():
            raise HostUnavailable("the host does not answer")
        if self._unkind():
            self.model.refusals += 1
            raise HostDeclined("the database is locked")
        if self._unkind() and self._unkind():
            self.model.refusals += 1
            raise HostRefused("it is not to be")

    def _check_recorded(self, call_id):
        """Nothing is sent that is not written down, with what the host held before it."""
        order_id, _, place = call_id.partition(".")
        row = self.gateway.look(
            lambda connection: connection.execute(
                tables.orders.select().where(tables.orders.c.id == int(order_id))
            ).one_or_none()
        )
        step = None if row is None else from_row(tuple(row)).steps[int(place.rstrip("u"))]
        if step is None or step.mark is not Mark.SENT or step.before is None:
            self.model.world.broken(f"call {place} was sent, and is not written down: {step}")

    async def lines(self):
        yield [HeldLine(imsi, None, held.msisdn, held.access) for imsi, held in self.model.lines.items()]

    def hinted(self, _body):
        return []

    def set_tap(self, _tap):
        """Nobody listens."""

    async def close(self):
        """There is nothing to let go of."""


def wanted_of(state, msisdn):
    """How a host has to hold a card of ours in this state of its life; None: it may be anything."""
    return {
        "in_stock": ABSENT,
        "active": Condition(Access.OPEN, msisdn),
        "suspended": Condition(Access.BARRED, msisdn),
        "quarantined": Condition(Access.BARRED),
    }.get(state)
