"""Seals that left the house, held against the chains: a cut tail and a chain that was written anew show here (ledger.seals)."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Final

from sqlalchemy import exists, or_, select

from gateway.events.times import rfc3339
from gateway.ledger.checks.evidence import doubtful_releases
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.row_tree import MOST, WINDOW_BITS, Numbers
from gateway.ledger.seals import Seal, SealKey, kept, tree_of_day, trees
from gateway.store.evidence import DAY_US
from gateway.store.evidence_reading import head_of
from gateway.store.releases import released
from gateway.store.tables import seals, transfers, usage

LATE: Final = 1
"""Days more that a seal may take: the tree of a large day's rows is made before it is written down."""
_BEGINNING: Final = date(1970, 1, 1)


def seals_match(books: Examined) -> Iterator[Finding]:
    """Name seals that the chains do not bear out: those of the store, and those that were kept elsewhere."""
    if books.key is not None:
        yield from islice(_wrong(books, SealKey(books.key)), SHOWN)


def _wrong(books: Examined, key: SealKey) -> Iterator[Finding]:
    stored = kept(books.connection)
    restored = released(books.connection).restored
    if restored:  # as nearly never: whoever invents one would have seals missed
        restored = released(books.connection, doubtful_releases(books)).restored
    days = {(seal.node, seal.day) for seal in stored}
    for seal in dict.fromkeys([*stored, *books.seals]):
        which = f"the seal of node {seal.node} for {seal.day}"
        lost = any(_lost(seal, *each) for each in restored)
        if not key.is_signed(seal):
            yield Finding("seal", f"{which} was not made with this gateway's key, or was changed")
        elif (why := _denied(books, seal)) is not None and not lost:
            yield Finding("seal", f"{which} says that its link {seal.sequence} was there: {why}")
        elif (seal.node, seal.day) not in days and not lost:
            yield Finding("seal", f"{which} left the house, and is gone from the store")
    yield from _wrong_times(books)
    for seal in stored:
        if (why := _tree_denied(books, seal)) is not None:
            yield Finding(
                "seal", f"the tree of the rows of node {seal.node} for {seal.day}: {why}: no pack can prove them"
            )
    yield from _wrong_trees(books, {(seal.node, seal.day) for seal in stored if seal.rows})


def _wrong_times(books: Examined) -> Iterator[Finding]:
    """Name seals that were not written down on the day after theirs, or soon after: each is of the day that ended last."""
    own = seals.c
    for node, day, at in books.connection.execute(select(own.node, own.day, own.sealed_at).order_by(own.node, own.day)):
        after = _day_after(day)
        if after is None or not after <= at // DAY_US <= after + LATE:
            yield Finding(
                "seal",
                f"the seal of node {node} for {day} says that it was written down at {at} microseconds, which is not the day "
                "after: put sealed_at back from a backup, the seal itself is proved by what it says",
            )


def _day_after(day: str) -> int | None:
    """Count the day after a day from 1970; None where it is no day, as no seal of ours has it."""
    try:
        return (date.fromisoformat(day) - _BEGINNING).days + 1
    except ValueError:
        return None


def _wrong_trees(books: Examined, sealed: set[tuple[int, str]]) -> Iterator[Finding]:
    """Name trees that no seal stands for, or that leave out rows behind those of the one before: a day between is gone."""
    reached: dict[int, int] = {}
    for node, day, upto, ranges in trees(books.connection):
        what = f"the tree of the rows of node {node} for {day}"
        if (node, day) not in sealed:
            yield Finding("seal", f"{what} is under no seal: that is gone, or the tree was invented")
            continue
        if upto != ranges[-1][1]:
            yield Finding("seal", f"{what} ends with number {ranges[-1][1]}, and says {upto}")
        begins, last = ranges[0][0], reached.get(node, ranges[0][0] - 1)
        left_out = begins > last + 1 and not _is_full(ranges) and _has_rows(books, last, begins)
        if begins <= last or left_out:
            yield Finding("seal", f"{what} begins with number {begins}, the one before ends with {last}")
        reached[node] = ranges[-1][1]


def _is_full(ranges: Sequence[Sequence[int]]) -> bool:
    """Return whether a tree has as many numbers as one has at most, or all of the latest so many, as it was cut before."""
    return Numbers(ranges).width > MOST - (1 << WINDOW_BITS) or ranges[-1][1] - ranges[0][0] + 1 == MOST


def _has_rows(books: Examined, after: int, before: int) -> bool:
    """Return whether there are rows that a day's tree has, with numbers between two."""
    between = (exists().where(table.c.id > after, table.c.id < before) for table in (transfers, usage))
    wanted = select(or_(*between))
    return any(journal.scalar(wanted) for journal in books.journals)


def _tree_denied(books: Examined, seal: Seal) -> str | None:
    """Say what is wrong with what is kept of the tree of a day's rows, by the root that the seal has."""
    if not seal.rows:
        return None
    tree = tree_of_day(books.connection, seal.node, seal.day)
    if tree is None:
        return "what is kept of it is gone"
    return None if tree.root.hex() == seal.rows else "what is kept of it was changed"


def _lost(seal: Seal, node: int, until: int, at: int) -> bool:
    """Return whether a seal, or its link, was lost with the store that a backup took the place of; the chain says so itself."""
    return seal.node == node and seal.sequence >= until and seal.day <= rfc3339(at)[:10]


def _denied(books: Examined, seal: Seal) -> str | None:
    head = head_of(books.connection, seal.node, seal.sequence)
    if head is None:
        return "it is not, so that the end of the chain was cut off, or the store is as of before that day"
    return None if head.hex() == seal.head else "another one stands in its place, so that the chain was written anew"
