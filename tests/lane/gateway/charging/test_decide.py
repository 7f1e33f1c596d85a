import json

import pytest
from sqlalchemy import func, select
from support.books import check
from support.charging_fixture import (
    EVENT,
    INITIAL,
    MSISDN,
    PENNY,
    TERMINATION,
    UPDATE,
    ccr,
    charging_place,
    service,
)

from gateway.balance.changes import ChooseCauses
from gateway.charging.session_expiry import ExpireSession, overdue
from gateway.charity.choices import Share
from gateway.charity.policies import recompute
from gateway.store import tables
from protocols.diameter.errors import DiameterError
from protocols.diameter.messages import MultipleServicesCreditControl, RequestedServiceUnit, UsedServiceUnit

POUND = 100 * PENNY
MEGABYTE = 1_000_000


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def wallet(place, subscriber_id):
    return place.read(
        select(tables.wallets.c.balance, tables.wallets.c.reserved).where(
            tables.wallets.c.subscriber_id == subscriber_id
        )
    )[0]


def transfers(place, kind):
    return [row.amount for row in place.read(select(tables.transfers.c.amount).where(tables.transfers.c.kind == kind))]


def only(answer):
    (mscc,) = answer.multiple_services_credit_control
    return mscc


def test_a_session_from_start_to_end_moves_money_and_the_tenth(place):
    sub = place.enrol(5 * POUND)
    first = only(place.ask(ccr(INITIAL, 0, service(ask=0))))
    assert (first.result_code, first.granted_service_unit.cc_total_octets) == (2001, 10 * MEGABYTE)
    assert (first.validity_time, first.volume_quota_threshold, first.quota_holding_time) == (3600, 2 * MEGABYTE, 600)
    assert wallet(place, sub) == (5 * POUND, 10 * PENNY)
    only(place.ask(ccr(UPDATE, 1, service(used=[8 * MEGABYTE], ask=0))))
    assert wallet(place, sub) == (5 * POUND - 8 * PENNY, 10 * PENNY)
    last = only(place.ask(ccr(TERMINATION, 2, service(used=[3 * MEGABYTE]))))
    assert last.granted_service_unit is None
    assert wallet(place, sub) == (5 * POUND - 11 * PENNY, 0)
    assert transfers(place, "charge") == [8 * PENNY, 3 * PENNY]
    assert transfers(place, "accrual") == [8 * PENNY // 10, 3 * PENNY // 10]


def test_reservations_and_unused_quota_accrue_nothing(place):
    sub = place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(TERMINATION, 1))
    assert wallet(place, sub) == (POUND, 0)
    assert transfers(place, "accrual") == []


def test_a_repeat_gets_the_stored_answer_and_changes_nothing(place):
    sub = place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    requests = [ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0)), ccr(TERMINATION, 2, service(used=[2 * MEGABYTE]))]
    for request in requests:
        place.ask(request)
        body, money = place.body, wallet(place, sub)
        for _ in range(3):
            place.ask(request)
            assert place.last.repeated
            assert place.body == body
            assert wallet(place, sub) == money
    assert len(transfers(place, "charge")) == 2


def test_the_type_belongs_to_the_key_since_some_clients_reuse_the_last_number_for_the_termination(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0)))
    place.ask(ccr(TERMINATION, 1, service(used=[2 * MEGABYTE])))
    assert transfers(place, "charge") == [PENNY, 2 * PENNY]


def test_a_repeat_with_other_usage_raises_an_alarm_charges_nothing_and_waits_for_review(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0)))
    for _ in range(2):
        place.ask(ccr(UPDATE, 1, service(used=[2 * MEGABYTE], ask=0)))
        assert place.last.alarms == ["charging.answer.mismatch"]
    assert transfers(place, "charge") == [PENNY]
    held = select(tables.held_reports.c.reason, tables.held_reports.c.octets)
    assert place.read(held) == [("changed_repeat", str(2 * MEGABYTE))]


def test_an_event_again_of_more_than_before_raises_an_alarm(place):
    place.enrol(POUND)
    for texts, alarms in ((1, []), (1, []), (5, ["charging.answer.mismatch"])):
        wanted = RequestedServiceUnit(cc_service_specific_units=texts)
        place.ask(ccr(EVENT, 0, context="32274@3gpp.org", requested_service_unit=wanted))
        assert place.last.alarms == alarms
    assert transfers(place, "charge") == [2 * PENNY]


def test_a_session_id_that_is_given_to_the_next_customer_is_told_from_the_first_request_on(place):
    place.enrol(POUND)
    place.enrol(POUND, imsi="234150000000002", msisdn="447700900002")
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(INITIAL, 0, service(ask=0), imsi="234150000000002"))
    assert (place.last.repeated, place.last.alarms) == (True, ["charging.subscriber.mismatch"])


@pytest.mark.parametrize("reported", [0, 60])
def test_a_session_has_one_service_and_what_another_one_counts_in_it_waits_for_review(place, reported):
    sub = place.enrol(10 * POUND, plan="bundle-gb")
    place.ask(ccr(INITIAL, 0, service(None, ask=0)))
    call = service(None, used=[UsedServiceUnit(cc_time=reported)], ask=0)
    answer = place.ask(ccr(UPDATE, 1, call, context="32260@3gpp.org"))
    assert (answer.result_code, "charging.session.service" in place.last.alarms) == (2001, True)
    assert only(answer).result_code == (5031 if reported else 2001)
    assert reported or only(answer).granted_service_unit.cc_total_octets == 10 * MEGABYTE
    held = place.read(select(tables.held_reports.c.reason, tables.held_reports.c.seconds))
    assert held == ([("unpriced", "60")] if reported else [])
    assert place.ask(ccr(TERMINATION, 2, service(None, used=[MEGABYTE]))).result_code == 2001
    (bundle,) = json.loads(place.read(select(tables.wallets.c.bundle))[0][0])["allowances"]
    assert (bundle["left"]["data"], any(bundle["held"].values())) == (19 * MEGABYTE, False)
    assert wallet(place, sub).reserved == 0


def test_a_call_that_is_ended_under_the_service_context_of_data_is_charged_as_a_call(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(None, ask=0), context="32260@3gpp.org"))
    place.ask(ccr(TERMINATION, 1, service(None, used=[UsedServiceUnit(cc_time=90)])))
    assert place.last.alarms == ["charging.session.service"]
    assert transfers(place, "charge") == [45_000]


def test_an_event_in_an_open_session_leaves_it_open(place):
    sub = place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(EVENT, 1, service(None), context="32274@3gpp.org"))
    assert (wallet(place, sub).balance, wallet(place, sub).reserved) == (POUND - 2 * PENNY, 10 * PENNY)
    answer = place.ask(ccr(UPDATE, 2, service(used=[MEGABYTE], ask=0)))
    assert answer.multiple_services_credit_control[0].granted_service_unit.cc_total_octets == 10 * MEGABYTE


def test_updates_that_overtake_each_other_are_both_charged(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 2, service(used=[MEGABYTE], ask=0)))
    place.ask(ccr(UPDATE, 1, service(11, used=[3 * MEGABYTE], ask=0)))
    assert transfers(place, "charge") == [PENNY, 3 * PENNY]


def test_many_services_are_charged_before_any_is_granted(place):
    sub = place.enrol(12 * PENNY)
    place.ask(ccr(INITIAL, 0, service(10, ask=6 * MEGABYTE), service(11, ask=6 * MEGABYTE)))
    assert wallet(place, sub).reserved == 12 * PENNY
    answer = place.ask(
        ccr(UPDATE, 1, service(10, used=[MEGABYTE], ask=6 * MEGABYTE), service(11, used=[6 * MEGABYTE], ask=0))
    )
    first, second = answer.multiple_services_credit_control
    assert first.granted_service_unit.cc_total_octets == 5 * MEGABYTE
    assert first.final_unit_indication.final_unit_action == 0
    assert first.volume_quota_threshold is None
    assert (second.result_code, second.granted_service_unit) == (4012, None)
    assert answer.result_code == 2001
    assert wallet(place, sub) == (5 * PENNY, 5 * PENNY)


def test_a_grant_never_takes_a_wallet_below_zero_but_reported_usage_may(place):
    sub = place.enrol(2 * PENNY)
    mscc = only(place.ask(ccr(INITIAL, 0, service(ask=0))))
    assert mscc.granted_service_unit.cc_total_octets == 2 * MEGABYTE
    assert mscc.final_unit_indication is not None
    answer = only(place.ask(ccr(UPDATE, 1, service(used=[5 * MEGABYTE], ask=0))))
    assert answer.result_code == 4012
    assert place.last.alarms == ["charging.wallet.overdrawn"]
    assert wallet(place, sub) == (-3 * PENNY, 0)


def test_a_grant_that_takes_the_last_penny_is_the_final_one_though_it_is_whole(place):
    place.enrol(10 * PENNY)
    mscc = only(place.ask(ccr(INITIAL, 0, service(ask=0))))
    assert mscc.granted_service_unit.cc_total_octets == 10 * MEGABYTE
    assert mscc.final_unit_indication.final_unit_action == 0


def test_a_free_rating_group_is_served_without_money(place):
    place.enrol(0)
    answer = place.ask(ccr(INITIAL, 0, service(10, ask=0), service(200, ask=0)))
    assert [m.result_code for m in answer.multiple_services_credit_control] == [4012, 2001]
    skip(place, 1)
    place.ask(ccr(UPDATE, 1, service(200, used=[10**9], ask=0)))
    assert transfers(place, "charge") == []
    assert len(place.read(select(tables.usage.c.price))) == 1


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(0, 10 * MEGABYTE), (4 * MEGABYTE, 4 * MEGABYTE), (200_000, MEGABYTE), (10**12, 10 * MEGABYTE)],
)
def test_the_slice_is_the_server_s_to_decide(place, asked, granted):
    place.enrol(POUND)
    assert only(place.ask(ccr(INITIAL, 0, service(ask=asked)))).granted_service_unit.cc_total_octets == granted


def test_at_the_start_a_service_that_says_nothing_asks_to_be_authorised(place):
    place.enrol(POUND)
    assert only(place.ask(ccr(INITIAL, 0, service()))).granted_service_unit.cc_total_octets == 10 * MEGABYTE


def test_usage_without_a_request_for_more_gets_no_quota_and_gives_the_rest_back(place):
    sub = place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    answer = only(place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], reporting_reason=(4,)))))
    assert (answer.granted_service_unit, answer.validity_time, answer.result_code) == (None, None, 2001)
    assert wallet(place, sub) == (POUND - PENNY, 0)


def test_open5gs_has_no_rating_group_no_total_and_says_it_supports_one_service_only(place):
    sub = place.enrol(POUND)
    ask = {"multiple_services_indicator": 0, "requested_action": 0}
    answer = place.ask(ccr(INITIAL, 0, service(None, ask=MEGABYTE), **ask))
    assert only(answer).granted_service_unit.cc_total_octets == MEGABYTE
    assert only(answer).rating_group is None
    used = UsedServiceUnit(cc_time=30, cc_input_octets=400_000, cc_output_octets=600_000)
    place.ask(ccr(UPDATE, 1, service(None, used=[used], ask=MEGABYTE), requested_action=0))
    place.ask(ccr(TERMINATION, 2, service(None, used=[used]), requested_action=0, termination_cause=1))
    assert wallet(place, sub) == (POUND - 2 * PENNY, 0)
    octets = place.read(select(tables.usage.c.octets, tables.usage.c.seconds))
    assert octets == [(MEGABYTE, 30), (MEGABYTE, 30)]


def test_two_used_service_units_around_a_tariff_change_are_two_records(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    before, after = (UsedServiceUnit(tariff_change_usage=i, cc_total_octets=MEGABYTE * (i + 1)) for i in (0, 1))
    place.ask(ccr(UPDATE, 1, service(used=[before, after], ask=0)))
    assert transfers(place, "charge") == [PENNY, 2 * PENNY]


def test_a_total_that_is_not_the_sum_of_both_directions_is_set_aside_with_an_alarm(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    used = UsedServiceUnit(cc_total_octets=1 << 40, cc_input_octets=MEGABYTE, cc_output_octets=MEGABYTE)
    place.ask(ccr(UPDATE, 1, service(used=[used], ask=0)))
    assert place.last.alarms == ["charging.usage.inconsistent"]
    assert transfers(place, "charge") == [2 * PENNY]


@pytest.mark.parametrize("direction", ["cc_input_octets", "cc_output_octets"])
@pytest.mark.parametrize(("total", "pence"), [(0, 5), (MEGABYTE, 5), (6 * MEGABYTE, 6)])
def test_a_total_that_is_less_than_one_direction_alone_is_set_aside_too(place, direction, total, pence):
    place.enrol(POUND)
    used = UsedServiceUnit(**{"cc_total_octets": total, direction: 5 * MEGABYTE})
    place.ask(ccr(TERMINATION, 1, service(used=[used])))
    assert place.last.alarms == (["charging.usage.inconsistent"] if pence == 5 else [])
    assert transfers(place, "charge") == [pence * PENNY]


def test_command_level_units_are_answered_at_the_command_level(place):
    sub = place.enrol(POUND)
    answer = place.ask(ccr(INITIAL, 0, requested_service_unit=RequestedServiceUnit(cc_total_octets=2 * MEGABYTE)))
    assert answer.granted_service_unit.cc_total_octets == 2 * MEGABYTE
    assert answer.validity_time == 3600
    place.ask(ccr(TERMINATION, 1, used_service_unit=(UsedServiceUnit(cc_total_octets=MEGABYTE),)))
    assert wallet(place, sub) == (POUND - PENNY, 0)


def test_without_a_rating_group_and_without_credit_the_command_itself_says_4012(place):
    place.enrol(0)
    answer = place.ask(ccr(INITIAL, 0, requested_service_unit=RequestedServiceUnit(cc_total_octets=1)))
    assert (answer.result_code, answer.granted_service_unit) == (4012, None)


def test_an_unknown_subscriber_is_5030_and_nothing_is_kept(place):
    answer = place.ask(ccr(INITIAL, 0, service(ask=0), imsi="234159999999999"))
    assert answer.result_code == 5030
    assert place.read(select(func.count()).select_from(tables.sessions))[0][0] == 0


@pytest.mark.parametrize("request_type", [UPDATE, TERMINATION])
def test_an_unknown_session_without_usage_is_5002_with_the_session_in_failed_avp(place, request_type):
    place.enrol(POUND)
    answer = place.ask(ccr(request_type, 3, service(ask=0)))
    assert answer.result_code == 5002
    assert b"pgw;1;1" in answer.failed_avp[0]
    assert answer.cc_request_number == 3


def test_usage_of_an_unknown_session_is_charged_and_an_update_gets_its_grant(place):
    sub = place.enrol(POUND)
    answer = place.ask(ccr(UPDATE, 7, service(used=[MEGABYTE], ask=0)))
    assert only(answer).granted_service_unit.cc_total_octets == 10 * MEGABYTE
    answer = place.ask(ccr(TERMINATION, 8, service(used=[MEGABYTE])))
    assert answer.result_code == 2001
    answer = place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE]), session="pgw;never;seen"))
    assert answer.result_code == 2001
    assert wallet(place, sub) == (POUND - 3 * PENNY, 0)


def test_an_origin_host_is_the_same_however_it_is_written(place):
    place.enrol(10 * POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0), origin_host="pgw.host.example"))
    used = ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0), origin_host="PGW.Host.Example")
    assert [place.ask(used).result_code, place.last.alarms] == [2001, []]
    place.ask(used)
    assert place.last.repeated
    assert place.ask(ccr(TERMINATION, 2, service(used=[MEGABYTE]), origin_host="pgw.host.example.")).result_code == 2001


def test_a_session_of_another_origin_host_is_not_touched(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    answer = place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0), origin_host="mallory.example"))
    assert (answer.result_code, place.last.alarms) == (5002, ["charging.session.foreign", "charging.report.unbooked"])
    assert transfers(place, "charge") == []


def test_a_service_context_without_a_price_is_5031(place):
    with pytest.raises(DiameterError) as refused:
        place.ask(ccr(INITIAL, 0, service(ask=0), context="32299@example.org"))
    assert refused.value.result_code == 5031


def test_a_service_context_may_carry_a_release_in_front(place):
    place.enrol(POUND)
    assert place.ask(ccr(INITIAL, 0, service(ask=0), context="14.32251@3gpp.org")).result_code == 2001


def test_the_subscription_is_found_by_type_and_the_imsi_beats_the_number(place):
    sub = place.enrol(POUND)
    other = place.enrol(POUND, imsi="234150000000002", msisdn="447700900002")
    place.ask(ccr(INITIAL, 0, service(ask=0), msisdn="447700900002"))
    assert place.last.alarms == ["charging.subscriber.mismatch"]
    assert (wallet(place, sub).reserved > 0, wallet(place, other).reserved) == (True, 0)
    place.ask(ccr(INITIAL, 0, service(ask=0), imsi=None, msisdn=f"+{MSISDN}", session="pgw;2"))
    assert place.last.alarms == []
    assert wallet(place, sub).reserved == 20 * PENNY


def test_a_session_keeps_its_subscriber_whatever_a_later_request_says(place):
    sub = place.enrol(POUND)
    other = place.enrol(POUND, imsi="234150000000002", msisdn="447700900002")
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0), imsi="234150000000002"))
    assert place.last.alarms == ["charging.subscriber.mismatch"]
    assert (wallet(place, sub).balance, wallet(place, other).balance) == (POUND - PENNY, POUND)


def test_an_expired_session_gives_back_its_hold_and_goes_on_when_the_client_does(place):
    sub = place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[1], ask=0)))
    assert overdue_now(place, hours=1) == []
    (session_id,) = overdue_now(place, hours=3)
    assert place.lane.run(ExpireSession(session_id)) is False
    skip(place, hours=3)
    assert place.lane.run(ExpireSession(session_id)) is True
    assert wallet(place, sub).reserved == 0
    assert only(place.ask(ccr(UPDATE, 2, service(used=[MEGABYTE - 1], ask=0)))).granted_service_unit is not None
    assert sum(transfers(place, "charge")) == PENNY


def test_usage_that_comes_after_the_termination_is_charged_without_a_grant(place):
    sub = place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(TERMINATION, 2))
    late = only(place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0))))
    assert (late.result_code, late.granted_service_unit) == (4010, None)
    assert only(place.ask(ccr(UPDATE, 3, service(used=[MEGABYTE])))).result_code == 2001
    assert wallet(place, sub) == (POUND - 2 * PENNY, 0)


@pytest.mark.parametrize("context", ["32251@3gpp.org", "32260@3gpp.org", "32274@3gpp.org"])
def test_quota_that_is_wanted_after_the_termination_is_refused(place, context):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0), context=context))
    place.ask(ccr(TERMINATION, 1, context=context))
    refused = only(place.ask(ccr(UPDATE, 2, service(ask=0), context=context)))
    assert (refused.result_code, refused.granted_service_unit) == (4010, None)
    whole = place.ask(ccr(UPDATE, 3, requested_service_unit=RequestedServiceUnit(), context=context))
    assert (whole.result_code, whole.granted_service_unit) == (4010, None)


def test_a_suspended_subscriber_opens_nothing_and_still_pays_for_what_was_used(place):
    sub = place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    with place.writer.begin() as connection:
        connection.execute(tables.subscribers.update().values(status="suspended"))
    assert only(place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0)))).result_code == 4010
    assert place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;2")).result_code == 4010
    assert wallet(place, sub) == (POUND - PENNY, 0)


def test_an_event_is_debited_at_once_whole_or_not_at_all(place):
    sub = place.enrol(5 * PENNY)
    request = ccr(EVENT, 0, service(None), session="sms;1", context="32274@3gpp.org", requested_action=0)
    assert only(place.ask(request)).granted_service_unit.cc_service_specific_units == 1
    place.ask(request)
    assert wallet(place, sub) == (3 * PENNY, 0)
    two = RequestedServiceUnit(cc_service_specific_units=2)
    answer = place.ask(
        ccr(EVENT, 0, session="sms;2", context="32274@3gpp.org", requested_action=0, requested_service_unit=two)
    )
    assert answer.result_code == 4012
    assert wallet(place, sub) == (3 * PENNY, 0)


@pytest.mark.parametrize(("wanted", "used", "debited"), [(2, 2, 2), (3, 1, 3), (1, 4, 4)])
@pytest.mark.parametrize("within", ["an MSCC", "the command"])
def test_an_event_that_says_its_units_as_requested_and_as_used_is_debited_once(place, wanted, used, debited, within):
    sub = place.enrol(20 * PENNY)
    told = {
        "requested_service_unit": RequestedServiceUnit(cc_service_specific_units=wanted),
        "used_service_unit": [UsedServiceUnit(cc_service_specific_units=used)],
    }
    items = [MultipleServicesCreditControl(**told)] if within == "an MSCC" else []
    more = {} if items else told
    request = ccr(EVENT, 0, *items, session="sms;1", context="32274@3gpp.org", requested_action=0, **more)
    answer = place.ask(request)
    granted = only(answer).granted_service_unit if items else answer.granted_service_unit
    assert granted.cc_service_specific_units == debited
    assert wallet(place, sub) == (20 * PENNY - debited * 2 * PENNY, 0)


@pytest.mark.parametrize("gigabytes", [20, 22, 70])
def test_an_event_of_more_octets_than_a_threshold_can_say_is_answered(place, gigabytes):
    place.enrol(POUND)
    answer = place.ask(ccr(EVENT, 0, service(200, ask=gigabytes * 1000 * MEGABYTE)))
    assert only(answer).granted_service_unit.cc_total_octets == gigabytes * 1000 * MEGABYTE
    assert only(answer).volume_quota_threshold == min(gigabytes * 200 * MEGABYTE, 0xFFFFFFFF)


def test_a_bundle_is_sold_once_and_its_tenth_accrues_on_the_sale(place):
    sub = place.enrol(8 * POUND, plan="bundle-gb")
    first = only(place.ask(ccr(INITIAL, 0, service(ask=0))))
    assert first.granted_service_unit.cc_total_octets == 10 * MEGABYTE
    assert wallet(place, sub) == (500_000, 0)
    assert (transfers(place, "sale"), transfers(place, "accrual")) == ([7_500_000], [750_000])
    place.ask(ccr(UPDATE, 1, service(used=[10 * MEGABYTE], ask=0)))
    place.ask(ccr(UPDATE, 2, service(used=[10 * MEGABYTE], ask=0)))
    assert transfers(place, "charge") == []
    place.ask(ccr(TERMINATION, 3, service(used=[3 * MEGABYTE])))
    assert transfers(place, "charge") == [3 * PENNY]
    assert transfers(place, "sale") == [7_500_000]


def test_two_sessions_never_share_one_promise_of_a_bundle(place):
    place.enrol(7_500_000, plan="bundle-gb")
    grants = [only(place.ask(ccr(INITIAL, 0, service(ask=0), session=f"s;{i}"))) for i in range(3)]
    assert [g.granted_service_unit and g.granted_service_unit.cc_total_octets for g in grants] == [
        10 * MEGABYTE,
        10 * MEGABYTE,
        None,
    ]
    assert grants[2].result_code == 4012


def test_the_choice_at_the_time_of_use_takes_the_tenth(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    used_at = next(place.ticks) // 1_000_000
    skip(place, hours=1)
    place.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wwf", 10_000),)))
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0), event_timestamp=used_at))
    place.ask(ccr(UPDATE, 2, service(used=[MEGABYTE], ask=0)))
    names = {number: name for name, number in place.accounts.items()}
    credited = place.read(select(tables.transfers.c.credit).where(tables.transfers.c.kind == "accrual"))
    assert [names[number] for (number,) in credited] == ["cause:wateraid", "cause:wwf"]


@pytest.mark.parametrize("hours", [-49, 1])
def test_an_event_timestamp_far_from_the_arrival_does_not_count(place, hours):
    place.enrol(POUND)
    now = next(place.ticks)
    place.ask(ccr(UPDATE, 1, service(used=[1]), event_timestamp=now // 1_000_000 + hours * 3600))
    (event_at,) = place.read(select(tables.usage.c.event_at))[0]
    assert abs(event_at - now) < 1_000_000


def test_a_top_up_in_mid_session_lets_the_next_update_go_on(place):
    place.enrol(PENNY)
    assert only(place.ask(ccr(INITIAL, 0, service(ask=0)))).final_unit_indication is not None
    place.top_up(MSISDN, POUND, "shop-1")
    assert only(place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0)))).final_unit_indication is None


def overdue_now(place, hours):
    with place.reader.connect() as connection:
        return overdue(connection, next(place.ticks) + hours * 3_600_000_000)


def skip(place, hours):
    import itertools

    place.ticks = itertools.count(next(place.ticks) + hours * 3_600_000_000, 1_000)
