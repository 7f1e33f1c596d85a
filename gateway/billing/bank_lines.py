"""Which bill a line of a bank's file pays, or which payment it takes back; nothing is booked here."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, select

from gateway.billing.payments import PAYMENT
from gateway.billing.references import bill_numbers
from gateway.billing.series import BILL
from gateway.store.tables import bill_events, bills


class BankPayment(msgspec.Struct, frozen=True):
    """A booked line of a bank's file; money in micro-units, the time in microseconds.

    Attributes:
        reference: the bank's own, once for ever.
        credit: whether it came in; `returned` is the reason of a return, empty where it is none.
        payer_reference: the payer's own, or that of the debit which a return is of.
        texts: what may name a bill.
    """

    reference: str
    amount: int
    currency: str
    event_at: int
    credit: bool
    returned: str = ""
    payer_reference: str = ""
    texts: tuple[str, ...] = ()


class Match(msgspec.Struct, frozen=True):
    """What a line is: a payment of a subscriber's bill, or the return of a payment (`original`); or why it is neither."""

    subscriber_id: int = 0
    bill: int = 0
    original: str = ""
    why: str = ""


def matches(connection: Connection, lines: Sequence[BankPayment]) -> list[Match]:
    """Find what each line is, with two queries for all of them."""
    named = [bill_numbers(*line.texts, line.payer_reference) for line in lines]
    owners = _owners(connection, {number for each in named for number in each})
    taken = {line.payer_reference for line in lines if not line.credit and line.payer_reference}
    originals = _originals(connection, taken)
    return [_match(line, numbers, owners, originals) for line, numbers in zip(lines, named, strict=True)]


def _match(
    line: BankPayment, numbers: set[int], owners: Mapping[int, int], originals: Mapping[str, Mapping[int, str]]
) -> Match:
    if not line.credit:
        found = originals.get(line.payer_reference, {})
        if len(found) == 1:
            return Match(original=next(iter(found.values())))
        return Match(
            why="no payment was booked under its reference"
            if not found
            else "payments of several lines have its reference"
        )
    if line.returned:
        return Match(why="a return of what was paid out")
    known = {owners[number]: number for number in sorted(numbers) if number in owners}
    if len(known) == 1:
        [(subscriber_id, number)] = known.items()
        return Match(subscriber_id, number)
    return Match(why="it names the bills of several lines" if known else "it names no bill")


def _owners(connection: Connection, numbers: set[int]) -> dict[int, int]:
    own = bills.c
    wanted = select(own.number, own.subscriber_id).where(own.series == BILL, own.number.in_(numbers))
    return dict(map(tuple, connection.execute(wanted))) if numbers else {}


def _originals(connection: Connection, references: set[str]) -> dict[str, dict[int, str]]:
    """Give by the payer's reference, and by line, the payment that was booked last: a debit may be collected once more."""
    own, found = bill_events.c, dict[str, dict[int, str]]()
    if references:
        wanted = select(own.reference, own.subscriber_id, own.payment)
        wanted = wanted.where(own.event == PAYMENT, own.reference.in_(references))
        for reference, subscriber_id, payment in connection.execute(wanted.order_by(own.id)):
            found.setdefault(reference, {})[subscriber_id] = payment
    return found
