"""Months that are closed: which entries each bill has, numbers without gaps, steps that are killed, reopening by two people."""

from datetime import UTC

import msgspec
import pytest
from support import charging_fixture as charging
from support.billing_fixture import EndLine, billing_place
from support.sealing import seal_all

from gateway.balance.line_terms import SetCreditLimit
from gateway.balance.refunds import RefundUsage, charged
from gateway.billing import close_job
from gateway.billing.check_bills import wrong_bills
from gateway.billing.closing import CloseRefused, ReopenMonth
from gateway.billing.statement import bill_of, credit_note_of
from gateway.billing.text import write_text
from gateway.billing.writer import Writer
from gateway.store.tables import usage


@pytest.fixture
def place(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        yield place


def moved(place):
    """What all bills and credit notes of each line come to."""
    found = {}
    for row in (*place.bills(), *place.bills("credit")):
        found[row.subscriber_id] = found.get(row.subscriber_id, 0) + row.closing - row.opening
    return found


def booked(place):
    found = {}
    for wallet, _, _, amount in place.entries():
        found[wallet] = found.get(wallet, 0) + amount
    return found


def test_a_month_has_a_bill_a_line_with_what_was_used_and_paid(place):
    line = place.enrol(5_000_000)
    place.use(3_000_000, "a;1")
    place.use(1_000_000, "a;2")
    close = place.close_month()
    (bill,) = place.bills()
    content = place.content(1)
    assert (close.state, close.bills, bill.subscriber_id, bill.number) == ("closed", 1, line, 1)
    assert (bill.opening, bill.closing, bill.given) == (0, 5_000_000 - 40_000, 4_000)
    assert [(each.service, each.records, each.octets, each.price) for each in content.used] == [
        ("data", 2, 4_000_000, 40_000)
    ]
    assert [(each.kind, each.section, each.amount) for each in content.moved] == [
        ("opening", "payments", 5_000_000),
        ("charge", "usage", -40_000),
    ]
    assert close.sums["GBP"].moved == bill.closing == booked(place)[line]


def test_numbers_have_no_gap_over_lines_and_months(place):
    for number in range(3):
        place.enrol(1_000_000, imsi=f"23415000000000{number}", msisdn=f"44770090000{number}")
    place.close_month()
    place.use(2_000_000, "b;1", imsi="234150000000002")
    place.use(2_000_000, "b;2", imsi="234150000000001")
    place.close_month()
    assert [row.number for row in place.bills()] == [1, 2, 3, 4, 5]
    assert [row.opening for row in place.bills()][3:] == [1_000_000, 1_000_000]


def test_late_use_is_on_the_next_bill_with_its_own_date(place):
    place.enrol(5_000_000)
    late = place.ticks.now // 1_000_000
    place.use(1_000_000, "c;1")
    first = place.pass_month()
    place.close_month(first)
    place.use(2_000_000, "c;2", at=place.ticks.now // 1_000_000 - 40 * 3600)
    second = place.close_month()
    events = sorted(event for _, _, event, _ in place.entries())
    assert late < events[-1] // 1_000_000 < first_day(second.period)
    assert [row.closing - row.opening for row in place.bills()] == [5_000_000 - 10_000, -20_000]
    assert [row.period for row in place.bills()] == [first, second.period]


def first_day(period):
    from datetime import UTC

    from gateway.charity.months import begin_of

    return begin_of(period, UTC) // 1_000_000


def test_use_after_the_end_of_a_month_waits_for_its_own_bill_though_the_month_is_closed_later(place):
    place.enrol(5_000_000)
    place.use(1_000_000, "d;1")
    period = place.pass_month()
    place.use(4_000_000, "d;2")
    place.close_month(period)
    place.close_month()
    assert [row.closing - row.opening for row in place.bills()] == [5_000_000 - 10_000, -40_000]
    assert moved(place) == booked(place)


def test_a_close_that_is_stopped_between_steps_goes_on_and_doubles_nothing(place, monkeypatch):
    monkeypatch.setattr(close_job, "LINES", 1)
    for number in range(4):
        place.enrol(1_000_000, imsi=f"23415000000000{number}", msisdn=f"44770090000{number}")
    period, looked = place.pass_month(), []
    stopped = place.close_month(period, ended=lambda: looked.append(1) or len(looked) > 2)
    assert (stopped.state, stopped.bills, len(place.bills())) == ("running", 2, 2)
    again = place.close_month(period)
    assert (again.id, again.state, again.bills) == (stopped.id, "closed", 4)
    assert [row.number for row in place.bills()] == [1, 2, 3, 4]
    assert moved(place) == booked(place)
    assert place.close_month(period) == again


def test_a_month_that_runs_or_lies_before_a_closed_one_is_not_closed(place):
    place.enrol(1_000_000)
    first = place.period
    early = place.close_month(first)
    place.close_month()
    second = place.close_month()
    refused = place.close_month("2020-01")
    assert isinstance(early, CloseRefused)
    assert (early.code, refused.code, second.state) == ("bill.early", "bill.period", "closed")


def test_no_month_is_left_out_since_its_use_would_be_on_the_bill_of_another(place):
    place.enrol(1_000_000)
    place.close_month()
    left_out, next_one = place.pass_month(), place.pass_month()
    refused = place.close_month(next_one)
    assert (refused.code, str(refused)) == ("bill.order", f"{left_out} is closed first: a bill is of one month")
    assert [place.close_month(period).state for period in (left_out, next_one)] == ["closed", "closed"]


def test_reopening_needs_two_people_and_takes_back_only_the_bills_that_change(place):
    place.enrol(1_000_000, imsi="234150000000001", msisdn="447700900001")
    place.enrol(1_000_000, imsi="234150000000002", msisdn="447700900002")
    place.use(1_000_000, "e;1", imsi="234150000000001")
    period = place.pass_month()
    place.close_month(period)
    place.use(2_000_000, "e;2", imsi="234150000000001", at=place.ticks.now // 1_000_000 - 40 * 3600)
    run = place.lane.run
    assert run(ReopenMonth(period, "ann", confirm=True)).code == "bill.reopen"
    run(ReopenMonth(period, "ann", "a late file"))
    assert run(ReopenMonth(period, "ann", confirm=True)).code == "bill.second"
    reopened = run(ReopenMonth(period, "bob", confirm=True))
    assert (reopened.state, reopened.reopening_by, reopened.reopened_by) == ("reopened", "ann", "bob")
    assert place.close_month("2024-01").code == "bill.running"
    close = place.close_month(period)
    assert (close.revision, close.bills, close.credit_notes) == (1, 1, 1)
    (note,) = place.bills("credit")
    first, _, third = place.bills()
    assert (note.number, note.replaces, third.replaces) == (1, first.id, first.id)
    assert third.closing - third.opening == 1_000_000 - 30_000
    assert moved(place) == booked(place)


def test_a_close_can_cross_to_the_process_of_the_lane(place):
    place.enrol(1_000_000)
    close = place.close_month()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(close), type=type(close)) == close


def test_months_that_stand_in_sealed_files_are_billed_like_others(place):
    place.enrol(5_000_000)
    place.use(1_000_000, "h;1")
    first = place.pass_month()
    sealed = seal_all(place, place.ticks.now)
    assert sealed == [first]
    place.use(2_000_000, "h;2")
    place.close_month(first)
    place.close_month()
    assert [row.closing - row.opening for row in place.bills()] == [5_000_000 - 10_000, -20_000]
    with place.reading() as connection:
        assert wrong_bills(connection) == []
        assert len(bill_of(connection, place.bills()[0].subscriber_id, first, itemised=True).items) == 2


def test_a_line_that_ended_has_a_final_bill_with_its_credit_given_back(place):
    line = place.enrol(5_000_000)
    place.use(1_000_000, "j;1")
    end_line(place, line)
    place.close_month()
    (bill,) = place.bills()
    content = place.content(1)
    assert (content.final, bill.closing, bill.due) == (True, 0, 0)
    assert ("settlement", "settlement", -4_990_000) in [
        (each.kind, each.section, each.amount) for each in content.moved
    ]


def test_a_monthly_line_that_ends_with_a_debt_is_billed_for_it_at_last(place):
    line = place.enrol(0)
    place.lane.run(SetCreditLimit("msisdn", charging.MSISDN, 50_000_000, "ann", "pays monthly"))
    place.use(5_000_000, "k;1")
    end_line(place, line)
    place.close_month()
    (bill,) = place.bills()
    assert (bill.due, place.content(1).final) == (50_000, True)


def test_what_is_given_back_of_prices_is_a_credit_note_of_its_own_series_and_the_bill_goes_on_from_it(place):
    line = place.enrol(5_000_000)
    place.use(5_000_000, "l;1")
    place.close_month()
    with place.reading() as connection:
        record = connection.execute(usage.select()).one()
        found = charged(connection, record.id)
    place.lane.run(RefundUsage(found, "ann", "it was cut off"))
    place.use(1_000_000, "l;2")
    close = place.close_month()
    (note,) = place.bills("credit")
    second = place.bills()[1]
    assert (close.bills, close.credit_notes, note.number, note.replaces) == (1, 1, 1, None)
    assert (note.opening, note.closing) == (4_950_000, 5_000_000)
    assert (second.opening, second.closing, second.given) == (5_000_000, 4_990_000, 1_000 - 5_000)
    with place.reading() as connection:
        bill = bill_of(connection, line, close.period, itemised=True)
        shown = credit_note_of(connection, 1)
        assert wrong_bills(connection) == []
    assert (bill.opening, bill.closing, bill.credit_notes) == (4_950_000, 4_990_000, (1,))
    assert [(each.what, each.note, each.amount) for each in bill.lines] == [("credit", 1, 50_000), ("data", 0, -10_000)]
    assert [(each.what, each.amount) for each in shown.lines] == [("refund", 50_000)]
    text = write_text(bill, "447700900001", Writer("en", UTC), "TPO", {})
    assert "Credit note 1" in text
    assert moved(place) == booked(place)


def test_a_call_that_was_free_to_the_caller_is_on_no_bill_neither_as_an_item_nor_in_a_sum(place):
    line, at = place.enrol(5_000_000), place.ticks.now
    calls = [  # seconds, price, covered, rate key
        (60, 30_000, 0, "//44/"),
        (120, 0, 120, ""),
        (1_000, 0, 0, "free///"),
        (2_000, 0, 0, "sos///"),
        (4_000, 0, 0, ""),
    ]
    with place.writer.begin() as connection:
        for seconds, price, covered, key in calls:
            row = {"id": place.node.take_id(), "event_at": at, "subscriber_id": line, "session": 1, "service": "voice"}
            row |= {"octets": 0, "seconds": seconds, "units": 0, "price": price, "currency": "GBP", "plan": "payg-gb"}
            connection.execute(usage.insert().values(row | {"covered": covered, "rate_key": key}))
    period = place.pass_month()
    place.close_month(period)
    with place.reading() as connection:
        bill = bill_of(connection, line, period, itemised=True)
    (calls_told,) = [each for each in bill.lines if each.what == "voice"]
    assert (calls_told.count, calls_told.seconds) == (2, 180)
    assert sorted(each.seconds for each in bill.items if each.what == "voice") == [60, 120]


def end_line(place, line):
    """End a line as its order does."""
    place.lane.run(EndLine(line))
