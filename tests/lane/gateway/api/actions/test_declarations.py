"""Gift Aid declarations as the interfaces take them: from which day gifts are covered, by the operator's clock."""

from datetime import UTC, datetime

import pytest
from support.sims_context_fixture import settings_of

from gateway.api.actions.gift_aid import declare
from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.gifts import DeclareGiftAid
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.policies import make_policies

NUMBER = "447700900101"
HALF_PAST_MIDNIGHT = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
"""On 1 July, by British Summer Time."""


@pytest.fixture
def context(tmp_path):
    now = int(HALF_PAST_MIDNIGHT.timestamp()) * 1_000_000
    context = GatewayContext(settings_of(tmp_path), make_policies, environment=Environment(clock=lambda: now))
    row = Enrolment(NUMBER, "234150000000101", "8944234150000000101", "payg-gb", "", 0)
    context.lane.run(Enrol(row, "GBP"))
    yield context
    context.close()


def covers_from(context, day):
    person = ("Ada", "Byron", "12", "S19 2BD")
    request = DeclareGiftAid(NUMBER, "wateraid", *person, "form", "hmrc-2026", covers_from=day)
    return declare(context, request, Caller("clerk", "operator")).covers_from


def test_a_declaration_covers_gifts_from_the_beginning_of_its_day(context):
    assert covers_from(context, "2026-07-01") == "2026-06-30T23:00:00Z"
    assert covers_from(context, "2026-01-31") == "2026-01-31T00:00:00Z"
    with pytest.raises(Problem, match="not later than today"):
        covers_from(context, "2026-07-02")
