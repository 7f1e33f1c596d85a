"""What a month's confirmation is read from: what accrued to each cause, and what of it wallets in debt have not paid for.

The journal is read by its parts, sealed months too. Charges are read backwards from the month's end, until those of every
wallet in debt make up what it owes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select

from gateway.charity.standings import Account
from gateway.charity.tenth_states import State, Stream, Way, state_of
from gateway.charity.unpaid import CHARGES, GIVEN_BACK, TAKEN_BACK, TENTHS, Charge, Charges, Lent, Row, covers, unpaid
from gateway.ledger.account_names import HIGHEST_SYSTEM, UNASSIGNED, WRITE_OFFS
from gateway.ledger.balances import Selection, account_names, journal_totals
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers

WINDOW: Final = 31 * 86_400 * 1_000_000
"""So much of the journal is read at once, the latest first."""
AHEAD: Final = 5 * 60 * 1_000_000
"""An event may be this much later than its entry was booked."""
GROUP: Final = 50_000
"""Wallets in debt whose charges are in memory at once; for each group the journal of the time is read anew."""
STREAMED: Final = {"yield_per": 10_000}
ELSEWHERE: Final = (*Way, "profit_share")
"""Kinds that move what accrued, or give besides the tenth."""
Progress = Callable[[str, int], None]


def first_at(connection: Connection) -> int | None:
    """Return when the first entry was booked, in microseconds; None before it."""
    with parts(connection) as found:
        times = [part.connection.scalar(select(func.min(transfers.c.at))) for part in found]
    return min((at for at in times if at is not None), default=None)


def accrued(connection: Connection, until: int) -> dict[Account, int]:
    """Sum what accrued to each cause and was not taken back, before a time; what went on from there is left out."""
    accounts = _accounts(connection)
    sums: dict[Account, int] = {}
    with parts(connection, lambda month: month.journal.overlaps(None, until)) as found:
        for part in found:
            for side, sign in ((transfers.c.credit, 1), (transfers.c.debit, -1)):
                wanted = (
                    select(side, transfers.c.currency, func.sum(transfers.c.amount))
                    .where(side.in_(list(accounts)), transfers.c.at < until, transfers.c.kind.not_in(ELSEWHERE))
                    .group_by(side, transfers.c.currency)
                )
                for number, currency, amount in part.connection.execute(wanted):
                    stream, cause = accounts[number]
                    key = Account(stream, cause, currency)
                    sums[key] = sums.get(key, 0) + sign * int(amount)
    return sums


def _accounts(connection: Connection) -> dict[int, tuple[Stream, str]]:
    """Return the stream and the cause of each account of what accrued; what nobody chose a cause for is one of its own."""
    found = {}
    for number, name in account_names(connection).items():
        if name == UNASSIGNED:
            found[number] = (Stream.TENTH, UNASSIGNED)
        known = state_of(name)
        if known is not None and known[1] is State.ACCRUED:
            found[number] = (known[0], known[2])
    return found


def still_unpaid(
    connection: Connection, until: int, progress: Progress, given: frozenset[str] = frozenset()
) -> dict[Account, int]:
    """Return what of the tenths and gifts of each cause is not paid for at a time; none of it is by the rules in `given`."""
    debts = _debts(connection, until)
    waiting: dict[Account, int] = {}
    accounts = _accounts(connection)
    for currency in sorted({currency for _, currency in debts}):
        owed = {wallet: debt for (wallet, its), debt in debts.items() if its == currency}
        lent = _lent(connection, until, owed)
        for group, charges in _charges(connection, until, owed, lent, progress, given):
            of_group = {wallet: owed[wallet] for wallet in group if wallet in owed}
            for number, amount in unpaid(of_group, charges, lent).items():
                if number in accounts:
                    stream, cause = accounts[number]
                    key = Account(stream, cause, currency)
                    waiting[key] = waiting.get(key, 0) + amount
            charges.clear()  # before the next group is read
    return waiting


def _debts(connection: Connection, until: int) -> dict[tuple[int, str], int]:
    """Return what wallets owe at a time, with what was written off: that was never paid."""
    written_off = _summed(connection, until, "settlement", from_account=WRITE_OFFS)
    totals = journal_totals(connection, Selection(until=until))
    found = {}
    for key in {key for key in totals if key[0] >= HIGHEST_SYSTEM}:
        debt = written_off.get(key, 0) - totals[key]
        if debt > 0:
            found[key] = debt
    return found


def _summed(connection: Connection, until: int, kind: str, from_account: str) -> dict[tuple[int, str], int]:
    numbers = [number for number, name in account_names(connection).items() if name == from_account]
    sums: dict[tuple[int, str], int] = {}
    wanted = (
        select(transfers.c.credit, transfers.c.currency, func.sum(transfers.c.amount))
        .where(transfers.c.kind == kind, transfers.c.debit.in_(numbers), transfers.c.at < until)
        .group_by(transfers.c.credit, transfers.c.currency)
    )
    with parts(connection, lambda month: month.journal.overlaps(None, until)) as found:
        for part in found:
            for wallet, currency, amount in part.connection.execute(wanted):
                sums[wallet, currency] = sums.get((wallet, currency), 0) + int(amount)
    return sums


def _lent(connection: Connection, until: int, debts: Mapping[int, int]) -> Lent:
    """Return what payers in debt lent the members of their families, and did not get back."""
    net: dict[int, dict[int, int]] = {}
    sides = (transfers.c.debit, transfers.c.credit)
    wanted = (
        select(*sides, func.sum(transfers.c.amount))
        .where(transfers.c.kind == "family", transfers.c.at < until)
        .group_by(*sides)
    )
    with parts(connection, lambda month: month.journal.overlaps(None, until)) as found:
        for part in found:
            for debit, credit, amount in part.connection.execute(wanted):
                for payer, member, sign in ((debit, credit, 1), (credit, debit, -1)):
                    if payer in debts:
                        of_payer = net.setdefault(payer, {})
                        of_payer[member] = of_payer.get(member, 0) + sign * int(amount)
    return {
        payer: {member: amount for member, amount in members.items() if amount > 0} for payer, members in net.items()
    }


def _charges(
    connection: Connection,
    until: int,
    debts: Mapping[int, int],
    lent: Lent,
    progress: Progress,
    given: frozenset[str],
) -> Iterator[tuple[Iterable[int], dict[int, list[Charge]]]]:
    """Read the charges of wallets in debt, a group of wallets after the other, so that memory is bounded.

    A payer stands in one group with the members that it lent to.
    """
    families = {member for members in lent.values() for member in members} | set(lent)
    alone = sorted(debts.keys() - families)
    done = 0
    for group in (sorted(families), *(alone[i : i + GROUP] for i in range(0, len(alone), GROUP))):
        if group:
            wanted = {wallet: debts.get(wallet, 0) for wallet in group}
            for payer in lent:
                for member, amount in lent[payer].items():
                    if member in wanted:
                        wanted[member] += amount
            yield group, _charges_of(connection, until, wanted, given)
            done += len(group)
            progress("wallets in debt", done)


def _charges_of(
    connection: Connection, until: int, wanted: Mapping[int, int], given: frozenset[str]
) -> dict[int, list[Charge]]:
    """Read the latest part of the journal first, until the charges of each wallet make up what is wanted of it."""
    charges, first, end = Charges(wanted), first_at(connection), until
    assert first is not None
    while end > first:
        begin = end - WINDOW
        for row in _rows(connection, begin, end, sorted(wanted), given):
            charges.add(row)
        found = charges.by_wallet()
        reached = [covers(found.get(wallet, ()), debt) for wallet, debt in wanted.items()]
        if all(at is not None and at >= begin + AHEAD for at in reached):
            return found
        end = begin
    return charges.by_wallet()


def _rows(connection: Connection, begin: int, end: int, wallets: Sequence[int], given: frozenset[str]) -> Iterator[Row]:
    """Return the entries of wallets between the lowest and the highest, and the tenths on them, in the order of their numbers.

    Tenths by the rules in `given` are left out: they wait for no payment.
    """
    entry, charge = transfers.c, transfers.alias("charge").c
    in_time = (entry.at >= begin, entry.at < end)
    near = or_(*(side.between(wallets[0], wallets[-1]) for side in (charge.debit, charge.credit)))
    kinds = (charge.kind.in_(sorted(CHARGES | GIVEN_BACK)), charge.at >= begin, charge.at < end, near)
    tenths = and_(
        entry.kind.in_(sorted(TENTHS | TAKEN_BACK)), or_(entry.policy.is_(None), entry.policy.not_in(sorted(given)))
    )
    of_usage = entry.usage_id.in_(select(charge.usage_id).where(*kinds, charge.usage_id.is_not(None)))
    of_sale = entry.reference.in_(select(charge.reference).where(*kinds, charge.usage_id.is_(None)))
    own = and_(
        entry.kind.in_(sorted(CHARGES | GIVEN_BACK)),
        or_(*(side.between(wallets[0], wallets[-1]) for side in (entry.debit, entry.credit))),
    )
    wanted = (
        select(
            entry.id,
            entry.kind,
            entry.debit,
            entry.credit,
            entry.amount,
            entry.event_at,
            entry.usage_id,
            entry.reference,
        )
        .where(*in_time, or_(own, and_(tenths, or_(of_usage, and_(entry.usage_id.is_(None), of_sale)))))
        .order_by(entry.id)
    )
    with parts(connection, lambda month: month.journal.overlaps(begin, end)) as found:
        for part in found:
            for row in part.connection.execute(wanted.execution_options(**STREAMED)):
                yield tuple(row)
