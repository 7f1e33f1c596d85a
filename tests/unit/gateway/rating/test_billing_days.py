"""Periods begin at midnight of the billing day, also in short months, leap years and over changes of clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rating.billing_days import part_of, period_of

EPOCH = datetime.fromtimestamp(0, UTC)


def at(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("zone", "time", "day", "begins", "ends"),
    [
        ("Europe/London", "2027-01-31T12:00+00:00", 31, "2027-01-31T00:00+00:00", "2027-02-28T00:00+00:00"),
        ("Europe/London", "2027-02-28T00:00+00:00", 31, "2027-02-28T00:00+00:00", "2027-03-31T00:00+01:00"),
        ("Europe/London", "2028-02-28T23:59+00:00", 30, "2028-01-30T00:00+00:00", "2028-02-29T00:00+00:00"),
        ("Europe/London", "2028-02-29T00:00+00:00", 29, "2028-02-29T00:00+00:00", "2028-03-29T00:00+01:00"),
        ("Europe/London", "2027-02-28T00:00+00:00", 29, "2027-02-28T00:00+00:00", "2027-03-29T00:00+01:00"),
        ("Europe/London", "2027-10-31T01:30+00:00", 31, "2027-10-31T00:00+01:00", "2027-11-30T00:00+00:00"),
        ("Europe/London", "2026-12-31T23:30+00:00", 1, "2026-12-01T00:00+00:00", "2027-01-01T00:00+00:00"),
        ("America/New_York", "2027-03-14T04:30+00:00", 14, "2027-02-14T00:00-05:00", "2027-03-14T00:00-05:00"),
        ("Africa/Cairo", "2027-04-30T12:00+03:00", 30, "2027-04-30T01:00+03:00", "2027-05-30T00:00+03:00"),
    ],
    ids=[
        "a 31st", "the last day stands for it", "before a leap day", "a leap day", "no leap day", "clocks go back",
        "the year ends", "another zone", "a midnight that is left out",
    ],
)  # fmt: skip
def test_a_period_is_from_billing_day_to_billing_day(zone, time, day, begins, ends):
    assert period_of(at(time), day, ZoneInfo(zone)) == (at(begins), at(ends))


@given(
    time=st.integers(at("2000-01-01T00:00+00:00"), at("2060-01-01T00:00+00:00")),
    day=st.integers(1, 31),
    zone=st.sampled_from(
        ["Europe/London", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Beirut", "UTC"]
    ),
)
def test_each_moment_is_in_one_period_and_periods_follow_without_a_gap(time, day, zone):
    zone = ZoneInfo(zone)
    begins, ends = period_of(time, day, zone)
    assert begins <= time < ends
    assert period_of(begins, day, zone) == period_of(ends - 1, day, zone) == (begins, ends)
    assert period_of(ends, day, zone)[0] == ends
    assert 27 <= (ends - begins) / 86_400_000_000 <= 32


@given(amount=st.integers(0, 10**12), length=st.integers(1, 10**13), into=st.integers(0, 10**13))
def test_a_part_is_never_more_than_the_whole_and_the_whole_at_the_beginning(amount, length, into):
    part = part_of(amount, min(into, length), (0, length))
    assert 0 <= part <= amount
    assert part_of(amount, 0, (0, length)) == amount
    assert part_of(amount, length, (0, length)) == 0
