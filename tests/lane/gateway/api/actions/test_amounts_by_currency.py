"""Amounts that name no currency are in that of the line's wallet, with its decimals, whichever the operator's is."""

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.balance import credit_limit, family
from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.lines import SetCreditLimit, SetPayer
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.context import GatewayContext
from gateway.policies import make_policies

ADMIN = Caller("ann", "admin")
LINE, PAYER = "447700900101", "447700900102"


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    yield context
    context.close()


@pytest.mark.parametrize(("currency", "good", "bad"), [("JPY", "100", "100.5"), ("KWD", "1.005", "1.0005")])
def test_a_credit_limit_and_a_familys_cap_have_the_decimals_of_the_wallets_currency(context, currency, good, bad):
    for last, number in enumerate((LINE, PAYER), 1):
        row = Enrolment(number, f"23415000000010{last}", f"894423415000000010{last}", "payg-gb", "", 0)
        context.lane.run(Enrol(row, currency))
    assert credit_limit(context, SetCreditLimit(LINE, good, "as agreed"), ADMIN).credit_limit == good
    assert family(context, SetPayer(LINE, "as agreed", PAYER, good), ADMIN).cap == good
    for refused in (
        lambda: credit_limit(context, SetCreditLimit(LINE, bad, "as agreed"), ADMIN),
        lambda: family(context, SetPayer(LINE, "as agreed", PAYER, bad), ADMIN),
    ):
        with pytest.raises(Problem, match=f"whole minor units of {currency}"):
            refused()


def test_a_line_that_nobody_has_is_refused_before_its_amount_is_looked_at(context):
    with pytest.raises(Problem) as refused:
        credit_limit(context, SetCreditLimit(LINE, "1.00", "as agreed"), ADMIN)
    assert refused.value.code == "subscriber.unknown"
