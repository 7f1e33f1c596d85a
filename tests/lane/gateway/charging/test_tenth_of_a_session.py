"""The tenth of a session is that of what it was charged in all, however it was cut (money cases L11 and L12)."""

import pytest
from sqlalchemy import func, insert, select, text
from support.books import check
from support.charging_fixture import INITIAL, MSISDN, PENNY, TERMINATION, UPDATE, ccr, charging_place, service

from gateway.balance.changes import ChooseCauses
from gateway.charity.accruals import RunningTenth
from gateway.charity.choices import Share
from gateway.charity.policies import POLICIES, recompute
from gateway.ledger.accounts import ensure
from gateway.ledger.checks.tenths import RUNNING_SINCE
from gateway.store import tables

POUND = 100 * PENNY
HALVES = (Share("wwf", 5_000), Share("wateraid", 5_000))


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        opened.enrol(POUND)
        yield opened


def findings(place):
    with place.reader.connect() as connection:
        return check(connection, recompute).findings


def accrued(place):
    """What each cause got."""
    names = {number: name for name, number in place.accounts.items()}
    found = {}
    for row in place.read(select(tables.transfers).where(tables.transfers.c.kind == "accrual")):
        found[names[row.credit]] = found.get(names[row.credit], 0) + row.amount
    return found


def report(place, *octets, session="pgw;1;1"):
    place.ask(ccr(INITIAL, 0, service(ask=0), session=session))
    for number, used in enumerate(octets, 1):
        place.ask(ccr(UPDATE, number, service(used=[used], ask=0), session=session))
    place.ask(ccr(TERMINATION, len(octets) + 1, session=session))


def test_two_hundred_crumbs_come_to_the_tenth_of_their_sum(place):
    report(place, *[400] * 200)
    assert accrued(place) == {"cause:wateraid": 80}
    assert findings(place) == []


def test_two_hundred_crumbs_are_shared_as_one_charge_would_be(place):
    place.lane.run(ChooseCauses("msisdn", MSISDN, HALVES))
    report(place, *[400] * 200)
    assert accrued(place) == {"cause:wateraid": 40, "cause:wwf": 40}
    assert findings(place) == []


def test_a_cause_that_only_another_gateway_has_read_of_gets_its_part_too(place):
    shares = (Share("kelp", 3_333), Share("seagrass", 3_333), Share("wateraid", 3_334))
    place.lane.run(ChooseCauses("msisdn", MSISDN, shares))
    with place.writer.begin() as connection:
        opened = ensure(connection, [*place.accounts, "cause:kelp", "cause:seagrass"]).numbers
    report(place, *[400] * 200)
    place.accounts.update(opened)
    assert accrued(place) == {"cause:kelp": 27, "cause:seagrass": 26, "cause:wateraid": 27}
    assert findings(place) == []


def test_a_tenth_is_split_to_the_largest_remainder_and_equal_ones_by_cause(place):
    place.lane.run(ChooseCauses("msisdn", MSISDN, HALVES))
    report(place, 3_000)
    assert accrued(place) == {"cause:wateraid": 2, "cause:wwf": 1}
    assert findings(place) == []


def test_rating_groups_of_one_session_add_up_and_sessions_do_not(place):
    place.ask(ccr(INITIAL, 0, service(10, ask=0), service(11, ask=0)))
    place.ask(ccr(UPDATE, 1, service(10, used=[300]), service(11, used=[300])))  # 3 + 3 micro-units
    place.ask(ccr(UPDATE, 0, service(10, used=[300]), session="pgw;2"))
    assert accrued(place) == {"cause:wateraid": 1}
    assert findings(place) == []


@pytest.mark.parametrize("shares", [(10_000,), (5_000, 5_000), (3_334, 3_333, 3_333), (1, 9_999)])
def test_parts_follow_the_shares_and_never_take_anything_back(shares):
    policy, running = POLICIES["2026-1"], RunningTenth()
    sums = [0] * len(shares)
    for charge in [4, 1, 15, 10, 999, 7] * 20:
        tenth = running.add(charge, policy)
        parts = running.split(tenth, shares)
        assert sum(parts) == tenth
        assert min(parts) >= 0
        sums = [before + part for before, part in zip(sums, parts, strict=True)]
    whole = policy.tenth(running.base)
    assert sum(sums) == whole
    assert all(abs(each - whole * share / 10_000) <= 1 for each, share in zip(sums, shares, strict=True))


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM transfers WHERE kind = 'accrual' AND amount = 1",
        "UPDATE transfers SET amount = 2 WHERE kind = 'accrual' AND amount = 1",
        "UPDATE transfers SET share = 5000 WHERE kind = 'accrual' AND amount > 1",
        "UPDATE transfers SET share = share / 2, amount = amount / 2 WHERE kind = 'accrual' AND amount > 1",
    ],
)
def test_a_tenth_that_is_not_that_of_its_session_is_found(place, damage):
    report(place, *[400] * 20, 1_000_000)
    assert findings(place) == []
    place.unguard()
    with place.writer.begin() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    assert {finding.check for finding in findings(place)} >= {"accrual"}


def test_a_session_of_which_the_first_usage_is_swept_still_adds_up(place):
    report(place, *[400] * 20)
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text("DELETE FROM usage WHERE id IN (SELECT id FROM usage ORDER BY id LIMIT 7)"))
    assert findings(place) == []


def test_what_was_booked_by_the_rule_before_is_held_to_that_rule(place):
    place.lane.run(ChooseCauses("msisdn", MSISDN, HALVES))
    report(place, 3_000, 400)
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text("UPDATE transfers SET amount = 2 WHERE kind = 'accrual'"))
        connection.execute(text("UPDATE wallets SET given = 4 WHERE given > 0"))
    assert findings(place) != []
    with place.writer.begin() as connection:
        last = connection.scalar(select(func.max(tables.transfers.c.at)))
        connection.execute(insert(tables.marks).values(node=0, name=RUNNING_SINCE, value=last + 1))
    assert findings(place) == []
    report(place, 3_000, session="pgw;2")
    assert findings(place) == []
