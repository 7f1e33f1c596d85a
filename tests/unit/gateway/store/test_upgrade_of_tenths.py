"""What was booked before tenths went by running sums keeps the rule of its time."""

import pytest
from sqlalchemy import insert, select
from support.old_stores import store_at

from gateway.ledger.checks.tenths import RUNNING_SINCE
from gateway.store import schema
from gateway.store.tables import marks, transfers

ENTRY = {"kind": "topup", "debit": 1, "credit": 2, "amount": 1, "currency": "GBP", "event_at": 0}


@pytest.mark.parametrize(("booked_at", "since"), [([], []), ([5, 77, 9], [(0, 78)])])
def test_the_upgrade_marks_where_the_new_rule_begins(tmp_path, booked_at, since):
    engine = store_at(f"sqlite:///{tmp_path}/t.db", "0006")
    with engine.begin() as connection:
        for number, at in enumerate(booked_at):
            connection.execute(insert(transfers).values(id=number, at=at, **ENTRY))
    schema.upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(select(marks.c.node, marks.c.value).where(marks.c.name == RUNNING_SINCE)).all()
    engine.dispose()
    assert found == since
