"""A change of a line's terms that names one of them leaves the others as they are, and takes nothing away that it names not."""

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.balance import family, renewal
from gateway.api.actions.subscribers import show_subscriber
from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.lines import SetPayer, SetRenewal
from gateway.api.requests.subscribers import ShowSubscriber
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.balance.queries import LinePayer
from gateway.context import GatewayContext
from gateway.policies import make_policies

ANN = Caller("ann", "operator")
LINE, PAYER = "447700900101", "447700900102"


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    for last, number in enumerate((LINE, PAYER), 1):
        row = Enrolment(number, f"23415000000010{last}", f"894423415000000010{last}", "payg-gb", "", 0)
        context.lane.run(Enrol(row, "GBP"))
    yield context
    context.close()


def test_another_billing_day_is_no_consent_and_takes_none_away(context):
    assert renewal(context, SetRenewal(LINE, "moved", billing_day=15), ANN).consent_at is None
    agreed = renewal(context, SetRenewal(LINE, "signed", consent=True), ANN)
    moved = renewal(context, SetRenewal(LINE, "moved again", billing_day=31), ANN)
    assert (moved.consent_at, moved.billing_day) == (agreed.consent_at, 31)
    assert agreed.billing_day == 15
    assert renewal(context, SetRenewal(LINE, "by phone", consent=False), ANN).consent_at is None


def test_a_renewal_of_which_nothing_is_said_is_refused(context):
    with pytest.raises(Problem, match="another billing day"):
        renewal(context, SetRenewal(LINE, "why"), ANN)


def test_a_cap_without_a_payer_ends_no_family(context):
    told = family(context, SetPayer(LINE, "family", PAYER, "20.00"), ANN)
    with pytest.raises(Problem, match="name the payer"):
        family(context, SetPayer(LINE, "more", cap="30.00"), ANN)
    assert show_subscriber(context, ShowSubscriber(LINE), ANN).payer == LinePayer(told.payer, "20.00")
    assert family(context, SetPayer(LINE, "own contract"), ANN).payer is None
    assert show_subscriber(context, ShowSubscriber(LINE), ANN).payer is None
