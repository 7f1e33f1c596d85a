"""What every unit of texts is decided with: charging, the keyword book, and how events of texts are published."""

from collections.abc import Callable, Mapping
from functools import cached_property

import msgspec

from gateway.charging.credit_control import ChargingPolicy
from gateway.events.outbox import EventData, publish
from gateway.messaging.addresses import SHORT_CODE_DIGITS
from gateway.messaging.keywords.catalogue import KeywordBook
from gateway.messaging.keywords.normalize import joined, tokens
from gateway.messaging.texts import Text
from gateway.store.batch import Batch
from gateway.store.idempotency import Digests
from provisioning.identifiers import calling_code

LEAST_INITIALS = 2
"""Initials that are too few to be a name: `to`."""


class MessagingPolicy(msgspec.Struct, frozen=True, dict=True):
    """Everything that texts are decided by. Durations in microseconds; `pseudonym` names a phone number to the company.

    `books` are the keyword books by short code, `causes` the names of the causes that may be chosen, by id.
    `segments` counts the parts that a text takes, so that an answer knows its size before it is sent. `own` are our short codes
    and numbers; a number gets at most `answers_per_hour` automatic answers within an hour.
    """

    charging: ChargingPolicy
    source: str
    pseudonym: Callable[[str], str]
    operator: str
    books: Mapping[str, KeywordBook]
    causes: Mapping[str, str]
    segments: Callable[[str], int]
    validity: int
    question: int
    reassembly: int
    digests: Digests
    own: frozenset[str] = frozenset()
    answers_per_hour: int = 5

    @cached_property
    def names(self) -> frozenset[str]:
        """What customers may call us: the operator's name, with and without its article, and its initials."""
        words = tokens(self.operator)
        short = words[1:] if words[:1] == ["the"] else words
        initials = "".join(word[0] for word in words)
        named = {joined(words), joined(short), *({initials} if len(initials) > LEAST_INITIALS else ())}
        return frozenset(named - {""})

    def book(self, address: str) -> KeywordBook | None:
        """Return the services of one of our short codes or numbers, None if there are none.

        A short code may have its country's code before it; a number of ours that has no book is served by the first one.
        """
        found = self.books.get(address)
        if found is None:
            found = self.books.get(address.removeprefix(calling_code(self.charging.tariff.country)))
        if found is None and address in self.own and len(address) > SHORT_CODE_DIGITS:
            found = next(iter(self.books.values()), None)
        return found

    def opting_book(self, address: str) -> KeywordBook | None:
        """Return the words by which STOP and START are known at a short code of ours that has no services, else None."""
        if address not in self.own or self.book(address) is not None or not self.books:
            return None
        return msgspec.structs.replace(next(iter(self.books.values())), short_code=address)

    def publish_final(self, batch: Batch, text: Text) -> None:
        """Report that a text out has come to its end; its words and numbers stay here."""
        data: EventData = {
            "id": str(text.id),
            "state": str(text.state),
            "parts": len(text.parts),
            "error": _error(text),
        }
        self.publish(batch, f"sms/{text.state}", text.destination, data)

    def publish(self, batch: Batch, topic: str, number: str, data: EventData) -> None:
        """Write an event about a phone number, which appears as its pseudonym."""
        publish(batch, self.source, topic, self.pseudonym(number), data)


def _error(text: Text) -> str:
    return next((part.error for part in text.parts if part.error), "")
