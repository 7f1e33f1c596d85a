"""The books: accounts, the journal, wallets and allowances, payments, taxes."""

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

wallets = Table(
    "wallets",
    metadata,
    Column("subscriber_id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("currency", String(3), nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("bundle", LargeBinary),
    Column("given", BigInteger, nullable=False, server_default=text("0")),
    Column("counters", LargeBinary),
    Column("spending", LargeBinary),
    Column("due_at", BigInteger),
    Index(
        "ix_wallets_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)
"""The only stored balances. `bundle` holds what is left of the allowances of this subscriber, and how they are renewed:
balance.wallets.Holdings; `given` is the tenth that accrued on its charges and sales so far, of whatever cause. `due_at` is when
something of it ends or is renewed next; `counters` what was used up of limits by day and month (JSON);
`spending` what its line was charged lately and what limits that (balance.spending.Spending)."""

tax_days = Table(
    "tax_days",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("node", Integer, nullable=False),
    Column("day", String(10), nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("versions", Text, nullable=False),
    Column("sums", Text, nullable=False),
    Index("uq_tax_days_node", "node", "day", unique=True),
)
"""The tax within the prices of a day's bookings (ledger.tax_days), append-only: one row a shard and day. `node` is the shard,
whose entries numbered above `after` and at most `upto` it is of; `versions` are those of the taxes it went by (JSON), `sums`
what was charged at each rate, and the tax that was booked of it (JSON). Never swept."""

added_taxes = Table(
    "added_taxes",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("node", Integer, nullable=False),
    Column("period", String(7), nullable=False),
    Column("subscriber_id", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("charges", BigInteger, nullable=False),
    Column("plan", String(64), nullable=False),
    Column("state", String(2), nullable=False),
    Column("zip", String(5), nullable=False),
    Column("versions", Text, nullable=False),
    Column("lines", Text, nullable=False),
    Index("uq_added_taxes_node", "node", "period", "subscriber_id", unique=True),
)
"""The taxes that were added to what a line was charged in a month (ledger.added_taxes), append-only: one row a shard, month and
line, and one with the subscriber 0 once a month is done. `versions` are those of the taxes (JSON), `lines` what they came to
(JSON). Never swept."""

allowance_entries = Table(
    "allowance_entries",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("allowance_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("service", String(8), nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("event_at", BigInteger, nullable=False),
    Column("usage_id", BigInteger),
    Column("reference", Text),
    Column("plan", String(64)),
    Column("ends_at", BigInteger),
)
"""What moved the units of allowances (balance.allowance_entries), append-only; what a usage record says itself stands there.
Never swept."""

accounts = Table(
    "accounts",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False, unique=True),
)
"""System accounts by name; a wallet's account number is its subscriber's id and has no row here."""

transfers = Table(
    "transfers",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("event_at", BigInteger, nullable=False),
    Column("usage_id", BigInteger),
    Column("base", BigInteger),
    Column("policy", String(16)),
    Column("share", Integer),
    Column("reference", Text),
)
"""The journal, append-only. A row is one double entry: it debits one account and credits another by the same amount, so that
the whole sums to zero by its shape. An accrual also carries what it was computed from: base, policy and share. On PostgreSQL
partitioned by the month of `at` (store.months); on SQLite months that are over may stand in files of their own
(store.sealed_months)."""

reratings = Table(
    "reratings",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("record_id", BigInteger, nullable=False),
    Column("replaces", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("price_before", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Index("uq_reratings_record_id", "record_id", "replaces", unique=True),
)
"""Usage that was priced anew (charging.rerate), by which version of its plan, and who had it done: the row of the usage stays
as it was. `record_id` is the usage, or the number of the sale of a bundle; `replaces` is the rerating before it, 0 where there
was none. Never swept."""

payments = Table(
    "payments",
    metadata,
    Column("channel", String(64), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("subscriber_id", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("id", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("channel", "reference"),
    Index("uq_payments_id", "id", unique=True),
    sqlite_with_rowid=False,
)
"""Money that came in, by the channel that took it and the channel's own reference: each is booked once, for ever. Never swept.
It is proved by its `id`.
The channel `` has the references of before 2026-12, which hold for every channel."""
