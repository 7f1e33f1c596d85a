"""The section `operator`: the company's name, country, currency and clock."""

from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from gateway.settings.problems import did_you_mean
from gateway.settings.sections.section import Section
from gateway.settings.values import Country, Currency, Text


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        hint = did_you_mean(value, known) if known else "; this machine has no time zone data (package tzdata)"
        message = f"there is no time zone `{value}`{hint}"
        raise ValueError(message) from None
    return value


TimeZone = Annotated[str, AfterValidator(_timezone)]


class Operator(Section):
    """Who runs this gateway, and the money and clock of its bills."""

    name: Text
    country: Country = "GB"
    currency: Currency = "GBP"
    timezone: TimeZone = "Europe/London"
