"""What everybody outside was promised, and the proof that the store kept it: once and only once.

Peers write down what they asked and what they were answered; after the run it is held against the rows of the store, the books
and what reached the broker.
"""

from collections import Counter
from functools import partial

from msgspec import json as msgspec_json
from sqlalchemy import select

from gateway.charity.policies import recompute
from gateway.charity.sealed_causes import read_all
from gateway.context import upgrade_keys
from gateway.ledger.check import check
from gateway.rating.prices import price
from gateway.store import tables
from gateway.store.engine import open_reader, reading
from gateway.store.nodes import SPAN_BITS


class History:
    """The promises of one run."""

    def __init__(self, world):
        self.world = world
        self.requests = {}
        """By (session, type, number): what was reported, by rating group."""
        self.answers = {}
        """By the same: the octets of the first answer."""
        self.payments, self.paid = {}, {}
        """By reference: what a shop paid in for whom; what it was told."""
        self.broken = []

    def breach(self, what):
        """A promise was broken."""
        self.broken.append(what)
        self.world.story.tell("CHECK", what)

    # Charging

    def asked(self, session_id, kind, number, used):
        self.requests[session_id, kind, number] = used

    def answered(self, message, answer, body):
        key = (message.session_id.decode(), message.cc_request_type, message.cc_request_number)
        self.world.story.tell("pgw", f"{key} answered {answer.result_code} {_given(answer)}")
        first = self.answers.setdefault(key, body)
        if first != body:
            self.breach(f"{key} was answered otherwise than before")
        if answer.result_code not in ALLOWED:
            self.breach(f"{key} was answered {answer.result_code}: {answer.error_message}")

    def check_charging(self, connection):
        """Each report that was acknowledged is usage once; what was used is priced as a whole; nothing is held."""
        rows = connection.execute(select(tables.sessions)).all()
        names = {row.id: row.session_id for row in rows}
        for row in rows:
            if row.closed_at is None or row.reserved:
                self.breach(f"session {row.session_id} is open ({row.closed_at}) or holds {row.reserved}")
        found, costs = Counter(), Counter()
        for row in connection.execute(select(tables.usage)):
            if row.session not in names:
                continue
            key = (names[row.session], row.rating_group)
            found[key] += row.octets
            costs[key] += row.price + (row.capped or 0)
        wanted = Counter()
        for (session_id, _, _), used in self.requests.items():
            for group, octets in used.items():
                wanted[session_id, group] += octets
        for key in sorted({*found, *wanted}, key=repr):
            if found[key] != wanted[key]:
                self.breach(f"{key}: {wanted[key]} octets were reported and acknowledged, {found[key]} are booked")
        self._check_prices(found, costs)
        self._check_caps(connection)
        held = connection.execute(select(tables.held_reports)).all()
        for row in held:
            self.breach(f"a report of {row.session_id} is held for review: {row.reason}")

    def _check_prices(self, found, costs):
        """Of sessions without a bundle, and without tariff periods: the price of the total."""
        plans = self.world.settings.plans
        owner = {session.id: session.customer for session in self.world.pgw.sessions.values()}
        for (session_id, group), octets in found.items():
            plan = plans[owner[session_id].plan]
            wanted = price(plan.rate("data", group), octets)
            if plan.bundle is None and not plan.periods and costs[session_id, group] != wanted:
                self.breach(f"{session_id} {group}: {octets} octets cost {costs[session_id, group]}, not {wanted}")

    def _check_caps(self, connection):
        """What each line paid on a plan with caps is no more than they allow, and no less where its usage came to them."""
        costs, paid = Counter(), Counter()
        for row in connection.execute(select(tables.usage)):
            costs[row.plan, row.subscriber_id] += row.price + (row.capped or 0)
            paid[row.plan, row.subscriber_id] += row.price
        for (plan, line), cost in costs.items():
            for cap in self.world.settings.plans[plan].caps if plan else ():
                if not cap.monthly and paid[plan, line] != min(cost, cap.price):
                    self.breach(f"line {line} paid {paid[plan, line]} of {cost} under a cap of {cap.price}")

    # Money

    def check_books(self, connection):
        """The books are right, and every wallet is what came in less what went out."""
        keys = upgrade_keys(self.world.settings)
        choices = partial(read_all, seals=keys.causes)
        for finding in check(connection, recompute, keys.evidence, choices=choices).findings:
            self.breach(f"ledger check: {finding.check}: {finding.detail}")
        wallets = {row.subscriber_id: row for row in connection.execute(select(tables.wallets))}
        paid = Counter()
        for row in connection.execute(select(tables.payments)):
            paid[row.reference] += 1
        for reference in sorted(self.paid):
            if paid[reference] != 1:
                self.breach(f"top-up {reference} was acknowledged and is booked {paid[reference]} times")
        booked = Counter()
        for row in connection.execute(select(tables.transfers).where(tables.transfers.c.kind == "topup")):
            booked[row.reference] += row.amount
        for reference, (_, amount) in self.payments.items():
            if booked[reference] not in ((amount,) if reference in self.paid else (amount, 0)):
                self.breach(f"top-up {reference} of {amount} is booked as {booked[reference]}")
        texts = tables.texts
        held = Counter()
        for payer, amount in connection.execute(select(texts.c.payer, texts.c.held).where(texts.c.final == 0)):
            held[payer] += amount
        for number, row in wallets.items():
            if row.reserved != held[number]:
                self.breach(
                    f"wallet {number} holds {row.reserved}, no session is open, and its texts hold {held[number]}"
                )
            if row.balance < 0:
                self.world.story.tell("CHECK", f"wallet {number} is overdrawn by {-row.balance}")

    # Events

    def check_events(self, connection, broker):
        """Every event of the outbox reached the broker, and every usage record has its event."""
        told = Counter()
        for row in connection.execute(select(tables.outbox.c.id, tables.outbox.c.topic, tables.outbox.c.body)):
            if (row.topic, row.body) not in broker.bodies:
                self.breach(f"event {row.id} of {row.topic} never reached the broker")
        for topic, body in broker.order:
            if topic == "usage/rated":
                told.update({event["id"]: 1 for event in msgspec_json.decode(body)})
        records = {str(row.id) for row in connection.execute(select(tables.usage.c.id))}
        for missing in sorted(records - set(told)):
            self.breach(f"usage record {missing} has no event")
        for invented in sorted(set(told) - records):
            self.breach(f"event of usage record {invented}, which is not there")
        numbers = [n for line in (*self.world.customers, *self.world.desk.lines) for n in line.numbers]
        for topic, body in broker.order:
            told_of = [number for number in numbers if number.encode() in body]
            if told_of:
                self.breach(f"an event of {topic} tells {len(told_of)} numbers in plain")
        latest = {}
        for event in broker.firsts:  # in the order of each shard: those of an adopted one come when it is taken up
            if event < latest.get(event >> SPAN_BITS, 0):
                self.breach(f"event {event} came for the first time after {latest[event >> SPAN_BITS]}")
            latest[event >> SPAN_BITS] = event

    def check(self):
        """Hold everything against the store as it is now."""
        reader = open_reader(self.world.settings.store.connect_url)
        with reading(reader) as connection:
            self.check_charging(connection)
            self.check_books(connection)
            self.check_events(connection, self.world.broker)
            for witness in self.world.witnesses:
                witness.check(connection)
        reader.dispose()


ALLOWED = {2001, 4010, 4012, 5002, 5030}
"""Results that a well-behaved PGW may get here: the line is suspended, there is no money; 5002 for the end of a session that
was never heard of, 5030 for a card without a line."""


def _given(answer):
    return [
        (each.rating_group, each.result_code, each.granted_service_unit and each.granted_service_unit.cc_total_octets)
        for each in answer.multiple_services_credit_control
    ]
