"""What of rows stays in memory between two batches: how much, and until when."""

import itertools

import pytest
from sqlalchemy import insert, select, update
from support import new_stores

from gateway.balance.wallets import WalletRows
from gateway.store import nodes, tables
from gateway.store.batch import Unit
from gateway.store.engine import open_writer
from gateway.store.lane import Lane
from gateway.store.row_cache import Kept, RowCache


class Look(Unit):
    """Give balances, after adding to them."""

    touches = (WalletRows,)

    numbers: list[int]
    more: int = 0

    def keys(self, _row_set, _batch):
        return self.numbers

    def decide(self, batch):
        wallets = [batch.row_set(WalletRows).get(number) for number in self.numbers]
        for wallet in wallets:
            if self.more:
                wallet.move(self.more)
        return [wallet.balance for wallet in wallets]


class Say(Unit):
    """Do something to the store by a statement of its own."""

    what: str

    def decide(self, batch):
        rows = tables.wallets
        if self.what == "reads":
            return batch.connection.execute(select(rows.c.balance)).all()
        if self.what == "writes another table":
            batch.connection.execute(insert(tables.marks).values(node=1, name="test", value=1))
        if self.what == "writes":
            batch.connection.execute(update(rows).values(balance=0))
        if self.what == "writes a table that it is joined from":
            batch.connection.execute(update(tables.subscribers).values(status="suspended"))
        if self.what == "writes in words of its own":
            batch.connection.exec_driver_sql(" update wallets set balance = 0")
        if self.what == "appends":
            batch.add(tables.subscribers, (99, "active", 0))
            batch.add(rows, (99, "GBP", 0, 0, None, 0))
        if self.what == "fails":
            raise ValueError("not to be done")
        return None


class Steps:
    """A lane that is stepped; `loaded` has the keys of each load of wallets."""

    def __init__(self, folder, monkeypatch):
        new_stores.place(folder / "tpo.db")
        self.writer = open_writer(f"sqlite:///{folder / 'tpo.db'}", existing=True)
        with self.writer.begin() as connection:
            self.node = nodes.enter(connection, "ocs.tpo.example", 1)
            for number in range(1, 10):
                connection.execute(insert(tables.subscribers).values(id=number, status="active", created_at=0))
                connection.execute(
                    insert(tables.wallets).values(subscriber_id=number, currency="GBP", balance=number, reserved=0)
                )
        self.lane = Lane(self.writer, self.node, clock=lambda: 1, monotonic=itertools.count().__next__)
        self.loaded, original = [], WalletRows.ask

        def ask(rows, connection, keys):
            self.loaded.append(sorted(keys))
            return original(rows, connection, keys)

        monkeypatch.setattr(WalletRows, "ask", ask)

    def run(self, unit):
        said = []
        self.lane.post(unit, lambda answer, error: said.append(error or answer))
        assert self.lane.run_pending()
        return said[0]


@pytest.fixture
def steps(tmp_path, monkeypatch):
    steps = Steps(tmp_path, monkeypatch)
    yield steps
    steps.writer.dispose()


def test_a_row_that_a_batch_read_or_wrote_is_not_read_again(steps):
    assert steps.run(Look([1, 2])) == [1, 2]
    assert steps.run(Look([1], more=10)) == [11]
    assert steps.run(Look([1, 2, 3])) == [11, 2, 3]
    assert steps.loaded == [[1, 2], [3]]


@pytest.mark.parametrize("what", ["reads", "writes another table"])
def test_what_does_not_touch_its_tables_leaves_a_row_in_memory(steps, what):
    steps.run(Look([1]))
    steps.run(Say(what))
    steps.run(Look([1]))
    assert steps.loaded == [[1]]


@pytest.mark.parametrize(
    "what",
    ["writes", "writes a table that it is joined from", "writes in words of its own", "appends", "fails"],
)
def test_a_row_is_read_again_after_anything_else_wrote_to_its_tables_or_a_batch_was_rolled_back(steps, what):
    before = steps.run(Look([1]))
    steps.run(Say(what))
    assert steps.run(Look([1])) == ([0] if what in ("writes", "writes in words of its own") else before)
    assert steps.loaded == [[1], [1]]


def test_a_row_is_read_again_after_another_connection_wrote_to_the_file(steps):
    assert steps.run(Look([1, 2])) == [1, 2]
    with steps.writer.begin() as connection:
        connection.execute(update(tables.wallets).values(balance=7))
    assert steps.run(Look([1, 2])) == [7, 7]


def test_of_more_rows_than_are_kept_the_half_that_was_used_last_is_among_those_that_are(steps, monkeypatch):
    monkeypatch.setattr(WalletRows, "kept", 4)
    for number in (1, 2, 1, 3, 1, 4):
        steps.run(Look([number]))
    assert steps.loaded == [[1], [2], [3], [4]]  # 1 was used again and again: it stayed
    steps.run(Look([1]))
    steps.run(Look([4]))
    steps.run(Look([2]))
    assert steps.loaded == [[1], [2], [3], [4], [2]]


def test_a_row_that_is_not_worth_keeping_is_gone_from_both_generations_and_no_more_are_kept_than_said():
    kept = Kept(4)
    for key in range(100):
        kept.settle({key: f"row {key}"})
        assert kept.find({key, key - 1}) == {key: f"row {key}", **({key - 1: f"row {key - 1}"} if key else {})}
        assert len(kept._young) + len(kept._old) <= 4
    kept.settle({99: "another"})
    assert kept.find({99}) == {99: "another"}
    kept.settle({99: None, 98: None})
    assert kept.find(set(range(100))) == {}


def test_a_server_s_rows_are_never_kept(steps):
    class Server:
        class dialect:  # noqa: N801
            name = "postgresql"

    cache = RowCache()
    cache.begin(Server())
    rows = WalletRows()
    rows.settled[1] = (1, "GBP", 1, 0, None, 0, "active")
    rows.save = lambda _connection: None
    cache.save([rows], Server())
    cache.commit()
    assert cache.restore(rows, {1}) == {1}
