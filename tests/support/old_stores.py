"""Stores as earlier versions of the gateway left them.

Run as `python -m tests.support.old_stores STORE`: writes an SQLite store as SQL, as of one moment.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import msgspec
from alembic import command
from sqlalchemy import inspect, text

from gateway.store import schema
from gateway.store.constraints import check_names, unique_name
from gateway.store.engine import open_writer
from provisioning.orders import Kind, OrderRequest
from support.lane_fixture import EVIDENCE_KEY

RELEASED = sorted((Path(__file__).parents[1] / "unit" / "gateway" / "store" / "released").glob("*.sql"))
"""Dumps that the programs of earlier versions wrote, see the README beside them."""
KEYS = schema.Keys(b"a key of tests alone", EVIDENCE_KEY)
"""What they are upgraded with."""
_KINDS = {"BLOB": "BYTEA", "TEXT": "TEXT"}
"""Names of types in SQLite and in PostgreSQL."""


def store_at(url, revision):
    """Make the tables of a revision in an empty store and give its writing engine."""
    writer = open_writer(url)
    config = schema._config()
    with writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return writer


def restored(url, dump):
    """Make a store of a dump; gives its writing engine. On a server the version's steps make the tables."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as store:
            store.executescript(dump.read_text())
        return open_writer(url)
    writer = store_at(url, dump.stem)
    with closing(sqlite3.connect(":memory:")) as source, writer.begin() as connection:
        source.executescript(dump.read_text())
        source.row_factory = sqlite3.Row
        for (table,) in source.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows = [dict(row) for row in source.execute(f"SELECT * FROM {table}")]
            if rows and table != "alembic_version":
                names = ", ".join(rows[0])
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(rows[0])})"), rows)
    return writer


def table_names(connection):
    """Give the tables' names, without those of a server's partitions."""
    names = inspect(connection).get_table_names()
    if connection.dialect.name == "postgresql":
        parts = connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition")).all()
        names = [name for name in names if name not in parts]
    return names


def everything(engine):
    """Give the rows of every table, in order, by the table's name."""
    with engine.connect() as connection:
        tables = table_names(connection)
        found = {table: connection.execute(text(f"SELECT * FROM {table}")).all() for table in tables}
    return {table: sorted(map(tuple, rows), key=repr) for table, rows in found.items()}


def described(engine):
    """Give what the tables are like, in the words of no particular database."""
    with engine.connect() as connection:
        look = inspect(connection)
        found = {table: _described(look, table) for table in sorted(table_names(connection))}
        checks = {table: check_names(connection, table) for table in found}
        return {table: each | {"checks": checks[table]} for table, each in found.items()}


def _described(look, table):
    # A partitioned table has no key of its own: each of its partitions has.
    key = look.get_pk_constraint(table)["constrained_columns"] or _described(look, f"{table}_default")["key"]
    columns = {(each["name"], str(each["type"]), each["nullable"]) for each in look.get_columns(table)}
    # An SQLite identifier has to be called INTEGER to be what a row is found by; it has 64 bits all the same.
    columns = {(name, "BIGINT" if [name] == key and kind == "INTEGER" else kind, null) for name, kind, null in columns}
    unique = {tuple(each["column_names"]) for each in look.get_unique_constraints(table)}
    indexes = {
        (each["name"], tuple(each["column_names"]), bool(each["unique"]))
        for each in look.get_indexes(table)
        if not each.get("duplicates_constraint") and each["name"] != unique_name(table)  # of each partition by itself
    }
    return {
        "columns": {(name, _KINDS.get(kind, kind), nullable) for name, kind, nullable in columns},
        "key": key,
        "unique": unique,
        "indexes": indexes,
    }


def fill(writer):
    """Put a row of each kind that a later step works on into a store of version 0003."""
    request = msgspec.msgpack.encode(OrderRequest(msisdn="447700900101", plan="payg-gb", cause="wwf"))
    members = msgspec.msgpack.encode([7])
    rows = {
        "nodes": {"id": 1, "name": "n", "next_id": 1 << 41, "origin_state_id": 1},
        "accounts": {"id": 8, "name": "cause:wwf"},
        "held_accruals": {
            "node": 1, "account": 8, "currency": "GBP", "amount": 900, "from_at": 0, "to_at": 1, "subscribers": members,
        },
        "idempotency_keys": {
            "scope": "order:socket", "key": "bulk:one", "digest": "d", "result": b"1", "created_at": 1,
        },
        "orders": {
            "id": 1, "node": 1, "kind": str(Kind.ACTIVATE), "iccid": "x", "host": "lab", "state": "done", "actor": "a",
            "request": request, "steps": b"\x90", "undoing": 0, "due_at": 0, "created_at": 0, "updated_at": 0, "open": 0,
        },
        "subscribers": {"id": 7, "status": "active", "created_at": 1},
        "lines": {"id": 9, "kind": "msisdn", "value": "447700900001", "subscriber_id": 7, "valid_from": 1},
        "wallets": {"subscriber_id": 7, "currency": "GBP", "balance": 5, "reserved": 0},
        "transfers": {
            "id": 10, "at": 1, "kind": "topup", "debit": 1, "credit": 7, "amount": 5, "currency": "GBP", "event_at": 1,
            "reference": "r",
        },
        "texts": {
            "id": 11, "node": 1, "source": "s", "destination": "447700900001", "link": "l", "state": "submitted",
            "held": 0, "covered": 0, "bundle_ends_at": 0, "reference_number": 1, "registered_delivery": 1, "always": 0,
            "created_at": 1, "updated_at": 1, "valid_until": 2, "parts": b"\x90", "final": 0,
        },
        "awaited_receipts": {"link": "l", "message_id": "m", "text_id": 11, "part": 0, "created_at": 1},
        "arrivals": {"link": "l", "digest": "d", "at": 1},
        "sims": {
            "iccid": "x", "imsi": "234150000000001", "host": "lab", "plan": "payg-gb", "state": "active",
            "suspended_for": "", "observed": "active", "observed_at": 1, "created_at": 1, "updated_at": 1,
        },
    }  # fmt: skip
    with writer.begin() as connection:
        for table, row in rows.items():
            names = ", ".join(row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(row)})"), row)


def main(store):
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)) as source:
        source.execute("BEGIN")
        sys.stdout.writelines(f"{line}\n" for line in source.iterdump())


if __name__ == "__main__":
    main(*sys.argv[1:])
