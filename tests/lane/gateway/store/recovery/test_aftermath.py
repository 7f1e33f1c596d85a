"""After a restore no identifier is given out twice, clients learn of the lost sessions, and what is gone is named."""

import pytest
from sqlalchemy import insert, select, update
from support.lane_fixture import Workplace

from gateway.store import nodes as entering
from gateway.store.errors import StoreUnavailable
from gateway.store.nodes import BLOCK, SPAN_BITS
from gateway.store.recovery import aftermath
from gateway.store.tables import marks, nodes, payments, transfers

SECOND = 1_000_000
NOW = 1_795_711_442 * SECOND


@pytest.fixture
def place(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db", node="n")
    yield place
    place.close()


def mend(place, since, given_out=None):
    with place.writer.begin() as connection:
        (mended,) = aftermath.mend(connection, since, NOW, given_out or {})
        row = connection.execute(select(nodes)).one()
    assert (mended.node, mended.origin_state_id) == (row.name, row.origin_state_id)
    return mended, row


def test_identifiers_of_the_lost_time_are_skipped_in_whole_blocks_and_by_the_seconds(place):
    before = place.node.ceiling
    mended, row = mend(place, NOW - 90 * SECOND)
    assert row.next_id - before == mended.skipped == 2 * BLOCK + 90 * aftermath.IDS_A_SECOND
    with place.writer.begin() as connection:
        again = entering.enter(connection, "n", NOW)
    assert again.take_id() >= before + mended.skipped


def test_what_the_store_before_is_known_to_have_given_out_counts_if_it_is_more(place):
    _, row = mend(place, NOW, {1: place.node.ceiling + 77 * BLOCK})
    assert row.next_id == place.node.ceiling + 77 * BLOCK


def test_a_clock_that_went_back_and_a_loss_of_years_skip_within_bounds(place):
    assert mend(place, NOW + 60 * SECOND)[0].skipped == 2 * BLOCK
    assert mend(place, 0)[0].skipped == 2 * BLOCK + aftermath.MOST_SKIPPED


def test_a_node_that_entered_in_the_lost_time_begins_above_what_it_gave_out_then(place):
    mend(place, NOW - 3600 * SECOND)
    mend(place, NOW, {2: (2 << SPAN_BITS) + 400 * BLOCK})
    with place.writer.begin() as connection:
        found = entering.enter(connection, "b", NOW)
    assert found.id == 2
    skipped = 2 * BLOCK + 3600 * aftermath.IDS_A_SECOND + 400 * BLOCK
    assert found.take_id() == (2 << SPAN_BITS) + skipped


def test_a_range_that_is_used_up_is_refused(place):
    with place.writer.begin() as connection:
        connection.execute(update(nodes).values(next_id=(2 << SPAN_BITS) - BLOCK))
    with pytest.raises(StoreUnavailable, match="node n has no identifiers left"):
        mend(place, NOW)


def test_the_origin_state_id_rises_to_the_present_or_by_one_and_the_starts_by_more_than_were_lost(place):
    assert mend(place, NOW)[1].origin_state_id == NOW // SECOND
    with place.writer.begin() as connection:
        connection.execute(update(nodes).values(origin_state_id=NOW // SECOND + 500))
    assert mend(place, NOW)[1].origin_state_id == NOW // SECOND + 501
    found = dict(place.read(select(marks.c.name, marks.c.value).where(marks.c.name.in_(("starts", "restores")))))
    assert found == {"starts": 1 + 2 * aftermath.STARTS_SKIPPED, "restores": 2}


def test_what_the_store_before_had_beyond_the_restored_one_is_counted_and_payments_are_named(tmp_path, place):
    later = Workplace(f"sqlite:///{tmp_path}/later.db", node="n")
    for each, amounts in ((place, (1,)), (later, (1, 2, 3))):
        with each.writer.begin() as connection:
            for number in amounts:
                entry = {"id": each.node.id << SPAN_BITS | number, "at": number, "event_at": number, "amount": number}
                names = {
                    "kind": "topup",
                    "debit": 1,
                    "credit": 7 << SPAN_BITS,
                    "currency": "GBP",
                    "reference": f"r{number}",
                }
                connection.execute(insert(transfers).values(entry | names))
                payment = {"channel": "shop", "reference": f"r{number}", "subscriber_id": 7, "at": number, "id": number}
                connection.execute(insert(payments).values(payment | {"amount": number, "currency": "GBP"}))
    with later.reader.connect() as before, place.reader.connect() as restored:
        lost = aftermath.lost(before, restored)
        assert aftermath.given_out(before) == {1: later.node.ceiling}
        assert aftermath.last_commit(before) == 3
    assert lost.rows == {"transfers": 2}
    assert lost.payments == [aftermath.Payment("shop", f"r{n}", n, "GBP") for n in (2, 3)]
    later.close()
