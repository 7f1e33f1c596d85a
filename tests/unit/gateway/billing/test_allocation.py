"""Money pays the oldest bill first, and of a bill the charges before the gifts."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.billing.allocation import Owed, after_payment, owed


def test_the_order_is_arrears_charges_gifts():
    asked = owed(100, 30, 20)
    assert asked == Owed(30, 50, 20)
    left = [after_payment(asked, paid) for paid in (0, 10, 30, 79, 80, 90, 100, 200)]
    assert left == [
        Owed(30, 50, 20),
        Owed(20, 50, 20),
        Owed(0, 50, 20),
        Owed(0, 1, 20),
        Owed(0, 0, 20),
        Owed(0, 0, 10),
        Owed(0, 0, 0),
        Owed(0, 0, 0),
    ]


def test_gifts_that_a_balance_paid_in_part_are_no_more_than_what_is_asked_for():
    assert owed(15, 0, 20) == Owed(0, 0, 15)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(-(10**9), 10**10))
def test_what_is_left_and_what_was_paid_are_what_was_asked_for(arrears, new, gifts, paid):
    asked = owed(arrears + new, arrears, gifts)
    assert asked.total == arrears + new
    assert asked.total - after_payment(asked, paid).total == min(asked.total, max(0, paid))
