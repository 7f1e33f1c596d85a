"""Leases as such: how long one holds, when another gateway is taken for dead, and when nobody is."""

import pytest
from sqlalchemy import insert
from support.new_stores import place as place_store

from gateway.store import leases, nodes
from gateway.store.engine import open_writer
from gateway.store.leases import Lease, Other, Sightings
from gateway.store.tables import orders, outbox, texts
from gateway.store.takeover import Gone, look_closer
from gateway.store.waiting_rows import WaitingRows, count_waiting

SECOND = 1_000_000


def other(renewed_at=5, epoch=1, node=2, lease=10 * SECOND):
    return Other(node, f"ocs-{node}", epoch, renewed_at, lease)


def test_a_lease_holds_for_less_than_its_time_after_it_was_asked_for_and_not_once_it_is_anothers():
    lease = Lease(10)
    assert not lease.holds(0.0)
    lease.renewed(100.0)
    lease.renewed(99.0)  # of a batch before
    assert lease.holds(107.9)
    assert not lease.holds(108.0)
    lease.fenced = True
    assert not lease.holds(101.0)


def test_the_lease_of_an_only_writer_holds_by_itself():
    assert Lease(0).holds(1e9)


def test_a_lease_is_renewed_for_its_own_sake_when_nothing_was_committed_for_a_fifth_of_it():
    lease = Lease(10)
    assert lease.due(0.0)
    lease.renewed(100.0)
    assert not lease.due(101.9)
    assert lease.due(102.0)


def test_nobody_is_adopted_by_a_gateway_whose_own_lease_has_not_held_for_its_time():
    """After a restart of the server all gateways were silent: each gets the time of a lease to come back."""
    lease = Lease(10)
    for at in range(100, 112):
        assert lease.may_adopt(float(at)) == (at >= 110)
        lease.renewed(float(at))
    lease.renewed(130.0)
    assert not lease.may_adopt(131.0)
    for at in range(131, 141):
        lease.renewed(float(at))
    assert lease.may_adopt(140.5)


def test_another_gateway_is_silent_when_its_row_has_not_changed_for_longer_than_its_lease_whatever_clocks_say():
    sightings = Sightings()
    assert sightings.silent([other()], 100.0) == []
    assert sightings.silent([other()], 110.0) == []
    assert sightings.silent([other()], 110.1) == [other()]
    assert sightings.silent([other(renewed_at=4)], 111.0) == []  # the server's clock went back
    assert sightings.silent([other(renewed_at=4, epoch=2)], 121.1) == []  # it started again
    assert sightings.silent([], 122.0) == []
    assert sightings.silent([other(renewed_at=4, epoch=2)], 140.0) == []


def test_a_node_without_a_lease_is_never_silent():
    sightings = Sightings()
    assert [sightings.silent([other(lease=0)], at) for at in (0.0, 1e6)] == [[], []]


# The rows


@pytest.fixture
def writer(tmp_path):
    place_store(tmp_path / "t.db")
    engine = open_writer(f"sqlite:///{tmp_path}/t.db", existing=True)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(writer):
    with writer.begin() as connection:
        yield connection


def test_a_name_whose_number_was_adopted_comes_back_under_a_new_one_and_keeps_its_count_and_origin_state(connection):
    one, two = (nodes.enter(connection, name, 7 * SECOND) for name in ("ocs-1", "ocs-2"))
    assert leases.adopt(connection, one.id, one.epoch, None, two.id) == (one.id,)
    back = nodes.enter(connection, "ocs-1", 9 * SECOND)
    assert (back.id, back.starts, back.origin_state_id, back.adopter) == (3, 2, 7, "ocs-2")
    assert back.owned == (3,)
    assert nodes.owned(connection, two.id) == (one.id, two.id)
    again = nodes.enter(connection, "ocs-1", 9 * SECOND)
    assert (again.id, again.epoch, again.adopter) == (3, 2, "")


def test_who_adopts_an_adopter_has_all_of_it(connection):
    one, two, three = (nodes.enter(connection, f"ocs-{n}", SECOND) for n in (1, 2, 3))
    leases.adopt(connection, one.id, one.epoch, None, two.id)
    assert leases.adopt(connection, two.id, two.epoch, None, three.id) == (one.id, two.id)
    assert nodes.owned(connection, three.id) == (one.id, two.id, three.id)


def test_only_a_node_that_is_as_it_was_seen_is_adopted_and_only_once(connection):
    one, two, three = (nodes.enter(connection, f"ocs-{n}", SECOND) for n in (1, 2, 3))
    assert leases.adopt(connection, one.id, one.epoch, SECOND - 1, two.id) == ()
    assert leases.adopt(connection, one.id, one.epoch + 1, SECOND, two.id) == ()
    assert leases.adopt(connection, two.id, two.epoch, SECOND, two.id) == ()
    assert leases.adopt(connection, one.id, one.epoch, SECOND, two.id) == (one.id,)
    assert leases.adopt(connection, one.id, one.epoch + 1, None, three.id) == ()


def test_a_file_s_only_writer_has_what_was_made_under_its_former_names_and_each_name_keeps_its_number(connection):
    for name, number in (("ocs-1", 1), ("ocs-2", 2), ("ocs-1", 1), ("ocs-3", 3), ("ocs-1", 1)):
        node = nodes.enter(connection, name, SECOND, alone=True)
        leases.adopt_all(connection, node.id)
        assert (node.id, node.adopter) == (number, "")
    assert nodes.owned(connection, 1) == (2, 3, 1)


def test_a_retired_name_is_free_and_what_was_its_own_stays_with_who_has_it(connection):
    one, two = (nodes.enter(connection, name, SECOND) for name in ("ocs-1", "ocs-2"))
    assert leases.retire(connection, "ocs-1") == 0
    leases.adopt(connection, one.id, one.epoch, None, two.id)
    assert leases.retire(connection, "ocs-1") == 1
    listed = {row.node: (row.retired, row.owner_name) for row in leases.all_nodes(connection, SECOND)}
    assert listed == {1: (True, "ocs-2"), 2: (False, "ocs-2")}


def row_of(table, **values):
    """A row with something in every column that must have it."""
    blank = {c.name: b"" if "BLOB" in str(c.type) else "" if c.type.python_type is str else 0 for c in table.c}
    return blank | values


@pytest.mark.parametrize(
    ("table", "values", "waits"),
    [
        (texts, {"final": 0, "node": 1}, "texts"),
        (texts, {"final": 1, "node": 1}, None),
        (orders, {"open": 1, "node": 1}, "orders"),
        (orders, {"open": 0, "node": 1}, None),
        (outbox, {"published_at": None}, "events"),
        (outbox, {"published_at": 5}, None),
    ],
)
def test_what_waits_for_a_gateway_that_is_gone_is_known_by_kind_and_number(connection, table, values, waits):
    one = nodes.enter(connection, "ocs-1", SECOND)
    elsewhere = {"node": 9} if "node" in values else {}
    connection.execute(insert(table).values(row_of(table, id=one.take_id(), **values)))
    connection.execute(insert(table).values(row_of(table, id=9 << nodes.SPAN_BITS, **values | elsewhere)))
    found = {waits} if waits else set()
    assert look_closer(connection, [other(node=1)]) == [Gone(other(node=1), frozenset(found))]
    assert count_waiting(connection, [1]) == WaitingRows(**dict.fromkeys(found, 1))
    assert count_waiting(connection, [1, 9]) == WaitingRows(**dict.fromkeys(found, 2))
