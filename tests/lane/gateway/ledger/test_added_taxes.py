"""Taxes on top of prices: taken once a month from each line where it is, nothing where nobody knows, and proved."""

import itertools

import msgspec
import pytest
from sqlalchemy import select
from support.billing_fixture import EndLine
from support.books import check
from support.charging_fixture import INITIAL, MSISDN, PENNY, PLANS, TERMINATION, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY
from support.taxed_place import LONDON, book, record

from gateway.balance.added_taxes import BookAddedTax, FinishAddedTaxes, OpenTaxAccounts, accounts_of
from gateway.balance.line_terms import SetCreditLimit
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.tax_areas import SetTaxArea
from gateway.balance.topups import Payment, TopUp
from gateway.balance.wallets import WalletRows
from gateway.charity.policies import recompute
from gateway.ledger.added_taxes import due_month
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import AddedTax, Jurisdiction
from gateway.store import tables

NUMBERS = itertools.count()
US = PlanTax(Treatment.EXCLUSIVE, "US")
TAXED = {name: msgspec.structs.replace(plan, tax=US) for name, plan in PLANS.items()}
TAXES = Jurisdiction(
    "US",
    "Taxes",
    "GBP",  # the money of the place that tests have
    "America/New_York",
    added={
        "*": (AddedTax("Universal Service", "usf", 0, rate=381_000, of=371_000),),
        "NY": (AddedTax("Sales tax", "state", 0, rate=40_000), AddedTax("Public safety", "911", 0, fixed=1_200_000)),
    },
)
NOWHERE = {"imsi": "234150000000002", "msisdn": "447700900002"}
MONTHLY = {"imsi": "234150000000004", "msisdn": "447700900004"}
IDLE = {"imsi": "234150000000003", "msisdn": "447700900003"}
POUND, MEGABYTE, DAY = 1_000_000, 1_000_000, 86_400


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    on_disk = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/books.db" if on_disk else request.getfixturevalue("database")(f"added_{next(NUMBERS)}")
    with charging_place(url, plans=TAXED) as opened:
        record(opened, TAXES)
        opened.owner = opened.enrol(50 * POUND)
        opened.enrol(50 * POUND, **NOWHERE)
        opened.enrol(50 * POUND, **IDLE)
        for number in (MSISDN, IDLE["msisdn"]):
            opened.lane.run(SetTaxArea("msisdn", number, "NY", "10001", "me", "form"))
        for session in range(5):
            use(opened, f"pgw;{session}")
        use(opened, "pgw;9", NOWHERE["imsi"])
        yield opened


def use(place, session, imsi="234150000000001"):
    place.ask(ccr(INITIAL, 0, service(ask=0), session=session, imsi=imsi))
    place.ask(ccr(TERMINATION, 1, service(used=[10 * MEGABYTE]), session=session, imsi=imsi))


def due(place):
    with place.reader.connect() as connection:
        return due_month(connection, place.node.id, LONDON, next(place.ticks))


def add(place):
    """Add the taxes of each month that is over, as the gateway does; gives the months."""
    book(place)
    months = []
    while (month := due(place)) is not None:
        open_accounts(place, month)
        for row in month.rows:
            assert place.lane.run(BookAddedTax(row, month.ends_at))
        assert place.lane.run(FinishAddedTaxes(month.node, month.period))
        months.append(month)
    return months


def open_accounts(place, month):
    place.lane.run(OpenTaxAccounts([name for row in month.rows for name in accounts_of(row)]))


def findings(place):
    with place.reader.connect() as connection:
        return [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings]


def booked(place):
    t, names = tables.transfers.c, tables.accounts.c
    with place.reader.connect() as connection:
        return connection.execute(
            select(t.debit, names.name, t.amount, t.event_at)
            .join_from(tables.transfers, tables.accounts, names.id == t.credit)
            .where(t.kind == "added_tax")
            .order_by(t.id)
        ).all()


def test_each_line_pays_the_taxes_of_where_it_is_once_the_month_is_over(place):
    assert add(place) == []
    place.ticks.skip(17 * DAY)  # the 1st of December
    (month,) = add(place)
    assert (month.period, month.unknown, len(month.rows)) == ("2023-11", 1, 2)
    found = [(owner == place.owner, name, amount) for owner, name, amount, _ in booked(place)]
    assert found == [
        (True, "tax:US-usf", 7 * PENNY),  # 38.1 % of 37.1 % of 50 pence
        (True, "tax:US-NY-state", 2 * PENNY),
        (True, "tax:US-NY-911", 120 * PENNY),
        (False, "tax:US-NY-911", 120 * PENNY),  # a line that was not used pays what is by the month
    ]
    assert {at for *_, at in booked(place)} == {month.ends_at}
    assert add(place) == []
    assert findings(place) == []


def test_a_line_on_monthly_terms_that_ends_with_a_debt_has_the_taxes_of_its_last_charges_and_no_more(place):
    owner = place.enrol(0, **MONTHLY)
    place.lane.run(SetTaxArea("msisdn", MONTHLY["msisdn"], "NY", "10001", "me", "form"))
    place.lane.run(SetCreditLimit("msisdn", MONTHLY["msisdn"], 100 * POUND, "ann", "pays monthly"))
    for session in range(5):
        use(place, f"pgw;monthly;{session}", MONTHLY["imsi"])
    place.lane.run(EndLine(owner))
    place.ticks.skip(17 * DAY)
    add(place)
    taxes = [(name, amount) for line, name, amount, _ in booked(place) if line == owner]
    assert taxes == [("tax:US-usf", 7 * PENNY), ("tax:US-NY-state", 2 * PENNY), ("tax:US-NY-911", 120 * PENNY)]
    place.ticks.skip(31 * DAY)
    use(place, "pgw;later")
    place.ticks.skip(31 * DAY)
    assert "2023-12" in [month.period for month in add(place)]
    assert [line for line, *_ in booked(place)].count(owner) == len(taxes), "nothing was used since"
    assert findings(place) == []


def test_a_line_that_has_ended_and_is_settled_is_asked_for_no_taxes(place):
    place.lane.run(EndLine(place.owner))
    place.ticks.skip(17 * DAY)
    add(place)
    assert place.owner not in [owner for owner, *_ in booked(place)]
    assert findings(place) == []


def test_a_month_that_was_stopped_in_its_middle_goes_on_and_books_nothing_twice(place):
    place.ticks.skip(17 * DAY)
    book(place)
    month = due(place)
    open_accounts(place, month)
    assert place.lane.run(BookAddedTax(month.rows[0], month.ends_at))
    book(place)
    again = due(place)
    assert [place.lane.run(BookAddedTax(row, again.ends_at)) for row in again.rows] == [False, True]
    assert place.lane.run(FinishAddedTaxes(month.node, month.period))
    assert not place.lane.run(FinishAddedTaxes(month.node, month.period))
    assert len(booked(place)) == 4
    assert findings(place) == []


def test_what_is_given_back_in_a_later_month_takes_its_taxes_back(place):
    place.ticks.skip(17 * DAY)
    add(place)
    with place.reader.connect() as connection:
        number = connection.scalar(
            select(tables.usage.c.id).where(tables.usage.c.subscriber_id == place.owner).limit(1)
        )
        of = charged(connection, number)
    place.lane.run(RefundUsage(of, "me", "bad line"))
    place.ticks.skip(31 * DAY)
    (month,) = add(place)
    lines = {line.name: line.amount for line in month.rows[0].lines}
    assert lines == {"Universal Service": -PENNY, "Public safety": 120 * PENNY}  # 0.4 of a penny rounds to nothing
    assert findings(place) == []


def test_a_rate_that_changes_and_a_line_that_moves_within_the_month_count_from_then_on(tmp_path):
    later = 1_700_300_000_000_000  # the 18th
    added = {
        "*": TAXES.added["*"],
        "NY": (*TAXES.added["NY"], AddedTax("Sales tax", "state", later, rate=100_000)),
        "NJ": (
            AddedTax("Sales tax", "state", 0, rate=200_000),
            AddedTax("Levy on all of it", "local", 0, rate=500_000, on_taxes=True),
        ),
    }
    with charging_place(f"sqlite:///{tmp_path}/books.db", plans=TAXED) as place:
        record(place, msgspec.structs.replace(TAXES, added=added))
        place.enrol(50 * POUND)
        use(place, "pgw;0")  # before anybody said where it is
        place.lane.run(SetTaxArea("msisdn", MSISDN, "NY", "10001", "me", "form"))
        use(place, "pgw;1")
        place.ticks.skip(6 * DAY)
        use(place, "pgw;2")
        place.lane.run(SetTaxArea("msisdn", MSISDN, "NJ", "07001", "me", "moved"))
        use(place, "pgw;3")
        place.ticks.skip(11 * DAY)
        (month,) = add(place)
        ((row),) = month.rows
        assert (row.charges, row.area.state, month.unknown) == (40 * PENNY, "NJ", 0)
        assert [(line.name, line.base, line.rate, line.state, line.amount) for line in row.lines] == [
            ("Universal Service", 40 * PENNY, 381_000, "", 6 * PENNY),
            ("Sales tax", 20 * PENNY, 40_000, "NY", PENNY),
            ("Sales tax", 10 * PENNY, 100_000, "NY", PENNY),
            ("Sales tax", 10 * PENNY, 200_000, "", 2 * PENNY),
            ("Levy on all of it", 134_135, 500_000, "", 7 * PENNY),  # 10, 2 and 1.4135 of Universal Service
        ]
        assert [name for _, name, *_ in booked(place)] == [
            "tax:US-usf", "tax:US-NY-state", "tax:US-NY-state", "tax:US-NJ-state", "tax:US-NJ-local",
        ]  # fmt: skip
        assert findings(place) == []
        place.unguard()
        with place.writer.begin() as connection:
            connection.exec_driver_sql("UPDATE added_taxes SET lines = replace(lines, '40000', '50000')")
        assert any("are not those of its place" in found for found in findings(place))


def test_what_was_used_in_a_state_that_nobody_has_the_taxes_of_has_none_and_is_told_of(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db", plans=TAXED) as place:
        record(place, TAXES)
        place.enrol(50 * POUND)
        place.enrol(50 * POUND, **NOWHERE)
        for number, state in ((MSISDN, "NY"), (NOWHERE["msisdn"], "OH")):
            place.lane.run(SetTaxArea("msisdn", number, state, "10001", "me", "form"))
        for number in range(10):
            use(place, f"pgw;{number}")
            use(place, f"pgw;1{number}", NOWHERE["imsi"])
        place.ticks.skip(DAY)
        place.lane.run(SetTaxArea("msisdn", MSISDN, "OH", "43004", "me", "moved"))
        use(place, "pgw;99")
        place.ticks.skip(16 * DAY)
        (month,) = add(place)
        assert month.unknown == 2
        (row,) = month.rows
        assert [(line.name, line.base, line.state) for line in row.lines] == [
            ("Universal Service", POUND, ""),
            ("Sales tax", POUND, "NY"),
        ]
        assert findings(place) == []


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("UPDATE added_taxes SET charges = 400000 WHERE charges > 0", "its charges come to 500000"),
        ("UPDATE added_taxes SET zip = '14201'", "are not those of its place"),
        ("UPDATE transfers SET amount = amount - 1 WHERE kind = 'added_tax'", "the journal books otherwise"),
        ("DELETE FROM transfers WHERE kind = 'added_tax'", "the journal books otherwise"),
        ("DELETE FROM added_taxes", "which is no line's month"),
    ],
)
def test_an_added_tax_that_was_tampered_with_is_named(tmp_path, spoilt, said):
    with charging_place(f"sqlite:///{tmp_path}/books.db", plans=TAXED) as place:
        record(place, TAXES)
        place.enrol(50 * POUND)
        place.lane.run(SetTaxArea("msisdn", MSISDN, "NY", "10001", "me", "form"))
        for session in range(5):
            use(place, f"pgw;{session}")
        place.ticks.skip(17 * DAY)
        add(place)
        place.unguard()
        with place.writer.begin() as connection:
            connection.exec_driver_sql(spoilt)
        found = findings(place)
        assert any(said in detail for detail in found), found


def test_credit_that_ends_pays_a_tax_before_money_that_does_not(place):
    paid_in = Payment("shop", "r", 5 * POUND, "GBP")
    place.lane.run(TopUp("msisdn", MSISDN, paid_in, 100 * POUND, credit_days=90))
    place.ticks.skip(17 * DAY)
    add(place)
    with place.writer.connect() as connection:
        rows = WalletRows()
        rows.load(connection, {place.owner})
    (left,) = rows.rows[place.owner].allowances
    assert left.left == {"money": 5 * POUND - 129 * PENNY}
    assert findings(place) == []
