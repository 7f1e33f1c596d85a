"""What comes into the charity account is booked: what matchers pay, and what the company moves there (decision 059).

A program of before may go on: it books none of this, and its check names what others booked of it as unknown.
"""

from alembic import op

from gateway.ledger.constraints import constrain

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None
compatible_from = "0026"


def upgrade() -> None:
    """Let the journal have the new kinds."""
    constrain(op.get_bind())
