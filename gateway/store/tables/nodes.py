"""Gateways that share a store, what they do for each other, and what is written down for all of them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from gateway.store.tables.columns import IDENTIFIER, metadata

nodes = Table(
    "nodes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("next_id", BigInteger, nullable=False),
    Column("origin_state_id", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("renewed_at", BigInteger, nullable=False),
    Column("lease", BigInteger, nullable=False),
    Column("owner", Integer, nullable=False),
    Column("retired", SmallInteger, nullable=False),
    Index(
        "uq_nodes_name",
        "name",
        unique=True,
        sqlite_where=text("owner = id"),
        postgresql_where=text("owner = id"),
    ),
)
"""One row a number that a gateway took: its range of identifiers, its Origin-State-Id (RFC 6733 §8.16), and its lease
(store.leases). The number is the shard of the rows that carry it (`node`, and the high bits of identifiers); `owner` is the
node that works on them now, at first the one that made them. `epoch` is raised by each start and each adoption; `renewed_at`
is the server's clock at the last transaction, and `lease` (microseconds) how long it holds from then on, 0 for ever. `retired`:
it was adopted, and its name is back under another number, or will not come back. Never swept."""

node_requests = Table(
    "node_requests",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("from_node", Integer, nullable=False),
    Column("to_node", Integer, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("answered_at", BigInteger),
    Column("answer", LargeBinary),
)
"""What one gateway asks of another (store.node_requests), sealed, with the answer to it; times are the server's. Deleted by who
asked, at the latest when it waits no longer; else swept by not_after."""

marks = Table(
    "marks",
    metadata,
    Column("node", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("node", "name"),
)
"""How far a node's background work has come, e.g. the last entry that `charity/accrued` has published, and how often the node
was started. Never swept."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(64), nullable=False),
    Column("key", String(255), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("result", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("scope", "key"),
    Index(
        "ix_idempotency_keys_ending",
        "created_at",
        sqlite_where=text("scope <> 'import'"),
        postgresql_where=text("scope <> 'import'"),
    ),
)
"""What a client's own reference led to: the same body again gets the same result, another body is refused. Swept by
created_at, but for the scope `import` (an opening balance is booked once for ever; what it was stands here as digests only),
and for what is given, bought or given back once for ever, whose `created_at` is the end of all time (store.idempotency)."""

contents = Table(
    "contents",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("content", Text, nullable=False),
)
"""What versions say, as canonical JSON by its SHA-256 in hexadecimal digits: equal ones stand here once. Never swept."""

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("name", String(64), nullable=False),
    Column("hash", String(64)),
    Column("valid_from", BigInteger),
    Index("ix_versions_name", "kind", "name"),
)
"""What decided over money, and from when on (store.versions): plans, policies and causes by name. Without `hash` it is of the
time before versions were kept, and nobody knows what it said; without `valid_from` a reload prepared it and never took it over.
Never swept."""

sealed_files = Table(
    "sealed_files",
    metadata,
    Column("period", String(7), nullable=False),
    Column("content", String(16), nullable=False),
    Column("file", String(64), nullable=False),
    Column("ranges", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("amounts", Text, nullable=False),
    Column("first_at", BigInteger),
    Column("last_at", BigInteger),
    Column("octets", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
    Column("removed_to", BigInteger, nullable=False),
    Column("removed_at", BigInteger),
    Column("dropped_at", BigInteger),
    PrimaryKeyConstraint("period", "content"),
)
"""The months that were moved out of an SQLite store into files of their own (store.sealed_months.records): which file has a
month's entries, which its usage, and what was in it. Never swept: of usage that is past its retention the file goes, and this
stays. On a server it is empty."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("topic", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("published_at", BigInteger),
    Index(
        "ix_outbox_waiting",
        "id",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
)
"""Events as committed with what they tell of. Swept by published_at, or by created_at where no broker is configured."""

access_log = Table(
    "access_log",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subscriber_id", BigInteger),
)
"""Who looked at who gave to whom (privacy right `causes`), and at whose choice. Swept by at."""
