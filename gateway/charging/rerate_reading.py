"""The usage that was priced by another version of its plan than the one in force, session by session, as it stands.

Usage and journal are looked through whole for each page, since the tables have no index by session: a page is thousands of
sessions. Sealed months are read, too; a correction is booked in the store, whatever month it is about.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from gateway.balance.corrections import Charged, TenthPart
from gateway.charging.rerate import RatedRecord, RerateSession, is_bundled
from gateway.rating.plan_versions import plan_of
from gateway.rating.rate_keys import rate_by, read_key
from gateway.store.engine import join_whole_tables
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.tables import reratings, transfers, usage
from gateway.store.versions import PLAN, read

UNKEPT: Final = 0
"""The session of usage that was booked to none."""
LONGEST_US: Final = 31 * 24 * 3600 * 1_000_000
"""A session that began longer before (microseconds) is taken as it is found from then on."""
TENTHS: Final = ("accrual", "rerated_accrual")


class Wanted(msgspec.Struct, frozen=True):
    """Which usage is to be priced anew: of a plan, by its version in force, since a time in microseconds; who has it done."""

    plan: str
    version: int
    since: int
    actor: str
    dry_run: bool


class SessionPage(msgspec.Struct, frozen=True):
    """Units for a page of sessions; `next` is the session that the following page begins after, None behind the last."""

    units: list[RerateSession]
    next: int | None


def page(connection: Connection, wanted: Wanted, *, after: int, limit: int) -> SessionPage:
    """Give the units of at most `limit` sessions above the number `after`, in the order of their numbers."""
    join_whole_tables(connection)
    with parts(connection, lambda month: month.usage.overlaps(wanted.since - LONGEST_US, None)) as found:
        numbers: set[int] = set()
        for part in found:
            some = _affected(wanted).where(usage.c.session > after).order_by(usage.c.session).limit(limit)
            numbers.update(part.connection.scalars(some))
        chosen = sorted(numbers)[:limit]
        if not chosen:
            return SessionPage([], None)
        records = _records(connection, found, chosen)
    return SessionPage(_units(records, wanted), chosen[-1] if len(chosen) == limit else None)


def unknown_records(connection: Connection, wanted: Wanted) -> int:
    """Count the records of the plan since the time that say nothing of their version."""
    count = select(func.count()).where(
        usage.c.plan == wanted.plan, usage.c.event_at >= wanted.since, usage.c.version.is_(None)
    )
    with parts(connection, lambda month: month.usage.overlaps(wanted.since, None)) as found:
        return sum(part.connection.execute(count).scalar_one() for part in found)


def _affected(wanted: Wanted) -> Select[int]:
    """Select the sessions with records that another version priced, and that were not priced anew by the one in force."""
    done = select(reratings.c.usage_id).where(reratings.c.version == wanted.version)
    return (
        select(usage.c.session)
        .distinct()
        .where(
            usage.c.plan == wanted.plan,
            usage.c.event_at >= wanted.since,
            usage.c.version.is_not(None),
            usage.c.version != wanted.version,
            usage.c.id.not_in(done),
        )
    )


_Session = tuple[int, int, RatedRecord]
"""A session, its subscriber, and a record of it."""


def _records(connection: Connection, found: Sequence[Part], sessions: Sequence[int]) -> list[_Session]:
    """Read every record of some sessions from all parts, each with what it was charged."""
    among = usage.c.session.in_(sessions)
    rows: list[Any] = []
    tenths: dict[int, list[Any]] = {}
    for part in found:
        rows += part.connection.execute(select(usage).where(among)).all()
        for entry in part.connection.execute(_entries(among)):
            tenths.setdefault(entry.usage_id, []).append(entry)
    _add_corrections(connection, rows, tenths)
    latest = {row.usage_id: row for row in _reratings(connection, [row.id for row in rows])}
    bundled = _Bundled(connection)
    records = [
        (
            row.session,
            row.subscriber_id,
            _record(row, latest.get(row.id), tenths.get(row.id, ()), bundled=bundled.of(row)),
        )
        for row in rows
    ]
    return sorted(records, key=lambda each: (each[0], each[2].id))


def _entries(among: ColumnElement[bool]) -> Select[Any]:
    """Select the tenths of usage: an entry stands in the same month as the usage that it is about."""
    t = transfers.c
    of = select(usage.c.id).where(among)
    return select(t.usage_id, t.kind, t.credit, t.amount, t.share, t.policy, t.reference).where(
        t.kind == TENTHS[0], t.usage_id.in_(of)
    )


def _add_corrections(connection: Connection, rows: Iterable[Any], tenths: dict[int, list[Any]]) -> None:
    """Add the tenths of earlier corrections, which may be booked in any month."""
    known = {row.id for row in rows}
    with_any = set(connection.scalars(select(reratings.c.usage_id).distinct())) & known
    if not with_any:
        return
    t = transfers.c
    columns = (t.usage_id, t.kind, t.credit, t.amount, t.share, t.policy, t.reference)
    corrected = select(*columns).where(t.kind == TENTHS[1]).order_by(t.id)
    with parts(connection) as every:
        for part in every:
            for entry in part.connection.execute(corrected):
                if entry.usage_id in with_any:
                    tenths.setdefault(entry.usage_id, []).append(entry)


def _reratings(connection: Connection, numbers: Sequence[int]) -> Iterable[Row[Any]]:
    """Give the reratings of records, of each the last one last."""
    known = set(numbers)
    return [row for row in connection.execute(select(reratings).order_by(reratings.c.id)) if row.usage_id in known]


class _Bundled:
    """Whether a bundle covered such usage, by the version that priced it."""

    def __init__(self, connection: Connection) -> None:
        self._plans = {version.id: plan_of(version) for version in read(connection, PLAN)}

    def of(self, row: Row[Any]) -> bool:
        plan = self._plans.get(row.version)
        if plan is None:
            return False
        return is_bundled(rate_by(plan, row.service, row.rating_group, read_key(row.rate_key or "")))


def _record(row: Row[Any], rerating: Row[Any] | None, entries: Iterable[Row[Any]], *, bundled: bool) -> RatedRecord:
    reference = None if rerating is None else f"rerate:{rerating.id}"
    booked = [entry for entry in entries if entry.reference == reference]
    if rerating is not None and not booked and rerating.price == rerating.price_before:
        booked = [entry for entry in entries if entry.kind == TENTHS[0]]  # it changed nothing
    parts_ = tuple(TenthPart(entry.credit, entry.amount, entry.share) for entry in booked)
    price = row.price if rerating is None else rerating.price
    return RatedRecord(
        id=row.id,
        event_at=row.event_at,
        service=row.service,
        rating_group=row.rating_group,
        units={"data": row.octets, "voice": row.seconds}.get(row.service, row.units),
        plan=row.plan,
        version=row.version if rerating is None else rerating.version,
        bundled=bundled,
        rate_key=row.rate_key or "",
        rated_before=row.rated_before or 0,
        covered=row.covered or 0,
        rerating=0 if rerating is None else rerating.id,
        charged=Charged(price, booked[0].policy if booked else "", parts_),
    )


def _units(records: Iterable[_Session], wanted: Wanted) -> list[RerateSession]:
    units = []
    for (session, subscriber_id), group in groupby(records, key=lambda each: each[:2]):
        of_session = [record for _, _, record in group]
        units.append(
            RerateSession(
                subscriber_id=subscriber_id,
                plan=wanted.plan,
                version=wanted.version,
                since=wanted.since,
                records=of_session,
                actor=wanted.actor,
                apart=session == UNKEPT,
                dry_run=wanted.dry_run,
            )
        )
    return units
