"""The files that banks give of an account, as the commands read them: camt of ISO 20022, or CSV."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.api.conversion import to_request
from gateway.api.problems import Problem
from gateway.api.requests.bills import BankLineSaid
from gateway.bank.camt import BOOKED, BankLine, stream
from gateway.bank.xml import BankFileInvalid
from gateway.cli.csv_rows import read_rows
from gateway.cli.errors import CommandFailed
from gateway.ledger.money import format_amount
from gateway.store.named_files import open_named

COLUMNS: Final = ("reference", "amount", "currency", "date", "bill")
"""Of a CSV file: the bank's own reference, what came in (below zero: what went back), the day, the bill's reference."""
LOOK: Final = 64
"""Octets that tell XML from CSV."""
_WIDE: Final = tuple("\ufeff<".encode(form) for form in ("utf-16-le", "utf-16-be"))
"""How XML in UTF-16 begins."""
Line = dict[str, object]


def lines_of(file: Path) -> Iterator[Line]:
    """Read the booked lines of a file, as `bill.paid` takes them; CommandFailed says what is wrong with it.

    The file is read to its end before the first line is given, so that nothing is booked of one that does not add up; then
    again, so that an XML file of any length is never whole in memory.
    """
    for _ in _read(file):
        continue
    return _read(file)


def _read(file: Path) -> Iterator[Line]:
    try:
        with open_named(file, pipe=False) as octets:
            first = octets.read(LOOK).removeprefix(BOM_UTF8)
            is_xml = first.lstrip()[:1] == b"<" or first.startswith(_WIDE) or file.suffix.lower() == ".xml"
            octets.seek(0)
            if is_xml:
                yield from (
                    _checked(_from_bank(line), f"{file}, {line.reference}") for line in stream(octets) if _counts(line)
                )
                return
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}", to_do="name the bank's file") from None
    except BankFileInvalid as error:
        raise CommandFailed(f"{file} is not taken: {error}", to_do="give camt.053 or camt.054, or CSV") from None
    yield from _from_csv(file)


def _counts(line: BankLine) -> bool:
    """Return whether a line may be of bills: what is pending is not booked yet, and what we paid out is none of theirs."""
    return line.status == BOOKED and (line.credit or line.came_back)


def _from_bank(line: BankLine) -> Line:
    return {
        "reference": line.identity,
        "amount": format_amount(line.amount, line.currency),
        "currency": line.currency,
        "date": line.booked_on or line.valued_on,
        "credit": line.credit,
        "returned": line.returned,
        "payer_reference": line.end_to_end_id,
        "texts": [line.remittance, *line.texts],
        "account": line.account,
    }


def _from_csv(file: Path) -> Iterator[Line]:
    for row in read_rows(file, COLUMNS):
        said = {name: value.strip() for name, value in row.values.items()}
        line: Line = {
            "reference": said["reference"],
            "amount": said["amount"].removeprefix("-"),
            "currency": said["currency"],
            "date": said["date"],
            "credit": not said["amount"].startswith("-"),
            "payer_reference": said["bill"],
            "texts": [said["bill"]],
        }
        yield _checked(line, f"{file}:{row.line}")


def _checked(line: Line, where: str) -> Line:
    """Return a line that can be asked for: one that cannot would be refused behind others that are booked by then."""
    try:
        to_request(line, BankLineSaid)
    except Problem as problem:
        raise CommandFailed(f"{problem.detail}; nothing was booked", where=where, to_do="mend the file") from None
    return line
