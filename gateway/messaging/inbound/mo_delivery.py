"""Texts in: parts become whole in any order, a redelivery is known, and the keyword service acts in the same unit."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from msgspec import structs
from sqlalchemy import select

from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import WalletRows
from gateway.messaging.inbound import redelivery
from gateway.messaging.inbound.lost_parts import PartsKey, deletion, parts_of
from gateway.messaging.inbound.redelivery import Coming, Drop
from gateway.messaging.inbound.senders import Sender, SenderRows
from gateway.messaging.inbound.unanswered import Silence, is_ours
from gateway.messaging.inbound.unfinished import hear_stop
from gateway.messaging.inbound.words import read_words
from gateway.messaging.keywords.parser import Start, Stop, read
from gateway.messaging.keywords.services import Services
from gateway.messaging.keywords.switching import switching_request
from gateway.messaging.opt_outs import OptOutRows
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.texts import Text
from gateway.store import tables
from gateway.store.batch import Batch, RowSet, Unit
from gateway.subscribers.identifier_history import MSISDN, IdentifierRows
from protocols.smpp.text import UserData


class Arrival(msgspec.Struct, frozen=True):
    """A deliver_sm with a text from a handset, decoded. `total` is 1 for a text of one part.

    `centre` is the SMSC behind the link: it may deliver the parts of a text, and a redelivery, by different binds.
    `digest` is that of source, destination and payload; `came_at`, `bound_at`, `drops` and `unanswered` say whether an equal
    one may be this very one (messaging.repeats). `mute` is why it is not to be answered, "" if it is.
    """

    link: str
    centre: str
    source: str
    destination: str
    data: UserData
    digest: str
    reference: int = 0
    total: int = 1
    number: int = 1
    came_at: int = 0
    bound_at: int = 0
    drops: tuple[Drop, ...] = ()
    unanswered: bool = False
    mute: str = ""


class Arrived(msgspec.Struct, frozen=True):
    """What an arrival led to: texts to send in answer; `repeated` if it was acted on before, `whole` if it was complete.

    `silent` is why a text to one of our services got no answer, "" if it got one or wanted none. `limited` is the pseudonym
    of its sender where that has just had all its answers of an hour. `switching` is what the text asks for, and `subject` the
    pseudonym of its sender, where a person has to answer it.
    """

    answers: list[Text]
    repeated: bool = False
    whole: bool = True
    silent: str = ""
    limited: str = ""
    switching: str = ""
    subject: str = ""


class SwitchingRequested(msgspec.Struct, frozen=True):
    """The data of the event `sms/switching_requested`: PAC, STAC or INFO, and the number that it was sent to."""

    request: str
    to: str


_encode = msgspec.msgpack.Encoder().encode


def opts(arrival: Arrival, policy: MessagingPolicy) -> bool:
    """Whether a text of one part is STOP or START."""
    book = policy.book(arrival.destination) or policy.opting_book(arrival.destination)
    if book is None or arrival.total > 1:
        return False
    return isinstance(read(read_words([arrival.data]), book, names=policy.names), Stop | Start)


class TakeArrival(Unit):
    """One deliver_sm; its answer may go out once this is committed."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, OptOutRows, SenderRows, WalletRows, ProfileRows)

    arrival: Arrival

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the sender, and the subscriber who that is."""
        arrival = self.arrival
        if isinstance(row_set, (IdentifierRows, OptOutRows, SenderRows)):
            return (arrival.source,)
        if isinstance(row_set, WalletRows):
            owner = batch.row_set(IdentifierRows).owner(MSISDN, arrival.source, batch.now)
            return () if owner is None else (owner,)
        return ()

    def decide(self, batch: Batch) -> Arrived:
        """Act on a text once: join it, serve its keyword, tell the company."""
        arrival = self.arrival
        sender = batch.row_set(SenderRows).change(arrival.source, batch.node.id, batch.now)
        if self._is_repeat(batch, sender):
            return Arrived([], repeated=True)
        answers: list[Text] = []
        arrived = self._act(batch, sender, answers)
        answers += arrived.answers
        for part in (part for answer in answers for part in answer.parts):
            part.came_by = arrival.link
        return structs.replace(arrived, answers=answers)

    def _act(self, batch: Batch, sender: Sender, answers: list[Text]) -> Arrived:
        """Join a text that is no repetition, and act on it; `answers` get those to what was lost of another one."""
        arrival, policy = self.arrival, batch.policy(MessagingPolicy)
        body = self._join(batch, answers)
        if body is None:
            return Arrived([], whole=False)
        policy.publish(batch, "sms/received", arrival.source, {"to": arrival.destination, "parts": arrival.total})
        book = policy.book(arrival.destination)
        switching = switching_request(arrival.destination, body, policy.charging.tariff.country, book)
        if switching is not None and not arrival.mute:
            policy.publish(
                batch, "sms/switching_requested", arrival.source, SwitchingRequested(switching, arrival.destination)
            )
            subject = policy.pseudonym(arrival.source)
            return Arrived([], silent=Silence.SWITCHING, switching=switching, subject=subject)
        if book is None:
            if (opting := policy.opting_book(arrival.destination)) is not None:
                Services(policy, batch, arrival.source, opting, sender, Silence.NO_SERVICES).opt(body)
            return Arrived([])
        mute = arrival.mute or (Silence.OURS if is_ours(arrival.source, policy.own) else "")
        services = Services(policy, batch, arrival.source, book, sender, mute)
        served = services.serve(body)
        limited = policy.pseudonym(arrival.source) if services.limited else ""
        return Arrived(served, silent=services.silent, limited=limited)

    def _is_repeat(self, batch: Batch, sender: Sender) -> bool:
        """Know a redelivery. It is noted like any arrival, because the answer to it may be lost as well."""
        arrival, known = self.arrival, sender.deliveries
        coming = Coming(
            arrival.digest,
            arrival.centre,
            arrival.link,
            arrival.came_at,
            arrival.bound_at,
            arrival.drops,
            unanswered=arrival.unanswered,
            part=arrival.total > 1,
        )
        earlier = redelivery.find(known, coming)
        repeat = earlier is not None and redelivery.is_repeat(
            known, earlier, coming, lambda: opts(arrival, batch.policy(MessagingPolicy))
        )
        redelivery.record(known, earlier, coming, batch.now, repeat=repeat)
        return repeat

    def _join(self, batch: Batch, answers: list[Text]) -> str | None:
        """Keep a part, and give the whole text when this was its last; the sender is part of the key.

        Other words under the number of a part that is there are of a newer text: some handsets give all of theirs one
        reference, and the rest of the older one was lost. `answers` are what a STOP in what was lost is answered with.
        """
        arrival, rows = self.arrival, tables.segments
        if arrival.total == 1:
            return read_words([arrival.data])
        key = PartsKey(arrival.centre, arrival.source, arrival.destination, arrival.reference, arrival.total)
        found = parts_of(batch.connection, key)
        overdue = rows.c.created_at <= batch.now - batch.policy(MessagingPolicy).reassembly
        late = (
            found and batch.connection.execute(select(rows.c.number).where(key.condition, overdue)).first() is not None
        )
        if not late and found.get(arrival.number) == arrival.data:
            return None
        if late or arrival.number in found:
            answers += hear_stop(batch, key, found)
            batch.connection.execute(deletion(key))
            found = {}
        found[arrival.number] = arrival.data
        if len(found) == arrival.total:
            batch.connection.execute(deletion(key))
            return read_words([found[number] for number in sorted(found)])
        values = structs.asdict(key) | {"number": arrival.number, "body": _encode(arrival.data)}
        batch.connection.execute(rows.insert().values(**values, created_at=batch.now))
        return None
