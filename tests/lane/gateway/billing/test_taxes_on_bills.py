"""The tax that bills tell of is that which was booked: by each price's own plan, version and time, to the micro-unit."""

import tempfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support import charging_fixture as charging
from support.billing_fixture import billing_place
from support.taxed_place import GB, book, record, record_taxes

from gateway.balance.profiles import ProfileRows
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.wallets import WalletRows
from gateway.billing.content import read_content
from gateway.billing.statement import bill_of
from gateway.charging.plan_changes import Effective, change_plan
from gateway.charging.rerate_reading import Wanted, page
from gateway.ledger.accounts import SERVICE_CHARGES
from gateway.rating.plans import CalledRates, Rate, ServiceCharge
from gateway.rating.taxes import Jurisdiction, TaxRate
from gateway.store.batch import Unit
from gateway.store.tables import usage
from protocols.diameter.messages import UsedServiceUnit

DAY, POUND, MEGABYTE, PENNY = 86_400, 1_000_000, 1_000_000, charging.PENNY
PREMIUM = CalledRates(Rate(5 * PENNY, 60, service=ServiceCharge(Rate(60 * PENNY, 60), tenth=False)))
PLANS = {
    **{name: msgspec.structs.replace(plan, tax=GB) for name, plan in charging.PLANS.items()},
    "untaxed-gb": msgspec.structs.replace(charging.PLANS["payg-gb"], id="untaxed-gb", data=Rate(3 * PENNY, MEGABYTE)),
}
PLANS["payg-gb"] = msgspec.structs.replace(PLANS["payg-gb"], destinations={"4490": PREMIUM})


def change(place, line, plan):
    """Give a line another plan from now on."""

    class Change(Unit):
        touches = (WalletRows, ProfileRows)

        def keys(self, _rows, _batch):
            return (line,)

        def decide(self, batch):
            change_plan(batch, batch.row_set(WalletRows).get(line), plan, Effective.NOW)

    place.lane.run(Change())


def refund_all(place):
    with place.reading() as connection:
        found = [charged(connection, number) for number in connection.scalars(select(usage.c.id))]
    for of in found:
        place.lane.run(RefundUsage(of, "me", "bad line"))


def rerate(place, plan="payg-gb"):
    """Have what was used of a plan cost what it costs by the version in force."""
    wanted = Wanted(plan, place.policy.tariff.plans[plan].version, 0, "me", dry_run=False)
    with place.reading() as connection:
        units = page(connection, wanted, after=0, limit=1000).units
    for unit in units:
        place.lane.run(unit)


def dearer(place):
    plan = place.policy.tariff.plans["payg-gb"]
    data = Rate(plan.data.price + PENNY, MEGABYTE)
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(plan, data=data)})
    record_taxes(place)


def call_premium(place, session):
    call = charging.service(None, used=[UsedServiceUnit(cc_time=60)])
    asked = place.unit(charging.ccr(3, 0, call, session=session, context="32260@3gpp.org")).request
    place.lane.run(type(place.unit(charging.ccr(2, 0)))(msgspec.structs.replace(asked, called="449098790000")))


def on_bills(place):
    """What all bills and credit notes say was charged at each rate."""
    found = {}
    for row in (*place.bills(), *place.bills("credit")):
        for each in read_content(row.content).taxed:
            key = each.jurisdiction, each.rate
            found[key] = found.get(key, 0) + each.gross
    return {key: gross for key, gross in found.items() if gross}


def in_days(days):
    found = {}
    for each in (each for day in days for each in day.sums):
        key = each.jurisdiction, each.rate
        found[key] = found.get(key, 0) + each.gross
    return {key: gross for key, gross in found.items() if gross}


@pytest.fixture
def place(request, tmp_path):
    on_server = getattr(request, "param", "") == "postgresql"
    url = request.getfixturevalue("database")("taxes_on_bills") if on_server else f"sqlite:///{tmp_path}/t.db"
    with billing_place(url, plans=PLANS) as opened:
        record_taxes(opened)
        yield opened


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_a_bill_over_a_change_of_plan_and_of_rate_says_what_was_booked(place):
    line = place.enrol(50 * POUND)
    place.use(10 * MEGABYTE, "a;1")
    call_premium(place, "a;2")
    place.ticks.skip(2 * DAY)  # the rate rose
    place.use(10 * MEGABYTE, "a;3")
    change(place, line, "bundle-gb")
    place.use(MEGABYTE, "a;4")  # sells the bundle
    change(place, line, "untaxed-gb")
    place.use(100 * MEGABYTE, "a;5")
    place.ticks.skip(DAY)
    days = book(place)
    place.close_month()
    old, new = (75 * PENNY, 175_000), (10 * PENNY + 7_500_000, 200_000)
    assert on_bills(place) == in_days(days) == {("GB", rate): gross for gross, rate in (old, new)}
    assert any(each.account == SERVICE_CHARGES for day in days for each in day.sums)
    with place.reading() as connection:
        bill = bill_of(connection, line, place.bills()[0].period, itemised=False)
    assert bill.plan == "untaxed-gb"
    assert [(tax.rate, tax.gross, tax.tax) for tax in bill.taxes] == [
        ("17.5", 75 * PENNY, 11 * PENNY),
        ("20", 760 * PENNY, 127 * PENNY),
    ]


def test_what_is_given_back_takes_tax_off_by_the_rate_that_it_had(place):
    place.enrol(50 * POUND)
    place.use(10 * MEGABYTE, "b;1")
    place.ticks.skip(2 * DAY)
    dearer(place)
    rerate(place)
    place.ticks.skip(DAY)
    days = book(place)
    place.close_month()
    (note,), (bill,) = place.bills("credit"), place.bills()
    assert [(each.rate, each.gross) for each in read_content(bill.content).taxed] == [(175_000, 30 * PENNY)]
    assert [(each.rate, each.gross) for each in read_content(note.content).taxed] == [(175_000, -10 * PENNY)]
    assert on_bills(place) == in_days(days) == {("GB", 175_000): 20 * PENNY}


def test_a_rate_that_was_told_of_late_is_on_the_bill_as_it_was_booked(place):
    place.enrol(50 * POUND)
    place.use(10 * MEGABYTE, "c;1")
    place.ticks.skip(DAY)
    days = book(place)
    rates = (TaxRate("standard", 50_000, 0),)
    record(place, Jurisdiction("GB", "VAT", "GBP", "Europe/London", rates))
    place.use(20 * MEGABYTE, "c;2")
    place.ticks.skip(DAY)
    days += book(place)
    place.use(MEGABYTE, "c;3")  # its tax is not booked yet
    place.close_month()
    assert on_bills(place) == {("GB", 175_000): 10 * PENNY, ("GB", 50_000): 21 * PENNY}
    assert in_days([*days, *book(place)]) == on_bills(place)


STEPS = st.lists(
    st.tuples(st.sampled_from(["use", "plan", "day", "refund", "dearer", "rerate", "month"]), st.integers(1, 4)),
    max_size=10,
)


@settings(max_examples=8, deadline=None)
@given(STEPS)
def test_whatever_happens_in_a_month_its_bills_say_what_was_booked(steps):
    with tempfile.TemporaryDirectory() as folder, billing_place(f"sqlite:///{folder}/t.db", plans=PLANS) as place:
        record_taxes(place)
        line, names = place.enrol(500 * POUND), list(PLANS)
        for number, (what, size) in enumerate(steps):
            if what == "use":
                place.use(size * 777_777, f"s;{number}")
            elif what == "plan":
                change(place, line, names[size % len(names)])
            elif what == "day":
                place.ticks.skip(size * DAY // 2)
            elif what == "month":
                place.close_month()
            else:
                {"refund": refund_all, "dearer": dearer, "rerate": rerate}[what](place)
        place.close_month()
        place.ticks.skip(2 * DAY)
        place.close_month()
        assert on_bills(place) == in_days(book(place))
