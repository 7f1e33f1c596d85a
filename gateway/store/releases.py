"""Releases: which rows may be missed or unproved, as proved rows themselves (store.evidence).

Usage goes when its retention is over, in steps and in no order of days: the day up to which it may be gone is written down with
the first of them. It goes only once a seal stands for it (ledger.seals): no day is released that has none, and no row goes that
was booked after the latest one, as a late report may be.
"""

from collections.abc import Collection
from datetime import date
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text, update

from gateway.store.append_only import ERASING, RELEASED, SEALED, raise_mark
from gateway.store.batch import Batch
from gateway.store.evidence import DAY_US, Evidence
from gateway.store.nodes import in_shard
from gateway.store.tables import chains, choices, marks, nodes, releases, seals, usage

USAGE: Final = "usage"
UNPROVED: Final = "unproved"
RESTORED: Final = "restored"
CHOICE: Final = "choice"


PROVED: Final = "usage.sealed"
"""The mark up to which seals stand for a node's usage, by its numbers."""


class Released(msgspec.Struct, frozen=True):
    """What is released.

    Attributes:
        usage_day: usage of this day (since 1970, in UTC) and of those before it may be gone.
        unproved: by node, up to which number rows in sealed files have no digest.
        choices: those of customers who were erased, by their numbers.
        restored: restores from a backup: the node, the last link that it had kept of its chain, and when (microseconds).
    """

    usage_day: int
    unproved: dict[int, int]
    restored: list[tuple[int, int, int]]
    choices: frozenset[int]


def release_usage(batch: Batch, before: int) -> None:
    """Let usage go that is of before a time, UTC microseconds, and of a day that is sealed; written down once a day."""
    day = min(before // DAY_US, _sealed_day(batch.connection, batch.node.id))
    if day > 0 and day > _until(batch.connection, USAGE):
        batch.add(releases, (batch.take_id(), batch.now, USAGE, batch.node.id, day))
        raise_mark(batch.connection, 0, RELEASED, (day + 1) * DAY_US)


def _sealed_day(connection: Connection, node: int) -> int:
    """Give the latest day that a node sealed, counted from 1970; -1 where it sealed none."""
    latest = connection.scalar(select(func.max(seals.c.day)).where(seals.c.node == node))
    return -1 if latest is None else (date.fromisoformat(latest) - date(1970, 1, 1)).days


def usage_upto(connection: Connection, node: int) -> int:
    """Give the last number that a node gave usage so far, also where it stands in sealed files; 0 without any.

    Whoever reads the chain's tip after it has a link that stands for all of that.
    """
    here = select(func.max(usage.c.id)).where(*in_shard(usage.c.id, node))
    filed = select(func.max(marks.c.value)).where(marks.c.node == node, marks.c.name == SEALED)
    return max(connection.scalar(here) or 0, connection.scalar(filed) or 0)


def prove_usage(connection: Connection, node: int, number: int) -> None:
    """Note that a seal stands for a node's usage up to a number."""
    if number > sealed_usage(connection).get(node, 0):
        raise_mark(connection, node, PROVED, number)


def sealed_usage(connection: Connection) -> dict[int, int]:
    """Give up to which numbers seals stand for usage, by node: what is above, and of other nodes, does not go yet."""
    known = select(nodes.c.id)
    found = select(marks.c.node, marks.c.value).where(marks.c.node.in_(known), marks.c.name == PROVED)
    return dict(map(tuple, connection.execute(found)))


def release_choices(batch: Batch, subscriber_id: int) -> int:
    """Delete the choices of a customer who is erased, each named by a row that says so; gives how many there were."""
    mark = {"name": ERASING, "value": subscriber_id}
    batch.connection.execute(text("INSERT INTO marks (node, name, value) VALUES (0, :name, :value)"), mark)
    gone = delete(choices).where(choices.c.subscriber_id == subscriber_id).returning(choices.c.id)
    numbers = sorted(batch.connection.scalars(gone))
    batch.connection.execute(text("DELETE FROM marks WHERE node = 0 AND name = :name"), mark)
    for number in numbers:
        batch.add(releases, (batch.take_id(), batch.now, CHOICE, batch.node.id, number))
    return len(numbers)


def record_restore(connection: Connection, key: bytes, now: int) -> None:
    """Write down where each chain stood in the backup that is put back: seals of later links are not borne out any more."""
    for node, sequence in connection.execute(select(chains.c.node, chains.c.sequence)).all():
        number = connection.scalar(select(nodes.c.next_id).where(nodes.c.id == node))
        row = (number, now, RESTORED, node, sequence)
        connection.execute(update(nodes).where(nodes.c.id == node).values(next_id=nodes.c.next_id + 1))
        connection.execute(insert(releases).values(row))
        Evidence(key, node).append(connection, {str(releases.name): [row]}, now)


def released(connection: Connection, doubtful: Collection[int] = ()) -> Released:
    """Read what is released, but for rows that are `doubtful`, by their numbers."""
    r, sound = releases.c, releases.c.id.not_in(list(doubtful))
    by_node = select(r.node, func.max(r.until)).where(r.content == UNPROVED, sound)
    unproved = connection.execute(by_node.group_by(r.node))
    restores = select(r.node, r.until, r.at).where(r.content == RESTORED, sound)
    until = connection.scalar(select(func.max(r.until)).where(r.content == USAGE, sound))
    return Released(
        -1 if until is None else int(until),
        {row[0]: row[1] for row in unproved},
        [(node, until, at) for node, until, at in connection.execute(restores)],
        frozenset(connection.scalars(select(r.until).where(r.content == CHOICE, sound))),
    )


def _until(connection: Connection, content: str) -> int:
    until = connection.scalar(select(func.max(releases.c.until)).where(releases.c.content == content))
    return -1 if until is None else int(until)
