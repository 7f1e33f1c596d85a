"""Trees of rows as a gateway makes them: what each is of, beside the gateway too, and what tampering leaves of them."""

import msgspec
import pytest
from sqlalchemy import delete, select, text
from support.billing_fixture import billing_place
from support.books import check
from support.evidence_pack import closed_month, seal
from support.lane_fixture import EVIDENCE_KEY

from gateway.billing.packs.row_trees import Ways, make, ranges_due
from gateway.billing.packs.tree_process import Question, make_beside
from gateway.charity.policies import recompute
from gateway.ledger.row_tree import MOST
from gateway.ledger.seals import SealKey, kept, tree_of_day
from gateway.store.tables import bills, row_trees, transfers, usage

pytestmark = pytest.mark.xdist_group("row_trees")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with billing_place(f"sqlite:///{tmp_path_factory.mktemp('trees')}/tpo.db") as place:
        closed_month(place, lines=2)
        yield place


def numbers(place):
    return [row.id for table in (usage, transfers, bills) for row in place.read(select(table.c.id))]


def ways(place, of):
    with place.reading() as connection:
        return Ways(connection, EVIDENCE_KEY).of(of)


def test_each_row_is_in_the_tree_of_one_day_and_seals_say_its_root(place):
    found = ways(place, numbers(place))
    assert len(found) == len(numbers(place))
    assert len({way.day for way in found.values()}) == 2  # of the use, and of the close
    with place.reading() as connection:
        seals = {each.day: each for each in kept(connection)}
        assert all(SealKey(EVIDENCE_KEY).is_signed(each) for each in seals.values())
        for day in {way.day for way in found.values()}:
            assert tree_of_day(connection, place.node.id, day).root.hex() == seals[day].rows
        assert ranges_due(connection, place.node.id) == []


def test_a_day_without_rows_is_sealed_without_a_tree(place):
    seal(place)
    with place.reading() as connection:
        latest = kept(connection)[-1]
        assert (latest.rows, tree_of_day(connection, latest.node, latest.day)) == ("", None)
        assert SealKey(EVIDENCE_KEY).is_signed(latest)
        assert b"rows" not in msgspec.json.encode(latest)


def test_a_process_beside_the_gateway_makes_the_same_tree_and_is_ended_with_it(place):
    place.use(1_000_000, "beside;1")
    with place.reading() as connection:
        ranges = ranges_due(connection, place.node.id)
    here = make(place.reading, EVIDENCE_KEY, place.node.id, ranges)
    question = Question(place.url, EVIDENCE_KEY, place.node.id, ranges)
    assert make_beside(question, lambda: False) == here
    assert make_beside(msgspec.structs.replace(question, url="sqlite:////none/tpo.db"), lambda: False) is None


def test_rows_that_are_booked_after_a_seal_have_no_way_and_a_neighbour_that_was_changed_takes_its_subtrees_ways_away(
    place,
):
    seal(place)
    place.use(1_000_000, "late;1")
    (late,) = place.read(select(usage.c.id).order_by(usage.c.id.desc()).limit(1))
    known = ways(place, numbers(place))
    assert late.id not in known
    with place.writer.begin() as connection:
        connection.execute(text("DROP TRIGGER transfers_unchanged"))
        connection.execute(text(f"UPDATE transfers SET amount = amount + 1 WHERE id = {min(known)}"))
    left = ways(place, numbers(place))
    assert {known[number].day for number in set(known) - set(left)} == {known[min(known)].day}


@pytest.mark.parametrize(
    "jumps", [(2 * MOST, 5 * MOST), (1 << 20,) * 80], ids=["restored twice", "started eighty times"]
)
@pytest.mark.parametrize("sealed_before", [True, False])
def test_rows_before_a_jump_of_numbers_are_in_the_days_tree_too(tmp_path, jumps, sealed_before):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        place.enrol(50_000_000)
        place.use(1_000_000, "before")
        if sealed_before:
            seal(place)
        for number, jump in enumerate((0, *jumps)):
            place.node.next_id += jump
            place.use(1_000_000, f"jump;{number}")
        seal(place)
        assert max(numbers(place)) - min(numbers(place)) > MOST
        assert set(ways(place, numbers(place))) == set(numbers(place))
        with place.reading() as connection:
            assert check(connection, recompute, EVIDENCE_KEY).findings == []


def test_what_is_kept_of_a_tree_is_held_against_its_seal(place):
    def found():
        with place.reading() as connection:
            found = check(connection, recompute, EVIDENCE_KEY).findings
            return [each.detail.partition(": ")[2] for each in found if each.check == "seal"]

    assert found() == []
    first = place.read(select(row_trees))[0]
    with place.writer.begin() as connection:
        for trigger in ("unchanged", "kept"):
            connection.execute(text(f"DROP TRIGGER row_trees_{trigger}"))
        connection.execute(row_trees.update().where(row_trees.c.day == first.day).values(roots=bytes(len(first.roots))))
    assert found() == ["what is kept of it was changed: no pack can prove them"]
    with place.writer.begin() as connection:
        connection.execute(delete(row_trees).where(row_trees.c.day == first.day))
    assert found() == ["what is kept of it is gone: no pack can prove them"]
