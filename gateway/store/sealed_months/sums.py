"""What each account was credited less what it was debited in a sealed month: a table of the journal's file."""

from sqlalchemy import BigInteger, Column, MetaData, PrimaryKeyConstraint, String, Table

sums = Table(
    "sums",
    MetaData(),  # of the files alone: the store has no such table
    Column("account", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "currency"),
)
