"""`usage export`: every Used-Service-Unit as the auditors and the billing run get it, with the numbers of its time."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from gateway.events.times import rfc3339
from gateway.ledger.money import format_amount
from gateway.store.statements import SelectAmong
from gateway.store.tables import lines, sessions, usage
from gateway.subscribers.identifier_history import IMSI, MSISDN, IdentifierPeriod

COLUMNS = (
    "event_time",
    "msisdn",
    "imsi",
    "session_id",
    "service",
    "rating_group",
    "octets",
    "seconds",
    "units",
    "price",
    "currency",
    "record_id",
)  # fmt: skip  (the order is fixed by the interface)
_LINES = SelectAmong(
    select(lines.c.kind, lines.c.value, lines.c.subscriber_id, lines.c.valid_from, lines.c.valid_to),
    lines.c.subscriber_id,
    int,
)


def read(connection: Connection, *, after: int, limit: int, start: int | None, end: int | None) -> list[dict[str, Any]]:
    """Give at most `limit` records numbered above `after`, of events from `start` until before `end` (microseconds)."""
    statement = (
        select(usage, sessions.c.session_id)
        .join_from(usage, sessions, sessions.c.id == usage.c.session, isouter=True)
        .where(usage.c.id > after)
        .order_by(usage.c.id)
        .limit(limit)
    )
    if start is not None:
        statement = statement.where(usage.c.event_at >= start)
    if end is not None:
        statement = statement.where(usage.c.event_at < end)
    rows = connection.execute(statement).all()
    numbers = _numbers(connection, {row.subscriber_id for row in rows})
    return [
        {
            "event_time": rfc3339(row.event_at),
            "msisdn": _number(numbers, row.subscriber_id, MSISDN, row.event_at),
            "imsi": _number(numbers, row.subscriber_id, IMSI, row.event_at),
            "session_id": row.session_id,
            "service": row.service,
            "rating_group": row.rating_group,
            "octets": row.octets,
            "seconds": row.seconds,
            "units": row.units,
            "price": format_amount(row.price, row.currency),
            "currency": row.currency,
            "record_id": str(row.id),
        }
        for row in rows
    ]


def _numbers(connection: Connection, subscribers: set[int]) -> dict[tuple[int, str], list[IdentifierPeriod]]:
    found: dict[tuple[int, str], list[IdentifierPeriod]] = {}
    for row in _LINES.run(connection, subscribers):
        line = IdentifierPeriod(*row)
        found.setdefault((line.subscriber_id, line.kind), []).append(line)
    return found


def _number(
    numbers: dict[tuple[int, str], list[IdentifierPeriod]], subscriber_id: int, kind: str, at: int
) -> str | None:
    known: Iterable[IdentifierPeriod] = numbers.get((subscriber_id, kind), ())
    began = [line for line in known if line.valid_from <= at]
    line = (
        max(began, key=lambda item: item.valid_from)
        if began
        else min(known, key=lambda item: item.valid_from, default=None)
    )
    return line.value if line is not None else None
