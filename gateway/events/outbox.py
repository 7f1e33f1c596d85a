"""The outbox: events are rows of the same transaction as the change that they tell of (CloudEvents 1.0, JSON).

`usage/rated` is a CloudEvents batch: one row holds up to 500 events of one commit, since a publish for each would cost
more than the charge itself.
"""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from gateway.events.times import rfc3339
from gateway.store.batch import Batch, RowSet
from gateway.store.tables import outbox

RATED = "usage/rated"
EventData = msgspec.Struct | Mapping[str, str | int]
"""What an event says, as its JSON object."""
MAX_EVENTS = 500
"""The most events of one CloudEvents batch."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent; `subject` is a pseudonym or absent, times are RFC 3339 in UTC."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: str
    subject: str | UnsetType = UNSET
    datacontenttype: str = "application/json"
    data: EventData


_encode = msgspec.json.Encoder().encode


class OutboxRows(RowSet[str, list[Event]]):
    """The events of this batch that share an outbox row, by topic; nothing is ever loaded."""

    def collect(self, batch: Batch, topic: str, event: Event) -> None:
        """Put an event into the topic's batch of this commit."""
        waiting = self.rows.setdefault(topic, [])
        waiting.append(event)
        if len(waiting) == MAX_EVENTS:
            self._write(batch, topic)
        elif len(waiting) == 1:
            batch.at_end(("outbox", topic), lambda: self._write(batch, topic))

    def _write(self, batch: Batch, topic: str) -> None:
        waiting = self.rows.pop(topic, None)
        if waiting:
            _add(batch, topic, _encode(waiting))


def source_of(node_name: str) -> str:
    """Name a gateway as the source of its events."""
    return f"/tpo/{node_name}"


def publish(batch: Batch, source: str, topic: str, subject: str, data: EventData) -> None:
    """Write a single event that happens now; `subject` is a pseudonym, the type follows from the topic."""
    event = Event(
        id=str(batch.take_id()),
        source=source,
        type=f"org.tpo.{topic.replace('/', '.')}.v1",
        time=rfc3339(batch.now),
        subject=subject,
        data=data,
    )
    emit(batch, topic, event)


def emit(batch: Batch, topic: str, event: Event) -> None:
    """Write a single event; it is published in the order of its row."""
    _add(batch, topic, _encode(event))


def _add(batch: Batch, topic: str, body: bytes) -> None:
    batch.add(outbox, (batch.take_id(), topic, body, batch.now, None))
