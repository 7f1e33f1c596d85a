"""What stands behind a bill in the store: its use, the entries of its wallet, and the tenths of them.

A bill says which records and entries it has, but for charges and tenths: those were booked right behind what they are of, and
are found there. Where that does not give what the bill comes to, the whole journal is looked through.
"""

from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, not_, or_, select

from gateway.billing.content import PAID_BY_PROMOTION, Content, from_steps, read_content, section_of
from gateway.billing.cuts import NOTHING, closes
from gateway.billing.reading import NEAR, OF_USAGE, TENTHS
from gateway.billing.series import BILL
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.statements import SelectAmong
from gateway.store.tables import bills, transfers, usage

UsageRow: Final[Any] = namedtuple("UsageRow", [column.name for column in usage.columns])  # type: ignore[misc]  # by the table
EntryRow: Final[Any] = namedtuple("EntryRow", [column.name for column in transfers.columns])  # type: ignore[misc]  # as above
_USAGE: Final = SelectAmong(select(usage), usage.c.id, int)
_ENTRIES: Final = SelectAmong(select(transfers), transfers.c.id, int)
RANGES: Final = 200
"""Ranges of numbers in one query."""


class NotKept(LookupError):
    """What a bill tells of is not in the store any more, or is not all there."""


class Document(NamedTuple):
    """A bill or credit note: its row, and its content."""

    row: Any
    content: Content


class Behind(NamedTuple):
    """What stands behind a bill and its credit notes, each in the order of its numbers.

    `traffic` is by the number of a record; `note_of` gives the note that an entry is on, by their numbers, others are on the
    bill; `before` is when the entry before a record was booked, for such as have no entry of their own.
    """

    usage: list[Any]
    traffic: dict[int, str]
    entries: list[Any]
    note_of: dict[int, int]
    tenths: list[Any]
    before: dict[int, int]


def documents(connection: Connection, number: int) -> list[Document]:
    """Return a bill with its credit notes, by the number of one of them: the bill, then its notes.

    A note that takes a whole bill back stands alone: its rows are those of that bill.
    """
    own = bills.c
    row = connection.execute(select(bills).where(own.id == number)).one()
    if row.series != BILL:
        if row.replaces is not None:
            return [Document(row, read_content(row.content))]
        same = and_(own.series == BILL, own.subscriber_id == row.subscriber_id, own.close_id == row.close_id)
        row = connection.execute(select(bills).where(same)).one()
    known = select(bills).where(own.subscriber_id == row.subscriber_id, own.series != BILL, own.period == row.period)
    notes = connection.execute(known.where(own.replaces.is_(None), own.id < row.id).order_by(own.id))
    return [Document(each, read_content(each.content)) for each in (row, *notes)]


def behind(connection: Connection, found: Sequence[Document]) -> Behind:
    """Read what stands behind a bill and its notes; NotKept where it is not complete."""
    bill, notes = found[0], found[1:]
    traffic = {number: used.traffic for used in bill.content.used for number in from_steps(used.ids)}
    note_of = {number: note.row.id for note in notes for number in _told(note)}
    told = {*_told(bill), *note_of}
    with parts(connection) as every:
        used: list[Any] = [UsageRow(*row) for row in _among(every, _USAGE, traffic)]
        own: list[Any] = [EntryRow(*row) for row in _among(every, _ENTRIES, told)]
        if len(used) != len(traffic) or len(own) != len(told):
            raise NotKept("records or entries of it are not kept any more")
        entries, tenths = _near(every, used, own)
        if not _is_complete(found, note_of, entries, tenths):
            entries, tenths = _searched(connection, every, bill.row)
        if not _is_complete(found, note_of, entries, tenths):
            raise NotKept("its entries are not all there: see tpo ledger check")
        before = {row.id: _booked_before(every, row.id) for row in used}
    return Behind(used, traffic, entries, note_of, tenths, before)


def _told(document: Document) -> set[int]:
    return {number for moved in document.content.moved for number in from_steps(moved.ids)}


def _among(found: Sequence[Part], wanted: SelectAmong, numbers: Iterable[int]) -> list[tuple[Any, ...]]:
    left, rows = set(numbers), list[tuple[Any, ...]]()
    for part in sorted(found, key=lambda part: part.month is not None):
        if left and (part.month is None or any(a < number <= b for a, b in part.month.ranges for number in left)):
            rows += wanted.run(part.connection, left)
            left -= {row[0] for row in rows}
    return sorted(rows, key=lambda row: row[0])


def _near(found: Sequence[Part], used: Sequence[Any], own: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Find charges and tenths behind what they are of."""
    records = {row.id for row in used} | {row.usage_id for row in own}
    references = {(row.at, row.reference) for row in own if row.reference is not None}
    entries, tenths = {row.id: row for row in own}, {}
    for row in _within(found, sorted([row.id for row in used] + list(entries))):
        if row.kind in TENTHS:
            if row.usage_id in records if row.usage_id is not None else (row.at, row.reference) in references:
                tenths[row.id] = row
        elif row.kind in OF_USAGE and row.usage_id is not None and row.usage_id in records:
            entries[row.id] = row
    return [entries[number] for number in sorted(entries)], [tenths[number] for number in sorted(tenths)]


def _within(found: Sequence[Part], numbers: Sequence[int]) -> Iterator[Any]:
    """Read the entries that stand near behind numbers."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number <= ranges[-1][1]:
            ranges[-1][1] = number + NEAR
        else:
            ranges.append([number, number + NEAR])
    for begin in range(0, len(ranges), RANGES):
        some = ranges[begin : begin + RANGES]
        near = or_(*(and_(transfers.c.id >= low, transfers.c.id <= high) for low, high in some))
        yield from _selected(found, near, some[0][0], some[-1][1])


def _selected(found: Sequence[Part], condition: ColumnElement[bool], low: int, high: int) -> Iterator[Any]:
    for part in found:
        if part.month is None or any(after < high and last >= low for after, last in part.month.ranges):
            for row in part.connection.execute(_entries().where(condition).order_by(transfers.c.id)):
                yield EntryRow(*row)


def _entries() -> Select[Any]:
    return select(transfers)


def signed(row: Any, subscriber_id: int) -> int:  # noqa: ANN401  (a row)
    """Return what an entry moved a wallet by."""
    return int(row.amount) if row.credit == subscriber_id else -int(row.amount)


def section_of_entry(row: Any) -> str:  # noqa: ANN401  (a row)
    """Return the section of a bill that an entry stands in."""
    return str(section_of(row.kind, has_usage=row.usage_id is not None))


def _is_complete(
    found: Sequence[Document], note_of: Mapping[int, int], entries: Sequence[Any], tenths: Sequence[Any]
) -> bool:
    """Return whether entries come to what the bill and its notes have of each kind, and tenths to what it gave."""
    bill, sums = found[0].row, dict[tuple[Any, ...], list[int]]()
    for row in entries:
        amount = signed(row, bill.subscriber_id)
        key = (note_of.get(row.id, bill.id), row.kind, section_of_entry(row), amount > 0)
        known = sums.setdefault(key, [0, 0])
        known[:] = known[0] + 1, known[1] + amount
    wanted = {
        (each.row.id, moved.kind, str(moved.section), moved.amount > 0): [moved.count, moved.amount]
        for each in found
        for moved in each.content.moved
        if moved.count
    }
    return sums == wanted and sum(TENTHS[row.kind] * row.amount for row in tenths) == bill.given


def _searched(connection: Connection, found: Sequence[Part], bill: Any) -> tuple[list[Any], list[Any]]:  # noqa: ANN401
    """Look the journal through for what is on a bill: where a charge is of use that no bill tells of, or stands elsewhere."""
    every, entry, line = closes(connection), transfers.c, bill.subscriber_id
    cut = next(each.cut for each in every if each.id == bill.close_id)
    before = max((each for each in every if each.period < bill.period), key=lambda each: each.id, default=None)
    earlier = NOTHING if before is None else before.cut
    here = and_(cut.within(entry.id, entry.event_at), not_(earlier.within(entry.id, entry.event_at)))
    own_use = select(usage.c.id).where(usage.c.subscriber_id == line)
    wanted = or_(entry.debit == line, entry.credit == line, and_(entry.kind.in_(TENTHS), entry.usage_id.in_(own_use)))
    rows: dict[int, Any] = {}
    for part in found:
        for row in part.connection.execute(_entries().where(here, wanted)):
            rows[row.id] = EntryRow(*row)
    entries = [row for row in rows.values() if row.kind not in TENTHS]
    tenths = {row.id: row for row in rows.values() if row.kind in TENTHS}
    references = {(row.at, row.reference) for row in entries if row.usage_id is None and row.reference is not None}
    for row in _within(found, sorted(row.id for row in entries)):
        if row.kind in TENTHS and row.usage_id is None and (row.at, row.reference) in references:
            tenths[row.id] = row
    return sorted(entries), [tenths[number] for number in sorted(tenths)]


def _booked_before(found: Sequence[Part], number: int) -> int:
    """Return when the last entry before a record was booked: its own link is not far behind."""
    before = select(transfers.c.at).where(transfers.c.id < number).order_by(transfers.c.id.desc()).limit(1)
    ats = [at for part in found if part.month is None or part.lowest < number for at in part.connection.scalars(before)]
    return max(ats, default=0)


def of_what(tenth: Any, entries: Sequence[Any]) -> Any:  # noqa: ANN401  (rows)
    """Return the entry that a tenth is of: the last one before it with its record, or its reference and time."""
    found = None
    for row in entries:
        if row.id > tenth.id:
            break
        if row.amount != tenth.base or row.kind == PAID_BY_PROMOTION:
            continue
        if (
            row.usage_id == tenth.usage_id
            if tenth.usage_id is not None
            else (row.at, row.reference) == (tenth.at, tenth.reference)
        ):
            found = row
    return found
