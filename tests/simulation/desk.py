"""A desk where lines are ordered, changed and ended: each order again, under its key, until it is accepted, then waited for."""

import asyncio
from http import HTTPStatus

from sqlalchemy import select

from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.orders import ShowOrder, SimOrder
from gateway.sims.bulk_import import ImportSim, Reader
from gateway.store import tables
from gateway.store.async_submit import submit
from gateway.store.errors import StoreError
from provisioning.orders import Kind

from .host import wanted_of
from .loop import Process

CALLER = Caller("desk", "admin")
OPEN_STATES = ("accepted", "running")


class Line:
    """A line that is to be, with the cards that it may have one after the other."""

    def __init__(self, place):
        self.place, self.plan = place, "payg-gb"
        self.cards = [(f"894410000000000{place}{n:02}1", f"23415000000{place}{n:03}") for n in range(4)]
        self.card, self.number = 0, 0
        self.live = False

    @property
    def numbers(self):
        """Everything that is nobody's business."""
        return [*(number for card in self.cards for number in card), self.msisdn]

    @property
    def iccid(self):
        return self.cards[self.card][0]

    @property
    def imsi(self):
        return self.cards[self.card][1]

    @property
    def msisdn(self):
        return f"4477009{self.place}{self.number:04}"


class Desk:
    """Whoever sells lines."""

    def __init__(self, world, host):
        self.world, self.loop, self.random, self.host = world, world.loop, world.chance("desk"), host
        self.lines = [Line(place) for place in (1, 2)]
        self.count = self.open = 0
        self.given_up = False
        self.orders = {}
        """By id: the kind, and the state that was told last."""
        self.process = Process("desk")
        for line in self.lines:
            self.process.run(self.loop.create_task, self._live(line))

    def is_done(self):
        return not self.open

    async def _live(self, line):
        self.open += 1
        for iccid, imsi in line.cards:
            await self._insist(lambda gateway, row={"iccid": iccid, "imsi": imsi}: self._take_in(gateway, row))
        if await self._order(line, Kind.ACTIVATE, msisdn=line.msisdn, plan=line.plan, cause="wwf") == "done":
            line.live = True
            while not self.world.over and line.live:
                await asyncio.sleep(self.random.expovariate(1 / 5))
                await self._change(line)
        self.open -= 1

    async def _change(self, line):
        kind = self.random.choice((Kind.SUSPEND, Kind.SUSPEND, Kind.SWAP, Kind.RENUMBER, Kind.TERMINATE))
        match kind:
            case Kind.SUSPEND:
                if await self._order(line, kind, reason="lost") == "done":
                    await asyncio.sleep(self.random.expovariate(1 / 3))
                    await self._resume(line)
            case Kind.SWAP if line.card + 1 < len(line.cards):
                if await self._order(line, kind, new_iccid=line.cards[line.card + 1][0]) == "done":
                    line.card += 1
            case Kind.RENUMBER:
                line.number += 1
                if await self._order(line, kind, msisdn=line.msisdn, reason="wish") != "done":
                    line.number -= 1
            case Kind.TERMINATE if self.random.random() < 0.3:
                line.live = await self._order(line, kind) != "done"

    async def _resume(self, line):
        """Have a line back in service, however often the host takes that back."""
        state = ""
        while state not in ("done", "failed", "refused"):
            state = await self._order(line, Kind.RESUME, reason="lost")

    async def _order(self, line, kind, **request):
        """Give an order and see it to its end; gives the state that it came to."""
        self.count += 1
        key, given = f"order-{self.count}", SimOrder(iccid=line.iccid, **request)
        taken = await self._insist(lambda gateway: gateway.orders.order("desk", key, kind, given, CALLER))
        if taken is None:
            return "refused"
        if self.random.random() < 0.2:
            again = await self._insist(lambda gateway: gateway.orders.order("desk", key, kind, given, CALLER))
            if again.order != taken.order:
                self.world.broken(f"{kind} was accepted as two orders under one key")
        state = await self._ended(taken.order)
        self.orders[taken.order] = (kind, state)
        self.world.story.tell("desk", f"{kind} of line {line.place}: {state}")
        return state

    async def _ended(self, order_id):
        while True:
            await asyncio.sleep(0.5)
            shown = await self._insist(lambda gateway: gateway.orders.show_order(order_id))
            if shown.state == "failed":
                if await self._insist(lambda gateway: gateway.orders._retry(ShowOrder(order_id), CALLER)) is None:
                    self.given_up = True  # after a step of the clock it may not be retried: a person has to look
                    return "failed"
            elif shown.state not in OPEN_STATES:
                return str(shown.state)

    async def _insist(self, work):
        """Ask the gateway until it answers; None where it refuses."""
        while True:
            try:
                return await self.world.gateway.ask(work)
            except (ConnectionError, TimeoutError, StoreError):
                await asyncio.sleep(self.random.uniform(0.1, 3.0))
            except Problem as problem:
                if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    await asyncio.sleep(1.0)
                    continue
                self.world.story.tell("desk", f"is refused: {problem}")
                return None

    async def _take_in(self, gateway, row):
        unit = ImportSim(Reader(gateway.context.sealer).read(1, row), "desk")
        return await submit(gateway.context.lane, unit)

    def check(self, connection):
        """Every order came to its end, hosts hold what we intend, and nothing was done there twice."""
        breach = self.world.history.breach
        stored = {str(row.id): row for row in connection.execute(select(tables.orders))}
        for order_id, (kind, state) in self.orders.items():
            if order_id not in stored or stored[order_id].state != state:
                breach(f"{kind} was {state}, and is {stored.get(order_id) and stored[order_id].state} now")
        for row in stored.values():
            if row.open:
                breach(f"{row.kind} has not come to its end: it is {row.state}")
            if row.state == "compensated" and not self.host.refusals:
                breach(f"{row.kind} was taken back, and the host never refused anything")
        if not (self.given_up and self.world.clock_stepped):
            self._check_cards(connection, breach)
        calls = [call_id for call_id, _ in self.host.changes]
        for call_id in sorted(set(calls)):
            if calls.count(call_id) > 1:
                breach(f"call {call_id} changed the host {calls.count(call_id)} times")

    def _check_cards(self, connection, breach):
        lines = tables.lines
        owners = {
            (row.kind, row.value): row.subscriber_id
            for row in connection.execute(select(lines).where(lines.c.valid_to.is_(None)))
        }
        for card in connection.execute(select(tables.sims)):
            wanted, held = wanted_of(card.state, card.msisdn), self.host.held(card.imsi)
            if wanted is not None and held != wanted:
                breach(f"card {card.iccid} is {card.state}, and the host holds it as {held}")
            if card.state in ("active", "suspended"):
                for kind, value in (("imsi", card.imsi), ("msisdn", card.msisdn)):
                    if owners.get((kind, value)) != card.subscriber_id:
                        breach(f"the {kind} of card {card.iccid} is not its subscriber's")
