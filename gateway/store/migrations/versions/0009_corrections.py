"""Changes of a subscriber's plan and number with who made them and why; a destroyed card's IMSI may be another's."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of changes, let history say which columns were amended, and free the IMSIs of destroyed cards."""
    op.create_table(
        "subscriber_history",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.String(length=12), nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("after", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber_history")),
    )
    op.create_index(op.f("ix_subscriber_history_subscriber_id"), "subscriber_history", ["subscriber_id"], unique=False)
    op.add_column("sim_history", sa.Column("amended", sa.String(length=64), nullable=True))
    with op.batch_alter_table("sims") as sims:
        sims.drop_constraint(op.f("uq_sims_imsi"), type_="unique")
    op.create_index(op.f("ix_sims_imsi"), "sims", ["imsi"], unique=False)
    op.create_index(
        "uq_sims_imsi",
        "sims",
        ["imsi"],
        unique=True,
        sqlite_where=sa.text("state <> 'destroyed'"),
        postgresql_where=sa.text("state <> 'destroyed'"),
    )
