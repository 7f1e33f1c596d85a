"""Writes money, dates, quantities and words in a language of customers and causes, for bills and reports."""

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final

import msgspec

from gateway.languages.bills import WORDS
from gateway.languages.dates import MONTHS, write_day, write_month
from gateway.languages.numbers import NUMBER_FORMS
from gateway.ledger.money import MICRO, digits_of

_SIGNS: Final = {"GBP": "£", "USD": "$", "EUR": "€"}
NO_BREAK: Final = "\u00a0"
MICROSECONDS: Final = 1_000_000


class Writer(msgspec.Struct, frozen=True):
    """Writes in one language, by the operator's clock."""

    language: str
    zone: tzinfo

    def word(self, key: str, **values: str) -> str:
        """Return a word; a key that no language has (a plan's zone, a kind of a later time) stands for itself."""
        found = WORDS[self.language].get(key, key)
        return found.format(**values) if values else found

    def money(self, micro: int, currency: str) -> str:
        """Write an amount with its currency, as many digits as the currency has, and more where it is not whole."""
        digits = digits_of(currency)
        value = Decimal(micro) / MICRO
        text = f"{abs(value):.6f}"
        whole, _, decimals = text.partition(".")
        decimals = decimals[:digits] + decimals[digits:].rstrip("0")
        return self._with_sign(self._number(int(whole), decimals), currency, minus=micro < 0)

    def _number(self, whole: int, decimals: str = "") -> str:
        form = NUMBER_FORMS[self.language]
        grouped = f"{whole:,}".replace(",", form.group) if whole >= form.least_grouped else str(whole)
        return f"{grouped}{form.point}{decimals}" if decimals else grouped

    def _with_sign(self, number: str, currency: str, *, minus: bool) -> str:
        sign = _SIGNS.get(currency)
        before = "-" if minus else ""
        if NUMBER_FORMS[self.language].sign_behind or sign is None:
            return f"{before}{number}{NO_BREAK}{sign or currency}"
        return f"{before}{sign}{number}"

    def whole(self, number: int) -> str:
        """Write a whole number."""
        return self._number(number)

    def octets(self, octets: int) -> str:
        """Write a quantity of data, in MB (1,000,000 octets) or GB."""
        unit, size = ("GB", 10**9) if octets >= 10**9 else ("MB", 10**6)
        whole, rest = divmod(octets * 100 // size, 100)
        return f"{self._number(whole, f'{rest:02d}')}{NO_BREAK}{unit}"

    def seconds(self, seconds: int) -> str:
        """Write a time of talk, as hours:minutes:seconds."""
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    def date(self, at: int) -> str:
        """Write the day of a moment."""
        return write_day(self.moment(at).date(), self.language)

    def moment(self, at: int) -> datetime:
        """Return a moment by the operator's clock."""
        return datetime.fromtimestamp(at / MICROSECONDS, self.zone)

    def short_month(self, place: int) -> str:
        """Write the first letters of a month by its place in the year, from 0 on."""
        return MONTHS[self.language][place][:4]

    def month(self, period: str) -> str:
        """Write a period such as 2026-11."""
        return write_month(period, self.language)
