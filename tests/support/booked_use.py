"""Usage that is written into the store of a stopped gateway, of the year 1970, with its charge and its tenth."""

from sqlalchemy import insert, select

from gateway.store.engine import open_writer
from gateway.store.tables import accounts, transfers, usage


def use(gateway, owner, number=(1 << 40) + (1 << 30)):
    """A line uses something, and its tenth goes to its cause."""
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    with engine.begin() as connection:
        known = dict(connection.execute(select(accounts.c.name, accounts.c.id)).all())
        record = {"id": number, "event_at": 1, "subscriber_id": owner, "session": 1, "service": "data", "octets": 5}
        record |= {"seconds": 0, "units": 0, "price": 1_000_000, "currency": "GBP", "plan": "payg-gb"}
        connection.execute(insert(usage).values(record))
        for entry, kind, debit, credit, amount in (
            (number + 1, "charge", owner, known["revenue"], 1_000_000),
            (number + 2, "accrual", known["giving"], known["cause:wwf"], 100_000),
        ):
            row = {"id": entry, "at": 1, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
            row |= {"currency": "GBP", "event_at": 1, "usage_id": number, "policy": "2026-1", "share": 10_000}
            connection.execute(insert(transfers).values(row | {"base": 1_000_000}))
    engine.dispose()
