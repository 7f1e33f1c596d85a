"""A credit-control session as the store keeps it: what each rating group used, was granted and holds."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Connection, select

from gateway.balance.allowances import Promise, give_back
from gateway.balance.wallets import Wallet
from gateway.charity.accruals import RunningTenth
from gateway.store.batch import RowSet
from gateway.store.statements import Insert, SelectAmong, Update
from gateway.store.tables import answers, sessions

EXPIRY_STEP = 60_000_000
"""Expiry times are rounded up to the minute, so that most updates leave their index alone."""


class Grant(msgspec.Struct, array_like=True):
    """Quota at the client: `paid` units for which `held` micro-units are held, and `covered` units that allowances promised.

    `promised` says which; a grant of before 2026-12 names the only one by its end, `bundle_ends_at` (else 0).
    """

    paid: int
    held: int
    covered: int = 0
    bundle_ends_at: int = 0
    promised: list[Promise] = []


def give_back_covered(grant: Grant, service: str, wallet: Wallet) -> None:
    """Give the units that a grant was promised by allowances back to those that are still there."""
    if not grant.covered:
        return
    wallet.changed = True
    if grant.promised:
        for _ in give_back(wallet.allowances, service, grant.promised):
            continue
    if grant.bundle_ends_at:
        allowance = wallet.allowance_ending(grant.bundle_ends_at)
        if allowance is not None:
            allowance.hold(service, sum(units for _, units in grant.promised) - grant.covered)


class Group(msgspec.Struct, array_like=True):
    """A rating group within a session: units rated on money, units covered by a bundle, grants by Service-Identifier.

    `reported_at` is when its usage was last heard of (microseconds); 0 where it never was. `short`: it was last given no quota,
    or its last, for want of money.
    """

    rated: int = 0
    covered: int = 0
    grants: dict[str, Grant] = {}
    reported_at: int = 0
    short: bool = False


@lru_cache(1024)
def group_key(rating_group: int | None) -> str:
    """Name a rating group among the groups of a session."""
    return "" if rating_group is None else str(rating_group)


class Session(msgspec.Struct):
    """A session; times in microseconds, money in micro-units, groups by Rating-Group (`""` without one)."""

    id: int
    session_id: str
    subscriber_id: int
    node: int
    peer: str
    origin_host: str
    service: str
    opened_at: int
    updated_at: int
    expires_at: int
    closed_at: int | None
    reserved: int
    groups: dict[str, Group]
    last_number: int = -1
    terminated: bool = False
    fresh: bool = False
    changed: bool = False
    realm: str = ""
    """The client's realm, where a relay stands between it and us; else its peer's configuration says it."""
    traffic: str = ""
    """What kind of call or text it is (charging.request.Traffic): not every request of a session says it again."""
    tenth: RunningTenth = msgspec.field(default_factory=RunningTenth)
    """What the tenth of its charges was computed from so far."""
    destination: str = ""
    """Which of its plan's destinations is called: no more is kept of the number."""
    network: str = ""
    """The network that served the customer when a request last said it (MCC and MNC)."""

    @property
    def short_of_credit(self) -> bool:
        """Return whether a rating group stands still, or is about to, for want of money."""
        return any(group.short for group in self.groups.values())

    def is_of(self, origin_host: str) -> bool:
        """Return whether a host is the session's client: its name compares as DNS names do (RFC 6733 §5.6.4)."""
        return origin_host == self.origin_host or _folded(origin_host) == _folded(self.origin_host)

    def group(self, rating_group: int | None) -> Group:
        """Return the group of a rating group, made when first used."""
        key = group_key(rating_group)
        return self.groups.get(key) or self.named_group(key)

    def named_group(self, key: str) -> Group:
        """Return the group of this name, made when first used."""
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = Group()
        return found

    def touch(self, now: int, expires_at: int) -> None:
        """Note that the session lives, until `expires_at` at least."""
        self.updated_at = now
        self.expires_at = -(-expires_at // EXPIRY_STEP) * EXPIRY_STEP
        self.closed_at = None
        self.changed = True

    def close(self, now: int) -> None:
        """Note that the session is over."""
        self.updated_at = self.closed_at = now
        self.changed = True


def _folded(host: str) -> str:
    return host.lower().rstrip(".")


class _State(msgspec.Struct, array_like=True):
    """What the column `groups` holds."""

    last_number: int
    terminated: bool
    groups: dict[str, Group]
    realm: str = ""
    traffic: str = ""
    tenth: RunningTenth = msgspec.field(default_factory=RunningTenth)
    destination: str = ""
    network: str = ""


_COLUMNS = (
    sessions.c.id,
    sessions.c.session_id,
    sessions.c.subscriber_id,
    sessions.c.node,
    sessions.c.peer,
    sessions.c.origin_host,
    sessions.c.service,
    sessions.c.opened_at,
    sessions.c.updated_at,
    sessions.c.expires_at,
    sessions.c.closed_at,
    sessions.c.reserved,
    sessions.c.groups,
)
_LOAD = SelectAmong(select(*_COLUMNS), sessions.c.session_id, str)
_INSERT = Insert(sessions)
_SAVE = Update(
    sessions, ["node", "peer", "updated_at", "expires_at", "closed_at", "answers_kept", "reserved", "groups"], ["id"]
)
_SAVE_RUNNING = Update(sessions, ["node", "peer", "updated_at", "reserved", "groups"], ["id"])
"""For a session that goes on in the same minute: what is in no index, so that none is written."""
_EXPIRES_AT, _CLOSED_AT = 9, 10
"""Places in a row as it is read."""
_TIMES, _RESERVED, _SAID = map(Session.__struct_fields__.index, ("updated_at", "reserved", "realm"))
"""Places in a session as a tuple: up to `reserved` it is as its row, from `realm` on as the end of its `_State`."""
_decode = msgspec.msgpack.Decoder(_State).decode
_encode = msgspec.msgpack.Encoder().encode


class SessionRows(RowSet[str, Session]):
    """The sessions that a batch touches, by Session-Id.

    A session changes only under the lock of its subscriber's wallet, so it needs no lock of its own; but on a server it is
    read again once the wallets are locked, since another gateway may have changed it meanwhile.
    """

    under_locks = True
    kept = 32_768
    reads = (sessions,)

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._stored: dict[str, tuple[Any, ...]] = {}

    def ask(self, connection: Connection, keys: set[str]) -> Callable[[], None]:
        """Read these sessions."""
        asked = _LOAD.ask(connection, keys)

        def take() -> None:
            found = {row[1]: row for row in asked.rows()}
            self.settled.update(found)
            self.restore(found)

        return take

    def restore(self, rows: Mapping[str, tuple[Any, ...]]) -> None:
        """Put in sessions from their rows."""
        for key, row in rows.items():
            state = _decode(row[-1])
            said = (state.realm, state.traffic, state.tenth, state.destination, state.network)
            more = (state.groups, state.last_number, state.terminated, False, False, *said)
            self.rows[key] = Session(*row[:-1], *more)  # type: ignore[call-arg]  # a row
        self._stored.update(rows)

    def add(self, session: Session) -> None:
        """Put in a session that this batch opened."""
        self.rows[session.session_id] = session

    def save(self, connection: Connection) -> None:
        """Write new and changed sessions."""
        by_parts = connection.dialect.name == "sqlite"  # a server leaves an index alone where its values stay
        new: list[tuple[Any, ...]] = []
        running: list[tuple[Any, ...]] = []
        others: list[tuple[Any, ...]] = []
        for key, s in self.rows.items():
            if not s.changed:
                continue
            values = astuple(s)
            head, times, said = values[:_TIMES], values[_TIMES:_RESERVED], values[_SAID:]
            groups = _encode(_State(s.last_number, s.terminated, s.groups, *said))
            if s.fresh:
                new.append((*head, *times, 1, s.reserved, groups))
            elif by_parts and self._goes_on(key, s):
                running.append((s.node, s.peer, s.updated_at, s.reserved, groups, s.id))
            else:
                others.append((s.node, s.peer, *times, 1, s.reserved, groups, s.id))
            self.settled[key] = (*head, *times, s.reserved, groups) if s.closed_at is None else None
        _INSERT.run(connection, new)
        _SAVE_RUNNING.run(connection, running)
        _SAVE.run(connection, others)

    def _goes_on(self, key: str, session: Session) -> bool:
        """Return whether a session is open as it was, so that its answers are kept as they were, and expires when it did."""
        stored = self._stored[key]
        return stored[_CLOSED_AT] is session.closed_at is None and stored[_EXPIRES_AT] == session.expires_at


class StoredAnswer(msgspec.Struct, frozen=True):
    """What was answered to a request: its encoded outcome (charging.outcome), and a digest of the usage that it reported."""

    outcome: bytes
    digest: int


class AnswerRows(RowSet[tuple[int, int, int], StoredAnswer]):
    """The answers given in this batch; older ones are looked up only for a request that may be a repeat."""

    def find(self, connection: Connection, session: int, request_type: int, request_number: int) -> StoredAnswer | None:
        """Return the answer to a request of this type and number, from this batch or from the store."""
        known = self.rows.get((session, request_type, request_number))
        if known is not None:
            return known
        row = connection.execute(
            select(answers.c.body, answers.c.digest).where(
                answers.c.session == session,
                answers.c.request_type == request_type,
                answers.c.request_number == request_number,
            )
        ).one_or_none()
        return StoredAnswer(row.body, row.digest) if row is not None else None

    def reported(self, connection: Connection, session: int, request_type: int, digest: int) -> bool:
        """Return whether a request of this type reported the same usage before, in this batch or in the store."""
        if any(key[:2] == (session, request_type) and kept.digest == digest for key, kept in self.rows.items()):
            return True
        found = select(answers.c.request_number).where(
            answers.c.session == session, answers.c.request_type == request_type, answers.c.digest == digest
        )
        return connection.execute(found.limit(1)).first() is not None
