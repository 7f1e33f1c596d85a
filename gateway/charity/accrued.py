"""`charity/accrued`: what the company hears of the tenth, summed so that nobody can tell who gave to whom.

A price and a tenth side by side would tell a customer's cause, so accruals leave the house only as sums by cause,
currency and closed minutes, without a subject or a record's id, and only where at least ten different subscribers stand
behind them. A smaller sum is held back and joined to later minutes until there are ten.

Summing reads the journal beside the lane (`gather`), since a busy minute has hundreds of thousands of rows; the lane
then writes the events, what is held back and how far the journal is summed in one unit (`SumAccruals`), so that a crash
neither loses an accrual nor sums it twice.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from gateway.events.outbox import Event, emit, source_of
from gateway.events.times import rfc3339
from gateway.ledger.accounts import cause_account
from gateway.ledger.money import format_amount
from gateway.store.batch import Batch
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import accounts, held_accruals, marks, transfers

TOPIC: Final = "charity/accrued"
TYPE: Final = "org.tpo.charity.accrued.v1"
MARK: Final = "charity/accrued"
FEWEST: Final = 10
"""Different subscribers behind a sum that is told."""
MINUTE: Final = 60_000_000
GRACE: Final = 5_000_000
"""A minute is closed this long after its end (microseconds): a batch carries the time at which it began."""
SPAN: Final = 1 << 20
"""Identifiers that one pass covers at most."""
FIRST: Final = 2000
"""Accruals that are looked at for who gave: a popular cause has a hundred thousand in one pass."""
NEAR: Final = 64
"""A charge stands this near before its accruals: they are posted in one go."""


class Part(msgspec.Struct, frozen=True):
    """What one subscriber's charges of one minute accrued to an account; `subscriber` is None if unknown."""

    minute: int
    account: int
    currency: str
    subscriber: int | None
    amount: int


class Sum(msgspec.Struct):
    """Accruals to an account from the minute `from_at` up to `to_at` (microseconds), and whose they are."""

    account: int
    currency: str
    amount: int
    from_at: int
    to_at: int
    subscribers: set[int]


class Sums(msgspec.Struct, frozen=True):
    """What the journal between two marks comes to; `before` is None at the very first time."""

    before: int | None
    after: int
    told: list[Sum]
    held: list[Sum]
    names: dict[int, str]


def merge(held: Iterable[Sum], parts: Iterable[Part]) -> tuple[list[Sum], list[Sum]]:
    """Join what was held back with new parts, minute by minute: what can be told now, and what is still held. Pure."""
    open_sums = {(s.account, s.currency): msgspec.structs.replace(s, subscribers=set(s.subscribers)) for s in held}
    by_minute: dict[int, list[Part]] = {}
    for part in parts:
        by_minute.setdefault(part.minute, []).append(part)
    told = []
    for minute, members in sorted(by_minute.items()):
        for part in members:
            _join(open_sums, part)
        for key in {(part.account, part.currency): None for part in members}:
            open_sums[key].to_at = (minute + 1) * MINUTE
            if len(open_sums[key].subscribers) >= FEWEST:
                told.append(open_sums.pop(key))
    return told, list(open_sums.values())


def _join(open_sums: dict[tuple[int, str], Sum], part: Part) -> None:
    found = open_sums.get((part.account, part.currency))
    if found is None:
        start = part.minute * MINUTE
        found = open_sums[part.account, part.currency] = Sum(part.account, part.currency, 0, start, start, set())
    found.amount += part.amount
    if part.subscriber is not None:
        found.subscribers.add(part.subscriber)


def gather(connection: Connection, node: int, now: int) -> Sums | None:
    """Sum the next closed minutes of a node's journal, at most SPAN identifiers of it; None if there are none.

    All reads need one snapshot (`engine.reading`).
    """
    before = connection.execute(
        select(marks.c.value).where(marks.c.node == node, marks.c.name == MARK)
    ).scalar_one_or_none()
    after = _closed(connection, node, (node << SPAN_BITS) - 1 if before is None else before, now)
    if after is None:
        return None
    told, held = merge(_held(connection, node), _parts(connection, node, before, after))
    numbers = {s.account for s in told}
    named = connection.execute(select(accounts.c.id, accounts.c.name).where(accounts.c.id.in_(numbers)))
    names = {row.id: row.name for row in named}
    return Sums(before, after, told, held, names)


class SumAccruals:
    """Write what was gathered: the events, what is held back, and the mark, at once."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = ()

    def __init__(self, node_name: str, sums: Sums) -> None:
        """Take the node's name, which is the events' source, and the sums."""
        self._source, self._sums = source_of(node_name), sums

    def decide(self, batch: Batch) -> int:
        """Give the number of events written; nothing is done if the journal was summed this far already."""
        if not self._move_mark(batch):
            return 0
        self._hold(batch)
        for found in self._sums.told:
            emit(batch, TOPIC, self._event(found, str(batch.take_id())))
        return len(self._sums.told)

    def _move_mark(self, batch: Batch) -> bool:
        mine = (marks.c.node == batch.node.id, marks.c.name == MARK)
        found = batch.connection.execute(select(marks.c.value).where(*mine)).scalar_one_or_none()
        if found != self._sums.before:
            return False
        change = insert(marks).values(node=batch.node.id, name=MARK) if found is None else update(marks).where(*mine)
        batch.connection.execute(change.values(value=self._sums.after))
        return True

    def _hold(self, batch: Batch) -> None:
        batch.connection.execute(delete(held_accruals).where(held_accruals.c.node == batch.node.id))
        for s in self._sums.held:
            members = msgspec.msgpack.encode(sorted(s.subscribers))
            batch.add(held_accruals, (batch.node.id, s.account, s.currency, s.amount, s.from_at, s.to_at, members))

    def _event(self, found: Sum, event_id: str) -> Event:
        data = {
            "cause": self._sums.names[found.account].removeprefix(cause_account("")),
            "currency": found.currency,
            "amount": format_amount(found.amount, found.currency),
            "count": len(found.subscribers),
            "from": rfc3339(found.from_at),
            "to": rfc3339(found.to_at),
        }
        return Event(id=event_id, source=self._source, type=TYPE, time=rfc3339(found.to_at), data=data)


def _closed(connection: Connection, node: int, before: int, now: int) -> int | None:
    """Find the last entry of the journal that lies in a closed minute, with all before it."""
    number, closed = transfers.c.id, (now - GRACE) // MINUTE * MINUTE
    waiting = (number > before, number < (node + 1) << SPAN_BITS)
    first = connection.execute(select(number, transfers.c.at).where(*waiting).order_by(number).limit(1)).one_or_none()
    if first is None or first.at >= closed:
        return None
    span = (*waiting, number < first.id + SPAN)
    still_open = select(number).where(*span, transfers.c.at >= closed).order_by(number).limit(1)
    end = connection.execute(still_open).scalar_one_or_none()
    last = select(func.max(number)).where(*span, *(() if end is None else (number < end,)))
    found: int = connection.execute(last).scalar_one()
    return found


def _parts(connection: Connection, node: int, before: int | None, after: int) -> list[Part]:
    begin = (node << SPAN_BITS) - 1 if before is None else before
    payer = _payer()
    each = (
        select(
            (transfers.c.at // MINUTE).label("minute"),
            transfers.c.credit,
            transfers.c.currency,
            payer.label("payer"),
            transfers.c.amount,
        )
        .where(transfers.c.id > begin, transfers.c.id <= after, transfers.c.kind == "accrual")
        .subquery()
    )
    group = (each.c.minute, each.c.credit, each.c.currency, each.c.payer)
    rows = connection.execute(select(*group, func.sum(each.c.amount)).group_by(*group))
    return [Part(minute, account, currency, who, int(amount)) for minute, account, currency, who, amount in rows]


def givers(connection: Connection, begin: int, end: int, account: int, currency: str, since: int) -> dict[int, int]:
    """Find whose charges accrued to an account, after the entry `begin` up to `end`, and when first. Only the first are asked.

    Entries of before `since` (microseconds) are passed over.
    """
    t = transfers.c
    each = (
        select(_payer().label("payer"), t.at)
        .where(
            t.id > begin, t.id <= end, t.kind == "accrual", t.credit == account, t.currency == currency, t.at >= since
        )
        .order_by(t.id)
        .limit(FIRST)
        .subquery()
    )
    found = select(each.c.payer, func.min(each.c.at)).where(each.c.payer.is_not(None)).group_by(each.c.payer)
    return {int(payer): int(first) for payer, first in connection.execute(found)}


def _payer() -> ColumnElement[Any]:
    """Tell whose charge an accrual comes from: the one of the same usage or reference that stands before it."""
    charge = transfers.alias("charge")
    same = or_(charge.c.usage_id == transfers.c.usage_id, charge.c.reference == transfers.c.reference)
    return (
        select(charge.c.debit)
        .where(charge.c.id < transfers.c.id, charge.c.id >= transfers.c.id - NEAR, charge.c.kind != "accrual", same)
        .order_by(charge.c.id.desc())
        .limit(1)
        .correlate(transfers)
        .scalar_subquery()
    )


def _held(connection: Connection, node: int) -> list[Sum]:
    h = held_accruals.c
    rows = connection.execute(
        select(h.account, h.currency, h.amount, h.from_at, h.to_at, h.subscribers).where(h.node == node)
    )
    return [
        Sum(account, currency, amount, from_at, to_at, set(msgspec.msgpack.decode(members)))
        for account, currency, amount, from_at, to_at, members in rows
    ]
