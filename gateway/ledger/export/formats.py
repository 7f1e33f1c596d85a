"""How each format writes entries: beancount (its language syntax, v3), hledger's journal (its manual, 1.25), and CSV.

Amounts have six decimals on every leg, as the books keep them, and nothing is rounded or inferred: a file that is one
micro-unit off is refused. A debit is positive there.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Final, Protocol

import msgspec

from gateway.csv_out import safe
from gateway.ledger.account_names import (
    ABSORBED,
    ADDED_TAX,
    BREAKAGE,
    BREAKAGE_VAT,
    CASH,
    CHARITY_BANK,
    GIVING,
    OPENING,
    PROFIT_SHARE,
    PROMOTIONS,
    REFUNDS,
    REVENUE,
    SERVICE_CHARGES,
    UNASSIGNED,
    VAT,
    WALLET,
    WRITE_OFFS,
)
from gateway.ledger.accounts import matcher_account
from gateway.ledger.money import MICRO

FOREVER: Final = "1970-01-01"
"""When accounts were opened, as far as other programs ask."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9-]+")
_ROOTS: Final[Mapping[str, str]] = {
    CASH: "Assets:Cash",
    CHARITY_BANK: "Assets:Charity-bank",
    PROFIT_SHARE: "Expenses:Profit-share",
    OPENING: "Equity:Opening",
    REVENUE: "Income:Revenue",
    SERVICE_CHARGES: "Liabilities:Service-charges",
    GIVING: "Expenses:Giving",
    UNASSIGNED: "Liabilities:Causes:Unassigned",
    REFUNDS: "Liabilities:Refunds",
    WRITE_OFFS: "Expenses:Write-offs",
    ABSORBED: "Expenses:Absorbed",
    PROMOTIONS: "Expenses:Promotions",
    BREAKAGE: "Income:Breakage",
    BREAKAGE_VAT: "Liabilities:Tax:Breakage",
    "causes": "Liabilities:Causes",
    "gifts": "Liabilities:Gifts",
    "matchers": "Assets:Matchers",
}
_PREFIXES: Final[Mapping[str, str]] = {
    WALLET: "Liabilities:Wallets:",
    "cause:": "Liabilities:Causes:",
    "gifts:": "Liabilities:Gifts:",
    matcher_account(""): "Assets:Matchers:",
    "confirmed:": "Liabilities:Confirmed:",
    "payable:": "Liabilities:Payable:",
    "instructed:": "Liabilities:Instructed:",
    "gifts-confirmed:": "Liabilities:Gifts-confirmed:",
    "gifts-payable:": "Liabilities:Gifts-payable:",
    "gifts-instructed:": "Liabilities:Gifts-instructed:",
    VAT: "Liabilities:Tax:",
    ADDED_TAX: "Liabilities:Tax:",
}


class Written(msgspec.Struct, frozen=True):
    """A transaction of two legs: `number` is the entry's (None for a sum of accruals), amounts in micro-units."""

    date: str
    kind: str
    debit: str
    credit: str
    amount: int
    currency: str
    number: int | None = None
    reference: str | None = None


class Standing(msgspec.Struct, frozen=True):
    """What an account stands at after everything that was written, credits less debits, in micro-units."""

    account: str
    currency: str
    balance: int


class Format(Protocol):
    """One way of writing."""

    def head(self, currencies: Sequence[str]) -> str:
        """Write what stands first."""

    def transactions(self, found: Iterable[Written]) -> str:
        """Write transactions."""

    def closing(self, date: str, found: Sequence[Standing]) -> str:
        """Write what every account has to stand at, on a day after the last transaction."""


def account_of(name: str) -> str:
    """Return the name that other programs have for an account of ours: a root of theirs first, each part with a capital.

    Ours are made of ids, small letters and digits, so that no two become one; what else stands in one is written by its code.
    """
    root = _ROOTS.get(name)
    if root is not None:
        return root
    prefix = next((each for each in _PREFIXES if name.startswith(each)), None)
    if prefix is None:
        return f"Equity:Unnamed:{_part(name)}"
    return _PREFIXES[prefix] + _part(name.removeprefix(prefix))


def _part(name: str) -> str:
    part = _OTHER.sub(lambda other: "-".join(["", *(f"{ord(letter):x}" for letter in other[0]), ""]), name)
    return part[:1].upper() + part[1:] if part[:1].isalnum() else f"X{part}"


def six(micro: int) -> str:
    """Write micro-units in major units with six decimals."""
    whole, fraction = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{fraction:06d}"


def _plain(reference: str) -> str:
    """Write what somebody else wrote on one line: its letters as they are, `_` for what cannot be seen."""
    return "".join(letter if letter.isprintable() else "_" for letter in reference)


def _string(text: str) -> str:
    quoted = _plain(text).replace("\\", r"\\").replace('"', r"\"")
    return f'"{quoted}"'


class Beancount:
    """https://beancount.github.io/docs/beancount_language_syntax.html; no tolerance is inferred."""

    def head(self, currencies: Sequence[str]) -> str:
        """Write the options."""
        operating = "".join(f'option "operating_currency" "{currency}"\n' for currency in currencies)
        return f'option "title" "TPO gateway"\noption "tolerance_multiplier" "0"\n{operating}\n'

    def transactions(self, found: Iterable[Written]) -> str:
        """Write transactions with their numbers and references as metadata."""
        return "".join(map(self._transaction, found))

    def _transaction(self, found: Written) -> str:
        number = "" if found.number is None else f'  entry: "{found.number}"\n'
        reference = "" if found.reference is None else f"  reference: {_string(found.reference)}\n"
        debit, credit = (f"{account_of(name):<40}" for name in (found.debit, found.credit))
        return (
            f'{found.date} * "{found.kind}"\n{number}{reference}'
            f"  {debit} {six(found.amount):>20} {found.currency}\n"
            f"  {credit} {six(-found.amount):>20} {found.currency}\n\n"
        )

    def closing(self, date: str, found: Sequence[Standing]) -> str:
        """Open every account, and assert what it stands at."""
        opened = "".join(
            f"{FOREVER} open {account_of(name)}\n" for name in dict.fromkeys(each.account for each in found)
        )
        return f"{opened}\n" + "".join(
            f"{date} balance {account_of(each.account):<40} {six(-each.balance)} ~ 0.000000 {each.currency}\n"
            for each in found
        )


class Hledger:
    """https://hledger.org/1.25/hledger.html#journal-format; read in a UTF-8 locale, as letters are what they are."""

    def head(self, currencies: Sequence[str]) -> str:
        """Write how many decimals each currency has: transactions have to balance to them."""
        return "".join(f"commodity 1.000000 {currency}\n" for currency in currencies) + "\n"

    def transactions(self, found: Iterable[Written]) -> str:
        """Write transactions with their numbers as codes, and references as tags."""
        return "".join(map(self._transaction, found))

    def _transaction(self, found: Written) -> str:
        number = "" if found.number is None else f"({found.number}) "
        # A comma ends the value of a tag, and there is no way to write one in it.
        reference = "" if found.reference is None else f"  ; reference:{_plain(found.reference).replace(',', '_')}"
        debit, credit = (f"{account_of(name):<40}" for name in (found.debit, found.credit))
        return (
            f"{found.date} * {number}{found.kind}{reference}\n"
            f"    {debit}  {six(found.amount):>20} {found.currency}\n"
            f"    {credit}  {six(-found.amount):>20} {found.currency}\n\n"
        )

    def closing(self, date: str, found: Sequence[Standing]) -> str:
        """Assert what every account stands at."""
        if not found:
            return ""
        return f"{date} * closing\n" + "".join(
            f"    {account_of(each.account):<40}  {six(0)} {each.currency} = {six(-each.balance)} {each.currency}\n"
            for each in found
        )


class Csv:
    """A row a transaction, then a row an account with what it stands at (RFC 4180); a reference is no formula there."""

    def head(self, currencies: Sequence[str]) -> str:  # noqa: ARG002  (as the others have it)
        """Write the names of the columns."""
        return _rows([("date", "kind", "entry", "debit", "credit", "amount", "currency", "reference")])

    def transactions(self, found: Iterable[Written]) -> str:
        """Write the rows, with our own names of accounts."""
        return _rows(
            (
                row.date,
                row.kind,
                row.number or "",
                row.debit,
                row.credit,
                six(row.amount),
                row.currency,
                row.reference or "",
            )
            for row in found
        )

    def closing(self, date: str, found: Sequence[Standing]) -> str:
        """Write what every account stands at, credits less debits."""
        return _rows((date, "balance", "", "", each.account, six(each.balance), each.currency, "") for each in found)


def _rows(rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    csv.writer(text).writerows([safe(str(cell)) for cell in row] for row in rows)
    return text.getvalue()


FORMATS: Final[Mapping[str, Format]] = {"beancount": Beancount(), "hledger": Hledger(), "csv": Csv()}
