"""Accruals held against the choices of customers: each cause and share is of a choice that was in force at the time of use.

Choices are sealed, and what opens them stands above the ledger: who runs the check brings a reader of them. Without one, causes
are not checked.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, FromClause, Select, and_, select

from gateway.ledger.account_names import UNASSIGNED
from gateway.ledger.accounts import cause_account
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import SHOWN, Examined, Finding, ReadChoices
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import erasures, families, nodes, transfers

PAID: Final = ("charge", "sale", "rerated")
"""What tenths accrue on."""
SECOND_US: Final = 1_000_000
GRACE_US: Final = 10 * SECOND_US
"""Gateways on one store do not agree on the time to the second: so long after a new choice the old one may be met."""
WHOLE: Final = 10_000
PAGE: Final = 5000


def choices_kept(books: Examined) -> Iterable[Finding]:
    """Name choices that do not open, and accruals to a cause, or by a share, that was not chosen then."""
    if books.choices is None:
        return
    choices = Choices(books.connection, books.choices)
    for number in choices.broken:
        yield Finding("choice", f"choice {number} does not open: it was sealed for another row, or changed")
    for journal in books.recomputed:
        for number in not_chosen(journal, choices):
            yield Finding("choice", f"entry {number} accrues to a cause, or by a share, that was not chosen then")


class _Choice(NamedTuple):
    id: int
    account: int | None
    share: int
    valid_from: int


class Choices:
    """All choices of a store, by customer, and who pays for whom."""

    def __init__(self, connection: Connection, read: ReadChoices) -> None:
        """Read them; `broken` are the numbers of those that do not open."""
        numbers = {name: number for number, name in account_names(connection).items()}
        self.unassigned = numbers.get(UNASSIGNED)
        self.broken: list[int] = []
        self._names = {node.id: node.name for node in connection.execute(select(nodes.c.id, nodes.c.name))}
        self._of: dict[int, list[_Choice]] = {}
        for each in read(connection):
            account = None if each.cause is None else numbers.get(cause_account(each.cause))
            if each.cause is None:
                self.broken.append(each.id)
            self._of.setdefault(each.subscriber_id, []).append(_Choice(each.id, account, each.share, each.valid_from))
        self._erased = set(connection.scalars(select(erasures.c.subscriber_id)))
        self._payers: dict[int, set[int]] = {}
        for member, payer in connection.execute(select(families.c.member_id, families.c.payer_id)):
            self._payers.setdefault(member, set()).add(payer)

    def allow(self, accrual: "_Accrual") -> bool:
        """Return whether a tenth went where its customer, or without a choice of one's own the family's payer, had chosen."""
        who = {accrual.subscriber_id, *self._payers.get(accrual.subscriber_id, ())}
        if not self._erased.isdisjoint(who):
            return True  # what they chose nobody knows any more
        own = self._of.get(accrual.subscriber_id, ())
        if self._chosen(accrual, own) or any(
            self._chosen(accrual, self._of.get(payer, ())) for payer in self._payers.get(accrual.subscriber_id, ())
        ):
            return True
        if accrual.account != self.unassigned or accrual.share != WHOLE:
            return False
        return not any(self._in_force(each, accrual) for each in own)

    def _chosen(self, accrual: "_Accrual", choices: Collection[_Choice]) -> bool:
        """Return whether one of a customer's choices is what a tenth went by, and was not replaced when the use was."""
        for each in choices:
            same = each.account == accrual.account and each.share == accrual.share
            if same and each.valid_from < accrual.event_at + SECOND_US:
                later = (other for other in choices if other.valid_from > each.valid_from)
                if not any(self._in_force(other, accrual) for other in later):
                    return True
        return False

    def _in_force(self, choice: _Choice, accrual: "_Accrual") -> bool:
        """Return whether a choice was surely there for an accrual.

        A clock that was set back says so of later ones, too: identifiers that one gateway gave are in the order in which it
        did, and those of a number that it took after it was adopted come after those of the one before.
        """
        chooser, accruer = choice.id >> SPAN_BITS, accrual.id >> SPAN_BITS
        one_gateway = self._names.get(chooser) == self._names.get(accruer)
        made_before = choice.id < accrual.id or not one_gateway
        return made_before and choice.valid_from < min(accrual.event_at, accrual.at) - GRACE_US


class _Accrual(NamedTuple):
    id: int
    account: int
    share: int
    event_at: int
    at: int
    subscriber_id: int


def not_chosen(journal: Connection, choices: Choices) -> Iterator[int]:
    """Return the numbers of accruals that went to a cause, or by a share, that was not chosen then."""
    for kind in PAID:
        wrong = 0
        for row in _streamed(journal, _accruals(kind)):
            if not choices.allow(_Accrual(*row)):
                yield row[0]
                wrong += 1
                if wrong == SHOWN:
                    break


@cache
def accruals_on(kind: str) -> tuple[Select[int], FromClause, FromClause]:
    """Select the accruals on charges, sales or prices put right; gives the accrual and what it is on, too."""
    accrual, paid = transfers.alias("accrual"), transfers.alias("paid")
    same = accrual.c.usage_id == paid.c.usage_id if kind == "charge" else accrual.c.reference == paid.c.reference
    joined = select(accrual.c.id).join_from(accrual, paid, and_(paid.c.kind == kind, same))
    tenth = "rerated_accrual" if kind == "rerated" else "accrual"
    return joined.where(accrual.c.kind == tenth), accrual, paid


@cache
def _accruals(kind: str) -> Select[Any]:
    found, accrual, paid = accruals_on(kind)
    entry = accrual.c
    return found.with_only_columns(entry.id, entry.credit, entry.share, entry.event_at, entry.at, paid.c.debit)


def _streamed(connection: Connection, wanted: Select[Any]) -> Iterator[tuple[Any, ...]]:
    result = connection.execute(wanted, execution_options={"stream_results": True, "yield_per": PAGE})
    try:
        for page in result.partitions():
            yield from map(tuple, page)
    finally:
        result.close()
