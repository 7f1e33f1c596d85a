"""Who listens in hears each whole message once, in order, whichever way it goes, and hears nothing when nobody listens."""

import asyncio

import pytest
from support.diameter_rig import OCS, PGW, RawPeer, Rig, ccr, two_nodes
from support.patience import until
from support.smpp_rig import DELIVER, SUBMIT, End, LinkRig, RawEnd, ServerRig, bound_pair

from protocols.diameter.codec import decode_header as diameter_header
from protocols.diameter.limits import Limits as DiameterLimits
from protocols.diameter.node_events import MessageRejected as DiameterRejected
from protocols.diameter.node_events import PeerUp
from protocols.smpp.codec import CommandId, decode_header
from protocols.smpp.generated import encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import EnquireLink, SubmitSmResp
from protocols.smpp.node_events import LinkUp, MessageRejected
from protocols.tap import MAX_UNDECODABLE


def spoken(seen):
    """What went over an SMPP connection: the way and the command."""
    return [("out" if one.outgoing else "in", CommandId(decode_header(one.message).command_id).name) for one in seen]


def told(seen):
    """What went over a Diameter connection: the way, the command, and whether it asks."""
    heads = [(one, diameter_header(one.message)) for one in seen]
    return [("out" if one.outgoing else "in", head.command_code, head.request) for one, head in heads]


# Without a wire


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_each_pdu_is_told_once_and_before_what_it_leads_to_however_the_stream_is_cut(size):
    esme, seen = End.bound(), []
    esme.session.tap = lambda outgoing, message: seen.append((outgoing, message))
    assert esme.submit()
    asked = esme.session.data_to_send()
    stream = encode(SubmitSmResp(message_id="1"), 2) + encode(DELIVER, 9) + encode(EnquireLink(), 10)
    for start in range(0, len(stream), size):
        esme.session.receive(stream[start : start + size], 0.0)
    answered = esme.session.data_to_send()
    assert [outgoing for outgoing, _ in seen] == [True, False, False, False, True]
    assert seen[0] == (True, asked)
    assert b"".join(message for outgoing, message in seen if not outgoing) == stream
    assert seen[-1] == (True, answered)


def test_nothing_is_told_once_the_tap_is_taken_away():
    esme, seen = End.bound(), []
    esme.session.tap = lambda *what: seen.append(what)
    esme.get(EnquireLink(), 5)
    esme.session.tap = None
    esme.session.data_to_send()
    esme.get(EnquireLink(), 6)
    assert [outgoing for outgoing, _ in seen] == [False]


# Over sockets


async def test_a_link_is_heard_from_its_bind_to_its_unbind():
    seen = []
    async with ServerRig() as smsc:
        esme = LinkRig(smsc.port)
        esme.link.set_tap(seen.append)
        async with esme:
            await esme.told(LinkUp)
            assert esme.link.submit(SUBMIT)
            await until(lambda: esme.results)
            client = await smsc.client()
            client.send(DELIVER)
            await until(lambda: smsc.results)
            local, remote = esme.link._current.local, esme.link._current.remote
    assert spoken(seen) == [
        ("out", "BIND_TRANSCEIVER"),
        ("in", "BIND_TRANSCEIVER_RESP"),
        ("out", "SUBMIT_SM"),
        ("in", "SUBMIT_SM_RESP"),
        ("in", "DELIVER_SM"),
        ("out", "DELIVER_SM_RESP"),
        ("out", "UNBIND"),
        ("in", "UNBIND_RESP"),
    ]
    assert {(one.protocol, one.name, one.local, one.remote) for one in seen} == {("smpp", "host", local, remote)}
    assert (remote, local[0]) == (("127.0.0.1", smsc.port), "127.0.0.1")


async def test_a_link_goes_on_being_heard_after_a_reconnect_and_no_more_once_nobody_listens():
    seen = []
    async with bound_pair(link={"limits": Limits(reconnect_first=0.01)}) as (smsc, esme):
        esme.link.set_tap(seen.append)
        (await smsc.client()).evict()
        await esme.told(LinkUp, 2)
        assert ("out", "BIND_TRANSCEIVER") in spoken(seen)
        esme.link.set_tap(None)
        before = len(seen)
        assert esme.link.submit(SUBMIT)
        await until(lambda: esme.results)
        assert len(seen) == before


async def test_a_node_is_heard_on_connections_that_are_there_and_on_those_to_come():
    seen = []
    async with two_nodes(client={"limits": DiameterLimits(reconnect_first=0.01)}) as (ocs, pgw):
        for rig in (ocs, pgw):
            rig.node.set_tap(lambda one, name=rig: seen.append((name, one)))
        (connection,) = ocs.node._connections.values()
        connection.evict("for the test")
        await pgw.told(PeerUp, 2)
        header, _ = await pgw.node.request(OCS, 272, 4, ccr()[20:], 5.0)
        assert not header.request
    for rig, ways in ((ocs, ("in", "out")), (pgw, ("out", "in"))):
        heard = [one for one in told([one for name, one in seen if name is rig]) if one[1] != 280]
        asked, answered = ways
        assert heard[:4] == [
            (asked, 257, True),
            (answered, 257, False),
            (asked, 272, True),
            (answered, 272, False),
        ]
        assert {code for _, code, _ in heard[4:]} == {282}
    names = {one.name for name, one in seen if name is ocs}
    assert names - {""} == {PGW}
    assert {one.protocol for _, one in seen} == {"diameter"}
    assert all(one.local[1] and one.remote[1] for _, one in seen)


async def test_a_node_can_be_heard_from_the_middle_of_a_message_on():
    seen = []
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        whole = ccr()
        peer.send(whole[:50])
        await asyncio.sleep(0.05)
        ocs.node.set_tap(seen.append)
        peer.send(whole[50:])
        await peer.receive()
        assert told(seen) == [("in", 272, True), ("out", 272, False)]
        assert seen[0].message == whole
        await peer.leave()


# What could not be read is kept whole


async def test_a_pdu_that_could_not_be_read_is_told_whole_and_one_that_came_at_a_bad_time_is_not():
    async with ServerRig() as smsc:
        end = await RawEnd.bound(smsc.port)
        broken = (16).to_bytes(4, "big") + (0xBAD).to_bytes(4, "big") + bytes(4) + (7).to_bytes(4, "big")
        await end.ask(broken)
        unended = encode(SUBMIT, 8)[:30]
        await end.ask(len(unended).to_bytes(4, "big") + unended[4:])
        await end.ask(encode(DELIVER, 9))
        unknown, cut, untimely = smsc.of(MessageRejected)
        assert (unknown.message, cut.message[4:], untimely.message) == (broken, unended[4:], b"")
        await end.leave()


async def test_a_ccr_that_could_not_be_read_is_told_whole_up_to_a_limit():
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        broken = bytearray(ccr() + bytes(2 * MAX_UNDECODABLE))
        broken[1:4] = len(broken).to_bytes(3, "big")
        await peer.ask(bytes(broken))
        (rejected,) = ocs.of(DiameterRejected)
        assert rejected.message == bytes(broken[:MAX_UNDECODABLE])
        await peer.leave()
