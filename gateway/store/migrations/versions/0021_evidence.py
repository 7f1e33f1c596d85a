"""Evidence of each row of the journal, of usage, choices and accounts, and of each wallet's allowances (decision 049).

What is in the store is proved as it is found: each row gets its digest, in links of some thousand rows at the end of the chain
of the node that numbered it, which reads the store through once. A program of before would not prove what it writes, so that it
may not write the store any more.
"""

import sqlalchemy as sa
from alembic import context, op

from gateway.store.append_only import SEALED, create, raise_mark
from gateway.store.errors import SchemaMismatch
from gateway.store.evidence_backfill import needs_proof, prove_all, sealed_until

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
GUARDED = (
    "transfers",
    "usage",
    "choices",
    "payments",
    "evidence",
    "seals",
    "releases",
    "reratings",
    "allowance_entries",
)
"""The tables that were append-only then."""


def upgrade() -> None:
    """Create the tables, and prove what is there."""
    op.create_table(
        "evidence",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_table(
        "chains",
        sa.Column("node", _identifier(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_chains")),
    )
    op.create_table(
        "seals",
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "day", name=op.f("pk_seals")),
    )
    op.create_table(
        "releases",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(16), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
    )
    connection = op.get_bind()
    if needs_proof(connection):
        key = context.config.attributes.get("evidence_key")
        if key is None:
            raise SchemaMismatch("the store has rows to be proved: upgrade it by `tpo db upgrade`, which has the key")
        prove_all(connection, key)
    for node, last in sealed_until(connection).items():
        raise_mark(connection, node, SEALED, last)
    create(connection, GUARDED)


def _identifier() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
