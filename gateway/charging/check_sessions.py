"""Sessions held against the usage that was booked of them: what `ledger check` finds where usage was taken away or changed.

A session says how many units of each rating group it rated, and what its charges came to; its usage records have to add up to
that. Only sessions of the last day are looked at: of older ones the usage may be swept, or be in another place.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, case, func, select

from gateway.charging.session import Session, SessionRows
from gateway.ledger.check import SHOWN, Finding
from gateway.ledger.check_tenths import RUNNING_SINCE
from gateway.store.sealed_months.parts import Part, parts, unreadable
from gateway.store.tables import marks, sessions, usage

DAY_US: Final = 86_400_000_000
LATE_US: Final = 2 * DAY_US
"""A report may come so long after its use."""
PAGE: Final = 500


def wrong_sessions(connection: Connection) -> Iterator[Finding]:
    """Name sessions whose usage records are not what the sessions say; the first few."""
    newest = connection.execute(select(func.max(sessions.c.updated_at))).scalar() or 0
    since = connection.execute(select(marks.c.value).where(marks.c.name == RUNNING_SINCE)).scalar() or 0
    opened = max(newest - DAY_US, since)
    recent = select(sessions.c.session_id).where(sessions.c.opened_at >= opened)
    found = 0
    names = list(connection.execute(recent.order_by(sessions.c.id)).scalars())
    with parts(connection, lambda month: month.usage.overlaps(opened - LATE_US, None)) as every:
        readable = [
            part for part in every if part.month is None or unreadable(part) is None
        ]  # `check` names the others
        for start in range(0, len(names), PAGE):
            rows = SessionRows()
            rows.load(connection, set(names[start : start + PAGE]))
            booked = _booked(readable, [session.id for session in rows.rows.values()])
            for session in rows.rows.values():
                wrong = _differs(session, booked.get(session.id, {}))
                if wrong and found < SHOWN:
                    found += 1
                    yield Finding("session", f"session {session.id} {wrong}")


def _booked(every: Sequence[Part], ids: list[int]) -> dict[int, dict[str, tuple[int, int]]]:
    """Sum the units and prices of each rating group of some sessions."""
    units = case(
        (usage.c.service == "data", usage.c.octets), (usage.c.service == "voice", usage.c.seconds), else_=usage.c.units
    )
    sums = (
        select(usage.c.session, usage.c.rating_group, func.sum(units), func.sum(usage.c.price))
        .where(usage.c.session.in_(ids))
        .group_by(usage.c.session, usage.c.rating_group)
    )
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for session, rating_group, total, price in (row for part in every for row in part.connection.execute(sums)):
        groups = found.setdefault(session, {})
        key = "" if rating_group is None else str(rating_group)
        known_total, known_price = groups.get(key, (0, 0))
        groups[key] = (known_total + int(total), known_price + int(price))
    return found


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
