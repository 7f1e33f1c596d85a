"""A bundle that was sold at a wrong price is put right; what it covers stays."""

import itertools

import msgspec
import pytest
from sqlalchemy import text
from support.books import check
from support.charging_fixture import INITIAL, PLANS, TERMINATION, ccr, charging_place, service

from gateway.balance.changes import Change
from gateway.charging.plan_changes import Effective, change_plan
from gateway.charging.renewals import KeepWallet
from gateway.charging.rerate import Rerated
from gateway.charging.rerate_reading import Wanted
from gateway.charging.rerate_sales import page_of_sales
from gateway.charity.policies import recompute
from gateway.ledger.balances import account_names, journal_totals
from gateway.store import tables
from gateway.subscribers.status import TERMINATED

POUND, MEGABYTE, DAY_US = 1_000_000, 1_000_000, 86_400_000_000
RIGHT = PLANS["bundle-gb"]
WRONG = msgspec.structs.replace(RIGHT, bundle=msgspec.structs.replace(RIGHT.bundle, price=75 * POUND))
OTHER = {"imsi": "234150000000002", "msisdn": "447700900002"}


def sell(place):
    place.enrol(90 * POUND, plan="bundle-gb")
    place.enrol(90 * POUND, **OTHER, plan="bundle-gb", cause="")
    for imsi, session in ((None, "s;1"), (OTHER["imsi"], "s;2")):
        more = {"session": session} | ({"imsi": imsi} if imsi else {})
        place.ask(ccr(INITIAL, 0, service(ask=0), **more))
        place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE]), **more))


def rerate(place, limit=1, dry_run=False):
    wanted = Wanted("bundle-gb", place.policy.tariff.plans["bundle-gb"].version, 0, "ops", dry_run)
    together, after = Rerated(), 0
    while after is not None:
        with place.reader.connect() as connection:
            found = page_of_sales(connection, wanted, after=after, limit=limit)
        for unit in found.units:
            together.add(place.lane.run(unit))
        after = found.next
    return together


def findings(place):
    with place.reader.connect() as connection:
        return [finding.check for finding in check(connection, recompute).findings]


def standing(place):
    assert findings(place) == []
    with place.reader.connect() as connection:
        names = account_names(connection)
        owed = {names.get(number, "wallet"): amount for (number, _), amount in journal_totals(connection).items()}
    wallets = place.read(tables.wallets.select().order_by(tables.wallets.c.subscriber_id))
    return [(row.balance, row.given, row.bundle is not None) for row in wallets], owed


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db", plans={**PLANS, "bundle-gb": WRONG}) as opened:
        sell(opened)
        opened.price_by(PLANS)
        opened.unguard()
        yield opened


def test_wallets_and_causes_stand_as_if_the_bundle_had_been_sold_at_the_right_price(place, tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/right.db") as right:
        sell(right)
        told = rerate(place, dry_run=True)
        done = rerate(place)
        assert told == done
        assert (done.records, done.left, done.price_before, done.price_after) == (2, {}, 150 * POUND, 15 * POUND)
        assert standing(place) == standing(right)
    assert rerate(place).records == 0


def test_a_second_mistake_is_put_right_from_what_was_booked_last(place):
    before = standing(place)
    rerate(place)
    place.price_by({**PLANS, "bundle-gb": WRONG})
    assert rerate(place).records == 2
    assert standing(place) == before


def test_a_plan_without_a_bundle_and_a_line_that_ended_are_told_of(place):
    place.price_by({**PLANS, "bundle-gb": msgspec.structs.replace(RIGHT, bundle=None)})
    assert rerate(place).left == {"no_rate": 2}
    with place.writer.begin() as connection:
        connection.execute(tables.subscribers.update().values(status=TERMINATED))
    place.price_by(PLANS)
    assert rerate(place).left == {"line_ended": 2}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE reratings SET price = 1",
        "UPDATE transfers SET amount = amount + 1 WHERE kind = 'rerated'",
        "UPDATE transfers SET amount = amount - 1 WHERE kind = 'accrual_reversal'",
    ],
)
def test_a_correction_of_a_sale_that_was_changed_is_named(place, damage):
    rerate(place)
    with place.writer.begin() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    assert "rerating" in findings(place)


class Leave(Change):
    """Leave the plan of the line that has a number, pro rata."""

    def decide(self, batch):
        change_plan(batch, self._wallet(batch), "payg-gb", Effective.PRO_RATA)


def leave(place, msisdn):
    place.ticks = itertools.count(next(place.ticks) + 10 * DAY_US, 1_000)
    place.lane.run(Leave("msisdn", msisdn))


def test_what_is_given_back_of_a_bundle_is_a_part_of_its_right_price(place, tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/right.db") as right:
        sell(right)
        rerate(place)
        for each in (place, right):
            leave(each, OTHER["msisdn"])
        found, rightly = (standing(each)[0] for each in (place, right))
    assert [row[0] for row in found] == pytest.approx([row[0] for row in rightly], abs=100)  # a few ticks apart
    assert rerate(place).records == 0


def test_a_bundle_of_which_a_part_was_given_back_stays_as_it_was_settled(place):
    leave(place, OTHER["msisdn"])
    before = standing(place)[0][1]
    done = rerate(place)
    assert (done.records, done.left) == (1, {"given_back": 1})
    assert standing(place)[0][1] == before
    place.ticks = itertools.count(next(place.ticks) + 60 * DAY_US, 1_000)
    for (number,) in place.read(text("SELECT subscriber_id FROM wallets")):
        place.lane.run(KeepWallet(number))
    third = msgspec.structs.replace(RIGHT.bundle, price=50 * POUND)
    place.price_by({**PLANS, "bundle-gb": msgspec.structs.replace(RIGHT, bundle=third)})
    assert rerate(place).left == {"given_back": 1}  # also when nothing is kept of what it covered
