"""Usage reports that wait for a decision, and payments whose references are booked once for ever."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables; the references of top-ups that were booked so far hold for every channel."""
    op.create_table(
        "held_reports",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("event_at", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=True),
        sa.Column("imsi", sa.Text(), nullable=True),
        sa.Column("msisdn", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("origin_host", sa.String(length=255), nullable=False),
        sa.Column("peer", sa.String(length=255), nullable=False),
        sa.Column("request_type", sa.SmallInteger(), nullable=False),
        sa.Column("request_number", sa.BigInteger(), nullable=False),
        sa.Column("service", sa.String(length=8), nullable=False),
        sa.Column("traffic", sa.String(length=8), nullable=False),
        sa.Column("rating_group", sa.BigInteger(), nullable=True),
        sa.Column("octets", sa.String(length=20), nullable=False),
        sa.Column("seconds", sa.String(length=20), nullable=False),
        sa.Column("units", sa.String(length=20), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=255), nullable=False),
        sa.Column("usage_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_reports")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_held_reports_fingerprint")),
    )
    op.create_index(
        "ix_held_reports_open",
        "held_reports",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "payments",
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "reference", name=op.f("pk_payments")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO payments (channel, reference, subscriber_id, amount, currency, at) "
        "SELECT '', t.reference, t.credit, t.amount, t.currency, t.at FROM transfers t JOIN ("
        "SELECT min(id) AS id FROM transfers WHERE kind = 'topup' AND reference IS NOT NULL GROUP BY reference"
        ") AS first ON first.id = t.id"
    )
