"""Releases: which rows may be missed or unproved, as proved rows themselves (store.evidence).

Usage goes when its retention is over, in steps and in no order of days: the day up to which it may be gone is written down with
the first of them.
"""

from typing import Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text, update

from gateway.store.append_only import ERASING, RELEASED, raise_mark
from gateway.store.batch import Batch
from gateway.store.evidence import DAY_US, Evidence
from gateway.store.tables import chains, choices, nodes, releases

USAGE: Final = "usage"
UNPROVED: Final = "unproved"
RESTORED: Final = "restored"
CHOICE: Final = "choice"


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
    """Let usage go that is of before a time, UTC microseconds; written down once a day."""
    day = before // DAY_US
    if day > 0 and day > _until(batch.connection, USAGE):
        batch.add(releases, (batch.take_id(), batch.now, USAGE, batch.node.id, day))
        raise_mark(batch.connection, 0, RELEASED, (day + 1) * DAY_US)


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


def released(connection: Connection) -> Released:
    """Read what is released."""
    by_node = select(releases.c.node, func.max(releases.c.until)).where(releases.c.content == UNPROVED)
    unproved = connection.execute(by_node.group_by(releases.c.node))
    restores = select(releases.c.node, releases.c.until, releases.c.at).where(releases.c.content == RESTORED)
    return Released(
        _until(connection, USAGE),
        {row[0]: row[1] for row in unproved},
        [(node, until, at) for node, until, at in connection.execute(restores)],
        frozenset(connection.scalars(select(releases.c.until).where(releases.c.content == CHOICE))),
    )


def _until(connection: Connection, content: str) -> int:
    until = connection.scalar(select(func.max(releases.c.until)).where(releases.c.content == content))
    return -1 if until is None else int(until)
