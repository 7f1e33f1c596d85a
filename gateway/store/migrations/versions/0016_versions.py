"""Versions of plans, policies and causes, what usage was priced by, and what was priced anew.

Usage and texts of before say nothing of that: they stay as they are, of a version that nobody knows. Each plan that a customer
has or had, and each cause with an account, begins with a version without content, so that what is in use is known by name
before a gateway has recorded its files. No row is written anew.

A program of before leaves the new columns empty, which says what they say of a row of before. If it seals a month of an SQLite
store it leaves them out of the month's file: of what was used in it the version is unknown then, too.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store.engine import join_whole_tables

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
compatible_from = "0012"

OWED = "cause:"
"""How the account of what is owed to a cause is named."""


def upgrade() -> None:
    """Add the tables and columns, then name what is known."""
    op.create_table(
        "contents",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_contents")),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=True),
        sa.Column("valid_from", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
    )
    op.create_index("ix_versions_name", "versions", ["kind", "name"])
    for name, kind in (("version", sa.Integer), ("rate_key", sa.Text), ("rated_before", sa.BigInteger)):
        op.add_column("usage", sa.Column(name, kind(), nullable=True))
    op.add_column("usage", sa.Column("covered", sa.BigInteger(), nullable=True))
    op.add_column("texts", sa.Column("version", sa.Integer(), nullable=True))
    op.add_column("texts", sa.Column("rate_key", sa.Text(), nullable=True))
    op.create_table(
        "reratings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("replaces", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("price_before", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reratings")),
    )
    op.create_index("uq_reratings_record_id", "reratings", ["record_id", "replaces"], unique=True)
    _name_what_is_known()


def _name_what_is_known() -> None:
    connection = op.get_bind()
    join_whole_tables(connection)
    plans = connection.scalars(sa.text("SELECT DISTINCT plan FROM subscriptions ORDER BY plan")).all()
    accounts = connection.scalars(sa.text("SELECT name FROM accounts ORDER BY id")).all()
    causes = [name.removeprefix(OWED) for name in accounts if name.startswith(OWED)]
    known = [("plan", name) for name in plans] + [("cause", name) for name in causes]
    insert = sa.text("INSERT INTO versions (id, kind, name, hash, valid_from) VALUES (:id, :kind, :name, NULL, 0)")
    for number, (kind, name) in enumerate(known, start=1):
        connection.execute(insert, {"id": number, "kind": kind, "name": name})
