"""The same on PostgreSQL: closing, late use, reopening, payments, dunning and the check, in one story."""

from contextlib import suppress
from datetime import UTC

from sqlalchemy import select
from support import charging_fixture as charging
from support.billing_fixture import DAY, billing_place

from gateway.balance.line_terms import SetCreditLimit
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.topups import Payment
from gateway.billing.bank_lines import BankPayment, matches
from gateway.billing.check_bills import wrong_bills
from gateway.billing.closing import ReopenMonth
from gateway.billing.dunning_job import due_lines
from gateway.billing.payments import PayBill, TakeBack
from gateway.billing.preview import AlreadyClosed, preview
from gateway.billing.references import reference_of
from gateway.billing.statement import bill_of
from gateway.charity.months import begin_of, end_of, following
from gateway.store.tables import usage


def test_months_are_closed_reopened_shown_paid_and_dunned_on_a_server(database):
    with billing_place(database("bills")) as place:
        line = place.enrol(0)
        place.lane.run(SetCreditLimit("msisdn", charging.MSISDN, 50_000_000, "ann", "pays monthly"))
        place.use(5_000_000, "p;1")
        period = place.pass_month()
        first = place.close_month(period)
        with place.reading() as connection:
            later = [following(following(period)), following(following(following(period)))]
            for month in (*later, "2020-01"):
                with suppress(AlreadyClosed):
                    assert preview(
                        connection, month, begin_of(month, UTC), end_of(month, UTC)
                    ).closed_first == following(period)
        place.use(2_000_000, "p;2", at=place.ticks.now // 1_000_000 - 40 * 3600)
        place.lane.run(ReopenMonth(period, "ann", "a late file"))
        place.lane.run(ReopenMonth(period, "bob", confirm=True))
        again = place.close_month(period)
        assert (first.bills, again.bills, again.credit_notes) == (1, 1, 1)
        place.ticks.skip(15 * DAY)
        line_of_bank = BankPayment("b1", 70_000, "GBP", 1, credit=True, texts=(reference_of(2),))
        with place.reading() as connection:
            bill = bill_of(connection, line, period, itemised=True)
            (due,) = due_lines(connection, place.ticks.now)
            (match,) = matches(connection, [line_of_bank])
            assert wrong_bills(connection) == []
        assert (bill.number, bill.closing, bill.due, len(bill.items)) == (2, -70_000, 70_000, 2)
        assert (due.look.outstanding, match.subscriber_id) == (70_000, line)
        place.lane.run(PayBill(Payment("bank", "b1", 70_000, "GBP"), place.ticks.now, "E2E", "ann", line))
        with place.reading() as connection:
            (paid,) = due_lines(connection, place.ticks.now)
        assert paid.look.outstanding == 0
        back = BankPayment("r1", 70_000, "GBP", 1, credit=False, returned="MD06", payer_reference="E2E")
        with place.reading() as connection:
            (match,) = matches(connection, [back])
        assert (match.original, match.channel) == ("b1", "bank")
        taken = [
            place.lane.run(TakeBack(Payment("bank", reference, 70_000, "GBP"), place.ticks.now, "E2E", "ann", "b1"))
            for reference in ("r1", "r2")
        ]
        assert (taken[0].balance, taken[1].code) == (-70_000, "payment.amount")
        with place.reading() as connection:
            (owed,) = due_lines(connection, place.ticks.now)
        assert owed.look.outstanding == 70_000
        place.use(3_000_000, "p;3")
        with place.reading() as connection:
            records = connection.scalars(select(usage.c.id).order_by(usage.c.id)).all()
        for record, outstanding in ((records[-1], 70_000), (records[0], 20_000)):
            with place.reading() as connection:
                of = charged(connection, record)
            place.lane.run(RefundUsage(of, "ann", "cut off"))
            with place.reading() as connection:
                (owed,) = due_lines(connection, place.ticks.now)
            assert owed.look.outstanding == outstanding, "what was used since the bill is not on it"
        again = PayBill(Payment("shop", "k1", 70_000, "GBP"), place.ticks.now, "k1", "ann", line)
        assert place.lane.run(again).alike == "", "what came back is paid in another way"
        again = PayBill(Payment("bank", "b2", 70_000, "GBP"), place.ticks.now, "E2E", "ann", line)
        assert place.lane.run(again).alike == "k1"
