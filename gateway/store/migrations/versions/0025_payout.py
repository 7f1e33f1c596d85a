"""The life of the tenth: months that were confirmed, what stands in which state, payments to causes and their bank details.

A program of before would not know the accounts of the states, so that it may not write these tables.
"""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.constraints import constrain

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and let the journal take the kinds of entries that move the tenth on."""
    _months()
    _payments()
    _registers()
    constrain(op.get_bind())


def _months() -> None:
    op.create_table(
        "charity_months",
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", name="pk_charity_months"),
    )
    op.create_table(
        "charity_month_sums",
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("stream", sa.String(8), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("accrued", sa.BigInteger(), nullable=False),
        sa.Column("unpaid", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", "stream", "cause", "currency", name="pk_charity_month_sums"),
    )
    op.create_table(
        "cause_sums",
        sa.Column("stream", sa.String(8), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("moved", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), nullable=False),
        sa.Column("payable", sa.BigInteger(), nullable=False),
        sa.Column("instructed", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("handed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "cause", "currency", name="pk_cause_sums"),
    )


def _payments() -> None:
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "payouts",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("maker", sa.String(64), nullable=False),
        sa.Column("format", sa.String(20), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("file", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("approver", sa.String(64)),
        sa.Column("approved_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_payouts"),
    )
    op.create_index("ix_payouts_sha256", "payouts", ["sha256"])
    op.create_table(
        "cause_payments",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("payout_id", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.String(8), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("details_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(4), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cause_payments"),
    )
    op.create_index("ix_cause_payments_payout_id", "cause_payments", ["payout_id"])
    op.create_table(
        "bank_details",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("proposed_by", sa.String(64), nullable=False),
        sa.Column("approved_at", sa.BigInteger()),
        sa.Column("approved_by", sa.String(64)),
        sa.Column("valid_from", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_bank_details"),
    )
    op.create_index("ix_bank_details_cause", "bank_details", ["cause", "currency"])


def _registers() -> None:
    op.create_table(
        "bank_lines",
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("identity", name="pk_bank_lines"),
    )
    op.create_table(
        "charity_balances",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "currency", name="pk_charity_balances"),
    )
    op.create_table(
        "register_entries",
        sa.Column("regulator", sa.String(8), nullable=False),
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("extracted_on", sa.String(10), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("regulator", "number", name="pk_register_entries"),
    )
    op.create_table(
        "profit_shares",
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("basis", sa.String(8), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.PrimaryKeyConstraint("period", name="pk_profit_shares"),
    )
