"""What a month's giving is told as, by who may know what: three truths from one journal.

The company sees every cause exactly, and what nobody chose a cause for; a cause sees its own money exactly, and nobody else's;
the public sees the figures that were published (charity.public_sums) and nothing else, of this month and of those before it in
the year.
"""

from datetime import tzinfo
from typing import Final

import msgspec
from sqlalchemy import Connection, case, func, literal, or_, select

from gateway.charity.months import begin_of, end_of, quarter_of
from gateway.charity.publication import figures_of
from gateway.charity.remittance import PROFIT_SHARE, Holder, holders, remittances
from gateway.charity.tenth_states import Way
from gateway.charity.unpaid_reading import ELSEWHERE
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers

COMPANY: Final = "company"
PUBLIC: Final = "public"
CAUSE: Final = "cause:"
"""Whom a report is for; `cause:` with the id of one."""
AMOUNTS: Final = ("opening", "accrued", "reversed", "paid", "carried", "closing")
PUBLISHED: Final = "published"
OTHERWISE: Final = (*ELSEWHERE, Way.REMIT, Way.RETURN, Way.SUCCEED, PROFIT_SHARE)
"""Entries of causes' accounts by which nothing is given: they move what was."""


class ReportLine(msgspec.Struct, frozen=True):
    """A cause's figures of the month, in micro-units by their names; `stream` is empty for what was published of both."""

    cause: str
    stream: str
    currency: str
    amounts: dict[str, int]


class MonthGiven(msgspec.Struct, frozen=True):
    """What was given to a cause in a month of the year, less what was taken back; micro-units."""

    period: str
    cause: str
    currency: str
    amount: int


class GivingReport(msgspec.Struct, frozen=True):
    """A report of a month: for whom, its lines, and the year up to it."""

    period: str
    reader: str
    lines: list[ReportLine]
    year: list[MonthGiven]
    first: str = ""
    """The first month of a quarter, which `period` is the last one of; the year is by quarters then."""


def giving_report(
    connection: Connection, period: str, reader: str, zone: tzinfo, span: tuple[str, str] | None = None
) -> GivingReport:
    """Make the report of a month for a reader: COMPANY, PUBLIC, or CAUSE with an id.

    A cause that is told quarters has `span`, the first and the last month of the one that the month lies in.
    """
    first, period = span or (period, period)
    months = [f"{period[:4]}-{month:02d}" for month in range(1, int(period[5:]) + 1)]
    if reader == PUBLIC:
        return _public(connection, period, months)
    only = reader.removeprefix(CAUSE) if reader.startswith(CAUSE) else None
    known = holders(connection, unassigned=only is None)
    lines = [
        ReportLine(
            each.account.cause,
            each.account.stream,
            each.account.currency,
            {name: getattr(each, name) for name in AMOUNTS},
        )
        for each in remittances(connection, begin_of(first, zone), end_of(period, zone), unassigned=only is None)
        if only in (None, each.account.cause)
    ]
    given = [each for each in _given(connection, known, months, zone) if only in (None, each.cause)]
    if first == period:
        return GivingReport(period, reader, lines, given)
    return GivingReport(period, reader, lines, _by_quarter(given), first)


def _by_quarter(given: list[MonthGiven]) -> list[MonthGiven]:
    """Add up months to quarters, each named by its last month."""
    found: dict[tuple[str, str, str], int] = {}
    for each in given:
        key = (quarter_of(each.period)[1], each.cause, each.currency)
        found[key] = found.get(key, 0) + each.amount
    return [MonthGiven(*key, amount) for key, amount in sorted(found.items())]


def _public(connection: Connection, period: str, months: list[str]) -> GivingReport:
    year = [
        MonthGiven(month, figure.cause, figure.currency, figure.amount)
        for month in months
        for figure in figures_of(connection, month)
    ]
    lines = [
        ReportLine(each.cause, "", each.currency, {PUBLISHED: each.amount}) for each in year if each.period == period
    ]
    return GivingReport(period, PUBLIC, lines, year)


def _given(connection: Connection, known: dict[int, Holder], months: list[str], zone: tzinfo) -> list[MonthGiven]:
    """Add up what was given to each cause, tenths and gifts together, by the month of booking."""
    entry, begin, end = transfers.c, begin_of(months[0], zone), end_of(months[-1], zone)
    place = literal(0) + sum(
        (case((entry.at >= begin_of(month, zone), 1), else_=0) for month in months[1:]), literal(0)
    )
    debited, credited = (case((side.in_(list(known)), side), else_=0) for side in (entry.debit, entry.credit))
    group = (debited, credited, entry.currency, place)
    wanted = select(*group, func.sum(entry.amount)).where(
        or_(entry.debit.in_(list(known)), entry.credit.in_(list(known))),
        entry.kind.not_in(OTHERWISE),
        entry.at >= begin,
        entry.at < end,
    )
    found: dict[tuple[str, str, str], int] = {}
    with parts(connection, lambda month: month.journal.overlaps(begin, end)) as every:
        for part in every:
            for debit, credit, currency, month, amount in part.connection.execute(wanted.group_by(*group)):
                for number, sign in ((debit, -1), (credit, 1)):
                    if number in known:
                        key = (months[month], known[number][2], currency)
                        found[key] = found.get(key, 0) + sign * int(amount)
    return [MonthGiven(*key, amount) for key, amount in sorted(found.items()) if amount]
