"""Bills by properties: whatever is used before and after a close is billed once, and pence add up."""

import itertools
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st
from support.billing_fixture import DAY, billing_place

from gateway.billing.check_bills import wrong_bills
from gateway.billing.rounding import billed, rounded, split, unit_of

CURRENCIES = st.sampled_from(["GBP", "JPY", "KWD"])
AMOUNTS = st.lists(st.integers(-(10**12), 10**12), max_size=12)


@given(AMOUNTS, st.integers(-(10**12), 10**12), CURRENCIES)
def test_the_lines_of_a_bill_add_up_to_the_penny_and_are_each_within_one_of_what_they_are(amounts, opening, currency):
    unit = unit_of(currency)
    begin, lines, end = billed(opening, amounts, currency)
    assert end == rounded(opening + sum(amounts), unit)
    assert all(line % unit == 0 for line in lines)
    assert begin + sum(lines) == end or not amounts
    assert all(abs(line - exact) < 2 * unit for line, exact in zip(lines, amounts, strict=True))


@given(st.lists(AMOUNTS, min_size=1, max_size=6), CURRENCIES)
def test_the_pence_of_a_lines_bills_are_those_of_its_balance(months, currency):
    exact = shown = 0
    for amounts in months:
        begin, lines, end = billed(exact, amounts, currency)
        assert begin == shown, "each bill opens with what the one before it closed with"
        exact, shown = exact + sum(amounts), begin + sum(lines)
        assert shown == end == rounded(exact, unit_of(currency))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_a_split_is_the_same_for_equal_amounts_but_for_one_unit(amounts):
    unit = 10_000
    total = rounded(sum(amounts), unit)
    parts = split(amounts, total, unit)
    assert sum(parts) == total
    for (one, a), (other, b) in itertools.combinations(zip(parts, amounts, strict=True), 2):
        assert a != b or abs(one - other) <= unit


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["use", "late", "month", "close"]), st.integers(1, 4)), max_size=9))
def test_any_split_of_use_before_and_after_a_close_is_billed_once(steps):
    with tempfile.TemporaryDirectory() as folder, billing_place(f"sqlite:///{folder}/t.db") as place:
        place.enrol(50_000_000)
        sessions, over = itertools.count(), []
        for what, size in steps:
            if what in ("use", "late"):
                at = place.ticks.now // 1_000_000 - (40 * 3600 if what == "late" else 0)
                place.use(size * 1_000_000 + size, f"s;{next(sessions)}", at=at)
            elif what == "month":
                over.append(place.pass_month())
            elif over:
                place.close_month(over[-1])
        place.close_month(place.pass_month())
        place.ticks.skip(2 * DAY)
        place.close_month()
        booked = sum(amount for *_, amount in place.entries())
        assert sum(row.closing - row.opening for row in (*place.bills(), *place.bills("credit"))) == booked
        with place.reading() as connection:
            assert wrong_bills(connection) == []
