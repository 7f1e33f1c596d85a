"""What wallets hold: the sum of what open sessions and texts may still cost, and of gifts that may be taken back."""

from collections.abc import Iterable

from sqlalchemy import and_, func, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.store.tables import gifts, sessions, texts, wallets


def holds_match(books: Examined) -> Iterable[Finding]:
    """Name wallets that hold another sum than their sessions, texts and gifts, and closed sessions that hold money."""
    connection = books.connection
    rows = connection.execute(
        select(sessions.c.subscriber_id, func.sum(sessions.c.reserved)).group_by(sessions.c.subscriber_id)
    )
    held = {subscriber_id: int(amount) for subscriber_id, amount in rows}
    texts_held = select(texts.c.payer, func.sum(texts.c.held)).where(texts.c.held != 0).group_by(texts.c.payer)
    for payer, amount in connection.execute(texts_held):
        held[payer] = held.get(payer, 0) + int(amount)
    gifts_held = select(gifts.c.subscriber_id, func.sum(gifts.c.amount)).where(gifts.c.state == "held")
    for subscriber_id, amount in connection.execute(gifts_held.group_by(gifts.c.subscriber_id)):
        held[subscriber_id] = held.get(subscriber_id, 0) + int(amount)
    for subscriber_id, reserved in connection.execute(select(wallets.c.subscriber_id, wallets.c.reserved)):
        if reserved != held.pop(subscriber_id, 0):
            yield Finding(
                "hold",
                f"wallet:{subscriber_id} holds {reserved} micro-units, which its sessions, texts and gifts do not add up to",
            )
    for subscriber_id in [number for number, amount in held.items() if amount][:SHOWN]:
        yield Finding("hold", f"subscriber {subscriber_id} has sessions, texts or gifts that hold money, and no wallet")
    closed = select(sessions.c.id).where(and_(sessions.c.closed_at.is_not(None), sessions.c.reserved != 0)).limit(SHOWN)
    for (session,) in connection.execute(closed):
        yield Finding("hold", f"session {session} is closed and holds money")
