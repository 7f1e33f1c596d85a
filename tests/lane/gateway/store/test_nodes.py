"""A node's place in the store: what stays from start to start, and what is another each time."""

import msgspec
import pytest
from support.new_stores import place as place_store

from gateway.store import nodes
from gateway.store.engine import open_writer
from gateway.store.errors import StoreReplaced
from protocols.diameter.outbound import EndToEndIds

SECOND = 1_000_000


@pytest.fixture
def writer(tmp_path):
    place_store(tmp_path / "t.db")
    engine = open_writer(f"sqlite:///{tmp_path}/t.db", existing=True)
    yield engine
    engine.dispose()


def start(writer, name, now):
    with writer.begin() as connection:
        return nodes.enter(connection, name, now)


def test_the_origin_state_id_stays_as_long_as_the_store_does(writer):
    first = start(writer, "ocs-1", 1_700_000_000 * SECOND)
    assert first.origin_state_id == 1_700_000_000
    later = start(writer, "ocs-1", 1_800_000_000 * SECOND)
    assert later.origin_state_id == first.origin_state_id
    assert start(writer, "ocs-1", 0).origin_state_id == first.origin_state_id  # whatever the clock says
    assert start(writer, "ocs-2", 1_800_000_000 * SECOND).origin_state_id == 1_800_000_000


def test_each_start_of_a_node_has_a_number_of_its_own(writer):
    assert [start(writer, "ocs-1", SECOND).starts for _ in range(3)] == [1, 2, 3]
    assert start(writer, "ocs-2", SECOND).starts == 1


def test_no_identifier_is_given_twice(writer):
    first = start(writer, "ocs-1", SECOND)
    given = {first.take_id() for _ in range(1000)}
    again = start(writer, "ocs-1", SECOND)
    assert again.take_id() not in given
    assert again.id == first.id


def test_end_to_end_identifiers_differ_from_start_to_start_also_within_a_second():
    first, second = (EndToEndIds(number, lambda: 0.5) for number in (1, 2))
    assert not {first() for _ in range(10_000)} & {second() for _ in range(10_000)}


def test_identifiers_that_failed_batches_used_up_beyond_their_block_are_written_down_with_the_next(writer):
    node = start(writer, "ocs-1", SECOND)
    written = node.ceiling
    node.next_id = written + 7  # blocks were written down by batches that failed, and are gone with them
    with writer.begin() as connection:
        nodes.extend(connection, node)
    assert start(writer, "ocs-1", SECOND).next_id == node.ceiling > written + 7


def test_a_lane_that_takes_the_place_of_a_dead_one_passes_over_what_that_may_have_given_out(writer):
    node = start(writer, "ocs-1", SECOND)
    with writer.begin() as connection:
        dead = start_of(node)
        nodes.extend(connection, dead)
    with writer.begin() as connection:
        nodes.resume(connection, node)
    assert node.next_id == node.ceiling == dead.ceiling
    with writer.begin() as connection, pytest.raises(StoreReplaced):
        nodes.resume(connection, start_of(node, ceiling=node.ceiling + 1))
    with writer.begin() as connection, pytest.raises(StoreReplaced):
        nodes.resume(connection, start_of(node, name="another"))


def start_of(node, **changes):
    return msgspec.structs.replace(node, **changes)
