"""What another rule of the tenth would have given of the same months: by cause, from the bases that accruals are stamped with.

Each accrual says what it was computed from, and by which share, so that another rate, or a base less its tax, is one product
more. What the other rule leaves out, it gives nothing of. The sums are exact fractions, rounded once for each cause: a rule
that was in force would round at each session, so that it may differ by a micro-unit a session.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import msgspec
from sqlalchemy import Connection, case, func, select

from gateway.charity.policies import WHOLE, Policy
from gateway.charity.standings import Account
from gateway.charity.tenth_states import State, Stream, state_of
from gateway.ledger.account_names import UNASSIGNED
from gateway.ledger.balances import account_names
from gateway.rating.prices import half_even
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers

TENTHS: Final = ("accrual", "rerated_accrual", "accrual_reversal")


class Compared(msgspec.Struct):
    """What a cause accrued in a month by the rules that were in force, and by the other; micro-units."""

    account: Account
    accrued: int = 0
    other: Fraction = Fraction(0)

    @property
    def would_be(self) -> int:
        """What the other rule gives, rounded once."""
        return half_even(self.other.numerator, self.other.denominator)


def compare(connection: Connection, begin: int, end: int, policy: Policy) -> list[Compared]:
    """Compare the tenths that were booked from `begin` until before `end`, in microseconds."""
    accounts = _accounts(connection)
    entry = transfers.c
    back = entry.kind == "accrual_reversal"
    account, on_sale = case((back, entry.debit), else_=entry.credit), case((entry.usage_id.is_(None), 1), else_=0)
    group = (account, entry.currency, back, on_sale, entry.share)
    wanted = (
        select(*group, func.sum(entry.amount), func.sum(entry.base))
        .where(entry.kind.in_(TENTHS), entry.at >= begin, entry.at < end)
        .group_by(*group)
    )
    found: dict[Account, Compared] = {}
    with parts(connection, lambda month: month.journal.overlaps(begin, end)) as every:
        for part in every:
            for number, currency, is_back, is_sale, share, amount, base in part.connection.execute(wanted):
                cause = accounts.get(number)
                if cause is None:
                    continue
                key = Account(Stream.TENTH, cause, currency)
                row, sign = found.setdefault(key, Compared(key)), -1 if is_back else 1
                row.accrued += sign * int(amount)
                if not policy.leaves_out("sale" if is_sale else "usage"):
                    row.other += sign * int(base or 0) * Fraction(share or WHOLE, WHOLE) * policy.part
    return sorted(found.values(), key=lambda each: each.account)


def _accounts(connection: Connection) -> Mapping[int, str]:
    found = {}
    for number, name in account_names(connection).items():
        known = state_of(name)
        if name == UNASSIGNED:
            found[number] = UNASSIGNED
        elif known is not None and known[:2] == (Stream.TENTH, State.ACCRUED):
            found[number] = known[2]
    return found
