"""Charging: sessions, their answers, what was used, and reports that are held."""

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

sessions = Table(
    "sessions",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("session_id", Text, nullable=False, unique=True),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("node", Integer, nullable=False),
    Column("peer", String(255), nullable=False),
    Column("origin_host", String(255), nullable=False),
    Column("service", String(8), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("answers_kept", SmallInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("groups", LargeBinary, nullable=False),
    Index(
        "ix_sessions_open",
        "expires_at",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    Index(
        "ix_sessions_closed",
        "closed_at",
        sqlite_where=text("answers_kept = 1"),
        postgresql_where=text("answers_kept = 1"),
    ),
    Index(
        "ix_sessions_finished",
        "closed_at",
        sqlite_where=text("answers_kept = 0"),
        postgresql_where=text("answers_kept = 0"),
    ),
)
"""Credit-control sessions; `groups` is what each rating group used and holds (charging.session.Group). Swept by closed_at."""

answers = Table(
    "answers",
    metadata,
    Column("session", BigInteger, nullable=False),
    Column("request_type", SmallInteger, nullable=False),
    Column("request_number", BigInteger, nullable=False),
    Column("digest", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("session", "request_type", "request_number"),
    sqlite_with_rowid=False,
)
"""What each request that changed something came to, so that a repeat is answered alike; `body` is the outcome as
charging.outcome encodes it, or the rendered answer where an earlier version wrote it. Swept with its closed session."""

usage = Table(
    "usage",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("event_at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger, nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("service", String(8), nullable=False),
    Column("rating_group", BigInteger),
    Column("octets", BigInteger, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("plan", String(64), nullable=False),
    Column("version", Integer),
    Column("rate_key", Text),
    Column("rated_before", BigInteger),
    Column("covered", BigInteger),
    Column("capped", BigInteger),
    Column("allowance_id", BigInteger),
)
"""A row for each Used-Service-Unit of each report. `version` is the plan as it was (`versions`), `rate_key` which of its rates
counted (rating.rate_keys), `rated_before` the units that its session was charged for before it in the same rating group, and
`covered` how many of its own were those of allowances: the price follows from these, less what is `capped`, over a cap or a
limit. `allowance_id` is the first of the allowances; what others covered, entries of theirs say. They are missing where the row
is older than versions; a use without a plan, such as an emergency call, has no version. Swept by event_at; on PostgreSQL
partitioned by its month (store.months), on SQLite moved with the journal (store.sealed_months)."""

held_reports = Table(
    "held_reports",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("reason", String(16), nullable=False),
    Column("state", String(8), nullable=False),
    Column("arrived_at", BigInteger, nullable=False),
    Column("event_at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger),
    Column("imsi", Text),
    Column("msisdn", Text),
    Column("session_id", Text, nullable=False),
    Column("origin_host", String(255), nullable=False),
    Column("peer", String(255), nullable=False),
    Column("request_type", SmallInteger, nullable=False),
    Column("request_number", BigInteger, nullable=False),
    Column("service", String(8), nullable=False),
    Column("traffic", String(8), nullable=False),
    Column("rating_group", BigInteger),
    Column("octets", String(20), nullable=False),
    Column("seconds", String(20), nullable=False),
    Column("units", String(20), nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", String(64), nullable=False),
    Column("note", String(255), nullable=False),
    Column("usage_id", BigInteger),
    Index("ix_held_reports_open", "id", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
)
"""Reported units that could not be booked, until somebody books or drops them (charging.held_reports); outside every total.
Octets, seconds and units are decimal text: a report may name any Unsigned64. A decided one is swept as usage is."""
