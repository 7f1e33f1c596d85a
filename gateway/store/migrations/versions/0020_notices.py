"""What lines spend and the limits on it, the notices that customers are sent, and the lines whose use passed a fraud limit.

A program of before would not count what it charges, so that it may not write these tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the three tables; a store with entries says since when wallets count."""
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    connection = op.get_bind()
    last = connection.execute(sa.text("SELECT max(at) FROM transfers")).scalar()
    if last is not None:
        mark = sa.text("INSERT INTO marks (node, name, value) VALUES (0, :name, :value)")
        connection.execute(mark, {"name": "spending.counted_since", "value": last + 1})
    op.add_column("wallets", sa.Column("spending", sa.LargeBinary()))
    op.create_table(
        "bill_limits",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("wording", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bill_limits"),
    )
    op.create_index("ix_bill_limits_subscriber_id", "bill_limits", ["subscriber_id"])
    op.create_table(
        "notices",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("period", sa.String(24), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("wording", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_subscriber_id", "notices", ["subscriber_id"])
    op.create_table(
        "fraud_cases",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("measured", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("barred", sa.SmallInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("decided_by", sa.String(64), nullable=False),
        sa.Column("note", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fraud_cases"),
    )
    op.create_index("ix_fraud_cases_subscriber_id", "fraud_cases", ["subscriber_id"])
    still_open = sa.text("state = 'open'")
    op.create_index("ix_fraud_cases_open", "fraud_cases", ["id"], sqlite_where=still_open, postgresql_where=still_open)
