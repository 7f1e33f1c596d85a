"""The proof of the books: chains, seals, and what may be missing."""

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from gateway.store.tables.columns import IDENTIFIER, metadata

evidence = Table(
    "evidence",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("rows", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
)
"""The links of each node's chain (store.evidence), without a gap: the identifier is the node's number above the link's in its
chain. `rows` are identifiers and digests of what a batch wrote, `head` commits to them and to all links before. Never swept."""

chains = Table(
    "chains",
    metadata,
    Column("node", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),
)
"""The last link of each node's chain; `proof` is made with the key of evidence, and stands nowhere else. Never swept."""

seals = Table(
    "seals",
    metadata,
    Column("node", Integer, nullable=False),
    Column("day", String(10), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
    Column("rows", LargeBinary),
    PrimaryKeyConstraint("node", "day"),
)
"""The last link of each day in UTC, signed (ledger.seals), with the root of the tree of the day's rows (ledger.row_tree); what
left the house says the same. Never swept."""

row_trees = Table(
    "row_trees",
    metadata,
    Column("node", Integer, nullable=False),
    Column("day", String(10), nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("ranges", Text, nullable=False),
    Column("roots", LargeBinary, nullable=False),
    PrimaryKeyConstraint("node", "day"),
)
"""What is kept of the tree of each sealed day's rows: of which numbers it is, as `ranges` (JSON) up to `upto`, and the roots of
its subtrees (ledger.row_tree). The seal proves them. Never swept."""

releases = Table(
    "releases",
    metadata,
    Column("id", IDENTIFIER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("content", String(16), nullable=False),
    Column("node", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""What may be missed, or unproved (store.releases): `usage` up to a day of use whose retention is over, a choice of a customer
who was erased, and rows in files that were sealed before there was evidence, up to a node's number. Never swept."""
