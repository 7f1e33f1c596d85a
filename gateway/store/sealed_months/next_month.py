"""Which month is to be sealed next."""

import msgspec
from sqlalchemy import Connection, func, select

from gateway.store.months import first_since, following, month_start, period_name
from gateway.store.nodes import SPAN_BITS
from gateway.store.sealed_months.records import Range, sealed_months
from gateway.store.tables import marks, nodes, transfers


class MonthSpan(msgspec.Struct, frozen=True):
    """A month that is to be sealed, and the numbers that are its, by node."""

    period: str
    ranges: tuple[Range, ...]


def next_month(connection: Connection, before: int, published: str) -> MonthSpan | None:
    """Give the oldest month in the store that ended before a time, UTC microseconds; None where there is none yet.

    `published` is the mark up to which a node's entries are added up for the public sums, which reads the store alone: a month
    that is ahead of it waits.
    """
    known = sealed_months(connection)
    reached = {node: (node << SPAN_BITS) - 1 for node in connection.scalars(select(nodes.c.id).order_by(nodes.c.id))}
    for month in known:
        for _, last in month.ranges:
            reached[last >> SPAN_BITS] = last
    firsts = [at for node, after in reached.items() if (at := _first_at(connection, node, after)) is not None]
    start = month_start(min(firsts, default=before))
    while (end := following(start)) <= before:
        if not known or period_name(start) > known[-1].period:
            ranges = [each for node, after in reached.items() if (each := _range(connection, node, after, end))]
            if ranges:
                done = all(_mark(connection, last >> SPAN_BITS, published) >= last for _, last in ranges)
                return MonthSpan(period_name(start), tuple(ranges)) if done else None
        start = end
    return None


def _first_at(connection: Connection, node: int, after: int) -> int | None:
    number = transfers.c.id
    first = select(transfers.c.at).where(number > after, number < (node + 1) << SPAN_BITS).order_by(number).limit(1)
    return connection.execute(first).scalar_one_or_none()


def _range(connection: Connection, node: int, after: int, end: int) -> Range | None:
    """Give the numbers up to the last entry that a node booked before a month's end, if it booked any.

    Not up to the first that it booked later: the usage that this one charges has a number before it.
    """
    number = transfers.c.id
    last = select(func.max(number)).where(number > after, number < first_since(connection, node, end))
    found = connection.execute(last).scalar()
    return None if found is None else (after, int(found))


def _mark(connection: Connection, node: int, name: str) -> int:
    mark = select(marks.c.value).where(marks.c.node == node, marks.c.name == name)
    return connection.execute(mark).scalar_one_or_none() or 0
