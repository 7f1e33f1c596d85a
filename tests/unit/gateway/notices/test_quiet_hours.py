"""Quiet hours by the operator's clocks, and by those of a number's area in North America."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.notices.quiet_hours import QuietHours

NEW_YORK = ZoneInfo("America/New_York")
NIGHT = QuietHours(21 * 60, 8 * 60, NEW_YORK)


def at(text, zone=NEW_YORK):
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("number", "ends"),
    [
        ("12125550123", 8),
        ("13125550123", 9),  # Chicago
        ("13105550123", 11),  # Los Angeles
        ("18085550123", 13),  # Honolulu, without summer time
        ("16055550123", 10),  # South Dakota, by two clocks: the later one
        ("18005550123", 8),  # of no area
        ("447700900123", 8),
        ("", 8),
    ],
)
def test_nobody_is_woken_by_a_courtesy_from_another_coast(number, ends):
    held = [hour for hour in range(24) if NIGHT.holds(at(f"2026-12-01T{hour:02}:00"), number)]
    assert set(held) >= {*range(ends), 21, 22, 23}
    assert ends not in held


@pytest.mark.parametrize(
    ("number", "begins"), [("12125550123", "21:00"), ("17875550123", "20:00"), ("13105550123", "21:00")]
)
def test_they_begin_where_they_begin_first(number, begins):
    found = NIGHT.next_start(at("2026-12-01T12:00"), number)
    assert datetime.fromtimestamp(found / 1e6, NEW_YORK).strftime("%H:%M") == begins


@pytest.mark.parametrize(("day", "hour"), [("2026-11-01", 11), ("2027-03-14", 11), ("2027-07-01", 11)])
def test_days_of_a_change_of_clocks_are_days_like_others(day, hour):
    assert NIGHT.holds(at(f"{day}T{hour - 1:02}:59"), "13105550123")
    assert not NIGHT.holds(at(f"{day}T{hour:02}:00"), "13105550123")


def test_off_is_never_quiet_anywhere():
    never = QuietHours(0, 0, NEW_YORK)
    assert not never.holds(at("2026-12-01T03:00"), "13105550123")
    assert never.next_start(at("2026-12-01T03:00"), "13105550123") is None
