"""Evidence of each row of the journal, of usage, choices and accounts, and of each wallet's allowances (decision 049).

What is in the store is proved as it is found: each row gets its digest, in links of some thousand rows at the end of the chain
of the node that numbered it, which reads the store through once. A program of before would not prove what it writes, so that it
may not write the store any more.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from gateway.store.errors import SchemaMismatch
from gateway.store.evidence import COVERED, Covered, Evidence
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import UNPROVED
from gateway.store.tables import releases

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

LINK = 4096
"""Rows of one link."""
TABLES = ("transfers", "usage", "choices", "accounts", "wallets")


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
    _prove()


def _identifier() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _prove() -> None:
    """Append links for what is there; a store that has nothing needs no key."""
    connection = op.get_bind()
    nodes = list(connection.execute(sa.text("SELECT id FROM nodes ORDER BY id")).scalars())
    if not nodes or not any(_has_rows(connection, table) for table in TABLES):
        return
    key = context.config.attributes.get("evidence_key")
    if key is None:
        raise SchemaMismatch("the store has rows to be proved: upgrade it by `tpo db upgrade`, which has the key")
    at = int(connection.execute(sa.text("SELECT coalesce(max(at), 0) FROM transfers")).scalar_one())
    sealed = _sealed(connection)
    for node in nodes:
        chain = Evidence(key, node)
        if node in sealed:
            number = sa.text("UPDATE nodes SET next_id = next_id + 1 WHERE id = :node RETURNING next_id - 1")
            row = (connection.execute(number, {"node": node}).scalar_one(), at, UNPROVED, node, sealed[node])
            connection.execute(sa.insert(releases).values(row))
            chain.append(connection, {"releases": [row]}, at)
        for name in TABLES:
            # Accounts and wallets are not numbered by the node that writes them: the first chain has them.
            within = (node << SPAN_BITS, (node + 1) << SPAN_BITS) if not COVERED[name].changes else None
            if within is None and node != nodes[0]:
                continue
            for rows in _rows(connection, COVERED[name], within):
                chain.append(connection, {name: rows}, at)


def _has_rows(connection: sa.Connection, table: str) -> bool:
    return bool(connection.execute(sa.text(f"SELECT EXISTS (SELECT 1 FROM {table})")).scalar())  # noqa: S608  (a name of ours)


def _sealed(connection: sa.Connection) -> dict[int, int]:
    """Give up to which number each node's rows stand in sealed files: those are proved by the files' digests."""
    ranges = connection.execute(sa.text("SELECT ranges FROM sealed_files ORDER BY period")).scalars()
    return {last >> SPAN_BITS: last for each in ranges for _, last in json.loads(each)}


def _rows(
    connection: sa.Connection, covered: Covered, within: tuple[int, int] | None
) -> Iterator[list[tuple[Any, ...]]]:
    """Give what is proved of a table's rows, some at a time; a column that a later step adds is empty in them."""
    table, (identifier, *_) = str(covered.table.name), covered.columns
    there = {column["name"] for column in sa.inspect(connection).get_columns(table)}
    columns = [column if column.name in there else sa.null().label(column.name) for column in covered.columns]
    after = within[0] - 1 if within else -1
    while True:
        wanted = sa.select(*columns).select_from(covered.table).where(identifier > after)
        if within:
            wanted = wanted.where(identifier < within[1])
        rows = [tuple(row) for row in connection.execute(wanted.order_by(identifier).limit(LINK))]
        if not rows:
            return
        yield rows
        after = rows[-1][0]
