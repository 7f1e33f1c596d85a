"""Customers: their numbers, plans, choices and limits, and what they were told."""

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

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("status", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""A customer's line as the gateway knows it: an opaque id that is never reused."""

lines = Table(
    "lines",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("value", String(32), nullable=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Index("ix_lines_value", "value"),
    Index(
        "uq_lines_current",
        "kind",
        "value",
        unique=True,
        sqlite_where=text("valid_to IS NULL"),
        postgresql_where=text("valid_to IS NULL"),
    ),
)
"""Which MSISDN, IMSI and ICCID belonged to whom, and when; `kind` is msisdn, imsi or iccid."""

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("plan", String(64), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
)
"""Which plan a subscriber had from when on."""

choices = Table(
    "sealed_choices",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("cause", LargeBinary, nullable=False),
    Column("share", Integer, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("consent_at", BigInteger),
    Column("consent_channel", String(32)),
    Column("consent_wording", String(64)),
)
"""Which causes a subscriber chose from when on; `share` in basis points; the rows of one `valid_from` are one choice. `cause`
is sealed (charity.sealed_causes). `consent_*` say when, by which channel and to which version of what was asked the customer
agreed; empty where the choice is older than these."""

tax_areas = Table(
    "tax_areas",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("state", String(2), nullable=False),
    Column("zip", String(5), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
)
"""Where a subscriber's line is taxed from when on, for plans to whose prices tax is added, append-only. Never swept."""

preferences = Table(
    "preferences",
    metadata,
    Column("subscriber_id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("language", String(2), nullable=False),
    Column("itemised", SmallInteger, nullable=False),
)
"""How a customer wants to be written to (balance.preferences): the language, empty for the operator's, and whether bills tell
of calls one by one. A line without a row has said nothing. `subscriber_history` says who changed it and why. Never swept."""

families = Table(
    "families",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, nullable=False, index=True),
    Column("payer_id", BigInteger, nullable=False, index=True),
    Column("cap", BigInteger),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
)
"""Whose wallet pays, or paid, for a line beside its own (balance.families): at most `cap` micro-units a calendar month, None
without a cap. One row a member has no `until`. Never swept."""

bill_limits = Table(
    "bill_limits",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("what", String(8), nullable=False),
    Column("decision", String(8), nullable=False),
    Column("amount", BigInteger),
    Column("period", String(7), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("wording", String(64), nullable=False),
    Column("actor", String(64), nullable=False),
)
"""What customers decided about their limits (balance.bill_limits): `what` is bill or abroad, `decision` set, removed or agreed,
`period` the month that an agreement is for, `wording` the version of what they were asked. Never swept: it is the evidence."""

notices = Table(
    "notices",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("kind", String(24), nullable=False),
    Column("period", String(24), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("language", String(2), nullable=False),
    Column("wording", String(16), nullable=False),
)
"""Notices that customers were sent (notices.kinds): `id` is the text's. Swept by at."""

fraud_cases = Table(
    "fraud_cases",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(8), nullable=False),
    Column("found_at", BigInteger, nullable=False),
    Column("measured", BigInteger, nullable=False),
    Column("threshold", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("barred", SmallInteger, nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", String(64), nullable=False),
    Column("note", String(255), nullable=False),
    Index("ix_fraud_cases_open", "id", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
)
"""Lines whose use passed a fraud limit (fraud.cases), until somebody clears each. `measured` and `threshold` are micro-units of
`currency`, or counts where that is empty. A cleared one is swept as usage is."""

subscriber_history = Table(
    "subscriber_history",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("change", String(12), nullable=False),
    Column("before", String(64), nullable=False),
    Column("after", String(64), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("order_id", BigInteger),
)
"""Changes of a subscriber's plan or number (masked here, in full in `lines`), by whom and why. Never swept."""

erasures = Table(
    "erasures",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("actor", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
)
"""Customers of whom nothing is kept that says who they were (subscribers.erasure), when, by whom and why. Never swept."""
