"""The write lane on SQLite and on a real PostgreSQL: the same tests on both."""

import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import OperationalError
from support.lane_fixture import workplace
from support.patience import PATIENCE

from gateway.balance.wallets import WalletRows
from gateway.store import lane as lane_module
from gateway.store import tables
from gateway.store.errors import LaneClosed, LaneOverloaded, OutcomeUnknown, StoreUnavailable, UnitExpired, UnitPoisoned
from gateway.store.statements import Commit

pytestmark = pytest.mark.xdist_group("write_lane")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/lane.db"
    name = f"lane_{abs(hash(request.node.nodeid))}"
    return request.getfixturevalue("database")(name)


@pytest.fixture
def server_url(request, database):
    return database(f"lane_{abs(hash(request.node.nodeid))}")


class Add:
    """Add to a wallet's balance; the numbers seen tell the order in which units were decided."""

    alone = False
    touches = (WalletRows,)

    def __init__(self, subscriber_id, amount=1, poison=None, seen=None):
        self.subscriber_id, self.amount, self.poison, self.seen = subscriber_id, amount, poison, seen

    def lead(self):
        return None

    def keys(self, row_set, batch):
        return (self.subscriber_id,) if isinstance(row_set, WalletRows) else ()

    def decide(self, batch):
        wallet = batch.row_set(WalletRows).get(self.subscriber_id)
        wallet.move(self.amount)
        if self.seen is not None:
            self.seen.append(wallet.balance)
        if self.poison == "raises":
            raise ZeroDivisionError("this unit cannot be decided")
        if self.poison == "constraint":
            batch.add(tables.wallets, (self.subscriber_id, "GBP", 0, 0, None, 0, None, None, None))
        if self.poison == "overflow":
            wallet.balance = 1 << 70
        return wallet.balance


def open_wallets(place, *numbers):
    with place.writer.begin() as connection:
        for number in numbers:
            connection.execute(insert(tables.subscribers).values(id=number, status="active", created_at=0))
            connection.execute(
                insert(tables.wallets).values(subscriber_id=number, currency="GBP", balance=0, reserved=0)
            )


def post_all(place, units):
    """Post units before the lane starts on them, and wait for all: (answer, error) in order."""
    outcomes, left = [None] * len(units), threading.Semaphore(0)

    def done(place_in_line):
        def take(answer, error):
            outcomes[place_in_line] = (answer, error)
            left.release()

        return take

    for i, unit in enumerate(units):
        place.lane.post(unit, done(i))
    for _ in units:
        assert left.acquire(timeout=PATIENCE)
    return outcomes


def balance(place, number):
    return place.read(select(tables.wallets.c.balance).where(tables.wallets.c.subscriber_id == number))[0][0]


def test_no_update_is_lost_when_many_threads_post(url):
    with workplace(url) as place:
        open_wallets(place, 1, 2)

        def work():
            for i in range(200):
                place.lane.run(Add(1 + i % 2))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert balance(place, 1) + balance(place, 2) == 800


def test_no_update_is_lost_between_two_gateways_on_one_server(server_url):
    with workplace(server_url, node="one") as first, workplace(server_url, node="two") as second:
        open_wallets(first, *range(1, 9))
        places = [first, second]

        def work(place):
            outcomes = post_all(place, [Add(1 + i * 5 % 8) for i in range(400)])
            assert [error for _, error in outcomes if error] == []

        threads = [threading.Thread(target=work, args=(place,)) for place in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = first.read(select(func.sum(tables.wallets.c.balance)))[0][0]
        assert total == 800
        assert first.node.id != second.node.id


def test_units_are_decided_in_their_order_of_arrival(url):
    with workplace(url) as place:
        open_wallets(place, 1)
        seen = []
        outcomes = post_all(place, [Add(1, seen=seen) for _ in range(700)])
        assert [answer for answer, _ in outcomes] == list(range(1, 701))
        assert seen == list(range(1, 701))
        assert place.lane.counters.batches < 700


@pytest.mark.parametrize("poison", ["raises", "constraint", "overflow"])
def test_a_poisoned_unit_is_refused_alone(url, poison):
    with workplace(url) as place:
        open_wallets(place, 1)
        blocker, begun = threading.Event(), threading.Event()

        class Wait(Add):
            def decide(self, batch):
                begun.set()
                blocker.wait(PATIENCE)
                return super().decide(batch)

        place.lane.post(Wait(1), lambda *_: None)
        assert begun.wait(PATIENCE)
        units = [Add(1) for _ in range(20)]
        units[7] = Add(1, poison=poison)
        collected = []
        worker = threading.Thread(target=lambda: collected.extend(post_all(place, units)))
        worker.start()
        while place.lane.depth < 20:
            worker.join(0.01)
        blocker.set()
        worker.join()
        errors = [error for _, error in collected]
        assert isinstance(errors.pop(7), UnitPoisoned)
        assert errors == [None] * 19
        assert balance(place, 1) == 20
        assert [event for event, _ in place.alarms] == ["store.unit.poisoned"]
        assert place.lane.run(Add(1)) == 21


def test_what_was_answered_is_there_after_reopening(url):
    with workplace(url) as place:
        open_wallets(place, 1)
        for _ in range(5):
            place.lane.run(Add(1))
        first_ids = place.node.next_id
    with workplace(url) as place:
        assert balance(place, 1) == 5
        assert place.node.next_id >= first_ids
        assert place.lane.run(Add(1)) == 6


def test_an_unknown_outcome_of_a_commit_is_told_to_every_unit_of_the_batch(url, monkeypatch):
    with workplace(url) as place:
        open_wallets(place, 1)
        original = type(place.writer.dialect).do_commit

        def vanish(self, connection):
            original(self, connection)
            raise self.dbapi.OperationalError("the connection went away during COMMIT")

        monkeypatch.setattr(type(place.writer.dialect), "do_commit", vanish)
        with pytest.raises(OutcomeUnknown):
            place.lane.run(Add(1))
        monkeypatch.undo()
        assert place.lane.in_trouble
        assert place.lane.run(Add(1)) == 2
        assert not place.lane.in_trouble


def test_a_store_in_trouble_refuses_the_batch_and_comes_back(url, monkeypatch):
    with workplace(url) as place:
        open_wallets(place, 1)

        def fail(*_):
            raise OperationalError("BEGIN", {}, Exception("disk I/O error"))

        monkeypatch.setattr(WalletRows, "ask", fail)
        with pytest.raises(StoreUnavailable):
            place.lane.run(Add(1))
        monkeypatch.undo()
        assert place.lane.run(Add(1)) == 1


def test_a_full_lane_and_a_closed_lane_say_so_at_once(url):
    with workplace(url, max_waiting=2) as place:
        open_wallets(place, 1)
        gate, begun = threading.Event(), threading.Event()

        class Wait(Add):
            def decide(self, batch):
                begun.set()
                gate.wait(PATIENCE)
                return super().decide(batch)

        place.lane.post(Wait(1), lambda *_: None)
        assert begun.wait(PATIENCE)
        place.lane.post(Add(1), lambda *_: None)
        place.lane.post(Add(1), lambda *_: None)
        with pytest.raises(LaneOverloaded):
            place.lane.post(Add(1), lambda *_: None)
        gate.set()
        place.lane.close()
        with pytest.raises(LaneClosed):
            place.lane.post(Add(1), lambda *_: None)
        assert balance(place, 1) == 3


def test_a_unit_past_its_deadline_is_shed_not_run(url):
    with workplace(url) as place:
        open_wallets(place, 1)
        outcomes = []
        ready = threading.Event()
        place.lane.post(Add(1), lambda *outcome: (outcomes.append(outcome), ready.set()), not_after=0.0)
        assert ready.wait(PATIENCE)
        assert isinstance(outcomes[0][1], UnitExpired)
        assert balance(place, 1) == 0


class Held(Add):
    """One that is decided when a test says so."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.gate, self.begun = threading.Event(), threading.Event()

    def decide(self, batch):
        self.begun.set()
        self.gate.wait(PATIENCE)
        return super().decide(batch)


class Outcome:
    """What became of one posted unit."""

    def __init__(self, place, unit, **options):
        self.ready, self.seen = threading.Event(), []
        place.lane.post(unit, self.take, **options)

    def take(self, *outcome):
        self.seen.append(outcome)
        self.ready.set()

    def get(self):
        assert self.ready.wait(PATIENCE)
        return self.seen[0]


def test_a_unit_whose_time_is_over_before_its_commit_is_withdrawn_and_never_committed(url):
    with workplace(url) as place:
        open_wallets(place, 1)
        first, held = Held(1, 100), Held(1, 1)
        blocker = Outcome(place, first)
        assert first.begun.wait(PATIENCE)
        late = Outcome(place, Add(1, 10), not_after=time.monotonic() + 0.2)
        together = [Outcome(place, held), Outcome(place, Add(1, 1000), not_after=time.monotonic() + 0.5)]
        place.lane.expire()
        assert not late.ready.is_set()
        time.sleep(0.25)
        place.lane.expire()
        assert isinstance(late.get()[1], UnitExpired)  # it waited for its batch
        first.gate.set()
        assert held.begun.wait(PATIENCE)
        time.sleep(0.3)
        place.lane.expire()
        assert isinstance(together[1].get()[1], UnitExpired)  # its batch was at work
        assert [event for event, _ in place.alarms] == ["store.stalled"]
        assert place.lane.in_trouble
        held.gate.set()
        blocker.get()
        together[0].get()
        place.lane.run(Add(1, 0))
        assert not place.lane.in_trouble
        assert balance(place, 1) in (100, 101)  # the one beside it was done, or refused with the connection
        assert (balance(place, 1) == 101) is (together[0].get()[1] is None)
        assert [len(each.seen) for each in (blocker, late, *together)] == [1] * 4


def test_a_commit_that_does_not_come_back_leaves_its_outcome_open_and_answers_nobody_twice(url, monkeypatch):
    with workplace(url) as place:
        open_wallets(place, 1)
        original, begun, gate = Commit.send, threading.Event(), threading.Event()

        def hang(self):
            begun.set()
            gate.wait(PATIENCE)
            original(self)

        monkeypatch.setattr(Commit, "send", hang)
        unit = Outcome(place, Add(1), not_after=time.monotonic() + 0.05)
        assert begun.wait(PATIENCE)
        waiting = Outcome(place, Add(1, 10), not_after=time.monotonic() + 0.05)
        time.sleep(0.06)
        place.lane.expire()
        answer, error = unit.get()
        assert (answer, type(error)) == (None, OutcomeUnknown)
        assert isinstance(waiting.get()[1], UnitExpired)
        assert place.lane.in_trouble
        assert place.alarms[0][0] == "store.stalled"
        monkeypatch.undo()
        gate.set()
        before = place.lane.run(Add(1, 100)) - 100
        assert before in (0, 1)
        assert (
            place.lane.counters.unknown == 1 or not before
        )  # whoever waits for texts of such a batch looks into the store
        assert not place.lane.in_trouble
        assert (len(unit.seen), len(waiting.seen)) == (1, 1)


def test_units_without_a_deadline_are_given_up_at_last_unless_they_have_the_batch_to_themselves(url, monkeypatch):
    monkeypatch.setattr(lane_module, "PATIENCE", 0.05)
    with workplace(url) as place:
        open_wallets(place, 1)
        for alone in (False, True):
            unit = Held(1)
            unit.alone = alone
            outcome = Outcome(place, unit)
            assert unit.begun.wait(PATIENCE)
            behind = Outcome(place, Add(1, 100))
            time.sleep(0.1)
            place.lane.expire()
            assert isinstance(behind.get()[1], UnitExpired)
            assert outcome.ready.is_set() is not alone
            unit.gate.set()
            assert (outcome.get()[1] is None) is alone
        assert balance(place, 1) == 1


def test_the_parts_of_each_batch_are_timed_and_a_wait_counts_from_the_post(url):
    seen = []
    with workplace(url, observe=seen.append) as place:
        open_wallets(place, 1)
        held = Held(1)
        Outcome(place, held)
        assert held.begun.wait(PATIENCE)
        late = [Outcome(place, Add(1)) for _ in range(3)]
        time.sleep(0.1)
        held.gate.set()
        for each in late:
            each.get()
    assert [(times.kind, times.units) for times in seen] == [("Held", 1), ("Add", 3)]
    assert seen[0].deciding >= 0.1
    assert seen[1].waiting >= 0.1
    assert all(min(t.waiting, t.loading, t.deciding, t.saving, t.committing) >= 0 for t in seen)


def test_a_batch_costs_the_server_one_fsync(server_url):
    """Count the server's WAL syncs; what SQLite does is counted by strace in tests/faults/test_one_fsync.py."""
    with workplace(server_url) as place, _quiet_wal_writer(place):
        open_wallets(place, 1)
        before, batches = _wal_syncs(place), place.lane.counters.batches
        post_all(place, [Add(1) for _ in range(500)])
        for _ in range(20):
            place.lane.run(Add(1))
        batches = place.lane.counters.batches - batches
        after = _wal_syncs(place)
        assert 20 < batches < 500
        assert 20 <= after - before <= batches + 5


@contextmanager
def _quiet_wal_writer(place):
    """Have the server's own writer, which syncs by the clock what nobody has waited for, do nothing meanwhile."""

    def configure(statement):
        with place.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
            connection.exec_driver_sql("SELECT pg_reload_conf()")

    configure("ALTER SYSTEM SET wal_writer_delay = '10s'")
    try:
        yield
    finally:
        configure("ALTER SYSTEM RESET wal_writer_delay")


def _wal_syncs(place):
    from sqlalchemy import text

    time.sleep(
        1.1
    )  # each of the server's processes tells its figures with a word that comes a second after it last did
    place.lane.run(Add(1, 0))
    with place.writer.connect() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        return connection.execute(text("SELECT wal_sync FROM pg_stat_wal")).scalar()


def test_a_wallet_changed_elsewhere_is_read_after_its_lock(url):
    with workplace(url) as place:
        open_wallets(place, 1)
        with place.writer.begin() as connection:
            connection.execute(update(tables.wallets).values(balance=40))
        assert place.lane.run(Add(1)) == 41
