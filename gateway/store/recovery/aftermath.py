"""What a store needs that was put back from a backup, before a gateway may work on it; and what was lost with the other.

Between the backup and the loss the gateway gave out identifiers and answered its peers. None may be given out again, and a peer
may only learn by a greater Origin-State-Id that sessions are gone (RFC 6733 §8.16, decision 029).
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, Select, Table, create_engine, func, insert, select, update
from sqlalchemy.pool import NullPool

from gateway.store.engine import storing
from gateway.store.errors import StoreCorrupt, StoreUnavailable
from gateway.store.inspection import read_only
from gateway.store.months import MONTHLY
from gateway.store.nodes import BLOCK, SKIPPED, SPAN_BITS, STARTS
from gateway.store.sealed_months.parts import parts
from gateway.store.sealed_months.records import sealed_months
from gateway.store.tables import (
    marks,
    nodes,
    orders,
    outbox,
    payments,
    sessions,
    subscribers,
    texts,
    transfers,
    usage,
)

MICROSECONDS: Final = 1_000_000
IDS_A_SECOND: Final = 1 << 16
"""More than a gateway gives out: four to a charging request."""
MOST_SKIPPED: Final = 1 << 36
"""A sixteenth of a node's range, which fifteen restores after long losses still leave something of."""
STARTS_SKIPPED: Final = 64
"""Starts that the lost time may have had: End-to-End Identifiers begin with their number."""
RESTORES: Final = "restores"
"""The mark (node 0) of how often a store was put back."""
_COUNTED: Final = (transfers, usage, sessions, subscribers, texts, orders)


class MendedNode(msgspec.Struct, frozen=True):
    """A node after the restore: its new Origin-State-Id, and how many identifiers it will never give out."""

    node: str
    origin_state_id: int
    skipped: int


class Payment(msgspec.Struct, frozen=True):
    """Money that came in, and is not in the restored store."""

    channel: str
    reference: str
    amount: int
    currency: str


class Lost(msgspec.Struct, frozen=True):
    """What the store before had and the restored one has not: rows by table, and payments."""

    rows: dict[str, int]
    payments: list[Payment]


class Repeats(msgspec.Struct, frozen=True):
    """What waits and may have been done already, in the lost time: texts to be sent, open orders, events to be published."""

    texts: int
    orders: int
    events: int


def open_unchanged(store: Path) -> Engine:
    """Make an engine that reads an SQLite store, and leaves it and its log as they are."""
    return create_engine("sqlite://", poolclass=NullPool, creator=lambda: read_only(store))


def read_whole(store: Path | None) -> None:
    """Read every page of an SQLite file; StoreCorrupt says what is damaged. A server's pages are the server's to read."""
    if store is not None:
        with storing(), closing(read_only(store)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise StoreCorrupt(f"the backup is damaged: {found}")


def last_commit(connection: Connection) -> int:
    """Tell when something was written last, as far as rows say it: UTC microseconds, 0 for an empty store."""
    times = (transfers.c.at, outbox.c.created_at, sessions.c.updated_at, texts.c.updated_at, orders.c.updated_at)
    sealed = [month.journal.last_at or 0 for month in sealed_months(connection)]
    return max(*sealed, *(connection.execute(select(func.max(time))).scalar() or 0 for time in times))


def mend(connection: Connection, since: int, now: int, given_out: Mapping[int, int]) -> list[MendedNode]:
    """Raise each node's Origin-State-Id and skip identifiers; `since` and `now` bound the lost time, UTC microseconds.

    `given_out` is what `given_out` told of the store before. StoreUnavailable where a node's range is used up by restores.
    """
    skipped = 2 * BLOCK + min(max(0, now - since) // MICROSECONDS * IDS_A_SECOND, MOST_SKIPPED)
    mended = []
    for row in connection.execute(select(nodes).order_by(nodes.c.id)).all():
        next_id = max(row.next_id + skipped, given_out.get(row.id, 0))
        if next_id >= (row.id + 1) << SPAN_BITS:
            raise StoreUnavailable(f"node {row.name} has no identifiers left: give it another diameter.identity")
        state = max(row.origin_state_id + 1, now // MICROSECONDS)
        values = {"next_id": next_id, "origin_state_id": state}
        connection.execute(update(nodes).where(nodes.c.id == row.id).values(values))
        _raise_mark(connection, row.id, STARTS, STARTS_SKIPPED)
        mended.append(MendedNode(row.name, state, next_id - row.next_id))
    unknown = given_out.keys() - connection.scalars(select(nodes.c.id)).all()
    of_unknown = max((given_out[number] - (number << SPAN_BITS) for number in unknown), default=0)
    _raise_mark(connection, 0, SKIPPED, max(skipped, of_unknown))
    _raise_mark(connection, 0, RESTORES, 1)
    return mended


def given_out(before: Connection) -> dict[int, int]:
    """Tell up to which identifier each node of a store, by its number, may have given them out."""
    return {row.id: row.next_id for row in before.execute(select(nodes))}


def _raise_mark(connection: Connection, node: int, name: str, by: int) -> None:
    mark = (marks.c.node == node, marks.c.name == name)
    if not connection.execute(update(marks).where(*mark).values(value=marks.c.value + by)).rowcount:
        connection.execute(insert(marks).values(node=node, name=name, value=by))


def repeats(connection: Connection) -> Repeats:
    """Count what waits to be done and may have been done already."""

    def count(table: Table, *conditions: Any) -> int:  # noqa: ANN401  (SQLAlchemy's conditions)
        return connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()

    return Repeats(
        texts=count(texts, texts.c.final == 0),
        orders=count(orders, orders.c.open == 1),
        events=count(outbox, outbox.c.published_at.is_(None)),
    )


def lost(before: Connection, restored: Connection) -> Lost:
    """Compare the store before with the restored one: a row is lost whose identifier is above the last of its node.

    StoreUnavailable where either misses the file of a sealed month that is needed for that.
    """
    rows: dict[str, int] = {}
    sealed = [each for month in sealed_months(restored) for each in month.ranges]
    for table in _COUNTED:
        for node in before.scalars(select(nodes.c.id)).all():
            low, high = node << SPAN_BITS, (node + 1) << SPAN_BITS
            own = (table.c.id >= low, table.c.id < high)
            last = restored.execute(select(func.max(table.c.id)).where(*own)).scalar() or low
            if table in MONTHLY:
                last = max(last, *(end for _, end in sealed if low <= end < high), low)
            gone = select(func.count()).select_from(table).where(table.c.id > last, table.c.id < high)
            rows[table.name] = rows.get(table.name, 0) + _count(before, table, gone, last)
    return Lost({name: number for name, number in rows.items() if number}, list(_lost_payments(before, restored)))


def _count(before: Connection, table: Table, wanted: Select[Any], above: int) -> int:
    """Count rows of the store before, also of months that were sealed in the lost time."""
    if table not in MONTHLY:
        return int(before.execute(wanted).scalar_one())
    with parts(before, lambda month: month.ends_above(above)) as found:
        return sum(int(part.connection.execute(wanted).scalar_one()) for part in found)


def _lost_payments(before: Connection, restored: Connection) -> Iterable[Payment]:
    columns = (payments.c.channel, payments.c.reference, payments.c.amount, payments.c.currency)
    since = restored.execute(select(func.max(payments.c.at))).scalar() or 0
    for row in before.execute(select(*columns).where(payments.c.at >= since).order_by(payments.c.at)):
        key = (payments.c.channel == row.channel, payments.c.reference == row.reference)
        if restored.execute(select(payments.c.at).where(*key)).one_or_none() is None:
            yield Payment(*row)
