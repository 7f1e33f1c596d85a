"""Indexes for many texts that wait: by state in their order, by the end of their validity, and of those with parts out.

A start reads the last of these alone. The index of open texts by identifier goes; a program of before finds its texts by the
new ones, more slowly where there are many.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
compatible_from = "0012"

PARTS_OUT = {
    "sqlite": "(instr(parts, x'a473746570a473656e74') > 0 OR instr(parts, x'a473746570a8646f75627466756c') > 0)",
    "postgresql": r"(position('\xa473746570a473656e74'::bytea IN parts) > 0"
    r" OR position('\xa473746570a8646f75627466756c'::bytea IN parts) > 0)",
}
"""By database, whether a part is `sent` or `doubtful`, as msgpack writes that."""


def upgrade() -> None:
    """Drop the one, make the three."""
    op.drop_index("ix_texts_open", "texts")
    for name, columns, of_which in (
        ("ix_texts_open", ["node", "state", "id"], dict.fromkeys(PARTS_OUT, "final = 0")),
        ("ix_texts_expiring", ["state", "valid_until"], dict.fromkeys(PARTS_OUT, "final = 0")),
        ("ix_texts_out", ["node", "id"], {name: f"final = 0 AND {out}" for name, out in PARTS_OUT.items()}),
    ):
        where = {name: sa.text(condition) for name, condition in of_which.items()}
        op.create_index(name, "texts", columns, sqlite_where=where["sqlite"], postgresql_where=where["postgresql"])
