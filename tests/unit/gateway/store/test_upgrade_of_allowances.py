"""Allowances of before have numbers and entries after the upgrade, and their books are right."""

import json

from sqlalchemy import insert, select, text
from support.books import check
from support.lane_fixture import CAUSE_SEALS, EVIDENCE_KEY
from support.old_stores import store_at

from gateway.balance.wallets import WalletRows
from gateway.charity.policies import recompute
from gateway.ledger.checks.allowances import wrong_allowances
from gateway.store import schema
from gateway.store.tables import allowance_entries, nodes, subscribers, wallets

ENDS = 1_700_000_000_000_000
ONE = {"plan": "b", "ends_at": ENDS, "left": {"data": 7, "sms": 0}, "held": {"data": 2}}


def test_one_allowance_or_several_get_a_number_and_an_entry_for_each_service(tmp_path):
    engine = store_at(f"sqlite:///{tmp_path}/t.db", "0015")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO nodes VALUES (1, 'n', :next, 1, 1, 0, 0, 1, 0)",
            ),
            {"next": 1 << 40},
        )
        for owner, bundle in ((1 << 30, ONE), (2 << 30, [ONE, {**ONE, "ends_at": ENDS + 5}]), (3 << 30, None)):
            connection.execute(insert(subscribers).values(id=owner, status="active", created_at=0))
            held = None if bundle is None else json.dumps(bundle).encode()
            row = {"owner": owner, "bundle": held}
            connection.execute(
                text("INSERT INTO wallets VALUES (:owner, 'GBP', 0, 0, :bundle, 0)"),
                row,
            )
    schema.upgrade(engine, schema.Keys(b"a key of tests alone", EVIDENCE_KEY, CAUSE_SEALS))
    with engine.connect() as connection:
        rows = WalletRows()
        rows.load(connection, {1 << 30, 2 << 30})
        (first,), both = rows.rows[1 << 30].allowances, rows.rows[2 << 30].allowances
        assert (first.left, first.held, first.ends_at) == ({"data": 7, "sms": 0}, {"data": 2}, ENDS)
        assert len({each.id for each in (first, *both)}) == 3
        due = connection.scalars(select(wallets.c.due_at).order_by(wallets.c.subscriber_id)).all()
        assert due == [ENDS + 48 * 3600 * 1_000_000, ENDS + 48 * 3600 * 1_000_000, None]
        assert connection.scalars(select(allowance_entries.c.units)).all() == [7, 7, 7]
        assert connection.scalar(select(nodes.c.next_id)) > max(connection.scalars(select(allowance_entries.c.id)))
        assert list(wrong_allowances(connection, [connection])) == []
        findings = check(connection, recompute, EVIDENCE_KEY).findings
        assert [each for each in findings if each.check in ("evidence", "allowance")] == []
    engine.dispose()
