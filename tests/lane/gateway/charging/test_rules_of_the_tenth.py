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


def rule(place, *exclusions, name="2027-2"):
    """From now on another rule is in force, recorded as at a reload."""
    new = Policy(name, base="gross", rate=1_000, exclusions=exclusions, effective_from=next(place.ticks))
    later = (*place.policy.tariff.later, new)
    with place.writer.begin() as connection:
        wanted = [Content(POLICY, each.id, canonical(each)) for each in (*POLICIES.values(), *later)]
        versions.record(connection, wanted, next(place.ticks))
    place.policy.tariff = msgspec.structs.replace(place.policy.tariff, later=later)
    place.ticks.skip(60)


def tenths(place):
    """(base, tenth) of each accrual."""
    found = select(transfers.c.base, transfers.c.amount).where(transfers.c.kind == "accrual").order_by(transfers.c.id)
    return [tuple(row) for row in place.read(found)]


def wrong(place):
    with place.reader.connect() as connection:
        found = check(connection, recompute).findings
    return [each.detail for each in found if each.check in {"accrual", "policy", "session"}]


def test_what_a_rule_leaves_out_has_no_tenth_from_its_day_on_and_the_books_are_right(place):
    place.enrol(50_000_000)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[8 * MEGABYTE], ask=0)))
    rule(place, "data")
    place.ask(ccr(UPDATE, 2, service(used=[9 * MEGABYTE], ask=0)))
    rule(place, name="2027-3")
    place.ask(ccr(TERMINATION, 3, service(used=[8 * MEGABYTE])))
    charged = place.read(select(transfers.c.amount).where(transfers.c.kind == "charge").order_by(transfers.c.id))
    first, left_out, last = (amount for (amount,) in charged)
    assert left_out > 1_000
    assert tenths(place) == [(first, first // 10), (last, last // 10)]
    assert wrong(place) == []


@pytest.mark.parametrize("exclusions", [("sale", "voice", "sms"), ("usage",)])
def test_a_rule_that_leaves_out_a_sale_or_all_use_leaves_the_other_its_tenth(place, exclusions):
    place.enrol(50_000_000, plan="bundle-gb")
    rule(place, *exclusions)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(TERMINATION, 1, service(used=[8 * MEGABYTE])))
    sold = place.read(select(transfers.c.amount).where(transfers.c.kind == "sale"))
    assert len(sold) == 1
    assert len(tenths(place)) == ("sale" not in exclusions)
    assert wrong(place) == []


def test_a_tenth_that_is_missing_or_stands_where_its_rule_leaves_it_out_is_named(place):
    place.enrol(50_000_000)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[8 * MEGABYTE], ask=0)))
    rule(place, "voice")
    place.ask(ccr(TERMINATION, 2, service(used=[8 * MEGABYTE])))
    first, second = place.read(select(transfers.c.id).where(transfers.c.kind == "accrual").order_by(transfers.c.id))
    assert wrong(place) == []
    with place.writer.begin() as connection:
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE usage SET service = 'voice' WHERE id > (SELECT min(id) FROM usage)")
        connection.exec_driver_sql(f"DELETE FROM transfers WHERE id = {first[0]}")
    found = wrong(place)
    assert f"entry {second[0]} accrues on what its rule 2027-2 leaves out" in found
    assert f"entry {first[0] - 1} is a charge of which no tenth was booked" in found
