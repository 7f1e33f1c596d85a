"""Sessions held against the usage that was booked of them: what `ledger check` finds where usage was taken away or changed.

A session says how many units of each rating group it rated, and what its charges came to; its usage records have to add up to
that. Only sessions of the last day are looked at: of older ones the usage may be swept, or be in another place.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, case, func, select

from gateway.charging.session import Session, SessionRows
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.ledger.checks.tenths import RUNNING_SINCE, STREAMED
from gateway.store.sealed_months.parts import Part, parts, unreadable
from gateway.store.tables import marks, sessions, transfers, usage

DAY_US: Final = 86_400_000_000
LATE_US: Final = 2 * DAY_US
"""A report may come so long after its use."""
PAGE: Final = 500


def wrong_sessions(connection: Connection) -> Iterator[Finding]:
    """Name sessions whose usage records are not what the sessions say; the first few."""
    newest = connection.execute(select(func.max(sessions.c.updated_at))).scalar() or 0
    since = connection.execute(select(marks.c.value).where(marks.c.name == RUNNING_SINCE)).scalar() or 0
    opened = max(newest - DAY_US, since)
    found = 0
    with parts(connection, lambda month: month.usage.overlaps(opened - LATE_US, None)) as every:
        # Of files that cannot be read `check` tells.
        readable = [part for part in every if part.month is None or unreadable(part) is None]
        booked = _Booked(readable, opened - LATE_US)
        for session in _opened_since(connection, opened):
            wrong = _differs(session, booked.of(session.id))
            if wrong:
                found += 1
                yield Finding("session", f"session {session.id} {wrong}")
            if found == SHOWN:
                return


def _opened_since(connection: Connection, opened: int) -> Iterator[Session]:
    """Return the sessions that were opened since a time, in the order of their numbers."""
    last = -1
    while True:
        page = select(sessions.c.session_id).where(sessions.c.opened_at >= opened, sessions.c.id > last)
        rows = SessionRows()
        rows.load(connection, set(connection.execute(page.order_by(sessions.c.id).limit(PAGE)).scalars()))
        if not rows.rows:
            return
        for session in sorted(rows.rows.values(), key=lambda session: session.id):
            last = session.id
            yield session


class _Booked:
    """What usage records say of sessions, read once in the order of the sessions' numbers."""

    def __init__(self, every: Sequence[Part], since: int) -> None:
        units = case(
            (usage.c.service == "data", usage.c.octets),
            (usage.c.service == "voice", usage.c.seconds),
            else_=usage.c.units,
        )
        passed_on = select(transfers.c.usage_id, transfers.c.amount).where(transfers.c.kind == "service").subquery()
        own = usage.c.price - func.coalesce(passed_on.c.amount, 0)
        sums = (
            select(usage.c.session, usage.c.rating_group, func.sum(units), func.sum(own))
            .join_from(usage, passed_on, passed_on.c.usage_id == usage.c.id, isouter=True)
            .where(usage.c.event_at >= since)
            .group_by(usage.c.session, usage.c.rating_group)
            .order_by(usage.c.session)
        )
        rows = (part.connection.execute(sums, execution_options=STREAMED) for part in every)
        self._sums = groupby(merge(*rows, key=itemgetter(0)), key=itemgetter(0))
        self._next = next(self._sums, None)

    def of(self, session: int) -> dict[str, tuple[int, int]]:
        """Return the units and our own price of each rating group of a session; they are asked for in rising order."""
        while self._next is not None and self._next[0] < session:
            self._next = next(self._sums, None)
        if self._next is None or self._next[0] != session:
            return {}
        groups: dict[str, tuple[int, int]] = {}
        for _, rating_group, total, price in self._next[1]:
            key = "" if rating_group is None else str(rating_group)
            known_total, known_price = groups.get(key, (0, 0))
            groups[key] = (known_total + int(total), known_price + int(price))
        self._next = next(self._sums, None)
        return groups


def _differs(session: Session, booked: dict[str, tuple[int, int]]) -> str:
    """Say how a session and its usage differ; empty if they do not."""
    for key in session.groups.keys() | booked.keys():
        group = session.groups.get(key)
        used = 0 if group is None else group.rated + group.covered
        total, _ = booked.get(key, (0, 0))
        if used != total:
            return f"used {used} units of rating group {key or '-'}, its usage records say {total}"
    charged = sum(price for _, price in booked.values())
    said = session.tenth.base + session.tenth.unaccrued
    return "" if said == charged else f"was charged {said}, its usage records say {charged}"
