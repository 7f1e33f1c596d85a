"""The simulated bank writes what the gateway's readers take, and makes and refuses payments as it is told."""

from gateway.bank import camt, pain001, pain002
from gateway.bank.accounts import BankAccount
from simulators.bank import Account, Bank, minor_units, written

COMPANY, CHARITY = Account("Company", "200000", "41110001"), Account("Giving", "200000", "41110002")
CAUSE, CLOSED = Account("Cause", "300000", "52000001"), Account("Closed", "300000", "52000002")
DAY = "2025-02-03"


def order(*payments):
    """A payment order of the charity account, as the gateway writes it."""
    found = [
        pain001.Payment(name, pence * 10_000, BankAccount(to.name, to.sort_code, to.number), "tenths")
        for name, pence, to in payments
    ]
    payer = BankAccount(CHARITY.name, CHARITY.sort_code, CHARITY.number)
    return pain001.written(pain001.Order("M1", f"{DAY}T09:00:00Z", DAY, payer, "GBP", found), "pain.001.001.09")


def lines(octets):
    return [
        (line.signed // 10_000, line.end_to_end_id, line.returned) for each in camt.read(octets) for line in each.lines
    ]


def test_a_statement_has_what_was_booked_since_the_last_one_and_its_balances_lead_from_one_to_the_other():
    bank = Bank([COMPANY, CHARITY])
    bank.credit(COMPANY, DAY, 1250, "E1", "bill RF1")
    bank.take_back(COMPANY, DAY, 1250, "E1")
    assert lines(bank.statement(COMPANY, DAY)) == [(1250, "E1", ""), (-1250, "E1", "AC04")]
    bank.transfer(COMPANY, CHARITY, DAY, 300)
    (said,) = camt.read(bank.statement(COMPANY, DAY))
    assert [line.signed for line in said.lines] == [-3_000_000]
    assert said.balance("CLBD").amount == -3_000_000
    assert BankAccount(COMPANY.name, COMPANY.sort_code, COMPANY.number).is_called(said.account)


def test_an_order_is_paid_but_for_what_is_refused_and_the_report_says_which():
    bank = Bank([CHARITY])
    both = order(("TA", 500, CAUSE), ("TB", 700, CLOSED))
    report = bank.take_order(CHARITY, DAY, both, lambda each: each.to.number == CLOSED.number)
    assert [(each.end_to_end_id, each.is_rejected) for each in pain002.read(report)] == [("TA", False), ("TB", True)]
    assert bank.received == {(CAUSE.sort_code, CAUSE.number): 500}
    assert lines(bank.statement(CHARITY, DAY)) == [(-500, "TA", "")]


def test_a_payment_that_comes_back_is_received_by_nobody():
    bank = Bank([CHARITY])
    bank.take_order(CHARITY, DAY, order(("TA", 500, CAUSE)), lambda _each: False)
    (paid,) = bank.payments_to(CAUSE)
    bank.give_back(CHARITY, DAY, paid.end_to_end_id)
    assert (bank.received[CAUSE.sort_code, CAUSE.number], bank.payments_to(CAUSE)) == (0, [])
    assert lines(bank.statement(CHARITY, DAY))[-1] == (500, "TA", "AC04")
    assert bank.balances[CHARITY] == 0


def test_pounds_are_read_and_written_as_pence():
    assert [minor_units(each) for each in ("12.50", "12.5", "12", "-0.07")] == [1250, 1250, 1200, -7]
    assert [written(each) for each in (1250, 7)] == ["12.50", "0.07"]
