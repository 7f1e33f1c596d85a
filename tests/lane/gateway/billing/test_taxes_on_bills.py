"""The tax that bills tell of is that which was booked: by each price's own plan, version and time, to the micro-unit."""

import io
import tempfile
from datetime import UTC
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from sqlalchemy import select
from support import charging_fixture as charging
from support.billing_fixture import billing_place
from support.taxed_place import GB, LONDON, book, record, record_taxes

from gateway.balance.added_taxes import BookAddedTax, FinishAddedTaxes, OpenTaxAccounts, accounts_of
from gateway.balance.profiles import ProfileRows
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.tax_areas import SetTaxArea
from gateway.balance.wallets import WalletRows
from gateway.billing.check_bills import wrong_bills
from gateway.billing.content import read_content
from gateway.billing.pdf import write_pdf
from gateway.billing.statement import bill_of
from gateway.billing.taxation import awaits_taxes
from gateway.billing.text import write_text
from gateway.billing.writer import Writer
from gateway.charging.plan_changes import Effective, change_plan
from gateway.charging.rerate_reading import Wanted, page
from gateway.charity.months import end_of
from gateway.ledger.account_names import SERVICE_CHARGES
from gateway.ledger.added_taxes import due_month
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.plans import CalledRates, Rate, ServiceCharge
from gateway.rating.taxes import AddedTax, Jurisdiction, TaxRate
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


def add_months(place):
    """Add the taxes of each month that is over, as the gateway does; gives the months."""
    book(place)
    months = []
    while (month := due_month_of(place)) is not None:
        place.lane.run(OpenTaxAccounts([name for row in month.rows for name in accounts_of(row)]))
        for row in month.rows:
            assert place.lane.run(BookAddedTax(row, month.ends_at))
        place.lane.run(FinishAddedTaxes(month.node, month.period))
        months.append(month)
    return months


def due_month_of(place):
    with place.reading() as connection:
        return due_month(connection, place.node.id, LONDON, next(place.ticks))


def pdf_text(octets):
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(octets)).pages)


def use_a_pound(place, session):
    for number in range(10):
        place.use(10 * MEGABYTE, f"{session};{number}")


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
    place.use(10 * MEGABYTE, "a;5")
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


def test_taxes_on_top_of_prices_are_told_one_by_one_on_text_and_pdf(tmp_path):
    rises = 1_700_300_000_000_000  # the 18th
    added = {
        "*": (AddedTax("Universal Service", "usf", 0, rate=381_000, of=371_000),),
        "NY": (
            AddedTax("Sales tax", "state", 0, rate=40_000),
            AddedTax("Sales tax", "state", rises, rate=100_000),
            AddedTax("County 911 fee", "911", 0, fixed=350_000),
            AddedTax("Utility user tax", "local", 0, rate=50_000, on_taxes=True),
        ),
    }
    us = PlanTax(Treatment.EXCLUSIVE, "US")
    plans = {name: msgspec.structs.replace(plan, tax=us) for name, plan in charging.PLANS.items()}
    with billing_place(f"sqlite:///{tmp_path}/t.db", plans=plans) as place:
        record(place, Jurisdiction("US", "Taxes", "GBP", "America/New_York", added=added))
        line = place.enrol(50 * POUND)
        place.lane.run(SetTaxArea("msisdn", charging.MSISDN, "NY", "10001", "me", "form"))
        use_a_pound(place, "d")
        assert place.ticks.now < rises
        place.ticks.skip(6 * DAY)
        use_a_pound(place, "e")
        period = place.pass_month()
        assert [month.period for month in add_months(place)] == [period]
        place.close_month(period)
        with place.reading() as connection:
            bill = bill_of(connection, line, period, itemised=True)
            assert wrong_bills(connection) == []
    taxes = [(each.name, each.tax, each.state, each.rate, -each.amount // PENNY) for each in bill.of("taxes")]
    assert taxes == [
        ("Universal Service", "usf", "", "38.1", 28),
        ("Sales tax", "state", "NY", "4", 4),
        ("Sales tax", "state", "NY", "10", 10),
        ("County 911 fee", "911", "NY", "", 35),
        ("Utility user tax", "local", "NY", "5", 14),
    ]
    assert bill.opening + sum(each.amount for each in bill.lines) == bill.closing
    assert sum(each.amount for each in bill.items if each.section == "taxes") == -91 * PENNY
    writer = Writer("en", UTC)
    for said in (
        write_text(bill, charging.MSISDN, writer, "TPO", {}),
        pdf_text(write_pdf(bill, charging.MSISDN, writer, "TPO", [], {})),
    ):
        assert all(words in said for words in ("NY Sales tax 4%", "NY Sales tax 10%", "NY County 911 fee", "-£0.14"))


def test_a_month_is_not_billed_before_the_taxes_on_top_of_it_are_booked(tmp_path):
    us = PlanTax(Treatment.EXCLUSIVE, "US")
    plans = {name: msgspec.structs.replace(plan, tax=us) for name, plan in charging.PLANS.items()}

    def awaits(place, period):
        with place.reading() as connection:
            return awaits_taxes(connection, SimpleNamespace(plans=plans), period, LONDON, next(place.ticks))

    with billing_place(f"sqlite:///{tmp_path}/t.db", plans=plans) as place:
        added = {"NY": (AddedTax("Sales tax", "state", 0, rate=40_000),)}
        record(place, Jurisdiction("US", "Taxes", "GBP", "America/New_York", added=added))
        place.enrol(50 * POUND)
        place.lane.run(SetTaxArea("msisdn", charging.MSISDN, "NY", "10001", "me", "form"))
        use_a_pound(place, "d")
        period = place.period
        place.ticks.now = end_of(period, UTC)  # it is over by a microsecond: its last day cannot be booked yet
        assert awaits(place, period)
        place.pass_month()
        assert awaits(place, period), "no day of it is booked"
        book(place)
        assert awaits(place, period), "its days are, and its taxes are not"
        add_months(place)
        assert not awaits(place, period)


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
