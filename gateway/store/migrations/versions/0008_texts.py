"""A message id may stand for several texts at once, which are told apart by the number that they went to."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew with the number in it; what is waited for stays."""
    op.execute(
        "CREATE TABLE awaited_before AS SELECT awaited.link, awaited.message_id, awaited.text_id, awaited.part, "
        "texts.destination, awaited.created_at FROM awaited_receipts awaited JOIN texts ON texts.id = awaited.text_id"
    )
    op.drop_table("awaited_receipts")
    op.create_table(
        "awaited_receipts",
        sa.Column("link", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=65), nullable=False),
        sa.Column("text_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("destination", sa.String(length=21), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "link", "text_id", "part", name=op.f("pk_awaited_receipts")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO awaited_receipts (link, message_id, text_id, part, destination, created_at) "
        "SELECT link, message_id, text_id, part, destination, created_at FROM awaited_before"
    )
    op.drop_table("awaited_before")
