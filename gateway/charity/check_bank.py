"""What banks said, and shares of profit, held against the journal, for `tpo ledger check`.

Each line of the charity account's statements that is known (`bank_lines`) moved a payment, or was received, at its time;
each such entry of the journal has its line. So a line that nobody's bank said, which would keep one to come from being
read, is found, and one that was taken away, which would let it be booked again. Of `profit_shares` the journal has the
share, which follows from the amount.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.charity.bank_matching import PAID, REJECTED, RETURNED
from gateway.charity.profit_share import share_of
from gateway.charity.receipts import KINDS, RECEIVED, identity_of
from gateway.charity.tenth_states import Way
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.errors import StoreUnavailable
from gateway.store.sealed_months.parts import parts, unreadable
from gateway.store.tables import bank_lines, cause_payments, profit_shares, transfers

LINE, SHARE = "bank_line", "profit_share"
"""The checks."""
_OUTCOMES: Final = {Way.REMIT.value: PAID, Way.RETURN.value: RETURNED, Way.REJECT.value: REJECTED}
_PAYMENT: Final = "payment:"
_PROFIT: Final = "profit:"
Moved = tuple[str, int, int]
"""An outcome, the payment's number, and when it was booked (microseconds)."""


def wrong_bank_rows(connection: Connection) -> Iterator[Finding]:
    """Name lines of banks and shares of profit that the journal does not have so, and what it has without them."""
    entries = _entries(connection)
    if entries is None:
        return
    lines = list(connection.execute(select(bank_lines).order_by(bank_lines.c.at, bank_lines.c.identity)))
    yield from _first(_wrong_moves(connection, [row for row in entries if row.kind in _OUTCOMES], lines))
    yield from _first(_wrong_receipts([row for row in entries if row.kind in KINDS], lines))
    yield from _first(_wrong_shares(connection, [row for row in entries if row.kind == SHARE]))


def _entries(connection: Connection) -> list[Any] | None:
    """Read the entries that banks and shares of profit made; None where a sealed month cannot be read."""
    own = transfers.c
    wanted = select(own.id, own.kind, own.reference, own.at, own.amount, own.currency)
    wanted = wanted.where(own.kind.in_((*_OUTCOMES, *KINDS, SHARE)))
    with parts(connection) as every:
        try:
            return [row for part in every for row in part.connection.execute(wanted)]
        except StoreUnavailable:
            if all(part.month is None or unreadable(part) is None for part in every):
                raise
            return None


def _first(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Give the first few, and say how many there are."""
    count, check = 0, ""
    for count, finding in enumerate(findings, 1):
        check = finding.check
        if count <= SHOWN:
            yield finding
    if count > SHOWN:
        yield Finding(check, f"{count} such rows in all")


def _wrong_moves(connection: Connection, entries: Iterable[Any], lines: Iterable[Any]) -> Iterator[Finding]:
    """Hold lines of payments against what they moved: a line is of one payment, or of all of a file's."""
    moved: dict[Moved, int] = {}
    for row in entries:
        number = (row.reference or "").removeprefix(_PAYMENT)
        moved[_OUTCOMES[row.kind], int(number) if number.isdecimal() else 0, row.at] = row.id
    own = cause_payments.c
    of_file: dict[int, list[int]] = {}
    for payment, payout in connection.execute(select(own.id, own.payout_id)):
        of_file.setdefault(payout, []).append(payment)
    for line in lines:
        if line.outcome == RECEIVED:
            continue
        numbers = (line.payment_id, *of_file.get(line.payment_id, ()))
        if not [moved.pop(each) for number in numbers if (each := (line.outcome, number, line.at)) in moved]:
            yield _nothing(line)
    for (outcome, number, _), entry in moved.items():
        yield Finding(LINE, f"entry {entry} has payment {number} {outcome} by no line of bank_lines: {_PUT_BACK}")


def _wrong_receipts(entries: Iterable[Any], lines: Iterable[Any]) -> Iterator[Finding]:
    """Hold what was received against its entries: a bank's line is their reference, a command's is made of it."""
    known = {line.identity: line for line in lines if line.outcome == RECEIVED}
    for row in entries:
        what, _, rest = (row.reference or "").partition(":")
        campaign, _, reference = rest.partition(":") if what == "matched" else ("", "", rest)
        found = known.pop(reference, None) or known.pop(identity_of(campaign, reference), None)
        if found is None or found.at != row.at:
            yield Finding(LINE, f"entry {row.id} was received by no line of bank_lines: {_PUT_BACK}")
    for line in known.values():
        yield _nothing(line)


_PUT_BACK: Final = "put the row back from a backup, and read no statement again before that"


def _nothing(line: Any) -> Finding:  # noqa: ANN401  (a row)
    what = "" if line.outcome == RECEIVED else f" of payment {line.payment_id}"
    return Finding(
        LINE,
        f"line {line.identity!r} of bank_lines says {line.outcome}{what}, and the journal has nothing of it then: take the row "
        f"away, and read the bank's statements from that day on again",
    )


def _wrong_shares(connection: Connection, entries: Iterable[Any]) -> Iterator[Finding]:
    """Hold shares of profit against the journal and against the amounts that they are of."""
    booked: dict[tuple[str, str], list[int]] = {}
    for row in entries:
        key = ((row.reference or "").removeprefix(_PROFIT), row.currency)
        booked.setdefault(key, [0, row.at])[0] += int(row.amount)
    for row in connection.execute(select(profit_shares).order_by(profit_shares.c.period)):
        amount, at = booked.pop((row.period, row.currency), (0, row.at))
        said = (row.share, row.at)
        if said != (amount, at) or row.share != share_of(row.amount):
            yield Finding(
                SHARE,
                f"the profit share of {row.period} says {row.share} micro-units {row.currency} of {row.amount}, the journal "
                f"{amount}: put the row of profit_shares back from a backup",
            )
    for (period, currency), (amount, _) in booked.items():
        yield Finding(
            SHARE,
            f"the journal has a profit share of {period}, {amount} micro-units {currency}, and profit_shares none: put the row "
            "back from a backup, else it can be given again",
        )
