"""Reading sessions for `tpo session`, and those of a subscriber or a peer as the gateway itself looks for them."""

from collections.abc import Collection, Iterable

from msgspec import structs
from sqlalchemy import Connection, func, select

from gateway.charging.session import Grant, Group, Session, SessionRows
from gateway.charging.views import GrantView, GroupView, SessionRow, SessionView
from gateway.events.times import rfc3339
from gateway.ledger.money import format_amount
from gateway.store.tables import lines, nodes, sessions, wallets
from gateway.subscribers.identifier_history import MSISDN

PAGE = 500
"""The most sessions that one look for the gateway's own use finds."""


def find(connection: Connection, name: str) -> Session | None:
    """Return a session by its Session-Id, or by the number that the gateway gave it."""
    if not _load(connection, [name]) and name.isascii() and name.isdigit() and len(name) < 19:
        named = connection.execute(select(sessions.c.session_id).where(sessions.c.id == int(name))).scalar()
        name = name if named is None else named
    return next(iter(_load(connection, [name])), None)


def open_of(connection: Connection, subscriber_id: int, after: int = 0) -> list[Session]:
    """Return a subscriber's open sessions in the order of their numbers, a page of those above `after`."""
    found = (
        select(sessions.c.session_id)
        .where(sessions.c.subscriber_id == subscriber_id, sessions.c.closed_at.is_(None), sessions.c.id > after)
        .order_by(sessions.c.id)
        .limit(PAGE)
    )
    return _load(connection, connection.execute(found).scalars())


def open_at(
    connection: Connection, origin_host: str, shards: Collection[int], before: int, after: int = 0
) -> list[Session]:
    """Return the open sessions that a client reported to the nodes of these numbers, the last time at `before` or earlier.

    `before` is in microseconds, `origin_host` is folded: a DiameterIdentity compares as DNS names do.
    """
    found = (
        select(sessions.c.session_id)
        .where(
            sessions.c.closed_at.is_(None),
            func.lower(func.rtrim(sessions.c.origin_host, ".")) == origin_host,
            sessions.c.node.in_(shards),
            sessions.c.updated_at <= before,
            sessions.c.id > after,
        )
        .order_by(sessions.c.id)
        .limit(PAGE)
    )
    return _load(connection, connection.execute(found).scalars())


def latest(
    connection: Connection, limit: int, *, closed: bool = False, subscriber_id: int | None = None, peer: str = ""
) -> list[SessionRow]:
    """Return sessions, the newest first: the open ones, or all of them."""
    found = select(sessions.c.session_id).order_by(sessions.c.id.desc()).limit(limit)
    if not closed:
        found = found.where(sessions.c.closed_at.is_(None))
    if subscriber_id is not None:
        found = found.where(sessions.c.subscriber_id == subscriber_id)
    if peer:
        found = found.where(sessions.c.peer == peer)
    chosen = _load(connection, connection.execute(found).scalars())
    owners = {session.subscriber_id for session in chosen}
    numbers, currencies = _numbers(connection, owners), _currencies(connection, owners)
    names = _node_names(connection)
    return [
        _row(session, numbers.get(session.subscriber_id), currencies[session.subscriber_id], names.get(session.node))
        for session in reversed(chosen)
    ]


def show(connection: Connection, session: Session) -> SessionView:
    """Return everything of one session: what each rating group used, and what it holds."""
    owner = {session.subscriber_id}
    currency = _currencies(connection, owner)[session.subscriber_id]
    number, node = _numbers(connection, owner).get(session.subscriber_id), _node_names(connection).get(session.node)
    told = _row(session, number, currency, node)
    return SessionView(
        **structs.asdict(told),
        realm=session.realm or None,
        closed_at=None if session.closed_at is None else rfc3339(session.closed_at),
        last_request_number=session.last_number,
        terminated=session.terminated,
        groups=[_group(name, group, currency) for name, group in session.groups.items()],
    )


def _load(connection: Connection, session_ids: Iterable[str]) -> list[Session]:
    wanted = set(session_ids)
    if not wanted:
        return []
    row_set = SessionRows()
    row_set.load(connection, wanted)
    return sorted(row_set.rows.values(), key=lambda session: session.id)


def _numbers(connection: Connection, owners: set[int]) -> dict[int, str]:
    current = select(lines.c.subscriber_id, lines.c.value).where(
        lines.c.subscriber_id.in_(owners), lines.c.kind == MSISDN, lines.c.valid_to.is_(None)
    )
    return {row.subscriber_id: row.value for row in connection.execute(current)}


def _currencies(connection: Connection, owners: set[int]) -> dict[int, str]:
    found = select(wallets.c.subscriber_id, wallets.c.currency).where(wallets.c.subscriber_id.in_(owners))
    return {row.subscriber_id: row.currency for row in connection.execute(found)}


def _node_names(connection: Connection) -> dict[int, str]:
    return {row.id: row.name for row in connection.execute(select(nodes.c.id, nodes.c.name))}


def _row(session: Session, msisdn: str | None, currency: str, node: str | None) -> SessionRow:
    """Write a session as lists have it; times are RFC 3339, amounts decimal strings in major units."""
    return SessionRow(
        id=str(session.id),
        session_id=session.session_id,
        state="open" if session.closed_at is None else "closed",
        service=session.service,
        subscriber_id=str(session.subscriber_id),
        msisdn=msisdn,
        peer=session.peer,
        origin_host=session.origin_host,
        opened_at=rfc3339(session.opened_at),
        updated_at=rfc3339(session.updated_at),
        expires_at=rfc3339(session.expires_at),
        reserved=format_amount(session.reserved, currency),
        currency=currency,
        node=node,
    )


def _group(name: str, group: Group, currency: str) -> GroupView:
    """Write a rating group; units are octets, seconds or messages, as the session's service has it."""
    return GroupView(
        rating_group=int(name) if name else None,
        used=group.rated + group.covered,
        of_bundle=group.covered,
        grants=[_grant(services, grant, currency) for services, grant in group.grants.items()],
    )


def _grant(services: str, grant: Grant, currency: str) -> GrantView:
    return GrantView(
        service_identifiers=[int(service) for service in services.split(",") if service],
        granted=grant.paid + grant.covered,
        of_bundle=grant.covered,
        reserved=format_amount(grant.held, currency),
    )
