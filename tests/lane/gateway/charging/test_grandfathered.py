"""A line that keeps the version of its plan that it subscribed under: charged, sold bundles, priced anew and checked by it."""

import msgspec
import pytest
from support.books import check
from support.charging_fixture import INITIAL, PENNY, PLANS, TERMINATION, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY

from gateway.charging.rerate_reading import Wanted, page
from gateway.charity.policies import recompute
from gateway.rating.plans import Rate
from gateway.settings.plans_file import FOR_GOOD
from gateway.store import tables

MEGABYTE, POUND, DAY = 1_000_000, 1_000_000, 86_400
NEWCOMER = {"imsi": "234150000000002", "msisdn": "447700900002"}
DEARER = msgspec.structs.replace(PLANS["payg-gb"], data=Rate(3 * PENNY, MEGABYTE))


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db") as opened:
        opened.enrol(90 * POUND)
        opened.ticks.skip(60)
        yield opened


def change(place, plan, **more):
    """A reload that changes a plan, and the minute after it."""
    place.price_by({**PLANS, plan.id: msgspec.structs.replace(plan, **more)})
    place.ticks.skip(60)


def use(place, session, imsi="234150000000001"):
    """Use a megabyte; gives what it cost, and the version."""
    place.ask(ccr(INITIAL, 0, service(ask=0), session=session, imsi=imsi))
    place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE]), session=session, imsi=imsi))
    with place.reader.connect() as connection:
        usage = tables.usage.c
        row = connection.execute(tables.usage.select().order_by(usage.id.desc()).limit(1)).one()
    return row.price, row.version


def findings(place):
    with place.reader.connect() as connection:
        return [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings]


def test_a_line_keeps_its_prices_until_the_day_and_a_newcomer_has_those_of_today(place):
    before = place.policy.tariff.plans["payg-gb"].version
    change(place, DEARER, kept_until=place.ticks.now + DAY * 1_000_000)
    place.enrol(90 * POUND, **NEWCOMER)
    now = place.policy.tariff.plans["payg-gb"].version
    assert use(place, "pgw;1") == (PENNY, before)
    assert use(place, "pgw;2", NEWCOMER["imsi"]) == (3 * PENNY, now)
    place.ticks.skip(2 * DAY)
    assert use(place, "pgw;3") == (3 * PENNY, now)
    assert findings(place) == []


def test_a_bundle_is_sold_at_the_price_that_the_line_keeps(tmp_path):
    bundle = PLANS["bundle-gb"]
    with charging_place(f"sqlite:///{tmp_path}/books.db") as place:
        place.enrol(90 * POUND, plan="bundle-gb")
        place.ticks.skip(60)
        change(place, bundle, kept_until=FOR_GOOD, bundle=msgspec.structs.replace(bundle.bundle, price=9 * POUND))
        use(place, "pgw;1")
        with place.reader.connect() as connection:
            sold = connection.scalar(tables.transfers.select().with_only_columns(tables.transfers.c.amount).where(
                tables.transfers.c.kind == "sale"
            ))  # fmt: skip
        assert sold == bundle.bundle.price
        assert findings(place) == []


def test_who_was_charged_by_another_version_than_it_keeps_is_named(place):
    change(place, DEARER, kept_until=FOR_GOOD)
    latest = place.policy.tariff.plans["payg-gb"].version
    use(place, "pgw;1")
    place.unguard()
    with place.writer.begin() as connection:
        connection.exec_driver_sql(f"UPDATE usage SET version = {latest}, price = {3 * PENNY}")
    assert any("which is none of payg-gb for its line then" in detail for detail in findings(place))


def test_who_was_priced_anew_by_another_version_than_it_keeps_is_named(place):
    first = place.policy.tariff.plans["payg-gb"].version
    use(place, "pgw;1")
    change(place, DEARER)
    plan = place.policy.tariff.plans["payg-gb"]
    with place.reader.connect() as connection:
        (unit,) = page(connection, Wanted("payg-gb", plan.version, 0, "me", dry_run=False), after=0, limit=10).units
    assert place.lane.run(unit).records == 1
    assert findings(place) == []
    place.unguard()
    with place.writer.begin() as connection:
        connection.exec_driver_sql(f"UPDATE reratings SET version = {first}")
    assert any("which was not its line's of payg-gb then" in detail for detail in findings(place))


def test_pricing_anew_leaves_who_keeps_a_version_at_its_prices(place):
    place.enrol(90 * POUND, **NEWCOMER)
    assert use(place, "pgw;1")[0] == PENNY
    change(place, DEARER)
    wrong = use(place, "pgw;2", NEWCOMER["imsi"])
    change(place, DEARER, data=Rate(2 * PENNY, MEGABYTE), kept_until=FOR_GOOD)
    plan = place.policy.tariff.plans["payg-gb"]
    with place.reader.connect() as connection:
        units = page(connection, Wanted("payg-gb", plan.version, 0, "me", dry_run=False), after=0, limit=10).units
    came = [place.lane.run(unit) for unit in units]
    assert wrong[0] == 3 * PENNY
    assert [each.records for each in came] == [0, 0]  # both lines keep the version before the last
    assert [each.left for each in came] == [{}, {}]
    assert findings(place) == []
