"""`usage export`: every Used-Service-Unit as the auditors and the billing run get it, with the numbers of its time."""

from collections.abc import Iterable
from itertools import zip_longest

import msgspec
from sqlalchemy import ColumnElement, Connection, false, or_, select

from gateway.events.times import rfc3339
from gateway.ledger.money import format_amount
from gateway.store.sealed_months.parts import lowest_rows, parts
from gateway.store.statements import SelectAmong
from gateway.store.tables import lines, reratings, sessions, usage
from gateway.subscribers.identifier_history import IMSI, MSISDN, IdentifierPeriod


class UsageRecord(msgspec.Struct, frozen=True):
    """A Used-Service-Unit; the order of its fields is that of the interface's columns.

    The price is in major units, and the right one where a wrong one was put right (charging.rerate).
    """

    event_time: str
    msisdn: str | None
    imsi: str | None
    session_id: str | None
    service: str
    rating_group: int | None
    octets: int
    seconds: int
    units: int
    price: str
    currency: str
    record_id: str


COLUMNS = UsageRecord.__struct_fields__
_LINES = SelectAmong(
    select(lines.c.kind, lines.c.value, lines.c.subscriber_id, lines.c.valid_from, lines.c.valid_to),
    lines.c.subscriber_id,
    int,
)
_RERATED = SelectAmong(select(reratings.c.id, reratings.c.record_id, reratings.c.price), reratings.c.record_id, int)
_SESSIONS = SelectAmong(select(sessions.c.id, sessions.c.session_id), sessions.c.id, int)


def read(
    connection: Connection, *, after: int, limit: int, start: int | None, end: int | None, number: str = ""
) -> list[UsageRecord]:
    """Return at most `limit` records numbered above `after`, of events from `start` until before `end` (microseconds).

    With `number`, those of whoever had this MSISDN, IMSI or ICCID at the time of the event.
    """
    statement = select(usage).where(usage.c.id > after).order_by(usage.c.id)
    if start is not None:
        statement = statement.where(usage.c.event_at >= start)
    if end is not None:
        statement = statement.where(usage.c.event_at < end)
    if number:
        statement = statement.where(_had(connection, number))
    with parts(connection, lambda month: month.ends_above(after) and month.usage.overlaps(start, end)) as found:
        rows = lowest_rows(found, statement, limit)
    numbers = _numbers(connection, {row.subscriber_id for row in rows})
    rerated: dict[int, int] = {
        usage_id: price for _, usage_id, price in sorted(_RERATED.run(connection, {row.id for row in rows}))
    }
    session_ids: dict[int, str] = dict(_SESSIONS.run(connection, {row.session for row in rows}))
    return [
        UsageRecord(
            event_time=rfc3339(row.event_at),
            msisdn=_number(numbers, row.subscriber_id, MSISDN, row.event_at),
            imsi=_number(numbers, row.subscriber_id, IMSI, row.event_at),
            session_id=session_ids.get(row.session),
            service=row.service,
            rating_group=row.rating_group,
            octets=row.octets,
            seconds=row.seconds,
            units=row.units,
            price=format_amount(rerated.get(row.id, row.price), row.currency),
            currency=row.currency,
            record_id=str(row.id),
        )
        for row in rows
    ]


def _had(connection: Connection, number: str) -> ColumnElement[bool]:
    """Make the condition that a number was the line's at the time of the event, as `_number` tells it."""
    owners = {
        row.subscriber_id for row in connection.execute(select(lines.c.subscriber_id).where(lines.c.value == number))
    }
    conditions: list[ColumnElement[bool]] = [false()]
    for (subscriber_id, _), periods in _numbers(connection, owners).items():
        ordered = sorted(periods, key=lambda period: period.valid_from)
        for period, following in zip_longest(ordered, ordered[1:]):
            if period.value != number:
                continue
            condition = usage.c.subscriber_id == subscriber_id
            if period is not ordered[0]:
                condition &= usage.c.event_at >= period.valid_from
            if following is not None:
                condition &= usage.c.event_at < following.valid_from
            conditions.append(condition)
    return or_(*conditions)


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
