"""The tax within prices: booked once a day and rate, exact over any days, by the rate of the tax point, and proved."""

import itertools

import msgspec
import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import INITIAL, MSISDN, PENNY, PLANS, TERMINATION, UPDATE, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY
from support.taxed_place import GB, book, due, record_taxes

from gateway.balance.promotions import GivePromotion
from gateway.balance.refunds import RefundUsage, charged
from gateway.charging.rerate_reading import Wanted, page
from gateway.charity.policies import recompute
from gateway.ledger.tax_days import BookTaxDay, booked
from gateway.ledger.tax_report import tax_report
from gateway.rating.plans import CalledRates, Rate, ServiceCharge
from gateway.rating.taxes import included
from gateway.store import tables
from protocols.diameter.messages import UsedServiceUnit

NUMBERS = itertools.count()
DAY = 86_400
POUND, MEGABYTE = 100 * PENNY, 1_000_000
TAXED = {name: msgspec.structs.replace(plan, tax=GB) for name, plan in PLANS.items()}
BUNDLE = {"imsi": "234150000000002", "msisdn": "447700900002"}
PREMIUM = CalledRates(Rate(5 * PENNY, 60, service=ServiceCharge(Rate(60 * PENNY, 60), tenth=False)))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    on_disk = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/books.db" if on_disk else request.getfixturevalue("database")(f"taxes_{next(NUMBERS)}")
    with charging_place(url, plans=TAXED) as opened:
        record_taxes(opened)
        yield opened


def use(place, octets, session, **more):
    place.ask(ccr(INITIAL, 0, service(ask=0), session=session, **more))
    place.ask(ccr(TERMINATION, 1, service(used=[octets]), session=session, **more))


def findings(place):
    with place.reader.connect() as connection:
        return [(each.check, each.detail) for each in check(connection, recompute, EVIDENCE_KEY).findings]


def balances(place):
    """Sum the journal by account name, but for wallets and causes."""
    found = {}
    with place.reader.connect() as connection:
        names = dict(connection.execute(select(tables.accounts.c.id, tables.accounts.c.name)).all())
        for row in connection.execute(select(tables.transfers)):
            for side, sign in ((row.debit, -1), (row.credit, 1)):
                name = names.get(side, "wallet")
                found[name] = found.get(name, 0) + sign * row.amount
    return found


def sums(days):
    return [(day.day, each.account, each.rate, each.gross, each.tax) for day in days for each in day.sums]


def test_use_is_taxed_by_the_day_of_use_and_a_bundle_by_that_of_its_sale(place):
    place.enrol(50 * POUND)
    place.enrol(9 * POUND, plan="bundle-gb", cause="", **BUNDLE)
    use(place, 10 * MEGABYTE, "pgw;1")
    use(place, MEGABYTE, "pgw;2", imsi=BUNDLE["imsi"])  # sells the bundle, for 30 days
    assert book(place) == []  # the day is not over
    place.ticks.skip(2 * DAY)  # the 16th
    use(place, 10 * MEGABYTE, "pgw;3")
    use(place, 5 * MEGABYTE, "pgw;4", imsi=BUNDLE["imsi"])  # of the bundle: its tax was that of the sale
    place.ticks.skip(DAY)
    days = book(place)
    assert [day.day for day in days] == ["2023-11-14", "2023-11-16"]
    gross = 760 * PENNY
    assert sums(days) == [
        ("2023-11-14", "revenue", 175_000, gross, included(gross, 175_000)),
        ("2023-11-16", "revenue", 200_000, 10 * PENNY, included(10 * PENNY, 200_000)),
    ]
    assert balances(place)["vat:GB-17.5"] == included(gross, 175_000)
    assert balances(place)["revenue"] == 770 * PENNY - sum(each.tax for day in days for each in day.sums)
    assert book(place) == []
    assert findings(place) == []
    with place.reader.connect() as connection:
        report = tax_report(connection, "2023-11", 0, 1 << 62)
    assert (report.first_day, report.last_day) == ("2023-11-14", "2023-11-16")
    assert [(each.account, each.percent, each.gross, each.net, each.tax) for each in report.rows] == [
        ("vat:GB-17.5", "17.5", "7.60", "6.468085", "1.131915"),
        ("vat:GB-20", "20", "0.10", "0.083333", "0.016667"),
    ]


def test_a_day_is_booked_once_however_often_it_is_begun(place):
    place.enrol(50 * POUND)
    use(place, 10 * MEGABYTE, "pgw;1")
    place.ticks.skip(DAY)
    first, again = due(place), due(place)
    assert first == again
    assert place.lane.run(BookTaxDay(first))
    assert not place.lane.run(BookTaxDay(again))
    with place.reader.connect() as connection:
        assert len(booked(connection)) == 1
    assert findings(place) == []


def test_the_tax_of_many_small_days_is_that_of_their_sum(place):
    place.enrol(50 * POUND)
    for number in range(7):
        use(place, 100 * (number + 1), f"pgw;{number}")  # a micro-unit each hundred octets
        place.ticks.skip(DAY)
    days = book(place)
    assert len(days) == 7
    early = [each for day in days for each in day.sums if each.rate == 175_000]
    late = [each for day in days for each in day.sums if each.rate == 200_000]
    assert sum(each.tax for each in early) == included(sum(each.gross for each in early), 175_000)
    assert sum(each.tax for each in late) == included(sum(each.gross for each in late), 200_000)
    assert findings(place) == []


def test_a_refund_takes_the_tax_back_at_the_rate_of_the_use(place):
    place.enrol(50 * POUND)
    use(place, 10 * MEGABYTE, "pgw;1")
    place.ticks.skip(2 * DAY)
    book(place)
    with place.reader.connect() as connection:
        number = connection.scalar(select(tables.usage.c.id).where(tables.usage.c.price > 0))
        of = charged(connection, number)
    place.lane.run(RefundUsage(of, "me", "bad line"))
    place.ticks.skip(DAY)
    assert sums(book(place)) == [("2023-11-16", "revenue", 175_000, -10 * PENNY, -included(10 * PENNY, 175_000))]
    assert balances(place)["vat:GB-17.5"] == 0
    assert balances(place)["revenue"] == 0
    assert findings(place) == []


def test_a_price_put_right_moves_its_tax_with_it(place):
    place.enrol(50 * POUND)
    use(place, 10 * MEGABYTE, "pgw;1")
    place.ticks.skip(2 * DAY)
    book(place)
    right = msgspec.structs.replace(TAXED["payg-gb"], data=Rate(2 * PENNY, MEGABYTE))
    place.price_by({**TAXED, "payg-gb": right})
    record_taxes(place)
    plan = place.policy.tariff.plans["payg-gb"]
    wanted = Wanted("payg-gb", plan.version, 0, "me", dry_run=False)
    with place.reader.connect() as connection:
        units = page(connection, wanted, after=0, limit=10).units
    for unit in units:
        assert place.lane.run(unit).records == 1
    place.ticks.skip(DAY)
    extra = included(20 * PENNY, 175_000) - included(10 * PENNY, 175_000)
    assert sums(book(place)) == [("2023-11-16", "revenue", 175_000, 10 * PENNY, extra)]
    assert findings(place) == []


def test_no_tax_is_within_what_the_company_s_own_credit_pays(place):
    place.enrol(50 * POUND)
    place.lane.run(GivePromotion("msisdn", MSISDN, 6 * PENNY, "GBP", 30, "till", "r1"))
    use(place, 10 * MEGABYTE, "pgw;1")
    place.ticks.skip(DAY)
    assert [each[3] for each in sums(book(place))] == [4 * PENNY]
    assert findings(place) == []


def test_the_tax_of_a_service_charge_is_taken_off_what_is_owed_to_who_was_called(place):
    place.price_by({**TAXED, "payg-gb": msgspec.structs.replace(TAXED["payg-gb"], destinations={"4490": PREMIUM})})
    record_taxes(place)
    place.enrol(50 * POUND)
    call = service(None, used=[UsedServiceUnit(cc_time=60)])
    number = place.unit(ccr(TERMINATION, 0, call, session="pgw;3", context="32260@3gpp.org")).request
    request = msgspec.structs.replace(number, called="449098790000")
    place.lane.run(type(place.unit(ccr(UPDATE, 0, session="pgw;9")))(request))
    place.ticks.skip(DAY)
    found = {each[1]: each[3:] for each in sums(book(place))}
    assert found == {
        "revenue": (5 * PENNY, included(5 * PENNY, 175_000)),
        "service-charges": (60 * PENNY, included(60 * PENNY, 175_000)),
    }
    assert findings(place) == []


def test_a_plan_that_says_nothing_of_tax_has_none(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db") as place:
        record_taxes(place)
        place.enrol(50 * POUND)
        use(place, 10 * MEGABYTE, "pgw;1")
        place.ticks.skip(3 * DAY)
        assert book(place) == []


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (
            "UPDATE tax_days SET sums = replace(sums, '\"gross\":100000', '\"gross\":90000')",
            "its entries come to 100000",
        ),
        ("UPDATE transfers SET amount = amount - 1 WHERE kind = 'tax'", "the journal books otherwise"),
        ("DELETE FROM transfers WHERE kind = 'tax'", "the journal books otherwise"),
        ("UPDATE transfers SET reference = 'tax:1:0' WHERE kind = 'tax'", "books a tax by tax:1:0, which is no day's"),
        ("DELETE FROM tax_days", "which is no day's"),
        ("UPDATE tax_days SET after = after + 1", "do not go on where the day before ended"),
    ],
)
def test_a_tax_that_was_tampered_with_is_named(tmp_path, spoilt, said):
    with charging_place(f"sqlite:///{tmp_path}/books.db", plans=TAXED) as place:
        record_taxes(place)
        place.enrol(50 * POUND)
        use(place, 10 * MEGABYTE, "pgw;1")
        place.ticks.skip(DAY)
        book(place)
        place.unguard()
        with place.writer.begin() as connection:
            connection.exec_driver_sql(spoilt)
        found = [detail for name, detail in findings(place) if name == "tax"]
        assert any(said in detail for detail in found), found
