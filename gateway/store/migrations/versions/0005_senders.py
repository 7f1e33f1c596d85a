"""Texts in are remembered a row a source, with its answers; a question belongs to a subscriber."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew: what it held is of use for an hour, and cannot be told by source."""
    op.drop_table("arrivals")
    op.create_table(
        "arrivals",
        sa.Column("source", sa.String(length=21), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("remembered", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_arrivals")),
    )
    op.add_column("questions", sa.Column("subscriber_id", sa.BigInteger(), nullable=True))
