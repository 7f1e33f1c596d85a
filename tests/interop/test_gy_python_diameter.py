"""Gy with a client that shares nothing with us: python-diameter's codec and node against the gateway's process."""

import datetime
import random
from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from diameter.message.avp import Avp
from diameter.message.avp.grouped import MultipleServicesCreditControl, ProxyInfo, RequestedServiceUnit
from support.gateways import Gateway, subscribers
from support.python_diameter_pgw import (
    INITIAL,
    PROXIABLE,
    REQUEST,
    RETRANSMIT,
    TERMINATION,
    UPDATE,
    TheirPgw,
    again,
    service,
)

pytestmark = pytest.mark.xdist_group("gy_python_diameter")

TGPP = 10415
SLICE, VALIDITY, THRESHOLD, HOLDING = 5_000_000, 1200, 1_250_000, 600
PRICE = Decimal("0.00000001")
"""Major units an octet of the plan payg-gb: a penny buys a million."""
MICRO = Decimal("0.000001")
TEN = subscribers(10, cause="wwf")
OTHERS = subscribers(20, first=100)
POOR = subscribers(2, balance="0.02", first=200)


@pytest.fixture(scope="module", params=("process", "thread"))
def gateway(tmp_path_factory, request):
    terms = f"slice: {SLICE}, validity: {VALIDITY}, threshold: 25, quota_holding: {HOLDING}"
    realms = "  served_realms: [host.example]"
    with Gateway(tmp_path_factory.mktemp("gateway"), charging=terms, diameter=realms, lane=request.param) as running:
        running.enrol([*TEN, *OTHERS, *POOR])
        yield running
        running.check()


@pytest.fixture(scope="module")
def pgw(gateway):
    with TheirPgw(gateway.diameter_port) as node:
        yield node


@pytest.fixture(scope="module")
def newcomers(gateway):
    return iter(OTHERS)


@pytest.fixture
def somebody(newcomers):
    """MSISDN and IMSI of a subscriber whom no other test uses."""
    return next(newcomers)[:2]


def by_group(answer):
    return {mscc.rating_group: mscc for mscc in answer.multiple_services_credit_control}


def assert_granted(answer, groups, units=SLICE):
    assert answer.result_code == 2001
    granted = by_group(answer)
    assert granted.keys() == set(groups)
    for mscc in granted.values():
        assert mscc.result_code == 2001
        assert mscc.granted_service_unit.cc_total_octets == units
        assert mscc.granted_service_unit.cc_input_octets is None
        assert (mscc.validity_time, mscc.volume_quota_threshold) == (VALIDITY, THRESHOLD)
        assert (mscc.quota_holding_time, mscc.final_unit_indication) == (HOLDING, None)


def assert_only_told(answer, groups):
    assert answer.result_code == 2001
    assert by_group(answer).keys() == set(groups)
    for mscc in answer.multiple_services_credit_control:
        assert (mscc.result_code, mscc.granted_service_unit, mscc.validity_time) == (2001, None, None)


def usage_of(gateway, session_id):
    return [row for row in gateway.usage() if row["session_id"] == session_id]


def exact_price(octets):
    return (octets * PRICE).quantize(MICRO, ROUND_HALF_EVEN)


def test_what_ten_subscribers_used_is_what_was_exported_charged_and_given(gateway, pgw):
    chance = random.Random(8506)
    used = Counter()
    sessions = {imsi: pgw.session_id() for _, imsi, *_ in TEN}

    def report(imsi, group):
        pair = chance.randrange(2_000_000), chance.randrange(3_000_000)
        used[imsi, str(group)] += sum(pair)
        return [pair]

    def everybody(request_type, number, services):
        for msisdn, imsi, *_ in TEN:
            request = pgw.ccr(sessions[imsi], request_type, number, services(imsi), imsi=imsi, msisdn=msisdn)
            answer = pgw.ask(request)
            assert (answer.session_id, answer.cc_request_type, answer.cc_request_number) == (
                sessions[imsi],
                request_type,
                number,
            )
            assert (answer.origin_host, answer.origin_realm) == (b"ocs.tpo.example", b"tpo.example")
            assert (answer.auth_application_id, pgw.flags_of(answer)) == (4, {"P"})
            if request_type == TERMINATION:
                assert_only_told(answer, {10, 100})
            else:
                assert_granted(answer, {10, 100})

    everybody(INITIAL, 0, lambda _imsi: [service(10), service(100)])
    for number in (1, 2):
        everybody(UPDATE, number, lambda imsi: [service(group, report(imsi, group)) for group in (10, 100)])
    everybody(TERMINATION, 3, lambda imsi: [service(group, report(imsi, group), ask=False) for group in (10, 100)])

    exported, charged, tenth = Counter(), Counter(), Decimal(0)
    records = [row for row in gateway.usage() if row["session_id"] in sessions.values()]
    assert len(records) == 10 * 3 * 2
    for row in records:
        assert (row["service"], row["currency"]) == ("data", "GBP")
        exported[row["imsi"], row["rating_group"]] += int(row["octets"])
        charged[row["imsi"]] += Decimal(row["price"])
        tenth += (Decimal(row["price"]) / 10).quantize(MICRO, ROUND_HALF_EVEN)
    assert exported == used
    balances = gateway.balances()
    for msisdn, imsi, *_ in TEN:
        assert charged[imsi] == sum(exact_price(used[imsi, group]) for group in ("10", "100"))
        shown = gateway.json("subscriber", "show", msisdn)
        assert Decimal(shown["balance"]) == Decimal(10) - charged[imsi]
        assert (Decimal(shown["reserved"]), shown["open_sessions"]) == (0, 0)
        assert balances[f"wallet:{shown['subscriber_id']}"] == shown["balance"]
    assert Decimal(balances["cause:wwf"]) == tenth
    gateway.check()


def test_an_unknown_subscriber_is_5030(pgw):
    session = pgw.session_id()
    answer = pgw.ask(pgw.ccr(session, INITIAL, 0, [service(10)], imsi="234159999999999"))
    assert (answer.result_code, answer.session_id) == (5030, session)
    assert (answer.cc_request_type, answer.cc_request_number, pgw.flags_of(answer)) == (1, 0, {"P"})
    assert answer.multiple_services_credit_control == []


def test_an_update_of_no_session_that_reports_nothing_is_5002(pgw, somebody):
    session = pgw.session_id()
    answer = pgw.ask(pgw.ccr(session, UPDATE, 4, [service(10)], imsi=somebody[1]))
    assert (answer.result_code, answer.session_id, pgw.flags_of(answer)) == (5002, session, {"P"})
    (failed,) = answer.failed_avp
    (session_id,) = failed.additional_avps
    assert session_id.value == session


def test_an_update_of_no_session_that_reports_usage_is_charged_and_granted(gateway, pgw, somebody):
    session = pgw.session_id()
    answer = pgw.ask(pgw.ccr(session, UPDATE, 4, [service(10, [(3_000, 4_000)])], imsi=somebody[1]))
    assert_granted(answer, {10})
    (record,) = usage_of(gateway, session)
    assert (record["octets"], Decimal(record["price"])) == ("7000", exact_price(7_000))
    assert_only_told(pgw.ask(pgw.ccr(session, TERMINATION, 5, [service(10, [(0, 1)], ask=False)])), {10})


def test_a_request_without_its_number_is_5005_and_shows_what_is_missing(pgw, somebody):
    avps = [*pgw.start_of(pgw.session_id()), Avp.new(416, value=INITIAL)]
    answer = pgw.ask(pgw.raw(avps))
    assert (answer.result_code, answer.cc_request_type, pgw.flags_of(answer)) == (5005, INITIAL, {"P"})
    (failed,) = answer.failed_avp
    (missing,) = failed.additional_avps
    assert (missing.code, missing.length, missing.payload) == (415, 12, bytes(4))


def test_another_application_is_3007_with_the_error_bit(pgw):
    avps = [*pgw.start_of(pgw.session_id()), Avp.new(416, value=INITIAL), Avp.new(415, value=0)]
    answer = pgw.ask(pgw.raw(avps, application=16777238))
    assert (answer.result_code, pgw.flags_of(answer)) == (3007, {"P", "E"})
    assert answer.header.application_id == 16777238
    assert (answer.origin_host, answer.cc_request_type) == (b"ocs.tpo.example", None)


def test_the_proxiable_bit_comes_back_as_it_was(pgw, somebody):
    session = pgw.session_id()
    avps = [*pgw.start_of(session), Avp.new(416, value=INITIAL), Avp.new(415, value=0)]
    avps.append(Avp.new(443, value=[Avp.new(450, value=1), Avp.new(444, value=somebody[1])]))
    for flags, expected in ((REQUEST, set()), (REQUEST | PROXIABLE, {"P"})):
        answer = pgw.ask(pgw.raw(avps, flags=flags))
        assert (answer.result_code, pgw.flags_of(answer)) == (2001, expected)


def test_the_last_grant_is_final_and_then_there_is_no_more_credit(gateway, pgw):
    msisdn, imsi, *_ = POOR[0]
    session = pgw.session_id()
    answer = pgw.ask(pgw.ccr(session, INITIAL, 0, [service(10)], imsi=imsi))
    (mscc,) = answer.multiple_services_credit_control
    assert (answer.result_code, mscc.result_code) == (2001, 2001)
    assert mscc.granted_service_unit.cc_total_octets == 2_000_000
    assert mscc.final_unit_indication.final_unit_action == 0
    assert (mscc.volume_quota_threshold, mscc.validity_time) == (None, VALIDITY)
    assert gateway.json("subscriber", "show", msisdn)["reserved"] == "0.02"

    answer = pgw.ask(pgw.ccr(session, UPDATE, 1, [service(10, [(1_500_000, 500_000)]), service(200)], imsi=imsi))
    spent, free = by_group(answer)[10], by_group(answer)[200]
    assert (answer.result_code, spent.result_code, spent.granted_service_unit) == (2001, 4012, None)
    assert (spent.validity_time, spent.final_unit_indication) == (None, None)
    assert (free.result_code, free.granted_service_unit.cc_total_octets) == (2001, SLICE)

    assert_only_told(pgw.ask(pgw.ccr(session, TERMINATION, 2, [service(200, [(9, 9)], ask=False)], imsi=imsi)), {200})
    shown = gateway.json("subscriber", "show", msisdn)
    assert (Decimal(shown["balance"]), Decimal(shown["reserved"])) == (0, 0)


def test_a_client_may_ask_for_a_price_and_whether_the_balance_pays_for_it(gateway, pgw, somebody):
    msisdn, imsi = somebody
    session = pgw.session_id()

    def enquire(action, octets):
        mscc = MultipleServicesCreditControl(rating_group=10)
        mscc.requested_service_unit = RequestedServiceUnit(cc_total_octets=octets)
        return pgw.ask(pgw.ccr(session, 4, 0, [mscc], imsi=imsi, msisdn=msisdn, requested_action=action))

    assert [enquire(2, octets).check_balance_result for octets in (1_000_000, 5_000_000_000)] == [0, 1]
    cost = enquire(3, 3_000_000).cost_information
    assert (cost.unit_value.value_digits, cost.unit_value.exponent, cost.currency_code) == (30_000, -6, 826)
    assert usage_of(gateway, session) == []


@pytest.mark.parametrize(
    ("retransmitted", "keep_end_to_end"), [(True, True), (True, False), (False, False)], ids=["T", "T-new-id", "new-id"]
)
def test_a_repeat_gets_the_stored_answer_and_changes_nothing(gateway, pgw, somebody, retransmitted, keep_end_to_end):
    session = pgw.session_id()
    requests = [
        pgw.ccr(session, INITIAL, 0, [service(10), service(100)], imsi=somebody[1]),
        pgw.ccr(session, UPDATE, 1, [service(10, [(1_000_000, 200_000)])], imsi=somebody[1]),
        pgw.ccr(session, TERMINATION, 2, [service(10, [(10, 20)], ask=False)], imsi=somebody[1]),
    ]
    answers = [pgw.ask(request) for request in requests]
    before = gateway.json("subscriber", "show", somebody[0]), usage_of(gateway, session)
    for request, first in zip(requests, answers, strict=True):
        repeat = again(request, retransmitted=retransmitted, keep_end_to_end=keep_end_to_end)
        second = pgw.ask(repeat)
        assert bool(repeat.header.command_flags & RETRANSMIT) == retransmitted
        assert second.header.hop_by_hop_identifier == repeat.header.hop_by_hop_identifier
        assert second.header.hop_by_hop_identifier != first.header.hop_by_hop_identifier
        same = second.header.end_to_end_identifier == first.header.end_to_end_identifier
        assert (same, pgw.flags_of(second)) == (keep_end_to_end, {"P"})
        assert second.as_bytes()[20:] == first.as_bytes()[20:]
    assert (gateway.json("subscriber", "show", somebody[0]), usage_of(gateway, session)) == before
    assert sum(int(row["octets"]) for row in before[1]) == 1_200_030


def test_proxy_info_comes_back_in_order_on_success_on_errors_and_on_repeats(pgw, somebody):
    def proxies(*names):
        return [ProxyInfo(proxy_host=name, proxy_state=name[::-1]) for name in names]

    def echoed(answer):
        return [(info.proxy_host, info.proxy_state) for info in answer.proxy_info]

    session = pgw.session_id()
    request = pgw.ccr(
        session, INITIAL, 0, [service(10)], imsi=somebody[1], proxy_info=proxies(b"b.dra", b"a.dra", b"c")
    )
    expected = [(b"b.dra", b"ard.b"), (b"a.dra", b"ard.a"), (b"c", b"c")]
    first = pgw.ask(request)
    assert (first.result_code, echoed(first)) == (2001, expected)
    repeat = pgw.ccr(session, INITIAL, 0, [service(10)], imsi=somebody[1], proxy_info=proxies(b"other"))
    assert echoed(pgw.ask(repeat)) == [(b"other", b"rehto")]
    request = pgw.ccr(pgw.session_id(), INITIAL, 0, imsi="999999999999999", proxy_info=proxies(b"2", b"1"))
    refused = pgw.ask(request)
    assert (refused.result_code, echoed(refused)) == (5030, [(b"2", b"2"), (b"1", b"1")])


def open5gs(pgw, session, request_type, number, numbers, used=()):
    """The AVPs of Open5GS's SMF, in its order: no Rating-Group, MSI 0, Requested-Action 0, octets without a total."""
    msisdn, imsi = numbers
    avps = [avp for avp in pgw.start_of(session) if avp.code != 283]
    avps.insert(3, Avp.new(283, value=b"host.example"))  # the client's own realm
    avps += [Avp.new(416, value=request_type), Avp.new(415, value=number)]
    if request_type != INITIAL:
        avps.append(Avp.new(293, value=b"ocs.tpo.example"))
    avps.append(Avp.new(55, value=datetime.datetime.now()))  # noqa: DTZ005 - python-diameter takes naive local times
    avps.append(Avp.new(443, value=[Avp.new(450, value=1), Avp.new(444, value=imsi)]))
    avps.append(Avp.new(443, value=[Avp.new(450, value=0), Avp.new(444, value=msisdn)]))
    if request_type == TERMINATION:
        avps.append(Avp.new(295, value=1))
    avps += [Avp.new(436, value=0), Avp.new(2055, TGPP, value=1, is_mandatory=True)]
    if request_type == INITIAL:
        avps.append(Avp.new(455, value=0))
    services = [] if request_type == TERMINATION else [Avp.new(437, value=[Avp.new(421, value=1_000_000)])]
    for reason, seconds, down, up in used:
        counted = [Avp.new(420, value=seconds), Avp.new(412, value=down), Avp.new(414, value=up)]
        services.append(Avp.new(446, value=[Avp.new(872, TGPP, value=reason, is_mandatory=True), *counted]))
    priority = [Avp.new(1046, TGPP, value=8), Avp.new(1047, TGPP, value=1), Avp.new(1048, TGPP, value=1)]
    quality = [Avp.new(1028, TGPP, value=9), Avp.new(1034, TGPP, value=priority)]
    services.append(Avp.new(1016, TGPP, value=quality, is_mandatory=True))
    avps.append(Avp.new(456, value=services))
    equipment = [Avp.new(459, value=0), Avp.new(460, value=b"3512345678901234")]
    session_details = [
        *([Avp.new(3, TGPP, value=0)] if request_type == INITIAL else []),
        *[Avp.new(code, TGPP, value="10.45.0.2") for code in (1227, 1228, 847)],
        Avp.new(30, value="internet"),
        Avp.new(12, TGPP, value="0"),
        Avp.new(18, TGPP, value="23415"),
        Avp.new(10, TGPP, value=b"\5"),
        Avp.new(22, TGPP, value=b"\x82\x32\xf4\x51\0\1\x32\xf4\x51\0\0\1\1"),
        Avp.new(21, TGPP, value=b"\6"),
        Avp.new(458, value=equipment),
    ]
    charging = Avp.new(874, TGPP, value=[Avp.new(2, TGPP, value=bytes(4)), *session_details], is_mandatory=True)
    avps.append(Avp.new(873, TGPP, value=[charging], is_mandatory=True))
    return pgw.raw(avps)


def test_open5gs_is_served_without_a_rating_group_and_its_octets_are_added_up(gateway, pgw, somebody):
    session = pgw.session_id()

    def one_grant(answer):
        (mscc,) = answer.multiple_services_credit_control
        assert (answer.result_code, mscc.result_code, mscc.rating_group) == (2001, 2001, None)
        assert mscc.granted_service_unit.cc_total_octets == 1_000_000
        assert mscc.volume_quota_threshold == 250_000
        return mscc

    one_grant(pgw.ask(open5gs(pgw, session, INITIAL, 0, somebody)))
    one_grant(pgw.ask(open5gs(pgw, session, UPDATE, 1, somebody, [(3, 60, 700_000, 80_000)])))
    last = pgw.ask(open5gs(pgw, session, TERMINATION, 2, somebody, [(2, 5, 1_000, 250), (2, 5, 0, 50)]))
    (mscc,) = last.multiple_services_credit_control
    assert (last.result_code, mscc.granted_service_unit) == (2001, None)
    records = usage_of(gateway, session)
    assert [(row["rating_group"], row["octets"]) for row in records] == [("", "780000"), ("", "1250"), ("", "50")]
    assert sum(Decimal(row["price"]) for row in records) == exact_price(781_300)
    shown = gateway.json("subscriber", "show", somebody[0])
    assert (Decimal(shown["balance"]), shown["open_sessions"]) == (10 - exact_price(781_300), 0)
