"""Who has a number now."""

from sqlalchemy import Connection, select

from gateway.store.tables import lines


def find(connection: Connection, number: str) -> int | None:
    """Give the subscriber who has this MSISDN, IMSI or ICCID now."""
    return connection.execute(
        select(lines.c.subscriber_id).where(lines.c.value == number, lines.c.valid_to.is_(None))
    ).scalar()
