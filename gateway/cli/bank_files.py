"""The files that banks give of an account, as the commands read them: camt of ISO 20022, or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from gateway.bank.camt import BOOKED, BankLine, stream
from gateway.bank.xml import BankFileInvalid
from gateway.cli.errors import CommandFailed
from gateway.ledger.money import format_amount

COLUMNS: Final = ("reference", "amount", "currency", "date", "bill")
"""Of a CSV file: the bank's own reference, what came in (below zero: what went back), the day, the bill's reference."""
LOOK: Final = 64
"""Octets that tell XML from CSV."""
Line = dict[str, object]


def lines_of(file: Path) -> Iterator[Line]:
    """Read the booked lines of a file, as `bill.paid` takes them; CommandFailed says what is wrong with it.

    The file is read to its end before the first line is given, so that nothing is booked of one that does not add up; then
    again, so that one of any length is never whole in memory.
    """
    for _ in _read(file):
        continue
    return _read(file)


def _read(file: Path) -> Iterator[Line]:
    try:
        with file.open("rb") as octets:
            is_xml = octets.read(LOOK).lstrip()[:1] == b"<" or file.suffix.lower() == ".xml"
            octets.seek(0)
            if is_xml:
                yield from (_from_bank(line) for line in stream(octets) if _counts(line))
            else:
                yield from _from_csv(io.TextIOWrapper(octets, "utf-8-sig", newline=""))
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}", to_do="name the bank's file") from None
    except (BankFileInvalid, UnicodeDecodeError, csv.Error) as error:
        raise CommandFailed(f"{file} is not taken: {error}", to_do="give camt.053 or camt.054, or CSV") from None


def _counts(line: BankLine) -> bool:
    """Return whether a line may be of bills: what is pending is not booked yet, and what we paid out is none of theirs."""
    return line.status == BOOKED and (line.credit or line.came_back)


def _from_bank(line: BankLine) -> Line:
    return {
        "reference": line.identity,
        "amount": format_amount(line.amount, line.currency),
        "currency": line.currency,
        "date": line.booked_on,
        "credit": line.credit,
        "returned": line.returned,
        "payer_reference": line.end_to_end_id,
        "texts": [line.remittance],
        "account": line.account,
    }


def _from_csv(text: TextIO) -> Iterator[Line]:
    rows = csv.DictReader(text)
    if rows.fieldnames is None or not set(COLUMNS) <= set(rows.fieldnames):
        raise BankFileInvalid(f"the first line names the columns {', '.join(COLUMNS)}")
    for row in rows:
        if not all(row[name] for name in COLUMNS[:-1]) or row["bill"] is None:
            raise BankFileInvalid(f"line {rows.line_num} has not all of {', '.join(COLUMNS)}; only bill may be empty")
        amount = row["amount"].strip()
        yield {
            "reference": row["reference"],
            "amount": amount.lstrip("-"),
            "currency": row["currency"],
            "date": row["date"],
            "credit": not amount.startswith("-"),
            "payer_reference": row["bill"],
            "texts": [row["bill"]],
        }
