"""Tariff periods by the operator's clocks and holidays, also where clocks change and in leap years."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rating.calendars import SECOND, Calendar, calendar_of, day_of, public_holidays
from gateway.rating.plans import HOLIDAY, Period

LONDON, SANTIAGO, LORD_HOWE = ZoneInfo("Europe/London"), ZoneInfo("America/Santiago"), ZoneInfo("Australia/Lord_Howe")
WEEKDAYS, WEEKEND = (0, 1, 2, 3, 4), (5, 6)
PERIODS = (
    Period("weekend", (*WEEKEND, HOLIDAY), 0, 1440),
    Period("night", WEEKDAYS, 19 * 60, 7 * 60),
    Period("lunch", WEEKDAYS, 12 * 60, 12 * 60 + 30),
)
HOUR = 3600 * SECOND


def at(*when, zone=LONDON, fold=0):
    return int(datetime(*when, tzinfo=zone, fold=fold).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("when", "name"),
    [
        ((2026, 11, 25, 12, 0), "lunch"), ((2026, 11, 25, 12, 29, 59), "lunch"), ((2026, 11, 25, 12, 30), ""),
        ((2026, 11, 25, 18, 59, 59), ""), ((2026, 11, 25, 19, 0), "night"), ((2026, 11, 26, 6, 59, 59), "night"),
        ((2026, 11, 26, 7, 0), ""), ((2026, 11, 28, 3, 0), "weekend"), ((2026, 11, 30, 3, 0), ""),
        ((2026, 12, 25, 12, 0), "weekend"), ((2026, 12, 28, 12, 0), "weekend"), ((2026, 12, 29, 12, 0), "lunch"),
    ],
)  # fmt: skip
def test_the_first_period_that_fits_counts_and_a_night_is_that_of_the_day_on_which_it_begins(when, name):
    assert Calendar(PERIODS, LONDON, "GB-ENG").period(at(*when)) == name


def test_holidays_are_those_of_the_part_of_the_country():
    monday = at(2026, 11, 30, 12, 10)
    assert Calendar(PERIODS, LONDON, "GB-SCT").period(monday) == "weekend", "Saint Andrew's Day"
    assert Calendar(PERIODS, LONDON, "GB-ENG").period(monday) == "lunch"
    with pytest.raises(LookupError, match="no holidays are known of XX"):
        public_holidays("XX", 2026)


def test_a_night_with_a_change_of_clocks_lasts_from_wall_to_wall():
    nights = Calendar((Period("night", (5, 6), 19 * 60, 7 * 60),), LONDON)
    lengths = []
    for month, day in ((3, 28), (10, 24)):
        begins = at(2026, month, day, 19)
        lengths.append((nights.next_change(begins, begins + 30 * HOUR) - begins) // HOUR)
    assert lengths == [11, 13]


def test_an_hour_that_clocks_show_twice_is_in_its_period_twice_and_one_that_they_leave_out_never():
    early = Calendar((Period("early", tuple(range(7)), 60, 90),), LONDON)
    assert [early.period(at(2026, 10, 25, 1, 15, fold=fold)) for fold in (0, 1)] == ["early", "early"]
    assert early.period(at(2026, 10, 25, 1, 45)) == ""
    assert early.next_change(at(2026, 3, 29, 0, 30), at(2026, 3, 29, 9)) is None


def test_where_nothing_changes_before_its_end_no_change_is_said():
    calendar = calendar_of(PERIODS, LONDON, "")
    assert calendar.next_change(at(2026, 11, 28, 1), at(2026, 11, 29, 23)) is None
    assert calendar.next_change(at(2026, 11, 28, 1), at(2026, 11, 30, 23)) == at(2026, 11, 30)
    assert calendar_of(PERIODS, LONDON, "") is calendar


def test_a_leap_day_is_a_day_and_a_day_without_midnight_begins_when_clocks_go_on():
    begins, ends, date = day_of(at(2028, 2, 29, 13), LONDON)
    assert (str(date), ends - begins) == ("2028-02-29", 24 * HOUR)
    begins, ends, date = day_of(at(2026, 9, 6, 13, zone=SANTIAGO), SANTIAGO)
    assert (str(date), ends - begins) == ("2026-09-06", 23 * HOUR)


MINUTES = st.integers(0, 1439)
ANY_PERIODS = st.lists(
    st.builds(Period, st.sampled_from("abc"), st.sets(st.integers(0, 6)).map(tuple), MINUTES, MINUTES), max_size=3
)


@given(ANY_PERIODS, st.integers(1_760_000_000, 1_860_000_000), st.sampled_from([LONDON, SANTIAGO, LORD_HOWE]))
def test_within_a_stretch_every_time_has_its_period_as_the_wall_clock_says(periods, second, zone):
    calendar = Calendar(periods, zone)
    begins, ends, name = calendar.stretch(second * SECOND)
    assert begins <= second * SECOND < ends <= begins + 25 * HOUR
    for moment in {begins, (begins + ends) // 2, ends - SECOND, second * SECOND}:
        wall = datetime.fromtimestamp(moment // SECOND, UTC).astimezone(zone)
        minute, yesterday = wall.hour * 60 + wall.minute, (wall.date() - timedelta(days=1)).weekday()
        fitting = [
            each.id
            for each in periods
            if (each.begins < each.ends and each.begins <= minute < each.ends and wall.weekday() in each.days)
            or (each.begins >= each.ends and minute >= each.begins and wall.weekday() in each.days)
            or (each.begins >= each.ends and minute < each.ends and yesterday in each.days)
        ]
        assert name == next(iter(fitting), "")
