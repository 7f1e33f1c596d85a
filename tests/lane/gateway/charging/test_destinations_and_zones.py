"""The price of a call, a text or data by the number that is called and the network that serves the customer (G13, G14)."""

import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import (
    EVENT,
    IMSI,
    INITIAL,
    MSISDN,
    PENNY,
    TERMINATION,
    UPDATE,
    ccr,
    charging_place,
    service,
)
from support.gy_samples import avp, ps_information, word

from gateway.charging.gy.service_information import read_network
from gateway.charity.policies import recompute
from gateway.rating.plans import Bundle, CalledRates, Plan, Rate, Zone
from gateway.store import tables
from protocols.diameter.codec import Avp
from protocols.diameter.messages import RequestedServiceUnit, UsedServiceUnit

MEGABYTE, POUND = 1_000_000, 100 * PENNY
VOICE, TEXTS = "32260@3gpp.org", "32274@3gpp.org"


def penny(price, per=1, **more):
    return Rate(price * PENNY, per, **more)


PLAN = Plan(
    "payg-gb", "", "GBP", penny(1, MEGABYTE), penny(3, 60), penny(2), {200: Rate(0, 1)},
    destinations={
        "4490": CalledRates(voice=penny(150, 60, in_bundle=False)),
        "53": CalledRates(penny(90, 60, in_bundle=False), penny(25, in_bundle=False)),
        "535": CalledRates(voice=penny(60, 60, in_bundle=False)),
        "own": CalledRates(Rate(0, 1), Rate(0, 1)),
    },
    home=("23415", "235"),
    zones=(
        Zone("usa", ("310", "311"), penny(10, MEGABYTE), penny(40, 60), penny(8), incoming_voice=penny(20, 60)),
        Zone("sea", ("901",), penny(500, MEGABYTE), penny(300, 60), penny(50)),
    ),
)  # fmt: skip
BUNDLE = Plan(
    "bundle-gb", "", "GBP", PLAN.data, PLAN.voice, PLAN.sms, bundle=Bundle(5 * POUND, 30, data=MEGABYTE, voice=6000, sms=9),
    destinations=PLAN.destinations,
)  # fmt: skip


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db", plans={PLAN.id: PLAN, BUNDLE.id: BUNDLE}) as opened:
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def pence(place):
    return [price / PENNY for (price,) in place.read(select(tables.usage.c.price).order_by(tables.usage.c.id))]


def called(address, *, dialled=None, role=0):
    inside = avp("Role-Of-Node", word(role)) + avp("Called-Party-Address", address.encode())
    if dialled is not None:
        inside += avp("Requested-Party-Address", dialled.encode())
    return avp("IMS-Information", inside)


def network(code):
    return avp("PS-Information", avp("3GPP-SGSN-MCC-MNC", code.encode()))


def minute(place, information, **more):
    used = service(None, used=[UsedServiceUnit(cc_time=60)])
    place.ask(ccr(TERMINATION, 0, used, context=VOICE, service_information=information, **more))
    return pence(place)


@pytest.mark.parametrize(
    ("address", "price"),
    [
        *(("+449098790123", 150), ("09098790123", 150), ("tel:0909-879-0123", 150), ("00449098790123", 150)),
        *(
            ("sip:+5378123456@ims.example;user=phone", 90),
            ("+5351234567", 60),
            ("5351234567", 60),
            ("+447700900999", 3),
        ),
        *(("70070", 3), ("535", 3), ("sip:alice@ims.example", 3), ("", 3)),
    ],
)
def test_a_call_has_the_price_of_the_longest_first_digits_that_fit(place, address, price):
    place.enrol(10 * POUND)
    assert minute(place, called(address)) == [price]


def test_the_number_that_was_dialled_has_the_price_not_the_one_that_it_was_routed_to(place):
    place.enrol(10 * POUND)
    assert minute(place, called("+442079460123", dialled="09098790123")) == [150]


def test_a_call_to_another_line_of_ours_has_its_own_price(place):
    place.enrol(10 * POUND)
    place.enrol(POUND, imsi="234150000000002", msisdn="447700900002")
    assert minute(place, called("07700900002")) == [0]


def test_later_requests_of_a_call_need_not_name_the_number_again_and_holds_are_of_its_price(place):
    place.enrol(2 * POUND)
    first = service(None, ask=0)
    answer = place.ask(ccr(INITIAL, 0, first, context=VOICE, service_information=called("09098790123")))
    (mscc,) = answer.multiple_services_credit_control
    assert (mscc.granted_service_unit.cc_time, mscc.final_unit_indication is not None) == (80, True)
    place.ask(ccr(TERMINATION, 1, service(None, used=[UsedServiceUnit(cc_time=60)]), context=VOICE))
    assert pence(place) == [150]


@pytest.mark.parametrize(("number", "price"), [("5351234567", 25), ("447700900999", 2), ("447700900002", 0)])
def test_a_text_has_the_price_of_its_destination(place, number, price):
    place.enrol(POUND)
    place.enrol(POUND, imsi="234150000000002", msisdn="447700900002")
    recipient = avp("Recipient-Info", avp("Recipient-Address", avp("Address-Data", number.encode())))
    wanted = RequestedServiceUnit(cc_service_specific_units=1)
    information = avp("SMS-Information", avp("SM-Message-Type", word(0)) + recipient)
    place.ask(ccr(EVENT, 0, context=TEXTS, requested_service_unit=wanted, service_information=information))
    assert pence(place) == [price]


def test_a_bundle_covers_a_destination_only_where_the_plan_says_so(place):
    place.enrol(20 * POUND, plan="bundle-gb")
    minute(place, called("09098790123"), session="premium")
    assert place.read(select(tables.transfers.c.id).where(tables.transfers.c.kind == "sale")) == []
    assert minute(place, called("+447700900999"), session="common") == [150, 0]


@pytest.mark.parametrize(
    ("code", "price"), [("23415", 1), ("23510", 1), ("310260", 10), ("31126", 10), ("90112", 500), ("", 1), ("x", 1)]
)
def test_data_has_the_price_of_its_zone(place, code, price):
    place.enrol(10 * POUND)
    place.ask(ccr(TERMINATION, 0, service(used=[MEGABYTE]), service_information=network(code)))
    assert pence(place) == [price]


def test_a_call_abroad_has_the_zones_prices_in_each_direction(place):
    place.enrol(10 * POUND)
    abroad = network("310260")
    minute(place, called("+12025550123") + abroad, session="out")
    minute(place, called(MSISDN, role=1) + abroad, session="in")
    assert minute(place, called("+448001111111") + abroad, session="freephone") == [40, 20, 40]


def test_a_session_stays_in_its_network_until_a_request_says_another(place):
    place.enrol(10 * POUND)
    for number, (kind, information) in enumerate(
        [(INITIAL, network("310260")), (UPDATE, None), (UPDATE, network("23415")), (TERMINATION, None)]
    ):
        used = [] if kind == INITIAL else [MEGABYTE]
        item = service(used=used, ask=None if kind == TERMINATION else 0)
        place.ask(ccr(kind, number, item, service_information=information))
    assert pence(place) == [10, 1, 1]


@pytest.mark.parametrize("code", ["20801", "23430"])
def test_a_network_without_a_price_is_refused_and_its_usage_is_held(place, code):
    place.enrol(10 * POUND)
    elsewhere = network(code)
    assert place.ask(ccr(INITIAL, 0, service(ask=0), service_information=elsewhere)).result_code == 5031
    assert place.last.alarms == ["charging.network.unpriced"]
    assert place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE]), service_information=elsewhere)).result_code == 5031
    assert place.read(select(tables.held_reports.c.reason, tables.held_reports.c.imsi)) == [("no_price", IMSI)]
    more = {"context": VOICE, "session": "sos", "service_information": called("112") + elsewhere}
    assert place.ask(ccr(INITIAL, 0, service(None, ask=0), **more)).result_code == 2001


LOCATION = bytes.fromhex("8202f8100001")


def at_cell(access, name=b""):
    """A call from a cell, maybe of a network other than the one that its IMS names."""
    visited = avp("IMS-Visited-Network-Identifier", name) if name else b""
    return avp("IMS-Information", visited + avp("Access-Network-Information", access.encode()))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (ps_information(), "23410"),
        (avp("PS-Information", avp("3GPP-User-Location-Info", LOCATION)), "20801"),
        (avp("PS-Information", avp("3GPP-User-Location-Info", bytes.fromhex("0013006200010001"))), "310260"),
        (avp("PS-Information", avp("3GPP-User-Location-Info", LOCATION) + avp("3GPP-SGSN-MCC-MNC", b"23415")), "23415"),
        (avp("IMS-Information", avp("IMS-Visited-Network-Identifier", b"ims.mnc015.mcc234.3gppnetwork.org")), "23415"),
        (avp("IMS-Information", avp("IMS-Visited-Network-Identifier", b"ims.mnc026.mcc310.3gppnetwork.org")), "310026"),
        *(
            (avp("PS-Information", avp("3GPP-SGSN-MCC-MNC", written)), "23415")
            for written in (b"23415\0", b"23415F", b"234-15", b"234 15")
        ),
        (at_cell("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=2341500010000101"), "23415"),
        (at_cell('3GPP-E-UTRAN-TDD; utran-cell-id-3gpp="310260000A0000B01"'), "310260"),
        (at_cell("3GPP-NR-FDD;utran-cell-id-3gpp=23415000001000000101"), "23415"),
        (at_cell("3GPP-GERAN;cgi-3gpp=2080100010101"), "20801"),
        (at_cell("3GPP-UTRAN-FDD;utran-cell-id-3gpp=23415"), ""),
        (at_cell("IEEE-802.11;i-wlan-node-id=ffffffffffff"), ""),
        (at_cell("3GPP-GERAN;cgi-3gpp=2080100010101", name=b"ims.mnc015.mcc234.3gppnetwork.org"), "20801"),
        *(
            (avp("PS-Information", avp("3GPP-User-Location-Info", bad)), "")
            for bad in (b"", b"\x82", b"\x82\xff\xff\xff")
        ),
        (avp("PS-Information", avp("3GPP-SGSN-MCC-MNC", b"\xff\xfe")), ""),
        (b"\0\0\0\1", ""),
    ],
)
def test_the_network_is_read_wherever_a_client_says_it(data, code):
    assert read_network(data) == code


def test_the_network_is_read_where_a_client_says_it_beside_service_information():
    beside = (
        Avp(18, 10415, 0xC0, b"20801"),
        Avp(22, 10415, 0x80, bytes.fromhex("8200f1100001")),
        Avp(18, 0, 0, b"99999"),
    )
    assert read_network(b"", beside) == "20801"
    assert read_network(ps_information(), beside) == "23410"
