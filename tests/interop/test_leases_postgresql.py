"""Leases between gateways on a real PostgreSQL; on an SQLite file they cost nothing."""

import threading

import pytest
from sqlalchemy import event, insert, select, text, update
from support.lane_fixture import workplace
from support.old_stores import store_at
from support.patience import PATIENCE
from support.postgres_wire import wire

from gateway.store import leases, nodes, schema
from gateway.store.backends import end_backends, end_stalled
from gateway.store.engine import open_reader, open_writer, storing
from gateway.store.errors import StoreFenced, StoreUnavailable
from gateway.store.statements import PIPELINE
from gateway.store.tables import nodes as tables_nodes
from gateway.store.tables import subscribers, wallets
from gateway.store.takeover import AdoptNode, RenewLease, RetireNodes, look_around

pytestmark = pytest.mark.xdist_group("write_lane")


@pytest.fixture
def url(request, database):
    return database(f"lease_{abs(hash(request.node.nodeid))}")


def open_wallet(place, number=7):
    with place.writer.begin() as connection:
        connection.execute(insert(subscribers).values(id=number, status="active", created_at=0))
        connection.execute(insert(wallets).values(subscriber_id=number, currency="GBP", balance=0, reserved=0))


def statements_of(place):
    """What the lane sends for a batch that changes nothing, once it is connected."""
    place.lane.run(RenewLease())
    connection = place.lane._transactions.connection
    if connection.dialect.name == "postgresql":
        with wire(place) as messages:
            place.lane.run(RenewLease())
        prepared = {name.decode(): text for text, name in connection.info[PIPELINE]._prepared.items()}
        assert not any(line.split("\t")[3] in ("Parse", "Query") for line in messages), messages
        return [prepared[line.split('"')[3]] for line in messages if line.split("\t")[3] == "Bind"]
    seen = []
    event.listen(place.writer, "before_cursor_execute", lambda *given: seen.append(given[2]))
    place.lane.run(RenewLease())
    return seen


def adopt(place, other, renewed_at=None):
    return place.lane.run(AdoptNode(other.node.id, other.node.epoch, renewed_at))


def seen(place, other):
    with place.reader.connect() as connection:
        return next(row for row in look_around(connection, place.node.id).others if row.node == other.node.id)


def test_a_batch_on_a_server_begins_with_one_renewal_and_none_on_a_file(url, tmp_path):
    with workplace(url) as place:
        begin, renewal, commit = statements_of(place)
        assert (begin, commit) == ("BEGIN", "COMMIT")
        assert renewal.startswith("UPDATE nodes SET renewed_at")
    with workplace(f"sqlite:///{tmp_path}/t.db") as place:
        assert statements_of(place) == []


def test_who_was_adopted_commits_nothing_any_more_and_says_so_once(url):
    with workplace(url, node="one") as one, workplace(url, node="two") as two:
        open_wallet(one)
        one.lane.run(RenewLease())
        assert adopt(two, one) == (one.node.id,)
        for _ in range(2):
            with pytest.raises(StoreFenced):
                one.lane.run(RenewLease())
        assert one.lane.lease.fenced
        assert [name for name, _ in one.alarms] == ["store.fenced"]
        assert one.lane.in_trouble
        two.lane.run(RenewLease())
        with two.reader.connect() as connection:
            assert nodes.owned(connection, two.node.id) == (one.node.id, two.node.id)


def test_a_second_process_of_a_name_fences_the_first(url):
    with workplace(url, node="one") as one:
        one.lane.run(RenewLease())
        with workplace(url, node="one") as again:
            assert (again.node.id, again.node.epoch) == (one.node.id, one.node.epoch + 1)
            with pytest.raises(StoreFenced):
                one.lane.run(RenewLease())
            again.lane.run(RenewLease())


def test_who_renews_after_it_was_seen_is_not_adopted(url):
    with workplace(url, node="one") as one, workplace(url, node="two") as two:
        one.lane.run(RenewLease())
        before = seen(two, one)
        one.lane.run(RenewLease())
        assert adopt(two, one, before.renewed_at) == ()
        one.lane.run(RenewLease())
        assert adopt(two, one, seen(two, one).renewed_at) == (one.node.id,)


def test_of_two_that_adopt_the_same_gateway_one_has_it(url):
    with (
        workplace(url, node="one") as one,
        workplace(url, node="two") as two,
        workplace(url, node="three") as three,
    ):
        together, got = threading.Barrier(2, timeout=PATIENCE), []

        def take(place):
            together.wait()
            got.append(adopt(place, one))

        threads = [threading.Thread(target=take, args=(place,)) for place in (two, three)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == [(), (one.node.id,)]


def test_two_gateways_that_enter_at_once_have_numbers_of_their_own(url):
    with workplace(url, node="one") as place:
        together, got = threading.Barrier(6, timeout=PATIENCE), []

        def enter(name):
            together.wait()
            with place.writer.begin() as connection:
                got.append(nodes.enter(connection, name, 1).id)

        threads = [threading.Thread(target=enter, args=(f"node-{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == [2, 3, 4, 5, 6, 7]


def test_a_transaction_of_a_stopped_gateway_is_waited_for_by_nobody_and_ended_by_who_adopts_it(url):
    with workplace(url, node="one") as one, workplace(url, node="two") as two:
        open_wallet(two)
        stopped = open_writer(url, label=f"tpo/{one.node.id}/{one.node.epoch}").connect()
        stopped.begin()
        leases.check(one.node, leases.ask(stopped, one.node))
        stopped.execute(update(wallets).values(balance=5))
        assert adopt(two, one) == ()  # it may still commit
        with two.reader.connect() as connection:
            assert end_backends(connection, two.node.id) == 0
        with open_reader(url).connect() as connection:
            assert end_backends(connection, one.node.id) == 1
        for _ in range(1000):
            if adopt(two, one):
                break
        with two.writer.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            connection.execute(update(wallets).values(balance=wallets.c.balance + 1))
        assert two.read(select(wallets.c.balance)) == [(1,)]
        with pytest.raises(StoreUnavailable), storing():
            stopped.commit()
        stopped.invalidate()


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_transaction_that_waits_for_its_gateway_is_ended_whoever_watches_also_amid_statements(url, in_pipeline):
    """Amid a pipeline the server does not count a connection as idle, and its own limit never comes."""
    with workplace(url, node="one") as one, workplace(url, node="two") as two:
        open_wallet(two)
        connection = open_writer(url, label=f"tpo/{one.node.id}/1").connect().connection.driver_connection
        report = open_reader(url, label=f"tpo/{one.node.id}/1/reads").connect()
        report.execute(select(wallets)).all()
        if in_pipeline:
            raw = connection.pgconn
            raw.enter_pipeline_mode()
            for words in (b"BEGIN", b"UPDATE wallets SET balance = 5"):
                raw.send_query_params(words, None)
            raw.flush()  # and no Sync after it
        else:
            connection.execute("UPDATE wallets SET balance = 5")
        ended = []
        with two.reader.connect() as watching:
            while not ended:
                assert end_stalled(watching, one.node.id, 0.0) == []
                assert end_stalled(watching, two.node.id, 1000.0) == []
                ended = end_stalled(watching, two.node.id, 0.0)
                watching.rollback()  # the activity is one snapshot a transaction
        assert ended == [one.node.id]
        assert report.execute(select(wallets)).all()
        report.close()
        with two.writer.begin() as writing:
            writing.execute(text("SET LOCAL lock_timeout = '5s'"))
            writing.execute(update(wallets).values(balance=wallets.c.balance + 1))
        assert two.read(select(wallets.c.balance)) == [(1,)]
        connection.close()


def test_a_writer_asks_the_server_for_limits_unless_its_administrator_set_some(url):
    def limits():
        engine = open_writer(url, label="tpo/1/1")
        with engine.connect() as connection:
            names = ("lock_timeout", "idle_in_transaction_session_timeout", "application_name")
            found = [connection.execute(text(f"SHOW {name}")).scalar_one() for name in names]
        engine.dispose()
        return found

    assert limits() == ["8s", "5s", "tpo/1/1"]
    engine = open_writer(url)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ALTER ROLE tpo SET lock_timeout = '3s'"))
    engine.dispose()
    assert limits()[:2] == ["3s", "5s"]
    engine = open_writer(url)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ALTER ROLE tpo RESET lock_timeout"))
    engine.dispose()


def test_a_retired_name_is_listed_no_more_and_may_come_again(url):
    with workplace(url, node="one") as one, workplace(url, node="two") as two:
        assert two.lane.run(RetireNodes("one")) == 0
        adopt(two, one)
        assert two.lane.run(RetireNodes("one")) == 1
        with two.reader.connect() as connection:
            rows = [(row.node, row.retired, row.live) for row in leases.all_nodes(connection, 0)]
        assert rows == [(1, True, False), (2, False, True)]
    with workplace(url, node="one") as again:
        assert (again.node.id, again.node.adopter) == (3, "two")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nodes_of_before_leases_own_themselves_and_nobody_takes_them_for_dead(kind, request, tmp_path):
    """A gateway that has not started since the upgrade may be on its way; a person may adopt it."""
    url = f"sqlite:///{tmp_path}/t.db" if kind == "sqlite" else request.getfixturevalue("url")
    if kind == "postgresql":
        with open_writer(url).begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    engine = store_at(url, "0009")
    with engine.begin() as connection:
        for number in (1, 2):
            values = {"id": number, "name": f"node-{number}", "next_id": number << 40, "origin_state_id": 5}
            connection.execute(insert(tables_nodes).values(values))
    schema.upgrade(engine)
    with engine.begin() as connection:
        assert [(row.node, row.owner, row.live) for row in leases.all_nodes(connection, 9)] == [
            (1, 1, False),
            (2, 2, False),
        ]
        first = nodes.enter(connection, "node-1", 9_000_000)
        assert (first.id, first.origin_state_id, first.epoch, first.owned) == (1, 5, 1, (1,))
        sightings = leases.Sightings()
        assert sightings.silent(leases.others(connection, 1), 0.0) == []
        assert sightings.silent(leases.others(connection, 1), 1e6) == []
        assert leases.adopt(connection, 2, 0, 0, 1) == (2,)
    engine.dispose()
