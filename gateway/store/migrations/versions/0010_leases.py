"""Leases: a node's row says until when it works, at which epoch, and which node owns what it made."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OF_ITS_OWN = "owner = id"
"""Nodes that own themselves: of these alone each has a name to itself."""


def upgrade() -> None:
    """Add the columns of the lease; a name is unique among the nodes that nobody has adopted. Every node owns itself."""
    with op.batch_alter_table("nodes") as nodes:
        nodes.add_column(sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
        nodes.add_column(sa.Column("renewed_at", sa.BigInteger(), nullable=False, server_default="0"))
        nodes.add_column(sa.Column("lease", sa.BigInteger(), nullable=False, server_default="0"))
        nodes.add_column(sa.Column("owner", sa.Integer(), nullable=False, server_default="0"))
        nodes.add_column(sa.Column("retired", sa.SmallInteger(), nullable=False, server_default="0"))
        nodes.drop_constraint(op.f("uq_nodes_name"), type_="unique")
    op.execute("UPDATE nodes SET owner = id")
    with op.batch_alter_table("nodes") as nodes:
        for column in ("epoch", "renewed_at", "lease", "owner", "retired"):
            nodes.alter_column(column, server_default=None)
    op.create_index(
        "uq_nodes_name",
        "nodes",
        ["name"],
        unique=True,
        sqlite_where=sa.text(OF_ITS_OWN),
        postgresql_where=sa.text(OF_ITS_OWN),
    )
