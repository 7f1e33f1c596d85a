"""The confirmation of a month: which tenths and gifts are paid for, read from the journal and booked as sums by cause.

What counts is what was booked before the month's end, so that the same month comes to the same sums whenever it is read: a
confirmation that was killed is begun anew, and a late report belongs to the month that runs. `read_month` reads beside the
lane; `ConfirmMonth` books in one transaction what it came to, once for the whole store.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text

from gateway.charity.months import end_of, following, period_of
from gateway.charity.policies import Policy, given_anyhow
from gateway.charity.standings import Account, Move, Roads, Standing, all_moves
from gateway.charity.tenth_states import State, Stream, account_of, sides
from gateway.charity.unpaid_reading import accrued, first_at, still_unpaid
from gateway.ledger.account_names import UNASSIGNED
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.store import lock
from gateway.store.batch import Batch, Unit
from gateway.store.known_values import member_of
from gateway.store.tables import cause_sums, charity_month_sums, charity_months

GRACE: Final = 3600 * 1_000_000
"""A month is confirmed this long after its end at the earliest (microseconds), as its public sums are."""
_NUMBER: Final = {"n": lock.number_of("tpo-causes")}
Progress = Callable[[str, int], None]


class MonthSum(msgspec.Struct, frozen=True):
    """What had accrued to a cause before the end of a month, and what of it was unpaid then; micro-units."""

    account: Account
    accrued: int
    unpaid: int

    @property
    def target(self) -> int:
        """All that is confirmed of it."""
        return self.accrued - self.unpaid


class Month(msgspec.Struct, frozen=True):
    """A month that may be confirmed: `previous` is the one before it, None for the first; `until` in microseconds."""

    period: str
    previous: str | None
    until: int
    sums: tuple[MonthSum, ...]


class MonthRefused(ValueError):
    """A month that cannot be confirmed now; the text says why."""


def next_period(connection: Connection, zone: tzinfo) -> tuple[str | None, str | None]:
    """Return the months that were confirmed last and are confirmed next; None before the first, and before any entry."""
    previous = connection.execute(select(func.max(charity_months.c.period))).scalar()
    if previous is not None:
        return previous, following(previous)
    first = first_at(connection)
    return None, None if first is None else period_of(first, zone)


def read_month(
    connection: Connection,
    period: str,
    zone: tzinfo,
    now: int,
    progress: Progress,
    policies: Iterable[Policy] = (),
) -> Month | None:
    """Read what a month comes to; None where it is confirmed already. MonthRefused where it is not the next, or not over.

    `policies` are the rules of the tenth that say what confirms one; by another one it is that its charge is paid for.
    """
    previous, wanted = next_period(connection, zone)
    if previous is not None and period <= previous:
        return None
    if wanted is None or (previous is not None and period != wanted):
        why = f"months are confirmed in their order, {wanted} is the next" if wanted else "nothing was booked yet"
        raise MonthRefused(f"{period}: {why}")
    until = end_of(period, zone)
    if now < until + GRACE:
        raise MonthRefused(f"{period}: a month is confirmed an hour after its end")
    sums = accrued(connection, until)
    waiting = still_unpaid(connection, until, progress, given_anyhow(policies))
    accounts = sorted(sums.keys() | waiting.keys())
    found = tuple(MonthSum(each, sums.get(each, 0), waiting.get(each, 0)) for each in accounts)
    return Month(period, previous, until, found)


class Confirmed(msgspec.Struct, frozen=True):
    """What came of a month: how many sums were moved; None where another gateway was first."""

    moves: int


class ConfirmMonth(Unit):
    """Book what a month came to, once for the whole store; of two gateways the second one books nothing.

    What nobody chose a cause for is not moved: its sum is kept, for the reports.
    """

    alone: ClassVar[bool] = True

    month: Month
    roads: Roads

    def decide(self, batch: Batch) -> Confirmed | None:
        """Move the sums."""
        month, connection = self.month, batch.connection
        lock_standings(connection)
        if connection.execute(select(func.max(charity_months.c.period))).scalar() != month.previous:
            return None
        standings = read_standings(connection)
        before = {account: (each.payable, each.moved) for account, each in standings.items()}
        targets = {each.account: each.target for each in month.sums}
        moves = list(all_moves(standings, targets, self.roads))
        post_moves(batch, moves, f"month:{month.period}")
        save_standings(connection, standings)
        row = {"period": month.period, "node": batch.node.id, "at": batch.now, "until": month.until}
        connection.execute(insert(charity_months).values(row))
        rows = list(self._sums(standings, before))
        if rows:
            connection.execute(insert(charity_month_sums), rows)
        return Confirmed(len(moves))

    def _sums(
        self, standings: Mapping[Account, Standing], before: Mapping[Account, tuple[int, int]]
    ) -> Iterator[dict[str, object]]:
        said = {each.account: each for each in self.month.sums}
        for account in sorted(standings.keys() | said.keys()):
            standing = standings.get(account, Standing())
            payable, moved = before.get(account, (0, 0))
            found = said.get(account)
            yield {
                "period": self.month.period,
                "stream": account.stream.value,
                "cause": account.cause,
                "currency": account.currency,
                "accrued": found.accrued if found else 0,
                "unpaid": found.unpaid if found else 0,
                "confirmed": standing.moved - moved,
                "released": standing.payable - payable,
            }


class ReleaseConfirmed(Unit):
    """Move what was confirmed before and may be paid only now, or not any more; gives how many sums were moved.

    A cause may come into an extract of its register, or sign its agreement, after a month was confirmed: its money does not
    wait for the next one. So does that of a closed cause whose customers were asked until now.
    """

    alone: ClassVar[bool] = True

    roads: Roads

    def decide(self, batch: Batch) -> int:
        """Move the sums, as of the month that was confirmed last."""
        connection = batch.connection
        lock_standings(connection)
        period = connection.execute(select(func.max(charity_months.c.period))).scalar()
        standings = read_standings(connection)
        moves = list(all_moves(standings, {}, self.roads))
        if period is None or not moves:
            return 0
        post_moves(batch, moves, f"month:{period}")
        save_standings(connection, standings)
        return len(moves)


def read_standings(connection: Connection) -> dict[Account, Standing]:
    """Return what stands in each state."""
    return {
        Account(
            member_of(Stream, row.stream, "cause_sums", f"{row.cause}, {row.currency}"), row.cause, row.currency
        ): Standing(row.moved, row.confirmed, row.payable, row.instructed, row.paid, row.handed)
        for row in connection.execute(select(cause_sums))
    }


def lock_standings(connection: Connection) -> None:
    """Have what is owed to causes to ourselves until the commit: another gateway waits. Asked for before anything is read."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), _NUMBER)


def save_standings(connection: Connection, standings: Mapping[Account, Standing]) -> None:
    """Write what stands in each state."""
    connection.execute(delete(cause_sums))
    rows = [
        {
            "stream": each.stream.value,
            "cause": each.cause,
            "currency": each.currency,
            **msgspec.structs.asdict(standing),
        }
        for each, standing in sorted(standings.items())
    ]
    if rows:
        connection.execute(insert(cause_sums), rows)


def post_moves(batch: Batch, moves: Iterable[Move], reference: str, event_at: int = 0) -> None:
    """Book moves as entries of the journal; `event_at` is when the bank moved them (microseconds), 0: now."""
    books = batch.policy(Books)
    entries = []
    for move in moves:
        stream, cause = move.account.stream, move.account.cause
        debit, credit = sides(move.way, stream, cause)
        if move.to:
            credit = UNASSIGNED if move.to == UNASSIGNED else account_of(stream, State.CONFIRMED, move.to)
        numbers = books.account(debit), books.account(credit)
        entries.append(
            Entry(
                move.way.value, *numbers, move.amount, move.account.currency, event_at or batch.now, reference=reference
            )
        )
    books.post(batch, entries)
