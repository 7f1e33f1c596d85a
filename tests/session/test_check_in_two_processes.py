"""Large books are checked by two processes: they find what one finds, in its order."""

import sqlite3
from contextlib import closing

from support.books import check

from gateway.charity.policies import recompute
from gateway.ledger.check import LARGE
from gateway.ledger.check_process import CheckProcess
from gateway.store.engine import open_reader, reading
from tests.bench.proof import KEY, fill

ROWS = 120_000
DAMAGE = (
    "UPDATE usage SET price = price + 1 WHERE id = (SELECT max(id) FROM usage)",
    "UPDATE transfers SET amount = amount + 1 WHERE id = (SELECT max(id) FROM transfers WHERE kind = 'accrual')",
    "DELETE FROM transfers WHERE id = (SELECT min(id) FROM transfers WHERE kind = 'charge')",
)


def test_a_hundred_and_twenty_thousand_entries_are_checked_alike_by_one_process_and_by_two(tmp_path):
    path = tmp_path / "books.db"
    fill(path, ROWS)
    with closing(sqlite3.connect(path)) as store:
        for (trigger,) in store.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            store.execute(f"DROP TRIGGER {trigger}")
        edited = [store.execute(f"SELECT {which}").fetchone()[0] for which in (
            "max(id) FROM usage", "max(id) FROM transfers WHERE kind = 'accrual'",
            "min(id) FROM transfers WHERE kind = 'charge'")]  # fmt: skip
        for statement in DAMAGE:
            assert store.execute(statement).rowcount == 1
        store.commit()
    told = []
    engine = open_reader(f"sqlite:///{path}")
    with reading(engine) as connection:
        two = check(
            connection,
            recompute,
            KEY,
            progress=lambda *word: told.append(word),
            beside=CheckProcess(f"sqlite:///{path}", KEY, []),
        )
        one = check(connection, recompute, KEY)
    assert two == one
    assert two.entries >= LARGE
    named = " ".join(finding.detail for finding in one.findings if finding.check == "evidence")
    assert all(str(number) in named for number in edited)
    assert {finding.check for finding in one.findings} >= {"evidence", "guard", "wallet", "usage", "accrual"}
    assert any(name == "transfers" and rows > 50_000 for name, rows in told)
