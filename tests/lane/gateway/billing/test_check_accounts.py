"""The check of the books sees where a line does not stand as its bills say: what is due, since when, in which state."""

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update
from support import charging_fixture as charging
from support.billing_fixture import DAY, DUE, billing_place
from support.lane_fixture import unguard

from gateway.balance.line_terms import SetCreditLimit
from gateway.balance.topups import Payment
from gateway.billing.check_bills import wrong_bills
from gateway.billing.closing import ReopenMonth
from gateway.billing.dunning import StepDunning, Waits, decide
from gateway.billing.dunning_job import due_lines
from gateway.billing.payments import PayBill
from gateway.store.tables import bill_accounts, bill_events

pytestmark = pytest.mark.xdist_group("check_accounts")

WAITS = Waits(14 * DAY * 1_000_000, 180 * DAY * 1_000_000)
OTHER = {"imsi": "234150000000002", "msisdn": "447700900002"}


def dun(place):
    """Take each step that is due."""
    with place.reading() as connection:
        found = due_lines(connection, place.ticks.now)
    for each in found:
        step = decide(each.look, WAITS, place.ticks.now, dunned=each.dunned)
        silent = msgspec.structs.replace(step, notice=None)  # no link is there to be told by
        assert place.lane.run(StepDunning(each.look, silent, "2026-12-01", "RF00"))
    return found


def pay(place, amount, reference):
    place.lane.run(PayBill(Payment("bank", reference, amount, "GBP"), place.ticks.now, "", "ann", place.line))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A line that pays late: a bill that is overdue, a second one with arrears of it, reopened, and a third."""
    with billing_place(f"sqlite:///{tmp_path_factory.mktemp('store')}/tpo.db") as place:
        place.line = place.enrol(0)
        place.other = place.enrol(5_000_000, **OTHER)
        place.lane.run(SetCreditLimit("msisdn", charging.MSISDN, 50_000_000, "ann", "pays monthly"))
        for month in range(3):
            place.use(5_000_000, f"m;{month}")
            place.use(1_000_000, f"o;{month}", imsi=OTHER["imsi"])
            period = place.pass_month()
            place.close_month(period)
            pay(place, 20_000, f"b{month}")
            if month == 1:
                place.use(2_000_000, "late", at=place.ticks.now // 1_000_000 - 40 * 3600)
                place.lane.run(ReopenMonth(period, "ann", "a late file"))
                place.lane.run(ReopenMonth(period, "bob", confirm=True))
                assert place.close_month(period).revision == 1
            place.ticks.now += DUE
            assert dun(place)
        yield place


def found(place, *statements):
    with place.writer.connect() as connection:
        unguard(connection)
        for statement in statements:
            assert connection.execute(statement).rowcount
        findings = wrong_bills(connection)
        connection.rollback()
    return [finding.detail for finding in findings if finding.check == "bill_account"]


def test_lines_that_stand_as_their_bills_say_are_right(place):
    with place.reading() as connection:
        rows = connection.execute(select(bill_accounts).order_by(bill_accounts.c.subscriber_id)).all()
        assert wrong_bills(connection) == []
    assert [row.state for row in rows] == ["suspended", "open"]
    assert 0 < rows[0].arrears < rows[0].due
    assert rows[0].arrears_due_at < rows[0].due_at


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("due", 0),
        ("arrears", 0),
        ("due_at", None),
        ("due_at", 1 << 50),
        ("arrears_due_at", None),
        ("state", "open"),
        ("state_at", 1),
        ("bill_id", 1),
        ("close_id", 1),
        ("currency", "USD"),
    ],
)
def test_a_line_that_was_let_off_by_hand_is_named_with_what_its_bills_say(place, column, value):
    (what,) = found(
        place, update(bill_accounts).where(bill_accounts.c.subscriber_id == place.line).values({column: value})
    )
    assert what.startswith(f"line {place.line} does not stand as its bills say ({column} {value} for ")
    assert what.endswith("put the row of bill_accounts back from a backup: dunning goes by it")


def test_a_row_that_is_gone_and_one_that_nobody_wrote_are_named(place):
    own = bill_accounts.c
    (gone,) = found(place, delete(bill_accounts).where(own.subscriber_id == place.line))
    assert gone == f"line {place.line} has bills and no row of bill_accounts: put it back from a backup"
    (last,) = found(place, delete(bill_accounts).where(own.subscriber_id == place.other))
    assert last.startswith(f"line {place.other} has bills and no row")
    row = (7, 1, 1, "GBP", 0, 9, 0, None, None, "open", 1, None)
    (lone,) = found(place, insert(bill_accounts).values(row))
    assert lone == "line 7 has a row of bill_accounts and no bill: take it away"


def test_a_step_of_dunning_that_is_not_in_the_row_is_named(place):
    taken_away = delete(bill_events).where(bill_events.c.event == "suspended")
    (what,) = found(place, taken_away)
    assert "state suspended for overdue" in what


def test_of_many_lines_the_first_few_are_named_and_their_number(place):
    rows = [(number, 1, 1, "GBP", 0, 9, 0, None, None, "open", 1, None) for number in range(1, 10)]
    names = [column.name for column in bill_accounts.columns]
    statement = insert(bill_accounts).values([dict(zip(names, row, strict=True)) for row in rows])
    said = found(place, statement)
    assert len(said) == 6
    assert said[-1] == "9 lines in all do not stand as their bills say"
