"""What comes into the charity account is booked, and customers of closed causes are asked (decision 059).

A program of before may go on: it books none of this, and its check names what others booked of it as unknown.
"""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.constraints import constrain

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None
compatible_from = "0026"


def upgrade() -> None:
    """Create the tables, and let the journal have the new kinds."""
    op.create_table(
        "closed_causes",
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cause", name="pk_closed_causes"),
    )
    op.create_table(
        "closed_cause_marks",
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger()),
        sa.Column("done", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cause", "shard", name="pk_closed_cause_marks"),
    )
    constrain(op.get_bind())
