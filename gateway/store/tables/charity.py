"""Giving: what is published, gifts, the life of the tenth, payments to causes."""

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
each one's part (msgpack: subscriber -> micro-units, sealed). Written anew with each month."""

gifts = Table(
    "gifts",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("cause", LargeBinary, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("state", String(10), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Index("uq_gifts_reference", "channel", "reference", unique=True),
    Index("ix_gifts_held", "due_at", sqlite_where=text("state = 'held'"), postgresql_where=text("state = 'held'")),
)
"""Gifts beside the tenth (balance.gifts), from when they were asked for: held until `due_at`, then given, unless they were
withdrawn or the money was gone. `cause` is sealed; a channel's reference is taken once. Never swept."""

matched_sums = Table(
    "matched_sums",
    metadata,
    Column("campaign", String(64), primary_key=True),
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
)
"""What each campaign matched so far (balance.matching), locked as it grows: never above its cap. Never swept."""

gift_aid_declarations = Table(
    "gift_aid_declarations",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("declared_at", BigInteger, nullable=False),
    Column("covers_from", BigInteger, nullable=False),
    Column("details", LargeBinary, nullable=False),
    Column("channel", String(32), nullable=False),
    Column("wording", String(64), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("cancelled_at", BigInteger),
)
"""Gift Aid declarations (charity.gift_aid): `details` are the cause, and name and home address of the person, sealed; `wording`
the version of HMRC's words that the person agreed to. For gifts alone: the tenth is the company's. Never swept."""

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
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
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
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
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
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
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

closed_causes = Table(
    "closed_causes",
    metadata,
    Column("cause", String(64), primary_key=True),
    Column("closed_at", BigInteger, nullable=False),
)
"""Causes that are closed and have no successor (charity.closed_causes), and since when; not any more once that has changed."""

closed_cause_marks = Table(
    "closed_cause_marks",
    metadata,
    Column("cause", String(64), nullable=False),
    Column("shard", Integer, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("asked_at", BigInteger),
    Column("done", SmallInteger, nullable=False),
    PrimaryKeyConstraint("cause", "shard"),
)
"""How far the customers of a closed cause were asked, shard by shard: all that are numbered up to `after`, and when the last
one was, if anybody. No row says who: that would say whose cause it was. Gone with the closed cause."""

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
