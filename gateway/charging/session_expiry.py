"""Sessions that end without a word from their client: it fell silent (RFC 8506 §7, Tcc), or it lost the session.

They are closed and give back what they held; a report that comes all the same is charged, and opens its session again.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from sqlalchemy import Connection, select

from gateway.balance.wallets import WalletRows
from gateway.charging.decide import expire
from gateway.charging.session import Session, SessionRows
from gateway.store.batch import Batch, RowSet, Unit
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


class _OneSession(Unit):
    """A change to one session; `session_id` is the Session-Id as the store has it."""

    touches: ClassVar[tuple[type, ...]] = (SessionRows, WalletRows)

    session_id: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the session, then its subscriber's wallet."""
        if isinstance(row_set, SessionRows):
            return (self.session_id,)
        if isinstance(row_set, WalletRows):
            session = batch.row_set(SessionRows).get(self.session_id)
            return () if session is None else (session.subscriber_id,)
        return ()


class _Close(_OneSession):
    """Close one session if it is over; the subclass says when it is."""

    def decide(self, batch: Batch) -> bool:
        """Return whether the session was closed."""
        session = batch.row_set(SessionRows).get(self.session_id)
        if session is None or session.closed_at is not None or not self._is_over(session, batch.now):
            return False
        wallet = batch.row_set(WalletRows).get(session.subscriber_id)
        if wallet is None:
            return False
        expire(session, wallet, batch.now)
        return True

    def _is_over(self, session: Session, now: int) -> bool:
        raise NotImplementedError


class ExpireSession(_Close):
    """Close one overdue session, unless it was heard of meanwhile."""

    def _is_over(self, session: Session, now: int) -> bool:
        return session.expires_at <= now


class CloseLost(_Close):
    """Close one session that its client no longer has, unless the client was heard of since.

    `known_at` is a moment (microseconds) at which the client did not have the session any more.
    """

    known_at: int

    def _is_over(self, session: Session, now: int) -> bool:  # noqa: ARG002  (the base's signature)
        return session.updated_at <= self.known_at


class AwaitEnd(_OneSession):
    """Let a session that its client was asked to end be over at `until` (microseconds), unless it is heard of first.

    `asked_at` is when the client was asked: what it reported since is an answer.
    """

    asked_at: int
    until: int

    def decide(self, batch: Batch) -> bool:
        """Return whether the session is waited for."""
        session = batch.row_set(SessionRows).get(self.session_id)
        if session is None or session.closed_at is not None or session.updated_at > self.asked_at:
            return False
        session.expires_at = min(session.expires_at, self.until)
        session.changed = True
        return True
