"""Time of day, connection fees, caps and service charges, through real requests and the books."""

from datetime import UTC, datetime
from itertools import count

import msgspec
import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import EVENT, INITIAL, PENNY, TERMINATION, UPDATE, ccr, charging_place, service
from support.gy_samples import avp, word

from gateway.charging.check_sessions import wrong_sessions
from gateway.charging.tariff import QuotaTerms
from gateway.charity.policies import recompute
from gateway.ledger.totals import totals
from gateway.rating.plans import CalledRates, Cap, Period, Plan, Rate, ServiceCharge
from gateway.rating.prices import price
from gateway.rating.rate_keys import rate_by, read_key
from gateway.store import tables
from protocols.diameter.messages import RequestedServiceUnit, UsedServiceUnit

POUND, MEGABYTE, SECOND = 100 * PENNY, 1_000_000, 1_000_000
VOICE, TEXTS = "32260@3gpp.org", "32274@3gpp.org"
NIGHT = {"night": Rate(PENNY, 60)}
PREMIUM = Rate(55 * PENNY, 60, in_bundle=False, service=ServiceCharge(Rate(360 * PENNY, 60), tenth=False))
SHARED = Rate(55 * PENNY, 60, in_bundle=False, service=ServiceCharge(Rate(7 * PENNY, 60)))
TIMED = Plan(
    "payg-gb", "", "GBP", Rate(2 * PENNY, MEGABYTE, at={"night": Rate(PENNY, MEGABYTE)}),
    Rate(3 * PENNY, 60, connection=5 * PENNY, at=NIGHT), Rate(2 * PENNY, 1),
    destinations={"449": CalledRates(voice=PREMIUM), "4484": CalledRates(voice=SHARED)},
    periods=(Period("night", tuple(range(7)), 19 * 60, 7 * 60),),
)  # fmt: skip
CAPPED = Plan(
    "capped", "", "GBP", Rate(50 * PENNY, MEGABYTE), Rate(30 * PENNY, 60), Rate(10 * PENNY, 1), {200: Rate(0, 1)},
    destinations={"33": CalledRates(voice=Rate(100 * PENNY, 60, in_bundle=False))},
    caps=(Cap(POUND, ("data", "voice")), Cap(2 * POUND, ("data", "voice"), monthly=True)),
)  # fmt: skip


def clock(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * SECOND


@pytest.fixture
def place(tmp_path, request):
    url = f"sqlite:///{tmp_path}/desk.db"
    if getattr(request, "param", "sqlite") == "postgresql":
        url = request.getfixturevalue("database")(f"caps_{request.node.originalname[-20:]}", empty=True)
    plans = {TIMED.id: TIMED, CAPPED.id: CAPPED}
    terms = QuotaTerms(slice_octets=10 * MEGABYTE, tolerance=100_000)
    with charging_place(url, plans=plans, terms=terms) as opened:
        opened.ticks = count(clock(2026, 11, 25, 12), 1000)
        yield opened
        for row in opened.read(select(tables.usage)):
            rate = rate_by(plans[row.plan], row.service, row.rating_group, read_key(row.rate_key))
            units = {"data": row.octets, "voice": row.seconds, "sms": row.units}[row.service] - row.covered
            cost = price(rate, row.rated_before + units) - price(rate, row.rated_before)
            assert row.price == cost - row.capped, "a price can be computed again from its row and its plan"
        with opened.reader.connect() as connection:
            assert [*check(connection, recompute).findings, *wrong_sessions(connection)] == []


def pence(place):
    return [amount / PENNY for (amount,) in place.read(select(tables.usage.c.price).order_by(tables.usage.c.id))]


def keys(place):
    return [key for (key,) in place.read(select(tables.usage.c.rate_key).order_by(tables.usage.c.id))]


def go_to(place, *when):
    place.ticks = count(clock(*when), 1000)


def call(seconds, **more):
    return service(None, used=[UsedServiceUnit(cc_time=seconds, **more)])


def called(number):
    return avp("IMS-Information", avp("Role-Of-Node", word(0)) + avp("Called-Party-Address", number.encode()))


def test_a_connection_fee_falls_with_the_first_answered_second_and_once(place):
    place.enrol(10 * POUND)
    place.ask(ccr(INITIAL, 0, service(None, ask=0), context=VOICE))
    place.ask(ccr(UPDATE, 1, call(0), context=VOICE))
    for number, kind in ((2, UPDATE), (3, TERMINATION)):
        place.ask(ccr(kind, number, call(60), context=VOICE))
    place.ask(ccr(INITIAL, 0, service(None, ask=0), context=VOICE, session="nobody answers"))
    place.ask(ccr(TERMINATION, 1, call(0), context=VOICE, session="nobody answers"))
    assert pence(place) == [0, 8, 3, 0]


def test_a_report_has_the_price_of_the_period_in_which_it_began(place):
    place.enrol(10 * POUND)
    go_to(place, 2026, 11, 25, 18, 50)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    go_to(place, 2026, 11, 25, 19, 0, 5)
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0)))
    go_to(place, 2026, 11, 25, 19, 10)
    place.ask(ccr(TERMINATION, 2, service(used=[MEGABYTE])))
    assert (pence(place), keys(place)) == ([2, 1], ["", "///night"])


def test_a_call_that_is_reported_once_began_as_long_ago_as_it_lasted(place):
    place.enrol(10 * POUND)
    go_to(place, 2026, 11, 25, 19, 2)
    place.ask(ccr(TERMINATION, 0, call(180), context=VOICE))
    place.ask(ccr(TERMINATION, 0, call(60), context=VOICE, session="later"))
    assert (pence(place), keys(place)) == ([14, 1], ["", "///night"])


def test_a_change_of_tariff_within_a_grant_is_told_and_held_for_and_reported_in_two(place):
    place.enrol(10 * POUND)
    go_to(place, 2026, 11, 26, 6, 45)
    answer = place.ask(ccr(INITIAL, 0, service(ask=0)))
    (mscc,) = answer.multiple_services_credit_control
    assert mscc.granted_service_unit.tariff_time_change == clock(2026, 11, 26, 7) // SECOND
    assert place.read(select(tables.wallets.c.reserved)) == [(20 * PENNY,)], "as if all of it came after the change"
    assert place.ask(ccr(INITIAL, 0, service(ask=0))) == answer, "a repeat says it, too"
    go_to(place, 2026, 11, 26, 7, 5)
    before, after = (UsedServiceUnit(cc_total_octets=MEGABYTE, tariff_change_usage=each) for each in (0, 1))
    answer = place.ask(ccr(UPDATE, 1, service(used=[before, after], ask=0)))
    assert answer.multiple_services_credit_control[0].granted_service_unit.tariff_time_change is None
    assert (pence(place), keys(place)) == ([1, 2], ["///night", ""])
    place.ask(ccr(TERMINATION, 2, service()))


def test_a_client_whose_clock_is_a_moment_ahead_says_itself_what_came_after_the_change(place):
    place.enrol(10 * POUND)
    go_to(place, 2026, 11, 26, 6, 45)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    go_to(place, 2026, 11, 26, 6, 59, 50)
    before, after = (UsedServiceUnit(cc_total_octets=MEGABYTE, tariff_change_usage=each) for each in (0, 1))
    place.ask(ccr(TERMINATION, 1, service(used=[before, after])))
    assert keys(place) == ["///night", ""]


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_the_tenth_accrues_on_the_access_charge_and_where_the_plan_says_so_on_the_service_charge(place):
    place.enrol(20 * POUND)
    place.ask(ccr(TERMINATION, 0, call(60), context=VOICE, service_information=called("09098790123")))
    place.ask(ccr(TERMINATION, 0, call(60), context=VOICE, session="084", service_information=called("08451234567")))
    assert (pence(place), keys(place)) == ([415, 62], ["//449/", "//4484/"])
    entries = place.read(select(tables.transfers.c.kind, tables.transfers.c.amount).order_by(tables.transfers.c.id))
    assert entries[1:] == [
        ("charge", 55 * PENNY), ("accrual", 5.5 * PENNY), ("service", 360 * PENNY),
        ("charge", 62 * PENNY), ("accrual", 6.2 * PENNY),
    ]  # fmt: skip
    balances = dict(place.read(select(tables.accounts.c.name, tables.accounts.c.id)))
    owed = select(tables.transfers.c.amount).where(tables.transfers.c.credit == balances["service-charges"])
    assert place.read(owed) == [(360 * PENNY,)]
    with place.reader.connect() as connection:
        page = totals(connection, "2026-11", clock(2026, 11, 1), clock(2026, 12, 1))
    assert page.differences == []
    assert [row.amount for row in page.rows if row.step == "journal: service charges"] == ["3.60"]


def granted(answer):
    (mscc,) = answer.multiple_services_credit_control
    unit = mscc.granted_service_unit
    return (mscc.result_code, unit and (unit.cc_time or unit.cc_total_octets), mscc.final_unit_indication is not None)


def test_a_service_is_sold_up_to_the_limit_of_one_and_of_a_month(place):
    place.enrol(900 * POUND)
    seconds = 0
    for number in range(9):
        kind = INITIAL if number == 0 else UPDATE
        wanted = service(None, used=[UsedServiceUnit(cc_time=100)] if number else [], ask=0)
        answer = place.ask(ccr(kind, number, wanted, context=VOICE, service_information=called("+449098790123")))
        seconds += 100 if number else 0
        if granted(answer)[0] != 2001:
            break
    assert (seconds, granted(answer)) == (700, (4012, None, False)), "666 seconds of 3.60 a minute are 40 pounds"
    place.ask(ccr(TERMINATION, 9, service(None), context=VOICE))
    for session in map(str, range(6)):
        place.ask(
            ccr(TERMINATION, 0, call(600), context=VOICE, session=session, service_information=called("09098790123"))
        )
    passed_on = select(tables.transfers.c.amount).where(tables.transfers.c.kind == "service")
    amounts = [amount / POUND for (amount,) in place.read(passed_on.order_by(tables.transfers.c.id))]
    assert [sum(amounts[:7]), *amounts[7:]] == [40, 36, 36, 36, 36, 36, 20]
    first = service(None, ask=0)
    again = ccr(INITIAL, 0, first, context=VOICE, session="7", service_information=called("09098790123"))
    assert granted(place.ask(again)) == (4012, None, False)
    go_to(place, 2026, 12, 1, 9)
    again = msgspec.structs.replace(again, session_id=b"8")
    assert granted(place.ask(again)) == (2001, 300, False)


def use(place, session, units, kind=VOICE):
    item = call(units) if kind == VOICE else service(used=[units])
    place.ask(ccr(TERMINATION, 0, item, session=session, context=kind if kind == VOICE else "32251@3gpp.org"))


def test_a_day_costs_no_more_than_its_cap_over_services_and_what_the_bundle_would_not_cover_is_beside_it(place):
    place.enrol(50 * POUND, plan="capped")
    use(place, "1", 120)
    use(place, "2", MEGABYTE, "data")
    abroad = call(60)
    place.ask(ccr(TERMINATION, 0, abroad, session="3", context=VOICE, service_information=called("+33123456789")))
    wanted = RequestedServiceUnit(cc_service_specific_units=1)
    place.ask(ccr(EVENT, 0, session="4", context=TEXTS, requested_service_unit=wanted))
    use(place, "5", 600)
    assert pence(place) == [60, 40, 100, 10, 0]
    go_to(place, 2026, 11, 26, 9)
    use(place, "6", 600)
    go_to(place, 2026, 11, 27, 9)
    use(place, "7", 600)
    assert pence(place)[5:] == [100, 0], "a month costs no more than its cap"
    assert place.read(select(tables.usage.c.capped).where(tables.usage.c.price == 0)) == [
        (300 * PENNY,),
        (300 * PENNY,),
    ]


def test_a_line_that_reached_its_cap_goes_on_without_money_until_the_day_ends(place):
    place.enrol(POUND, plan="capped")
    use(place, "1", 2 * MEGABYTE, "data")
    go_to(place, 2026, 11, 25, 23, 50)
    answer = place.ask(ccr(INITIAL, 0, service(ask=0), session="2"))
    assert granted(answer) == (2001, 10 * MEGABYTE, False)
    assert answer.multiple_services_credit_control[0].validity_time == 600
    assert place.read(select(tables.wallets.c.reserved)) == [(0,)]
    go_to(place, 2026, 11, 26, 0, 0, 1)
    answer = place.ask(ccr(UPDATE, 1, service(ask=0), session="2"))
    assert granted(answer) == (4012, None, False)


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_a_late_report_counts_to_the_day_of_its_use(place):
    place.enrol(50 * POUND, plan="capped")
    use(place, "1", 180)
    go_to(place, 2026, 11, 26, 9)
    use(place, "2", 180)
    late = ccr(
        TERMINATION, 0, call(180), session="3", context=VOICE, event_timestamp=clock(2026, 11, 25, 23, 59) // SECOND
    )
    place.ask(late)
    assert pence(place) == [90, 90, 10]
    ((counters,),) = place.read(select(tables.wallets.c.counters))
    assert set(msgspec.json.decode(counters)) == {
        "data,voice:2026-11", "data,voice:2026-11-25", "data,voice:2026-11-26",
    }  # fmt: skip
