"""Texts out and in."""

from typing import Final

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

PARTS_OUT: Final = {
    "sqlite": "(instr(parts, x'a473746570a473656e74') > 0 OR instr(parts, x'a473746570a8646f75627466756c') > 0)",
    "postgresql": r"(position('\xa473746570a473656e74'::bytea IN parts) > 0"
    r" OR position('\xa473746570a8646f75627466756c'::bytea IN parts) > 0)",
}
"""By database, whether a text has a part that is `sent` or `doubtful`: its step as msgpack writes it. It is the condition of an
index, so that rows need no column that each program would have to keep right."""

texts = Table(
    "texts",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("node", Integer, nullable=False),
    Column("source", String(21), nullable=False),
    Column("destination", String(21), nullable=False),
    Column("body", Text),
    Column("link", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("payer", BigInteger),
    Column("held", BigInteger, nullable=False),
    Column("covered", SmallInteger, nullable=False),
    Column("bundle_ends_at", BigInteger, nullable=False),
    Column("reference_number", Integer, nullable=False),
    Column("registered_delivery", SmallInteger, nullable=False),
    Column("always", SmallInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("parts", LargeBinary, nullable=False),
    Column("final", SmallInteger, nullable=False),
    Column("version", Integer),
    Column("rate_key", Text),
    Column("promised", LargeBinary),
    Index("ix_texts_open", "node", "state", "id", sqlite_where=text("final = 0"), postgresql_where=text("final = 0")),
    Index(
        "ix_texts_expiring", "state", "valid_until", sqlite_where=text("final = 0"), postgresql_where=text("final = 0")
    ),
    Index(
        "ix_texts_out",
        "node",
        "id",
        sqlite_where=text(f"final = 0 AND {PARTS_OUT['sqlite']}"),
        postgresql_where=text(f"final = 0 AND {PARTS_OUT['postgresql']}"),
    ),
)
"""Texts out. The body is gone at the final state; the row is swept by updated_at. `version` and `rate_key` are what its price
was held by, as in `usage`; `promised` says by which allowances its covered parts are promised (msgpack)."""

awaited_receipts = Table(
    "awaited_receipts",
    metadata,
    Column("link", String(64), nullable=False),
    Column("message_id", String(65), nullable=False),
    Column("text_id", BigInteger, nullable=False),
    Column("part", SmallInteger, nullable=False),
    Column("destination", String(21), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("message_id", "link", "text_id", "part"),
    sqlite_with_rowid=False,
)
"""Which texts, and to whom, a message id belongs to, until their receipts have come; `link` is the SMSC (host:port). Swept by
created_at."""

early_receipts = Table(
    "early_receipts",
    metadata,
    Column("link", String(64), nullable=False),
    Column("message_id", String(65), nullable=False),
    Column("destination", String(21), nullable=False),
    Column("stated", String(65), nullable=False),
    Column("state", String(10), nullable=False),
    Column("error", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("link", "message_id", "destination"),
    Index("ix_early_receipts_message_id", "message_id"),
)
"""Receipts that came before the answer to their submit_sm. Swept by created_at."""

segments = Table(
    "segments",
    metadata,
    Column("link", String(64), nullable=False),
    Column("source", String(21), nullable=False),
    Column("destination", String(21), nullable=False),
    Column("reference", Integer, nullable=False),
    Column("total", SmallInteger, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("link", "source", "destination", "reference", "total", "number"),
)
"""Parts of texts in that are not whole yet; `link` is the SMSC they came from. Swept by created_at."""

arrivals = Table(
    "arrivals",
    metadata,
    Column("source", String(21), primary_key=True),
    Column("node", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("remembered", LargeBinary, nullable=False),
)
"""What is remembered of a number whose texts came lately (messaging.inbound.senders.Sender): its texts, to know a redelivery
by, and its answers. `node` took the last one, at `at`. Swept by at."""

questions = Table(
    "questions",
    metadata,
    Column("msisdn", String(21), nullable=False),
    Column("short_code", String(21), nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("cause", LargeBinary, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger),
    PrimaryKeyConstraint("msisdn", "short_code"),
)
"""The one question that is open to a customer at a short code, such as `Reply YES to give`; `subscriber_id` is who was asked,
`cause` is sealed. Swept by expires_at."""

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("msisdn", String(21), nullable=False),
    Column("short_code", String(21), nullable=False),
    Column("since", BigInteger, nullable=False),
    PrimaryKeyConstraint("msisdn", "short_code"),
)
"""Who said STOP to which short code. Never swept."""
