"""Bills by properties: whatever is used before and after a close is billed once, and pence add up."""

import itertools
import tempfile
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from support.billing_fixture import DAY, billing_place

from gateway.billing.check_bills import wrong_bills
from gateway.billing.content import Content, Moved, Section, Taxed
from gateway.billing.rounding import billed, rounded, split, unit_of
from gateway.billing.statement import Note, statement

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


NUMBERS = st.integers(-(10**12), 10**12)


@given(NUMBERS, st.lists(st.integers(1, 10**9), min_size=1, max_size=3), AMOUNTS)
def test_a_bill_says_of_a_credit_note_what_the_note_itself_says(balance, given_back, amounts):
    notes, at = [], balance
    for number, amount in enumerate(given_back, 1):
        notes.append((Note(number, "2026-11", amount), row(at, at + amount, "credit")))
        at += amount
    moved = [Moved("sale", Section.SALES, 1, amount) for amount in amounts]
    shown = statement(row(at, at + sum(amounts)), Content(moved=moved), [note for note, _ in notes])
    assert shown.opening + sum(line.amount for line in shown.lines) == shown.closing
    for line, (note, its) in zip(shown.lines, notes, strict=False):
        alone = statement(its, Content(moved=[Moved("refund", Section.CORRECTIONS, 1, note.amount)]), [])
        assert (line.note, line.amount) == (note.number, alone.closing - alone.opening)


@given(NUMBERS, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_tax_of_a_bill_is_within_the_prices_that_its_lines_say(balance, used, sold, reduced, paid_in):
    moved = [Moved("charge", Section.USAGE, 1, -used), Moved("sale", Section.SALES, 1, -sold)]
    moved.append(Moved("topup", Section.PAYMENTS, 1, paid_in))
    gross = used + sold
    taxed = [Taxed("GB", 200_000, gross - min(reduced, gross)), Taxed("GB", 50_000, min(reduced, gross))]
    content = Content(moved=moved, taxed=taxed)
    shown = statement(row(balance, balance + content.amount), content, [])
    prices = -sum(line.amount for line in shown.lines if line.section in (Section.USAGE, Section.SALES))
    assert sum(each.gross for each in shown.taxes) == prices
    assert all(each.net + each.tax == each.gross for each in shown.taxes)
    assert all(abs(each.gross - exact.gross) <= 20_000 for each, exact in zip(shown.taxes, taxed, strict=True))


def row(opening, closing, series="bill"):
    return SimpleNamespace(
        series=series,
        number=1,
        period="2026-11",
        subscriber_id=1,
        at=1,
        currency="GBP",
        opening=opening,
        closing=closing,
        due=0,
        due_at=None,
        given=0,
    )


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
            else:
                while over:
                    place.close_month(over.pop(0))
        for period in (*over, place.pass_month()):
            place.close_month(period)
        place.ticks.skip(2 * DAY)
        place.close_month()
        booked = sum(amount for *_, amount in place.entries())
        assert sum(row.closing - row.opening for row in (*place.bills(), *place.bills("credit"))) == booked
        with place.reading() as connection:
            assert wrong_bills(connection) == []
