"""Amounts that name no currency are in that of the line's wallet, with its decimals, whichever the operator's is."""

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.balance import credit_limit, family, give_credit
from gateway.api.actions.bill_payments import pay_bill
from gateway.api.actions.charity_reports import profit_share
from gateway.api.actions.gifts import give
from gateway.api.actions.limits import decide_limit
from gateway.api.actions.subscribers import top_up
from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.bills import PayBillOnce
from gateway.api.requests.charity import ProfitShare
from gateway.api.requests.gifts import GiveGift
from gateway.api.requests.lines import DecideLimit, GiveCredit, SetCreditLimit, SetPayer
from gateway.api.requests.subscribers import TopUpSubscriber
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.privacy.access import CAUSES

ADMIN = Caller("ann", "admin", frozenset({CAUSES}))
LINE, PAYER = "447700900101", "447700900102"


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    yield context
    context.close()


@pytest.mark.parametrize(("currency", "good", "bad"), [("JPY", "100", "100.5"), ("KWD", "1.005", "1.0005")])
def test_limits_have_the_decimals_of_the_wallets_currency(context, currency, good, bad):
    for last, number in enumerate((LINE, PAYER), 1):
        row = Enrolment(number, f"23415000000010{last}", f"894423415000000010{last}", "payg-gb", "", 0)
        context.lane.run(Enrol(row, currency))
    assert credit_limit(context, SetCreditLimit(LINE, good, "as agreed"), ADMIN).credit_limit == good
    assert family(context, SetPayer(LINE, "as agreed", PAYER, good), ADMIN).cap == good
    assert decide_limit(context, DecideLimit(LINE, "set", "call", "2026-1", good), ADMIN).limit == good
    for refused in (
        lambda: credit_limit(context, SetCreditLimit(LINE, bad, "as agreed"), ADMIN),
        lambda: family(context, SetPayer(LINE, "as agreed", PAYER, bad), ADMIN),
        lambda: decide_limit(context, DecideLimit(LINE, "set", "call", "2026-1", bad), ADMIN),
    ):
        with pytest.raises(Problem, match=f"whole minor units of {currency}"):
            refused()


def test_a_line_that_nobody_has_is_refused_before_its_amount_is_looked_at(context):
    with pytest.raises(Problem) as refused:
        credit_limit(context, SetCreditLimit(LINE, "1.00", "as agreed"), ADMIN)
    assert refused.value.code == "subscriber.unknown"


@pytest.mark.parametrize(
    ("action", "request_"),
    [
        (decide_limit, DecideLimit(LINE, "set", "call", "2026-1", "5.005")),
        (top_up, TopUpSubscriber(LINE, "5.005", "GBP", "r")),
        (give, GiveGift(LINE, "wwf", "5.005", "GBP", "r")),
        (give_credit, GiveCredit(LINE, "5.005", "GBP", 30, "r")),
        (pay_bill, PayBillOnce(1, "5.005", "GBP", "r")),
        (profit_share, ProfitShare("2026-10", "5.005", "profit", book=False)),
    ],
)
def test_what_a_person_gives_is_refused_with_the_decimals_that_its_currency_has(context, action, request_):
    context.lane.run(Enrol(Enrolment(LINE, "234150000000101", "8944234150000000101", "payg-gb", "", 0), "GBP"))
    with pytest.raises(Problem, match=r"'5.005': GBP has at most 2 decimals"):
        action(context, request_, ADMIN)
