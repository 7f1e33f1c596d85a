"""On PostgreSQL `transfers` and `usage` become partitioned tables; what they have is the default partition: no row is moved.

It takes a moment, however large they are; their months begin later (gateway.store.partitioning). SQLite: nothing changes.
"""

from alembic import op

revision = "0014"
down_revision = "0011"
branch_labels = None
depends_on = None
compatible_from = "0010"
"""Who does not know of months reads and writes these tables as before."""


def upgrade() -> None:
    """Put a partitioned table in the place of each, with the same columns."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, time in (("transfers", "at"), ("usage", "event_at")):
        default = f"{table}_default"
        op.execute(f"ALTER TABLE {table} RENAME TO {default}")
        op.execute(f"ALTER TABLE {default} RENAME CONSTRAINT pk_{table} TO pk_{default}")
        op.execute(f"CREATE TABLE {table} (LIKE {default} INCLUDING DEFAULTS) PARTITION BY RANGE ({time})")
        op.execute(f"ALTER TABLE {table} ATTACH PARTITION {default} DEFAULT")
