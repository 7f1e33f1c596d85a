"""Figures, durations and times as the page says them."""

from typing import Final

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
NOTHING: Final = "\N{EN DASH}"
"""Stands where there is no figure."""
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def duration(seconds: float) -> str:
    """Write a length of time in its two largest units: `12 s`, `3 min`, `2 h 5 min`, `12 d 4 h`."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    large, small, names = (whole // HOUR, whole % HOUR // MINUTE, ("h", "min"))
    if whole >= DAY:
        large, small, names = (whole // DAY, whole % DAY // HOUR, ("d", "h"))
    return f"{large} {names[0]} {small} {names[1]}" if small else f"{large} {names[0]}"


def figure(value: float) -> str:
    """Write a figure with as many digits as one reads at a glance: `0`, `0.2`, `12.5`, `1,234`."""
    if value and value < 0.05:
        return "<0.1"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def day_and_time(at: str) -> str:
    """Write a time that is RFC 3339 in UTC for people, as `23 Nov 21:05:09`: the page says once that all are UTC."""
    return f"{int(at[8:10])} {MONTHS[int(at[5:7]) - 1]} {at[11:19]}"
