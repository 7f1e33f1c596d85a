"""What a plan has no price for is refused or put aside, never given away (charging cases G5 to G9)."""

import pytest
from msgspec.structs import replace
from pydantic import ValidationError
from sqlalchemy import select
from support.books import check
from support.charging_fixture import EVENT, INITIAL, PENNY, TERMINATION, UPDATE, ccr, charging_place, service
from support.gy_samples import avp, word

from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.held_reports import UNPRICED
from gateway.charging.review import BookReport, ReviewRefused
from gateway.charity.policies import recompute
from gateway.settings.sections.charging import Charging
from gateway.store import tables
from protocols.diameter.errors import DiameterError
from protocols.diameter.messages import RequestedServiceUnit, UsedServiceUnit

POUND, MEGABYTE = 100 * PENNY, 1_000_000
DATA, VOICE, SMS = "32251@3gpp.org", "32260@3gpp.org", "32274@3gpp.org"
MONEY = avp("Unit-Value", avp("Value-Digits", (5).to_bytes(8, "big")))
SECONDS, ALL_MONEY = RequestedServiceUnit(cc_time=600), RequestedServiceUnit(cc_money=MONEY)


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        opened.enrol(POUND)
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def money(place):
    return place.read(select(tables.wallets.c.balance, tables.wallets.c.reserved))[0]


def only(answer):
    (mscc,) = answer.multiple_services_credit_control
    return mscc


def wants(unit, rating_group=100, used=()):
    return replace(service(rating_group, used=used), requested_service_unit=unit)


def sms_information(*avps):
    return avp("SMS-Information", b"".join(avps))


RECIPIENT = avp("Recipient-Info", avp("Recipient-Address", avp("Address-Data", b"447700900999")))


@pytest.mark.parametrize(
    ("information", "texts"),
    [
        (sms_information(avp("Number-Of-Messages-Sent", word(2))), 2),
        (sms_information(RECIPIENT, RECIPIENT, RECIPIENT), 3),
        (sms_information(avp("Number-Of-Messages-Sent", word(0))), 1),
        (None, 1),
    ],
)
@pytest.mark.parametrize("in_mscc", [False, True])
def test_an_event_without_units_is_of_as_many_texts_as_were_sent(place, information, texts, in_mscc):
    items = [service(None)] if in_mscc else []
    request = ccr(
        EVENT, 0, *items, context=SMS, requested_action=0, service_identifier=1, service_information=information
    )
    answer = place.ask(request)
    given = only(answer) if in_mscc else answer
    assert (answer.result_code, given.granted_service_unit.cc_service_specific_units) == (2001, texts)
    assert money(place) == (POUND - texts * 2 * PENNY, 0)
    place.ask(request)
    assert money(place) == (POUND - texts * 2 * PENNY, 0)


@pytest.mark.parametrize("context", [DATA, VOICE])
def test_an_event_of_data_or_voice_that_does_not_say_how_much_is_refused(place, context):
    assert place.ask(ccr(EVENT, 0, context=context, requested_action=0)).result_code == 5031
    assert money(place) == (POUND, 0)


@pytest.mark.parametrize("in_mscc", [False, True])
def test_a_text_that_is_asked_for_by_time_is_refused(place, in_mscc):
    items = [wants(SECONDS, None)] if in_mscc else []
    more = {} if in_mscc else {"requested_service_unit": SECONDS}
    answer = place.ask(ccr(EVENT, 0, *items, context=SMS, requested_action=0, **more))
    assert (only(answer) if in_mscc else answer).result_code == 5031
    assert money(place) == (POUND, 0)


def test_an_event_of_more_texts_than_could_be_is_refused(place):
    information = sms_information(avp("Number-Of-Messages-Sent", word(4_000_000_000)))
    request = ccr(EVENT, 0, context=SMS, requested_action=0, service_information=information)
    assert place.ask(request).result_code == 5031
    assert money(place) == (POUND, 0)


@pytest.mark.parametrize(
    ("context", "unit"),
    [
        (DATA, SECONDS),
        (DATA, ALL_MONEY),
        (DATA, RequestedServiceUnit(cc_service_specific_units=1)),
        (VOICE, RequestedServiceUnit(cc_total_octets=MEGABYTE)),
        (VOICE, ALL_MONEY),
        (SMS, SECONDS),
    ],
)
def test_quota_in_units_without_a_price_is_refused_with_an_alarm(place, context, unit):
    answer = place.ask(ccr(INITIAL, 0, wants(unit), context=context))
    assert (answer.result_code, only(answer).result_code, only(answer).granted_service_unit) == (2001, 5031, None)
    assert place.last.alarms == ["charging.unit.unpriced"]
    at_command_level = place.ask(ccr(INITIAL, 0, context=context, session="pgw;2", requested_service_unit=unit))
    assert (at_command_level.result_code, at_command_level.granted_service_unit) == (5031, None)
    assert money(place) == (POUND, 0)


def test_a_client_that_names_other_units_beside_the_priced_ones_is_served(place):
    unit = RequestedServiceUnit(cc_time=600, cc_total_octets=2 * MEGABYTE, cc_money=MONEY)
    assert only(place.ask(ccr(INITIAL, 0, wants(unit)))).granted_service_unit.cc_total_octets == 2 * MEGABYTE
    assert place.last.alarms == []


@pytest.mark.parametrize("wanted", [SECONDS, RequestedServiceUnit(), None])
def test_data_that_is_reported_by_time_alone_is_put_aside_and_refused(place, wanted):
    place.ask(ccr(INITIAL, 0, service(100, ask=0)))
    for number in (1, 2):
        answer = place.ask(ccr(UPDATE, number, wants(wanted, used=[UsedServiceUnit(cc_time=600)])))
        assert (only(answer).result_code, only(answer).granted_service_unit) == (5031, None)
        assert place.last.alarms == ["charging.unit.unpriced"]
    answer = place.ask(ccr(TERMINATION, 3, service(100, used=[UsedServiceUnit(cc_time=600)])))
    assert (answer.result_code, only(answer).result_code) == (2001, 2001)
    assert money(place) == (POUND, 0)
    held = place.read(select(tables.held_reports.c.id, tables.held_reports.c.reason, tables.held_reports.c.seconds))
    assert [(row.reason, row.seconds) for row in held] == [(UNPRICED, "600")] * 3
    refused = place.lane.run(BookReport(held[0].id, "ops", ""))
    assert isinstance(refused, ReviewRefused)


@pytest.mark.parametrize("octets", [MEGABYTE, 0])
def test_time_that_stands_in_a_report_of_its_own_beside_the_octets_is_no_usage_without_a_price(place, octets):
    place.ask(ccr(INITIAL, 0, service(100, ask=0)))
    apart = [UsedServiceUnit(cc_time=600), UsedServiceUnit(cc_total_octets=octets)]
    assert only(place.ask(ccr(UPDATE, 1, service(100, used=apart, ask=0)))).granted_service_unit is not None
    assert place.last.alarms == []
    place.ask(ccr(TERMINATION, 2, service(100, used=apart)))
    assert place.read(select(tables.held_reports.c.id)) == []
    assert money(place) == (POUND - 2 * octets // MEGABYTE * PENNY, 0)


def test_an_idle_session_that_says_so_is_no_usage_without_a_price(place):
    place.ask(ccr(INITIAL, 0, service(100, ask=0)))
    idle = UsedServiceUnit(cc_time=600, cc_input_octets=0, cc_output_octets=0)
    assert only(place.ask(ccr(UPDATE, 1, service(100, used=[idle], ask=0)))).granted_service_unit is not None
    nothing = UsedServiceUnit(cc_time=0)
    assert only(place.ask(ccr(UPDATE, 2, service(100, used=[nothing], ask=0)))).granted_service_unit is not None
    assert place.last.alarms == []


def test_a_rating_group_that_is_free_may_be_reported_in_any_unit(place):
    place.ask(ccr(INITIAL, 0, service(200, ask=0)))
    report = service(200, used=[UsedServiceUnit(cc_time=600)], ask=0)
    assert only(place.ask(ccr(UPDATE, 1, report))).granted_service_unit.cc_total_octets == 10 * MEGABYTE
    assert place.read(select(tables.usage.c.seconds)) == [(600,)]


@pytest.mark.parametrize(
    ("context", "more"),
    [
        (VOICE, {"service_identifier": 7}),
        (VOICE, {}),
        (DATA, {"service_identifier": 7}),
        (SMS, {"service_identifier": 7, "multiple_services_indicator": 1}),
    ],
)
def test_a_beginning_without_units_gets_a_grant_and_a_hold(place, context, more):
    answer = place.ask(ccr(INITIAL, 0, context=context, **more))
    assert (answer.result_code, answer.granted_service_unit is not None) == (2001, True)
    assert answer.validity_time == 3600
    assert money(place).reserved > 0
    place.ask(ccr(TERMINATION, 1, context=context))
    assert money(place) == (POUND, 0)


def test_a_call_that_goes_on_is_given_more_whether_or_not_it_asks(place):
    call = {"context": VOICE, "service_identifier": 7}
    place.ask(ccr(INITIAL, 0, **call))
    answer = place.ask(ccr(UPDATE, 1, used_service_unit=(UsedServiceUnit(cc_time=60),), **call))
    assert (answer.result_code, answer.granted_service_unit.cc_time) == (2001, 300)
    assert money(place) == (POUND - 3 * PENNY, 15 * PENNY)
    answer = place.ask(ccr(TERMINATION, 2, used_service_unit=(UsedServiceUnit(cc_time=60),), **call))
    assert (answer.result_code, answer.granted_service_unit) == (2001, None)
    assert money(place) == (POUND - 6 * PENNY, 0)


@pytest.mark.parametrize("more", [{}, {"multiple_services_indicator": 1}])
def test_a_data_session_may_begin_without_any_rating_group(place, more):
    answer = place.ask(ccr(INITIAL, 0, **more))
    assert (answer.result_code, answer.granted_service_unit) == (2001, None)


@pytest.mark.parametrize(
    "name", ["32251@3GPP.ORG", "ext.015.234.16.32251@3gpp.org", "Data@Host.Example", "32251@3gpp.org.\0"]
)
def test_a_service_context_is_known_in_capital_letters_and_by_the_operator_s_own_names(name):
    contexts = Charging(service_contexts={"DATA@host.example": "data"}).service_contexts
    request = ccr(INITIAL, 0, service(100, ask=0), context=name)
    assert gy_ccr.read(request, "pgw.host.example", 0, "GB", contexts).service == "data"


@pytest.mark.parametrize(("number", "meant"), [("32270", "sms"), ("32275", "voice")])
@pytest.mark.parametrize("name", ["{}@3gpp.org", "8.{}@3gpp.org", "ext.015.234.16.{}@3GPP.org", "{}@3gpp.org.\0"])
def test_pictures_and_telephony_servers_have_no_price_until_they_are_given_a_service(name, number, meant):
    context = name.format(number)
    request = ccr(INITIAL, 0, service(100, ask=0), context=context)
    for others in ({}, {"32273@3gpp.org": "data", "@3gpp.org": "data"}):
        with pytest.raises(DiameterError, match=r"charging\.service_contexts may say which it is") as refused:
            gy_ccr.read(request, "pgw.host.example", 0, "GB", others)
        failed = avp("Service-Context-Id", context.encode())
        assert (refused.value.result_code, refused.value.failed_avp) == (5031, failed)
    contexts = Charging(service_contexts={f"{number}@3gpp.org": meant}).service_contexts
    assert gy_ccr.read(request, "pgw.host.example", 0, "GB", contexts).service == meant


def test_a_service_context_is_given_back_as_long_as_its_answer_has_room_for_it():
    for size, given_back in ((4000, b"x" * 4000), (45_000, b"")):
        with pytest.raises(DiameterError) as refused:
            gy_ccr.read(ccr(INITIAL, 0, context="x" * size), "pgw.host.example", 0, "GB")
        assert refused.value.failed_avp == avp("Service-Context-Id", given_back)


OTHERS = [{"32251@3gpp.org": "sms"}, {"ext.015.234.16.32274@3GPP.org": "voice"}, {"a@b": "sms", "A@b": "voice"}]


@pytest.mark.parametrize("contexts", [{"mms@host.example": "mms"}, {"": "sms"}, {"x" * 256: "sms"}, *OTHERS])
def test_a_service_context_is_given_one_of_the_services_that_have_prices(contexts):
    with pytest.raises(ValidationError):
        Charging(service_contexts=contexts)
