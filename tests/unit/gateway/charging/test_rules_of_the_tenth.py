"""A rule of the tenth that follows another: each charge by that of its own time, and the books know both."""

import msgspec
import pytest
from sqlalchemy import select
from support.charging_fixture import INITIAL, TERMINATION, UPDATE, ccr, charging_place, service

from gateway.charity.policies import NET, POLICIES, Policy, recompute
from gateway.ledger.check import check
from gateway.store import versions
from gateway.store.tables import transfers
from gateway.store.versions import POLICY, Content, canonical

MEGABYTE = 1_000_000


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as opened:
        yield opened


def test_usage_before_the_day_goes_by_the_old_rule_and_after_it_by_the_new_and_both_are_proved(place):
    place.enrol(50_000_000)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[8 * MEGABYTE], ask=0)))
    net = Policy("2027-1", base=NET, rate=1_000, tax=2_000, effective_from=next(place.ticks))
    with place.writer.begin() as connection:
        wanted = [Content(POLICY, each.id, canonical(each)) for each in (*POLICIES.values(), net)]
        versions.record(connection, wanted, next(place.ticks))
    place.policy.tariff = msgspec.structs.replace(place.policy.tariff, later=(net,))
    place.ticks.skip(60)
    place.ask(ccr(TERMINATION, 2, service(used=[8 * MEGABYTE])))
    rows = place.read(
        select(transfers.c.policy, transfers.c.base, transfers.c.amount).where(transfers.c.kind == "accrual")
    )
    (old, old_base, tenth), (new, new_base, less) = rows
    assert (old, new) == ("2026-1", "2027-1")
    assert tenth * 10 == old_base
    assert abs(less * 12 - new_base) <= 12
    with place.reader.connect() as connection:
        found = [each for each in check(connection, recompute).findings if each.check in {"accrual", "policy"}]
    assert found == []
