from gateway.rating.plan_history import LATE_US, plan_at, superseded
from gateway.rating.plans import Plan, Rate


def plan(price, plan_id="payg"):
    return Plan(plan_id, "", "GBP", Rate(price, 1), Rate(0, 1), Rate(0, 1))


CHEAP, DEAR = plan(1), plan(2)


def test_usage_has_the_price_of_its_own_time_over_several_reloads():
    earlier = superseded({}, {"payg": CHEAP}, {"payg": DEAR}, 100)
    earlier = superseded(earlier, {"payg": DEAR}, {"payg": CHEAP}, 200)
    prices = [plan_at({"payg": CHEAP}, earlier, "payg", at).data.price for at in (0, 99, 100, 199, 200, 300)]
    assert prices == [1, 1, 2, 2, 1, 1]


def test_a_plan_that_stays_as_it_is_has_no_history():
    assert superseded({}, {"payg": CHEAP}, {"payg": plan(1), "new": DEAR}, 100) == {}


def test_a_plan_that_went_still_prices_what_was_used_before():
    earlier = superseded({}, {"payg": CHEAP}, {}, 100)
    assert [plan_at({}, earlier, "payg", at) for at in (99, 100)] == [CHEAP, None]
    assert plan_at({}, {}, "none", 99) is None


def test_what_no_report_can_be_so_late_for_is_forgotten():
    earlier = superseded({}, {"payg": CHEAP}, {"payg": DEAR}, 100)
    assert superseded(earlier, {"payg": DEAR}, {"payg": DEAR}, 99 + LATE_US) == earlier
    assert superseded(earlier, {"payg": DEAR}, {"payg": DEAR}, 100 + LATE_US) == {}
