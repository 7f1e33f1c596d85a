"""What a cause is told of a month, and may hold against its bank: one figure a line, exact, no count and no days.

opening + accrued + reversed + paid + carried = closing, of what is owed to the cause in whatever state, by the time of booking:
what comes late belongs to the month in which it came. `carried` is what came from, or went to, a cause by succession, what went
to `unassigned`, and profit shares.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, case, func, or_, select

from gateway.charity.standings import Account
from gateway.charity.tenth_states import State, Stream, Way, state_of
from gateway.charity.unpaid_reading import ELSEWHERE
from gateway.ledger.account_names import UNASSIGNED
from gateway.ledger.balances import account_names
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers

PROFIT_SHARE: Final = "profit_share"


class Remittance(msgspec.Struct):
    """The lines of a cause and a month, in micro-units; `states`, as they stood at the month's end, make up `closing`."""

    account: Account
    opening: int = 0
    accrued: int = 0
    reversed: int = 0
    paid: int = 0
    carried: int = 0
    closing: int = 0
    states: dict[State, int] = {}

    @property
    def is_exact(self) -> bool:
        """Whether the lines lead to the closing, and the states make it up."""
        lines = self.opening + self.accrued + self.reversed + self.paid + self.carried
        return lines == self.closing == sum(self.states.values())


Holder = tuple[Stream, State, str]
"""What an account of the journal holds: of which stream, in which state, for which cause."""


def holders(connection: Connection, *, unassigned: bool = False) -> dict[int, Holder]:
    """Return the accounts of causes by their numbers; with `unassigned` also that of tenths for which nobody chose one."""
    names = account_names(connection)
    known = {number: its for number, name in names.items() if (its := state_of(name))}
    if unassigned:
        held = (Stream.TENTH, State.ACCRUED, UNASSIGNED)
        known |= {number: held for number, name in names.items() if name == UNASSIGNED}
    return known


def remittances(connection: Connection, begin: int, end: int, *, unassigned: bool = False) -> list[Remittance]:
    """Return those of every cause to which anything was owed, or paid, of the time from `begin` until before `end`.

    With `unassigned` what is held of tenths for which nobody chose a cause stands among them.
    """
    known = holders(connection, unassigned=unassigned)
    entry = transfers.c
    earlier = case((entry.at < begin, 1), else_=0)
    debited, credited = (case((side.in_(list(known)), side), else_=0) for side in (entry.debit, entry.credit))
    group = (debited, credited, entry.kind, entry.currency, earlier)
    wanted = select(*group, func.sum(entry.amount)).where(
        or_(entry.debit.in_(list(known)), entry.credit.in_(list(known))), entry.at < end
    )
    found: dict[Account, Remittance] = {}
    with parts(connection, lambda month: month.journal.overlaps(None, end)) as every:
        for part in every:
            for debit, credit, kind, currency, is_earlier, amount in part.connection.execute(wanted.group_by(*group)):
                for number, sign in ((debit, -1), (credit, 1)):
                    if number in known:
                        stream, state, cause = known[number]
                        account = Account(stream, cause, currency)
                        line = found.setdefault(account, Remittance(account, states=dict.fromkeys(list(State)[:-1], 0)))
                        _add(line, state, kind, sign * int(amount), is_earlier=bool(is_earlier))
    return sorted(found.values(), key=lambda each: each.account)


def _add(line: Remittance, state: State, kind: str, amount: int, *, is_earlier: bool) -> None:
    line.closing += amount
    line.states[state] += amount
    if is_earlier:
        line.opening += amount
    elif kind in (Way.REMIT, Way.RETURN):
        line.paid += amount
    elif kind in (Way.SUCCEED, Way.UNASSIGN, PROFIT_SHARE):
        line.carried += amount
    elif kind not in ELSEWHERE and amount > 0:
        line.accrued += amount
    elif kind not in ELSEWHERE:
        line.reversed += amount


class Needed(msgspec.Struct):
    """What the charity account has to cover, in micro-units: `due` in any case, and gifts that wait still."""

    due: int = 0
    gifts_waiting: int = 0

    def without(self, owed: int) -> int:
        """Give all of it, without what matchers owe (at least 0) of the gifts that wait: that is not the company's to have."""
        return self.due + max(self.gifts_waiting - max(owed, 0), 0)


def needed(found: Iterable[Remittance]) -> dict[str, Needed]:
    """Give by currency what the charity account has to cover: what is payable or instructed, and all gifts that wait."""
    sums: dict[str, Needed] = {}
    for line in found:
        of = sums.setdefault(line.account.currency, Needed())
        of.due += sum(max(line.states[state], 0) for state in (State.PAYABLE, State.INSTRUCTED))
        if line.account.stream is Stream.GIFT:
            of.gifts_waiting += sum(max(line.states[state], 0) for state in (State.ACCRUED, State.CONFIRMED))
    return sums
