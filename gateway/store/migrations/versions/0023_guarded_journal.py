"""The journal has constraints made from its postings; payments, subscriptions, families and decisions about limits are proved.

A payment gets a number to be proved by, and decisions about limits are kept append-only, as erasures are. What stands in these
tables is proved as it is found. The constraints hold for what is booked from now on: no row of the journal is read for the
CHECKs, and each once for the unique index. A program of before would prove none of it, so that it may not write the store.
"""

import sqlalchemy as sa
from alembic import context, op

from gateway.ledger.constraints import constrain
from gateway.store.append_only import drop, recreate
from gateway.store.errors import SchemaMismatch
from gateway.store.evidence_backfill import needs_proof, prove

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

PROVED = ("payments", "subscriptions", "families", "bill_limits")
CHUNK = 5000


def upgrade() -> None:
    """Number the payments, add the table of erasures and the guards, and prove what is there."""
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
    )
    op.create_index("ix_erasures_subscriber_id", "erasures", ["subscriber_id"])
    connection = op.get_bind()
    op.add_column("payments", sa.Column("id", sa.BigInteger(), nullable=False, server_default="0"))
    drop(connection, "payments")
    _number_payments(connection)
    op.create_index("uq_payments_id", "payments", ["id"], unique=True)
    if needs_proof(connection, PROVED):
        key = context.config.attributes.get("evidence_key")
        if key is None:
            raise SchemaMismatch("the store has rows to be proved: upgrade it by `tpo db upgrade`, which has the key")
        prove(connection, key, PROVED)
    for table in ("payments", "bill_limits", "erasures", "choices"):
        recreate(connection, table)
    constrain(connection)


def _number_payments(connection: sa.Connection) -> None:
    """Give each payment a number of the first node's, in the order in which they came."""
    payments = connection.execute(
        sa.text("SELECT channel, reference FROM payments ORDER BY at, channel, reference")
    ).all()
    if not payments:
        return
    node = connection.execute(sa.text("SELECT id, next_id FROM nodes ORDER BY id LIMIT 1")).one_or_none()
    first = 1 if node is None else node.next_id  # without a node no gateway has written here yet
    numbered = [
        {"number": number, "channel": row.channel, "reference": row.reference}
        for number, row in enumerate(payments, first)
    ]
    update = sa.text("UPDATE payments SET id = :number WHERE channel = :channel AND reference = :reference")
    for start in range(0, len(numbered), CHUNK):
        connection.execute(update, numbered[start : start + CHUNK])
    taken = {"next": first + len(payments), "id": None if node is None else node.id}
    connection.execute(sa.text("UPDATE nodes SET next_id = :next WHERE id = :id"), taken)
