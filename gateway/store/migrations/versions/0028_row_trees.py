"""Trees of rows under the seals: what is kept of each sealed day's tree, and its root beside the head (decision 060).

Beside them stands which bills samples have told of, from now on. A program of before would take seals with a tree for false,
and draw samples that nobody counts: it may not write these tables. The first tree covers what was booked before it, too.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store.append_only import add

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and the root to seals."""
    op.add_column("seals", sa.Column("rows", sa.LargeBinary()))
    op.create_table(
        "row_trees",
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.Column("roots", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("node", "day", name=op.f("pk_row_trees")),
    )
    add(op.get_bind(), ("row_trees",))
    op.create_table(
        "audited_bills",
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", "bill_id", name=op.f("pk_audited_bills")),
    )
