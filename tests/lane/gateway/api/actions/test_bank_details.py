"""Bank details of a cause as they are proposed: what two readers could read in two ways is refused."""

from contextlib import closing

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.charity_payments import propose_bank
from gateway.api.callers import ADMIN, Caller
from gateway.api.problems import Problem
from gateway.api.requests.charity import ProposeBank
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.privacy.access import CAUSES
from gateway.settings import load

ANN = Caller("ann", ADMIN, frozenset({CAUSES}))
OURS = "name: Example Giving, sort_code: 20-00-00, account: '55779911'"
NAMED = '"name": "A", "sort_code": "20-00-00"'


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    yield context
    context.close()


@pytest.mark.parametrize(
    ("account", "key"),
    [
        (f'{{{NAMED}, "account": "55779911"}}', "charity.accounts"),
        ('{"name": "A", "iban": "GB33BUKB20201555555555"}', "bills.accounts"),
        (f'{{{NAMED}, "account": "12345678"}}', None),
    ],
)
def test_an_account_of_ours_is_no_cause_s(tmp_path, account, key):
    file = settings_of(tmp_path).file
    with file.open("a") as settings:
        settings.write("bills: {accounts: [{sort_code: '202015', account: '55555555'}]}\n")
        settings.write(f"charity: {{accounts: [{{currency: GBP, format: pain.001.001.09, {OURS}}}]}}\n")
    with closing(GatewayContext(load(file, {}), make_policies)) as context:
        proposal = ProposeBank(next(iter(context.settings.causes)), "GBP", account)
        if key is None:
            assert propose_bank(context, proposal, ANN).valid_from is None
        else:
            with pytest.raises(Problem, match=f"account: it is one of {key}, which are ours") as refused:
                propose_bank(context, proposal, ANN)
            assert refused.value.code == "bank.own"


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
