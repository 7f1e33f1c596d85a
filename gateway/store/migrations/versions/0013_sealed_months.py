"""Which months of an SQLite store stand in files of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
compatible_from = "0012"  # until a month is sealed, which raises the store's mark (store.sealed_months.units)
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create their table."""
    op.create_table(
        "sealed_files",
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("content", sa.String(16), nullable=False),
        sa.Column("file", sa.String(64), nullable=False),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("amounts", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_to", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("dropped_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("period", "content", name=op.f("pk_sealed_files")),
    )
