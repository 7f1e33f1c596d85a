from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.rating.plans import Rate, ServiceCharge
from gateway.rating.prices import affordable, billed, half_even, price, service_price

rates = st.builds(
    Rate,
    connection=st.sampled_from([0, 0, 1, 100_000]),
    price=st.integers(1, 10_000_000),
    per=st.integers(1, 5_000_000),
    step=st.integers(1, 1000),
    minimum=st.integers(0, 1000),
)

with_service = st.builds(
    lambda rate, service, tenth: Rate(rate.price, rate.per, rate.step, rate.minimum, service=ServiceCharge(service, tenth)),
    rates, rates, st.booleans(),
)  # fmt: skip


def test_the_price_of_nothing_is_nothing_even_with_a_minimum():
    assert price(Rate(30_000, 60, step=1, minimum=60), 0) == 0


def test_a_minimum_and_a_step_are_billed_whole():
    rate = Rate(30_000, 60, step=10, minimum=60)
    assert [billed(rate, seconds) for seconds in (1, 60, 61, 70, 71)] == [60, 60, 70, 70, 80]


def test_a_tie_rounds_to_even():
    assert [half_even(n, 2) for n in (1, 3, 5, -1, -3)] == [0, 2, 2, 0, -2]


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**9))
def test_half_even_agrees_with_fractions(numerator, denominator):
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.one_of(rates, with_service), st.lists(st.integers(0, 10**9), max_size=12))
def test_slices_add_up_to_the_one_shot_price(rate, slices):
    total = charged = 0
    for used in slices:
        charged += price(rate, total + used) - price(rate, total)
        total += used
    assert charged == price(rate, total)


def affordable_after(rate, used, wanted, money):
    return affordable(rate, used, wanted, money, price(rate, used))


@given(rates, st.integers(0, 10**9), st.integers(1, 10**8), st.integers(0, 10**9))
def test_affordable_is_the_most_that_the_money_pays_for(rate, used, wanted, money):
    units = affordable_after(rate, used, wanted, money)
    assert 0 <= units <= wanted
    floor = price(rate, used)
    assert price(rate, used + units) - floor <= money
    if units < wanted:
        assert rate.price * billed(rate, used + units + 1) > (floor + money - rate.connection) * rate.per


@given(with_service, st.integers(0, 10**6), st.integers(1, 10**5), st.integers(0, 10**9))
def test_affordable_with_a_service_charge_is_within_a_crumb_of_the_most(rate, used, wanted, money):
    units = affordable_after(rate, used, wanted, money)
    assert 0 <= units <= wanted
    floor = price(rate, used)
    assert price(rate, used + units) - floor <= money
    if units < wanted:
        assert price(rate, used + units + 1) - floor > money - 2


def test_a_connection_fee_falls_with_the_first_unit_and_is_not_given_away():
    rate = Rate(60, 60, connection=100)
    assert [price(rate, seconds) for seconds in (0, 1, 60)] == [0, 101, 160]
    assert [affordable_after(rate, used, 60, money) for used, money in ((0, 99), (0, 100), (0, 101), (1, 5))] == [
        0,
        0,
        1,
        5,
    ]
    assert [affordable_after(Rate(0, 1, connection=100), used, 60, 0) for used in (0, 1)] == [0, 60]


def test_a_service_charge_is_on_top_of_the_access_charge():
    rate = Rate(55, 1, service=ServiceCharge(Rate(360, 60, minimum=60, connection=7)))
    assert (price(rate, 10), service_price(rate, 10)) == (550 + 367, 367)


def test_the_rest_of_a_minimum_that_was_billed_needs_no_money():
    assert affordable_after(Rate(30_000, 60, step=1, minimum=60), 10, 300, 0) == 50


def test_what_is_free_needs_no_money_and_what_is_not_gets_none_without():
    assert affordable_after(Rate(0, 1), 0, 500, -3) == 500
    assert affordable_after(Rate(10_000, 1_000_000), 0, 500, 0) == 0
