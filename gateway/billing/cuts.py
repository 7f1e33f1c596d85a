"""Which bill an entry or a usage record is on: it needs no mark of its own, since numbers and times say it. Pure, and SQL.

A close takes a *cut*: the last number of each node that it looks at, and the end of its month. Its bills have what is numbered
up to there and has an event before that end, and is not within the cut before it. So each entry is on one bill; what comes late
is on the next one, with its own date; and what was used after the end of the month, before it was closed, waits for its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, and_, false, func, not_, or_, select

from gateway.store.append_only import SEALED
from gateway.store.nodes import SPAN_BITS, Node
from gateway.store.sealed_months.records import SealedMonth
from gateway.store.tables import bill_closes, marks, nodes, transfers, usage

_WORKED_ON: Final = ((transfers, transfers.c.id), (usage, usage.c.id))


class Span(msgspec.Struct, frozen=True):
    """A node's numbers: `last` is the last one within the cut, and from `first` on some may be on no bill yet."""

    first: int
    last: int


class Cut(msgspec.Struct, frozen=True):
    """What is on the bills of a close, and of all before it: numbers of each node, with an event before `until` (UTC us)."""

    until: int
    spans: dict[int, Span] = {}

    def within(self, number: Column[Any], event_at: Column[Any]) -> ColumnElement[bool]:
        """Write the condition that a row is on a bill of this close, or of one before it."""
        ranges = [and_(number >= node << SPAN_BITS, number <= span.last) for node, span in self.spans.items()]
        return and_(event_at < self.until, or_(*ranges)) if ranges else false()

    def holds(self, number: int, event_at: int) -> bool:
        """Return whether a row is on a bill of this close, or of one before it."""
        span = self.spans.get(number >> SPAN_BITS)
        return span is not None and number <= span.last and event_at < self.until


NOTHING: Final = Cut(0)
"""Before the first close."""


class Slice(msgspec.Struct, frozen=True):
    """What is on the bills of one close alone."""

    cut: Cut
    before: Cut = NOTHING

    def within(self, number: Column[Any], event_at: Column[Any]) -> ColumnElement[bool]:
        """Write the condition that a row is on a bill of this close."""
        firsts = [
            and_(number >= span.first, number <= span.last)
            for span in self.cut.spans.values()
            if span.last >= span.first
        ]
        if not firsts:
            return false()
        here = and_(event_at < self.cut.until, or_(*firsts))
        return and_(here, not_(self.before.within(number, event_at))) if self.before.spans else here

    def holds(self, number: int, event_at: int) -> bool:
        """Return whether a row is on a bill of this close."""
        return self.cut.holds(number, event_at) and not self.before.holds(number, event_at)

    def wants(self, month: SealedMonth) -> bool:
        """Return whether the files of a month may have such rows."""
        return any(
            after < span.last and last >= span.first for after, last in month.ranges for span in self.cut.spans.values()
        )


def take_cut(connection: Connection, node: Node | None, before: Cut, until: int) -> Cut:
    """Cut every node's journal where it is now; the numbers that this node gave out are all committed by then, or will not be.

    Another node's are as far as its last commit, since it commits in order. Without `node` nothing is given out meanwhile.
    """
    spans = {}
    for number in connection.scalars(select(nodes.c.id).order_by(nodes.c.id)):
        last = node.next_id - 1 if node is not None and number == node.id else _last(connection, number)
        known = before.spans.get(number)
        first = number << SPAN_BITS if known is None else known.first
        spans[number] = Span(first, max(last, first - 1, -1 if known is None else known.last))
    return Cut(until, spans)


def _last(connection: Connection, node: int) -> int:
    floor, ceiling = node << SPAN_BITS, (node + 1) << SPAN_BITS
    found = [floor - 1]
    for _, number in _WORKED_ON:
        last = connection.execute(select(func.max(number)).where(number >= floor, number < ceiling)).scalar()
        found.append(floor - 1 if last is None else int(last))
    sealed = select(marks.c.value).where(marks.c.node == node, marks.c.name == SEALED)
    found.append(int(connection.execute(sealed).scalar() or floor - 1))
    return max(found)


def settled(cut: Cut, journals: Sequence[Connection]) -> Cut:
    """Say from where on each node has rows that are on no bill yet: the next close reads from there."""
    spans = {}
    for node, span in cut.spans.items():
        first = span.last + 1
        for journal in journals:
            for table, number in _WORKED_ON:
                left = select(func.min(number)).where(
                    number >= span.first, number <= span.last, table.c.event_at >= cut.until
                )
                found = journal.execute(left).scalar()
                first = first if found is None else min(first, int(found))
        spans[node] = Span(first, span.last)
    return Cut(cut.until, spans)


def write_cut(cut: Cut) -> str:
    """Write a cut as the table has it."""
    return msgspec.json.encode({str(node): [span.first, span.last] for node, span in cut.spans.items()}).decode()


def read_cut(until: int, text: str) -> Cut:
    """Read one."""
    spans: Mapping[str, list[int]] = msgspec.json.decode(text)
    return Cut(until, {int(node): Span(*span) for node, span in spans.items()})


class Close(msgspec.Struct, frozen=True):
    """A close of a month, as its row says it."""

    id: int
    period: str
    revision: int
    state: str
    node: int
    cut: Cut
    after: int
    bills: int
    credit_notes: int
    sums: dict[str, "Sums"]
    begun_at: int
    begun_by: str
    closed_at: int | None
    reopening_by: str
    reopened_by: str
    reason: str

    def row(self) -> tuple[object, ...]:
        """Return the row, its columns in order."""
        return (
            self.id,
            self.period,
            self.revision,
            self.state,
            self.node,
            self.cut.until,
            write_cut(self.cut),
            self.after,
            self.bills,
            self.credit_notes,
            msgspec.json.encode(self.sums, order="sorted").decode(),
            self.begun_at,
            self.begun_by,
            self.closed_at,
            self.reopening_by,
            self.reopened_by,
            self.reason,
        )


class Sums(msgspec.Struct):
    """What the bills of a close come to in one currency, in micro-units: `minor` in whole minor units, as bills show it."""

    moved: int = 0
    minor: int = 0
    due: int = 0
    given: int = 0


RUNNING, CLOSED, REOPENED = "running", "closed", "reopened"
"""States of a close. One that was reopened stays as it is; the month is closed again by another one."""


def closes(connection: Connection) -> list[Close]:
    """Read every close, the first one first; there is one a month, and one more for each reopening."""
    rows = connection.execute(select(bill_closes).order_by(bill_closes.c.id))
    found = [_close(row) for row in rows]
    return sorted(found, key=lambda each: (each.period, each.revision))


def close_of(connection: Connection, close_id: int) -> Close:
    """Read one by its number."""
    return _close(connection.execute(select(bill_closes).where(bill_closes.c.id == close_id)).one())


def _close(row: Any) -> Close:  # noqa: ANN401  (a row)
    sums = msgspec.json.decode(row.sums, type=dict[str, Sums])
    return Close(
        row.id,
        row.period,
        row.revision,
        row.state,
        row.node,
        read_cut(row.until, row.cut),
        row.after,
        row.bills,
        row.credit_notes,
        sums,
        row.begun_at,
        row.begun_by,
        row.closed_at,
        row.reopening_by,
        row.reopened_by,
        row.reason,
    )


def slice_of(found: Sequence[Close], close: Close) -> Slice:
    """Return what is on the bills of a close alone, among all of them in order."""
    place = [each.id for each in found].index(close.id)
    return Slice(close.cut, found[place - 1].cut if place else NOTHING)
