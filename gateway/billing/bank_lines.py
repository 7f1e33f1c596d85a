"""Which bill a line of a bank's file pays, or which payment it takes back; nothing is booked here."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, func, select

from gateway.billing.payments import PAYMENT
from gateway.billing.references import bill_numbers
from gateway.billing.series import BILL
from gateway.store.tables import bill_events, bills, payments


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
    """What a line is: a payment of a subscriber's bill, or the return of a payment (`original`); or why it is neither.

    `channel` is that by which the original was booked: a top-up, too, is known by the reference that its channel gave it.
    """

    subscriber_id: int = 0
    bill: int = 0
    original: str = ""
    channel: str = ""
    why: str = ""


def matches(connection: Connection, lines: Sequence[BankPayment]) -> list[Match]:
    """Find what each line is, with two queries for all of them."""
    named = [bill_numbers(*line.texts, line.payer_reference) for line in lines]
    owners = _owners(connection, {number for each in named for number in each})
    taken = {line.payer_reference for line in lines if not line.credit and line.payer_reference}
    originals = _originals(connection, taken)
    return [_match(line, numbers, owners, originals) for line, numbers in zip(lines, named, strict=True)]


def _match(
    line: BankPayment,
    numbers: set[int],
    owners: Mapping[int, int],
    originals: Mapping[str, Mapping[int, tuple[str, str]]],
) -> Match:
    if not line.credit:
        found = originals.get(line.payer_reference, {})
        if len(found) == 1:
            [(channel, original)] = found.values()
            return Match(original=original, channel=channel)
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


def _originals(connection: Connection, references: set[str]) -> dict[str, dict[int, tuple[str, str]]]:
    """Return by the payer's reference, and by line, the channel and reference of the payment that was booked last.

    A debit may be collected once more by the same reference. What was no bill's is known by its own: a top-up.
    """
    if not references:
        return {}
    own, payers = bill_events.c, dict[tuple[int, str], str]()
    wanted = select(own.reference, own.subscriber_id, own.payment).where(own.event == PAYMENT)
    for reference, line, payment in connection.execute(wanted.where(own.reference.in_(references)).order_by(own.id)):
        payers[line, payment] = reference
    found: dict[str, dict[int, tuple[str, str]]] = {}
    named = references | {payment for _, payment in payers}
    for line, channel, payment in _booked(connection, named):
        reference = payers.get((line, payment), payment)
        if reference in references:
            found.setdefault(reference, {})[line] = (channel, payment)
    return found


def _booked(connection: Connection, references: set[str]) -> list[tuple[int, str, str]]:
    """Return the line, the channel and the reference of payments by their references, the earliest first.

    Channels are few, and found one by one: the index begins with them.
    """
    own, channels, channel = payments.c, list[str](), connection.execute(select(func.min(payments.c.channel))).scalar()
    while channel is not None:
        channels.append(channel)
        channel = connection.execute(select(func.min(own.channel)).where(own.channel > channel)).scalar()
    wanted = select(own.subscriber_id, own.channel, own.reference).where(
        own.channel.in_(channels), own.reference.in_(references), own.amount > 0
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(wanted.order_by(own.at, own.id))]
