"""Sessions held against the usage that was booked of them: what `ledger check` finds where usage was taken away or changed.

A session says how many units of each rating group it rated, and what its charges came to; its usage records have to add up to
that. Only sessions of the last day are looked at: of older ones the usage may be swept, or be in another place.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, Select, case, func, select

from gateway.charging.session import Session, SessionRows
from gateway.ledger.check import SHOWN, Finding
from gateway.ledger.check_tenths import RUNNING_SINCE, STREAMED
from gateway.store.tables import marks, sessions, usage

DAY_US: Final = 86_400_000_000
PAGE: Final = 500


def wrong_sessions(connection: Connection) -> Iterator[Finding]:
    """Name sessions whose usage records are not what the sessions say; the first few."""
    newest = connection.execute(select(func.max(sessions.c.updated_at))).scalar() or 0
    running_since = connection.execute(select(marks.c.value).where(marks.c.name == RUNNING_SINCE)).scalar() or 0
    recent = sessions.c.opened_at >= max(newest - DAY_US, running_since)
    booked = _Booked(connection, select(sessions.c.id).where(recent))
    found, last = 0, -1
    while found < SHOWN:
        page = select(sessions.c.session_id).where(recent, sessions.c.id > last).order_by(sessions.c.id).limit(PAGE)
        rows = SessionRows()
        rows.load(connection, set(connection.execute(page).scalars()))
        if not rows.rows:
            return
        for session in sorted(rows.rows.values(), key=lambda session: session.id):
            last = session.id
            wrong = _differs(session, booked.of(session.id))
            if wrong and found < SHOWN:
                found += 1
                yield Finding("session", f"session {session.id} {wrong}")


class _Booked:
    """What usage records say of sessions, read once in the order of the sessions' numbers."""

    def __init__(self, connection: Connection, wanted: Select[int]) -> None:
        units = case(
            (usage.c.service == "data", usage.c.octets),
            (usage.c.service == "voice", usage.c.seconds),
            else_=usage.c.units,
        )
        sums = (
            select(usage.c.session, usage.c.rating_group, func.sum(units), func.sum(usage.c.price))
            .where(usage.c.session.in_(wanted))
            .group_by(usage.c.session, usage.c.rating_group)
            .order_by(usage.c.session)
        )
        self._sums = groupby(connection.execute(sums, execution_options=STREAMED), key=itemgetter(0))
        self._next = next(self._sums, None)

    def of(self, session: int) -> dict[str, tuple[int, int]]:
        """Give the units and the price of each rating group of a session; they are asked for in rising order."""
        while self._next is not None and self._next[0] < session:
            self._next = next(self._sums, None)
        if self._next is None or self._next[0] != session:
            return {}
        groups = {
            "" if group is None else str(group): (int(total), int(price)) for _, group, total, price in self._next[1]
        }
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
    return "" if session.tenth.base == charged else f"was charged {session.tenth.base}, its usage records say {charged}"
