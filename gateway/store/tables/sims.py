"""Cards, their history, and orders."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    text,
)

from gateway.store.tables.columns import IDENTIFIER, metadata

sims = Table(
    "sims",
    metadata,
    Column("iccid", String(20), primary_key=True),
    Column("imsi", String(15), nullable=False, index=True),
    Column("eid", String(32)),
    Column("keys", LargeBinary),
    Column("host", String(64), nullable=False),
    Column("plan", String(64), nullable=False),
    Column("msisdn", String(15)),
    Column("subscriber_id", BigInteger),
    Column("state", String(12), nullable=False),
    Column("suspended_for", String(64), nullable=False),
    Column("observed", String(8), nullable=False),
    Column("observed_at", BigInteger, nullable=False),
    Column("order_id", BigInteger),
    Column("free_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(
        "uq_sims_imsi",
        "imsi",
        unique=True,
        sqlite_where=text("state <> 'destroyed'"),
        postgresql_where=text("state <> 'destroyed'"),
    ),
    Index(
        "uq_sims_msisdn",
        "msisdn",
        unique=True,
        sqlite_where=text("msisdn IS NOT NULL"),
        postgresql_where=text("msisdn IS NOT NULL"),
    ),
    Index(
        "ix_sims_free",
        "free_at",
        sqlite_where=text("free_at IS NOT NULL"),
        postgresql_where=text("free_at IS NOT NULL"),
    ),
)
"""Every SIM card: `state` is what we intend (provisioning.sim_lifecycle), `observed` how the host held it when last read.
`keys` are sealed under the ICCID. `order_id` is the order that works on it now, `free_at` the end of its quarantine. Never
swept."""

sim_history = Table(
    "sim_history",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("iccid", String(20), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("trigger", String(12), nullable=False),
    Column("before", String(12), nullable=False),
    Column("after", String(12), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("order_id", BigInteger),
    Column("amended", String(64)),
)
"""What happened to a card, by whom and why; `amended` names columns that were put right. Never swept: it is the evidence of who
did what."""

orders = Table(
    "orders",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("node", Integer, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("iccid", String(20), nullable=False, index=True),
    Column("host", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("steps", LargeBinary, nullable=False),
    Column("undoing", SmallInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("open", SmallInteger, nullable=False),
    Index("ix_orders_open", "due_at", sqlite_where=text("open = 1"), postgresql_where=text("open = 1")),
)
"""Orders and what became of each of their steps (provisioning.orders). `request` has the cause, sealed, only until the order
has ended. Swept by updated_at once they are not open."""
