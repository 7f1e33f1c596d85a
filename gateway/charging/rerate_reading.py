"""The usage that was priced by another version of its plan than the one in force, session by session, as it stands.

Usage and journal are looked through whole for each page, since the tables have no index by session: a page is thousands of
sessions. Sealed months are read, too; a correction is booked in the store, whatever month it is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    cast,
    func,
    literal_column,
    select,
)

from gateway.balance.corrections import Charged, TenthPart
from gateway.charging.rerate import RatedRecord, RerateSession, cost_of, is_bundled
from gateway.rating.plan_versions import plan_of
from gateway.rating.plans import Cap, Plan, Rate, caps_of
from gateway.rating.rate_keys import rate_by, read_key
from gateway.store.engine import join_whole_tables
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.statements import SelectAmong
from gateway.store.tables import reratings, transfers, usage
from gateway.store.versions import PLAN, read

UNKEPT: Final = 0
"""The session of usage that was booked to none."""
LONGEST_US: Final = 31 * 24 * 3600 * 1_000_000
"""A session that began longer before (microseconds) is taken as it is found from then on."""
NEAR: Final = 64
"""The entries of a rerating are numbered next to it."""
_RERATINGS: Final = SelectAmong(
    select(reratings.c.id, reratings.c.record_id, reratings.c.version, reratings.c.price), reratings.c.record_id, int
)
_CORRECTED: Final = SelectAmong(
    select(
        reratings.c.record_id,
        reratings.c.id,
        transfers.c.kind,
        transfers.c.credit,
        transfers.c.amount,
        transfers.c.share,
        transfers.c.policy,
    )
    .join_from(
        reratings,
        transfers,
        and_(transfers.c.id > reratings.c.id, transfers.c.id <= reratings.c.id + literal_column(str(NEAR))),
    )
    .where(transfers.c.reference == literal_column("'rerate:'").concat(cast(reratings.c.id, Text))),
    reratings.c.record_id,
    int,
)


OfSession = tuple[int, int, RatedRecord]
"""A session, its subscriber, and a record of it."""


class Wanted(msgspec.Struct, frozen=True):
    """Which usage is to be priced anew: of a plan, by its version in force, since a time in microseconds; who has it done."""

    plan: str
    version: int
    since: int
    actor: str
    dry_run: bool

    def is_of(self, record: RatedRecord) -> bool:
        """Return whether a record is to be priced anew."""
        mine = record.plan == self.plan and record.event_at >= self.since
        return mine and record.version is not None and record.version != self.version


class SessionPage(msgspec.Struct, frozen=True):
    """Units for a page of sessions; `next` is the session that the following page begins after, None behind the last."""

    units: list[RerateSession]
    next: int | None


def page(connection: Connection, wanted: Wanted, *, after: int, limit: int) -> SessionPage:
    """Return the units of at most `limit` sessions above the number `after`, in the order of their numbers."""
    join_whole_tables(connection)
    with parts(connection, lambda month: month.usage.overlaps(wanted.since - LONGEST_US, None)) as found:
        numbers: set[int] = set()
        for part in found:
            some = _affected(wanted).where(usage.c.session > after).order_by(usage.c.session).limit(limit)
            numbers.update(part.connection.scalars(some))
        chosen = sorted(numbers)[:limit]
        if not chosen:
            return SessionPage([], None)
        records = records_of(connection, found, usage.c.session.in_(chosen), PricedBy(connection))
    return SessionPage(units_of(records, wanted), chosen[-1] if len(chosen) == limit else None)


def unknown_records(connection: Connection, wanted: Wanted) -> int:
    """Count the records of the plan since the time that say nothing of their version."""
    count = select(func.count()).where(
        usage.c.plan == wanted.plan, usage.c.event_at >= wanted.since, usage.c.version.is_(None)
    )
    with parts(connection, lambda month: month.usage.overlaps(wanted.since, None)) as found:
        return sum(part.connection.execute(count).scalar_one() for part in found)


def _affected(wanted: Wanted) -> Select[int]:
    """Select the sessions with records that another version priced, and that were not priced anew by the one in force."""
    return select(usage.c.session).distinct().where(*due_rows(wanted))


def due_rows(wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions by which usage is to be priced anew and was not yet."""
    done = select(reratings.c.record_id).where(reratings.c.version == wanted.version)
    return (
        usage.c.plan == wanted.plan,
        usage.c.event_at >= wanted.since,
        usage.c.version.is_not(None),
        usage.c.version != wanted.version,
        usage.c.id.not_in(done),
    )


def records_of(
    connection: Connection, found: Sequence[Part], among: ColumnElement[bool], versions: "PricedBy"
) -> list[OfSession]:
    """Read every record of a condition from all parts, each with what it was charged."""
    rows: list[Any] = []
    tenths: dict[int, list[TenthPart]] = {}
    policies: dict[int, str] = {}
    passed_on: dict[int, int] = {}
    for part in found:
        rows += part.connection.execute(select(usage).where(among)).all()
        for usage_id, credit, amount, share, policy in part.connection.execute(_accruals(among)):
            tenths.setdefault(usage_id, []).append(TenthPart(credit, amount, share))
            policies[usage_id] = policy
        passed_on.update(map(tuple, part.connection.execute(_services(among))))
    first = {
        row.id: Charged(row.price, policies.get(row.id, ""), tuple(tenths.get(row.id, ())), passed_on.get(row.id, 0))
        for row in rows
    }
    corrected = last_corrections(connection, first)
    limited = [row for row in rows if versions.limits(row)]
    taken_off = _taken_off(found, {row.subscriber_id for row in limited})
    records = [
        (row.session, row.subscriber_id, _record(row, corrected.get(row.id), first[row.id], versions, taken_off))
        for row in rows
    ]
    return sorted(records, key=lambda each: (each[0], each[2].id))


def _accruals(among: ColumnElement[bool]) -> Select[Any]:
    """Select the tenths of usage: an entry stands in the same month as the usage that it is about."""
    t, of = transfers.c, select(usage.c.id).where(among)
    return select(t.usage_id, t.credit, t.amount, t.share, t.policy).where(t.kind == "accrual", t.usage_id.in_(of))


def _services(among: ColumnElement[bool]) -> Select[Any]:
    """Select what third parties have of usage, in entries of their own."""
    t, of = transfers.c, select(usage.c.id).where(among)
    return select(t.usage_id, t.amount).where(t.kind == "service", t.usage_id.in_(of))


class LastCorrection(msgspec.Struct, frozen=True):
    """The last rerating of a record, the version that it went by, and what the record is charged since."""

    rerating: int
    version: int
    charged: Charged


def last_corrections(connection: Connection, first: Mapping[int, Charged]) -> dict[int, LastCorrection]:
    """Return the last correction of records, by their numbers; `first` is what they were charged when they were booked."""
    latest = {row[1]: row for row in sorted(_RERATINGS.run(connection, first))}
    booked = _booked(connection, latest) if latest else {}
    found = {}
    for record, (rerating, _, version, price) in latest.items():
        charged = booked.get(record)
        if charged is None:
            charged = first[record]  # no correction changed anything
        passed_on = first[record].passed_on
        charged = msgspec.structs.replace(charged, price=price, passed_on=passed_on)
        found[record] = LastCorrection(rerating, version, charged)
    return found


def _booked(connection: Connection, records: Iterable[int]) -> dict[int, Charged]:
    """Return what the last correction that has entries made of each record; its price is that of any that came after it."""
    last: dict[int, int] = {}
    entries: dict[tuple[int, int], list[Any]] = {}
    with parts(connection) as every:
        for part in every:
            for record, rerating, *entry in _CORRECTED.run(part.connection, records):
                last[record] = max(rerating, last.get(record, 0))
                entries.setdefault((record, rerating), []).append(entry)
    found = {}
    for record, rerating in last.items():
        new = [entry for kind, *entry in entries[record, rerating] if kind == "rerated_accrual"]
        tenth = tuple(TenthPart(account, amount, share) for account, amount, share, _ in new)
        found[record] = Charged(0, new[0][3] if new else "", tenth)
    return found


def _taken_off(found: Sequence[Part], subscribers: set[int]) -> dict[int, list[int]]:
    """Return when lines used what something was taken off of, over a cap or a limit (microseconds)."""
    times: dict[int, list[int]] = {}
    wanted = select(usage.c.subscriber_id, usage.c.event_at).where(
        usage.c.subscriber_id.in_(subscribers), usage.c.capped > 0
    )
    for part in found if subscribers else ():
        for subscriber_id, at in part.connection.execute(wanted):
            times.setdefault(subscriber_id, []).append(at)
    return times


class PricedBy:
    """Whether a bundle covered such usage, or a cap or limit counted it, by the version that priced it."""

    def __init__(self, connection: Connection) -> None:
        """Read every version of every plan."""
        self._plans = {version.id: plan_of(version) for version in read(connection, PLAN)}

    def plan(self, version: int) -> Plan | None:
        """Return a version."""
        return self._plans.get(version)

    def any_caps(self, plan: str) -> bool:
        """Return whether any version of a plan has caps."""
        return any(each is not None and each.id == plan and each.caps for each in self._plans.values())

    def bundled(self, row: Row[Any]) -> bool:
        """Return whether a bundle covers it, by the version that priced it at first."""
        found = self._rate(row, row.version)
        return found is not None and is_bundled(found[1])

    def limits(self, row: Row[Any]) -> bool:
        """Return whether something was taken off of it, or a limit of the law counts it."""
        found = self._rate(row, row.version)
        return bool(row.capped) or (found is not None and found[1].service is not None)

    def under_caps(self, row: Row[Any], version: int | None) -> tuple[tuple[Cap, ...], int]:
        """Return the caps that count it by a version, and what it costs by that without them."""
        found = self._rate(row, version)
        if found is None:
            return (), row.price + (row.capped or 0)
        cost = cost_of(found[1], row.rated_before or 0, _counted(row) - (row.covered or 0))
        return tuple(caps_of(*found, row.service)), cost

    def _rate(self, row: Row[Any], version: int | None) -> tuple[Plan, Rate] | None:
        plan = None if version is None else self._plans.get(version)
        rate = None if plan is None else rate_by(plan, row.service, row.rating_group, read_key(row.rate_key or ""))
        return None if plan is None or rate is None else (plan, rate)


def _record(
    row: Any,  # noqa: ANN401  (a row)
    last: LastCorrection | None,
    first: Charged,
    versions: PricedBy,
    taken_off: Mapping[int, Sequence[int]],
) -> RatedRecord:
    version = row.version if last is None else last.version
    caps, cost = versions.under_caps(row, version)
    near = (abs(at - row.event_at) <= LONGEST_US for at in taken_off.get(row.subscriber_id, ()))
    return RatedRecord(
        id=row.id,
        event_at=row.event_at,
        service=row.service,
        rating_group=row.rating_group,
        units=_counted(row),
        plan=row.plan,
        version=version,
        bundled=versions.bundled(row),
        limited=versions.limits(row),
        caps=caps,
        cost=cost,
        taken_off=any(near),
        rate_key=row.rate_key or "",
        rated_before=row.rated_before or 0,
        covered=row.covered or 0,
        rerating=0 if last is None else last.rerating,
        charged=first if last is None else last.charged,
    )


def _counted(row: Any) -> int:  # noqa: ANN401  (a row)
    """Return the units that a record counts: octets, seconds or messages by its service."""
    units: int = {"data": row.octets, "voice": row.seconds}.get(row.service, row.units)
    return units


def units_of(records: Iterable[OfSession], wanted: Wanted) -> list[RerateSession]:
    """Make the units of records that are sorted by session and line."""
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
