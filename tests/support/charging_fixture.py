"""The charging desk on a store of its own, fed with encoded requests as a PGW sends them, without a network."""

from contextlib import contextmanager

import msgspec

from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.charging.credit_control import ChargingPolicy, CreditControlUnit
from gateway.charging.gy import cca
from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.held_reports import ReviewCapacity
from gateway.charging.tariff import QuotaTerms, Tariff
from gateway.charity.policies import POLICIES
from gateway.events.outbox import Event
from gateway.rating.plan_versions import content_of, history
from gateway.rating.plans import Bundle, Plan, Rate
from gateway.store import versions
from gateway.store.evidence import Evidence
from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, encode_avp, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import (
    CreditControlAnswer,
    CreditControlRequest,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from support.lane_fixture import EVIDENCE_KEY, Workplace

INITIAL, UPDATE, TERMINATION, EVENT = 1, 2, 3, 4
IMSI, MSISDN = "234150000000001", "447700900001"
PENNY = 10_000
"""Micro-units."""
SMS_RATE = Rate(2 * PENNY, 1)
PLANS = {
    "payg-gb": Plan(
        "payg-gb",
        "Pay as you go",
        "GBP",
        Rate(PENNY, 1_000_000),
        Rate(3 * PENNY, 60, minimum=60),
        SMS_RATE,
        {200: Rate(0, 1)},
    ),
    "bundle-gb": Plan(
        "bundle-gb",
        "Bundle",
        "GBP",
        Rate(PENNY, 1_000_000),
        Rate(3 * PENNY, 60),
        SMS_RATE,
        {},
        Bundle(7_500_000, 30, data=20_000_000, sms=10),
    ),
}
HEAD = encode_avp(264, b"ocs.test.example") + encode_avp(296, b"test.example")


def octets(total):
    return UsedServiceUnit(cc_total_octets=total)


def service(rating_group=10, used=(), ask=None, **more):
    """An MSCC: used units, and quota wanted: None = not asked, 0 = an empty RSU, else octets."""
    wanted = None if ask is None else RequestedServiceUnit(cc_total_octets=ask or None)
    units = tuple(octets(unit) if isinstance(unit, int) else unit for unit in used)
    return MultipleServicesCreditControl(
        requested_service_unit=wanted, used_service_unit=units, rating_group=rating_group, **more
    )


def ccr(request_type, number, *services, session="pgw;1;1", imsi=IMSI, msisdn=None, context="32251@3gpp.org", **more):
    """A Credit-Control-Request of the usual shape."""
    subscriptions = [SubscriptionId(1, imsi)] if imsi else []
    if msisdn:
        subscriptions.append(SubscriptionId(0, msisdn))
    fields = {
        "subscription_id": tuple(subscriptions),
        "origin_host": "pgw.host.example",
        "auth_application_id": 4,
    } | more
    return CreditControlRequest(
        session_id=session.encode(),
        origin_realm="host.example",
        destination_realm="test.example",
        service_context_id=context,
        cc_request_type=request_type,
        cc_request_number=number,
        multiple_services_credit_control=services,
        **fields,
    )


class ChargingPlace(Workplace):
    """A workplace with a charging policy; `last` is what the lane gave of the last request, `body` how it was answered."""

    def __init__(self, url, plans=PLANS, terms=None, **options):
        super().__init__(url, **options)
        terms = terms or QuotaTerms(slice_octets=10_000_000)
        tariff = Tariff({}, POLICIES["2026-1"], terms, self.books.account, "GB")
        self.policy = ChargingPolicy(
            tariff,
            self.books,
            lambda record: Event(id=str(record.id), source="/tpo/test", type="rated", time="-", data={}),
            ReviewCapacity(1000),
        )
        self.decide_by(self.policy)
        self.price_by(plans)
        self.last = None
        self.body = b""

    def price_by(self, plans):
        """Have these plans in force from now on, as a start or a reload does."""
        now = next(self.ticks)
        wanted = [*map(content_of, plans.values())]
        if self.lane.alive:
            self.lane.run(versions.BeginVersions(self.lane.run(versions.PrepareVersions(wanted)), now))
        else:
            with self.writer.begin() as connection:
                rows = versions.rows_of(connection, versions.record(connection, wanted, now))
                Evidence(EVIDENCE_KEY, self.node.id).append(connection, {"versions": rows}, now)
        with self.reader.connect() as connection:
            known = history(versions.read(connection, versions.PLAN), now)
        tariff = msgspec.structs.replace(self.policy.tariff, plans=known.plans, earlier=known.earlier, kept=known.kept)
        self.policy.tariff = tariff

    def enrol(self, balance, imsi=IMSI, msisdn=MSISDN, plan="payg-gb", cause="wateraid"):
        row = Enrolment(msisdn, imsi, f"8944{imsi}", plan, cause, balance)
        return self.lane.run(Enrol(row, "GBP")).subscriber_id

    def unit(self, message, peer="pgw.host.example"):
        """Read a request out of real bytes, as what the lane decides."""
        frame = encode_message(FLAG_REQUEST | FLAG_PROXIABLE, 272, 4, 1, 1, encode(message))
        return CreditControlUnit(gy_ccr.read(decode(CreditControlRequest, frame), peer, next(self.ticks), "GB"))

    def ask(self, message, peer="pgw.host.example"):
        """Put a request through real bytes, the lane and real bytes again; gives the decoded answer."""
        self.last = self.lane.run(self.unit(message, peer))
        self.body = cca.body(self.last.outcome, message.session_id)
        answer = encode_message(0, 272, 4, 1, 1, encode_avp(263, message.session_id) + HEAD + self.body)
        return decode(CreditControlAnswer, answer)


@contextmanager
def charging_place(url, **options):
    """Open a charging place and start its lane."""
    place = ChargingPlace(url, **options)
    place.lane.start()
    try:
        yield place
    finally:
        place.close()
