"""Session supervision (RFC 8506 §7, Tcc): a session whose client fell silent is closed and gives back what it held."""

from collections.abc import Iterable
from typing import Any, ClassVar

from sqlalchemy import Connection, select

from gateway.charging.decide import expire
from gateway.charging.session import SessionShelf
from gateway.ledger.wallets import WalletShelf
from gateway.store.batch import Batch, Shelf
from gateway.store.tables import sessions

SWEEP = 500
"""The most sessions that one look finds; the next look goes on."""


def overdue(connection: Connection, now: int) -> list[str]:
    """Find open sessions whose time is over, the longest overdue first."""
    found = (
        select(sessions.c.session_id)
        .where(sessions.c.closed_at.is_(None), sessions.c.expires_at <= now)
        .order_by(sessions.c.expires_at)
        .limit(SWEEP)
    )
    return list(connection.execute(found).scalars())


class ExpireSession:
    """Close one overdue session, unless it was heard of meanwhile."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = (SessionShelf, WalletShelf)
    __slots__ = ("_session_id",)

    def __init__(self, session_id: str) -> None:
        """Take the Session-Id as the store has it."""
        self._session_id = session_id

    def keys(self, shelf: Shelf[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the session, then its subscriber's wallet."""
        if isinstance(shelf, SessionShelf):
            return (self._session_id,)
        if isinstance(shelf, WalletShelf):
            session = batch.shelf(SessionShelf).get(self._session_id)
            return () if session is None else (session.subscriber_id,)
        return ()

    def decide(self, batch: Batch) -> bool:
        """Tell whether the session was closed."""
        session = batch.shelf(SessionShelf).get(self._session_id)
        if session is None or session.closed_at is not None or session.expires_at > batch.now:
            return False
        wallet = batch.shelf(WalletShelf).get(session.subscriber_id)
        if wallet is None:
            return False
        expire(session, wallet, batch.now)
        return True
