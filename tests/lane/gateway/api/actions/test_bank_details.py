"""Bank details of a cause as they are proposed: what two readers could read in two ways is refused."""

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.charity_payments import propose_bank
from gateway.api.callers import ADMIN, Caller
from gateway.api.problems import Problem
from gateway.api.requests.charity import ProposeBank
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.privacy.access import CAUSES

ANN = Caller("ann", ADMIN, frozenset({CAUSES}))
NAMED = '"name": "A", "sort_code": "20-00-00"'


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    yield context
    context.close()


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (f'{{{NAMED}, "account": "55779911", "account": "99119977"}}', "names one thing twice"),
        ('{"name": "A\\u0000"}', "holds U\\+0000"),
        ("[" * 450 + "]" * 450, "more than 16 deep"),
        ("{", "no JSON"),
        (f"{{{NAMED}, 5}}", "no JSON"),
        (f'{{{NAMED}, "account": 55779911}}', "give a JSON object with texts of name, sort_code, account"),
        ("[]", "give a JSON object with texts"),
    ],
)
def test_an_account_that_could_be_read_in_two_ways_or_in_none_is_refused(context, account, said):
    with pytest.raises(Problem, match=f"account: .*{said}") as refused:
        propose_bank(context, ProposeBank(next(iter(context.settings.causes)), "GBP", account), ANN)
    assert refused.value.code == "bank.details"
