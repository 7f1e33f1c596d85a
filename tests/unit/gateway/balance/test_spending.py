"""What a line may still be charged: by its bill limit, by the cap abroad, month by month."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.balance.spending import NO_LIMIT, BillingMonths, Spending, decode, encode, period_of
from gateway.balance.wallets import Wallet

NOVEMBER = 2026 * 12 + 10
NOW = 1_795_000_000_000_000
"""In November 2026."""


def at(*when, zone=UTC):
    return int(datetime(*when, tzinfo=zone).timestamp()) * 1_000_000


def test_a_month_begins_and_ends_by_the_clocks_of_the_operator():
    months = BillingMonths(ZoneInfo("Europe/London"))
    edges = [at(2026, 3, 31, 22, 59), at(2026, 3, 31, 23, 0), at(2026, 10, 31, 23, 59), at(2026, 12, 31, 23, 59, 59)]
    assert [period_of(months.number(edge)) for edge in edges] == ["2026-03", "2026-04", "2026-10", "2026-12"]
    assert period_of(months.number(at(2027, 1, 1))) == "2027-01"


@pytest.mark.parametrize(
    ("limit", "agreed", "room"), [(NO_LIMIT, 0, None), (0, 0, 0), (100, 0, 40), (50, 0, 0), (100, NOVEMBER, None)]
)
def test_the_room_below_a_limit_is_what_was_not_charged_unless_the_customer_agreed_to_more(limit, agreed, room):
    assert Spending(month=NOVEMBER, charged=60, limit=limit, agreed=agreed).room(NOVEMBER) == room


def test_a_late_report_counts_in_the_month_of_its_use():
    spending = Spending(limit=100)
    spending.add(70, NOVEMBER - 1, NOW, abroad=False)
    spending.add(20, NOVEMBER, NOW, abroad=True)
    spending.add(25, NOVEMBER - 1, NOW, abroad=False)
    assert [spending.room(month) for month in (NOVEMBER - 1, NOVEMBER, NOVEMBER + 1)] == [5, 80, 100]
    assert (spending.abroad, spending.charged_in_hour) == (20, 115)
    spending.begin(NOVEMBER + 2)
    assert (spending.charged, spending.before, spending.abroad) == (0, 0, 0)


def test_a_store_of_before_has_nothing_of_a_line_and_what_is_kept_is_read_as_it_was():
    spending = Spending(NOVEMBER, 5, 6, 7, 3, 8, 9, 10, 11, 12, True, "208", {"bill_limit_likely": NOVEMBER})
    assert decode(encode(spending)) == spending


costs = st.lists(
    st.tuples(st.integers(0, 5_000), st.sampled_from([NOVEMBER - 1, NOVEMBER, NOVEMBER + 1]), st.booleans()),
    max_size=30,
)


@given(costs, st.one_of(st.just(NO_LIMIT), st.integers(0, 20_000)), st.integers(0, 10_000))
def test_whatever_comes_late_no_month_is_billed_more_than_its_limit_and_nothing_is_lost(costs, limit, cap):
    wallet = Wallet(1, "GBP", 0, 0, [], "active", spending=Spending(limit=limit))
    billed: dict[int, int] = {}
    abroad: dict[int, int] = {}
    for cost, month, away in sorted(costs, key=lambda each: each[1] > NOVEMBER):  # only two months are open at a time
        part = wallet.bill(cost, month, NOW, abroad=away, cap=cap)
        assert 0 <= part <= cost
        billed[month] = billed.get(month, 0) + part
        if limit < 0 and not (away and cap):
            assert part == cost
        abroad[month] = abroad.get(month, 0) + (part if away else 0)
    for total in billed.values():
        assert limit < 0 or total <= limit
    assert not cap or max(abroad.values(), default=0) <= cap
