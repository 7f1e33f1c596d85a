"""What checks look at, and what they find."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Select

from gateway.ledger.balances import add, entry_totals
from gateway.ledger.checks.rules import Rule, recorded_rules
from gateway.ledger.seals import Seal
from gateway.store.engine import part_of_transaction, read_any_text, storing
from gateway.store.errors import UnitPoisoned
from gateway.store.no_text import NoText, column_of, rows_without_text
from gateway.store.nodes import SPAN_BITS
from gateway.store.sealed_months.parts import Part
from gateway.store.tables import transfers, usage

SHOWN: Final = 5
"""Rows that a finding of one kind names at most."""
Recompute = Callable[[str, int, int], int | None]
"""Gives a policy's part of a base by a share in basis points, rounded once; None for a policy that nobody knows."""
Progress = Callable[[str, int], None]
"""Is told by which check how many rows were looked at so far."""


class Finding(msgspec.Struct, frozen=True):
    """Something that does not add up: which check, and what it found."""

    check: str
    detail: str


class OpenedChoice(NamedTuple):
    """A cause's row of a customer's choice, opened; `cause` is None where it does not open."""

    id: int
    subscriber_id: int
    cause: str | None
    share: int
    valid_from: int


ReadChoices = Callable[[Connection], Iterable[OpenedChoice]]
"""Gives all choices of a store: they are sealed, and what opens them stands above the ledger."""


class Examined:
    """One snapshot of the books: the store, and the parts of its journal that can be read.

    Attributes:
        connection: the store.
        parts: the sealed months, then the store.
        journals: a connection a part; `recomputed` those of which each row is computed again.
        recompute: how a tenth is computed again, by the rule as it was recorded; `program` by the program's own.
        key: that of evidence; None where nobody has it, and rows are not held against their digests.
        seals: seals that were kept outside the store.
        choices: reads what customers chose; None where nobody can open that, and causes are not held against it.
        progress: is told how far a long check has come.
        doubtful: releases that nothing proves, by their numbers; None until the rows were held against their digests.
    """

    def __init__(
        self,
        connection: Connection,
        parts: Sequence[Part],
        recompute: Recompute,
        program: Recompute,
        key: bytes | None,
        seals: Sequence[Seal],
        choices: ReadChoices | None,
        progress: Progress,
    ) -> None:
        """Take them."""
        self.connection, self.parts, self.key = connection, parts, key
        self.recompute, self.program = recompute, program
        self.seals, self.choices, self.progress = seals, choices, progress
        self.journals = [part.connection for part in parts]
        self.recomputed = self.journals
        self.doubtful: frozenset[int] | None = None

    @cached_property
    def sums(self) -> list[dict[tuple[int, str], int]]:
        """What each part moved, by account number and currency."""
        return [entry_totals(journal) for journal in self.journals]

    @cached_property
    def totals(self) -> Mapping[tuple[int, str], int]:
        """All of it."""
        totals: dict[tuple[int, str], int] = {}
        for each in self.sums:
            add(totals, each)
        return totals

    @cached_property
    def rules(self) -> list[Rule]:
        """The recorded rules of the tenth, where one of them leaves something out."""
        return recorded_rules(self.connection)

    def trust_sealed(self) -> None:
        """Take what stands in sealed files as it was checked when it was booked."""
        self.recomputed = [part.connection for part in self.parts if part.month is None]

    def trusted_upto(self) -> dict[int, int]:
        """Return by gateway up to which number entries stand in sealed files that are taken as they were checked."""
        found: dict[int, int] = {}
        for part in self.parts:
            if part.month is not None and part.connection not in self.recomputed:
                for _, last in part.month.ranges:
                    found[last >> SPAN_BITS] = max(last, found.get(last >> SPAN_BITS, 0))
        return found

    def count(self, wanted: Select[Any]) -> int:
        """Add up a count over all parts."""
        return sum(int(journal.execute(wanted).scalar_one()) for journal in self.journals)


Check = Callable[[Examined], Iterable[Finding]]


def every(look: Callable[[Connection], Iterable[Finding]]) -> Check:
    """Look at each part by itself: what is numbered in one batch is never in two."""

    def check(books: Examined) -> Iterable[Finding]:
        for journal in books.recomputed:
            yield from look(journal)

    check.__name__ = look.__name__
    return check


UNREADABLE: Final = (msgspec.MsgspecError, ValueError, TypeError, LookupError, ArithmeticError, UnitPoisoned)
"""What reading raises where somebody wrote what no gateway writes; UnitPoisoned where a store itself stumbles over it."""


def finish(name: str, connections: Sequence[Connection], look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return all that a check finds; one that cannot go on has found that, beside what it found until then.

    SQLite keeps octets as text that are none, and its driver refuses a row that has such: then the check begins anew, and reads
    them with a mark in place of each. Other troubles of the store are raised as StoreError.
    """
    found, why = _tried(connections[0], look)
    if isinstance(why, UnitPoisoned) and connections[0].dialect.name == "sqlite":
        no_text = [Finding("unreadable", str(row)) for row in _rows_without_text(why, connections)]
        with read_any_text(connections):
            found, why = _tried(connections[0], look)
        found = no_text + found
    if why is not None:
        what = f"{name} cannot be finished: something that it reads is not as a gateway writes it"
        found.append(Finding("unreadable", f"{what} ({type(why).__name__})"))
    return found


def _rows_without_text(why: UnitPoisoned, connections: Sequence[Connection]) -> Iterator[NoText]:
    """Find the rows at which a check stumbled: in the store, else in the journal's sealed months."""
    if (column := column_of(why)) is None:
        return
    for connection in dict.fromkeys(connections):
        rows = rows_without_text(connection, column, () if connection is connections[0] else (transfers, usage))
        yield from rows
        if rows:
            return


def _tried(connection: Connection, look: Callable[[], Iterable[Finding]]) -> tuple[list[Finding], Exception | None]:
    found: list[Finding] = []
    try:
        with storing(), part_of_transaction(connection):
            found.extend(look())
    except UNREADABLE as error:
        return found, error
    return found, None
