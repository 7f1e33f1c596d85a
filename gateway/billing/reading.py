"""What each line used and paid within a slice of the books, line by line in the order of their numbers.

The journal and the usage are read once for all lines, grouped by the database, which sorts on its disk: neither has an index by
line, which each charge would have to pay for. What is read is never changed any more, so that whoever is killed reads it again
and finds the same. Sealed months are read in turn, and merged.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    union_all,
)

from gateway.billing.content import (
    PAID_BY_PROMOTION,
    Content,
    Moved,
    Used,
    in_steps,
    section_of,
    write_content,
)
from gateway.billing.cuts import Slice
from gateway.billing.taxation import TaxSums, components_of, rates_of
from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.added_taxes import ADDED
from gateway.ledger.taxable import BOOKED, OTHERS, USE, Taxable
from gateway.rating.rate_keys import EMERGENCY, TOLL_FREE
from gateway.store.sealed_months.parts import Part
from gateway.store.tables import subscribers, subscriptions, transfers, usage
from gateway.subscribers.status import TERMINATED

NEAR: Final = 64
"""A charge stands this near before its tenths: they are posted in one go."""
STREAMED: Final = {"yield_per": 1000}
OF_USAGE: Final = ("charge", "service", PAID_BY_PROMOTION)
"""Kinds of entries that usage records tell of one by one."""
TENTHS: Final = {"accrual": 1, "rerated_accrual": 1, "accrual_reversal": -1}
UNTOLD: Final = (TOLL_FREE, EMERGENCY)
"""Calls that no bill tells of, and no sum has: those free to the caller, helplines among them (Directive 2002/22/EC, annex I
A(a)). Each other call that cost nothing and was covered by no allowance is left out like them."""
VOICE: Final = "voice"
_JOURNAL, _USAGE, _TENTH, _PRICED = range(4)


class Draft(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A line's bill before it has a number: its content as it is kept, and what of it is reckoned with.

    `moved` is what the wallet was moved by, `paid` how much of that came in, `given` the tenth of it; all in micro-units.
    """

    subscriber_id: int
    currency: str
    moved: int
    paid: int
    given: int
    content: bytes


class Line(msgspec.Struct, frozen=True):
    """What was read of a line, by which query."""

    subscriber_id: int
    found: list[tuple[int, Any]]

    def of(self, place: int) -> Iterator[Any]:
        """Return what one of them read."""
        return (row for query, row in self.found if query == place)


def lines(
    found: Sequence[Part], only: Slice, taxes: Taxable | None, *, after: int = 0, one: int | None = None
) -> Iterator[Line]:
    """Return every line with something within a slice, those above `after`, in order; or `one` alone.

    `taxes` are those within prices (billing.taxation), None where no plan ever said that it has any.
    """
    queries = [_journal(only, taxes, after, one), _usage(only, after, one), _tenths(only, after, one)]
    if taxes is not None:
        queries.append(_priced(only, after, one))
    streams = []
    for part in found:
        if part.month is None or only.wants(part.month):
            dialect = part.connection.dialect.name
            for place, query in enumerate(queries):
                streams.append(_stream(part.connection, place, query(dialect)))
    rows = merge(*streams, key=lambda row: row[0])
    for subscriber_id, group in groupby(rows, key=lambda row: row[0]):
        yield Line(subscriber_id, [(place, row) for _, place, row in group])


def _stream(connection: Connection, place: int, query: Select[Any]) -> Iterator[tuple[int, int, Any]]:
    for row in connection.execute(query, execution_options=STREAMED):
        yield row[0], place, row


def drafts(
    connection: Connection, found: Iterable[Line], taxes: Taxable | None, many: int, *, until: int
) -> Iterator[list[Draft]]:
    """Make drafts of lines, so many at a time; what plan each had at the end is read with them."""
    every = iter(found)
    while page := list(islice(every, many)):
        plans = _plans(connection, page[0].subscriber_id, page[-1].subscriber_id, until)
        ended = _ended(connection, page[0].subscriber_id, page[-1].subscriber_id)
        priced = [row for line in page for row in line.of(_PRICED)]
        rates = {} if taxes is None else rates_of(taxes, (row for row in priced if row.kind in OTHERS))
        components = components_of(connection, (row for row in priced if row.kind in ADDED))
        yield [
            _draft(
                line,
                plans.get(line.subscriber_id, ""),
                TaxSums(taxes, rates, components),
                final=line.subscriber_id in ended,
            )
            for line in page
        ]


def _draft(line: Line, plan: str, taxes: TaxSums, *, final: bool) -> Draft:
    content, currency, given = Content(plan=plan), "", 0
    moved: dict[tuple[str, str, bool], Moved] = {}
    for place, row in line.found:
        if place == _TENTH:
            given += int(row.amount)
            continue
        if place == _PRICED:
            taxes.add_booked(row)
            continue
        currency = row.currency
        if place == _USAGE:
            content.used.append(_used(row))
            continue
        section = section_of(row.kind, has_usage=bool(row.of_usage))
        amount = int(row.amount)
        known = moved.setdefault((row.kind, section, amount > 0), Moved(row.kind, section, 0, 0))
        known.count += row.entries
        known.amount += amount
        known.ids = known.ids + _ids(row.ids)
        taxes.add_use(row)
    for each in moved.values():
        each.ids = in_steps(each.ids)
    content.moved = sorted(moved.values(), key=lambda each: (each.section, each.kind, each.amount))
    content.used = _joined(content.used)
    content.taxed, content.credited, content.added = taxes.charged(), taxes.credited(), taxes.added()
    content.final = final
    return Draft(line.subscriber_id, currency, content.amount, content.paid, given, write_content(content))


def _used(row: Any) -> Used:  # noqa: ANN401  (a row)
    return Used(
        row.service,
        row.traffic,
        row.records,
        int(row.octets),
        int(row.seconds),
        int(row.units),
        int(row.covered),
        int(row.price),
        _ids(row.ids),
    )


def _joined(used: list[Used]) -> list[Used]:
    """Add up what several parts of the books have of a service."""
    found: dict[tuple[str, str], Used] = {}
    for each in used:
        known = found.get((each.service, each.traffic))
        if known is None:
            found[each.service, each.traffic] = each
            continue
        for name in ("records", "octets", "seconds", "units", "covered", "price", "ids"):
            setattr(known, name, getattr(known, name) + getattr(each, name))
    for each in found.values():
        each.ids = in_steps(each.ids)
    return [found[key] for key in sorted(found)]


def _ids(text: str | None) -> list[int]:
    return [int(number) for number in text.split(",")] if text else []


def _plans(connection: Connection, low: int, high: int, until: int) -> Mapping[int, str]:
    own = subscriptions.c
    wanted = (
        select(own.subscriber_id, own.plan)
        .where(own.subscriber_id.between(low, high), own.valid_from < until)
        .order_by(own.subscriber_id, own.valid_from, own.id)
    )
    return dict(map(tuple, connection.execute(wanted)))


def _ended(connection: Connection, low: int, high: int) -> set[int]:
    own = subscribers.c
    return set(connection.scalars(select(own.id).where(own.id.between(low, high), own.status == TERMINATED)))


Query = Callable[[str], Select[Any]]
"""Gives a query for a dialect."""


def _numbers(column: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    """List numbers where a condition holds, separated by commas."""
    return func.aggregate_strings(cast(case((condition, column), else_=None), Text), ",")


def _of_line(column: ColumnElement[Any], after: int, one: int | None) -> ColumnElement[bool]:
    return column == one if one is not None else column > max(after, HIGHEST_SYSTEM - 1)


def _journal(only: Slice, taxes: Taxable | None, after: int, one: int | None) -> Query:
    """Sum the entries of wallets by kind and side; charges of usage by the plan's version and the time of their rate, too."""
    entry = transfers.c
    here = only.within(entry.id, entry.event_at)
    nothing = literal(None, BigInteger)
    used = (
        (nothing, nothing, nothing)
        if taxes is None
        else (usage.c.version, taxes.band(usage.c.event_at), taxes.by_table(entry.id))
    )

    def side(wallet: ColumnElement[Any], amount: ColumnElement[Any], sign: int) -> Select[Any]:
        is_charge = taxes is not None and sign < 0
        version, band, by = used if is_charge else (nothing, nothing, nothing)
        each = select(
            wallet.label("wallet"),
            entry.currency.label("currency"),
            entry.kind.label("kind"),
            case((entry.usage_id.is_not(None), 1), else_=0).label("of_usage"),
            version.label("version"),
            band.label("band"),
            by.label("by_table"),
            amount.label("amount"),
            literal_column(str(sign)).label("side"),
            entry.id.label("id"),
        ).where(here, _of_line(wallet, after, one))
        if not is_charge:
            return each
        same = and_(usage.c.id == entry.usage_id, entry.kind.in_(list(USE)))
        return each.select_from(transfers).join(usage, same, isouter=True)

    each = union_all(side(entry.credit, entry.amount, 1), side(entry.debit, -entry.amount, -1)).subquery()
    own = each.c
    group = (own.wallet, own.currency, own.kind, own.of_usage, own.version, own.band, own.by_table, own.side)
    told = ~and_(own.kind.in_(OF_USAGE), own.of_usage == 1)
    query = (
        select(
            *group,
            func.count().label("entries"),
            func.sum(own.amount).label("amount"),
            _numbers(own.id, told).label("ids"),
        )
        .group_by(*group)
        .order_by(own.wallet)
    )
    return lambda _dialect: query


def _priced(only: Slice, after: int, one: int | None) -> Query:
    """Return the entries of prices that are not of usage records, or correct them, and of taxes on top: each by itself."""
    entry = transfers.c
    debits = [*(kind for kind, sign in OTHERS.items() if sign > 0), ADDED[0]]
    wallet = case((entry.kind.in_(debits), entry.debit), else_=entry.credit)
    query = (
        select(wallet.label("wallet"), *BOOKED)
        .where(only.within(entry.id, entry.event_at), entry.kind.in_([*OTHERS, *ADDED]), _of_line(wallet, after, one))
        .order_by(wallet)
    )
    return lambda _dialect: query


def _usage(only: Slice, after: int, one: int | None) -> Query:
    """Sum the usage by service and kind of traffic; what no bill tells of is left out."""

    def query(dialect: str) -> Select[Any]:
        own = usage.c
        traffic = _traffic(dialect)
        nothing = and_(own.price == 0, func.coalesce(own.covered, 0) == 0, func.coalesce(own.capped, 0) == 0)
        told = and_(traffic.not_in(UNTOLD), not_(and_(own.service == VOICE, nothing)))
        group = (own.subscriber_id, own.currency, own.service, traffic.label("traffic"))
        sums = [func.sum(column).label(column.name) for column in (own.octets, own.seconds, own.units, own.price)]
        return (
            select(
                *group,
                func.count().label("records"),
                *sums,
                func.sum(func.coalesce(own.covered, 0)).label("covered"),
                func.aggregate_strings(cast(own.id, Text), ",").label("ids"),
            )
            .where(only.within(own.id, own.event_at), _of_line(own.subscriber_id, after, one), told)
            .group_by(own.subscriber_id, own.currency, own.service, traffic)
            .order_by(own.subscriber_id)
        )

    return query


def _traffic(dialect: str) -> ColumnElement[str]:
    """Write the kind of traffic that a rate key (rating.rate_keys) names, or its roaming zone; empty where it names neither."""
    key = func.coalesce(usage.c.rate_key, "")
    if dialect == "postgresql":
        kind, zone = func.split_part(key, "/", 1), func.split_part(key, "/", 2)
    else:
        kind = func.substr(key, 1, func.instr(key, "/") - 1)
        rest = func.substr(key, func.instr(key, "/") + 1)
        zone = func.substr(rest, 1, func.instr(rest, "/") - 1)
    return case((key == "", literal_column("''")), (kind != "", kind), else_=zone)


def _tenths(only: Slice, after: int, one: int | None) -> Query:
    """Sum the tenths by the line whose charge, sale or correction each is of."""
    entry, charge = transfers.c, transfers.alias("charge")
    signed = case(*((entry.kind == kind, sign * entry.amount) for kind, sign in TENTHS.items()))
    here = (only.within(entry.id, entry.event_at), entry.kind.in_(TENTHS))
    of_usage = (
        select(usage.c.subscriber_id.label("wallet"), signed.label("amount"))
        .join_from(transfers, usage, usage.c.id == entry.usage_id)
        .where(*here, _of_line(usage.c.subscriber_id, after, one))
    )
    wallet = case((charge.c.debit >= HIGHEST_SYSTEM, charge.c.debit), else_=charge.c.credit)
    near = (
        charge.c.id >= entry.id - NEAR,
        charge.c.id < entry.id,
        charge.c.at == entry.at,
        charge.c.reference == entry.reference,
        charge.c.kind.not_in(TENTHS),
        charge.c.kind != PAID_BY_PROMOTION,
    )
    first = (
        select(func.max(charge.c.id))
        .where(*near, or_(charge.c.debit >= HIGHEST_SYSTEM, charge.c.credit >= HIGHEST_SYSTEM))
        .correlate(transfers)
        .scalar_subquery()
    )
    of_reference = (
        select(wallet.label("wallet"), signed.label("amount"))
        .join_from(transfers, charge, charge.c.id == first)
        .where(*here, entry.usage_id.is_(None), _of_line(wallet, after, one))
    )
    each = union_all(of_usage, of_reference).subquery()
    query = (
        select(each.c.wallet, func.sum(each.c.amount).label("amount")).group_by(each.c.wallet).order_by(each.c.wallet)
    )
    return lambda _dialect: query
