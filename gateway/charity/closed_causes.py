"""Causes that are closed and have no successor: since when, whose choices they are, and how far their customers were asked.

Nothing here says who was asked, as that would say whose cause it was: customers are asked in the order of their numbers, and a
mark a shard says up to which.
"""

import json
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from gateway.charity.choices import at
from gateway.charity.sealed_causes import CauseSeals, ask_choices
from gateway.charity.tenth_states import Way
from gateway.store.batch import Batch, Unit
from gateway.store.nodes import in_shard
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import choices, closed_cause_marks, closed_causes, nodes, transfers
from gateway.store.versions import CAUSE, read

SCANNED: Final = 1000
"""Customers whose choices are opened for one page."""
DAY_US: Final = 86_400_000_000


class Asking(msgspec.Struct, frozen=True):
    """How a closed cause stands; times in microseconds.

    `asked_at` is when the last of its customers was asked, or where it has none when it was closed; None before that is known.
    """

    cause: str
    closed_at: int
    asked_at: int | None

    def ends_at(self, days: int) -> int | None:
        """Return when its customers have had so many days to choose."""
        return None if self.asked_at is None else self.asked_at + days * DAY_US


def askings(connection: Connection) -> dict[str, Asking]:
    """Return how each closed cause stands."""
    shards = set(connection.scalars(select(nodes.c.id)))
    own, done = closed_cause_marks.c, dict[str, dict[int, int]]()
    for cause, shard, asked_at in connection.execute(select(own.cause, own.shard, own.asked_at).where(own.done == 1)):
        done.setdefault(cause, {})[shard] = asked_at or 0
    found = {}
    for cause, closed_at in connection.execute(select(closed_causes).order_by(closed_causes.c.cause)):
        ends = done.get(cause, {})
        asked = max(closed_at, *ends.values()) if ends and shards <= ends.keys() else None
        found[cause] = Asking(cause, closed_at, asked)
    return found


def asked_out(connection: Connection, days: int, now: int) -> frozenset[str]:
    """Return the closed causes whose customers have had so many days to choose."""
    ends = {cause: each.ends_at(days) for cause, each in askings(connection).items()}
    return frozenset(cause for cause, end in ends.items() if end is not None and end <= now)


class KeepClosed(Unit):
    """Keep which causes are closed without a successor: a new one with its time, what is none any more not, nor its marks."""

    alone: ClassVar[bool] = True

    causes: list[str]

    def decide(self, batch: Batch) -> None:
        """Write what changed."""
        connection = batch.connection
        known = set(connection.scalars(select(closed_causes.c.cause)))
        for table in (closed_cause_marks, closed_causes):
            connection.execute(delete(table).where(table.c.cause.not_in(self.causes)))
        since = _closed_since(connection, set(self.causes) - known)
        rows = [{"cause": each, "closed_at": since.get(each, batch.now)} for each in sorted(set(self.causes) - known)]
        if rows:
            connection.execute(insert(closed_causes), rows)


def _closed_since(connection: Connection, causes: Iterable[str]) -> dict[str, int]:
    """Return since when causes are closed, by their recorded versions: the first one after the last that was open."""
    wanted, since = set(causes), dict[str, int]()
    for version in read(connection, CAUSE) if wanted else ():
        if version.name in wanted and version.content is not None:
            if version.is_gone or json.loads(version.content).get("open", True):
                since.pop(version.name, None)
            else:
                since.setdefault(version.name, version.valid_from)
    return since


class Page(msgspec.Struct, frozen=True):
    """Customers to ask, and up to which number all were looked at; `last` is None where there are no more."""

    subscribers: list[int]
    last: int | None


def asked_up_to(connection: Connection, cause: str, shard: int) -> int | None:
    """Give up to which number the customers of a shard were asked, 0 before the first; None where all were."""
    own = closed_cause_marks.c
    found = connection.execute(select(own.after, own.done).where(own.cause == cause, own.shard == shard)).one_or_none()
    if found is None:
        return 0
    return None if found.done else int(found.after)


def choosers(
    connection: Connection, seals: CauseSeals, cause: str, shard: int, after: int, now: int, most: int
) -> Page:
    """Find at most so many customers of a shard, numbered above `after`, whose choice of now has a cause in it."""
    own = choices.c.subscriber_id
    near = (*in_shard(own, shard), own > after)
    looked = list(connection.scalars(select(own).distinct().where(*near).order_by(own).limit(SCANNED)))
    opened = ask_choices(connection, set(looked))(seals) if looked else {}
    found = [each for each in looked if any(part.cause == cause for part in at(opened.get(each, ()), now))]
    if len(found) > most:
        return Page(found[:most], found[most - 1])
    return Page(found, looked[-1] if len(looked) == SCANNED else None)


def move_mark(batch: Batch, cause: str, shard: int, after: int, last: int | None, *, asks: bool) -> bool:
    """Say that customers after `after` were looked at up to `last`, None: to the end; False where somebody else did meanwhile.

    `asks`: some of them are asked now.
    """
    connection, own = batch.connection, closed_cause_marks.c
    if asked_up_to(connection, cause, shard) != after or not _is_closed(connection, cause):
        return False
    mine = (own.cause == cause, own.shard == shard)
    before = connection.scalar(select(own.asked_at).where(*mine))
    connection.execute(delete(closed_cause_marks).where(*mine))
    row: Mapping[str, object] = {
        "cause": cause,
        "shard": shard,
        "after": after if last is None else last,
        "asked_at": batch.now if asks else before,
        "done": int(last is None),
    }
    connection.execute(insert(closed_cause_marks).values(row))
    return True


def gone_unassigned(connection: Connection) -> dict[tuple[int, str], int]:
    """Sum what went from accounts of closed causes to `unassigned`, by account and currency."""
    own, sums = transfers.c, dict[tuple[int, str], int]()
    wanted = select(own.debit, own.currency, func.sum(own.amount)).where(own.kind == Way.UNASSIGN.value)
    with parts(connection) as found:
        for part in found:
            for number, currency, amount in part.connection.execute(wanted.group_by(own.debit, own.currency)):
                sums[number, currency] = sums.get((number, currency), 0) + int(amount)
    return sums


def _is_closed(connection: Connection, cause: str) -> bool:
    found = select(func.count()).select_from(closed_causes).where(closed_causes.c.cause == cause)
    return bool(connection.scalar(found))
