"""All sessions of a subscriber at once: the requests of `Clients` over real nodes, on a real store."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from support.charging_fixture import INITIAL, ccr, charging_place, service
from support.diameter_rig import OCS, PGW, identity, two_nodes

from gateway.charging import queries
from gateway.charging.gy import reauth_abort as charging_clients
from gateway.charging.gy.reauth_abort import CommandOutcome, CommandResult, Limits, SessionCommand, SessionRequests
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
        self.clients = None

    def handle(self, request):
        """Answer a little later, so that requests pile up."""
        asks, answers = KINDS[request.header.command_code]
        session_id = decode(asks, request.frame).session_id
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

    def still_open(self, owner):
        """The Result-Codes of the sessions that are open."""
        return [int(s.session_id.split(";")[1]) for s in self.read(lambda c: queries.open_of(c, owner))]


@asynccontextmanager
async def world(tmp_path, **limits):
    """A world of one subscriber: (world, subscriber_id)."""
    loop = asyncio.get_running_loop()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    with charging_place(f"sqlite:///{tmp_path}/desk.db", deliver=deliver) as place:
        made = World(place)
        owner = await asyncio.to_thread(place.enrol, 100_000_000)
        async with two_nodes(client={"handler": made.handle, "commands": tuple(KINDS)}) as (ocs, _):
            made.clients = SessionRequests(
                ocs.node,
                place.lane,
                identity=identity(OCS),
                realms={PGW: "host.example"},
                read=made.place.read_async,
                clock=lambda: next(place.ticks),
                observe=lambda *key: made.observed.update([key]),
                alarm=lambda event, _fields: made.told.update([event]),
                limits=Limits(**limits),
            )
            yield made, owner


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
