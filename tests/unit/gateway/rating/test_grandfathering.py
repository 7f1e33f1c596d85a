"""Whose version of a plan counts: of a line that subscribed before a change, for as long as the change lets it."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.rating.grandfathering import still_kept, version_for
from gateway.rating.plan_history import plan_at
from gateway.rating.plan_versions import LATE_US, content_of, history
from gateway.rating.plans import Plan, Rate
from gateway.settings.plans_file import FOR_GOOD
from gateway.store.versions import PLAN, Version

FREE = Rate(0, 1)


def plan(price, kept_until=0):
    return Plan("p", "", "GBP", Rate(price, 1), FREE, FREE, kept_until=kept_until)


def price(versions, subscribed_at, at):
    found = version_for(versions, subscribed_at, at)
    return None if found is None else found.data.price


def test_a_line_keeps_what_it_subscribed_under_and_who_comes_later_does_not():
    known = [(0, plan(1)), (100, plan(2, FOR_GOOD))]
    assert [price(known, 50, at) for at in (0, 99, 100, 10**9)] == [1, 1, 1, 1]
    assert [price(known, 100, at) for at in (100, 10**9)] == [2, 2]


def test_it_is_kept_until_a_time_or_until_a_version_that_keeps_nothing():
    known = [(0, plan(1)), (100, plan(2, 500)), (700, plan(3)), (800, plan(4, FOR_GOOD))]
    assert [price(known, 0, at) for at in (499, 500, 699, 700, 800, 900)] == [1, 2, 2, 3, 3, 3]
    assert price(known, 800, 900) == 4


def test_a_plan_that_went_and_came_back_keeps_nothing_of_before():
    known = [(0, plan(1)), (100, None), (200, plan(2, FOR_GOOD))]
    assert [price(known, 0, at) for at in (99, 100, 200)] == [1, None, 2]


def test_what_nobody_knows_of_the_first_version_is_that_of_the_next():
    assert price([(0, None), (100, plan(2))], 0, 50) == 2
    assert price([(0, None)], 0, 50) is None


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 90), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 200),
    st.integers(0, 90),
    st.integers(0, 90),
)
def test_what_is_left_out_of_the_versions_prices_nobody(changes, subscribed_at, since, later):
    at, known = 0, []
    for number, (gap, kept_until, is_there) in enumerate(changes):
        at += gap
        known.append((at, plan(number, kept_until) if is_there or not number else None))
    when = since + later
    kept = still_kept(known, since)
    in_force = [each for valid_from, each in known if valid_from <= when] or [known[0][1]]
    whole = version_for(known, subscribed_at, when)
    assert whole == (version_for(kept, subscribed_at, when) if kept else in_force[-1])


def test_the_history_has_the_versions_that_lines_keep_and_only_these():
    def versions(*said):
        return [Version(n, PLAN, "p", content_of(each).content, at) for n, (at, each) in enumerate(said, start=1)]

    plain = history(versions((0, plan(1)), (100, plan(2))), 200)
    assert plain.kept == {}
    now = 10 * LATE_US
    found = history(versions((0, plan(1)), (100, plan(2)), (200, plan(3, FOR_GOOD))), now)
    assert [each.version for _, each in found.kept["p"]] == [2, 3]
    assert plan_at(found.plans, found.earlier, "p", now).version == 3
    ended = history(versions((0, plan(1)), (100, plan(2, 300))), now)
    assert ended.kept == {}
