"""What guards the books is there: triggers that keep them append-only (store.append_only), constraints made of the postings.

It is what it says, too: one that was replaced under its name is as good as gone, and one more than those could do anything.
"""

from collections.abc import Iterator

from gateway.ledger.checks.examined import Examined, Finding
from gateway.ledger.constraints import missing_constraints
from gateway.store.append_only import missing, strange


def guards_there(books: Examined) -> Iterator[Finding]:
    """Name triggers that somebody took away, switched off, replaced or added, and constraints that are not there."""
    if books.key is not None:
        for name in missing(books.connection):
            yield Finding(
                "guard",
                f"the trigger {name} is missing, switched off or replaced: rows can be changed without a word",
            )
        for name in strange(books.connection):
            yield Finding(
                "guard", f"the trigger or rule {name} is none of the gateway's: it may change what is written"
            )
        for name in missing_constraints(books.connection):
            yield Finding(
                "guard", f"the constraint {name} is missing or replaced: what is none of the postings can be booked"
            )
