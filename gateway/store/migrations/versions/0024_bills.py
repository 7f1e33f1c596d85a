"""Bills: the closes of months, bills and credit notes, how lines stand with them, and what became of them.

A program of before books what a bill has to have as well as any, and knows no bill: it may go on. It leaves payments of bills
and dunning to those of now.
"""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.constraints import constrain
from gateway.store.append_only import add

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None
compatible_from = "0023"


def upgrade() -> None:
    """Create the tables; the first close of a store bills everything that was booked before its end."""
    _create_closes()
    _create_bills()
    _create_accounts()
    op.create_table(
        "bill_events",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reference", sa.Text()),
        sa.Column("payment", sa.Text()),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bill_events"),
    )
    op.create_index("ix_bill_events_subscriber_id", "bill_events", ["subscriber_id"])
    op.create_index("ix_bill_events_reference", "bill_events", ["reference"])
    add(op.get_bind(), ("bills", "bill_events"))
    constrain(op.get_bind())


def _create_closes() -> None:
    op.create_table(
        "bill_closes",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("cut", sa.Text(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("bills", sa.BigInteger(), nullable=False),
        sa.Column("credit_notes", sa.BigInteger(), nullable=False),
        sa.Column("sums", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("begun_by", sa.String(64), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("reopening_by", sa.String(64), nullable=False),
        sa.Column("reopened_by", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bill_closes"),
    )
    op.create_index("uq_bill_closes_period", "bill_closes", ["period", "revision"], unique=True)


def _create_bills() -> None:
    op.create_table(
        "bills",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("series", sa.String(8), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("close_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("opening", sa.BigInteger(), nullable=False),
        sa.Column("closing", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("replaces", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_bills"),
    )
    op.create_index("uq_bills_number", "bills", ["series", "number"], unique=True)
    op.create_index("ix_bills_subscriber_id", "bills", ["subscriber_id"])


def _create_accounts() -> None:
    op.create_table(
        "bill_accounts",
        sa.Column("subscriber_id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("close_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("closing", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("arrears", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("arrears_due_at", sa.BigInteger()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("subscriber_id", name="pk_bill_accounts"),
    )
    awaited = sa.text("next_at IS NOT NULL")
    op.create_index(
        "ix_bill_accounts_next", "bill_accounts", ["next_at"], sqlite_where=awaited, postgresql_where=awaited
    )


def _identifier() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
