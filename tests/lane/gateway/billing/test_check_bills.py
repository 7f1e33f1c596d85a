"""The check of the books sees what is wrong with bills: a number that is missing, a sum that is not the journal's."""

import pytest
from sqlalchemy import delete, update
from support.billing_fixture import billing_place
from support.lane_fixture import unguard

from gateway.balance.topups import Payment
from gateway.billing.check_bills import wrong_bills
from gateway.billing.payments import PayBill
from gateway.store.tables import bill_accounts, bill_closes, bills, payments, transfers

pytestmark = pytest.mark.xdist_group("check_bills")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with billing_place(f"sqlite:///{tmp_path_factory.mktemp('store')}/tpo.db") as place:
        line = place.enrol(5_000_000)
        place.enrol(2_000_000, imsi="234150000000002", msisdn="447700900002")
        place.use(3_000_000, "a;1")
        place.close_month()
        place.lane.run(PayBill(Payment("bank", "b1", 1_000, "GBP"), place.ticks.now, "", "ann", line))
        place.use(1_000_000, "a;2")
        place.close_month()
        place.use(1_000_000, "a;3")
        yield place


def found(place, *statements):
    with place.writer.connect() as connection:
        unguard(connection)
        for statement in statements:
            connection.execute(statement)
        findings = wrong_bills(connection)
        connection.rollback()
    return " / ".join(finding.detail for finding in findings)


def test_bills_that_are_as_they_were_written_are_right(place):
    assert found(place) == ""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (update(bills).where(bills.c.number == 1).values(number=9), "are numbered up to 9"),
        (delete(bills).where(bills.c.number == 1), "rows of the series bill are numbered up to 3"),
        (update(bills).where(bills.c.number == 1).values(closing=5), "closes with 5 micro-units: it says"),
        (update(bills).where(bills.c.number == 3).values(opening=5), "opens with 5 micro-units, after"),
        (update(bills).where(bills.c.number == 3).values(due=5), "asks for 5 micro-units, where 0 are due"),
        (update(bill_accounts).values(closing=7), "close with 7 micro-units, the journal with"),
        (update(bill_closes).values(bills=7), "counts 7 bills of"),
        (delete(transfers).where(transfers.c.kind == "opening"), "the journal with"),
        (delete(payments), "is under no reference of a payment"),
    ],
)
def test_what_was_changed_by_hand_is_named(place, statement, said):
    assert said in found(place, statement)
