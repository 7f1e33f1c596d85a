"""What `ledger check` proves of sealed months: each file is the one that was sealed, and has the rows that were."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from sqlalchemy import Connection, Table, func, or_, select, text

from gateway.ledger.checks.examined import SHOWN, Examined, Finding, finish
from gateway.store.sealed_months.parts import Part, unreadable
from gateway.store.sealed_months.records import SealedFile, SealedMonth, damage, folder_of, is_in, store_of
from gateway.store.sealed_months.sums import sums
from gateway.store.tables import transfers, usage


def wrong_files(connection: Connection, found: Sequence[Part]) -> tuple[list[str], list[Part]]:
    """Say what is wrong with the files of sealed months, and give the parts that can be read.

    Of one that was changed the rows are still looked at, if it can be read: another check may name which.
    """
    months = [part.month for part in found if part.month is not None]
    if not months:
        return [], list(found)
    folder, files = folder_of(store_of(connection)), [file for month in months for file in month.files]
    wrong = [*_overlaps(months), *_left_in_store(connection, months)]
    readable = []
    for part in found:
        damages = [said for file in _kept(part.month) if (said := damage(folder, file, files)) is not None]
        wrong += damages
        if damages and unreadable(part) is not None:
            continue
        readable.append(part)
        look = partial(_findings_of, part)
        wrong += [finding.detail for finding in finish("wrong_files", [part.connection], look)]
    return wrong, readable


def _findings_of(part: Part) -> Iterator[Finding]:
    return (Finding("sealed", said) for said in _other_rows(part))


def sums_match(books: Examined) -> Iterator[Finding]:
    """Say which months' sums, that balances are told from, are not those of their rows."""
    for part, totals in zip(books.parts, books.sums, strict=True):
        if part.month is None:
            continue
        kept = {(row.account, row.currency): row.amount for row in part.connection.execute(select(sums))}
        wrong = sorted(key for key in kept.keys() | totals.keys() if kept.get(key, 0) != totals.get(key, 0))
        for account, currency in wrong[:SHOWN]:
            said, found = kept.get((account, currency), 0), totals.get((account, currency), 0)
            yield Finding(
                "sealed",
                f"{part.month.journal.file} says that account {account} was moved by {said} {currency} micro-units, "
                f"its entries {found}",
            )


def _kept(month: SealedMonth | None) -> Iterator[SealedFile]:
    if month is not None:
        yield from (file for file in month.files if file.dropped_at is None)


def _overlaps(months: Sequence[SealedMonth]) -> Iterator[str]:
    ranges = sorted((*each, month.period) for month in months for each in month.ranges)
    for (_, last, one), (after, _, other) in pairwise(ranges):
        if after < last:
            yield f"the months {one} and {other} are sealed as having the same numbers, above {after}"


def _left_in_store(connection: Connection, months: Sequence[SealedMonth]) -> Iterator[str]:
    """Find rows of the store in months that it has none of any more: somebody put them there."""
    gone = [each for month in months if month.is_removed for each in month.ranges]
    for table, name in ((transfers, "entry"), (usage, "record")) if gone else ():
        wanted = f"SELECT id FROM main.{table.name} WHERE {is_in(gone)} ORDER BY id LIMIT {SHOWN}"  # noqa: S608  (ours)
        for (number,) in connection.execute(text(wanted)):
            yield f"{name} {number} stands in the store, though its month is sealed"


def _other_rows(part: Part) -> Iterator[str]:
    """Hold a file's rows against what was noted of them: how many, which sums, whose numbers."""
    for file in _kept(part.month):
        table, amount = (transfers, transfers.c.amount) if file.content == transfers.name else (usage, usage.c.price)
        count, amounts = _counted(part.connection, table), _amounts(part.connection, table, amount.name)
        if count != file.rows:
            yield f"{file.file} has {count} rows, sealed were {file.rows}"
        if amounts != file.amounts:
            yield f"{file.file} has rows of {amounts} micro-units, sealed were {file.amounts}"
        if (times := _times(part.connection, table)) != (file.first_at, file.last_at):
            yield f"{file.file} has rows of the times (microseconds) {times}, sealed were {(file.first_at, file.last_at)}"
        within = or_(*((table.c.id > after) & (table.c.id <= last) for after, last in file.ranges))
        for number in part.connection.scalars(select(table.c.id).where(~within).order_by(table.c.id).limit(SHOWN)):
            yield f"{file.file} has {number}, which is no number of its month"


def _counted(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _times(connection: Connection, table: Table) -> tuple[int | None, int | None]:
    """Return when the first and the last of a table's entries were booked, or its use was: reports go by that."""
    time = transfers.c.at if table is transfers else usage.c.event_at
    first, last = connection.execute(select(func.min(time), func.max(time))).one()
    return first, last


def _amounts(connection: Connection, table: Table, amount: str) -> dict[str, int]:
    by_currency = select(table.c.currency, func.sum(table.c[amount])).group_by(table.c.currency)
    return {currency: int(total) for currency, total in connection.execute(by_currency)}
