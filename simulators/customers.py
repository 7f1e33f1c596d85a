"""The lines that simulated traffic comes from: the numbers of a `tpo subscriber import` file."""

import csv
from pathlib import Path

import msgspec


class CustomersUnreadable(ValueError):
    """The file gives no lines; the text says where and why."""


class Customer(msgspec.Struct, frozen=True):
    """One line, by the two numbers that a PGW knows of it."""

    imsi: str
    msisdn: str


def read_customers(file: Path) -> list[Customer]:
    """Read the columns `imsi` and `msisdn`; other columns are not looked at."""
    if file.exists() and not file.is_file():
        raise CustomersUnreadable(f"{file}: is no regular file")
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, strict=True)
            missing = {"imsi", "msisdn"} - set(reader.fieldnames or ())
            if missing:
                raise CustomersUnreadable(f"{file}:1: no column {', '.join(sorted(missing))}")
            customers = [
                Customer((row["imsi"] or "").strip(), (row["msisdn"] or "").strip().removeprefix("+")) for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CustomersUnreadable(f"{file}: {error}") from None
    if not customers:
        raise CustomersUnreadable(f"{file}: no lines")
    for line, customer in enumerate(customers, start=2):
        if not (customer.imsi.isascii() and customer.imsi.isdigit()):
            raise CustomersUnreadable(f"{file}:{line}: imsi: not made of digits")
    return customers
