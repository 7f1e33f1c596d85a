"""The triggers that keep the books append-only are there (store.append_only)."""

from collections.abc import Iterator

from gateway.ledger.checks.examined import Examined, Finding
from gateway.store.append_only import missing


def guards_there(books: Examined) -> Iterator[Finding]:
    """Name triggers that somebody took away, or switched off."""
    if books.key is not None:
        for name in missing(books.connection):
            yield Finding(
                "guard", f"the trigger {name} is missing, or switched off: rows can be changed without a word"
            )
