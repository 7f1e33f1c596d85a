"""Room for the next version of a session in its own page, on a server.

A session is written five times. Where its page has no room the new version goes to another one, and into each of six indexes.
A file has versions of nothing. Pages that there are already get their room as their rows go.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
compatible_from = "0012"


def upgrade() -> None:
    """Say how full a page may be when rows are added; takes no time, and no lock that keeps anybody from writing."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE sessions SET (fillfactor = 60)")
