"""Payments of bills as the interfaces book them: by a bill's number, and line by line of a bank's file."""

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.bill_payments import book_lines, pay_bill
from gateway.api.actions.subscribers import top_up
from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.bills import BankLineSaid, PaidLines, PayBillOnce
from gateway.api.requests.subscribers import TopUpSubscriber
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.billing.closing import BeginClose, WriteBills
from gateway.billing.content import Content, write_content
from gateway.billing.reading import Draft
from gateway.billing.references import reference_of
from gateway.context import GatewayContext
from gateway.policies import make_policies

SHOP = Caller("shop", "operator")


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    row = Enrolment("447700900101", "234150000000101", "8944234150000000101", "payg-gb", "", 5_000_000)
    line = context.lane.run(Enrol(row, "GBP")).subscriber_id
    close = context.lane.run(BeginClose("2020-01", 1, "ann"))
    context.lane.run(WriteBills(close.id, 0, [Draft(line, "GBP", 0, 0, 0, write_content(Content()))], 1))
    yield context
    context.close()


def test_a_bill_is_paid_by_its_number_and_the_key_is_the_payments_reference(context):
    paid = pay_bill(context, PayBillOnce(1, "1.50", "GBP", "key-1"), SHOP)
    again = pay_bill(context, PayBillOnce(1, "1.50", "GBP", "key-1"), SHOP)
    assert (paid.balance, paid.repeated, again.balance, again.repeated) == ("6.50", False, "6.50", True)
    for request, code in (
        (PayBillOnce(1, "2.00", "GBP", "key-1"), "payment.reference"),
        (PayBillOnce(9, "2.00", "GBP", "key-2"), "bill.unknown"),
        (PayBillOnce(1, "0.001", "GBP", "key-2"), "payment.invalid"),
        (PayBillOnce(1, "-2", "GBP", "key-2"), "payment.invalid"),
        (PayBillOnce(1, "2.00", "EUR", "key-2"), "payment.currency"),
    ):
        with pytest.raises(Problem) as refused:
            pay_bill(context, request, SHOP)
        assert refused.value.code == code


def test_each_line_of_a_banks_file_is_told_apart_and_a_wrong_one_stops_no_other(context):
    def line(reference, **more):
        said = {"amount": "1.00", "currency": "GBP", "date": "2026-12-01", "credit": True} | more
        return BankLineSaid(reference=reference, **said)

    lines = [
        line("b-1", texts=[f"bill {reference_of(1)}"], payer_reference="E2E-1"),
        line("b-2", texts=["rent"]),
        line("b-3", date="2026-13-01"),
        line("b-4", amount="1,00"),
        line("b-5", currency="EUR", texts=[reference_of(1)]),
        line("b-6", credit=False, returned="MD06", payer_reference="E2E-2"),
    ]
    told = [result.outcome for result in book_lines(context, PaidLines(lines), SHOP).results]
    assert told == ["paid", "unmatched", "refused", "refused", "refused", "unmatched"]
    back = line("b-7", credit=False, returned="MD06", payer_reference="E2E-1")
    for outcome in ("taken_back", "repeated"):
        (result,) = book_lines(context, PaidLines([back]), SHOP).results
        assert result.outcome == outcome
    assert pay_bill(context, PayBillOnce(1, "1.00", "GBP", "k"), SHOP).balance == "6.00"


def test_a_payment_and_its_return_in_one_file_are_both_booked_and_a_part_of_a_penny_is_refused(context):
    def line(reference, amount, **more):
        said = {"currency": "GBP", "date": "2026-12-01", "credit": True, "payer_reference": "E2E-7"} | more
        return BankLineSaid(reference, amount, **said)

    lines = [
        line("b-8", "0.001", texts=[reference_of(1)]),
        line("b-9", "2.00", credit=False, returned="AC04"),
        line("b-10", "2.00", texts=[reference_of(1)]),
    ]
    told = [(result.reference, result.outcome) for result in book_lines(context, PaidLines(lines), SHOP).results]
    assert told == [("b-8", "refused"), ("b-9", "taken_back"), ("b-10", "paid")]


def test_a_top_up_that_the_bank_takes_back_is_taken_from_the_wallet_once_by_the_reference_of_its_channel(context):
    top_up(context, TopUpSubscriber("447700900101", "10.00", "GBP", "psp-77"), SHOP)
    pay_bill(context, PayBillOnce(1, "2.00", "GBP", "psp-78"), SHOP)

    def back(reference, amount, of):
        said = {"currency": "GBP", "date": "2026-12-01", "credit": False, "returned": "MD06", "payer_reference": of}
        (result,) = book_lines(context, PaidLines([BankLineSaid(reference, amount, **said)]), SHOP).results
        return result.outcome

    assert back("c-1", "10.01", "psp-77") == "refused"
    assert [back(reference, "10.00", "psp-77") for reference in ("c-2", "c-2", "c-3")] == [
        "taken_back",
        "repeated",
        "refused",
    ]
    assert back("c-4", "2.00", "psp-78") == "taken_back"
    assert back("c-5", "2.00", "psp-79") == "unmatched"
    assert pay_bill(context, PayBillOnce(1, "1.00", "GBP", "k"), SHOP).balance == "6.00"
