"""What charity registers say of our causes: read from an extract that a person downloaded, with the day that it is of.

The registers publish theirs each in a form of its own; columns are found by the names that these have. An extract is taken as
whole: a number of ours that is not in it is `absent`. Only what concerns our causes is kept.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import ClassVar, Final, TextIO

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from gateway.charity.causes import REGISTERED, Register, Registration
from gateway.store.batch import Batch, Unit
from gateway.store.named_files import lines_of
from gateway.store.tables import register_entries

ABSENT: Final = "absent"
REMOVED: Final = "removed"
NUMBERS: Final = ("registered_charity_number", "charity number", "ein", "number")
"""Names of the column of numbers: Charity Commission, OSCR, IRS (EO BMF), ours."""
NAMES: Final = ("charity_name", "charity name", "name")
STATUSES: Final = ("charity_registration_status", "charity status", "status")
"""Names of the column of status."""
_STANDING: Final = frozenset({"registered", "active", "", "01", "02", "25"})
"""What says that a charity stands. The IRS lists only who is exempt: without a condition (01), with one (02), or as a private
foundation that is becoming a public charity (25); trusts that are none (12) are there, too."""


class RegisterInvalid(ValueError):
    """A file that is no extract of a register; the text says why."""


class Row(msgspec.Struct, frozen=True):
    """What an extract says of one number."""

    number: str
    name: str
    status: str


def read_rows(file: TextIO, wanted: Iterable[str]) -> list[Row]:
    """Read the rows of these numbers; `wanted` are as causes.yaml has them. The file may have hundreds of thousands."""
    numbers = {_digits(number): number for number in wanted}
    head = next(lines_of(file), "")
    file.seek(0)
    rows = csv.DictReader(lines_of(file), delimiter="\t" if "\t" in head else ",")
    try:
        return list(_rows(rows, numbers))
    except csv.Error as error:
        message = f"behind line {rows.line_num}: a row cannot be read: {error}"
        raise RegisterInvalid(message) from None


def _rows(rows: "csv.DictReader[str]", numbers: Mapping[str, str]) -> Iterator[Row]:
    columns = {(name or "").strip().lower(): name or "" for name in rows.fieldnames or ()}
    number, name, status = _column(columns, NUMBERS), _column(columns, NAMES), _column(columns, STATUSES)
    if not number or not name:
        raise RegisterInvalid(
            f"the file has no column of numbers ({', '.join(NUMBERS)}) or of names ({', '.join(NAMES)})"
        )
    for row in rows:
        known = numbers.get(_digits(row.get(number) or ""))
        if known is None:
            continue
        if None in row or None in row.values():
            message = (
                f"line {rows.line_num}: the row of {known} has not as many fields as the first line: is the file whole?"
            )
            raise RegisterInvalid(message)
        if (row.get("linked_charity_number") or "0").strip() == "0":
            said = (row.get(status) or "").strip().lower() if status else ""
            yield Row(known, (row.get(name) or "").strip()[:200], REGISTERED if said in _STANDING else REMOVED)


def _column(columns: Mapping[str, str], names: Iterable[str]) -> str:
    return next((columns[name] for name in names if name in columns), "")


def _digits(number: str) -> str:
    return number.replace("-", "").replace(" ", "").upper()


class ImportRegister(Unit):
    """Keep what an extract says of the numbers of our causes, in the place of what an earlier one said.

    Gives the day of the one that is kept where that is newer: then this one changes nothing, or a charity that was removed
    since would be paid again.
    """

    alone: ClassVar[bool] = True

    regulator: str
    extracted_on: str
    entries: list[Row]

    def decide(self, batch: Batch) -> str:
        """Write them."""
        connection, own = batch.connection, register_entries.c
        latest = connection.execute(select(func.max(own.extracted_on)).where(own.regulator == self.regulator)).scalar()
        if latest is not None and latest > self.extracted_on:
            return str(latest)
        connection.execute(delete(register_entries).where(own.regulator == self.regulator))
        rows = [
            {
                "regulator": self.regulator,
                "number": each.number,
                "name": each.name,
                "status": each.status,
                "extracted_on": self.extracted_on,
                "imported_at": batch.now,
            }
            for each in self.entries
        ]
        if rows:
            connection.execute(insert(register_entries), rows)
        return ""


def with_absent(rows: Iterable[Row], wanted: Iterable[str]) -> list[Row]:
    """Return a row for each wanted number; those that the extract does not have are absent."""
    found = {row.number: row for row in rows}
    return [found.get(number, Row(number, "", ABSENT)) for number in sorted(set(wanted))]


def read_register(connection: Connection) -> Register:
    """Return what the latest extracts say."""
    own = register_entries.c
    wanted = select(own.regulator, own.number, own.name, own.status, own.extracted_on)
    return {(row.regulator, row.number): Registration(*row) for row in connection.execute(wanted)}


def age(extracted_on: str, today: str) -> int:
    """Return how many days old an extract is."""
    return (date.fromisoformat(today) - date.fromisoformat(extracted_on)).days
