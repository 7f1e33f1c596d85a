"""Who has a number now."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from gateway.store.tables import lines
from gateway.subscribers.identifier_history import MSISDN


def find(connection: Connection, number: str) -> int | None:
    """Return the subscriber who has this MSISDN, IMSI or ICCID now."""
    return connection.execute(
        select(lines.c.subscriber_id).where(lines.c.value == number, lines.c.valid_to.is_(None))
    ).scalar()


def owners(connection: Connection, number: str) -> list[int]:
    """Return all subscribers who have or had this MSISDN, IMSI or ICCID."""
    return list(connection.scalars(select(lines.c.subscriber_id).where(lines.c.value == number).distinct()))


def numbers_of(connection: Connection, subscribers: Iterable[int]) -> dict[int, str]:
    """Return the phone numbers that lines have now."""
    own = lines.c
    wanted = select(own.subscriber_id, own.value).where(
        own.subscriber_id.in_(set(subscribers)), own.kind == MSISDN, own.valid_to.is_(None)
    )
    return dict(map(tuple, connection.execute(wanted)))


def find_tail(connection: Connection, tail: str, limit: int) -> list[int]:
    """Return at most `limit` subscribers who have a number now that ends in these digits."""
    ends = (lines.c.value.like(f"%{tail}"), lines.c.valid_to.is_(None))
    found = select(lines.c.subscriber_id).where(*ends).distinct().order_by(lines.c.subscriber_id).limit(limit)
    return list(connection.scalars(found))
