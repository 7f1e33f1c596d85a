"""Trees of rows under the seals: what is kept of each sealed day's tree, and its root beside the head (decision 060).

A program of before seals days without a tree: the first seal of one that makes them covers what was booked since.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store.append_only import add

revision = "0028"
down_revision = "0026"
branch_labels = None
depends_on = None
compatible_from = "0026"


def upgrade() -> None:
    """Add the table, and the root to seals."""
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
