"""How long the money of a cause has waited, against what was agreed (SI 1994/3024 reg. 6: 28 days unless agreed otherwise).

Money counts as received on the first day of its month, and what was paid first came in first: so it is never younger than said.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.charity.causes import TRANSMIT_WITHIN, Cause
from gateway.charity.confirmation import read_standings
from gateway.charity.months import following
from gateway.charity.standings import Account
from gateway.charity.tenth_states import Stream
from gateway.store.known_values import member_of
from gateway.store.tables import charity_month_sums, charity_months

ALARM_AT: Final = (4, 5)
"""The part of the agreed time, 80 %, after which money that waits is told of."""


class Waiting(msgspec.Struct, frozen=True):
    """Money of a cause that is confirmed and not paid: its oldest month, its age in days, and how many were agreed."""

    account: Account
    amount: int
    oldest: str
    days: int
    agreed: int

    @property
    def is_late(self) -> bool:
        """Whether 80 % of the time are over."""
        return self.days * ALARM_AT[1] >= self.agreed * ALARM_AT[0]


def oldest(months: Iterable[tuple[str, int]], outstanding: int) -> str:
    """Return the month from which the oldest of what is outstanding came: the latest that came in are the last to be paid."""
    found = ""
    for period, amount in sorted(months, reverse=True):
        if outstanding <= 0:
            break
        if amount > 0:
            found = period
            outstanding -= amount
    return found


def waiting(connection: Connection, causes: Mapping[str, Cause], today: str) -> list[Waiting]:
    """Return what waits for each cause on a day (YYYY-MM-DD)."""
    months: dict[Account, list[tuple[str, int]]] = {}
    own = charity_month_sums.c
    for stream, cause, currency, period, confirmed in connection.execute(
        select(own.stream, own.cause, own.currency, own.period, own.confirmed)
    ):
        given = member_of(Stream, stream, "charity_month_sums", f"{period}, {cause}")
        months.setdefault(Account(given, cause, currency), []).append((period, confirmed))
    found = []
    for account, standing in sorted(read_standings(connection).items()):
        amount = standing.confirmed + standing.payable + standing.instructed
        period = oldest(months.get(account, ()), amount)
        if amount > 0 and period:
            known = causes.get(account.cause)
            agreed = known.agreement.transmit_within if known and known.agreement else TRANSMIT_WITHIN
            days = (date.fromisoformat(today) - date.fromisoformat(f"{period}-01")).days
            found.append(Waiting(account, amount, period, days, agreed))
    return found


class Due(msgspec.Struct, frozen=True):
    """What has waited for 80 % of its time: how many causes, the oldest's days, and the largest part of a time that is over."""

    causes: int = 0
    days: int = 0
    used: float = 0.0


def transmit_due(connection: Connection, causes: Mapping[str, Cause], today: str) -> Due:
    """Return what waits for too long on a day, a month that nobody confirmed too; nothing before there is an agreement."""
    agreed = [cause.agreement.transmit_within for cause in causes.values() if cause.agreement]
    if not agreed:
        return Due()
    found = waiting(connection, causes, today)
    late = [each for each in found if each.is_late]
    used = max((each.days / each.agreed for each in found), default=0.0)
    days = max((each.days for each in late), default=0)
    confirmed = connection.execute(select(func.max(charity_months.c.period))).scalar()
    if confirmed is not None:
        since = date.fromisoformat(f"{following(confirmed)}-01")
        unconfirmed = (date.fromisoformat(today) - since).days
        used, days = max(used, unconfirmed / min(agreed)), max(days, unconfirmed)
    of_time, whole = ALARM_AT
    if used * whole < of_time:
        return Due(used=max(used, 0.0))
    return Due(len({each.account.cause for each in late}), days, used)


def is_due(cause: Cause, waits: Iterable[Waiting], today: str) -> bool:
    """Return whether something of a cause was carried for as long as its agreement lets it: it is paid then, however little."""
    carry = cause.agreement.carry if cause.agreement else 0
    return any(
        date.fromisoformat(today) > date.fromisoformat(f"{following(each.oldest)}-01") + timedelta(days=carry)
        for each in waits
        if each.account.cause == cause.id
    )


def runs(cause: Cause, waits: Iterable[Waiting], period: str) -> str:
    """Say that what waits is of a later month, or of a quarter that runs; empty where it may be paid with a month.

    What waits from a quarter that is over is paid with any month, and what came since with it.
    """
    first = min((each.oldest for each in waits if each.account.cause == cause.id), default="")
    last = cause.agreement.span_of(first)[1] if cause.agreement and first else ""
    if last <= period:
        return ""
    return (
        f"its quarter runs: it is paid with {last}"
        if last > first
        else f"what waits is of {first}: it is paid with that"
    )
