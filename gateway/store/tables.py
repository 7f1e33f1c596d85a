"""Every table of the gateway, in one dialect-neutral text.

Times are UTC microseconds since 1970. Money is in micro-units, 1/1,000,000 of the currency's major unit. Identifiers come
from the node's own number range (`nodes.py`), so that a batch needs no round trip to learn them. Each table says by which
column it is swept.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

_Identifier = BigInteger().with_variant(Integer(), "sqlite")
"""An INTEGER PRIMARY KEY is what SQLite itself finds a row by; a BIGINT would be an index beside it."""

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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

publications = Table(
    "publications",
    metadata,
    Column("period", String(7), primary_key=True),
    Column("node", Integer, nullable=False),
    Column("published_at", BigInteger, nullable=False),
)
"""The months whose public-safe sums are published, by which gateway: one row a month for the whole store. Never swept."""

public_sums = Table(
    "public_sums",
    metadata,
    Column("period", String(7), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("period", "cause", "currency"),
)
"""The figures of giving that were published (charity.public_sums), whole units of the currency. Never swept."""

unpublished_sums = Table(
    "unpublished_sums",
    metadata,
    Column("cause", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("parts", LargeBinary, nullable=False),
    PrimaryKeyConstraint("cause", "currency"),
)
"""What was given until the last published month and is in no figure yet: rests of whole units, and sums of too few givers with
each one's part (msgpack: subscriber -> micro-units). Written anew with each month."""

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
created_at, but for the scope `import`: an opening balance is booked once for ever. What it was stands here as digests only."""

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("status", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""A customer's line as the gateway knows it: an opaque id that is never reused."""

lines = Table(
    "lines",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("plan", String(64), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
)
"""Which plan a subscriber had from when on."""

choices = Table(
    "choices",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("cause", String(64), nullable=False),
    Column("share", Integer, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
)
"""Which causes a subscriber chose from when on; `share` in basis points; the rows of one `valid_from` are one choice."""

wallets = Table(
    "wallets",
    metadata,
    Column("subscriber_id", _Identifier, primary_key=True, autoincrement=False),
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

tax_areas = Table(
    "tax_areas",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("state", String(2), nullable=False),
    Column("zip", String(5), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
)
"""Where a subscriber's line is taxed from when on, for plans to whose prices tax is added, append-only. Never swept."""

tax_days = Table(
    "tax_days",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

families = Table(
    "families",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, nullable=False, index=True),
    Column("payer_id", BigInteger, nullable=False, index=True),
    Column("cap", BigInteger),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
)
"""Whose wallet pays, or paid, for a line beside its own (balance.families): at most `cap` micro-units a calendar month, None
without a cap. One row a member has no `until`. Never swept."""

accounts = Table(
    "accounts",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False, unique=True),
)
"""System accounts by name; a wallet's account number is its subscriber's id and has no row here."""

transfers = Table(
    "transfers",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

sessions = Table(
    "sessions",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

reratings = Table(
    "reratings",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

held_reports = Table(
    "held_reports",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("cause", String(64), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger),
    PrimaryKeyConstraint("msisdn", "short_code"),
)
"""The one question that is open to a customer at a short code, such as `Reply YES to give`; `subscriber_id` is who was asked.
Swept by expires_at."""

bill_limits = Table(
    "bill_limits",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

bill_closes = Table(
    "bill_closes",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

bill_accounts = Table(
    "bill_accounts",
    metadata,
    Column("subscriber_id", _Identifier, primary_key=True, autoincrement=False),
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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("msisdn", String(21), nullable=False),
    Column("short_code", String(21), nullable=False),
    Column("since", BigInteger, nullable=False),
    PrimaryKeyConstraint("msisdn", "short_code"),
)
"""Who said STOP to which short code. Never swept."""

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
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

subscriber_history = Table(
    "subscriber_history",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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

orders = Table(
    "orders",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
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
"""Orders and what became of each of their steps (provisioning.orders). `request` tells the cause beside the number only until
the order has ended. Swept by updated_at once they are not open."""

evidence = Table(
    "evidence",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("rows", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
)
"""The links of each node's chain (store.evidence), without a gap: the identifier is the node's number above the link's in its
chain. `rows` are identifiers and digests of what a batch wrote, `head` commits to them and to all links before. Never swept."""

chains = Table(
    "chains",
    metadata,
    Column("node", _Identifier, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),
)
"""The last link of each node's chain; `proof` is made with the key of evidence, and stands nowhere else. Never swept."""

seals = Table(
    "seals",
    metadata,
    Column("node", Integer, nullable=False),
    Column("day", String(10), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("node", "day"),
)
"""The last link of each day in UTC, signed (ledger.seals); what left the house says the same. Never swept."""

releases = Table(
    "releases",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("content", String(16), nullable=False),
    Column("node", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""What may be missed, or unproved (store.releases): `usage` up to a day of use whose retention is over, a choice of a customer
who was erased, and rows in files that were sealed before there was evidence, up to a node's number. Never swept."""

erasures = Table(
    "erasures",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("actor", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
)
"""Customers of whom nothing is kept that says who they were (subscribers.erasure), when, by whom and why. Never swept."""

access_log = Table(
    "access_log",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subscriber_id", BigInteger),
)
"""Who looked at who gave to whom (privacy right `causes`), and at whose choice. Swept by at."""

charity_months = Table(
    "charity_months",
    metadata,
    Column("period", String(7), primary_key=True),
    Column("node", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""Months whose tenths were confirmed (charity.confirmation), by which gateway: what was booked before `until`. Never swept."""

charity_month_sums = Table(
    "charity_month_sums",
    metadata,
    Column("period", String(7), nullable=False),
    Column("stream", String(8), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("accrued", BigInteger, nullable=False),
    Column("unpaid", BigInteger, nullable=False),
    Column("confirmed", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    PrimaryKeyConstraint("period", "stream", "cause", "currency"),
)
"""What a month's confirmation came to by cause: all that had accrued until its end, what of it was unpaid then, and what this
month confirmed and made payable (below zero: took back). Never swept."""

cause_sums = Table(
    "cause_sums",
    metadata,
    Column("stream", String(8), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("moved", BigInteger, nullable=False),
    Column("confirmed", BigInteger, nullable=False),
    Column("payable", BigInteger, nullable=False),
    Column("instructed", BigInteger, nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("handed", BigInteger, nullable=False),
    PrimaryKeyConstraint("stream", "cause", "currency"),
)
"""What stands in each state of the tenth and of gifts (charity.standings): sums of the journal, and checked as such."""

payouts = Table(
    "payouts",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("period", String(7), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("maker", String(64), nullable=False),
    Column("format", String(20), nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("file", LargeBinary, nullable=False),
    Column("state", String(10), nullable=False),
    Column("approver", String(64)),
    Column("approved_at", BigInteger),
)
"""Payment files to causes: who made and who approved one, by its hash; the file is sealed, as it has bank details. One that is
made and not approved is replaced by the next. Never swept."""

cause_payments = Table(
    "cause_payments",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("payout_id", BigInteger, nullable=False, index=True),
    Column("stream", String(8), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("details_id", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("state_at", BigInteger, nullable=False),
    Column("reason", String(4), nullable=False),
)
"""Payments of payment files, one a cause and stream, and what became of each (charity.payouts). Never swept."""

bank_details = Table(
    "bank_details",
    metadata,
    Column("id", _Identifier, primary_key=True, autoincrement=False),
    Column("cause", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("approved_at", BigInteger),
    Column("approved_by", String(64)),
    Column("valid_from", BigInteger),
    Index("ix_bank_details_cause", "cause", "currency"),
)
"""To which account a cause is paid from `valid_from` on, sealed; who proposed it and who approved it. Never swept."""

bank_lines = Table(
    "bank_lines",
    metadata,
    Column("identity", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("outcome", String(10), nullable=False),
)
"""Lines of the charity account's statements that moved a payment, so that each does once. Never swept."""

charity_balances = Table(
    "charity_balances",
    metadata,
    Column("day", String(10), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "currency"),
)
"""What the charity account stood at at the end of a day, as its bank says. Never swept."""

register_entries = Table(
    "register_entries",
    metadata,
    Column("regulator", String(8), nullable=False),
    Column("number", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("extracted_on", String(10), nullable=False),
    Column("imported_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("regulator", "number"),
)
"""What charity registers say of our causes' numbers, as of an extract's day (charity.register). Written anew with each."""

profit_shares = Table(
    "profit_shares",
    metadata,
    Column("period", String(7), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("basis", String(8), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("share", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
)
"""Profit shares that were booked: of which amount on which basis. Never swept."""
