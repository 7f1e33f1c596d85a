"""What customers prefer: the language that they are written to in, and bills without single calls (decision 061).

A program of before leaves the table alone: it writes in the operator's language, and may go on with the store.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "preferences",
        sa.Column("subscriber_id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("itemised", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_preferences")),
    )


def _identifier() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
