"""Texts as `tpo sms show` and the HTTP interface tell of them. The words and the sender's money stay where they are."""

from typing import Any

from sqlalchemy import Connection, func, select

from gateway.events.times import rfc3339
from gateway.messaging.texts import Text, TextState, from_row
from gateway.store.tables import texts


def show(connection: Connection, text_id: int) -> dict[str, Any] | None:
    """Tell a text by its id, part by part; None if there is none."""
    row = connection.execute(select(texts).where(texts.c.id == text_id)).one_or_none()
    return None if row is None else serialise(from_row(tuple(row)), parts=True)


def latest(connection: Connection, limit: int, state: str | None = None) -> list[dict[str, Any]]:
    """Tell the latest texts, newest first."""
    statement = select(texts).order_by(texts.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(texts.c.state == state)
    return [serialise(from_row(tuple(row)), parts=False) for row in connection.execute(statement)]


def count_open(connection: Connection, node: int) -> dict[str, int]:
    """Count a node's texts that have not come to their end, by state."""
    columns = (texts.c.state, func.count(texts.c.id))
    counted = select(*columns).where(texts.c.final == 0, texts.c.node == node).group_by(texts.c.state)
    found = {str(state): int(number) for state, number in connection.execute(counted)}
    return {state: found.get(state, 0) for state in (TextState.QUEUED, TextState.SUBMITTED, TextState.DOUBTFUL)}


def serialise(text: Text, *, parts: bool) -> dict[str, Any]:
    """Write a text as a mapping; times are RFC 3339."""
    told: dict[str, Any] = {
        "id": str(text.id),
        "state": str(text.state),
        "from": text.source,
        "to": text.destination,
        "link": text.link or None,
        "accepted_at": rfc3339(text.created_at),
        "updated_at": rfc3339(text.updated_at),
        "valid_until": rfc3339(text.valid_until),
        "error": next((part.error for part in text.parts if part.error), None),
        "maybe_double": any(part.maybe_double for part in text.parts),
    }
    if parts:
        told["parts"] = [
            {"state": str(part.step), "message_id": part.message_id or None, "error": part.error or None}
            for part in text.parts
        ]
    return told
