"""The journal's CHECKs say the same in a quarter of the words (decision 071); credit that has ended can be put back (072).

A server parses them for each batch. A program of before may go on: what it books is held to the same. Its own check names the
constraints as replaced, and entries of the new kinds, which it books none of, as unknown.
"""

from alembic import op

from gateway.ledger.constraints import constrain

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None
compatible_from = "0029"


def upgrade() -> None:
    """Make the constraints anew."""
    constrain(op.get_bind())
