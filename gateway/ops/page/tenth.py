"""The tenth of this month by cause, added up from the journal in small steps and told as `charity/accrued` tells it.

Only what was told in sums of ten different givers is shown (decision 004): the journal up to the node's mark, less what is
held back. So two looks at the page, however close, differ by sums that `charity/accrued` has told, never by one customer's
tenth. And since such a sum may have begun in the month before, an account is passed over until ten givers of this month
stand behind what was told of it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.charity.accrued import FEWEST, MARK, SPAN, givers
from gateway.ledger.accounts import UNASSIGNED, cause_account
from gateway.ledger.balances import account_names
from gateway.ops.page.view import CauseSum, Tenth
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import held_accruals, marks, transfers

ENOUGH: Final = 2 * FEWEST
"""Givers after whom no more are looked for."""
FOR_EVER: Final = 1 << 62
Key = tuple[int, int, str]
"""A node, an account's number and a currency."""


class Tally(msgspec.Struct):
    """What one month's accruals come to so far, and when who first gave; `read` says how far each node's journal was read."""

    start: int
    read: dict[int, int] = {}
    sums: dict[Key, int] = {}
    givers: dict[Key, dict[int, int]] = {}


class MonthOfTenths:
    """The month that runs now. `advance` reads on, on any one thread; `tenth` gives what was last complete."""

    def __init__(self, zone: Callable[[], tzinfo]) -> None:
        """Take what gives the clock of the billing periods, which a reload may change; nothing is read yet."""
        self._zone = zone
        self._tally = Tally(0)
        self._told: dict[str, dict[str, int]] = {}
        self._complete = False

    def advance(self, connection: Connection, now: int) -> bool:
        """Read the next part of the journal, and tell whether there is more; all reads need one snapshot."""
        start = month_start(now, self._zone())
        if start != self._tally.start:
            self._tally, self._told, self._complete = Tally(start), {}, False
        reached = {
            row.node: row.value
            for row in connection.execute(select(marks.c.node, marks.c.value).where(marks.c.name == MARK))
        }
        for node, mark in reached.items():
            if self._read_on(connection, node, mark):
                return True
        self._told = _told(self._tally, held(connection), account_names(connection))
        self._complete = True
        return False

    def tenth(self, causes: Mapping[str, str], now: int) -> Tenth:
        """Give the sums of the causes, by id and name, and of those who chose none."""
        month = datetime.fromtimestamp(now / 1_000_000, self._zone()).strftime("%B %Y")
        accounts = [(name, cause_account(cause)) for cause, name in causes.items()]
        sums = [
            CauseSum(name, account, currency, amount)
            for name, account in (*accounts, ("No cause chosen yet", UNASSIGNED))
            for currency, amount in self._told.get(account, {"": None}).items()
        ]
        return Tenth(month, self._complete, sums)

    def _read_on(self, connection: Connection, node: int, mark: int) -> bool:
        """Add up the next part of a node's journal up to its mark, and tell whether there is more of it."""
        tally = self._tally
        begin = tally.read.get(node)
        if begin is None:
            begin = first_since(connection, node, tally.start) - 1
        end = min(mark, begin + SPAN)
        if end > begin:
            self._add(connection, node, begin, end)
        tally.read[node] = max(begin, end)
        return end < mark

    def _add(self, connection: Connection, node: int, begin: int, end: int) -> None:
        entry, since = transfers.c, self._tally.start
        found = connection.execute(
            select(entry.credit, entry.currency, func.sum(entry.amount))
            .where(entry.id > begin, entry.id <= end, entry.kind == "accrual", entry.at >= since)
            .group_by(entry.credit, entry.currency)
        )
        for account, currency, amount in found.all():
            key = (node, account, currency)
            self._tally.sums[key] = self._tally.sums.get(key, 0) + int(amount)
            known = self._tally.givers.setdefault(key, {})
            if len(known) < ENOUGH:
                known |= givers(connection, begin, end, account, currency, since) | known


def month_start(now: int, zone: tzinfo) -> int:
    """Give the first moment of the month, in UTC microseconds."""
    local = datetime.fromtimestamp(now / 1_000_000, zone)
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return int(first.astimezone(UTC).timestamp()) * 1_000_000


def first_since(connection: Connection, node: int, at: int) -> int:
    """Find where a node's journal reaches a moment: its identifiers grow with time, so halving finds it."""
    entry = transfers.c
    low, ceiling = node << SPAN_BITS, (node + 1) << SPAN_BITS
    last = connection.execute(select(func.max(entry.id)).where(entry.id >= low, entry.id < ceiling)).scalar()
    high = low if last is None else int(last) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            select(entry.id, entry.at).where(entry.id >= middle, entry.id < high).order_by(entry.id).limit(1)
        ).one_or_none()
        if row is None or row.at >= at:
            high = middle
        else:
            low = row.id + 1
    return low


def held(connection: Connection) -> dict[Key, tuple[int, int]]:
    """Give what each node holds back of an account, and from when on."""
    kept = held_accruals.c
    rows = connection.execute(select(kept.node, kept.account, kept.currency, kept.amount, kept.from_at))
    return {(row.node, row.account, row.currency): (row.amount, row.from_at) for row in rows}


def _told(tally: Tally, kept: Mapping[Key, tuple[int, int]], names: Mapping[int, str]) -> dict[str, dict[str, int]]:
    """Leave out what is held back, and every account that too few gave to."""
    amounts: dict[tuple[str, str], int] = {}
    people: dict[tuple[str, str], set[int]] = {}
    for key, amount in tally.sums.items():
        back, from_at = kept.get(key, (0, FOR_EVER))
        if from_at < tally.start:
            continue  # the sum that began last month is not told yet
        account = (names[key[1]], key[2])
        amounts[account] = amounts.get(account, 0) + amount - back
        people.setdefault(account, set()).update(who for who, first in tally.givers[key].items() if first < from_at)
    told: dict[str, dict[str, int]] = {}
    for (name, currency), amount in amounts.items():
        if len(people[name, currency]) >= FEWEST:
            told.setdefault(name, {})[currency] = amount
    return told
