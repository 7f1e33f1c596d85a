"""RAR and ASR: a gateway in a process of its own, asked by its commands, and the simulated PGW as the sessions' client."""

import asyncio
import itertools
import json
import time
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random

import pytest
from support.diameter_rig import RawPeer, ccr, cer
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE, until

from gateway.privacy.masks import mask
from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import (
    AbortSessionAnswer,
    AbortSessionRequest,
    DeviceWatchdogAnswer,
    DeviceWatchdogRequest,
    MultipleServicesCreditControl,
    ReAuthAnswer,
    ReAuthRequest,
    RequestedServiceUnit,
    SubscriptionId,
)
from simulators.customers import Customer
from simulators.pgw import Pgw
from simulators.profiles import OPEN5GS, STANDARD
from simulators.session import Demand

pytestmark = pytest.mark.xdist_group("session_requests")
ROWS = subscribers(8)
SLOW = 1000.0
"""Octets a second: no session here comes to its threshold by itself."""
PGW = "pgw.host.example"
STATES = itertools.count(4_100_000_000, 10)
"""Origin-State-Ids of the peers here that have no client behind them."""
BOOTS = itertools.count(int(time.time()))
"""Each PGW boots at a second of its own: two that booted in one, with one seed, would make the same Session-Ids."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    peers = [f"{{identity: {PGW}, realm: host.example}}", "{identity: smf.localdomain, realm: localdomain}"]
    with Gateway(tmp_path_factory.mktemp("gateway"), peers=peers) as running:
        running.enrol(ROWS)
        yield running


@asynccontextmanager
async def pgw(gateway, profile=STANDARD):
    client = Pgw(("127.0.0.1", gateway.diameter_port), random=Random(1), profile=profile, boot=next(BOOTS))
    assert await client.start()
    try:
        yield client
    finally:
        client.detach_all()
        await client.stop()


@asynccontextmanager
async def running(gateway, row, profile=STANDARD):
    """A session that has begun: (PGW, what `session list` tells of it, its task)."""
    async with pgw(gateway, profile) as client:
        group = profile.rating_groups[0]
        session = client.new_session(Customer(row[1], row[0]), [(group, Demand(50_000_000, SLOW))])
        task = asyncio.create_task(client.run(session))
        await until(lambda: client.counters.answers == 1)
        (told,) = await tpo(gateway, "session", "list", "--number", row[0])
        assert told["session_id"] == session.session_id.decode()
        yield client, told, task
        client.detach_all()
        async with asyncio.timeout(PATIENCE):
            await task


async def tpo(gateway, *arguments, code=0):
    done = await asyncio.to_thread(gateway.tpo, *arguments, "--json", ok=(code,))
    return json.loads(done.stdout) if done.stdout else done.stderr


def logged(gateway, session_id):
    """What the log says of the requests about a session: event, request, Result-Code."""
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    said = [line for line in lines if line.get("session_id") == mask(session_id) and "request" in line]
    return [(line["event"], line["request"], line.get("result_code")) for line in said]


async def open_session(peer, name, row, **fields):
    """A session of a client that is told what to answer."""
    mscc = MultipleServicesCreditControl(requested_service_unit=RequestedServiceUnit(), rating_group=10)
    asked = {"subscription_id": (SubscriptionId(1, row[1]),), "multiple_services_credit_control": (mscc,)}
    await peer.ask(ccr(session_id=name, **asked, **fields))


async def answer(peer, kind, result_code, *, host=PGW):
    """Answer the gateway's next request; returns its header and frame."""
    header, frame = await peer.receive()
    session_id = decode(ReAuthRequest if kind is ReAuthAnswer else AbortSessionRequest, frame).session_id
    body = encode(kind(session_id=session_id, result_code=result_code, origin_host=host, origin_realm="host.example"))
    peer.send(encode_message(0x40, header.command_code, 4, header.hop_by_hop, header.end_to_end, body))
    return header, frame


async def test_reauth_has_the_session_reported_at_once(gateway):
    async with running(gateway, ROWS[0]) as (client, told, _):
        found = await tpo(gateway, "session", "reauth", told["id"])
        assert found == {
            "id": told["id"],
            "session_id": told["session_id"],
            "peer": PGW,
            "request": "RAR",
            "result": "accepted",
            "result_code": 2002,
            "detail": None,
            "closed": False,
            "node": gateway.identity,
        }
        await until(lambda: client.counters.answers == 2)
        shown = await tpo(gateway, "session", "show", told["session_id"])
        assert (shown["state"], shown["last_request_number"]) == ("open", 1)
        assert client.asked == {"RAR": 1}
    assert logged(gateway, told["session_id"]) == [("charging.session.reauthorised", "RAR", "2002")]
    assert 'tpo_diameter_session_requests_total{command="RAR",result="2002"} 1.0' in gateway.get("/metrics")[1]


async def test_abort_has_the_session_report_and_end(gateway):
    async with running(gateway, ROWS[1]) as (client, told, task):
        found = await tpo(gateway, "session", "abort", told["session_id"])
        assert (found["request"], found["result"], found["result_code"]) == ("ASR", "accepted", 2001)
        async with asyncio.timeout(PATIENCE):
            await task
        assert client.counters.ended == 1
        assert logged(gateway, told["session_id"]) == [("charging.session.aborted", "ASR", "2001")]
        shown = await tpo(gateway, "session", "show", told["id"])
        assert (shown["state"], shown["terminated"], shown["reserved"]) == ("closed", True, "0.00")
        used = sum(group["used"] for group in shown["groups"])
        assert used == client.counters.octets_acknowledged
        refused = await tpo(gateway, "session", "abort", told["id"], code=1)
        assert "this session is over" in refused
        assert await tpo(gateway, "session", "list", "--number", ROWS[1][0]) == []
        (past,) = await tpo(gateway, "session", "list", "--number", ROWS[1][0], "--closed")
        assert past["id"] == told["id"]


async def test_a_client_that_says_yes_and_does_nothing_does_no_harm(gateway):
    client = Pgw(
        ("127.0.0.1", gateway.diameter_port),
        random=Random(1),
        profile=OPEN5GS,
        origin_host="smf.localdomain",
        origin_realm="localdomain",
    )
    assert await client.start()
    session = client.new_session(Customer(ROWS[2][1], ROWS[2][0]), [(None, Demand(50_000_000, SLOW))])
    task = asyncio.create_task(client.run(session))
    await until(lambda: client.counters.answers == 1)
    name = session.session_id.decode()
    found = await tpo(gateway, "session", "reauth", name)
    assert (found["result"], found["result_code"], found["peer"]) == ("accepted", 2001, "smf.localdomain")
    done = await asyncio.to_thread(gateway.tpo, "session", "abort", name, ok=(1,))
    assert logged(gateway, name)[1:] == [("charging.client.refused", "ASR", "3001")]
    assert "the client refused" in done.stderr
    assert "3001" in done.stdout
    shown = await tpo(gateway, "session", "show", name)
    assert (shown["state"], shown["last_request_number"]) == ("open", 0)
    client.detach_all()
    await task
    await client.stop()


async def test_what_goes_out_names_the_session_s_client_and_has_the_p_flag(gateway):
    peer = await RawPeer.open(gateway.diameter_port)
    await open_session(peer, b"raw;1", ROWS[3])
    asking = asyncio.create_task(tpo(gateway, "session", "reauth", "raw;1"))
    header, frame = await answer(peer, ReAuthAnswer, 2001)
    assert (header.command_code, header.application_id, header.flags) == (258, 4, 0xC0)
    rar = decode(ReAuthRequest, frame)
    assert rar == ReAuthRequest(b"raw;1", "ocs.tpo.example", "tpo.example", "host.example", PGW, 4, 0)
    assert (await asking)["result"] == "accepted"
    asking = asyncio.create_task(tpo(gateway, "session", "abort", "raw;1"))
    header, frame = await answer(peer, AbortSessionAnswer, 2001)
    assert (header.command_code, header.application_id, header.flags) == (274, 4, 0xC0)
    asr = decode(AbortSessionRequest, frame)
    assert asr == AbortSessionRequest(b"raw;1", "ocs.tpo.example", "tpo.example", "host.example", PGW, 4)
    assert (await asking)["result"] == "accepted"
    await peer.leave()


@pytest.mark.parametrize(("kind", "word", "code"), [(ReAuthAnswer, "reauth", 1), (AbortSessionAnswer, "abort", 0)])
async def test_a_session_that_its_client_does_not_have_is_closed_at_once(gateway, kind, word, code):
    row, name = ROWS[4], f"lost;{word}"
    peer = await RawPeer.open(gateway.diameter_port)
    await open_session(peer, name.encode(), row)
    before = gateway.json("subscriber", "show", row[0])
    assert Decimal(before["reserved"]) > 0
    asking = asyncio.create_task(tpo(gateway, "session", word, name, code=code))
    await answer(peer, kind, 5002)
    found = await asking
    assert (found["result"], found["result_code"], found["closed"]) == ("unknown", 5002, True)
    after = gateway.json("subscriber", "show", row[0])
    assert (after["reserved"], after["open_sessions"], after["balance"]) == ("0.00", 0, before["balance"])
    assert [event for event, *_ in logged(gateway, name)] == ["charging.session.lost"]
    await peer.leave()


async def test_another_s_word_that_a_session_is_unknown_closes_nothing(gateway):
    peer = await RawPeer.open(gateway.diameter_port)
    await open_session(peer, b"mine;1", ROWS[5])
    asking = asyncio.create_task(tpo(gateway, "session", "abort", "mine;1", code=1))
    await answer(peer, AbortSessionAnswer, 5002, host="dra.core.example")
    assert (await asking)["result"] == "refused"
    assert (await tpo(gateway, "session", "show", "mine;1"))["state"] == "open"
    await peer.leave()


SAYS_WHO = encode_avp(264, PGW.encode()) + encode_avp(296, b"host.example")


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        (b"anonymous;1", 0x40, b""),
        (b"latin;1", 0x40, encode_avp(263, b"latin;1") + encode_avp(281, b"unbekannt: \xfc")),
        (b"stutter;1", 0x40, encode_avp(263, b"stutter;1") + encode_avp(278, bytes(4)) * 2),
        (b"error;1", 0x60, encode_avp(263, b"error;1")),
    ],
)
async def test_what_decides_of_an_answer_is_read_however_odd_the_rest_is(gateway, name, flags, said):
    peer = await RawPeer.open(gateway.diameter_port)
    await open_session(peer, name, ROWS[5])
    asking = asyncio.create_task(tpo(gateway, "session", "abort", name.decode()))
    header, _ = await peer.receive()
    body = said + encode_avp(268, (5002).to_bytes(4)) + SAYS_WHO
    peer.send(encode_message(flags, 274, 4, header.hop_by_hop, header.end_to_end, body))
    found = await asking
    assert (found["result"], found["result_code"], found["closed"]) == ("unknown", 5002, True)
    await peer.leave()


async def test_an_answer_about_another_session_closes_nothing(gateway):
    peer = await RawPeer.open(gateway.diameter_port)
    await open_session(peer, b"odd;4", ROWS[5])
    asking = asyncio.create_task(tpo(gateway, "session", "abort", "odd;4", code=1))
    header, _ = await peer.receive()
    body = encode_avp(263, b"odd;5") + encode_avp(268, (5002).to_bytes(4)) + SAYS_WHO
    peer.send(encode_message(0x40, 274, 4, header.hop_by_hop, header.end_to_end, body))
    assert (await asking)["result"] == "refused"
    assert (await tpo(gateway, "session", "show", "odd;4"))["state"] == "open"
    await peer.leave()


async def test_an_unreadable_answer_is_a_refusal_and_the_connection_lives_on(gateway):
    peer = await RawPeer.open(gateway.diameter_port)
    await open_session(peer, b"odd;1", ROWS[5])
    asking = asyncio.create_task(tpo(gateway, "session", "reauth", "odd;1", code=1))
    header, _ = await peer.receive()
    peer.send(encode_message(0x40, 258, 4, header.hop_by_hop, header.end_to_end, b""))
    found = await asking
    assert (found["result"], found["result_code"]) == ("refused", None)
    assert "cannot be read" in found["detail"]
    await open_session(peer, b"odd;2", ROWS[5])
    await peer.leave()


async def test_a_client_that_is_away_or_silent_is_69(gateway):
    peer = await RawPeer.open(gateway.diameter_port)
    await open_session(peer, b"away;1", ROWS[6])
    silent = await tpo(gateway, "session", "reauth", "away;1", code=69)
    assert (silent["result"], silent["closed"]) == ("unreachable", False)
    assert "in time" in silent["detail"]
    await peer.leave()
    await until(lambda: 'peer_up{peer="pgw.host.example"} 0.0' in gateway.get("/metrics")[1])
    done = await asyncio.to_thread(gateway.tpo, "session", "abort", "away;1", ok=(69,))
    assert "was not reached" in done.stderr
    metrics = gateway.get("/metrics")[1]
    assert 'tpo_diameter_session_requests_total{command="ASR",result="unreachable"} 1.0' in metrics
    assert 'tpo_diameter_session_requests_total{command="RAR",result="unreachable"} 1.0' in metrics


async def test_a_restarted_client_s_sessions_are_closed(gateway):
    first = await RawPeer.connect(gateway.diameter_port)
    await first.ask(cer(origin_state_id=4_000_000_000))
    await open_session(first, b"before;1", ROWS[7])
    await first.leave()
    for state, open_sessions in ((4_000_000_000, 1), (4_000_000_001, 0)):
        again = await RawPeer.connect(gateway.diameter_port)
        await again.ask(cer(origin_state_id=state))
        found = None
        async with asyncio.timeout(PATIENCE):
            while found is None or (found["open_sessions"] != open_sessions):
                found = await asyncio.to_thread(gateway.json, "subscriber", "show", ROWS[7][0])
        assert Decimal(found["reserved"]) == (0 if open_sessions == 0 else Decimal("0.10"))
        await again.leave()
    assert '"charging.client.restarted"' in gateway.log.read_text()


def dwr(state):
    body = DeviceWatchdogRequest(origin_host=PGW, origin_realm="host.example", origin_state_id=state)
    return encode_message(0x80, 280, 0, 5, 5, encode(body))


@pytest.mark.parametrize("way", ["dwr", "ccr"])
async def test_a_client_that_says_so_on_the_connection_that_stands_has_restarted_too(gateway, way):
    state = next(STATES)
    peer = await RawPeer.connect(gateway.diameter_port)
    await peer.ask(cer(origin_state_id=state))
    await open_session(peer, b"before;%d" % state, ROWS[7])
    if way == "dwr":
        _, frame = await peer.ask(dwr(state + 1))
        assert decode(DeviceWatchdogAnswer, frame).result_code == 2001
    else:
        await open_session(peer, b"after;%d" % state, ROWS[6], origin_state_id=state + 1)

    async def is_open(name):
        return (await asyncio.to_thread(gateway.json, "session", "show", name))["state"] == "open"

    async with asyncio.timeout(PATIENCE):
        while await is_open(f"before;{state}"):
            pass
    assert way == "dwr" or await is_open(f"after;{state}")
    await peer.leave()


def test_what_is_not_there_is_told_and_the_gateway_has_to_run(gateway, tmp_path):
    for words in (("show",), ("reauth",), ("abort",)):
        refused = gateway.tpo("session", *words, "nothing;1", ok=(1,))
        assert "there is no session" in refused.stderr
    assert "no subscriber" in gateway.tpo("session", "list", "--number", "447700999999", ok=(1,)).stderr
    unknown = gateway.tpo("session", "list", "--peer", "nobody.host.example", ok=(1,)).stderr
    assert "there is no peer 'nobody.host.example', and no session of it; there are: " in unknown
    stopped = Gateway(tmp_path / "stopped")
    for words in (("list",), ("show", "x"), ("reauth", "x"), ("abort", "x")):
        assert "not running" in stopped.tpo("session", *words, ok=(69,)).stderr
