"""What all tables share: their metadata, and the kind of column that identifiers are."""

from sqlalchemy import (
    BigInteger,
    Integer,
    MetaData,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

IDENTIFIER = BigInteger().with_variant(Integer(), "sqlite")
"""An INTEGER PRIMARY KEY is what SQLite itself finds a row by; a BIGINT would be an index beside it."""
