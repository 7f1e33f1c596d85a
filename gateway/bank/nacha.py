"""Payment orders to a US bank: a NACHA file of ACH credits to companies (CCD), as the Nacha Operating Rules lay it out.

Records have 94 characters, ten of them make a block. The last digit of a routing number is its check digit.
"""

from collections.abc import Sequence
from typing import Final

from gateway.bank.accounts import BankAccount
from gateway.bank.pain001 import Order, Payment
from gateway.ledger.money import MICRO

FORMAT: Final = "nacha"
CREDITS: Final = "220"
"""Service class: credits only."""
CHECKING_CREDIT: Final = "22"
MOST: Final = 9_999_999_999 * MICRO // 100
"""The most that one payment can say, in micro-units: its cents have ten digits."""
_BLOCK: Final = 10
_WIDTH: Final = 94
_DAY: Final = 69
"""Where the effective entry date stands in the header of a batch."""


def written(order: Order, company: str) -> bytes:
    """Write the file; `company` is the ten characters that the bank knows us by."""
    bank, company = order.payer.routing, company.rjust(10)[:10]
    entries = [_entry(payment, bank, number) for number, payment in enumerate(order.payments, 1)]
    sums = _sums(order.payments)
    records = [
        _file_header(order, bank, company),
        _batch_header(order, bank, company),
        *entries,
        f"8{CREDITS}{len(entries):06d}{sums}{company}{'':19}{'':6}{bank[:8]}{1:07d}",
    ]
    blocks = -(-(len(records) + 1) // _BLOCK)
    records.append(f"9{1:06d}{blocks:06d}{len(entries):08d}{sums}{'':39}")
    records += ["9" * _WIDTH] * (blocks * _BLOCK - len(records))
    assert all(len(record) == _WIDTH for record in records)
    return "".join(f"{record}\n" for record in records).encode("ascii")


def day_of(file: bytes) -> str:
    """Return the effective entry date of a file of ours, YYYY-MM-DD."""
    header = file[_WIDTH + 1 : 2 * _WIDTH + 1].decode("ascii")
    day = header[_DAY : _DAY + 6]
    return f"20{day[:2]}-{day[2:4]}-{day[4:]}"


def _file_header(order: Order, bank: str, company: str) -> str:
    made = order.created[2:16].replace("-", "").replace(":", "").replace("T", "")
    names = f"{'':23}{_text(order.payer.name, 23)}{'':8}"
    return f"101 {bank}{company}{made}A094101{names}"


def _batch_header(order: Order, bank: str, company: str) -> str:
    day = order.day[2:].replace("-", "")
    described = f"{_text(order.payer.name, 16)}{'':20}{company}CCD{_text('GIVING', 10)}"
    return f"5{CREDITS}{described}{'':6}{day}{'':3}1{bank[:8]}{1:07d}"


def _entry(payment: Payment, bank: str, number: int) -> str:
    to: BankAccount = payment.to
    cents = payment.amount * 100 // MICRO
    named = f"{_text(payment.end_to_end_id, 15)}{_text(to.name, 22)}"
    return f"6{CHECKING_CREDIT}{to.routing}{to.account:<17}{cents:010d}{named}{'':2}0{bank[:8]}{number:07d}"


def _sums(payments: Sequence[Payment]) -> str:
    """Return the entry hash (the last ten digits of the sum of routing numbers), no debits, and all credits in cents."""
    routing = sum(int(payment.to.routing[:8]) for payment in payments) % 10**10
    cents = sum(payment.amount * 100 // MICRO for payment in payments)
    return f"{routing:010d}{0:012d}{cents:012d}"


def _text(text: str, width: int) -> str:
    return f"{text.upper()[:width]:<{width}}"
