"""Bills, the closes that made them, and what became of them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from gateway.store.tables.columns import IDENTIFIER, metadata

bill_closes = Table(
    "bill_closes",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("period", String(7), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("node", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("cut", Text, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("bills", BigInteger, nullable=False),
    Column("credit_notes", BigInteger, nullable=False),
    Column("sums", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("begun_by", String(64), nullable=False),
    Column("closed_at", BigInteger),
    Column("reopening_by", String(64), nullable=False),
    Column("reopened_by", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Index("uq_bill_closes_period", "period", "revision", unique=True),
)
"""The closes of months (billing.closing), each with what its bills have: entries and usage numbered up to `cut` (JSON, by node)
with an event before `until`, that no close before it has. `after` is the last subscriber who was billed while its `state` is
running; `sums` what its bills come to by currency (JSON). `revision` grows with each reopening: who asked for it, who
confirmed it, and why, stands with the close that was reopened. Never swept."""

bills = Table(
    "bills",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("series", String(8), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("close_id", BigInteger, nullable=False),
    Column("period", String(7), nullable=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("opening", BigInteger, nullable=False),
    Column("closing", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("given", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("replaces", BigInteger),
    Index("uq_bills_number", "series", "number", unique=True),
)
"""Bills and credit notes, append-only, each series numbered without a gap. `content` is what moved the wallet between `opening`
and `closing`, and what was used (billing.content, msgpack); `given` the tenth of it. A credit note `replaces` the bill that it
takes back, and so does the bill that takes its place. Never swept."""

audited_bills = Table(
    "audited_bills",
    metadata,
    Column("period", String(7), nullable=False),
    Column("bill_id", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("period", "bill_id"),
)
"""The bills of a month that samples without causes have told of (billing.packs.samples), so that all of them together tell of
no more than one may. Never swept."""

bill_accounts = Table(
    "bill_accounts",
    metadata,
    Column("subscriber_id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("bill_id", BigInteger, nullable=False),
    Column("close_id", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("closing", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("arrears", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("arrears_due_at", BigInteger),
    Column("state", String(12), nullable=False),
    Column("state_at", BigInteger, nullable=False),
    Column("next_at", BigInteger),
    Index(
        "ix_bill_accounts_next",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL"),
    ),
)
"""How each line stands with its bills: its latest one, what is `due` of it, how much of that stood on bills before it
(`arrears`, due since `arrears_due_at`), and its place in dunning (billing.dunning), which is looked at again at `next_at`.
Never swept."""

bill_events = Table(
    "bill_events",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("event", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reference", Text, index=True),
    Column("payment", Text),
    Column("actor", String(64), nullable=False),
)
"""What became of a line's bills: payments (`reference` is the payer's, `payment` the one that `payments` has), what a bank took
back, and each step of dunning; append-only. Never swept."""
