"""Payments of bills as the interfaces book them: by a bill's number, and line by line of a bank's file."""

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.bill_payments import book_lines, pay_bill
from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.bills import BankLineSaid, PaidLines, PayBillOnce
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
