"""`usage/rated`: what the company hears of a priced usage: a pseudonym for the subscriber, no word of the cause."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from gateway.balance.usage import UsageRecord
from gateway.events.outbox import Event, source_of
from gateway.events.times import rfc3339
from gateway.ledger.money import format_amount
from gateway.privacy.pseudonyms import Pseudonyms

TYPE: Final = "org.tpo.usage.rated.v1"
CACHED: Final = 4096
"""Prices that are remembered as text."""


class Rated(msgspec.Struct, frozen=True, gc=False):
    """The data of the event: a row of `usage export` without its numbers; the price in major units."""

    record_id: str
    service: str
    rating_group: int | None
    octets: int
    seconds: int
    units: int
    price: str
    currency: str
    event_time: str
    plan: str


class RatedEvents:
    """Turn usage records into events. Called for every record of every commit, so it costs microseconds."""

    def __init__(self, node_name: str, pseudonyms: Pseudonyms) -> None:
        """Take this node's name, which is the events' source, and the pseudonyms of events."""
        self._source = source_of(node_name)
        self._subject = pseudonyms.subscriber
        self._price: Callable[[int, str], str] = lru_cache(CACHED)(format_amount)

    def __call__(self, record: UsageRecord) -> Event:
        """Return the event of a record; its id is the record's, so that a repeat is known as one."""
        record_id, time = str(record.id), rfc3339(record.event_at)
        return Event(
            id=record_id,
            source=self._source,
            type=TYPE,
            time=time,
            subject=self._subject(record.subscriber_id),
            data=Rated(
                record_id,
                record.service,
                record.rating_group,
                record.octets,
                record.seconds,
                record.units,
                self._price(record.price, record.currency),
                record.currency,
                time,
                record.plan,
            ),
        )
