"""All sessions of a subscriber at once: the requests of `Clients` over real nodes, on a real store."""

import asyncio
import itertools
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select
from support.charging_fixture import INITIAL, MSISDN, UPDATE, ccr, charging_place, service
from support.diameter_rig import OCS, PGW, identity, two_nodes

from gateway.charging import queries
from gateway.charging.gy import reauth_abort as charging_clients
from gateway.charging.gy.reauth_abort import (
    CommandOutcome,
    CommandResult,
    Limits,
    Reply,
    SessionCommand,
    SessionRequests,
)
from gateway.charging.session_expiry import ExpireSession, overdue
from gateway.store import tables
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import AbortSessionAnswer, AbortSessionRequest, ReAuthAnswer, ReAuthRequest

KINDS = {258: (ReAuthRequest, ReAuthAnswer), 274: (AbortSessionRequest, AbortSessionAnswer)}


class World:
    """A store with sessions, and a client that answers with the Result-Code that a Session-Id names; 0: not at all."""

    def __init__(self, place):
        self.place = place
        self.busy = self.most_busy = 0
        self.asked = Counter()
        self.observed, self.told = Counter(), Counter()
        self.clients = self.latest = None
        self.holds_lease = True

    def handle(self, request):
        """Answer a little later, so that requests pile up."""
        asks, answers = KINDS[request.header.command_code]
        self.latest = decode(asks, request.frame)
        session_id = self.latest.session_id
        result = int(session_id.split(b";")[1])
        self.asked[asks] += 1
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        if result:
            body = encode(answers(session_id, result, PGW, "host.example"))
            asyncio.get_running_loop().call_later(0.02, self._answer, request, body)

    def _answer(self, request, body):
        self.busy -= 1
        request.answer(body)

    async def open(self, *results, peer=PGW):
        """Open a session for each Result-Code."""
        for number, result in enumerate(results):
            message = ccr(INITIAL, 0, service(ask=0), session=f"{peer};{result};{number}")
            await asyncio.to_thread(self.place.ask, message, peer)

    def read(self, look):
        with self.place.reader.connect() as connection:
            return look(connection)

    async def close_overdue(self, microseconds):
        """Let time go by, and close the sessions whose time is over; gives how many."""
        self.place.ticks = itertools.count(next(self.place.ticks) + microseconds, 1_000)
        overdue_now = self.read(lambda connection: overdue(connection, next(self.place.ticks)))
        units = [ExpireSession(session_id) for session_id in overdue_now]
        return sum([await asyncio.to_thread(self.place.lane.run, unit) for unit in units])

    def held(self, owner):
        """What the subscriber's wallet holds."""
        wallets = tables.wallets.c
        return self.place.read(select(wallets.reserved).where(wallets.subscriber_id == owner))[0].reserved

    def still_open(self, owner):
        """The Result-Codes of the sessions that are open."""
        return [int(s.session_id.split(";")[1]) for s in self.read(lambda c: queries.open_of(c, owner))]


@asynccontextmanager
async def world(tmp_path, balance=100_000_000, **limits):
    """A world of one subscriber: (world, subscriber_id)."""
    loop = asyncio.get_running_loop()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    with charging_place(f"sqlite:///{tmp_path}/desk.db", deliver=deliver) as place:
        made = World(place)
        owner = await asyncio.to_thread(place.enrol, balance)
        async with two_nodes(client={"handler": made.handle, "commands": tuple(KINDS)}) as (ocs, _):
            made.clients = SessionRequests(
                ocs.node,
                place.lane,
                number=place.node.id,
                identity=identity(OCS),
                realms={PGW: "host.example"},
                read=place.read_async,
                clock=lambda: next(place.ticks),
                observe=lambda *key: made.observed.update([key]),
                alarm=lambda event, _fields: made.told.update([event]),
                abort_wait=60_000_000,
                may_send=lambda: made.holds_lease,
                limits=Limits(**limits),
            )
            yield made, owner


async def test_a_gateway_whose_lease_may_be_over_asks_nobody(tmp_path):
    async with world(tmp_path) as (made, owner):
        await made.open(2001, 5002)
        made.holds_lease = False
        for outcome in (await made.clients.reauthorise(owner), await made.clients.abort(owner)):
            assert outcome == CommandOutcome(sent=0, unreachable=2)
        assert made.asked == {}
        assert made.still_open(owner) == [2001, 5002]


async def test_every_session_is_asked_and_what_came_of_each_is_counted(tmp_path):
    async with world(tmp_path, answer=0.3) as (made, owner):
        await made.open(2001, 2002, 5012, 5002, 3002, 0, 4999)
        await made.open(2001, peer="elsewhere.example")
        outcome = await made.clients.reauthorise(owner)
        assert outcome == CommandOutcome(sent=7, accepted=2, refused=3, unreachable=3, closed=1)
        assert made.still_open(owner) == [2001, 2002, 5012, 3002, 0, 4999, 2001]
        assert made.asked == {ReAuthRequest: 7}
        assert made.observed == {
            ("RAR", "2001"): 1,
            ("RAR", "2002"): 1,
            ("RAR", "5012"): 1,
            ("RAR", "5002"): 1,
            ("RAR", "3002"): 1,
            ("RAR", "unreachable"): 2,
            ("RAR", "other"): 1,
        }
        assert made.told == {
            "charging.session.reauthorised": 2,
            "charging.client.refused": 2,
            "charging.session.lost": 1,
            "charging.client.unreachable": 3,
        }


async def test_no_more_than_allowed_wait_at_once_and_no_page_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(queries, "PAGE", 10)
    monkeypatch.setattr(charging_clients, "PAGE", 10)
    async with world(tmp_path, concurrency=4) as (made, owner):
        await made.open(*[2001] * 15, *[5002] * 8)
        outcome = await made.clients.abort(owner)
        assert outcome == CommandOutcome(sent=23, accepted=15, refused=8, closed=8)
        assert made.asked == {AbortSessionRequest: 23}
        assert 1 < made.most_busy <= 4
        rows = made.read(lambda connection: queries.latest(connection, 100))
        assert [row.session_id.split(";")[1] for row in rows] == ["2001"] * 15


async def test_a_subscriber_without_sessions_is_no_trouble(tmp_path):
    async with world(tmp_path) as (made, owner):
        assert await made.clients.abort(owner) == CommandOutcome()
        assert await made.clients.reauthorise(owner + 1) == CommandOutcome()


@pytest.mark.parametrize("demand", SessionCommand)
async def test_a_store_that_is_closing_leaves_a_lost_session_to_its_supervision(tmp_path, demand):
    async with world(tmp_path) as (made, owner):
        await made.open(5002)
        await asyncio.to_thread(made.place.lane.close)
        work = made.clients.abort if demand is SessionCommand.ABORT else made.clients.reauthorise
        assert await work(owner) == CommandOutcome(sent=1, refused=1)
        assert made.still_open(owner) == [5002]


async def test_one_session_is_asked_alone(tmp_path):
    async with world(tmp_path) as (made, owner):
        await made.open(2002, 2001)
        first, _ = made.read(lambda c: queries.open_of(c, owner))
        reply = await made.clients.ask(SessionCommand.REAUTHORISE, first)
        assert (reply.session_id, reply.fate, reply.result_code) == (first.session_id, CommandResult.ACCEPTED, 2002)
        assert made.asked == {ReAuthRequest: 1}


async def test_an_aborted_session_gives_back_its_hold_after_a_while_whatever_its_client_answered(tmp_path):
    async with world(tmp_path, answer=0.3) as (made, owner):
        await made.open(2001, 3001, 5012, 3002, 0)
        await made.open(2001, peer="elsewhere.example")
        await made.clients.abort(owner)
        assert len(made.still_open(owner)) == 6
        assert await made.close_overdue(59_000_000) == 0
        assert await made.close_overdue(2_000_000) == 6
        assert made.held(owner) == 0


async def test_an_aborted_session_that_reports_all_the_same_is_supervised_as_before(tmp_path):
    async with world(tmp_path) as (made, owner):
        await made.open(3001)
        await made.clients.abort(owner)
        await asyncio.to_thread(made.place.ask, ccr(UPDATE, 1, service(used=[1], ask=0), session=f"{PGW};3001;0"), PGW)
        assert await made.close_overdue(61_000_000) == 0
        assert await made.close_overdue(2 * 3_600_000_000) == 1


async def test_credit_is_offered_to_the_sessions_that_stand_still_for_want_of_it(tmp_path):
    async with world(tmp_path, balance=150_000) as (made, owner):
        await made.open(2002, 2002, 5002)  # 10 MB, the last 5 MB, none
        outcome = await made.clients.offer_credit(owner)
        assert outcome == CommandOutcome(sent=2, accepted=1, refused=1, closed=1)
        await asyncio.to_thread(made.place.top_up, MSISDN, 1_000_000, "shop-1")
        report = ccr(UPDATE, 1, service(used=[1], ask=0), session=f"{PGW};2002;1")
        await asyncio.to_thread(made.place.ask, report, PGW)
        assert await made.clients.offer_credit(owner) == CommandOutcome()


async def test_a_sub_session_is_asked_by_both_of_its_numbers(tmp_path):
    async with world(tmp_path) as (made, owner):
        message = ccr(INITIAL, 0, service(ask=0), session=f"{PGW};2002;0", cc_sub_session_id=7)
        await asyncio.to_thread(made.place.ask, message, PGW)
        assert await made.clients.reauthorise(owner) == CommandOutcome(sent=1, accepted=1)
        assert (made.latest.session_id, made.latest.cc_sub_session_id) == (f"{PGW};2002;0".encode(), 7)


async def test_a_session_that_another_gateway_has_is_left_to_the_others_and_one_at_hand_is_not(tmp_path):
    async with world(tmp_path) as (made, owner):
        await made.open(2001)
        await made.open(2002, peer="elsewhere.example")
        left = []

        async def by_others(demand, session):
            left.append((demand, session.peer))
            return Reply(session.session_id, CommandResult.ACCEPTED, 2002)

        made.clients.set_others(by_others)
        outcome = await made.clients.reauthorise(owner)
        assert outcome == CommandOutcome(sent=2, accepted=2)
        assert left == [(SessionCommand.REAUTHORISE, "elsewhere.example")]
        assert made.asked == {ReAuthRequest: 1}
        assert made.observed == {("RAR", "2001"): 1}
        made.clients._number += 1  # as a gateway whose client has reported to another one meanwhile
        await made.clients.reauthorise(owner)
        assert left[1:] == [(SessionCommand.REAUTHORISE, peer) for peer in (PGW, "elsewhere.example")]
