"""What lets the journal grow: on PostgreSQL it and usage are partitioned; each wallet says what was given of it.

On PostgreSQL `transfers` and `usage` become partitioned tables; what they have is the default partition, and no row is moved.
Their months begin later (gateway.store.partitioning). SQLite has no partitions.
What each wallet gave so far is summed from the journal once, which is read for that, in the time of a `tpo ledger check`.
A program of before would not add to it, so that it may not write these tables.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store.engine import join_whole_tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sum what was given, then put a partitioned table in the place of each, with the same columns."""
    op.add_column("wallets", sa.Column("given", sa.BigInteger(), nullable=False, server_default="0"))
    join_whole_tables(op.get_bind())
    for kind, same in (("charge", "usage_id"), ("sale", "reference")):
        op.execute(
            "UPDATE wallets SET given = given + sums.amount FROM ("  # noqa: S608  (names of ours)
            "SELECT paid.debit, sum(accrual.amount) AS amount FROM transfers accrual "
            f"JOIN transfers paid ON paid.{same} = accrual.{same} AND paid.kind = '{kind}' "
            "WHERE accrual.kind = 'accrual' GROUP BY paid.debit"
            ") AS sums WHERE wallets.subscriber_id = sums.debit"
        )
    if op.get_bind().dialect.name == "postgresql":
        _partition("transfers", "at")
        _partition("usage", "event_at")


def _partition(table: str, time: str) -> None:
    default = f"{table}_default"
    op.execute(f"ALTER TABLE {table} RENAME TO {default}")
    op.execute(f"ALTER TABLE {default} RENAME CONSTRAINT pk_{table} TO pk_{default}")
    op.execute(f"CREATE TABLE {table} (LIKE {default} INCLUDING DEFAULTS) PARTITION BY RANGE ({time})")
    op.execute(f"ALTER TABLE {table} ATTACH PARTITION {default} DEFAULT")
