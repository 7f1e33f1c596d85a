"""Evidence of rows: what `ledger check` knows by that a row was booked so, and that none was taken away (decision 049).

Each batch of the write lane appends one *link* to its node's chain: the identifier and a digest of every row that the batch
wrote to a table of COVERED, under a key that is not in the store, and a *head* that commits to them and to the link before.
The *tip* says which link is the last. Who changes the store without the key can make neither.

A digest is 16 octets of keyed BLAKE2b (RFC 7693) over the row as msgpack writes its columns. It costs a charging request under
3 us: `python -m tests.bench.evidence`.
"""

import hashlib
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Column, Connection, Table, select

from gateway.store.nodes import SPAN_BITS
from gateway.store.statements import Insert, Update
from gateway.store.tables import (
    accounts,
    added_taxes,
    allowance_entries,
    bank_details,
    bill_closes,
    bill_events,
    bill_limits,
    bills,
    cause_payments,
    chains,
    choices,
    erasures,
    evidence,
    families,
    gift_aid_declarations,
    gifts,
    payments,
    payouts,
    releases,
    reratings,
    subscriptions,
    tax_areas,
    tax_days,
    transfers,
    usage,
    versions,
    wallets,
)

DAY_US: Final = 86_400_000_000
LAST_DAY: Final = 0xFFFF
"""The day that stands for all after it, too."""
DIGEST_SIZE: Final = 16
HEAD_SIZE: Final = 32
BEGINNING: Final = bytes(HEAD_SIZE)
"""What stands in the place of a head before the first link."""
_encode: Final = msgspec.msgpack.Encoder().encode
_NUMBER: Final = itemgetter(0)
_PLACE: Final = struct.Struct(">qqq")


class Covered(NamedTuple):
    """A table of which each row is proved.

    Attributes:
        columns: what of a row is proved, its identifier first.
        time: by which column its rows go at last, if they do: the link says the day of it, in UTC.
        changes: whether rows change: then what the latest link says counts. One that goes is proved as its number alone.
    """

    table: Table
    columns: tuple[Column[Any], ...]
    time: int | None = None
    changes: bool = False
    is_whole: bool = False
    """Whether the columns are all of the table's, in its order."""

    def of(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Give what is proved of whole rows of the table."""
        if self.is_whole or not rows:
            return rows
        names = [column.name for column in self.table.columns]
        places = [names.index(column.name) for column in self.columns]
        return [tuple(row[place] for place in places) for row in rows]


def _whole(table: Table, time: Column[Any] | None = None, *, changes: bool = False) -> Covered:
    columns = tuple(table.columns)
    return Covered(table, columns, None if time is None else columns.index(time), changes, is_whole=True)


Written = Mapping[str, Sequence[tuple[Any, ...]]]
"""Rows by the name of their table."""
COVERED: Final[dict[str, Covered]] = {
    str(each.table.name): each
    for each in (
        _whole(transfers),
        _whole(usage, usage.c.event_at),
        _whole(choices),
        _whole(releases),
        _whole(reratings),
        _whole(allowance_entries),
        _whole(bills),
        _whole(bill_events),
        _whole(bill_closes, changes=True),
        _whole(gifts, changes=True),
        _whole(gift_aid_declarations, changes=True),
        _whole(bill_limits),
        _whole(erasures),
        Covered(payments, (payments.c.id, *[column for column in payments.columns if column is not payments.c.id])),
        _whole(subscriptions, changes=True),
        _whole(families, changes=True),
        _whole(versions, changes=True),
        _whole(accounts, changes=True),
        _whole(tax_areas),
        _whole(tax_days),
        _whole(added_taxes),
        _whole(bank_details, changes=True),
        _whole(payouts, changes=True),
        _whole(cause_payments, changes=True),
        Covered(
            wallets, (wallets.c.subscriber_id, wallets.c.currency, wallets.c.bundle, wallets.c.counters), changes=True
        ),
    )
}
"""The covered tables by name. Of a wallet its currency, allowances and counters: its balance and holds are sums of other
rows."""


class Rows(msgspec.Struct, array_like=True, frozen=True):
    """What a link says of one table: identifiers (a base, and what each has above it), a digest each, and perhaps days."""

    table: str
    base: int
    width: str
    above: bytes
    digests: bytes
    days: bytes = b""

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.digests) // DIGEST_SIZE

    def numbers(self) -> list[int]:
        """Give the identifiers."""
        base = self.base
        return [base + more for more in array(self.width, self.above)]

    def __iter__(self) -> Iterator[tuple[int, bytes, int]]:
        """Give the identifier, the digest and the day (0 where none is said) of each row."""
        days = array("H", self.days) if self.days else [0] * self.count
        for i, (number, day) in enumerate(zip(self.numbers(), days, strict=True)):
            yield number, self.digests[i * DIGEST_SIZE : (i + 1) * DIGEST_SIZE], day


class Tip(msgspec.Struct, frozen=True):
    """The last link of a chain: how many there are, and its head."""

    sequence: int = 0
    head: bytes = BEGINNING


read_rows: Final = msgspec.msgpack.Decoder(list[Rows]).decode
"""Reads the rows of a link."""


class Digester:
    """Makes digests under the key of evidence."""

    def __init__(self, key: bytes) -> None:
        """Take the key, at most 64 octets."""
        self._of = {
            name: hashlib.blake2b(key=key, digest_size=DIGEST_SIZE, person=name.encode()[:16]) for name in COVERED
        }
        self._head = hashlib.blake2b(key=key, digest_size=HEAD_SIZE, person=b"head")
        self._tip = hashlib.blake2b(key=key, digest_size=HEAD_SIZE, person=b"tip")

    def digests(self, table: str, rows: Iterable[tuple[object, ...]]) -> list[bytes]:
        """Give a digest for each row of a table, given as tuples of its covered columns."""
        copy, found = self._of[table].copy, []
        for row in rows:
            keyed = copy()
            while row[-1] is None:  # so a column that is added behind them, and is empty, changes no digest
                row = row[:-1]  # noqa: PLW2901  (the same one)
            keyed.update(_encode(row))
            found.append(keyed.digest())
        return found

    def head(self, before: bytes, node: int, sequence: int, at: int, rows: bytes) -> bytes:
        """Give the head of a link."""
        keyed = self._head.copy()
        keyed.update(before + _PLACE.pack(node, sequence, at) + rows)
        return keyed.digest()

    def proof(self, node: int, tip: Tip) -> bytes:
        """Give what a tip is known by."""
        keyed = self._tip.copy()
        keyed.update(_PLACE.pack(node, tip.sequence, 0) + tip.head)
        return keyed.digest()

    def rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> Rows:
        """Give what a link says of rows of a table."""
        numbers = list(map(_NUMBER, rows))
        base = min(numbers)
        span = max(numbers) - base
        width = "H" if span < 1 << 16 else "I" if span < 1 << 32 else "Q"
        above = array(width, [number - base for number in numbers]).tobytes()
        time = COVERED[table].time
        days = (
            b"" if time is None else array("H", [min(max(row[time] // DAY_US, 0), LAST_DAY) for row in rows]).tobytes()
        )
        return Rows(table, base, width, above, b"".join(self.digests(table, rows)), days)


class Evidence:
    """The chain of one node, as whoever writes its rows carries it on; used by one thread at a time.

    `begin` with each transaction, `link` and `save_tip` before its commit, `commit` after it; `drop` whenever nobody can be
    sure of it.
    """

    def __init__(self, key: bytes, node: int) -> None:
        """Take the key and the node's number."""
        self._digester, self.node = Digester(key), node
        self._tip: Tip | None = None
        self._next: Tip | None = None

    @property
    def is_begun(self) -> bool:
        """Whether the tip is known: else `begin` reads it."""
        return self._tip is not None

    def begin(self, connection: Connection) -> None:
        """Know the tip: at first, and after trouble, from the store."""
        self._next = None
        if self._tip is None:
            row = select(chains.c.sequence, chains.c.head).where(chains.c.node == self.node)
            found = connection.execute(row).one_or_none()
            self._tip = Tip() if found is None else Tip(found.sequence, found.head)

    def link(self, written: Written, proved: Written, now: int) -> tuple[object, ...] | None:
        """Make the link for rows that were written: whole ones of any tables, and such as a link has them.

        Gives the row of the table `evidence`, None where nothing is to be proved.
        """
        assert self._tip is not None
        said = []
        for name in COVERED:  # the order of the tables is that of any link
            if name in written or name in proved:
                found = [*COVERED[name].of(written.get(name, ())), *proved.get(name, ())]
                if found:
                    said.append(self._digester.rows(name, found))
        if not said:
            return None
        rows, sequence = _encode(said), self._tip.sequence + 1
        head = self._digester.head(self._tip.head, self.node, sequence, now, rows)
        self._next = Tip(sequence, head)
        return (self.node << SPAN_BITS) + sequence, now, rows, head

    def save_tip(self, connection: Connection) -> None:
        """Write down which link is the last, after it was written."""
        if self._next is not None:
            tip = (self._next.sequence, self._next.head, self._digester.proof(self.node, self._next))
            if self._next.sequence == 1:
                _INSERT_TIP.run(connection, [(self.node, *tip)])
            else:
                _UPDATE_TIP.run(connection, [(*tip, self.node)])

    def append(self, connection: Connection, proved: Written, now: int) -> None:
        """Write a link by itself, in the transaction in which its rows were written; they are given as it has them."""
        self.begin(connection)
        row = self.link({}, proved, now)
        if row is not None:
            _INSERT.run(connection, [row])
            self.save_tip(connection)
            self.commit()

    def commit(self) -> None:
        """The link is in the store."""
        if self._next is not None:
            self._tip, self._next = self._next, None

    def drop(self) -> None:
        """Nobody knows the tip any more."""
        self._tip = self._next = None


_INSERT: Final = Insert(evidence)
_INSERT_TIP: Final = Insert(chains)
_UPDATE_TIP: Final = Update(chains, ["sequence", "head", "proof"], ["node"])
