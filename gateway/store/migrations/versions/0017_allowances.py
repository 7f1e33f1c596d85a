"""Several allowances a line, with a journal of their own; usage says which allowance covered how much of it.

Each allowance of before gets an identifier, of the first node's numbers, and an entry of what was left of it at that moment.
A program of before would not write any of this, so that it may not write these tables.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEPT_US = 48 * 3600 * 1_000_000
CHUNK = 5000


def upgrade() -> None:
    """Add the columns and tables, and bring in what there is."""
    if "covered" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("usage")}:
        op.add_column("usage", sa.Column("covered", sa.BigInteger()))
    op.add_column("usage", sa.Column("allowance_id", sa.BigInteger()))
    op.add_column("texts", sa.Column("promised", sa.LargeBinary()))
    op.add_column("wallets", sa.Column("due_at", sa.BigInteger()))
    where = sa.text("due_at IS NOT NULL")
    op.create_index("ix_wallets_due", "wallets", ["due_at"], sqlite_where=where, postgresql_where=where)
    _make_tables()
    _bring_in(op.get_bind())


def _make_tables() -> None:
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "allowance_entries",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("allowance_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("service", sa.String(8), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("event_at", sa.BigInteger(), nullable=False),
        sa.Column("usage_id", sa.BigInteger()),
        sa.Column("reference", sa.Text()),
        sa.Column("plan", sa.String(64)),
        sa.Column("ends_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_allowance_entries"),
    )
    op.create_index("ix_allowance_entries_subscriber_id", "allowance_entries", ["subscriber_id"])
    op.create_table(
        "families",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("payer_id", sa.BigInteger(), nullable=False),
        sa.Column("cap", sa.BigInteger()),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_families"),
    )
    op.create_index("ix_families_member_id", "families", ["member_id"])
    op.create_index("ix_families_payer_id", "families", ["payer_id"])


def _bring_in(connection: sa.Connection) -> None:
    """Give each allowance its number and its first entry; the numbers are taken from above what the node has written down."""
    held = connection.execute(sa.text("SELECT subscriber_id, bundle FROM wallets WHERE bundle IS NOT NULL")).all()
    if not held:
        return
    node = connection.execute(sa.text("SELECT id, next_id FROM nodes ORDER BY id LIMIT 1")).one()
    next_id, now = node.next_id, connection.execute(sa.text("SELECT max(at) FROM transfers")).scalar() or 0
    wallets: list[dict[str, object]] = []
    entries: list[dict[str, object]] = []
    for subscriber_id, bundle in held:
        found = json.loads(bundle)
        allowances = found if isinstance(found, list) else [found]
        for allowance in allowances:
            allowance["id"], next_id = next_id, next_id + 1
            for service, units in allowance["left"].items():
                if not units:
                    continue
                entries.append(
                    {
                        "id": next_id,
                        "now": now,
                        "owner": subscriber_id,
                        "allowance": allowance["id"],
                        "service": service,
                        "units": units,
                        "reference": f"upgrade:{allowance['id']}",
                        "plan": allowance["plan"],
                        "ends_at": allowance["ends_at"],
                    }
                )
                next_id += 1
        due = min((allowance["ends_at"] + KEPT_US for allowance in allowances), default=None)
        holdings = json.dumps({"allowances": allowances}, separators=(",", ":")).encode() if allowances else None
        wallets.append({"owner": subscriber_id, "bundle": holdings, "due": due})
    connection.execute(sa.text("UPDATE nodes SET next_id = :next WHERE id = :id"), {"next": next_id, "id": node.id})
    for start in range(0, len(wallets), CHUNK):
        connection.execute(
            sa.text("UPDATE wallets SET bundle = :bundle, due_at = :due WHERE subscriber_id = :owner"),
            wallets[start : start + CHUNK],
        )
    insert = sa.text(
        "INSERT INTO allowance_entries (id, at, subscriber_id, allowance_id, kind, service, units, event_at, reference, "
        "plan, ends_at) VALUES (:id, :now, :owner, :allowance, 'grant', :service, :units, :now, :reference, :plan, :ends_at)"
    )
    for start in range(0, len(entries), CHUNK):
        connection.execute(insert, entries[start : start + CHUNK])
