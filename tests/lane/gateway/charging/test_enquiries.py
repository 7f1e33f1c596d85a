"""Events that only ask: for the price of a service, and whether the balance pays for it (RFC 8506 §6.1, §6.2)."""

import pytest
from sqlalchemy import select
from support.charging_fixture import EVENT, PENNY, ccr, charging_place, service

from gateway.store import tables
from protocols.diameter.codec import encode_avp
from protocols.diameter.errors import DiameterError
from protocols.diameter.messages import RequestedServiceUnit

POUND = 100 * PENNY
REFUND_ACCOUNT, CHECK_BALANCE, PRICE_ENQUIRY = 1, 2, 3
TEXTS, CALLS = "32274@3gpp.org", "32260@3gpp.org"


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        yield opened
        assert opened.read(select(tables.usage.c.id)) == opened.read(select(tables.sessions.c.id)) == []


def texts(number):
    return {"context": TEXTS, "requested_service_unit": RequestedServiceUnit(cc_service_specific_units=number)}


def seconds(number):
    return {"context": CALLS, "requested_service_unit": RequestedServiceUnit(cc_time=number)}


def enquire(place, action, *services, **more):
    """The answer, which gives no quota, and what it says of the enquiry: AVPs by code."""
    before = place.read(select(tables.wallets.c.balance, tables.wallets.c.reserved, tables.wallets.c.bundle))
    answer = place.ask(ccr(EVENT, 0, *services, requested_action=action, **more))
    assert answer.granted_service_unit is None
    assert place.read(select(tables.wallets.c.balance, tables.wallets.c.reserved, tables.wallets.c.bundle)) == before
    return answer.result_code, {avp.code: avp.data for avp in answer.avps}


def cost(micro, currency=826):
    value = encode_avp(447, micro.to_bytes(8, "big")) + encode_avp(429, b"\xff\xff\xff\xfa")
    return {423: encode_avp(445, value) + encode_avp(425, currency.to_bytes(4, "big"))}


@pytest.mark.parametrize(("pence", "enough"), [(6, 0), (5, 1), (0, 1)])
def test_a_balance_is_checked_and_nothing_held(place, pence, enough):
    place.enrol(pence * PENNY)
    assert enquire(place, CHECK_BALANCE, **texts(3)) == (2001, {422: bytes([0, 0, 0, enough])})
    assert enquire(place, CHECK_BALANCE, **texts(3)) == (2001, {422: bytes([0, 0, 0, enough])})


def test_a_balance_is_checked_for_all_of_several_services(place):
    place.enrol(10 * PENNY)
    both = [service(10, ask=6_000_000), service(20, ask=5_000_000)]
    assert enquire(place, CHECK_BALANCE, *both) == (2001, {422: b"\0\0\0\1"})
    assert enquire(place, CHECK_BALANCE, both[0]) == (2001, {422: b"\0\0\0\0"})


@pytest.mark.parametrize("pence", [0, 100])
def test_a_price_is_told_whatever_the_balance(place, pence):
    place.enrol(pence * PENNY)
    assert enquire(place, PRICE_ENQUIRY, **texts(3)) == (2001, cost(6 * PENNY))
    assert enquire(place, PRICE_ENQUIRY, **seconds(90)) == (2001, cost(45_000))


def test_a_bundle_is_not_sold_by_an_enquiry(place):
    place.enrol(10 * POUND, plan="bundle-gb")
    assert enquire(place, CHECK_BALANCE, **texts(1)) == (2001, {422: b"\0\0\0\0"})
    assert enquire(place, PRICE_ENQUIRY, **texts(1)) == (2001, cost(2 * PENNY))


def test_what_has_no_price_is_refused_and_so_is_a_stranger(place):
    place.enrol(POUND)
    by_octets = {"context": TEXTS, "requested_service_unit": RequestedServiceUnit(cc_total_octets=5)}
    assert enquire(place, PRICE_ENQUIRY, **by_octets) == (5031, {})
    assert enquire(place, CHECK_BALANCE, context=CALLS) == (5031, {})
    assert enquire(place, CHECK_BALANCE, imsi="234150000000099", **texts(1)) == (5030, {})


@pytest.mark.parametrize("action", [REFUND_ACCOUNT, 4, -1])
def test_no_other_action_is_served(place, action):
    with pytest.raises(DiameterError) as refused:
        place.ask(ccr(EVENT, 0, requested_action=action, **texts(1)))
    assert (refused.value.result_code, refused.value.failed_avp[:4]) == (5004, b"\0\0\1\xb4")
