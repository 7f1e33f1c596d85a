"""The sweeper: what is past its retention goes, in steps so small that charging does not notice.

A step is a unit of the lane that deletes a bounded number of rows and tells how many; the daemon puts in the next one
at once while there is more to do. Events and usage are looked for in the order of their identifiers, which is that of
their making within a node: they need no index of their times, and a step that finds nothing reads a row or two.
Conditions that a partial index stands on are literal text, since SQLite takes such an index for nothing else.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, Table, and_, case, delete, func, or_, select, text, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from gateway.store.batch import Batch, Unit
from gateway.store.months import outside_months
from gateway.store.node_requests import sweep_requests
from gateway.store.nodes import in_shard
from gateway.store.releases import release_usage, sealed_usage
from gateway.store.tables import (
    access_log,
    answers,
    fraud_cases,
    held_reports,
    idempotency_keys,
    nodes,
    notices,
    orders,
    outbox,
    sessions,
    usage,
)

LIMIT: Final = 250
"""Rows of one step: a few milliseconds of the lane."""
MICROSECONDS: Final = 1_000_000
_ENDED_AT: Final = case((and_(orders.c.open == 0, orders.c.state != "failed"), orders.c.updated_at))
"""When an order ended; nothing while it is open, or waits for a person to retry or cancel it."""


class Retention(msgspec.Struct, frozen=True):
    """How long records are kept, in seconds.

    Attributes:
        answers: from the end of their session.
        outbox: from an event's publication, or from its writing where there is no broker.
        sessions: from their end; idempotency keys are kept as long.
        usage: from the time of use; on a server its month goes when all of it is due.
        orders: from their end.
        access_log: from the look.
    """

    answers: int
    outbox: int
    sessions: int
    usage: int
    orders: int
    access_log: int


class Sweep(Unit):
    """One step: delete what is past its retention, about `limit` rows at most.

    `published_only`: events wait for a broker, and must not go before it has them.
    """

    alone: ClassVar[bool] = True

    retention: Retention
    published_only: bool
    limit: int = LIMIT

    def decide(self, batch: Batch) -> int:
        """Give the number of rows that went; 0 when nothing is left to do."""
        kept, connection = self.retention, batch.connection
        release_usage(batch, batch.now - kept.usage * MICROSECONDS)
        sent_at = outbox.c.published_at if self.published_only else outbox.c.created_at
        swept = 0
        for sweep, seconds in (
            (sweep_answers, kept.answers),
            (lambda *step: sweep_oldest(*step, table=outbox, time=sent_at), kept.outbox),
            (sweep_usage, kept.usage),
            (lambda *step: sweep_oldest(*step, table=held_reports, time=held_reports.c.decided_at), kept.usage),
            (lambda *step: sweep_oldest(*step, table=fraud_cases, time=fraud_cases.c.decided_at), kept.usage),
            (lambda *step: sweep_oldest(*step, table=notices, time=notices.c.at), kept.usage),
            (lambda *step: sweep_oldest(*step, table=orders, time=_ENDED_AT), kept.orders),
            (lambda *step: sweep_oldest(*step, table=access_log, time=access_log.c.at), kept.access_log),
            (sweep_sessions, kept.sessions),
            (sweep_keys, kept.sessions),
        ):
            if swept < self.limit:
                swept += sweep(connection, batch.now - seconds * MICROSECONDS, self.limit - swept)
        if swept < self.limit:
            swept += sweep_requests(connection, batch.now, self.limit - swept)
        return swept


def sweep_answers(connection: Connection, before: int, limit: int) -> int:
    """Delete the answers of sessions that were closed before a time: of one at least, of more within the limit."""
    closed = (
        select(sessions.c.id)
        .where(text("answers_kept = 1"), sessions.c.closed_at < before)
        .order_by(sessions.c.closed_at)
        .limit(-(-limit // 4))
    )
    found = connection.scalars(closed.with_for_update(skip_locked=True)).all()
    counts = (
        select(answers.c.session, func.count().label("held"))
        .where(answers.c.session.in_(found))
        .group_by(answers.c.session)
    )
    held = {row.session: row.held for row in connection.execute(counts)} if found else {}
    chosen: list[int] = []
    swept = 0
    for session in found:
        swept += 1 + held.get(session, 0)
        if chosen and swept > limit:
            break
        chosen.append(session)
    if chosen:
        connection.execute(delete(answers).where(answers.c.session.in_(chosen)))
        connection.execute(update(sessions).where(sessions.c.id.in_(chosen)).values(answers_kept=0))
    return sum(1 + held.get(session, 0) for session in chosen)


def sweep_oldest(
    connection: Connection,
    before: int,
    limit: int,
    *,
    table: Table,
    time: ColumnElement[Any],
    upto: Mapping[int, int] | None = None,
) -> int:
    """Delete a node's rows from the oldest on, up to the first that is not due; one without a time never is.

    `upto` says up to which number rows of each node may go, where that is said at all: then those of other nodes stay.
    """
    swept = 0
    for node, within in _ranges(connection, table):
        own = within if upto is None else (*within, table.c.id <= upto.get(node, 0))
        front = select(table.c.id).where(*own).order_by(table.c.id).limit(limit - swept).subquery()
        last = connection.scalar(select(func.max(front.c.id)))
        if last is None:
            continue
        window = (*own, table.c.id <= last)
        kept = select(table.c.id).where(*window, or_(time.is_(None), time >= before)).order_by(table.c.id).limit(1)
        first_kept = connection.scalar(kept)
        due = window if first_kept is None else (*own, table.c.id < first_kept)
        swept += connection.execute(delete(table).where(*due)).rowcount
    return swept


def sweep_usage(connection: Connection, before: int, limit: int) -> int:
    """Delete usage that is no month's, once it is sealed: a server's months go as a whole (`store.partitioning`)."""
    swept, sealed = 0, sealed_usage(connection)
    for part in outside_months(connection, usage):
        swept += sweep_oldest(connection, before, limit - swept, table=part, time=part.c.event_at, upto=sealed)
    return swept


def sweep_sessions(connection: Connection, before: int, limit: int) -> int:
    """Delete sessions that were closed before a time and whose answers are gone."""
    due = (
        select(sessions.c.id)
        .where(text("answers_kept = 0"), sessions.c.closed_at < before)
        .order_by(sessions.c.closed_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(delete(sessions).where(sessions.c.id.in_(due))).rowcount


def sweep_keys(connection: Connection, before: int, limit: int) -> int:
    """Delete idempotency keys that were used before a time; those of what is done once for ever stay (`FOR_EVER`).

    These are records given back, credit given and add-ons bought; those of before have the time of their use.
    """
    own = idempotency_keys.c
    key = (own.scope, own.key)
    stays = or_(own.scope == "refund", own.scope.like("promotion:%"), own.scope.like("add-on:%"))
    due = (
        select(*key)
        .where(text("scope <> 'import'"), ~stays, own.created_at < before)
        .order_by(own.created_at)
        .limit(limit)
    )
    return connection.execute(delete(idempotency_keys).where(tuple_(*key).in_(due))).rowcount


def _ranges(connection: Connection, table: Table) -> Iterator[tuple[int, tuple[ColumnElement[bool], ...]]]:
    """Give each node with its range of identifiers as a condition."""
    for node in connection.scalars(select(nodes.c.id).order_by(nodes.c.id)).all():
        yield node, in_shard(table.c.id, node)
