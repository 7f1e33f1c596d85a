"""Credit that has ended is put back where a bank takes back what paid for it (decision 072).

A program of before may go on: it books none of this, and its check names what others booked of it as unknown.
"""

from alembic import op

from gateway.ledger.constraints import constrain

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None
compatible_from = "0029"


def upgrade() -> None:
    """Let the journal have the new kinds."""
    constrain(op.get_bind())
