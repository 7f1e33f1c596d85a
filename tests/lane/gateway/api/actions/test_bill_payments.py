"""Payments of bills as the interfaces book them: by a bill's number, and line by line of a bank's file."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from support.bank_files import entry, payment, statement
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
from gateway.cli.bank_files import lines_of
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.settings import ConfigInvalid, load

SHOP = Caller("shop", "operator")


@pytest.fixture
def context(tmp_path):
    yield from opened(settings_of(tmp_path))


def opened(settings):
    """A gateway with a bill."""
    context = GatewayContext(settings, make_policies)
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


OURS = "bills: {accounts: [{sort_code: 20-20-15, account: '55555555'}, {routing: '021000021', account: '1234567'}]}\n"


def of_file(data, tmp_path):
    """What `tpo bill paid` sends of a bank's file."""
    file = tmp_path / "of-the-bank"
    file.write_bytes(data)
    return PaidLines([msgspec.convert(line, BankLineSaid) for line in lines_of(file)])


def test_a_statement_of_an_account_that_customers_do_not_pay_to_is_refused_whole(tmp_path):
    settings = settings_of(tmp_path)
    with settings.file.open("a") as file:
        file.write(OURS)
    for context in opened(load(settings.file, {})):
        paid = entry("1.00", reference="R-1", details=payment("E2E-1", remittance=reference_of(1)))
        for account in ("GB33BUKB60161331926819", "021000021"):
            with pytest.raises(Problem) as refused:
                book_lines(context, of_file(statement(paid, account=account), tmp_path), SHOP)
            assert refused.value.code == "bank.account"
            assert refused.value.detail == "file: it is of an account that bills.accounts does not have"
        (booked,) = book_lines(context, of_file(statement(paid), tmp_path), SHOP).results
        assert booked.outcome == "paid"
        table = f"reference,amount,currency,date,bill\nb-1,1.00,GBP,2026-12-01,{reference_of(1)}\n"
        (by_hand,) = book_lines(context, of_file(table.encode(), tmp_path), SHOP).results
        assert by_hand.outcome == "paid", "a CSV file says no account"


def test_without_accounts_in_the_settings_a_statement_of_any_account_pays_bills(context, tmp_path):
    paid = entry("1.00", reference="R-1", details=payment("E2E-1", remittance=reference_of(1)))
    (booked,) = book_lines(context, of_file(statement(paid, account="GB33BUKB60161331926819"), tmp_path), SHOP).results
    assert booked.outcome == "paid"


@pytest.mark.parametrize("account", ["{sort_code: '123', account: '12345678'}", "{iban: GB00}", "{}", "{name: x}"])
def test_an_account_that_no_bank_has_is_refused_in_the_settings(tmp_path, account):
    settings = settings_of(tmp_path)
    with settings.file.open("a") as file:
        file.write(f"bills: {{accounts: [{account}]}}\n")
    with pytest.raises(ConfigInvalid) as refused:
        load(settings.file, {})
    assert any("bills.accounts[0]" in str(problem) for problem in refused.value.problems)


def test_a_payment_that_two_channels_tell_of_is_booked_and_warned_of_whichever_came_first(context):
    told = []
    context.log = lambda event, fields: told.append((event, fields))

    def by_bank(reference, amount, days_ago=0):
        day = datetime.fromtimestamp(context.clock() / 1_000_000, UTC) - timedelta(days=days_ago)
        said = {"currency": "GBP", "date": f"{day:%Y-%m-%d}", "credit": True, "texts": [reference_of(1)]}
        (result,) = book_lines(context, PaidLines([BankLineSaid(reference, amount, **said)]), SHOP).results
        return result.outcome, result.message

    assert pay_bill(context, PayBillOnce(1, "1.50", "GBP", "key-1"), SHOP).warning == ""
    assert pay_bill(context, PayBillOnce(1, "1.50", "GBP", "key-2"), SHOP).warning == "", "a channel knows its own"
    assert by_bank("b-1", "1.51") == ("paid", "")
    outcome, message = by_bank("b-2", "1.50", days_ago=2)
    assert (outcome, "by another channel, as key-2" in message) == ("paid", True)
    assert by_bank("b-2", "1.50", days_ago=2) == ("repeated", "")
    paid = pay_bill(context, PayBillOnce(1, "1.51", "GBP", "key-3"), SHOP)
    assert (paid.balance, "as b-1: ask whether it is the same payment" in paid.warning) == ("12.52", True)
    assert told == [
        ("bill.payment.alike", {"bill": 1, "reference": "b-2", "alike": "key-2"}),
        ("bill.payment.alike", {"bill": 1, "reference": "key-3", "alike": "b-1"}),
    ]
