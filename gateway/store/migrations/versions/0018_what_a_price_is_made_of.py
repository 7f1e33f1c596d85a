"""Usage says what its price is made of; wallets count what limits by day and month go by.

What was priced before says nothing: its rate is the plan's by service and rating group, as far as that is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; each has a default, so that no row is written anew."""
    op.add_column("usage", sa.Column("rate_key", sa.String(160), nullable=False, server_default=sa.text("''")))
    for name in ("covered", "rated_before", "capped"):
        op.add_column("usage", sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("texts", sa.Column("rate_key", sa.String(160), nullable=False, server_default=sa.text("''")))
    op.add_column("wallets", sa.Column("counters", sa.LargeBinary))
