"""What guards the books is there: triggers that keep them append-only (store.append_only), constraints made of the postings."""

from collections.abc import Iterator

from gateway.ledger.checks.examined import Examined, Finding
from gateway.ledger.constraints import missing_constraints
from gateway.store.append_only import missing


def guards_there(books: Examined) -> Iterator[Finding]:
    """Name triggers that somebody took away, or switched off, and constraints that are not there."""
    if books.key is not None:
        for name in missing(books.connection):
            yield Finding(
                "guard", f"the trigger {name} is missing, or switched off: rows can be changed without a word"
            )
        for name in missing_constraints(books.connection):
            yield Finding("guard", f"the constraint {name} is missing: what is none of the postings can be booked")
