"""Who owes nothing pays nothing: absurd reports, incoming and emergency calls, bundles, as python-diameter tells of them."""

import json
import time

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from diameter.message.avp.grouped import (
    ImsInformation,
    MultipleServicesCreditControl,
    RecipientAddress,
    RecipientInfo,
    RequestedServiceUnit,
    ServiceInformation,
    SmsInformation,
    UsedServiceUnit,
)
from support.gateways import Gateway, subscribers
from support.python_diameter_pgw import INITIAL, TERMINATION, UPDATE, TheirPgw, service

pytestmark = pytest.mark.xdist_group("gy_owed")

EVENT = 4
ROWS = [
    *subscribers(6, balance="5.00"),
    *subscribers(2, balance="0.00", first=50),
    *subscribers(2, plan="bundle-gb", balance="10.00", first=60),
]
RICH, POOR, BUNDLE = iter(ROWS[:6]), iter(ROWS[6:8]), iter(ROWS[8:])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("gateway"), diameter="  served_realms: [host.example]") as running:
        running.enrol(ROWS)
        yield running
        running.check()


@pytest.fixture(scope="module")
def pgw(gateway):
    with TheirPgw(gateway.diameter_port) as node:
        yield node


def balance(gateway, line):
    return gateway.json("subscriber", "show", line[0])["balance"]


def held(gateway, session):
    return [row for row in gateway.json("usage", "review", "list") if row["session_id"] == session]


def call(role, address):
    information = ImsInformation(role_of_node=role, called_party_address=[address] if address else [])
    return {
        "service_context_id": "32260@3gpp.org",
        "service_information": ServiceInformation(ims_information=information),
    }


def voice(seconds=None):
    item = MultipleServicesCreditControl()
    if seconds is None:
        item.requested_service_unit = RequestedServiceUnit()
    else:
        item.used_service_unit = [UsedServiceUnit(cc_time=seconds)]
    return [item]


def test_a_terabyte_within_a_second_is_held_until_somebody_drops_or_books_it(gateway, pgw):
    line, session = next(RICH), pgw.session_id()
    assert pgw.ask(pgw.ccr(session, INITIAL, 0, [service(100)], imsi=line[1])).result_code == 2001
    answer = pgw.ask(pgw.ccr(session, UPDATE, 1, [service(100, [(1 << 40, 0)])], imsi=line[1]))
    (mscc,) = answer.multiple_services_credit_control
    assert (answer.result_code, mscc.result_code, mscc.granted_service_unit.cc_total_octets) == (2001, 2001, 10_000_000)
    pgw.ask(pgw.ccr(session, UPDATE, 2, [service(100, [(1_000_000_000_000, 1)])], imsi=line[1]))
    pgw.ask(pgw.ccr(session, TERMINATION, 3, [service(100, [(2_000_000, 0)], ask=False)], imsi=line[1]))
    assert balance(gateway, line) == "4.98"
    reports = held(gateway, session)
    assert [(row["reason"], row["octets"], row["msisdn"]) for row in reports] == [
        ("excess", 1 << 40, None),
        ("excess", 1_000_000_000_001, None),
    ]
    first, second = (row["id"] for row in reports)
    assert gateway.json("usage", "review", "drop", first, "--reason", "counter overflow")["state"] == "dropped"
    booked = gateway.json("usage", "review", "book", second, "--reason", "the host confirmed it")
    assert (booked["state"], booked["price"], booked["currency"]) == ("booked", "10000.00", "GBP")
    assert balance(gateway, line) == "-9995.02"
    again = gateway.tpo("usage", "review", "book", second, "--reason", "once more", ok=(1,))
    assert "booked already" in again.stdout + again.stderr
    assert held(gateway, session) == []
    decided = [row for row in gateway.json("usage", "review", "list", "--all") if row["session_id"] == session]
    assert [row["state"] for row in decided] == ["dropped", "booked"]
    assert all(row["decided_by"].startswith("socket:") for row in decided)
    assert [row["octets"] for row in gateway.usage() if row["session_id"] == session] == ["2000000", "1000000000001"]


def test_a_call_of_two_years_after_two_seconds_is_held_and_its_session_closed(gateway, pgw):
    line, session = next(RICH), pgw.session_id()
    assert (
        pgw.ask(pgw.ccr(session, INITIAL, 0, voice(), imsi=line[1], **call(0, "tel:+447700900999"))).result_code == 2001
    )
    time.sleep(2)  # the wall clock is what a call's length is held against
    assert (
        pgw.ask(pgw.ccr(session, TERMINATION, 1, voice(71_582_788), imsi=line[1], **call(0, None))).result_code == 2001
    )
    told = gateway.json("subscriber", "show", line[0])
    assert (told["balance"], told["reserved"]) == ("5.00", "0.00")
    assert [row["seconds"] for row in held(gateway, session)] == [71_582_788]


def test_usage_of_a_number_that_nobody_has_is_refused_told_and_exported(gateway, pgw):
    session = pgw.session_id()
    request = pgw.ccr(session, TERMINATION, 1, [service(100, [(10**9, 0)], ask=False)], msisdn="447700999999")
    assert pgw.ask(request).result_code == 5030
    (row,) = held(gateway, session)
    assert (row["reason"], row["octets"]) == ("no_subscriber", 10**9)
    csv = gateway.tpo("usage", "review", "list", "--format", "csv").stdout
    assert session in csv
    assert "charging.report.unbooked" in gateway.log.read_text()
    assert "447700999999" not in gateway.log.read_text()


@pytest.mark.parametrize("address", ["999", "sip:112@ims.example", "urn:service:sos"])
def test_an_emergency_call_is_served_on_an_empty_wallet(gateway, pgw, address):
    line, session = ROWS[6], pgw.session_id()
    answer = pgw.ask(pgw.ccr(session, INITIAL, 0, voice(), imsi=line[1], **call(0, address)))
    (mscc,) = answer.multiple_services_credit_control
    assert (answer.result_code, mscc.granted_service_unit.cc_time) == (2001, 300)
    assert pgw.ask(pgw.ccr(session, TERMINATION, 1, voice(60), imsi=line[1])).result_code == 2001
    assert balance(gateway, line) == "0.00"


def test_the_called_customer_pays_nothing_for_a_call_or_a_text(gateway, pgw):
    line, session = next(RICH), pgw.session_id()
    pgw.ask(pgw.ccr(session, INITIAL, 0, voice(), imsi=line[1], **call(1, f"tel:+{line[0]}")))
    pgw.ask(pgw.ccr(session, TERMINATION, 1, voice(60), imsi=line[1], **call(1, f"tel:+{line[0]}")))
    recipient = RecipientInfo(recipient_address=[RecipientAddress(address_type=1, address_data=line[0])])
    text = ServiceInformation(sms_information=SmsInformation(sm_message_type=3, recipient_info=[recipient]))
    item = MultipleServicesCreditControl(requested_service_unit=RequestedServiceUnit(cc_service_specific_units=1))
    more = {"service_context_id": "32274@3gpp.org", "service_information": text, "requested_action": 0}
    answer = pgw.ask(pgw.ccr(pgw.session_id(), EVENT, 0, [item], imsi=line[1], **more))
    assert (answer.result_code, balance(gateway, line)) == (2001, "5.00")


def test_a_free_rating_group_sells_no_bundle_and_a_priced_one_does(gateway, pgw):
    line, session = next(BUNDLE), pgw.session_id()
    pgw.ask(pgw.ccr(session, INITIAL, 0, [service(200)], imsi=line[1]))
    pgw.ask(pgw.ccr(session, TERMINATION, 1, [service(200, [(10**6, 0)], ask=False)], imsi=line[1]))
    pgw.ask(pgw.ccr(pgw.session_id(), TERMINATION, 1, [service(100, [(0, 0)], ask=False)], imsi=line[1]))
    assert balance(gateway, line) == "10.00"
    pgw.ask(pgw.ccr(pgw.session_id(), INITIAL, 0, [service(100)], imsi=line[1]))
    assert balance(gateway, line) == "2.50"


def test_a_payment_is_in_the_wallets_currency_within_its_limits_and_booked_once(gateway):
    line, other = next(RICH), next(RICH)

    def pay(*more, amount="5.00", number=line[0], ok=(0,)):
        done = gateway.tpo("subscriber", "topup", number, amount, *more, "--json", ok=ok)
        return json.loads(done.stdout) if done.returncode == 0 else done.stdout + done.stderr

    assert pay("--reference", "bank-1")["balance"] == "10.00"
    assert pay("--reference", "bank-1")["repeated"] is True
    assert "booked before" in pay("--reference", "bank-1", number=other[0], ok=(1,))
    assert "GBP" in pay("--reference", "bank-2", "--currency", "USD", ok=(1,))
    assert "charging.topup_limit" in pay("--reference", "bank-3", amount="999999999999", ok=(1,))
    for number in range(9):
        pay("--reference", f"fill-{number}", amount="500")
    assert "charging.wallet_limit" in pay("--reference", "over", amount="500", ok=(1,))
    gateway.stop()
    assert pay("--reference", "bank-1")["repeated"] is True
    gateway.start()
