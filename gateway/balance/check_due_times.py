"""When wallets are due, held against what they hold: one that is due never, or later, is not renewed, and loses nothing."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from sqlalchemy import Connection, select

from gateway.balance.wallets import due_at_of
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.tables import wallets

PAGE = 1000


def wrong_due_times(connection: Connection) -> Iterator[Finding]:
    """Name wallets that are due at another time than their allowances end or are renewed; the first few."""
    for number in islice(_wrong(connection), SHOWN):
        yield Finding("wallet", f"wallet:{number} is due at another time than what it holds ends, or is renewed")


def _wrong(connection: Connection) -> Iterator[int]:
    w = wallets.c
    wanted = select(w.subscriber_id, w.bundle, w.due_at).order_by(w.subscriber_id)
    for number, bundle, due_at in connection.execute(wanted, execution_options={"yield_per": PAGE}):
        with suppress(ValueError, TypeError):  # what holds something else was changed, and is named by its digest
            if due_at_of(bundle) != due_at:
                yield number
