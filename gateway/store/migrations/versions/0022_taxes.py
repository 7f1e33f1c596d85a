"""Taxes: where a line is taxed, the tax within the prices of each day, and what is added to a month's (decision 053).

A program of before would not know the rows that prove them, nor keep a line's former version of its plan: it may not write the
store any more.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store.append_only import add

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "tax_areas",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(2), nullable=False),
        sa.Column("zip", sa.String(5), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_areas")),
    )
    op.create_index(op.f("ix_tax_areas_subscriber_id"), "tax_areas", ["subscriber_id"])
    op.create_table(
        "tax_days",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("sums", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_days")),
    )
    op.create_index("uq_tax_days_node", "tax_days", ["node", "day"], unique=True)
    op.create_table(
        "added_taxes",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("charges", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("state", sa.String(2), nullable=False),
        sa.Column("zip", sa.String(5), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_added_taxes")),
    )
    op.create_index("uq_added_taxes_node", "added_taxes", ["node", "period", "subscriber_id"], unique=True)
    add(op.get_bind(), ("tax_areas", "tax_days", "added_taxes"))


def _identifier() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
