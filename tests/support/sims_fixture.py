"""Cards and orders on a write lane of their own: the units as the conductor posts them, without a host."""

import itertools
from contextlib import contextmanager

import msgspec
from sqlalchemy import select, update

from gateway.charity.policies import recompute
from gateway.messaging.submit import Draft
from gateway.privacy.sealing import Sealer
from gateway.sims.accept_order import AcceptOrder, Asked
from gateway.sims.bulk_import import ImportSim, Reader
from gateway.sims.cards import from_row as sim_of
from gateway.sims.line_effects import EFFECTS
from gateway.sims.order_steps import BeginStep, EndStep, RefuseStep
from gateway.sims.orders import from_row as order_of
from gateway.sims.policy import SimsPolicy
from gateway.store import tables
from provisioning.hosts.interface import Access, Condition, HostReading
from provisioning.orders import HostStep, Kind, Mark, OrderRefused, OrderRequest, next_move
from support.books import check
from support.charging_fixture import PLANS, ChargingPlace
from support.one_batch import together

QUARANTINE = 3_600_000_000
HOSTS = {"payg-gb": "lab", "bundle-gb": "lab"}
NUMBER, OTHER_NUMBER = "447700900101", "447700900102"
KI, OPC = "00112233445566778899aabbccddee{:02x}", "ffeeddccbbaa998877665544332211{:02x}"

BEFORE = {
    "host.activate": Access.ABSENT,
    "host.resume": Access.BARRED,
    "host.prepare": Access.ABSENT,
    "host.renumber": Access.OPEN,
    "host.replan": Access.OPEN,
    "host.release": Access.OPEN,
    "host.assign": Access.BARRED,
}
"""How a host that did all that it was asked holds a card before a step that can be undone."""


def card(n=1, keys=True, **changes):
    """A row of an import; its ICCID has a right check digit."""
    digits = f"894410{n:012d}"
    doubled = (int(d) * (2 - i % 2) for i, d in enumerate(reversed(digits)))
    check_digit = -sum(d // 10 + d % 10 for d in doubled) % 10
    row = {"iccid": f"{digits}{check_digit}", "imsi": f"23415{n:010d}"}
    return row | ({"ki": KI.format(n), "opc": OPC.format(n)} if keys else {}) | changes


class SimPlace(ChargingPlace):
    """A charging place with cards; `sent` keeps the texts that steps of the house queued."""

    def __init__(self, url, **options):
        super().__init__(url, **options)
        self.sealer = Sealer(b"a key of the tests, long enough for anything")
        self.sent = []
        self.decide_by(self.sealer)
        self.policy_of_sims(
            source="test",
            hosts=HOSTS,
            currencies={name: plan.currency for name, plan in PLANS.items()},
            quarantine=QUARANTINE,
            compose=lambda kind, msisdn, now: Draft("TPO", msisdn, f"{kind} to you", 1, now + QUARANTINE, always=True),
            pseudonym=lambda subscriber_id: f"subscriber-{subscriber_id & 0xFF}",
        )

    def policy_of_sims(self, **changes):
        """Have cards and orders decided by another policy from now on."""
        known = self.lane.policies.get(SimsPolicy)
        self.decide_by(SimsPolicy(**changes) if known is None else msgspec.structs.replace(known, **changes))

    # Cards

    def unit_of(self, row, reader=None):
        """The unit that takes a row in."""
        return ImportSim((reader or Reader(self.sealer)).read(1, row), "tester")

    def take_in(self, n=1, **changes):
        """Import a card; gives its ICCID."""
        row = card(n, **changes)
        assert self.lane.run(self.unit_of(row)).outcome == "created"
        return row["iccid"]

    def sim(self, iccid):
        (row,) = self.read(select(tables.sims).where(tables.sims.c.iccid == iccid))
        return sim_of(tuple(row))

    def history(self, iccid):
        """(trigger, reason, order) of each move of a card."""
        told = tables.sim_history
        found = select(told.c.trigger, told.c.reason, told.c.order_id).where(told.c.iccid == iccid).order_by(told.c.id)
        return [tuple(row) for row in self.read(found)]

    # Orders

    def accepting(self, kind, iccid, key=None, client="shop", **request):
        """The unit of a wish."""
        return AcceptOrder(client, key, Asked(Kind(kind), iccid, OrderRequest(**request), "tester"))

    def accept(self, kind, iccid, **options):
        """Have an order accepted; gives its id."""
        taken = self.lane.run(self.accepting(kind, iccid, **options))
        assert not isinstance(taken, OrderRefused), taken
        return taken.order_id

    def order(self, order_id):
        (row,) = self.read(select(tables.orders).where(tables.orders.c.id == order_id))
        return order_of(tuple(row))

    def move(self, order_id):
        return next_move(self.order(order_id))

    def begin(self, order_id, move=None):
        return self.lane.run(BeginStep(order_id, move or self.move(order_id), before=b""))

    def house_step(self, order_id, move=None):
        """The unit of the next step of the house."""
        order, move = self.order(order_id), move or self.move(order_id)
        cards = [self.sim(iccid) for iccid in (order.iccid, order.request.new_iccid) if iccid]
        numbers = {order.request.msisdn} | {n for sim in cards for n in (sim.iccid, sim.imsi, sim.msisdn)}
        return EFFECTS[move.step.name](order_id, move, numbers=tuple(numbers - {"", None}))

    def step(self, order_id):
        """Do the next step as a willing host and the house do; gives its name."""
        move = self.move(order_id)
        if isinstance(move.step, HostStep):
            self.begin(order_id, move)
            access = BEFORE[move.step.name] if move.undo else move.step.wanted.access
            reading = HostReading(Condition(access))
            self.lane.run(EndStep(order_id, move, reading))
        else:
            effect = self.lane.run(self.house_step(order_id, move))
            self.sent += effect.texts
            if effect.order.open and effect.order.steps[move.place].mark is Mark.SENT:
                self.lane.run(EndStep(order_id, move))
        return move.step.name

    def refuse(self, order_id, error="no"):
        """The host refuses the next step."""
        move = self.move(order_id)
        self.begin(order_id, move)
        return self.lane.run(RefuseStep(order_id, move, error))

    def finish(self, order_id):
        """Do all that is left; gives the order as it ended."""
        while self.order(order_id).open:
            self.step(order_id)
        return self.order(order_id)

    def carry_out(self, kind, iccid, **options):
        """Accept an order and do all of it; gives its id."""
        order_id = self.accept(kind, iccid, **options)
        assert self.finish(order_id).state == "done"
        return order_id

    def live(self, n=1, msisdn=NUMBER, balance=0, **request):
        """A card in service, with money in the wallet: (ICCID, subscriber_id)."""
        iccid = self.take_in(n)
        self.carry_out("activate", iccid, msisdn=msisdn, **({"plan": "payg-gb", "cause": "wateraid"} | request))
        subscriber_id = self.sim(iccid).subscriber_id
        if balance:
            self.pay_in(msisdn, balance)
        return iccid, subscriber_id

    def pay_in(self, msisdn, amount):
        self.top_up(msisdn, amount, f"pay-{next(self.ticks)}")

    def wallet(self, subscriber_id):
        """(balance, reserved, status)."""
        found, who = tables.wallets, tables.subscribers
        both = select(found.c.balance, found.c.reserved, who.c.status).join(who, who.c.id == found.c.subscriber_id)
        (row,) = self.read(both.where(who.c.id == subscriber_id))
        return tuple(row)

    def events(self, prefix="sim/"):
        """Topics of events, in order."""
        rows = self.read(select(tables.outbox.c.topic).order_by(tables.outbox.c.id))
        return [row.topic for row in rows if row.topic.startswith(prefix)]

    def booked(self, kind):
        """(debit, credit, amount) of each entry of a kind."""
        rows = tables.transfers
        found = select(rows.c.debit, rows.c.credit, rows.c.amount).where(rows.c.kind == kind).order_by(rows.c.id)
        return [tuple(row) for row in self.read(found)]

    def lines(self, value):
        """(subscriber_id, whether it still holds) of each owner that a number had."""
        rows = tables.lines
        found = select(rows.c.subscriber_id, rows.c.valid_to).where(rows.c.value == value).order_by(rows.c.id)
        return [(row.subscriber_id, row.valid_to is None) for row in self.read(found)]

    def set_card(self, iccid, **values):
        """Put a card where a test wants it."""
        with self.writer.begin() as connection:
            connection.execute(update(tables.sims).where(tables.sims.c.iccid == iccid).values(**values))

    # Time and the lane

    def later(self, microseconds):
        """Let time pass."""
        self.ticks = itertools.count(next(self.ticks) + microseconds, 1_000)

    def together(self, *units):
        """Put units through the lane in one batch; gives their answers, or the errors that kept them from being done."""
        return together(self.lane, *units)

    def findings(self):
        with self.reader.connect() as connection:
            return check(connection, recompute).findings


@contextmanager
def sim_place(url, **options):
    """Open a place for cards and start its lane."""
    place = SimPlace(url, **options)
    place.lane.start()
    try:
        yield place
    finally:
        place.close()
