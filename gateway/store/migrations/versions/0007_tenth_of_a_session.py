"""From here on the tenth of a session goes by its running sum: what was booked before keeps the rule of its time."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME = "tenth.running_since"


def upgrade() -> None:
    """Mark the time of the last entry; a store without entries needs no mark."""
    connection = op.get_bind()
    last = connection.execute(sa.text("SELECT max(at) FROM transfers")).scalar()
    if last is not None:
        mark = sa.text("INSERT INTO marks (node, name, value) VALUES (0, :name, :value)")
        connection.execute(mark, {"name": NAME, "value": last + 1})
