"""Options that say which rows of a list are wanted: whose, from when until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

Number = Annotated[str, typer.Option(help="Only what is about this MSISDN (or IMSI, or ICCID).")]
Since = Annotated[str | None, typer.Option(help="From this time on (RFC 3339, or a date: its begin in UTC).")]
Until = Annotated[str | None, typer.Option(help="Before this time (RFC 3339, or a date: its begin in UTC).")]


def moment(text: str | None, option: str) -> int | None:
    """Read a time into microseconds since 1970; without an offset it is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no RFC 3339 time, such as 2026-11-01T00:00:00Z", param_hint=option
        ) from None


def window(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Read from when until when; one that ends before it has begun holds nothing, and nobody means it."""
    begin, end = moment(since, "--since"), moment(until, "--until")
    if begin is not None and end is not None and end <= begin:
        raise typer.BadParameter(
            f"{until!r} is not after --since: the time itself is left out, so a day ends with the next one's date",
            param_hint="--until",
        )
    return begin, end


def chosen(number: str, since: str | None, until: str | None) -> dict[str, object]:
    """Return the filters that are wanted as the actions take them."""
    begin, end = window(since, until)
    found = {"number": number or None, "since": begin, "until": end}
    return {name: value for name, value in found.items() if value is not None}
