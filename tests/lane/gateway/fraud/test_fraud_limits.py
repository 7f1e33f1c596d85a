"""Signs of fraud: found in the unit that books the use, one case a kind and period, barred by setting, cleared by a person."""

import pytest
from sqlalchemy import select
from support.charging_fixture import INITIAL, MSISDN, PENNY, UPDATE, ccr, service
from support.gy_samples import avp
from support.notice_fixture import ABROAD, BORDER, POUND, watched_place

from gateway.fraud.cases import CaseCleared, CaseRefused, ClearCase, open_cases, read
from gateway.fraud.limits import FraudKind, FraudLimits, FraudRules
from gateway.fraud.line_signs import LineSigns
from gateway.store import tables
from protocols.diameter.messages import UsedServiceUnit

MEGABYTE = 1_000_000
VOICE = "32260@3gpp.org"
EVERY = FraudLimits(spend=20 * PENNY, premium=6 * PENNY, countries=2, topups=3)


def watching(rules):
    return lambda _tariff: LineSigns(rules, "/tpo/test", lambda number: f"p{number[-4:]}")


@pytest.fixture
def open_place(tmp_path):
    opened = []

    def enter(limits=EVERY, plans=None, destinations=("449", "88")):
        rules = FraudRules(limits, plans or {}, destinations)
        context = watched_place(f"sqlite:///{tmp_path}/lines.db", more=watching(rules))
        opened.append((context, context.__enter__()))
        return opened[-1][1]

    yield enter
    for context, place in opened:
        assert place.books_are_right()
        context.__exit__(None, None, None)


def cases(place, *, cleared=False):
    with place.reader.connect() as connection:
        return read(connection, after=0, limit=100, cleared=cleared)


def kinds(place):
    return [(case.kind, case.measured, case.barred) for case in cases(place)]


def data(place, number, octets, kind=UPDATE, session="pgw;1;1", network=""):
    where = (
        {"service_information": avp("PS-Information", avp("3GPP-SGSN-MCC-MNC", network.encode()))} if network else {}
    )
    return place.ask(ccr(kind, number, service(used=(octets,) if octets else (), ask=0), session=session, **where))


def call(place, called, seconds=60, session="msc;1;1"):
    """A call whose reports do not say the number again; gives the result of each request."""
    said = avp("IMS-Information", avp("Called-Party-Address", f"tel:{called}".encode()))
    first = place.ask(ccr(INITIAL, 0, service(None, ask=0), session=session, context=VOICE, service_information=said))
    used = service(None, used=[UsedServiceUnit(cc_time=seconds)], ask=0)
    last = place.ask(ccr(UPDATE, 1, used, session=session, context=VOICE))
    return [answer.multiple_services_credit_control[0].result_code for answer in (first, last)]


def test_who_spends_faster_than_the_limit_is_found_once_an_hour_and_by_setting_not_barred(open_place):
    place = open_place()
    place.enrol(10 * POUND)
    data(place, 0, 0, kind=INITIAL)
    data(place, 1, 10 * MEGABYTE)
    assert kinds(place) == []
    for number in (2, 3):
        assert data(place, number, 10 * MEGABYTE).multiple_services_credit_control[0].result_code == 2001
    assert kinds(place) == [("spend", "0.20", False)]
    (event,) = place.told("fraud/suspected")
    assert event["subject"] == "p0001"
    assert MSISDN not in str(event)


def test_money_that_is_spent_slowly_is_no_sign(open_place):
    place = open_place()
    place.enrol(10 * POUND)
    data(place, 0, 0, kind=INITIAL)
    for number in range(1, 6):
        data(place, number, 10 * MEGABYTE)
        place.jump(3600)
    assert kinds(place) == []


def test_what_goes_to_premium_numbers_counts_though_only_the_first_request_names_the_number(open_place):
    place = open_place(FraudLimits(premium=6 * PENNY, bar=frozenset({FraudKind.PREMIUM})))
    place.enrol(10 * POUND)
    assert call(place, "+447700900123", session="msc;1;0") == [2001, 2001]
    assert call(place, "+8821234567890", 60) == [2001, 2001]
    assert kinds(place) == []
    assert call(place, "+449098790123", 60, session="msc;1;2") == [2001, 2001]
    assert kinds(place) == [("premium", "0.06", True)]
    assert call(place, "+447700900123", session="msc;1;3") == [4010, 4010]


@pytest.mark.parametrize("called", ["999", "112", "+448001111"])
def test_a_bar_refuses_what_has_a_price_and_never_an_emergency_or_a_free_number(open_place, called):
    place = open_place(FraudLimits(spend=PENNY, bar=frozenset({FraudKind.SPEND})))
    place.enrol(10 * POUND)
    data(place, 0, 0, kind=INITIAL)
    data(place, 1, MEGABYTE)
    assert call(place, "+447700900123", session="msc;1;0")[0] == 4010
    assert place.accept(place.draft()).code == "sms.barred"
    assert place.accept(place.draft(destination="999")).ids
    assert call(place, called) == [2001, 2001]
    free = place.ask(ccr(INITIAL, 0, service(200, ask=0), session="pgw;1;7"))
    assert free.multiple_services_credit_control[0].result_code == 2001


def test_a_line_that_changes_countries_faster_than_anybody_travels_is_found(open_place):
    place = open_place()
    place.enrol(10 * POUND)
    for number, network in enumerate((ABROAD, BORDER)):
        data(place, number, 0, kind=UPDATE if number else INITIAL, network=network)
    assert kinds(place) == []
    data(place, 2, 0, network=ABROAD)
    assert kinds(place) == [("countries", "2", False)]


def test_a_storm_of_top_ups_is_found_by_the_one_that_is_too_many(open_place):
    place = open_place()
    place.enrol(0)
    for number in range(4):
        place.top_up(MSISDN, POUND, f"shop-{number}")
    assert kinds(place) == [("topups", "3", False)]


def test_a_plan_may_have_limits_of_its_own(open_place):
    place = open_place(plans={"payg-gb": FraudLimits(spend=5 * POUND)})
    place.enrol(10 * POUND)
    data(place, 0, 0, kind=INITIAL)
    data(place, 1, 10 * MEGABYTE)
    data(place, 2, 10 * MEGABYTE)
    assert kinds(place) == []


def test_a_case_is_cleared_once_by_a_person_and_the_same_sign_opens_one_in_a_later_hour_only(open_place):
    place = open_place(FraudLimits(spend=PENNY, bar=frozenset({FraudKind.SPEND})))
    sub = place.enrol(10 * POUND)
    data(place, 0, 0, kind=INITIAL)
    data(place, 1, MEGABYTE)
    (case,) = cases(place)
    assert place.spending(sub).barred
    assert place.lane.run(ClearCase(int(case.id), "desk", "a holiday")) == CaseCleared(sub, still_barred=False)
    assert data(place, 2, MEGABYTE).multiple_services_credit_control[0].result_code == 2001
    assert kinds(place) == []
    again = place.lane.run(ClearCase(int(case.id), "desk", "again"))
    assert isinstance(again, CaseRefused)
    assert again.code == "fraud.cleared"
    assert isinstance(place.lane.run(ClearCase(12345, "desk", "")), CaseRefused)
    place.jump(3600)
    data(place, 3, MEGABYTE)
    assert [(case.state, case.decided_by, case.note) for case in cases(place, cleared=True)] == [
        ("cleared", "desk", "a holiday"),
        ("open", None, None),
    ]
    with place.reader.connect() as connection:
        assert open_cases(connection, int(case.id)).count == 1


def test_no_number_stands_in_a_case(open_place):
    place = open_place()
    place.enrol(0)
    for number in range(3):
        place.top_up(MSISDN, POUND, f"shop-{number}")
    assert MSISDN not in str(cases(place))
    assert MSISDN not in str(place.read(select(tables.fraud_cases)))


def test_a_text_to_a_premium_number_counts_as_a_call_does(open_place):
    place = open_place(FraudLimits(premium=2 * PENNY))
    place.enrol(10 * POUND)
    for number, to in enumerate(("447700900002", "8821234567890")):
        (sent,) = place.accept(place.draft(destination=to)).ids
        place.take(sent)
        place.answer(sent, message_id=f"a{number}")
        place.receipt(f"a{number}", destination=to)
        assert len(kinds(place)) == number
