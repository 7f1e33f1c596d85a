import itertools

import msgspec
import pytest

from gateway.rating.plan_history import plan_at
from gateway.rating.plan_versions import LATE_US, content_of, history, plan_of
from gateway.rating.plans import FREE, Bundle, CalledRates, Plan, Rate, Zone
from gateway.store.versions import GONE, PLAN, Version


def plan(price, plan_id="payg", **more):
    return Plan(plan_id, "", "GBP", Rate(price, 1), Rate(0, 1), Rate(0, 1), **more)


CHEAP, DEAR = plan(1), plan(2)
RICH = plan(
    3,
    rating_groups={200: FREE, 7: Rate(1, 2, step=60)},
    bundle=Bundle(7_500_000, 30, data=1),
    destinations={"44": CalledRates(voice=Rate(9, 60, minimum=60, in_bundle=False))},
    home=("234",),
    zones=(Zone("eu", ("208",), Rate(1, 1), Rate(2, 1), Rate(3, 1)),),
)


def versions(*said):
    """Versions of `payg` from (valid_from, plan) on; a plan of None has gone."""
    numbers = itertools.count(1)
    return [
        Version(next(numbers), PLAN, "payg", GONE if each is None else content_of(each).content, valid_from)
        for valid_from, each in said
    ]


def prices(found, *times):
    known = (plan_at(found.plans, found.earlier, "payg", at) for at in times)
    return [None if each is None else (each.data.price, each.version) for each in known]


def test_usage_has_the_price_and_the_version_of_its_own_time_over_several_changes():
    found = history(versions((0, CHEAP), (100, DEAR), (200, CHEAP)), 300)
    assert prices(found, 0, 99, 100, 199, 200, 300) == [(1, 1), (1, 1), (2, 2), (2, 2), (1, 3), (1, 3)]


def test_what_was_used_before_the_first_version_is_priced_by_it():
    assert prices(history(versions((100, CHEAP)), 200), 50) == [(1, 1)]


def test_a_plan_that_went_still_prices_what_was_used_before_and_may_come_back():
    assert prices(history(versions((0, CHEAP), (100, None)), 150), 99, 100) == [(1, 1), None]
    assert prices(history(versions((0, CHEAP), (100, None), (200, DEAR)), 250), 99, 150, 200) == [
        (1, 1),
        (2, 3),
        (2, 3),
    ]


def test_a_version_of_which_nobody_knows_the_content_prices_nothing():
    unknown = Version(1, PLAN, "payg", None, 0)
    assert plan_of(unknown) is None
    assert prices(history([unknown, *versions((0, CHEAP), (100, DEAR))[1:]], 100), 50, 100) == [(2, 2), (2, 2)]


def test_what_no_report_can_be_so_late_for_is_not_looked_through():
    known = versions((0, CHEAP), (100, DEAR))
    assert history(known, 99 + LATE_US).earlier
    assert history(known, 100 + LATE_US).earlier == {}


def test_a_plan_is_read_as_it_was_written_and_its_number_is_no_part_of_what_it_says():
    content = content_of(msgspec.structs.replace(RICH, version=7))
    assert content == content_of(RICH)
    assert plan_of(Version(3, PLAN, "payg", content.content, 0)) == msgspec.structs.replace(RICH, version=3)


@pytest.mark.parametrize("field", ["version", "zones", "bundle", "step"])
def test_what_is_as_usual_is_not_written_so_that_a_new_kind_of_price_makes_no_new_versions(field):
    assert f'"{field}"' not in content_of(CHEAP).content
