"""`charity/accrued`: what the company hears of the tenth and of gifts: the public-safe sums of a calendar month.

A month's figures are decided once for the whole store, by whichever of its gateways is first, some time after the month has
ended on the operator's clock (`operator.timezone`). What counts is when an entry was booked: a charging report that comes late,
and a correction, belong to the month that runs, so that what was published is never corrected. Each entry lies between two
publications by its number, whatever the clock did meanwhile: none is left out, none counts twice.

`MonthReader` adds up the journal beside the lane, in steps, since a month may have many millions of entries; `PublishMonth`
then writes the events, what is carried on and how far the journal is published in one transaction.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, null, or_, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from gateway.charity.months import end_of, following, period_of
from gateway.charity.public_sums import Decision, Figure, Giving, Key, decide
from gateway.charity.sealed_causes import CauseSeals
from gateway.events.outbox import Event, emit, source_of
from gateway.events.times import rfc3339
from gateway.ledger.account_names import HIGHEST_SYSTEM, UNASSIGNED
from gateway.ledger.accounts import cause_account, gifts_account
from gateway.ledger.balances import account_names
from gateway.ledger.money import format_amount
from gateway.store.batch import Batch, Unit
from gateway.store.months import first_since
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import marks, nodes, public_sums, publications, transfers, unpublished_sums

TOPIC: Final = "charity/accrued"
TYPE: Final = "org.tpo.charity.accrued.v1"
MARK: Final = "charity/accrued"
"""A node's last entry that is published, or carried on."""
GRACE: Final = 3600 * 1_000_000
"""A month is published this long after its end (microseconds): clocks of gateways differ, and a commit may be slow."""
SPAN: Final = 1 << 17
"""Identifiers that one step covers at most."""
NEAR: Final = 64
"""A charge stands this near before its accruals: they are posted in one go."""
KINDS: Final = ("accrual", "gift", "rerated_accrual", "accrual_reversal")
PAID: Final = ("charge", "sale", "rerated")
"""What tenths accrue on."""
_decode = msgspec.msgpack.Decoder(dict[int, int]).decode
_encode = msgspec.msgpack.Encoder().encode


class Span(msgspec.Struct):
    """Entries of a node's journal that are to be published: those numbered above `after`, up to `last`."""

    before: int | None
    after: int
    last: int


class Month(msgspec.Struct, frozen=True):
    """A month that is over, added up: `previous` is the one that was published last; `spans` by node."""

    period: str
    previous: str | None
    spans: Mapping[int, Span]
    decision: Decision


class MonthReader:
    """The next month that is to be published. `begin` finds it, `advance` reads on until all is added up."""

    def __init__(self, connection: Connection, zone: tzinfo, now: int, seals: CauseSeals) -> None:
        """Look for it; `period` is None where there is none yet. `now` in microseconds, `zone` is the bills' clock."""
        self.period: str | None = None
        self._previous = connection.execute(select(func.max(publications.c.period))).scalar()
        self._spans = {node: _from_mark(connection, node) for node in connection.scalars(select(nodes.c.id))}
        firsts = [at for node, span in self._spans.items() if (at := _first_at(connection, node, span)) is not None]
        if not firsts:
            return
        period = period_of(min(firsts), zone)
        if self._previous is not None and period <= self._previous:
            period = following(self._previous)
        end = end_of(period, zone)
        if now < end + GRACE:
            return
        self.period = period
        for node, span in self._spans.items():
            span.last = max(span.after, first_since(connection, node, end) - 1)
        self._reached = {node: span.after for node, span in self._spans.items()}
        self._names = {number: cause for number, name in account_names(connection).items() if (cause := cause_of(name))}
        self._giving = _carried(connection, seals)

    def advance(self, connection: Connection) -> bool:
        """Add up the next part of the journal, and tell whether there is more."""
        for node, span in self._spans.items():
            begin = _before_the_next(connection, self._reached[node], span.last)
            if begin < span.last:
                end = self._reached[node] = min(span.last, begin + SPAN)
                self._add(connection, begin, end)
                return True
        return False

    def month(self) -> Month:
        """Decide what is published, once everything is added up."""
        assert self.period is not None
        return Month(self.period, self._previous, self._spans, decide(self._giving))

    def _add(self, connection: Connection, begin: int, end: int) -> None:
        for account, currency, payer, amount in connection.execute(_sums(begin, end)):
            cause = self._names.get(account)
            if cause is not None:
                known = self._giving.setdefault((cause, currency), Giving(parts={}, givers=set()))
                known.add(payer, int(amount))


class PublishMonth(Unit):
    """Write a month's figures, what is carried on, and the marks, at once; of two gateways the second one writes nothing.

    `node_name` is the source of the events.
    """

    alone: ClassVar[bool] = True

    node_name: str
    month: Month

    def decide(self, batch: Batch) -> bool:
        """Publish it, unless it is published already."""
        month, connection = self.month, batch.connection
        if connection.execute(select(func.max(publications.c.period))).scalar() != month.previous:
            return False
        insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = {"period": month.period, "node": batch.node.id, "published_at": batch.now}
        first = insert_(publications).values(row).on_conflict_do_nothing().returning(publications.c.period)
        if connection.execute(first).one_or_none() is None:
            return False
        self._move_marks(connection)
        connection.execute(delete(unpublished_sums))
        for (cause, currency), each in month.decision.carried.items():
            parts = batch.policy(CauseSeals).seal_octets(_encode(each.parts), carried_owner(cause, currency))
            batch.add(unpublished_sums, (cause, currency, each.amount, parts))
        for figure in month.decision.figures:
            batch.add(public_sums, (month.period, figure.cause, figure.currency, figure.amount))
            emit(batch, TOPIC, self._event(figure, str(batch.take_id()), batch.now))
        return True

    def _move_marks(self, connection: Connection) -> None:
        for node, span in self.month.spans.items():
            connection.execute(delete(marks).where(marks.c.node == node, marks.c.name == MARK))
            connection.execute(insert(marks).values(node=node, name=MARK, value=span.last))

    def _event(self, figure: Figure, event_id: str, now: int) -> Event:
        data = {
            "period": self.month.period,
            "cause": figure.cause,
            "amount": format_amount(figure.amount, figure.currency),
            "currency": figure.currency,
        }
        return Event(id=event_id, source=source_of(self.node_name), type=TYPE, time=rfc3339(now), data=data)


def published(connection: Connection) -> tuple[str, list[Figure]] | None:
    """Return the month that was published last, and its figures; None before the first."""
    period = connection.execute(select(func.max(publications.c.period))).scalar()
    if period is None:
        return None
    return period, figures_of(connection, period)


def figures_of(connection: Connection, period: str) -> list[Figure]:
    """Return the figures that were published of a month."""
    sums = public_sums.c
    rows = connection.execute(select(sums.cause, sums.currency, sums.amount).where(sums.period == period))
    return sorted((Figure(*row) for row in rows), key=lambda figure: (figure.cause, figure.currency))


def _before_the_next(connection: Connection, reached: int, last: int) -> int:
    """Return the number before a journal's next entry: each start leaves some unused, a restore many millions."""
    entry = transfers.c.id
    found = connection.execute(select(func.min(entry)).where(entry > reached, entry <= last)).scalar()
    return last if found is None else int(found) - 1


def cause_of(account: str) -> str | None:
    """Return the cause that an account by this name is owed to: a tenth and a gift are one; None for any other account."""
    for prefix in (cause_account(""), gifts_account("")):
        if account.startswith(prefix):
            return account.removeprefix(prefix)
    return UNASSIGNED if account == UNASSIGNED else None


def _from_mark(connection: Connection, node: int) -> Span:
    mine = (marks.c.node == node, marks.c.name == MARK)
    before = connection.execute(select(marks.c.value).where(*mine)).scalar_one_or_none()
    after = (node << SPAN_BITS) - 1 if before is None else before
    return Span(before, after, after)


def _first_at(connection: Connection, node: int, span: Span) -> int | None:
    """Return when the first entry after the mark was booked."""
    number, ceiling = transfers.c.id, (node + 1) << SPAN_BITS
    first = select(transfers.c.at).where(number > span.after, number < ceiling).order_by(number).limit(1)
    return connection.execute(first).scalar_one_or_none()


def _sums(begin: int, end: int) -> Any:  # noqa: ANN401  (a select)
    """Sum what was given by account, currency and giver; what was taken back counts against it, without a giver."""
    entry = transfers.c
    part = (entry.id > begin, entry.id <= end, entry.kind.in_(KINDS))
    giver = case((entry.kind == "gift", entry.debit), else_=_payer())
    given = select(entry.credit.label("account"), entry.currency, giver.label("giver"), entry.amount).where(*part)
    nobody = select(entry.debit, entry.currency, null(), -entry.amount).where(*part, entry.debit < HIGHEST_SYSTEM)
    each = union_all(given, nobody).subquery()
    group = (each.c.account, each.c.currency, each.c.giver)
    return select(*group, func.sum(each.c.amount)).group_by(*group)


def _payer() -> ColumnElement[Any]:
    """Return whose charge an accrual comes from: the one of the same usage or reference that stands before it."""
    charge = transfers.alias("charge")
    same = or_(charge.c.usage_id == transfers.c.usage_id, charge.c.reference == transfers.c.reference)
    # What is posted in one go is booked at one time: without it a server looks into every month.
    near = (charge.c.at == transfers.c.at, charge.c.id < transfers.c.id, charge.c.id >= transfers.c.id - NEAR)
    return (
        select(charge.c.debit)
        .where(*near, charge.c.kind.in_(PAID), same)
        .order_by(charge.c.id.desc())
        .limit(1)
        .correlate(transfers)
        .scalar_subquery()
    )


def carried_owner(cause: str, currency: str) -> str:
    """Name the row of what is carried on, which is sealed for it."""
    return f"carried/{cause}/{currency}"


def _carried(connection: Connection, seals: CauseSeals) -> dict[Key, Giving]:
    kept = unpublished_sums.c
    rows: Iterable[Any] = connection.execute(select(kept.cause, kept.currency, kept.amount, kept.parts))
    return {
        (cause, currency): Giving(amount, _decode(seals.open_octets(parts, carried_owner(cause, currency))), set())
        for cause, currency, amount, parts in rows
    }
