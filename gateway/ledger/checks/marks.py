"""Marks by which checks leave something out, held against what set them: each is proved by rows that are.

What a step of the tables marked is just behind the last entry of that time, and before the first link of the chain, which
came with a later step. What lets rows go was noted in the same transaction. A mark that somebody moved would switch off a
check, or a trigger, and no other row would say so; one that is gone makes the checks stricter.
"""

import json
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, func, select

from gateway.ledger.checks.examined import Examined, Finding
from gateway.ledger.checks.tenths import RUNNING_SINCE
from gateway.store.append_only import ERASING, RELEASED, SEALED
from gateway.store.evidence import DAY_US
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import USAGE
from gateway.store.tables import evidence, marks, releases, sealed_files, transfers

COUNTED_SINCE: Final = "spending.counted_since"
"""The mark of the time (microseconds) from which on wallets count what they spend; without it they always did."""
_OF_STEPS: Final = (RUNNING_SINCE, COUNTED_SINCE)
SKEW_US: Final = DAY_US
"""A clock that was set back meanwhile makes nobody a liar."""
_PUT_BACK: Final = "put the row of marks back from a backup, and check again"


def marks_right(books: Examined) -> Iterator[Finding]:
    """Name marks that nothing has set so."""
    known = books.connection.execute(select(marks.c.node, marks.c.name, marks.c.value)).all()
    for node, name, value in known:
        if name in _OF_STEPS and not _is_of_a_step(books, value):
            yield _wrong(name, node, value, "no upgrade of this store could have set it")
        elif name == RELEASED and value > (_released_day(books.connection) + 1) * DAY_US:
            yield _wrong(name, node, value, "no row of releases lets usage of that time go")
        elif name == SEALED and value > _sealed_upto(books.connection).get(node, 0):
            yield _wrong(name, node, value, "no sealed file holds rows up to there")
        elif name == ERASING:
            yield _wrong(name, node, value, "it stands for an erasure alone, while that is being written")


def _wrong(name: str, node: int, value: int, why: str) -> Finding:
    return Finding("mark", f"the mark {name} of node {node} says {value}, and {why}: {_PUT_BACK}")


def _is_of_a_step(books: Examined, value: int) -> bool:
    """Whether a mark is just behind an entry, and older than the chain."""
    first = books.connection.scalar(select(evidence.c.at).order_by(evidence.c.id).limit(1))
    if first is not None and value > first + SKEW_US:
        return False
    entry = select(transfers.c.id).where(transfers.c.at == value - 1).limit(1)
    return any(journal.scalar(entry) is not None for journal in books.journals)


def _released_day(connection: Connection) -> int:
    until = select(func.max(releases.c.until)).where(releases.c.content == USAGE)
    return connection.scalar(until) or -1


def _sealed_upto(connection: Connection) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in connection.scalars(select(sealed_files.c.ranges)):
        for _, last in json.loads(each):
            node = last >> SPAN_BITS
            found[node] = max(found.get(node, 0), last)
    return found
