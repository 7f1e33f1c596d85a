"""A bill as it is shown: the one form that text, JSON and PDF are made from, rounded once so that it adds up.

Numbers stay numbers here (micro-units, octets, seconds); words and signs are put to them by whoever writes it
(billing.writer). What a customer gives to is not in it, unless whoever asks may see that.
"""

from collections import namedtuple
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select

from gateway.billing.content import Content, Moved, Section, Used, from_steps, read_content, tax_of
from gateway.billing.rounding import billed, rounded, split, unit_of
from gateway.billing.series import BILL, CREDIT_NOTE
from gateway.charity.choices import Share
from gateway.ledger.added_taxes import ADDED
from gateway.rating.rate_keys import read_key
from gateway.rating.taxes import percent
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.statements import SelectAmong
from gateway.store.tables import bills, transfers, usage

_UsageRow: Final[Any] = namedtuple("_UsageRow", [column.name for column in usage.columns])  # type: ignore[misc]  # by the table
_EntryRow: Final[Any] = namedtuple("_EntryRow", [column.name for column in transfers.columns])  # type: ignore[misc]  # as above
_USAGE: Final = SelectAmong(select(usage), usage.c.id, int)
_ENTRIES: Final = SelectAmong(select(transfers), transfers.c.id, int)

PRICES: Final = ({Section.USAGE, Section.SALES}, {Section.USAGE, Section.SALES, Section.CORRECTIONS})
"""Sections of a bill that may together be all that its taxes are within."""


class BillLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a bill: what it is (a service, or the kind of an entry), how much of it, and what it comes to.

    `amount` is signed as the balance sees it. `traffic` tells usage abroad, or calls received, from other; `note` is the number
    of a credit note. A tax or fee on top of prices has the `name`, the kind (`tax`: state, local, 911, usf) and the state that
    the taxes file gives it, and its rate in percent.
    """

    section: str
    what: str
    amount: int
    count: int = 0
    traffic: str = ""
    octets: int = 0
    seconds: int = 0
    units: int = 0
    note: int = 0
    name: str = ""
    tax: str = ""
    state: str = ""
    rate: str = ""


class BillItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call, text, data session, sale or payment: when it was (microseconds), and what it came to."""

    at: int
    section: str
    what: str
    amount: int
    traffic: str = ""
    destination: str = ""
    octets: int = 0
    seconds: int = 0
    units: int = 0


class TaxTotal(msgspec.Struct, frozen=True):
    """The tax within prices at one rate (percent): the prices with it, without it, and the tax."""

    jurisdiction: str
    rate: str
    gross: int
    net: int
    tax: int


class MonthOfYear(msgspec.Struct, frozen=True):
    """A month of the year so far: what was charged, and the tenth of it."""

    period: str
    charged: int
    given: int


class Bill(msgspec.Struct, frozen=True):
    """A whole bill; money in micro-units that are whole minor units, but for what was given, which is exact.

    Attributes:
        number: its own in its series; `replaces` is the number of the bill that a credit note, or this one, takes back.
        lines: what lies between `opening` and `closing`; they add up.
        given, given_in_year, gifts_in_year: the tenth of this bill, of the year's bills so far, and the gifts of that year.
        items: one by one, None for a bill that is not itemised, or whose usage is not kept any more.
        causes: with the share of each, where whoever asks may see it.
    """

    series: str
    number: int
    period: str
    subscriber_id: int
    issued_at: int
    currency: str
    plan: str
    opening: int
    closing: int
    due: int
    due_at: int | None
    lines: list[BillLine]
    taxes: list[TaxTotal]
    given: int
    given_in_year: int
    gifts_in_year: int
    year: list[MonthOfYear]
    final: bool
    replaces: int | None = None
    credit_notes: tuple[int, ...] = ()
    items: list[BillItem] | None = None
    causes: list[Share] | None = None

    def of(self, section: str) -> list[BillLine]:
        """Return the lines of a section."""
        return [line for line in self.lines if line.section == section]


def bill_of(connection: Connection, subscriber_id: int, period: str, *, itemised: bool) -> Bill | None:
    """Read a line's bill of a month: the one that counts, where others were taken back; None where it has none."""
    year = [row for row in _rows_of(connection, subscriber_id) if f"{period[:4]}-01" <= row.period <= period]
    counted = {row.period: row for row in year if row.series == BILL}
    if period not in counted:
        return None
    contents = _contents(connection, [row.id for row in counted.values()])
    notes = [
        Note(row.number, row.period, row.closing - row.opening)
        for row in year
        if row.series == CREDIT_NOTE and row.replaces is None
    ]
    row, content = counted[period], contents[counted[period].id]
    bill = statement(row, content, [note for note in notes if note.period == period])
    whole = msgspec.structs.replace(
        bill,
        replaces=_number_of(connection, row.replaces),
        credit_notes=tuple(each.number for each in year if each.series == CREDIT_NOTE and each.period == period),
        given_in_year=sum(each.given for each in counted.values()),
        gifts_in_year=-sum(each.of(Section.GIFTS) for each in contents.values()),
        year=[_month(each, contents[each.id], notes) for each in counted.values()],
    )
    return with_items(connection, whole, content) if itemised else whole


def _rows_of(connection: Connection, subscriber_id: int) -> list[Row[Any]]:
    """Read all bills and credit notes of a line but their contents, in order; asked for by the line, which has an index."""
    columns = [column for column in bills.columns if column is not bills.c.content]
    rows = connection.execute(select(*columns).where(bills.c.subscriber_id == subscriber_id))
    return sorted(rows, key=lambda row: (row.period, row.number))


def _contents(connection: Connection, numbers: Sequence[int]) -> dict[int, Content]:
    wanted = select(bills.c.id, bills.c.content).where(bills.c.id.in_(numbers))
    return {row.id: read_content(row.content) for row in connection.execute(wanted)}


def credit_note_of(connection: Connection, number: int) -> Bill | None:
    """Read a credit note by its number; None where there is none."""
    own = bills.c
    row = connection.execute(select(bills).where(own.series == CREDIT_NOTE, own.number == number)).one_or_none()
    if row is None:
        return None
    note = statement(row, read_content(row.content), [])
    return msgspec.structs.replace(note, replaces=_number_of(connection, row.replaces))


class Note(NamedTuple):
    """What was given back of prices by a credit note of its own."""

    number: int
    period: str
    amount: int


def _number_of(connection: Connection, bill_id: int | None) -> int | None:
    if bill_id is None:
        return None
    found: int = connection.scalars(select(bills.c.number).where(bills.c.id == bill_id)).one()
    return found


def with_items(connection: Connection, bill: Bill, content: Content) -> Bill:
    """Add the items of a bill, as far as they are kept."""
    with parts(connection) as found:
        items = sorted(_items(found, bill, content), key=lambda item: (item.at, item.section, item.what))
    return msgspec.structs.replace(bill, items=items)


def statement(row: Row[Any], content: Content, notes: Sequence[Note]) -> Bill:
    """Make the form that is shown of a bill's row, its content, and its credit notes.

    Those stand between the balance that the bill before closed with, and the one that this one begins with.
    """
    unit, exact = unit_of(row.currency), list(lines_of(content))
    opening, lines = _credited(row.opening - sum(note.amount for note in notes), notes, unit)
    _, amounts, closing = billed(row.opening, [line.amount for line in exact], row.currency)
    shown = [msgspec.structs.replace(line, amount=amount) for line, amount in zip(exact, amounts, strict=True)]
    return Bill(
        series=row.series,
        number=row.number,
        period=row.period,
        subscriber_id=row.subscriber_id,
        issued_at=row.at,
        currency=row.currency,
        plan=content.plan,
        opening=opening,
        closing=closing,
        due=row.due,
        due_at=row.due_at,
        lines=[*lines, *shown],
        taxes=[
            TaxTotal(each.jurisdiction, percent(each.rate), gross, gross - tax, tax)
            for each, gross in zip(content.taxed, _grosses(content, exact, shown, unit), strict=True)
            for tax in (tax_of(msgspec.structs.replace(each, gross=gross), unit),)
        ],
        given=row.given,
        given_in_year=row.given,
        gifts_in_year=-content.of(Section.GIFTS),
        year=[],
        final=content.final,
    )


def _credited(balance: int, notes: Iterable[Note], unit: int) -> tuple[int, list[BillLine]]:
    """Round the balance that is brought forward, and what each credit note moved of it: to what the note itself says."""
    opening, lines = rounded(balance, unit), list[BillLine]()
    for note in notes:
        amount = rounded(balance + note.amount, unit) - rounded(balance, unit)
        lines.append(BillLine(Section.CORRECTIONS, CREDIT_NOTE, amount, note=note.number))
        balance += note.amount
    return opening, lines


def _grosses(content: Content, exact: Sequence[BillLine], shown: Sequence[BillLine], unit: int) -> list[int]:
    """Round the prices at each rate, so that they add up to what they come to together.

    Where these are the prices of the bill, all of them, that is what its lines say they come to: a line is rounded with the
    balance, and may be a penny beside its own amount.
    """
    amounts = [each.gross for each in content.taxed]
    total = (sum(amounts) + unit // 2) // unit * unit
    for sections in PRICES:
        if amounts and -_sum(exact, sections) == sum(amounts):
            total = -_sum(shown, sections)
            break
    return split(amounts, total, unit)


def _sum(lines: Sequence[BillLine], sections: Collection[str]) -> int:
    return sum(line.amount for line in lines if line.section in sections)


def lines_of(content: Content) -> Iterator[BillLine]:
    """Return the lines of a bill in order, exact; usage service by service as far as its records come to its charges."""
    charged = content.of(Section.USAGE)
    used = [_used_line(each) for each in content.used if each.records]
    left = charged - sum(line.amount for line in used)
    for section in Section:
        if section is Section.USAGE:
            yield from used
            if left:
                yield BillLine(Section.USAGE, "usage", left)
            continue
        if section is Section.TAXES:
            yield from _added_lines(content)
            continue
        for each in content.moved:
            if each.section == section:
                yield BillLine(section, each.kind, each.amount, each.count)


def _added_lines(content: Content) -> Iterator[BillLine]:
    """Return the taxes and fees on top of prices by their names, and in one what bills from before do not tell apart."""
    known = [each for each in content.added if each.amount]
    for each in known:
        kind, rate = ADDED[each.amount > 0], percent(each.rate) if each.rate else ""
        yield BillLine(Section.TAXES, kind, each.amount, name=each.name, tax=each.kind, state=each.state, rate=rate)
    left = content.of(Section.TAXES) - sum(each.amount for each in known)
    if left:
        yield BillLine(Section.TAXES, ADDED[left > 0], left)


def _used_line(used: Used) -> BillLine:
    return BillLine(
        Section.USAGE,
        used.service,
        -used.price,
        used.records,
        used.traffic,
        used.octets,
        used.seconds,
        used.units,
    )


def _month(row: Row[Any], content: Content, notes: Iterable[Note]) -> MonthOfYear:
    """Say what a month was charged, less what was given back in it, and the tenth of it."""
    charged = -content.of(Section.USAGE, Section.SALES, Section.CORRECTIONS, Section.TAXES)
    return MonthOfYear(row.period, charged - sum(note.amount for note in notes if note.period == row.period), row.given)


def _items(found: Sequence[Part], bill: Bill, content: Content) -> Iterator[BillItem]:
    """Return what can be shown one by one: usage, and entries that are not of usage; each group adds up to its line."""
    unit = unit_of(bill.currency)
    for used in content.used:
        rows = _rows(found, _USAGE, used.ids, of_usage=True)
        total = next((line.amount for line in bill.lines if _is_of(line, used)), 0)
        exact = [-row.price for row in rows]
        amounts = split(exact, total, unit) if len(rows) == used.records else exact
        for row, amount in zip(rows, amounts, strict=True):
            yield BillItem(
                row.event_at,
                Section.USAGE,
                used.service,
                amount,
                used.traffic,
                read_key(row.rate_key or "").destination,
                row.octets,
                row.seconds,
                row.units,
            )
    for moved in content.moved:
        if moved.section != Section.USAGE and moved.ids:
            yield from _entry_items(found, bill, moved, unit)


def _entry_items(found: Sequence[Part], bill: Bill, moved: Moved, unit: int) -> Iterator[BillItem]:
    rows = _rows(found, _ENTRIES, moved.ids, of_usage=False)
    sign = 1 if moved.amount > 0 else -1
    total = sum(
        line.amount
        for line in bill.lines
        if (line.section, line.what, line.amount > 0) == (moved.section, moved.kind, moved.amount > 0)
    )
    exact = [sign * row.amount for row in rows]
    amounts = split(exact, total, unit) if len(rows) == moved.count else exact
    for row, amount in zip(rows, amounts, strict=True):
        yield BillItem(row.event_at, moved.section, moved.kind, amount)


def _rows(found: Sequence[Part], select_among: SelectAmong, steps: Sequence[int], *, of_usage: bool) -> list[Any]:
    """Read rows by their numbers, wherever they are kept; those that are gone are left out."""
    make: Any = _UsageRow if of_usage else _EntryRow
    numbers = set(from_steps(steps))
    rows: list[Any] = []
    for part in sorted(found, key=lambda part: part.month is not None):
        if not numbers:
            break
        if part.month is not None and not any(
            after < number <= last for after, last in part.month.ranges for number in numbers
        ):
            continue
        for values in select_among.run(part.connection, numbers):
            row = make(*values)
            rows.append(row)
            numbers.discard(row[0])
    return sorted(rows, key=lambda row: row[0])


def _is_of(line: BillLine, used: Used) -> bool:
    return line.section == Section.USAGE and line.what == used.service and line.traffic == used.traffic
