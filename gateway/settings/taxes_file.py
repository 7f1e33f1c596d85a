"""Read taxes.yaml: by country the rates of tax within prices, and the taxes and fees that are added to prices, by state."""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from gateway.rating.taxes import EVERYWHERE, MILLION, AddedTax, Jurisdiction, TaxRate
from gateway.settings.sections.operator import TimeZone
from gateway.settings.sections.section import Section
from gateway.settings.values import Country, Currency, Id, Price, Text


def _parts(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        message = "must be a percentage, like 20 or 8.875"
        raise ValueError(message)  # noqa: TRY004  (pydantic reports ValueError only)
    parts = Fraction(value) * MILLION / 100
    if parts.denominator != 1 or not 0 <= parts <= MILLION:
        message = "must be between 0 and 100, with at most 4 decimal places"
        raise ValueError(message)
    return parts.numerator


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        message = "must be a date, like 2011-01-04"
        raise ValueError(message) from None
    return value


def _state(value: str) -> str:
    if value != EVERYWHERE and not (len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()):
        message = "must be a state of two capital letters, like NY, or * for all of them"
        raise ValueError(message)
    return value


def _zip(value: str) -> str:
    if not (value.isascii() and value.isdecimal() and 3 <= len(value) <= 5):
        message = "must be a ZIP, or its first three or four digits, in quotes"
        raise ValueError(message)
    return value


Parts = Annotated[int, PlainValidator(_parts)]
Day = Annotated[str, AfterValidator(_day)]
State = Annotated[str, AfterValidator(_state)]
ZipPrefix = Annotated[str, AfterValidator(_zip)]
Label = Annotated[
    Literal["state", "local", "911", "usf"], BeforeValidator(lambda value: str(value) if value == 911 else value)
]


class AddedEntry(Section):
    """A tax or fee that is added to prices: a percentage of the charges, or so much a month."""

    name: Text
    kind: Label
    valid_from: Day
    percent: Parts | None = None
    of: Parts = MILLION
    fixed: Price | None = None
    zips: list[ZipPrefix] = Field(default_factory=list)
    on_taxes: bool = False

    @model_validator(mode="after")
    def _comes_to_something(self) -> "AddedEntry":
        if (self.percent is None) == (self.fixed is None):
            message = "give percent, or fixed: so much a month"
            raise ValueError(message)
        if self.on_taxes and self.percent is None:
            message = "on_taxes: is of a percentage"
            raise ValueError(message)
        return self

    def tax(self, zone: ZoneInfo) -> AddedTax:
        """Return the tax that rating works with; days begin by the clocks of a zone."""
        return AddedTax(
            self.name,
            self.kind,
            _begins(self.valid_from, zone),
            self.percent or 0,
            self.fixed or 0,
            self.of,
            tuple(self.zips),
            self.on_taxes,
        )


class JurisdictionEntry(Section):
    """The taxes of a country: `rates` by kind and the day from which each counts, `added` by state."""

    name: Text
    currency: Currency
    timezone: TimeZone
    rates: dict[Id, Annotated[dict[Day, Parts], Field(min_length=1)]] = Field(default_factory=dict)
    added: dict[State, list[AddedEntry]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _each_once(self) -> "JurisdictionEntry":
        for state, entries in self.added.items():
            seen = set()
            for entry in entries:
                same = (entry.kind, entry.name, entry.valid_from, *sorted(entry.zips))
                if same in seen:
                    message = f"added.{state}: {entry.name} is given twice from {entry.valid_from} on"
                    raise ValueError(message)
                seen.add(same)
        return self

    def jurisdiction(self, country: str) -> Jurisdiction:
        """Return the jurisdiction that rating works with."""
        zone = ZoneInfo(self.timezone)
        return Jurisdiction(
            country,
            self.name,
            self.currency,
            self.timezone,
            tuple(
                TaxRate(kind, rate, _begins(day, zone))
                for kind, by_day in self.rates.items()
                for day, rate in sorted(by_day.items())
            ),
            {state: tuple(entry.tax(zone) for entry in entries) for state, entries in self.added.items()},
        )


def _begins(day: str, zone: ZoneInfo) -> int:
    """Return the first moment of a day by the clocks of a zone, in microseconds."""
    begins = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=zone)
    return int(begins.timestamp()) * 1_000_000


TAXES_FILE: Final = dict[Country, JurisdictionEntry]
"""The shape of taxes.yaml: each jurisdiction under its country."""


def taxes_from(entries: dict[str, JurisdictionEntry]) -> dict[str, Jurisdiction]:
    """Turn validated entries into jurisdictions by country."""
    return {country: entry.jurisdiction(country) for country, entry in entries.items()}
