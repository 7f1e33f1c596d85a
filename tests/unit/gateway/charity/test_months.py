from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.charity.months import end_of, following, period_of, title

LONDON = ZoneInfo("Europe/London")


def at(*moment, zone=UTC):
    return int(datetime(*moment, tzinfo=zone).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("moment", "zone", "period"),
    [
        (at(2026, 11, 30, 23, 59, 59), UTC, "2026-11"),
        (at(2026, 6, 30, 23, 0), LONDON, "2026-07"),  # summer time: the bills' month begins an hour before
        (at(2026, 6, 30, 22, 59, 59), LONDON, "2026-06"),
        (at(2027, 1, 1, 4, 59), ZoneInfo("America/New_York"), "2026-12"),
    ],
)
def test_a_moment_lies_in_a_month_of_the_operators_clock(moment, zone, period):
    assert period_of(moment, zone) == period
    assert end_of(period, zone) > moment


@pytest.mark.parametrize("zone", [UTC, LONDON, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("America/Sao_Paulo")])
def test_months_follow_each_other_without_a_gap(zone):
    period = "2025-01"
    for _ in range(40):
        end, next_period = end_of(period, zone), following(period)
        assert (period_of(end - 1, zone), period_of(end, zone)) == (period, next_period)
        period = next_period
    assert period == "2028-05"


def test_a_month_is_written_for_people():
    assert (title("2026-11"), title("2027-01")) == ("November 2026", "January 2027")
