"""Bills that are not paid: overdue, suspended, written off, each after its time; whoever pays is open again at once."""

import msgspec
import pytest
from sqlalchemy import select
from support import charging_fixture as charging
from support.billing_fixture import DAY, DUE, EndLine, billing_place

from gateway.balance.line_terms import SetCreditLimit
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.topups import Payment
from gateway.billing import dunning_job
from gateway.billing.accounts import BillAccount
from gateway.billing.dunning import DUNNING, Does, Look, State, StepDunning, Waits, decide
from gateway.billing.dunning_job import due_lines, look_at
from gateway.billing.payments import PayBill
from gateway.charging.rerate_reading import Wanted, page
from gateway.notices.kinds import NoticeKind
from gateway.rating.plans import Rate
from gateway.store.tables import sessions, usage

WAITS = Waits(14 * DAY * 1_000_000, 180 * DAY * 1_000_000)
ACCOUNT = BillAccount(7, 1, 2, "GBP", -9, 9, 0, 100, None, "open", 5, 100)


def step(look, now, *, dunned=True):
    return decide(look, WAITS, now, dunned=dunned)


@pytest.mark.parametrize("state", list(State))
def test_who_owes_nothing_is_open_and_a_suspended_line_is_resumed(state):
    account = msgspec.structs.replace(ACCOUNT, state=state)
    found = step(Look(account, 0, 0), 1_000)
    assert (found.to, found.next_at, found.resumes) == (State.OPEN, None, state is State.SUSPENDED)


def test_the_states_follow_each_other_by_the_table_and_no_sooner_than_their_time():
    account, now = ACCOUNT, 100
    for state, row in DUNNING.items():
        assert account.state == state
        end = WAITS.end_of(account)
        early = step(Look(account, 9, 9), end - 1)
        assert (early.to, early.next_at) == (state, end)
        now = end
        found = step(Look(account, 9, 9), now)
        assert (found.to, found.does, found.notice) == (row.to, row.does, row.notice)
        account = msgspec.structs.replace(account, state=found.to, state_at=now, next_at=found.next_at)
    assert (account.state, account.next_at) == (State.WRITTEN_OFF, None)


def test_who_pays_in_advance_is_not_dunned():
    assert step(Look(ACCOUNT, 9, 9), 1 << 60, dunned=False).next_at is None


def test_the_oldest_bill_is_paid_first_and_the_new_one_is_due_by_its_own_date():
    account = msgspec.structs.replace(ACCOUNT, due=9, arrears=4, due_at=500, arrears_due_at=100, state="overdue")
    assert look_at(account, 3, 200, owes=True).overdue == 1
    paid = look_at(account, 4, 200, owes=True)
    assert (paid.outstanding, paid.overdue) == (5, 0)
    assert step(paid, 200).to is State.OPEN
    assert step(paid, 200).next_at == 500


@pytest.fixture
def place(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        place.line = place.enrol(0)
        place.lane.run(SetCreditLimit("msisdn", charging.MSISDN, 50_000_000, "ann", "pays monthly"))
        place.use(5_000_000, "m;1")
        place.close_month()
        yield place


def due(place):
    with place.reading() as connection:
        return due_lines(connection, place.ticks.now)


def take(place, found):
    """Take the step that is due, as the job does."""
    next_state = decide(found.look, WAITS, place.ticks.now, dunned=found.dunned)
    assert place.lane.run(StepDunning(found.look, next_state, "2026-12-01", "RF00"))
    return next_state


def balance(place):
    with place.reading() as connection:
        from gateway.store.tables import wallets

        return connection.execute(wallets.select()).one().balance


def test_a_bill_is_due_then_overdue_then_written_off_and_a_payment_between_makes_it_open(place):
    (bill,) = place.bills()
    assert (bill.closing, bill.due, bill.due_at - bill.at) == (-50_000, 50_000, DUE)
    assert due(place) == []
    place.ticks.skip(15 * DAY)
    (found,) = due(place)
    assert (found.dunned, found.look.outstanding, found.look.overdue) == (True, 50_000, 50_000)
    place.decide_by(silent())
    assert take(place, found).to is State.OVERDUE
    half = Payment("bank", "p1", 30_000, "GBP")
    place.lane.run(PayBill(half, place.ticks.now, "", "ann", place.line))
    (found,) = due(place)
    assert found.look.outstanding == 20_000
    place.use(4_000_000, "m;2")
    place.lane.run(PayBill(Payment("bank", "p2", 20_000, "GBP"), place.ticks.now, "", "ann", place.line))
    (found,) = due(place)
    assert found.look.outstanding == 0, "what was used since is not on the bill"
    assert take(place, found).to is State.OPEN
    assert due(place) == []


def refund(place, session):
    """Give back what was used in a session."""
    with place.reading() as connection:
        opened = sessions.c.session_id == session
        wanted = select(usage.c.id).join_from(usage, sessions, usage.c.session == sessions.c.id)
        found = charged(connection, connection.execute(wanted.where(opened)).scalar_one())
    place.lane.run(RefundUsage(found, "ann", "cut off"))


def test_a_refund_of_what_was_used_since_a_bill_pays_nothing_of_it_and_one_of_what_is_on_it_does(place):
    place.ticks.skip(15 * DAY)
    place.use(3_000_000, "m;2")
    place.use(2_000_000, "m;3")
    refund(place, "m;2")
    (found,) = due(place)
    assert (balance(place), found.look.outstanding, found.look.overdue) == (-70_000, 50_000, 50_000)
    refund(place, "m;1")
    (found,) = due(place)
    assert (balance(place), found.look.outstanding, found.look.overdue) == (-20_000, 0, 0)


def test_a_price_that_was_put_right_counts_on_the_bill_that_asks_for_it_by_what_is_left_of_it(place):
    place.ticks.skip(15 * DAY)
    place.use(3_000_000, "m;2")
    plan = place.policy.tariff.plans["payg-gb"]
    half = Rate(plan.data.price, plan.data.per * 2, step=plan.data.step)
    place.price_by({"payg-gb": msgspec.structs.replace(plan, data=half)})
    wanted = Wanted("payg-gb", place.policy.tariff.plans["payg-gb"].version, 0, "ann", dry_run=False)
    with place.reading() as connection:
        units = page(connection, wanted, after=0, limit=1000).units
    assert [place.lane.run(unit) for unit in units]
    (found,) = due(place)
    assert (balance(place), found.look.outstanding) == (-40_000, 25_000)


def test_a_step_is_not_taken_once_somebody_has_paid_since_the_look(place):
    place.decide_by(silent())
    place.ticks.skip(15 * DAY)
    (found,) = due(place)
    place.lane.run(PayBill(Payment("bank", "p1", 50_000, "GBP"), place.ticks.now, "", "ann", place.line))
    next_state = decide(found.look, WAITS, place.ticks.now, dunned=True)
    assert next_state.to is State.OVERDUE
    assert not place.lane.run(StepDunning(found.look, next_state, "2026-12-01", "RF00"))


def test_what_is_written_off_brings_the_wallet_to_nothing_and_stays_told_as_never_paid(place):
    place.decide_by(silent())
    for days in (15, 15):
        place.ticks.skip(days * DAY)
        take(place, due(place)[0])
    place.ticks.skip(181 * DAY)
    assert take(place, due(place)[0]).does is Does.WRITE_OFF
    assert balance(place) == 0
    with place.reading() as connection:
        from gateway.store.tables import transfers

        row = connection.execute(transfers.select().where(transfers.c.kind == "settlement")).one()
    assert (row.debit, row.credit, row.amount) == (place.accounts["write-offs"], place.line, 50_000)


def test_what_pays_a_debt_that_was_written_off_stays_in_the_wallet_of_a_customer_who_left(place):
    place.decide_by(silent())
    place.lane.run(EndLine(place.line))
    for days in (15, 15, 181):
        place.ticks.skip(days * DAY)
        take(place, due(place)[0])
    assert balance(place) == 0
    place.lane.run(PayBill(Payment("bank", "p1", 50_000, "GBP"), place.ticks.now, "", "ann", place.line))
    assert balance(place) == 50_000, "it is no refund that is owed"


def silent():
    """A sender of notices without a link."""
    from zoneinfo import ZoneInfo

    from gateway.notices.quiet_hours import QuietHours
    from gateway.notices.sending import NoticeSender
    from gateway.notices.wording import WORDS

    quiet = QuietHours(0, 0, ZoneInfo("UTC"))
    return NoticeSender("70070", "en", WORDS, {}, quiet, 1, len, linked=False)


def test_each_measure_is_told_before_it_is_taken():
    assert DUNNING[State.OPEN].notice is NoticeKind.BILL_OVERDUE
    assert all(step.notice for step in DUNNING.values() if step.does is Does.SUSPEND)
    assert dunning_job.LINES > 1
