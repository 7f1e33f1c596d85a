"""Texts as `tpo sms show` and the HTTP interface tell of them. The words and the sender's money stay where they are."""

from collections.abc import Collection

import msgspec
from msgspec import structs
from sqlalchemy import Connection, func, or_, select

from gateway.events.times import Timestamp, rfc3339
from gateway.messaging.texts import Step, Text, TextState, from_row
from gateway.store.tables import texts


class TextRow(msgspec.Struct, frozen=True):
    """A text as lists have it, without its words. `refused` counts the answers of SMSCs that wanted a part later."""

    id: str
    state: TextState
    source: str = msgspec.field(name="from")
    destination: str = msgspec.field(name="to")
    link: str | None
    accepted_at: Timestamp
    updated_at: Timestamp
    valid_until: Timestamp
    error: str | None
    maybe_double: bool
    refused: int


class PartView(msgspec.Struct, frozen=True):
    """A part of a text: how far it is, and what its service centre called it."""

    state: Step
    message_id: str | None
    error: str | None


class TextView(TextRow, frozen=True):
    """A text, part by part."""

    parts: list[PartView]


def show(connection: Connection, text_id: int) -> TextView | None:
    """Return a text by its id, part by part; None if there is none."""
    row = connection.execute(select(texts).where(texts.c.id == text_id)).one_or_none()
    return None if row is None else _view(from_row(tuple(row)))


def latest(
    connection: Connection,
    limit: int,
    state: str | None = None,
    *,
    number: str = "",
    since: int | None = None,
    until: int | None = None,
) -> list[TextRow]:
    """Return the latest texts, newest first: in a state, from or to a number, accepted from `since` until before `until`."""
    statement = select(texts).order_by(texts.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(texts.c.state == state)
    if number:
        statement = statement.where(or_(texts.c.source == number, texts.c.destination == number))
    if since is not None:
        statement = statement.where(texts.c.created_at >= since)
    if until is not None:
        statement = statement.where(texts.c.created_at < until)
    return [_row(from_row(tuple(row))) for row in connection.execute(statement)]


def count_open(connection: Connection, shards: Collection[int]) -> dict[str, int]:
    """Count the texts of some shards that have not come to their end, by state."""
    columns = (texts.c.state, func.count(texts.c.id))
    counted = select(*columns).where(texts.c.final == 0, texts.c.node.in_(shards)).group_by(texts.c.state)
    found = {str(state): int(number) for state, number in connection.execute(counted)}
    return {state: found.get(state, 0) for state in (TextState.QUEUED, TextState.SUBMITTED, TextState.DOUBTFUL)}


def _row(text: Text) -> TextRow:
    return TextRow(
        id=str(text.id),
        state=text.state,
        source=text.source,
        destination=text.destination,
        link=text.link or None,
        accepted_at=rfc3339(text.created_at),
        updated_at=rfc3339(text.updated_at),
        valid_until=rfc3339(text.valid_until),
        error=next((part.error for part in text.parts if part.error), None),
        maybe_double=any(part.maybe_double for part in text.parts),
        refused=sum(part.refused for part in text.parts),
    )


def _view(text: Text) -> TextView:
    parts = [PartView(part.step, part.message_id or None, part.error or None) for part in text.parts]
    return TextView(**structs.asdict(_row(text)), parts=parts)
