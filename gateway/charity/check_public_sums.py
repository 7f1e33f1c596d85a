"""What was published of giving, held against the journal, for `tpo ledger check`.

Each entry up to a node's mark (charity.publication) is in a figure, or carried on to the next. So all figures of a
currency and what is carried on come to what the journal has until there; those of a cause, too, where nothing in its
currency ever joined the smaller causes. Which causes joined these, and in which month, nothing says afterwards. A store
that was there before months were published (0006) told of less here, and of the rest in another way.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import Connection, and_, case, func, or_, select

from gateway.charity.public_sums import SMALLER, Key, unit_of
from gateway.charity.publication import KINDS, MARK, carried_owner, cause_of
from gateway.charity.sealed_causes import CauseSeals
from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.ledger.checks.tenths import RUNNING_SINCE
from gateway.privacy.sealing import SealBroken
from gateway.store.errors import StoreUnavailable
from gateway.store.nodes import SPAN_BITS
from gateway.store.sealed_months.parts import parts, unreadable
from gateway.store.tables import marks, public_sums, publications, transfers, unpublished_sums

CHECK: Final = "public_sum"
ALL: Final = "all causes"
_EVENTS: Final = "the events charity/accrued have each figure as it left"


def wrong_public_sums(connection: Connection, seals: CauseSeals) -> Iterator[Finding]:
    """Name figures that no month could have, and causes or currencies whose figures are not what was given."""
    told = _told(connection)
    yield from _impossible(connection)
    yield from _sealed_otherwise(connection, seals)
    given = _given(connection)
    if given is None:
        return
    joined = {currency for cause, currency in told if cause == SMALLER}
    said, found = _together(told, joined), _together(given, joined)
    is_older = connection.execute(select(marks.c.value).where(marks.c.name == RUNNING_SINCE)).scalar() is not None
    more = ((key, said.get(key, 0) - found.get(key, 0)) for key in sorted(said.keys() | found.keys()))
    wrong = [key for key, above in more if above > 0 or (above < 0 and not is_older)]
    for cause, currency in wrong[:SHOWN]:
        yield Finding(
            CHECK,
            f"what was published of {cause} in {currency} and what is carried on come to {said.get((cause, currency), 0)} "
            f"micro-units, the journal until then to {found.get((cause, currency), 0)}: put public_sums and unpublished_sums "
            f"back from a backup; {_EVENTS}",
        )


def _together(sums: dict[Key, int], joined: set[str]) -> dict[Key, int]:
    """Sum the causes of currencies in which some were joined."""
    found: dict[Key, int] = {}
    for (cause, currency), amount in sums.items():
        key = (ALL if currency in joined else cause, currency)
        found[key] = found.get(key, 0) + amount
    return found


def _told(connection: Connection) -> dict[Key, int]:
    """Sum the figures of each cause and what is carried on."""
    sums: dict[Key, int] = {}
    for table in (public_sums, unpublished_sums):
        own = table.c
        rows = select(own.cause, own.currency, func.sum(own.amount)).group_by(own.cause, own.currency)
        for cause, currency, amount in connection.execute(rows):
            sums[cause, currency] = sums.get((cause, currency), 0) + int(amount)
    return sums


def _impossible(connection: Connection) -> Iterator[Finding]:
    """Name figures of no published month, and such as are no whole units; the first few."""
    own, months = public_sums.c, set(connection.scalars(select(publications.c.period)))
    found = (
        row
        for row in connection.execute(select(public_sums).order_by(own.period, own.currency, own.cause))
        if row.period not in months or row.amount <= 0 or row.amount % unit_of(row.currency)
    )
    for row, _ in zip(found, range(SHOWN), strict=False):
        what = "of a month that was not published" if row.period not in months else "no whole units of the currency"
        yield Finding(
            CHECK,
            f"the figure of {row.cause} for {row.period}, {row.amount} micro-units {row.currency}, is {what}: put public_sums "
            f"and publications back from a backup; {_EVENTS}",
        )


def _sealed_otherwise(connection: Connection, seals: CauseSeals) -> Iterator[Finding]:
    """Name what is carried on where the parts of it do not open: the next month could not be added up."""
    own = unpublished_sums.c
    for cause, currency, sealed in connection.execute(select(own.cause, own.currency, own.parts)):
        try:
            seals.open_octets(sealed, carried_owner(cause, currency))
        except SealBroken:
            yield Finding(
                CHECK,
                f"whose it is that is carried on of {cause} in {currency} does not open: put unpublished_sums back",
            )


def _given(connection: Connection) -> dict[Key, int] | None:
    """Sum what was given to each cause up to the marks; None where a sealed month cannot be read, which is named elsewhere."""
    reached = dict(map(tuple, connection.execute(select(marks.c.node, marks.c.value).where(marks.c.name == MARK))))
    names = {number: cause for number, name in account_names(connection).items() if (cause := cause_of(name))}
    sums: dict[Key, int] = {}
    with parts(connection) as every:
        try:
            for part in every:
                for debit, credit, currency, amount in _moved(part.connection, reached):
                    for account, sign in ((debit, -1), (credit, 1)):
                        if account in names:
                            key = (names[account], currency)
                            sums[key] = sums.get(key, 0) + sign * int(amount)
        except StoreUnavailable:
            if all(part.month is None or unreadable(part) is None for part in every):
                raise
            return None
    return sums


def _moved(connection: Connection, reached: dict[int, int]) -> Iterable[tuple[int | None, int, str, int]]:
    """Sum what giving moved between accounts, up to each node's mark; wallets are not told apart."""
    if not reached:
        return []
    own = transfers.c
    until = or_(*(and_(own.id >= node << SPAN_BITS, own.id <= last) for node, last in reached.items()))
    debit = case((own.debit < HIGHEST_SYSTEM, own.debit), else_=None).label("debit")
    each = select(debit, own.credit, own.currency, own.amount).where(own.kind.in_(KINDS), until).subquery().c
    group = (each.debit, each.credit, each.currency)
    wanted = select(*group, func.sum(each.amount)).group_by(*group)
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(wanted)]
