"""Texts in: parts become whole in any order, a redelivery is known, and the keyword service acts in the same unit."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, delete, select

from gateway.ledger.wallets import WalletShelf
from gateway.messaging.office import Office
from gateway.messaging.sending import OptOutShelf
from gateway.messaging.services import Services
from gateway.messaging.texts import Text
from gateway.store import tables
from gateway.store.batch import Batch, Shelf
from gateway.store.statements import Delete, Insert, SelectAmong
from gateway.subscribers.lines import MSISDN, LineShelf
from gateway.subscribers.profiles import ProfileShelf
from protocols.smpp.text import UserData, read_text


class Arrival(msgspec.Struct, frozen=True):
    """A deliver_sm with a text from a handset, decoded. `total` is 1 for a text of one part.

    `centre` is the SMSC behind the link: it may deliver the parts of a text by different binds.
    `digest` is that of source, destination and payload; `suspect_since` is the time from which an equal one that was
    acknowledged before may be this very one, sent again because our answer was lost (microseconds; None = never).
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
    suspect_since: int | None = None
    bound_at: int = 0


class Arrived(msgspec.Struct, frozen=True):
    """What an arrival led to: texts to send in answer; `repeated` if it was acted on before, `whole` if it was complete."""

    answers: list[Text]
    repeated: bool = False
    whole: bool = True


class ArrivalShelf(Shelf[str, dict[str, int]]):
    """When texts with these digests were acknowledged: digest -> {link: time}."""

    rank: ClassVar[int] = 18

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._noted: dict[tuple[str, str], int] = {}
        self._replaced: set[tuple[str, str]] = set()

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read earlier arrivals of the same words."""
        for digest, link, at in _ARRIVALS.run(connection, keys):
            self.rows.setdefault(digest, {})[link] = at

    def note(self, link: str, digest: str, now: int) -> int | None:
        """Note an arrival and give when the same words came before, None if they did not."""
        known = self.rows.setdefault(digest, {})
        before = known.get(link)
        if before is not None and (link, digest) not in self._noted:
            self._replaced.add((link, digest))
        known[link] = self._noted[link, digest] = now
        return before

    def save(self, connection: Connection) -> None:
        """Write what was noted, in place of what was known."""
        _FORGET.run(connection, list(self._replaced))
        _NOTE.run(connection, [(*key, at) for key, at in self._noted.items()])


_decode = msgspec.msgpack.Decoder(UserData).decode
_encode = msgspec.msgpack.Encoder().encode
_ARRIVALS = SelectAmong(
    select(tables.arrivals.c.digest, tables.arrivals.c.link, tables.arrivals.c.at), tables.arrivals.c.digest, str
)
_FORGET = Delete(tables.arrivals, ["link", "digest"])
_NOTE = Insert(tables.arrivals)


class TakeArrival:
    """One deliver_sm as a unit; its answer may go out once this is committed."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = (LineShelf, OptOutShelf, ArrivalShelf, WalletShelf, ProfileShelf)

    def __init__(self, office: Office, arrival: Arrival) -> None:
        """Take what came."""
        self._office, self._arrival = office, arrival

    def keys(self, shelf: Shelf[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the sender, and the subscriber who that is."""
        arrival = self._arrival
        if isinstance(shelf, (LineShelf, OptOutShelf)):
            return (arrival.source,)
        if isinstance(shelf, ArrivalShelf):
            return (arrival.digest,)
        if isinstance(shelf, (WalletShelf, ProfileShelf)):
            owner = batch.shelf(LineShelf).owner(MSISDN, arrival.source, batch.now)
            return () if owner is None else (owner,)
        return ()

    def decide(self, batch: Batch) -> Arrived:
        """Act on a text once: join it, serve its keyword, tell the company."""
        if self._is_repeat(batch):
            return Arrived([], repeated=True)
        body = self._join(batch)
        if body is None:
            return Arrived([], whole=False)
        arrival = self._arrival
        self._office.tell(batch, "sms/received", arrival.source, {"to": arrival.destination, "parts": arrival.total})
        book = self._office.books.get(arrival.destination)
        if book is None:
            return Arrived([])
        return Arrived(Services(self._office, batch, arrival.source, book).serve(body))

    def _is_repeat(self, batch: Batch) -> bool:
        """Know a redelivery. It is noted like any arrival, because the answer to it may be lost as well."""
        arrival = self._arrival
        at, suspect = batch.shelf(ArrivalShelf).note(arrival.link, arrival.digest, batch.now), arrival.suspect_since
        return at is not None and suspect is not None and suspect <= at < arrival.bound_at

    def _join(self, batch: Batch) -> str | None:
        """Keep a part, and give the whole text when this was its last; the sender is part of the key."""
        arrival, rows = self._arrival, tables.segments
        if arrival.total == 1:
            return _words([arrival.data])
        same = (
            rows.c.link == arrival.centre,
            rows.c.source == arrival.source,
            rows.c.destination == arrival.destination,
            rows.c.reference == arrival.reference,
            rows.c.total == arrival.total,
        )
        fresh = rows.c.created_at > batch.now - self._office.reassembly
        batch.connection.execute(delete(rows).where(*same, ~fresh))
        found = {row.number: _decode(row.body) for row in batch.connection.execute(select(rows).where(*same))}
        if arrival.number in found:
            return None
        found[arrival.number] = arrival.data
        if len(found) == arrival.total:
            batch.connection.execute(delete(rows).where(*same))
            return _words([found[number] for number in sorted(found)])
        key = (arrival.centre, arrival.source, arrival.destination, arrival.reference, arrival.total, arrival.number)
        names = ("link", "source", "destination", "reference", "total", "number")
        values = dict(zip(names, key, strict=True))
        batch.connection.execute(rows.insert().values(**values, body=_encode(arrival.data), created_at=batch.now))
        return None


def _words(parts: Sequence[UserData]) -> str:
    """Read a text; U+0000, which some handsets pad or part words with and the store can't hold, counts as a space."""
    return read_text(parts).text.replace("\0", " ")
