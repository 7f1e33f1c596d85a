"""Seals from elsewhere, held against the chains: a cut tail and a chain that was written anew show here (ledger.seals)."""

from collections.abc import Iterator
from itertools import islice

from gateway.events.times import rfc3339
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.seals import Seal, SealKey, kept, tree_of_day
from gateway.store.evidence_reading import head_of
from gateway.store.releases import released


def seals_match(books: Examined) -> Iterator[Finding]:
    """Name seals that the chains do not bear out: those of the store, and those that were kept elsewhere."""
    if books.key is not None:
        yield from islice(_wrong(books, SealKey(books.key)), SHOWN)


def _wrong(books: Examined, key: SealKey) -> Iterator[Finding]:
    restored = released(books.connection).restored
    for seal in dict.fromkeys([*kept(books.connection), *books.seals]):
        which = f"the seal of node {seal.node} for {seal.day}"
        if not key.is_signed(seal):
            yield Finding("seal", f"{which} was not made with this gateway's key, or was changed")
        elif (why := _denied(books, seal)) is not None and not any(_lost(seal, *each) for each in restored):
            yield Finding("seal", f"{which} says that its link {seal.sequence} was there: {why}")
    for seal in kept(books.connection):
        if (why := _tree_denied(books, seal)) is not None:
            yield Finding(
                "seal", f"the tree of the rows of node {seal.node} for {seal.day}: {why}: no pack can prove them"
            )


def _tree_denied(books: Examined, seal: Seal) -> str | None:
    """Say what is wrong with what is kept of the tree of a day's rows, by the root that the seal has."""
    if not seal.rows:
        return None
    tree = tree_of_day(books.connection, seal.node, seal.day)
    if tree is None:
        return "what is kept of it is gone"
    return None if tree.root.hex() == seal.rows else "what is kept of it was changed"


def _lost(seal: Seal, node: int, until: int, at: int) -> bool:
    """Return whether a link was lost with the store that a backup took the place of; the chain says so itself."""
    return seal.node == node and seal.sequence > until and seal.day <= rfc3339(at)[:10]


def _denied(books: Examined, seal: Seal) -> str | None:
    head = head_of(books.connection, seal.node, seal.sequence)
    if head is None:
        return "it is not, so that the end of the chain was cut off, or the store is as of before that day"
    return None if head.hex() == seal.head else "another one stands in its place, so that the chain was written anew"
