"""Seals of a node's days: made once a day, kept in a file, and held against a store of which the end was cut off."""

import itertools

import pytest
from sqlalchemy import text
from support.books import check
from support.charging_fixture import INITIAL, TERMINATION, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY
from support.sealing import write_seal

from gateway.billing.packs.row_trees import ranges_due
from gateway.charity.policies import recompute
from gateway.ledger import seals
from gateway.ledger.check import some_of
from gateway.ledger.seals import SealKey, WriteSeal
from gateway.store.evidence import DAY_US, Evidence, Tip
from gateway.store.nodes import enter
from gateway.store.releases import record_restore
from gateway.store.sweeper import Retention, Sweep

DAY_AFTER = 1_700_006_400_000_000
"""15 November 2023, 0:00: the day after the first tick of the fixture's clock."""


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db") as opened:
        opened.enrol(5_000_000)
        yield opened


def seal(place, now):
    with place.reader.connect() as connection:
        found, usage = seals.due_with_usage(connection, place.node.id, now)
    made = found and SealKey(EVIDENCE_KEY).sign(place.node.id, *found)
    return made if made and write_seal(place, made, now, usage=usage) else None


def findings(place, *kept):
    with place.reader.connect() as connection:
        return [
            found.detail
            for found in check(connection, recompute, EVIDENCE_KEY, kept).findings
            if found.check != "guard"
        ]


def test_a_day_is_sealed_once_when_it_is_over_and_the_event_says_the_seal_alone(place):
    made = seal(place, DAY_AFTER)
    assert (made.day, made.node) == ("2023-11-14", place.node.id)
    assert seal(place, DAY_AFTER + 5) is None
    assert seal(place, DAY_AFTER + DAY_US).day == "2023-11-15"
    body = place.read(text("SELECT body FROM outbox WHERE topic = 'ledger/sealed' ORDER BY id"))[0][0]
    assert b'"data":' + seals.msgspec.json.encode(made) in body
    assert findings(place, made) == []


def test_a_tail_that_was_cut_off_with_the_key_itself_shows_against_a_seal_that_left(place):
    made = seal(place, DAY_AFTER)
    before = made.sequence - 1
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text("DELETE FROM seals"))
        connection.execute(text(f"DELETE FROM evidence WHERE id = {(1 << 40) + made.sequence}"))
        head = connection.scalar(text("SELECT head FROM evidence ORDER BY id DESC LIMIT 1"))
        tip = {
            "sequence": before,
            "head": head,
            "proof": Evidence(EVIDENCE_KEY, place.node.id)._digester.proof(1, Tip(before, head)),
        }
        connection.execute(text("UPDATE chains SET sequence = :sequence, head = :head, proof = :proof"), tip)
        for table in ("transfers", "sealed_choices", "wallets", "subscriptions"):
            connection.execute(text(f"DELETE FROM {table}"))
    assert findings(place) == []
    (told,) = findings(place, made)
    assert "the seal of node 1 for 2023-11-14" in told
    assert "was cut off" in told


def test_a_seal_of_links_that_a_restore_lost_is_not_held_against_the_store(place):
    with place.writer.begin() as connection:
        record_restore(connection, EVIDENCE_KEY, DAY_AFTER + DAY_US)
    lost = SealKey(EVIDENCE_KEY).sign(place.node.id, "2023-11-15", Tip(40, bytes(32)))
    later = SealKey(EVIDENCE_KEY).sign(place.node.id, "2023-11-17", Tip(41, bytes(32)))
    assert findings(place, lost) == []
    assert len(findings(place, lost, later)) == 1


def test_a_restore_that_nobody_made_excuses_no_seal(place):
    made = seal(place, DAY_AFTER)
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text("DELETE FROM seals"))
        connection.execute(
            text(f"INSERT INTO releases SELECT 5, {DAY_AFTER + DAY_US}, 'restored', node, 0 FROM chains")
        )
    assert set(findings(place, made)) == {
        "release 5 was not booked by a gateway: nothing proves it",
        f"the seal of node {place.node.id} for 2023-11-14 left the house, and is gone from the store",
    }
    with place.reader.connect() as connection:
        alone = some_of(connection, ("seals_match",), (), EVIDENCE_KEY, (made,), lambda *_: None)
    assert len(alone["seals_match"]) == 1, "also where nobody looked at the rows before"


@pytest.mark.parametrize("at", [5, DAY_AFTER - 1, DAY_AFTER + 2 * DAY_US])
def test_a_seal_that_says_another_time_of_its_writing_is_named(place, at):
    seal(place, DAY_AFTER)
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text(f"UPDATE seals SET sealed_at = {at}"))
    (told,) = findings(place)
    assert f"the seal of node 1 for 2023-11-14 says that it was written down at {at} microseconds" in told


def test_a_seal_that_was_changed_is_told(place):
    made = seal(place, DAY_AFTER)
    changed = seals.msgspec.structs.replace(made, sequence=1)
    assert ["was not made with this gateway's key, or was changed" in told for told in findings(place, changed)] == [
        True
    ]
    assert not SealKey(b"another").is_signed(made)


def test_the_file_has_each_seal_once_and_is_private(place, tmp_path):
    file = tmp_path / "var" / "seals.jsonl"
    made = [seal(place, DAY_AFTER + day * DAY_US) for day in (0, 1)]
    assert [
        seals.append_missing(file, made[:1]),
        seals.append_missing(file, made),
        seals.append_missing(file, made),
    ] == [1, 1, 0]
    with file.open("ab") as torn:
        torn.write(b'{"node":1,"day":"2023')
    assert seals.read_file(file) == made
    assert file.stat().st_mode & 0o777 == 0o600


def test_usage_stays_until_a_seal_stands_for_it_however_late_that_is(place):
    kept = dict.fromkeys(("answers", "outbox", "sessions", "orders", "access_log"), 1 << 40)
    sweep = Sweep(Retention(usage=2 * 86_400, **kept), published_only=False)
    for number, session in enumerate(("pgw;1", "pgw;2")):
        place.ask(ccr(INITIAL, 0, service(ask=0), session=session))
        place.ask(ccr(TERMINATION, 1, service(used=[8_000_000]), session=session))
        if not number:
            seal(place, DAY_AFTER)
    place.ticks = itertools.count(DAY_AFTER + 9 * DAY_US, 1_000)
    assert place.lane.run(sweep) == 1  # what the seal stands for; the second came after it
    assert place.lane.run(sweep) == 0
    assert findings(place) == []
    seal(place, DAY_AFTER + 9 * DAY_US)
    assert place.lane.run(sweep) == 1
    assert place.read(text("SELECT count(*) FROM usage")) == [(0,)]
    assert findings(place) == []


def test_the_chain_of_a_gateway_that_is_gone_is_sealed_until_a_seal_stands_for_its_end(place):
    with place.writer.begin() as connection:
        gone = enter(connection, "gone", DAY_AFTER).id
        Evidence(EVIDENCE_KEY, gone).append(
            connection, {"releases": [(gone << 40, DAY_AFTER, "unproved", gone, 0)]}, DAY_AFTER
        )
    for day, sealed in ((0, True), (1, False), (2, False)):
        with place.reader.connect() as connection:
            found = seals.due(connection, gone, DAY_AFTER + day * DAY_US, is_over=True)
        assert (found is not None) == sealed
        if found is not None:
            assert place.lane.run(WriteSeal(SealKey(EVIDENCE_KEY).sign(gone, *found), "ocs"))
    assert {each.node for each in kept_seals(place)} == {gone}


def kept_seals(place):
    with place.reader.connect() as connection:
        return seals.kept(connection)


def test_what_retention_takes_leaves_the_links_and_the_seals_of_its_days_and_says_so_by_a_proved_row(place):
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(TERMINATION, 1, service(used=[8_000_000])))
    made = seal(place, DAY_AFTER)
    links = place.read(text("SELECT id, head FROM evidence ORDER BY id"))
    place.ticks = itertools.count(DAY_AFTER + 3 * DAY_US, 1_000)
    kept = dict.fromkeys(("answers", "outbox", "sessions", "orders", "access_log"), 1 << 40)
    assert place.lane.run(Sweep(Retention(usage=2 * 86_400, **kept), published_only=False)) == 1
    assert place.read(text("SELECT count(*) FROM usage")) == [(0,)]
    assert place.read(text("SELECT id, head FROM evidence ORDER BY id"))[: len(links)] == links
    assert findings(place, made) == []
    ((content, day),) = place.read(text("SELECT content, until FROM releases"))
    assert (content, day * DAY_US) == ("usage", DAY_AFTER - DAY_AFTER % DAY_US - DAY_US)  # the day that is sealed
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text("UPDATE releases SET until = until - 5"))
    assert {word for each in findings(place, made) for word in ("release", "record") if each.startswith(word)} == {
        "release",
        "record",
    }


def test_a_seal_that_left_and_is_gone_from_the_store_is_named_although_the_chain_bears_it_out(place):
    first, second = seal(place, DAY_AFTER), seal(place, DAY_AFTER + DAY_US)
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text("DELETE FROM seals WHERE day = '2023-11-14'"))
    assert findings(place, second) == []
    (found,) = findings(place, first, second)
    assert found == f"the seal of node {place.node.id} for 2023-11-14 left the house, and is gone from the store"


TREES = {
    "DELETE FROM seals WHERE day = '2023-11-14'": ["2023-11-14 is under no seal"],
    "UPDATE row_trees SET upto = upto + 1 WHERE day = '2023-11-14'": ["2023-11-14 ends with number"],
    "INSERT INTO row_trees SELECT node, '2023-11-30', upto, ranges, roots FROM row_trees LIMIT 1": [
        "2023-11-30 is under no seal"
    ],
    "DELETE FROM row_trees WHERE day = '2023-11-15'": [
        "2023-11-15: what is kept of it is gone",
        "2023-11-16 begins with number",
    ],
}  # fmt: skip


@pytest.mark.parametrize("damage", TREES)
def test_a_tree_without_its_seal_and_rows_that_no_tree_has_any_more_are_named(place, damage):
    for day in range(3):
        place.ask(ccr(INITIAL, 0, service(ask=0), session=f"pgw;{day}"))
        place.ask(ccr(TERMINATION, 1, service(used=[8_000_000], ask=0), session=f"pgw;{day}"))
        now = DAY_AFTER + day * DAY_US
        with place.reader.connect() as connection:
            (found, usage), ranges = (
                seals.due_with_usage(connection, place.node.id, now),
                ranges_due(connection, place.node.id),
            )
            tree = seals.RowTree(ranges, bytes(32))
        assert write_seal(place, SealKey(EVIDENCE_KEY).sign(place.node.id, *found, tree), now, tree=tree, usage=usage)
    assert findings(place) == []
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text(damage))
    found = findings(place)
    assert len(found) == len(TREES[damage])
    assert all(words in detail for words, detail in zip(TREES[damage], found, strict=True))
