"""The check of the books holds what banks said, and shares of profit, against the journal: each edit is named."""

import pytest
from sqlalchemy import delete, insert, select, update
from support.bank_files import entry, payment, statement
from support.lane_fixture import unguard
from support.payout_fixture import ANN, DAY, DECEMBER, JANUARY, NOVEMBER, POUND, Place, paid, returned

from gateway.charity.bank_matching import Said, SettleFile
from gateway.charity.check_bank import wrong_bank_rows
from gateway.charity.profit_share import BookProfitShare, share_of, weights
from gateway.charity.receipts import BookReceipt, Receipt, identity_of
from gateway.store.tables import bank_lines, cause_payments, profit_shares, transfers

pytestmark = pytest.mark.xdist_group("check_bank")

OWN = bank_lines.c


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A payment that was paid and came back, one that was rejected as a file, two receipts, and a share of profit."""
    place = Place(f"sqlite:///{tmp_path_factory.mktemp('store')}/t.db")
    place.ticks.now = JANUARY
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER + DAY, ANN, 7_500_000, wateraid=750_000)
    place.confirm("2026-11", JANUARY)
    place.details()
    first = place.pay().payments[0].id
    assert place.settle(paid(first, "0.75")).paid == 1
    assert place.settle(returned(first, "0.75")).returned == 1
    payout = place.pay()
    file = place.read(select(cause_payments.c.payout_id).where(cause_payments.c.id == payout.payments[0].id))[0][0]
    assert place.lane.run(SettleFile([Said(f"rejected:{file}", "rejected", file, 0, "", "AC04")], [], [])).rejected == 1
    data = statement(entry("5.00", reference="B-1", details=payment("NOTPROVIDED", remittance="charity-account")))
    assert place.settle(data).received == 1
    receipt = Receipt(identity_of("", "FT-1"), "FT-1", "", POUND, "GBP", DECEMBER)
    assert place.lane.run(BookReceipt(receipt)) is True
    with place.reader.connect() as connection:
        parts = weights(connection, "2026-11", "2026-11", "GBP")
    share = share_of(40 * POUND)
    whole = {next(iter(parts)): share}
    place.lane.run(BookProfitShare("2026-11", "profit", 40 * POUND, share, "GBP", whole, "ann"))
    yield place
    place.close()


def found(place, *statements):
    with place.writer.connect() as connection:
        unguard(connection)
        for statement_ in statements:
            assert connection.execute(statement_).rowcount
        findings = list(wrong_bank_rows(connection))
        connection.rollback()
    return [finding.detail for finding in findings]


def test_what_banks_said_and_was_booked_is_right(place):
    assert found(place) == []
    assert sorted(place.read(select(OWN.outcome))) == [
        ("paid",),
        ("received",),
        ("received",),
        ("rejected",),
        ("returned",),
    ]


@pytest.mark.parametrize("outcome", ["paid", "returned", "rejected", "received"])
def test_a_line_that_was_taken_away_is_named_by_its_entry(place, outcome):
    said = found(place, delete(bank_lines).where(OWN.outcome == outcome))
    assert len(said) == (2 if outcome == "received" else 1)
    assert all(each.startswith("entry ") and "put the row back from a backup" in each for each in said)


@pytest.mark.parametrize(
    ("identity", "outcome"), [("R-9", "paid"), ("R-9", "returned"), ("rejected:9", "rejected"), ("B-9", "received")]
)
def test_a_line_that_no_bank_said_is_named(place, identity, outcome):
    (number,) = place.read(select(OWN.payment_id).where(OWN.outcome == "paid"))[0]
    number = 0 if outcome == "received" else number
    (said,) = found(place, insert(bank_lines).values(identity=identity, at=JANUARY, payment_id=number, outcome=outcome))
    assert said.startswith(f"line '{identity}' of bank_lines says {outcome}")
    assert said.endswith("take the row away, and read the bank's statements from that day on again")


def test_a_second_line_of_what_was_booked_once_is_named(place):
    at, number = place.read(select(OWN.at, OWN.payment_id).where(OWN.outcome == "paid"))[0]
    assert len(found(place, insert(bank_lines).values(identity="R-9", at=at, payment_id=number, outcome="paid"))) == 1


@pytest.mark.parametrize(
    ("column", "value"), [("at", 5), ("payment_id", 5), ("outcome", "rejected"), ("outcome", "received")]
)
def test_a_line_that_was_changed_is_named_from_both_sides(place, column, value):
    said = found(place, update(bank_lines).where(OWN.outcome == "paid").values({column: value}))
    assert len(said) == 2


def test_the_identity_of_a_receipt_cannot_be_changed(place):
    row = place.read(select(OWN.identity).where(OWN.outcome == "received"))[0][0]
    said = found(place, update(bank_lines).where(OWN.identity == row).values(identity="B-7"))
    assert len(said) == 2


@pytest.mark.parametrize(("column", "value"), [("amount", 9 * POUND), ("share", 9 * POUND), ("at", 5)])
def test_a_share_of_profit_that_was_changed_is_named_by_its_period(place, column, value):
    (said,) = found(place, update(profit_shares).values({column: value}))
    assert said.startswith("the profit share of 2026-11 says ")
    assert "put the row of profit_shares back from a backup" in said


def test_a_share_that_could_be_given_again_and_one_that_was_never_given_are_named(place):
    (said,) = found(place, delete(profit_shares))
    assert said.startswith(
        "the journal has a profit share of 2026-11, 10000000 micro-units GBP, and profit_shares none"
    )
    row = {"period": "2025", "at": 5, "actor": "ann", "basis": "profit", "amount": 4, "share": 1, "currency": "GBP"}
    (said,) = found(place, insert(profit_shares).values(row))
    assert said.startswith("the profit share of 2025 says 1 micro-units GBP of 4, the journal 0")
    assert len(found(place, update(profit_shares).values(period="2026-10"))) == 2


def test_of_many_rows_the_first_few_are_named_and_their_number(place):
    rows = [{"identity": f"X{n}", "at": n, "payment_id": n, "outcome": "paid"} for n in range(9)]
    said = found(place, insert(bank_lines).values(rows))
    assert (len(said), said[-1]) == (6, "9 such rows in all")


def test_an_entry_that_is_gone_leaves_its_line_alone(place):
    assert len(found(place, delete(transfers).where(transfers.c.kind == "remit"))) == 1
