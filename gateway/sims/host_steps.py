"""One step of an order at its host: what the host holds is read first, then changed, or given back as it was read."""

import asyncio
from contextlib import suppress

import msgspec

from gateway.context import GatewayContext
from gateway.sims.cards import Sim
from gateway.sims.host_runtime import HostRuntime, line_of
from provisioning.errors import HostRefused
from provisioning.hosts.interface import ABSENT, NOTHING, Condition, Holding, HostLine, HostReading
from provisioning.hosts.ownership import Claim, check_claim
from provisioning.orders import HostStep, Kind, Move, Order

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Holding).decode


class HostStepRun:
    """One try of a step, forwards or back; `hint` is set when the host has called back about it."""

    def __init__(
        self,
        context: GatewayContext,
        host_runtime: HostRuntime,
        order: Order,
        move: Move,
        step: HostStep,
        card: Sim,
        msisdn: str,
        hint: asyncio.Event,
    ) -> None:
        """Take the step's own card and the number that the line has, or is to have."""
        self._context, self._host_runtime, self._order, self._move, self._step = (
            context,
            host_runtime,
            order,
            move,
            step,
        )
        self._msisdn, self._hint, self._iccid = msisdn, hint, card.iccid
        self._call_id = move.call_id(order)
        line = line_of(context, card)
        self._line = msgspec.structs.replace(line, profile=order.request.plan) if order.kind is Kind.REPLAN else line
        self._now_has = (card.msisdn or "") if order.kind is Kind.RENUMBER else ""
        self._wanted = step.wanted.condition(msisdn)

    async def before(self) -> Holding:
        """Return what the host held before the step: from the record, or read now. HostRefused where it is not ours to change.

        HostUnavailable as well; nothing has changed in either case.
        """
        recorded = self._order.steps[self._move.place].before
        if recorded is not None:
            return _decode(self._context.sealer.open(recorded, self._iccid)) if recorded else NOTHING
        if self._move.undo:
            raise HostRefused("what the host held before this step is not on record; look there, nothing is undone")
        number = self._msisdn if self._step.wanted.numbered else None
        async with self._host_runtime.slots:
            found = await self._host_runtime.host.inspect(self._line, number)
        request = self._order.request
        check_claim(self._step.claim, found, self._msisdn, adopt=request.adopt, now_has=self._now_has)
        return found

    def sealed(self, before: Holding) -> bytes:
        """Give it as it goes on record: nothing for nothing."""
        return self._context.sealer.seal(_encode(before), self._iccid) if before.present else b""

    async def carry_out(self, before: Holding) -> HostReading | None:
        """Do it and read back until it shows; None: the host did not show it in time. HostRefused or HostUnavailable.

        StoreUnavailable where another gateway may be at it by now.
        """
        return await (self._give_back(before) if self._move.undo else self._bring(before))

    async def _bring(self, before: Holding) -> HostReading | None:
        # Keys are written where a line begins; a line that runs keeps those that it runs with.
        writes_keys = self._step.claim is Claim.NEW or not before.present
        line = self._line if writes_keys else msgspec.structs.replace(self._line, keys=None)
        async with self._host_runtime.slots:
            self._context.need_lease()
            pending = await self._host_runtime.host.bring(self._call_id, line, self._wanted, before=before)
        return await self._shown(line, self._wanted, 0.0 if pending is None else pending.after)

    async def _give_back(self, before: Holding) -> HostReading | None:
        async with self._host_runtime.slots:
            self._context.need_lease()
            pending = await self._host_runtime.host.restore(self._call_id, self._line, self._wanted, before)
        wait = 0.0 if pending is None else pending.after
        wanted = before.condition if before.present else ABSENT
        # Its keys were the host's own, and may be others than ours.
        reading = await self._shown(msgspec.structs.replace(self._line, keys=None), wanted, wait)
        if reading is None:
            return None
        async with self._host_runtime.slots:
            now = await self._host_runtime.host.inspect(self._line)
        return reading if now.record == before.record else None

    async def _shown(self, line: HostLine, wanted: Condition, wait: float) -> HostReading | None:
        give_up = self._context.monotonic() + self._host_runtime.verify
        while True:
            if wait:
                await wait_for(self._hint, wait)
                self._hint.clear()
            async with self._host_runtime.slots:
                reading = await self._host_runtime.host.read(line)
            if reading.shows(wanted):
                return reading
            if self._context.monotonic() > give_up:
                return None
            wait = self._host_runtime.poll


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, so long at most."""
    # Not asyncio.wait_for: in Python 3.11 it swallows a cancellation that comes with the event, and `stop` would wait for ever.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
