"""The lines with usage that caps count and another version of its plan priced, and all that is counted with that.

A line's months are read whole: a cap of a day or month is of all sessions that used something in it.
"""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import groupby

import msgspec
from sqlalchemy import Connection, and_, func, select

from gateway.balance.caps import month_of
from gateway.balance.spending import BillingMonths
from gateway.charging.rerate import is_capped
from gateway.charging.rerate_caps import RerateLine
from gateway.charging.rerate_reading import (
    LONGEST_US,
    UNKEPT,
    OfSession,
    PricedBy,
    Wanted,
    due_rows,
    records_of,
    units_of,
)
from gateway.rating.plans import Plan
from gateway.store.engine import join_whole_tables
from gateway.store.evidence import DAY_US
from gateway.store.releases import released, usage_upto
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.tables import nodes, transfers, usage


class LinePage(msgspec.Struct, frozen=True):
    """Units for a page of lines whose usage caps count; `next` is the subscriber that the following page begins after."""

    units: list[RerateLine]
    next: int | None


def page_of_lines(connection: Connection, wanted: Wanted, *, after: int, limit: int, zone: tzinfo) -> LinePage:
    """Return the units of at most `limit` lines above the number `after`; days and months are those of the operator's zone."""
    versions = PricedBy(connection)
    plan = versions.plan(wanted.version)
    if plan is None or not versions.any_caps(wanted.plan):
        return LinePage([], None)
    join_whole_tables(connection)
    seen = {node: usage_upto(connection, node) for node in connection.scalars(select(nodes.c.id)).all()}
    with parts(connection, lambda month: month.usage.overlaps(wanted.since - LONGEST_US, None)) as found:
        chosen = _affected(found, wanted, after, limit)
        if not chosen:
            return LinePage([], None)
        read = _Read(connection, found, chosen, versions, BillingMonths(zone))
    units = list(_units(read, wanted, plan, zone, seen))
    return LinePage(units, max(chosen) if len(chosen) == limit else None)


_Times = dict[int, tuple[int, int]]
"""By line, when it used the first and the last of what is to be priced anew (microseconds)."""


def _affected(found: Sequence[Part], wanted: Wanted, after: int, limit: int) -> _Times:
    """Return the first lines above a number with records to be priced anew."""
    line, at = usage.c.subscriber_id, usage.c.event_at
    of = select(line, func.min(at), func.max(at)).where(line > after, *due_rows(wanted)).group_by(line).order_by(line)
    times: _Times = {}
    for part in found:
        for number, first, last in part.connection.execute(of.limit(limit)):
            known = times.get(number, (first, last))
            times[number] = min(first, known[0]), max(last, known[1])
    return {number: times[number] for number in sorted(times)[:limit]}


class _Read:
    """What lines used in the months of some times, and in the sessions that were begun before."""

    def __init__(
        self, connection: Connection, found: Sequence[Part], times: _Times, versions: PricedBy, months: BillingMonths
    ) -> None:
        since = months.bounds(months.number(min(first for first, _ in times.values())))[0] - LONGEST_US
        until = months.bounds(months.number(max(last for _, last in times.values())))[1]
        among = and_(usage.c.subscriber_id.in_(times), usage.c.event_at >= since, usage.c.event_at < until)
        self.records = records_of(connection, found, among, versions)
        self._absorbed = _absorbed(found, {record.id for *_, record in self.records})
        self._kept_from = (released(connection).usage_day + 1) * DAY_US
        self._months = months

    def is_known(self, records: Sequence[OfSession]) -> bool:
        """Return whether all usage of their months is kept, and none of it was beyond the customer's own limit."""
        begins = self._months.bounds(self._months.number(min(record.event_at for *_, record in records)))[0]
        return begins >= self._kept_from and not any(record.id in self._absorbed for *_, record in records)


def _absorbed(found: Sequence[Part], records: set[int]) -> set[int]:
    """Name the records of which something was beyond the customer's own limit."""
    every = select(transfers.c.usage_id).where(transfers.c.kind == "absorbed")
    return {number for part in found for number in part.connection.scalars(every) if number in records}


def _units(read: _Read, wanted: Wanted, plan: Plan, zone: tzinfo, seen: dict[int, int]) -> Iterator[RerateLine]:
    """Make the unit of each line of which caps count something that is to be priced anew."""
    by_line = sorted(read.records, key=lambda each: (each[1], each[0], each[2].id))
    for subscriber_id, group in groupby(by_line, key=lambda each: each[1]):
        months, records = _months(list(group), wanted, plan, zone)
        if months:
            yield RerateLine(
                subscriber_id=subscriber_id,
                plan=wanted.plan,
                version=wanted.version,
                months=months,
                sessions=units_of(records, wanted),
                seen=seen,
                is_known=read.is_known(records),
                dry_run=wanted.dry_run,
            )


def _months(
    records: Sequence[OfSession], wanted: Wanted, plan: Plan, zone: tzinfo
) -> tuple[list[str], list[OfSession]]:
    """Return the months in which caps count what is to be priced anew of a line, and the sessions of these, whole."""
    months = {month_of(each.event_at, zone) for *_, each in records if wanted.is_of(each) and is_capped(plan, each)}
    begun = {session for session, _, each in records if month_of(each.event_at, zone) in months}
    mine = [
        each
        for each in records
        if each[0] in begun and (each[0] != UNKEPT or month_of(each[2].event_at, zone) in months)
    ]
    return sorted(months), mine
