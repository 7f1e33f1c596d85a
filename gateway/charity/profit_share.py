"""The share of the company's profit that goes to causes: a quarter, by the money of what customers gave.

A cause's part is to the whole as its confirmed tenths of the period are to all of them; what was chosen for no cause has its
part too, which is held like its tenths. The parts are integers by largest remainder, so that they come to the share exactly.
Whoever has the seals' journal reckons the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, Row, func, insert, select

from gateway.charity.confirmation import lock_standings, read_standings, save_standings
from gateway.charity.standings import Account, Standing
from gateway.charity.tenth_states import State, Stream, account_of
from gateway.ledger.account_names import PROFIT_SHARE, UNASSIGNED
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.ledger.money import format_amount
from gateway.rating.prices import half_even
from gateway.store.batch import Batch, Unit
from gateway.store.tables import charity_month_sums, charity_months, profit_shares

SHARE: Final = 2_500
"""Basis points: 25 %."""
WHOLE: Final = 10_000
BASES: Final = ("profit", "turnover")


class NotConfirmed(ValueError):
    """A period of which a month was not confirmed yet."""


def share_of(amount: int) -> int:
    """Return a quarter of a profit or turnover in micro-units, half-even; of a loss nothing."""
    return half_even(max(amount, 0) * SHARE, WHOLE)


def divide(whole: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide by weights to the largest remainder, equal ones by cause id; what weighs nothing or less gets nothing."""
    heavy = {cause: weight for cause, weight in sorted(weights.items()) if weight > 0}
    total = sum(heavy.values())
    if not total:
        return {}
    parts = {cause: whole * weight // total for cause, weight in heavy.items()}
    rest = whole - sum(parts.values())
    for cause in sorted(heavy, key=lambda each: (-(whole * heavy[each] % total), each))[:rest]:
        parts[cause] += 1
    return {cause: part for cause, part in parts.items() if part}


def weights(connection: Connection, first: str, last: str, currency: str) -> dict[str, int]:
    """Return what was confirmed of each cause's tenths from month `first` to `last`; NotConfirmed where it is not known."""
    if connection.execute(select(charity_months.c.period).where(charity_months.c.period == last)).scalar() is None:
        message = f"{last} is not confirmed yet: tpo charity confirm {last}"
        raise NotConfirmed(message)
    before = select(func.max(charity_months.c.period)).where(charity_months.c.period < first)
    start = _until(connection, connection.execute(before).scalar(), currency)
    return {cause: amount - start.get(cause, 0) for cause, amount in _until(connection, last, currency).items()}


def _until(connection: Connection, period: str | None, currency: str) -> dict[str, int]:
    """Return all that was confirmed up to a month."""
    own = charity_month_sums.c
    wanted = select(own.cause, own.accrued - own.unpaid).where(
        own.period == period, own.stream == Stream.TENTH.value, own.currency == currency
    )
    return {cause: int(amount) for cause, amount in connection.execute(wanted)}


class ShareBooked(msgspec.Struct, frozen=True):
    """Whether it was booked now, or was before."""

    repeated: bool


class ShareRefused(msgspec.Struct, frozen=True):
    """Why no share was booked, by a stable code."""

    code: str
    why: str


class BookProfitShare(Unit):
    """Book a profit share, once for a period and for ever: neither for a month of a year that was shared, nor the reverse."""

    alone: ClassVar[bool] = True

    period: str
    basis: str
    amount: int
    share: int
    currency: str
    parts: dict[str, int]
    actor: str

    def decide(self, batch: Batch) -> ShareBooked | ShareRefused:
        """Book it as confirmed: the company's own money stands behind it."""
        connection = batch.connection
        lock_standings(connection)
        for known in connection.execute(select(profit_shares)):
            if overlap(known.period, self.period):
                return self._known(known)
        if self.share and not self.parts:
            return ShareRefused(
                "profit.nothing", f"nothing was confirmed in {self.period} to divide it by: take a year"
            )
        standings = read_standings(connection)
        batch.policy(Books).post(batch, self._entries(batch, standings))
        save_standings(connection, standings)
        row = (self.period, batch.now, self.actor, self.basis, self.amount, self.share, self.currency)
        connection.execute(insert(profit_shares).values(row))
        return ShareBooked(repeated=False)

    def _known(self, known: Row[Any]) -> ShareBooked | ShareRefused:
        """Answer for a share that has months of this one: the same is booked already, another one would be given twice."""
        if (known.period, known.basis, known.amount) == (self.period, self.basis, self.amount):
            return ShareBooked(repeated=True)
        what = f"{format_amount(known.amount, known.currency)} {known.currency}"
        return ShareRefused("profit.booked", f"of {known.period} the share of a {known.basis} of {what} is booked")

    def _entries(self, batch: Batch, standings: dict[Account, Standing]) -> Sequence[Entry]:
        books, entries = batch.policy(Books), []
        for cause, part in sorted(self.parts.items()):
            name = UNASSIGNED if cause == UNASSIGNED else account_of(Stream.TENTH, State.CONFIRMED, cause)
            if cause != UNASSIGNED:
                standing = standings.setdefault(Account(Stream.TENTH, cause, self.currency), Standing())
                standing.confirmed += part
                standing.handed -= part
            sides = books.account(PROFIT_SHARE), books.account(name)
            reference = f"profit:{self.period}"
            entries.append(Entry("profit_share", *sides, part, self.currency, batch.now, reference=reference))
        return entries


def months_of(period: str) -> tuple[str, str]:
    """Return the first and the last month of a year (2026) or a month (2026-11)."""
    return (period, period) if "-" in period else (f"{period}-01", f"{period}-12")


def overlap(one: str, other: str) -> bool:
    """Return whether two periods have a month in common."""
    (first, last), (begin, end) = months_of(one), months_of(other)
    return first <= end and begin <= last
