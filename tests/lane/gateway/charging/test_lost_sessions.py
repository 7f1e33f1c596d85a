"""Sessions that end without their client's word, and how sessions are looked for and told of."""

import asyncio

import msgspec
import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import IMSI, INITIAL, MSISDN, PENNY, TERMINATION, UPDATE, ccr, charging_place, service

from gateway.charging import queries
from gateway.charging.gy.peer_restarts import MAX_HOSTS, PeerRestarts
from gateway.charging.session_expiry import CloseLost
from gateway.charity.policies import recompute
from gateway.store import tables
from protocols.diameter.node_events import PeerRestarted, PeerUp

MEGABYTE = 1_000_000
PGW = "pgw.host.example"


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def look(place, function, *arguments, **options):
    with place.reader.connect() as connection:
        return function(connection, *arguments, **options)


def wallet(place, subscriber_id):
    columns = tables.wallets.c
    return place.read(select(columns.balance, columns.reserved).where(columns.subscriber_id == subscriber_id))[0]


def test_a_lost_session_gives_back_what_it_held_and_a_late_report_is_charged_all_the_same(place):
    owner = place.enrol(500 * PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    assert wallet(place, owner) == (500 * PENNY, 10 * PENNY)
    assert place.lane.run(CloseLost("pgw;1;1", next(place.ticks)))
    assert wallet(place, owner) == (500 * PENNY, 0)
    assert look(place, queries.open_of, owner) == []
    place.ask(ccr(UPDATE, 1, service(used=[3 * MEGABYTE], ask=0)))
    assert wallet(place, owner) == (497 * PENNY, 10 * PENNY)
    assert [session.session_id for session in look(place, queries.open_of, owner)] == ["pgw;1;1"]
    place.ask(ccr(TERMINATION, 2, service(used=[MEGABYTE])))
    assert wallet(place, owner) == (496 * PENNY, 0)


def test_a_session_that_was_heard_of_since_is_not_lost(place):
    owner = place.enrol(500 * PENNY)
    known_at = next(place.ticks)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    assert not place.lane.run(CloseLost("pgw;1;1", known_at))
    assert not place.lane.run(CloseLost("of nobody", known_at))
    assert wallet(place, owner) == (500 * PENNY, 10 * PENNY)


def test_the_client_s_realm_is_kept_only_where_a_relay_stands_between(place):
    place.enrol(500 * PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;1;2"), peer="dra.core.example")
    found = {name: look(place, queries.find, name) for name in ("pgw;1;1", "pgw;1;2")}
    assert {name: (s.peer, s.origin_host, s.realm) for name, s in found.items()} == {
        "pgw;1;1": (PGW, PGW, ""),
        "pgw;1;2": ("dra.core.example", PGW, "host.example"),
    }


def test_a_session_is_found_by_its_session_id_and_by_our_number(place):
    place.enrol(500 * PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0), session="99"))
    by_name = look(place, queries.find, "99")
    assert look(place, queries.find, str(by_name.id)) == by_name
    assert look(place, queries.find, "7") is None
    assert look(place, queries.find, "9" * 400) is None
    assert look(place, queries.find, "pgw;1;1") is None


def test_the_list_has_the_newest_first_and_can_be_narrowed(place):
    owner = place.enrol(500 * PENNY)
    other = place.enrol(500 * PENNY, imsi="234150000000002", msisdn="447700900002")
    for number in range(3):
        place.ask(ccr(INITIAL, 0, service(ask=0), session=f"pgw;1;{number}"))
    place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;2;0", imsi="234150000000002"), peer="dra.core.example")
    place.ask(ccr(TERMINATION, 1, service(used=[5]), session="pgw;1;1"))

    def names(limit=10, **options):
        return [row.session_id for row in look(place, queries.latest, limit, **options)]

    assert names() == ["pgw;2;0", "pgw;1;2", "pgw;1;0"]
    assert names(2) == ["pgw;2;0", "pgw;1;2"]
    assert names(closed=True) == ["pgw;2;0", "pgw;1;2", "pgw;1;1", "pgw;1;0"]
    assert names(subscriber_id=owner) == ["pgw;1;2", "pgw;1;0"]
    assert names(peer="dra.core.example") == ["pgw;2;0"]
    row = msgspec.to_builtins(look(place, queries.latest, 1)[0])
    assert (row["state"], row["msisdn"], row["subscriber_id"]) == ("open", "447700900002", str(other))
    assert (row["reserved"], row["currency"]) == ("0.10", "GBP")


def test_a_session_tells_what_each_rating_group_used_and_holds(place):
    place.enrol(500 * PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0), service(100, ask=0, service_identifier=(1, 2))))
    place.ask(ccr(UPDATE, 1, service(used=[4 * MEGABYTE], ask=0)))
    told = look(place, lambda connection: queries.show(connection, queries.find(connection, "pgw;1;1")))
    told = msgspec.to_builtins(told)
    ten = 10 * MEGABYTE
    assert told["groups"] == [
        {
            "rating_group": 10,
            "used": 4 * MEGABYTE,
            "of_bundle": 0,
            "grants": [{"service_identifiers": [], "granted": ten, "of_bundle": 0, "reserved": "0.10"}],
        },
        {
            "rating_group": 100,
            "used": 0,
            "of_bundle": 0,
            "grants": [{"service_identifiers": [1, 2], "granted": ten, "of_bundle": 0, "reserved": "0.10"}],
        },
    ]
    assert (told["msisdn"], told["last_request_number"], told["closed_at"]) == (MSISDN, 1, None)
    assert (told["node"], told["terminated"], told["reserved"]) == ("ocs.test.example", False, "0.20")


class Restarted:
    """A place whose lane delivers to the running loop, and peers that come up."""

    def __init__(self, place):
        loop = asyncio.get_running_loop()
        place.lane._deliver = lambda jobs: loop.call_soon_threadsafe(
            lambda: [job.done(job.answer, job.error) for job in jobs]
        )
        self.told = []
        self.peer_restarts = PeerRestarts(
            place.lane,
            lambda: place.node.owned,
            frozenset({"dra.core.example"}),
            read=place.read_async,
            clock=lambda: next(place.ticks),
            alarm=lambda event, fields: self.told.append((event, fields)),
        )

    async def up(self, identity, origin_state_id):
        """Tell that a peer came up, and wait for what follows."""
        self.peer_restarts.record(PeerUp(identity, "host.example", "127.0.0.1", "test", origin_state_id, False))
        await self.settled()

    async def settled(self):
        """Wait for what follows from what was told."""
        await asyncio.gather(*self.peer_restarts._background._tasks)


async def test_a_grown_origin_state_id_closes_what_the_peer_had_and_nothing_else(place):
    owner = place.enrol(500 * PENNY)
    for number in range(3):
        await asyncio.to_thread(place.ask, ccr(INITIAL, 0, service(ask=0), session=f"pgw;1;{number}"))
    of_another = ccr(INITIAL, 0, service(ask=0), session="by relay", origin_host="pgw2.host.example")
    await asyncio.to_thread(place.ask, of_another, peer="dra.core.example")
    world = Restarted(place)
    for state in (None, 0, 1000, 1000, 999, None):
        await world.up(PGW, state)
    for state in (5, 6):
        await world.up("dra.core.example", state)
        await world.up("smf.elsewhere.example", state)
    assert world.told == [("charging.client.restarted", {"peer": "smf.elsewhere.example", "sessions": "0"})]
    assert len(look(place, queries.open_of, owner)) == 4
    await world.up(PGW, 1001)
    assert world.told[1:] == [("charging.client.restarted", {"peer": PGW, "sessions": "3"})]
    assert [session.session_id for session in look(place, queries.open_of, owner)] == ["by relay"]
    assert wallet(place, owner) == (500 * PENNY, 10 * PENNY)


async def test_it_counts_wherever_the_client_says_it_and_closes_what_came_by_a_relay_too(place):
    owner = place.enrol(500 * PENNY)
    await asyncio.to_thread(place.ask, ccr(INITIAL, 0, service(ask=0)))
    by_relay = ccr(INITIAL, 0, service(ask=0), session="by relay", origin_host="PGW.host.example.")
    await asyncio.to_thread(place.ask, by_relay, peer="dra.core.example")
    world = Restarted(place)
    for host, state in ((PGW, 7), ("PGW.host.example.", 7), (PGW, 6), ("dra.core.example", 9), (PGW, 7)):
        world.peer_restarts.report(host, state)  # as a CCR says it
    world.peer_restarts.record(PeerRestarted("dra.core.example", 10))
    await world.settled()
    assert (world.told, len(look(place, queries.open_of, owner))) == ([], 2)
    world.peer_restarts.report("PGW.host.example.", 8)
    world.peer_restarts.record(PeerRestarted(PGW, 8))  # as a DWR says it
    world.peer_restarts.report(PGW, 8)
    await world.settled()
    assert world.told == [("charging.client.restarted", {"peer": PGW, "sessions": "2"})]
    assert (look(place, queries.open_of, owner), wallet(place, owner)) == ([], (500 * PENNY, 0))


async def test_the_hosts_that_are_remembered_are_bounded(place):
    world = Restarted(place)
    for number in range(MAX_HOSTS + 100):
        world.peer_restarts.report(f"pgw{number}.host.example", 1)
    assert len(world.peer_restarts._states) <= MAX_HOSTS + 1


async def test_the_sessions_of_a_restarted_peer_are_found_page_by_page(place, monkeypatch):
    owner = place.enrol(500 * PENNY)
    for number in range(5):
        await asyncio.to_thread(place.ask, ccr(INITIAL, 0, service(ask=0), session=f"pgw;1;{number}", imsi=IMSI))
    monkeypatch.setattr(queries, "PAGE", 2)
    monkeypatch.setattr("gateway.charging.gy.peer_restarts.PAGE", 2)
    world = Restarted(place)
    await world.up(PGW, 1)
    await world.up(PGW, 2)
    assert world.told == [("charging.client.restarted", {"peer": PGW, "sessions": "5"})]
    assert look(place, queries.open_of, owner) == []
