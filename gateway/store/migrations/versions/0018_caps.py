"""Usage says what a cap or a limit took off its price; wallets count what these go by, by day and month.

A program of before leaves both empty: it knows no caps, and nothing was taken off.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("usage", sa.Column("capped", sa.BigInteger, nullable=True))
    op.add_column("wallets", sa.Column("counters", sa.LargeBinary, nullable=True))
